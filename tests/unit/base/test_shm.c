/* Shared memory: sealed, shared, and refused where it could fault later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "sallyport/shm.h"

enum { SIZE = 10000 };

static void shm_is_shared_and_sealed(void **state)
{
	(void)state;
	struct err err = {.text = "untouched"};
	int fd = shm_create("test", SIZE, &err);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_not_equal(ftruncate(fd, SIZE - 1), 0);
	assert_int_not_equal(ftruncate(fd, SIZE + 1), 0);
	assert_int_not_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	char *one = shm_map(fd, SIZE, true, &err);
	const char *two = shm_map(fd, SIZE, false, &err);
	assert_non_null(one);
	assert_non_null(two);
	one[SIZE - 1] = 'x';
	assert_int_equal(two[SIZE - 1], 'x');
	assert_string_equal(err.text, "untouched");
	munmap(one, SIZE);
	munmap((void *)(uintptr_t)two, SIZE);
	close(fd);
}

static void shm_read_only_mapping_cannot_be_written(void **state)
{
	(void)state;
	int fd = shm_create("test", SIZE, NULL);
	char *memory = shm_map(fd, SIZE, false, NULL);
	assert_non_null(memory);
	/* the kernel says what a store would meet, without the fault */
	int zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(zeros, memory, 1), -1);
	assert_int_equal(errno, EFAULT);
	close(zeros);
	munmap(memory, SIZE);
	close(fd);
}

static void shm_map_refuses_what_could_fault(void **state)
{
	(void)state;
	struct err err;
	int fd = shm_create("test", SIZE, &err);
	assert_null(shm_map(fd, SIZE + 1, true, &err));
	assert_null(shm_map(fd, 0, true, &err));
	close(fd);
	int open_to_all = memfd_create("unsealed", MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(open_to_all, SIZE), 0);
	assert_null(shm_map(open_to_all, SIZE, true, &err));
	assert_non_null(strstr(err.text, "not sealed"));
	close(open_to_all);
	int pipes[2];
	assert_int_equal(pipe(pipes), 0);
	assert_null(shm_map(pipes[0], SIZE, false, &err));
	close(pipes[0]);
	close(pipes[1]);
	assert_null(shm_map(-1, SIZE, false, &err));
	assert_int_equal(shm_create("test", 0, &err), -1);
	assert_int_equal(shm_create("test", SIZE_MAX, &err), -1);
}

static void shm_constant_is_a_copy_that_nobody_changes(void **state)
{
	(void)state;
	struct err err = {.text = "untouched"};
	char data[SIZE] = "once";
	int fd = shm_constant("test", data, SIZE, &err), open_fd = shm_create("test", SIZE, &err);
	data[0] = 'X';
	const char *memory = shm_map_constant(fd, SIZE, &err);
	assert_non_null(memory);
	assert_string_equal(memory, "once");
	assert_int_equal(pwrite(fd, "y", 1, 0), -1);
	assert_ptr_equal(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_string_equal(err.text, "untouched");
	assert_null(shm_map_constant(open_fd, SIZE, &err));
	assert_non_null(strstr(err.text, "not constant"));
	assert_null(shm_map_constant(fd, SIZE + 1, &err));
	assert_null(shm_map_constant(-1, SIZE, &err));
	munmap((void *)(uintptr_t)memory, SIZE);
	close(fd);
	close(open_fd);
}

static void shm_published_is_written_by_its_maker_only(void **state)
{
	(void)state;
	struct err err;
	void *memory = NULL;
	int fd = shm_publish("test", SIZE, &memory, &err);
	assert_true(fd >= 0);
	char *reader = shm_map(fd, SIZE, false, &err);
	assert_non_null(reader);
	((char *)memory)[SIZE - 1] = 'x';
	assert_int_equal(reader[SIZE - 1], 'x');
	if (fcntl(fd, F_GET_SEALS) & F_SEAL_FUTURE_WRITE) {
		assert_null(shm_map(fd, SIZE, true, &err));
		assert_int_equal(mprotect(reader, SIZE, PROT_READ | PROT_WRITE), -1);
		assert_int_equal(pwrite(fd, "y", 1, 0), -1);
	}
	assert_int_equal(shm_publish("test", 0, &memory, &err), -1);
	munmap(memory, SIZE);
	munmap(reader, SIZE);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(shm_is_shared_and_sealed),
	    cmocka_unit_test(shm_read_only_mapping_cannot_be_written),
	    cmocka_unit_test(shm_map_refuses_what_could_fault),
	    cmocka_unit_test(shm_constant_is_a_copy_that_nobody_changes),
	    cmocka_unit_test(shm_published_is_written_by_its_maker_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Descriptors that a process was started without. Each case runs in a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "sallyport/standard_fds.h"

static bool is_null(int fd, int mode)
{
	struct stat wanted, found;
	return stat("/dev/null", &wanted) == 0 && fstat(fd, &found) == 0 && found.st_rdev == wanted.st_rdev &&
	       (fcntl(fd, F_GETFL) & O_ACCMODE) == mode && (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
}

/* 0: as it has to be. closed has a bit for each descriptor. */
static int child(unsigned closed)
{
	int pipe_fds[2];
	if (pipe(pipe_fds) != 0)
		return 1;
	for (int fd = 0; fd < 3; fd++)
		if (closed & 1U << fd ? close(fd) != 0 : dup2(pipe_fds[1], fd) != fd)
			return 2;
	if (!standard_fds_open())
		return 3;
	for (int fd = 0; fd < 3; fd++)
		if (is_null(fd, fd == 0 ? O_RDONLY : O_WRONLY) != ((closed & 1U << fd) != 0))
			return 4;
	return open("/dev/null", O_RDONLY) > 2 ? 0 : 5;
}

static void descriptors_that_are_missing_lead_nowhere(void **state)
{
	(void)state;
	for (unsigned closed = 0; closed < 8; closed++) {
		int status = 0;
		pid_t pid = fork();
		if (pid == 0)
			_exit(child(closed));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(descriptors_that_are_missing_lead_nowhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

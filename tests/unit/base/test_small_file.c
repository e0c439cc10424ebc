/* Small files read at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "sallyport/small_file.h"

enum { MAX = 8 };

static char folder[] = "/tmp/sallyport-file-XXXXXX", path[64];

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/file", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir(folder);
}

static void put(const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void expect(const char *text)
{
	size_t len = 4711;
	char *got = small_file_read(path, MAX, &len);
	if (text) {
		assert_non_null(got);
		assert_int_equal(len, strlen(text));
		assert_memory_equal(got, text, len);
	} else {
		assert_null(got);
		assert_int_equal(len, 0);
	}
	free(got);
	unlink(path);
}

static void a_file_is_read_whole_up_to_its_bound(void **state)
{
	(void)state;
	put("12345678");
	expect("12345678");
	put("123456789");
	expect(NULL);
	put("");
	expect(NULL);
	expect(NULL); /* there is none */
}

static void what_is_no_file_is_not_waited_for(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	expect(NULL);
	assert_int_equal(symlink("/dev/zero", path), 0);
	expect(NULL);
	assert_int_equal(symlink(folder, path), 0);
	expect(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file_is_read_whole_up_to_its_bound),
	    cmocka_unit_test(what_is_no_file_is_not_waited_for),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

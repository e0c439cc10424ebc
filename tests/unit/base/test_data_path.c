/* Where the program's own files are found, and what is said where they are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sallyport/data_path.h"

static void data_path_obeys_the_environment(void **state)
{
	(void)state;
	char dir[] = "/tmp/sallyport-test-XXXXXX", path[DATA_PATH_SIZE];
	struct err err;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(setenv("SALLYPORT_DATADIR", dir, 1), 0);
	assert_false(data_path("www", path, &err));
	assert_non_null(strstr(err.text, dir));
	char made[sizeof(dir) + 4];
	memcpy(made, dir, sizeof(dir) - 1);
	memcpy(made + sizeof(dir) - 1, "/www", 5);
	assert_int_equal(mkdir(made, 0700), 0);
	assert_true(data_path("www", path, &err));
	assert_string_equal(path, made);
	rmdir(made);
	rmdir(dir);
	unsetenv("SALLYPORT_DATADIR");
}

static void data_path_names_what_is_missing(void **state)
{
	(void)state;
	char path[DATA_PATH_SIZE];
	struct err err;
	unsetenv("SALLYPORT_DATADIR");
	assert_false(data_path("no/such/thing", path, &err));
	assert_non_null(strstr(err.text, "share/sallyport/no/such/thing"));
}

static void data_path_too_long_is_an_error(void **state)
{
	(void)state;
	static char name[2 * DATA_PATH_SIZE];
	char path[DATA_PATH_SIZE];
	struct err err;
	memset(name, 'x', sizeof(name) - 1);
	assert_false(data_path(name, path, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_path_obeys_the_environment),
		cmocka_unit_test(data_path_names_what_is_missing),
		cmocka_unit_test(data_path_too_long_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

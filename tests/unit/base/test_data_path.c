/* Where the program's own files are found, and what is said where they are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
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

/* A tree with a copy of this program in it, which tells where it finds "www". */
struct tree {
	char top[32];
	char said[DATA_PATH_SIZE];
};

static void make_directories(const struct tree *tree, const char *relative)
{
	char path[DATA_PATH_SIZE];
	int len = snprintf(path, sizeof(path), "%s/%s/", tree->top, relative);
	assert_true(len > 0 && (size_t)len < sizeof(path));
	for (char *at = path + strlen(tree->top) + 1; (at = strchr(at, '/')) != NULL; at++) {
		*at = '\0';
		(void)mkdir(path, 0700); /* it may be there */
		*at = '/';
	}
	assert_int_equal(access(path, F_OK), 0);
}

static const char *ask_program(struct tree *tree, const char *directory)
{
	char command[3 * DATA_PATH_SIZE];
	make_directories(tree, directory);
	snprintf(command, sizeof(command), "cp /proc/%d/exe %s/%s/program && %s/%s/program --tell",
		 (int)getpid(), tree->top, directory, tree->top, directory);
	FILE *program = popen(command, "r");
	assert_non_null(program);
	tree->said[0] = '\0';
	char *line = fgets(tree->said, sizeof(tree->said), program);
	pclose(program);
	return line ? line + strlen(tree->top) : "";
}

static void tree_remove(const struct tree *tree)
{
	char command[64];
	snprintf(command, sizeof(command), "rm -rf '%s'", tree->top);
	assert_int_equal(system(command), 0);
}

static void data_path_is_found_from_where_the_program_lies(void **state)
{
	(void)state;
	struct tree tree = {.top = "/tmp/sallyport-test-XXXXXX"};
	assert_non_null(mkdtemp(tree.top));
	make_directories(&tree, "www");
	/* a www above any program is not ours … */
	assert_string_equal(ask_program(&tree, "build/plain"), "");
	/* … but that of a checkout is */
	make_directories(&tree, "include/sallyport/data_path.h");
	assert_string_equal(ask_program(&tree, "build/plain"), "/build/plain/../../www");
	/* installed, wherever that is */
	make_directories(&tree, "opt/here/usr/share/sallyport/www");
	assert_string_equal(ask_program(&tree, "opt/here/usr/bin"),
			    "/opt/here/usr/bin/../share/sallyport/www");
	tree_remove(&tree);
}

static int tell(void)
{
	char path[DATA_PATH_SIZE];
	if (data_path("www", path, NULL))
		fputs(path, stdout);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--tell") == 0)
		return tell();
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(data_path_obeys_the_environment),
	    cmocka_unit_test(data_path_names_what_is_missing),
	    cmocka_unit_test(data_path_is_found_from_where_the_program_lies),
	    cmocka_unit_test(data_path_too_long_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

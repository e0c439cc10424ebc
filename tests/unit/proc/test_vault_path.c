/* The vault's directory: made where it is missing, taken only where nobody else can write to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/vault_path.h"

static char top[] = "/tmp/sallyport-vault-XXXXXX";
static char path[VAULT_PATH_SIZE];

static int setup(void **state)
{
	(void)state;
	memcpy(top + strlen(top) - 6, "XXXXXX", 6);
	if (!mkdtemp(top))
		return 1;
	snprintf(path, sizeof(path), "%s/a/b", top);
	return 0;
}

static int teardown(void **state)
{
	char command[64];
	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command) == 0 ? 0 : 1;
}

/* Of root's the user would be nobody; here it is who runs the test. */
static const char *self(void)
{
	return geteuid() == 0 ? "root" : NULL;
}

static unsigned mode_of(const char *name)
{
	struct stat info;
	assert_int_equal(lstat(name, &info), 0);
	return info.st_mode & 0777;
}

static void it_is_made_with_its_parents(void **state)
{
	(void)state;
	char contents[VAULT_PATH_SIZE];
	struct err err = {{0}};
	assert_true(vault_path_prepare(path, self(), &err));
	assert_true(vault_path_contents(path, contents, &err));
	assert_int_equal(mode_of(path), 0700);
	assert_int_equal(mode_of(contents), 0700);
	assert_true(vault_path_prepare(path, self(), &err));
}

static void one_that_others_can_write_to_is_refused(void **state)
{
	(void)state;
	struct err err = {{0}};
	assert_true(vault_path_prepare(path, self(), &err));
	assert_int_equal(chmod(path, 0770), 0);
	assert_false(vault_path_prepare(path, self(), &err));
	assert_non_null(strstr(err.text, "chmod 0700"));
}

static void a_link_or_a_file_is_refused(void **state)
{
	(void)state;
	char link_name[VAULT_PATH_SIZE];
	struct err err = {{0}};
	snprintf(link_name, sizeof(link_name), "%s/link", top);
	assert_int_equal(symlink("/tmp", link_name), 0);
	assert_false(vault_path_prepare(link_name, self(), &err));
	assert_non_null(strstr(err.text, "no directory"));
}

static void one_of_another_user_is_refused(void **state)
{
	(void)state;
	struct err err = {{0}};
	if (geteuid() != 0)
		skip(); /* nobody else's can be made */
	assert_true(vault_path_prepare(path, "root", &err));
	assert_false(vault_path_prepare(path, "nobody", &err));
	assert_non_null(strstr(err.text, "belongs to user 0"));
	assert_false(vault_path_prepare(path, "no-such-user", &err));
}

static void one_that_cannot_be_made_is_named_with_its_setting(void **state)
{
	(void)state;
	char beneath[VAULT_PATH_SIZE];
	struct err err = {{0}};
	snprintf(beneath, sizeof(beneath), "%s/file", top);
	FILE *file = fopen(beneath, "w");
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	snprintf(beneath, sizeof(beneath), "%s/file/a/b", top);
	assert_false(vault_path_prepare(beneath, self(), &err));
	assert_int_equal(strncmp(err.text, "vault.directory: ", 17), 0);
	assert_non_null(strstr(err.text, "/file/a cannot be made: Not a directory; name one that user "));
}

static void the_standard_place_follows_who_starts_it(void **state)
{
	(void)state;
	char out[VAULT_PATH_SIZE];
	struct err err;
	assert_true(vault_path(NULL, out, &err));
	if (geteuid() == 0)
		assert_string_equal(out, "/var/lib/sallyport");
	else
		assert_non_null(strstr(out, "/sallyport"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(it_is_made_with_its_parents, setup, teardown),
	    cmocka_unit_test_setup_teardown(one_that_others_can_write_to_is_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_link_or_a_file_is_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(one_of_another_user_is_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(one_that_cannot_be_made_is_named_with_its_setting, setup, teardown),
	    cmocka_unit_test(the_standard_place_follows_who_starts_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The directory of the installed pack: what counts, what can be gone back to, and whom it is trusted from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/rule_store.h"

static char root[] = "/tmp/sallyport-rule-store-XXXXXX";
static char path[RULE_STORE_PATH_SIZE];

static void assert_holds(enum rule_store_pack which, const char *expected)
{
	struct strbuf text;
	struct err err = {""};
	strbuf_init(&text, 4096);
	enum file_read read = rule_store_read(path, which, &text, &err);
	if (read == FILE_FAILED)
		fail_msg("%s", err.text);
	assert_int_equal(read, expected ? FILE_READ : FILE_ABSENT);
	if (expected)
		assert_string_equal(text.data, expected);
	strbuf_release(&text);
}

static struct rule_store opened(void)
{
	struct rule_store store;
	struct err err = {""};
	if (!rule_store_open(path, &store, &err))
		fail_msg("%s", err.text);
	return store;
}

static void install(const char *text, bool keeps)
{
	struct rule_store store = opened();
	struct err err = {""};
	assert_true(rule_store_install(&store, span_from_str(text), keeps, &err));
	rule_store_close(&store);
}

static void what_counted_is_kept_to_go_back_to(void **state)
{
	struct err err;
	(void)state;
	assert_holds(RULE_STORE_CURRENT, NULL);
	install("one", true);
	assert_holds(RULE_STORE_CURRENT, "one");
	assert_holds(RULE_STORE_PREVIOUS, NULL);
	install("two", true);
	assert_holds(RULE_STORE_CURRENT, "two");
	assert_holds(RULE_STORE_PREVIOUS, "one");
	install("three", false);
	assert_holds(RULE_STORE_CURRENT, "three");
	assert_holds(RULE_STORE_PREVIOUS, "one");
	struct rule_store store = opened();
	assert_true(rule_store_remove(&store, true, &err));
	assert_holds(RULE_STORE_CURRENT, NULL);
	assert_holds(RULE_STORE_PREVIOUS, "three");
	assert_false(rule_store_remove(&store, true, &err));
	rule_store_close(&store);
	install("four", true);
	store = opened();
	assert_true(rule_store_remove(&store, false, &err));
	assert_holds(RULE_STORE_PREVIOUS, "three");
	rule_store_close(&store);
}

static void one_command_at_a_time_changes_it(void **state)
{
	struct rule_store store = opened(), second;
	struct err err = {""};
	(void)state;
	assert_false(rule_store_open(path, &second, &err));
	assert_non_null(strstr(err.text, "another command"));
	rule_store_close(&store);
	store = opened();
	rule_store_close(&store);
}

static void what_is_left_of_a_crash_is_no_obstacle(void **state)
{
	char beside[RULE_STORE_PATH_SIZE + 16];
	(void)state;
	install("whole", true);
	snprintf(beside, sizeof(beside), "%s/next.pack", path);
	FILE *file = fopen(beside, "w");
	assert_non_null(file);
	fputs("ha", file);
	fclose(file);
	assert_holds(RULE_STORE_CURRENT, "whole");
	install("next", true);
	assert_holds(RULE_STORE_CURRENT, "next");
}

static void a_link_is_no_pack(void **state)
{
	char link_path[RULE_STORE_PATH_SIZE + 16];
	struct strbuf text;
	struct err err = {""};
	(void)state;
	install("whole", true);
	snprintf(link_path, sizeof(link_path), "%s/current.pack", path);
	assert_int_equal(unlink(link_path), 0);
	assert_int_equal(symlink("/etc/hostname", link_path), 0);
	strbuf_init(&text, 4096);
	assert_int_equal(rule_store_read(path, RULE_STORE_CURRENT, &text, &err), FILE_FAILED);
	strbuf_release(&text);
	assert_int_equal(unlink(link_path), 0);
}

static void a_directory_that_others_may_write_to_holds_nothing_of_ours(void **state)
{
	struct strbuf text;
	struct rule_store store;
	struct err err = {""};
	(void)state;
	install("whole", true);
	assert_int_equal(chmod(path, 0775), 0);
	strbuf_init(&text, 4096);
	assert_int_equal(rule_store_read(path, RULE_STORE_CURRENT, &text, &err), FILE_FAILED);
	assert_non_null(strstr(err.text, "can be written by others"));
	assert_false(rule_store_open(path, &store, &err));
	assert_int_equal(chmod(path, 0755), 0);
	strbuf_release(&text);
}

static void its_place_is_the_policys_or_the_standard_one(void **state)
{
	struct rule_pack_settings settings = {.directory = "/srv/rules"};
	char out[RULE_STORE_PATH_SIZE], long_path[RULE_STORE_PATH_SIZE + 1];
	struct err err;
	(void)state;
	assert_true(rule_store_path(&settings, out, &err));
	assert_string_equal(out, "/srv/rules");
	settings.directory = NULL;
	setenv("XDG_STATE_HOME", "/srv/state", 1);
	assert_true(rule_store_path(&settings, out, &err));
	assert_string_equal(out, geteuid() == 0 ? "/var/lib/sallyport-rules" : "/srv/state/sallyport/rules");
	memset(long_path, 'a', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	settings.directory = long_path;
	assert_false(rule_store_path(&settings, out, &err));
}

static int make_root(void **state)
{
	(void)state;
	if (!mkdtemp(root))
		return 1;
	snprintf(path, sizeof(path), "%s/deep/rules", root);
	return 0;
}

static int remove_root(void **state)
{
	char command[sizeof(root) + 16];
	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_counted_is_kept_to_go_back_to),
	    cmocka_unit_test(one_command_at_a_time_changes_it),
	    cmocka_unit_test(what_is_left_of_a_crash_is_no_obstacle),
	    cmocka_unit_test(a_link_is_no_pack),
	    cmocka_unit_test(a_directory_that_others_may_write_to_holds_nothing_of_ours),
	    cmocka_unit_test(its_place_is_the_policys_or_the_standard_one),
	};
	return cmocka_run_group_tests(tests, make_root, remove_root);
}

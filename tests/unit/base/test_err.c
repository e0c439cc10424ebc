/* Errors are one line, whatever they quote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "sallyport/err.h"

static void err_text_is_set_and_prefixed(void **state)
{
	(void)state;
	struct err err;
	assert_false(err_set(&err, "port %d", 80));
	assert_string_equal(err.text, "port 80");
	assert_false(err_prefix(&err, "listen[%d]", 0));
	assert_string_equal(err.text, "listen[0]: port 80");
	err_set(&err, "again: %s", err.text);
	assert_string_equal(err.text, "again: listen[0]: port 80");
	assert_false(err_set(NULL, "nobody listens"));
	assert_false(err_prefix(NULL, "nobody listens"));
}

static void err_text_holds_no_control_bytes(void **state)
{
	(void)state;
	struct err err;
	err_set(&err, "name '%s'", "a\r\nforged\x1b[2J\x7f");
	assert_string_equal(err.text, "name 'a??forged?[2J?'");
	err_prefix(&err, "x\ty");
	assert_string_equal(err.text, "x?y: name 'a??forged?[2J?'");
}

static void err_text_too_long_is_cut(void **state)
{
	(void)state;
	struct err err;
	char longer[2000];
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	err_set(&err, "%s", longer);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	err_prefix(&err, "start");
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_memory_equal(err.text, "start: xxx", 10);
	err_prefix(&err, "%s", longer);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(err_text_is_set_and_prefixed),
	    cmocka_unit_test(err_text_holds_no_control_bytes),
	    cmocka_unit_test(err_text_too_long_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

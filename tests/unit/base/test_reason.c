/* The table of reasons is an interface: its names and statuses keep a form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "sallyport/reason.h"

static void reason_names_are_unique_and_are_found(void **state)
{
	(void)state;
	for (unsigned i = 1; i < REASON_COUNT; i++) {
		const char *name = reason_name((enum reason)i);
		if (reason_lookup(span_from_str(name)) != (enum reason)i)
			fail_msg("%s is there twice", name);
	}
	assert_int_equal(reason_lookup(SPAN("")), REASON_UNSET);
	assert_int_equal(reason_lookup(SPAN("-")), REASON_UNSET);
	assert_int_equal(reason_lookup(SPAN("bare-l")), REASON_UNSET);
}

static void reason_rows_are_well_formed(void **state)
{
	(void)state;
	for (unsigned i = 1; i < REASON_COUNT; i++) {
		enum reason reason = (enum reason)i;
		const char *name = reason_name(reason);
		unsigned status = reason_status(reason);
		if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.")] || !name[0])
			fail_msg("%s: bad name", name);
		if (status != 0 && (status < 300 || status > 599))
			fail_msg("%s: status %u", name, status);
		/* one line of Markdown and of JSON, as it stands */
		if (strlen(reason_text(reason)) < 5 || strpbrk(reason_text(reason), "\"\\|\n"))
			fail_msg("%s: bad text", name);
	}
}

static void reason_numbers_from_nowhere_read_as_unset(void **state)
{
	(void)state;
	assert_string_equal(reason_name(REASON_UNSET), "-");
	assert_string_equal(reason_name((enum reason)REASON_COUNT), "-");
	assert_string_equal(reason_name((enum reason) - 1), "-");
	assert_int_equal(reason_status((enum reason)4711), 0);
	assert_string_equal(reason_text((enum reason)4711), "");
	assert_string_equal(reason_name(REASON_BARE_LF), "bare-lf");
	assert_int_equal(reason_status(REASON_URL_TOO_LONG), 414);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reason_names_are_unique_and_are_found),
	    cmocka_unit_test(reason_rows_are_well_formed),
	    cmocka_unit_test(reason_numbers_from_nowhere_read_as_unset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

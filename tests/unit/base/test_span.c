/* Spans: every parser stands on them, so the edges are tested from tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "guard_page.h"
#include "sallyport/span.h"

static void span_to_u64_takes_plain_digits_only(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t max;
		bool good;
		uint64_t value;
	} rows[] = {
	    {"0", 10, true, 0},
	    {"007", 10, true, 7},
	    {"10", 10, true, 10},
	    {"11", 10, false, 0},
	    {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
	    {"18446744073709551616", UINT64_MAX, false, 0},
	    {"99999999999999999999999", UINT64_MAX, false, 0},
	    {"1", 0, false, 0},
	    {"", 10, false, 0},
	    {"+1", 10, false, 0},
	    {"-1", 10, false, 0},
	    {" 1", 10, false, 0},
	    {"1 ", 10, false, 0},
	    {"0x1", 10, false, 0},
	    {"1,1", 100, false, 0},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].text);
		char *copy = guarded_copy(rows[i].text, len);
		uint64_t value = 4711;
		bool good = span_to_u64(span_of(copy, len), rows[i].max, &value);
		if (good != rows[i].good)
			fail_msg("'%s'", rows[i].text);
		assert_int_equal(value, good ? rows[i].value : 4711);
		guarded_free(copy, len);
	}
	uint64_t value = 1;
	assert_false(span_to_u64(span_of("1\0", 2), 100, &value));
}

static void span_list_elements_are_trimmed_and_empty_ones_skipped(void **state)
{
	(void)state;
	static const struct {
		const char *list;
		const char *elements[5];
	} rows[] = {
	    {"", {0}},
	    {" , ,\t,", {0}},
	    {"close", {"close"}},
	    {" close ,\tkeep-alive ", {"close", "keep-alive"}},
	    {",a,,b,", {"a", "b"}},
	    {"a=\"x,y\", b", {"a=\"x,y\"", "b"}},
	    {"\"a\\\",b\", c", {"\"a\\\",b\"", "c"}},
	    {"\"open, b", {"\"open, b"}},
	    {"\"open\\", {"\"open\\"}},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].list), n = 0;
		char *copy = guarded_copy(rows[i].list, len);
		struct span list = span_of(copy, len), element;
		for (; span_next_element(&list, &element); n++) {
			assert_non_null(rows[i].elements[n]);
			assert_true(span_eq(element, span_from_str(rows[i].elements[n])));
		}
		assert_null(rows[i].elements[n]);
		assert_int_equal(list.len, 0);
		guarded_free(copy, len);
	}
}

static void span_prefixes_and_suffixes_compare(void **state)
{
	(void)state;
	assert_true(span_starts(SPAN("http://x"), SPAN("http://")));
	assert_false(span_starts(SPAN("HTTP://x"), SPAN("http://")));
	assert_true(span_istarts(SPAN("HTTP://x"), SPAN("http://")));
	assert_false(span_istarts(SPAN("htt"), SPAN("http://")));
	assert_true(span_ends(SPAN("shop.example"), SPAN(".example")));
	assert_true(span_iends(SPAN("shop.EXAMPLE"), SPAN(".example")));
	assert_false(span_ends(SPAN("shop.EXAMPLE"), SPAN(".example")));
	assert_false(span_iends(SPAN("le"), SPAN(".example")));
	assert_true(span_starts(SPAN(""), SPAN("")));
	assert_true(span_ends(SPAN("x"), SPAN("")));
	assert_true(span_ieq(SPAN("HoSt"), SPAN("hOsT")));
	/* only letters fold: these differ by the same bit */
	assert_false(span_ieq(SPAN("["), SPAN("{")));
	assert_false(span_ieq(SPAN("@"), SPAN("`")));
	assert_true(span_eq(span_of(NULL, 0), SPAN("")));
}

static void span_parts_never_leave_the_span(void **state)
{
	(void)state;
	struct span s = SPAN("abc");
	assert_true(span_eq(span_from(s, 1), SPAN("bc")));
	assert_int_equal(span_from(s, 3).len, 0);
	assert_ptr_equal(span_from(s, 9).ptr, s.ptr + 3);
	assert_int_equal(span_from(span_of(NULL, 0), 9).len, 0);
	assert_int_equal(span_find(s, 'c'), 2);
	assert_int_equal(span_find(s, 'x'), 3);
	assert_int_equal(span_find(span_of(NULL, 0), 'x'), 0);
	assert_true(span_eq(span_trim_ows(SPAN(" \t a b\t ")), SPAN("a b")));
	assert_int_equal(span_trim_ows(SPAN(" \t ")).len, 0);
	assert_true(span_eq(span_trim_ows(SPAN("\va\r")), SPAN("\va\r")));
}

static void ascii_hex_knows_hexadecimal_digits_only(void **state)
{
	(void)state;
	for (int c = -128; c < 128; c++) {
		const char *digits = "0123456789abcdef";
		const char *at = c > 0 ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
		assert_int_equal(ascii_hex((char)c), at ? (int)(at - digits) : -1);
	}
}

static void ascii_controls_are_replaced(void **state)
{
	(void)state;
	char text[] = "a\n\x1b[0m\x7f\xc3\xa4 ~";
	ascii_replace_controls(text, sizeof(text) - 1);
	assert_string_equal(text, "a??[0m?\xc3\xa4 ~");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(span_to_u64_takes_plain_digits_only),
	    cmocka_unit_test(span_list_elements_are_trimmed_and_empty_ones_skipped),
	    cmocka_unit_test(span_prefixes_and_suffixes_compare),
	    cmocka_unit_test(span_parts_never_leave_the_span),
	    cmocka_unit_test(ascii_hex_knows_hexadecimal_digits_only),
	    cmocka_unit_test(ascii_controls_are_replaced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

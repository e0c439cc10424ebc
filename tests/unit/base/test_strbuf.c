/* The growable buffer: its invariants hold at the cap and around it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "sallyport/strbuf.h"

static void assert_invariants(const struct strbuf *sb)
{
	assert_true(sb->len <= sb->room && sb->room <= sb->cap);
	if (sb->data)
		assert_int_equal(sb->data[sb->len], '\0');
}

static void strbuf_grows_and_stays_terminated(void **state)
{
	(void)state;
	struct strbuf sb;
	strbuf_init(&sb, 100000);
	for (unsigned i = 0; i < 10000; i++) {
		strbuf_add_char(&sb, (char)('a' + i % 26));
		assert_invariants(&sb);
	}
	strbuf_addf(&sb, "%s-%d", "x", 42);
	strbuf_add_span(&sb, SPAN("end"));
	assert_invariants(&sb);
	assert_false(sb.truncated);
	assert_int_equal(sb.len, 10007);
	assert_string_equal(sb.data + 9998, "opx-42end");
	strbuf_release(&sb);
	assert_null(sb.data);
}

static void strbuf_takes_exactly_its_cap(void **state)
{
	(void)state;
	for (size_t cap = 0; cap < 300; cap++) {
		struct strbuf sb;
		strbuf_init(&sb, cap);
		for (size_t i = 0; i < cap; i++)
			strbuf_add_char(&sb, 'x');
		assert_invariants(&sb);
		assert_false(sb.truncated);
		assert_int_equal(sb.len, cap);
		strbuf_add_char(&sb, 'y');
		assert_true(sb.truncated);
		assert_int_equal(sb.len, cap);
		assert_invariants(&sb);
		strbuf_release(&sb);
	}
}

static void strbuf_that_overflowed_takes_nothing_more(void **state)
{
	(void)state;
	struct strbuf sb;
	strbuf_init(&sb, 5);
	strbuf_add_str(&sb, "abc");
	strbuf_addf(&sb, "%d", 123);
	assert_true(sb.truncated);
	strbuf_add_char(&sb, 'd');
	assert_string_equal(sb.data, "abc");
	strbuf_reset(&sb);
	assert_false(sb.truncated);
	strbuf_addf(&sb, "%05d", 7);
	assert_string_equal(sb.data, "00007");
	strbuf_release(&sb);
}

static void strbuf_survives_sizes_that_no_heap_has(void **state)
{
	(void)state;
	struct strbuf sb;
	strbuf_init(&sb, SIZE_MAX);
	strbuf_add_str(&sb, "abc");
	strbuf_add(&sb, "", SIZE_MAX - 10);
	assert_true(sb.truncated);
	assert_string_equal(sb.data, "abc");
	strbuf_reset(&sb);
	strbuf_add_str(&sb, "de");
	strbuf_add(&sb, "", SIZE_MAX - 2);
	assert_true(sb.truncated);
	strbuf_release(&sb);
}

static void strbuf_is_cut(void **state)
{
	(void)state;
	struct strbuf sb;
	strbuf_init(&sb, 64);
	strbuf_cut(&sb, 0);
	strbuf_add_str(&sb, "abcdef");
	strbuf_cut(&sb, 3);
	assert_invariants(&sb);
	strbuf_add_str(&sb, "x");
	assert_string_equal(sb.data, "abcx");
	strbuf_release(&sb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(strbuf_grows_and_stays_terminated),
	    cmocka_unit_test(strbuf_takes_exactly_its_cap),
	    cmocka_unit_test(strbuf_that_overflowed_takes_nothing_more),
	    cmocka_unit_test(strbuf_survives_sizes_that_no_heap_has),
	    cmocka_unit_test(strbuf_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

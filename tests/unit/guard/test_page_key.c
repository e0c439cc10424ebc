/* The key of a page: what of a query belongs to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sallyport/page_key.h"
#include "guard_page.h"

static const char *const names[] = {"utm_*", "fbclid"};
static const struct policy_strings ignored = {.items = (const char **)(uintptr_t)names, .n = 2};

static const struct {
	const char *key, *plain;
} cases[] = {
    {"/", "/"},
    {"/?", "/"},
    {"/a?b=1", "/a?b=1"},
    {"/a?b=1&c", "/a?b=1&c"},
    {"/?fbclid=x", "/"},
    {"/?fbclid", "/"},
    {"/?FBCLID=x&UTM_Source=y", "/"},
    {"/?utm_source=x&utm_medium=y&id=1", "/?id=1"},
    {"/?id=1&utm_source=x", "/?id=1"},
    {"/?id=1&fbclid=2&page=3", "/?id=1&page=3"},
    {"/?id=1&fbclid=2&&page=3", "/?id=1&&page=3"},
    {"/?&fbclid=2", "/"},
    {"/?&", "/?&"},
    {"/?fbclidx=1", "/?fbclidx=1"},
    {"/?xfbclid=1", "/?xfbclid=1"},
    {"/?utm=1", "/?utm=1"},
    {"/?id=utm_source", "/?id=utm_source"},
    {"/?%66bclid=1", "/?%66bclid=1"},
    {"/utm_x/fbclid", "/utm_x/fbclid"},
    {"/?a?fbclid=1", "/?a?fbclid=1"},
    {"/?fbclid=1?a=2&b", "/?b"},
};

static void what_belongs_to_no_page_is_left_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char key[64];
		size_t len = strlen(cases[i].key), plain_len = strlen(cases[i].plain);
		memcpy(key, cases[i].key, len);
		size_t got = page_key_make_plain(&ignored, key, len);
		if (got != plain_len || memcmp(key, cases[i].plain, got) != 0)
			fail_msg("%s: %.*s", cases[i].key, (int)got, key);
		assert_int_equal(page_key_is_plain(&ignored, span_from_str(cases[i].key)),
				 strcmp(cases[i].key, cases[i].plain) == 0);
		assert_true(page_key_is_plain(&ignored, span_of(key, got)));
	}
}

static void a_key_is_read_within_its_bounds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t len = 1; len <= strlen(cases[i].key); len++) {
			char *input = guarded_copy(cases[i].key, len);
			size_t got = page_key_make_plain(&ignored, input, len);
			assert_true(got > 0 && got <= len);
			guarded_free(input, len);
		}
	}
}

static void without_a_list_only_a_bare_question_mark_goes(void **state)
{
	(void)state;
	static const struct policy_strings none = {0};
	char key[] = "/?utm_source=1";
	assert_int_equal(page_key_make_plain(&none, key, strlen(key)), strlen(key));
	assert_int_equal(page_key_make_plain(&none, key, 2), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_belongs_to_no_page_is_left_out),
	    cmocka_unit_test(a_key_is_read_within_its_bounds),
	    cmocka_unit_test(without_a_list_only_a_bare_question_mark_goes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

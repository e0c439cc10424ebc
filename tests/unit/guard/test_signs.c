/* Signs of a defacement, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "guard_page.h"
#include "sallyport/signs.h"

static const struct {
	const char *content;
	uint64_t good_bytes;
	bool expected;
} cases[] = {
    {"<html><head><title>Welcome to http://www.worm.com !</title></head>Hacked By Chinese!</html>", 5000, true},
    {"<title>HACKED BY someone</title> and a long text that stays", 10, true},
    {"<title lang=en>h4ck3d by x", 10, true},
    {"pwned by us", 1000, true},
    {"<html>Your site has been hacked</html>", 1000, true},
    /* an article about it is of the page's usual length */
    {"<title>News</title>The ministry's page was hacked by a group called x, it says.", 70, false},
    {"<title>Shop</title>owned by the same family since 1907, great teak", 1000, false},
    {"", 1000, false},
    {"<title", 0, false},
    {"<title>", 0, false},
    {"hacked b", 1000, false},
};

static void signs_are_told_from_articles(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *copy = guarded_copy(cases[i].content, strlen(cases[i].content));
		struct span content = span_of(copy, strlen(cases[i].content));
		if (signs_of_defacement(content, cases[i].good_bytes) != cases[i].expected)
			fail_msg("%s", cases[i].content);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(signs_are_told_from_articles)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Where URLs of a policy lead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "proc/web_place.h"

static void urls_are_split_for_a_fetch(void **state)
{
	(void)state;
	static const struct {
		const char *url, *origin, *authority, *target;
		uint16_t port;
		bool tls;
	} rows[] = {
	    {"https://rules.example/pack", "rules.example", "rules.example", "/pack", 443, true},
	    {"HTTP://hook.example:8080/a?b=c%20d", "hook.example", "hook.example:8080", "/a?b=c%20d", 8080, false},
	    {"http://192.0.2.7/?", "192.0.2.7", "192.0.2.7", "/?", 80, false},
	    {"https://[2001:db8::1]:444/x", "2001:db8::1", "[2001:db8::1]:444", "/x", 444, true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct web_place place;
		assert_true(web_place_of(rows[i].url, &place));
		assert_string_equal(place.origin, rows[i].origin);
		assert_string_equal(place.authority, rows[i].authority);
		assert_string_equal(place.target, rows[i].target);
		assert_int_equal(place.port, rows[i].port);
		assert_int_equal(place.tls, rows[i].tls);
	}
}

static void what_is_no_url_leads_nowhere(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "/path", "ftp://x.example/", "https:/x.example", "x.example/", "https://",
					    "https://user@x.example/", "https://x.example:99999/"};
	struct web_place place;
	char longest[WEB_URL_SIZE + 1] = "https://x.example/";
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(web_place_of(wrong[i], &place));
	memset(longest + strlen(longest), 'a', sizeof(longest) - 1 - strlen(longest));
	assert_false(web_place_of(longest, &place));
	longest[WEB_URL_SIZE - 1] = '\0';
	assert_true(web_place_of(longest, &place));
	assert_int_equal(strlen(place.target), WEB_URL_SIZE - strlen("https://x.example/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(urls_are_split_for_a_fetch),
	    cmocka_unit_test(what_is_no_url_leads_nowhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which path lies under which, as origins read names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "guard_page.h"

#include "sallyport/url.h"

enum { PLAIN = 0, CASELESS = URL_READ_CASELESS, BARE = URL_READ_NO_PARAMETERS };

static void paths_lie_under_others_segment_by_segment(void **state)
{
	(void)state;
	static const struct {
		const char *path, *under;
		unsigned reading;
		bool is_under;
	} rows[] = {
	    {"/api", "/api", PLAIN, true},          {"/api/x", "/api", PLAIN, true},
	    {"/apis", "/api", PLAIN, false},        {"/ap", "/api", PLAIN, false},
	    {"/x", "/", PLAIN, true},               {"/", "/", PLAIN, true},
	    {"/api/x", "/api/", PLAIN, true},       {"/api", "/api/", PLAIN, false},
	    {"/API/x", "/api", PLAIN, false},       {"/API/x", "/api", CASELESS, true},
	    {"/api/x", "/Api", CASELESS, true},     {"/APIs", "/api", CASELESS, false},
	    {"/api;x=1", "/api", PLAIN, false},     {"/api;x=1", "/api", BARE, true},
	    {"/api;x=1/y", "/api", BARE, true},     {"/api;x/y", "/api/y", BARE, true},
	    {"/a;x/b;y/c;z", "/a/b/c", BARE, true}, {"/api;", "/api", BARE, true},
	    {"/apis;x", "/api", BARE, false},       {"/;x/api", "/api", BARE, false},
	    {"/api;v=1/x", "/api;v=1", BARE, true}, {"/a;x", "/a/b", BARE, false},
	    {"/Api;x", "/api", BARE, false},        {"*", "/api", PLAIN, false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].path);
		char *path = guarded_copy(rows[i].path, len);
		bool is_under = url_is_under(span_of(path, len), span_from_str(rows[i].under),
					     rows[i].reading);
		if (is_under != rows[i].is_under)
			fail_msg("%s under %s, reading %u", rows[i].path, rows[i].under,
				 rows[i].reading);
		guarded_free(path, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths_lie_under_others_segment_by_segment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

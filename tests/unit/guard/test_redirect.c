/* Where a response leads a browser, and whether it may. */
#include "sallyport/redirect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "guard_page.h"
#include "vectors.h"

static struct span outcome(struct span value, bool from_https, struct redirect *to)
{
	char *copy = guarded_copy(value.ptr, value.len);
	redirect_read(span_of(copy, value.len), from_https, to);
	guarded_free(copy, value.len);
	switch (to->kind) {
	case REDIRECT_STAYS: return SPAN("stays");
	case REDIRECT_HOST: return span_of(to->host, to->host_len);
	case REDIRECT_ODD: return SPAN("odd");
	default: return SPAN("unset");
	}
}

static void a_reference_leads_where_a_browser_would_go(void **state)
{
	struct vector_file rows;
	struct redirect to;
	unsigned n = 0;
	(void)state;
	vectors_open(&rows, "tests/vectors/redirect.txt");
	while (vectors_next(&rows)) {
		assert_int_equal(rows.n, 3);
		for (int from_https = 0; from_https <= 1; from_https++) {
			struct span found = outcome(rows.columns[0], from_https, &to);
			if (!span_eq(found, rows.columns[1 + from_https]))
				fail_msg("%s:%u: from %s: %.*s", rows.path, rows.line,
					 from_https ? "https" : "http", SPAN_ARG(found));
		}
		n++;
	}
	assert_true(n > 100);
}

static void a_host_beyond_measure_is_odd(void **state)
{
	char text[1024] = "//";
	struct redirect to;
	(void)state;
	memset(text + 2, 'a', sizeof(text) - 2);
	for (size_t i = 40; i < sizeof(text); i += 40)
		text[i] = '.';
	redirect_read(span_of(text, sizeof(text)), true, &to);
	assert_int_equal(to.kind, REDIRECT_ODD);
	redirect_read(span_of(text, 255), true, &to);
	assert_int_equal(to.kind, REDIRECT_HOST);
}

static void refresh_is_read_as_browsers_read_it(void **state)
{
	static const struct {
		const char *value;
		enum refresh kind;
		const char *url;
	} cases[] = {
	    {"", REFRESH_STAYS, NULL},
	    {"5", REFRESH_STAYS, NULL},
	    {" 5 ", REFRESH_STAYS, NULL},
	    {"5;", REFRESH_STAYS, NULL},
	    {"0.5", REFRESH_STAYS, NULL},
	    {".", REFRESH_STAYS, NULL},
	    {"0; url=http://evil.example/", REFRESH_URL, "http://evil.example/"},
	    {"0;URL=http://evil.example/", REFRESH_URL, "http://evil.example/"},
	    {"0,url=/a", REFRESH_URL, "/a"},
	    {"0 url=/a", REFRESH_URL, "/a"},
	    {"0  ;  url  =  /a", REFRESH_URL, "/a"},
	    {"0; /a", REFRESH_URL, "/a"},
	    {"0;//evil.example", REFRESH_URL, "//evil.example"},
	    {"0 //evil.example", REFRESH_URL, "//evil.example"},
	    {"0; url='//evil.example'x", REFRESH_URL, "//evil.example"},
	    {"0; url=\"//evil.example\"", REFRESH_URL, "//evil.example"},
	    {"0; url='//evil.example", REFRESH_URL, "//evil.example"},
	    {"0; '//evil.example'", REFRESH_URL, "//evil.example"},
	    {"0; urls", REFRESH_URL, "urls"},
	    {"0; ur", REFRESH_URL, "ur"},
	    {"0; url=", REFRESH_URL, ""},
	    {"1.5.2; url=/a", REFRESH_URL, "/a"},
	    {"url=//evil.example", REFRESH_ODD, NULL},
	    {"-1; url=//evil.example", REFRESH_ODD, NULL},
	    {"5x; url=//evil.example", REFRESH_ODD, NULL},
	    {"5url=//evil.example", REFRESH_ODD, NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span url = {0};
		size_t len = strlen(cases[i].value);
		char *copy = guarded_copy(cases[i].value, len);
		if (refresh_read(span_of(copy, len), &url) != cases[i].kind)
			fail_msg("\"%s\" is read otherwise", cases[i].value);
		if (cases[i].url && !span_eq(url, span_from_str(cases[i].url)))
			fail_msg("\"%s\" leads to \"%.*s\"", cases[i].value, SPAN_ARG(url));
		guarded_free(copy, len);
	}
}

static const char *site_hosts[] = {"shop.example", "*.shop.example", NULL};
static const char *listed[] = {"pay.example", "*.login.example", NULL};

static const struct policy_strings hosts = {.items = site_hosts, .n = 2};
static const struct policy_strings redirects = {.items = listed, .n = 2};

static const struct redirect_scope scope = {
    .visitor_host = {"127.0.0.1", 9},
    .hosts = &hosts,
    .redirects = &redirects,
};

static void redirects_lead_to_the_site_and_to_what_is_listed(void **state)
{
	static const char *const good[] = {"/",
					   "https://shop.example/",
					   "http://www.shop.example/",
					   "https://SHOP.example:8443/",
					   "http://127.0.0.1:8080/",
					   "https://pay.example/?a",
					   "https://a.b.login.example",
					   "//shop.example./",
					   NULL};
	static const char *const bad[] = {"https://evil.example/",
					  "https://shop.example.evil.example/",
					  "https://xshop.example/",
					  "https://login.example/",
					  "https://pay.example@evil.example/",
					  "https:/evil.example",
					  "http:evil.example",
					  "javascript:alert(1)",
					  "//",
					  NULL};
	(void)state;
	for (size_t i = 0; good[i]; i++)
		if (!redirect_is_allowed(&scope, span_from_str(good[i])))
			fail_msg("%s is not allowed", good[i]);
	for (size_t i = 0; bad[i]; i++)
		if (redirect_is_allowed(&scope, span_from_str(bad[i])))
			fail_msg("%s is allowed", bad[i]);
}

static bool head_is_allowed(const char *text, struct span *evidence)
{
	static const struct http_limits limits = {4096, 4096, 16, 4096};
	static struct http_head head;
	enum reason reason = REASON_UNSET;
	struct span where;
	assert_int_equal(http_parse_response(text, strlen(text), 0, &limits, HTTP_GET, &head, &reason, &where),
			 HTTP_PARSE_DONE);
	return redirects_are_allowed(&scope, &head, evidence);
}

static void every_location_of_a_redirect_and_every_refresh_counts(void **state)
{
	struct span evidence = {0};
	(void)state;
	assert_true(head_is_allowed("HTTP/1.1 302 Found\r\nLocation: /a\r\n\r\n", &evidence));
	assert_false(head_is_allowed("HTTP/1.1 302 Found\r\nLocation: /a\r\n"
				     "location: //evil.example/\r\n\r\n",
				     &evidence));
	assert_true(span_eq(evidence, SPAN("//evil.example/")));
	assert_true(head_is_allowed("HTTP/1.1 200 OK\r\nRefresh: 5\r\n\r\n", &evidence));
	assert_false(head_is_allowed("HTTP/1.1 200 OK\r\nREFRESH: 0; url=//evil.example\r\n\r\n", &evidence));
	assert_false(head_is_allowed("HTTP/1.1 404 Not Found\r\nRefresh: 0;//evil.example\r\n\r\n", &evidence));
	/* Browsers follow no Location elsewhere, and APIs name what they made with it. */
	assert_true(head_is_allowed("HTTP/1.1 201 Created\r\nLocation: https://store.example/x\r\n\r\n", &evidence));
}

static void alternatives_that_name_a_host_are_dropped(void **state)
{
	static const struct {
		const char *value;
		bool dropped;
	} cases[] = {
	    {"clear", false},
	    {"h3=\":443\"; ma=86400, h2=\":8443\"", false},
	    {"h2=\"evil.example:443\"", true},
	    {"h3=\":443\", h2=\"evil.example:443\"; persist=1", true},
	    {"h2=\"\\evil.example:443\"", true},
	    {"h2=\":443\\\", h2=\"evil.example:443\"", true},
	    {"h2=\"", true},
	    {"h2=\":443", true},
	    {"h2=\"\"", true},
	    {"", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[256];
		struct http_head head;
		enum reason reason;
		struct span evidence;
		const struct http_limits limits = {4096, 4096, 16, 4096};
		int n = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nALT-Svc: %s\r\nAge: 1\r\n\r\n", cases[i].value);
		char *copy = guarded_copy(text, (size_t)n);
		assert_int_equal(http_parse_response(copy, (size_t)n, 0, &limits, HTTP_GET, &head, &reason, &evidence),
				 HTTP_PARSE_DONE);
		redirects_drop_alternatives(&head);
		if (head.fields[0].dropped != cases[i].dropped || head.fields[1].dropped)
			fail_msg("%s", cases[i].value);
		guarded_free(copy, (size_t)n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_reference_leads_where_a_browser_would_go),
	    cmocka_unit_test(a_host_beyond_measure_is_odd),
	    cmocka_unit_test(refresh_is_read_as_browsers_read_it),
	    cmocka_unit_test(redirects_lead_to_the_site_and_to_what_is_listed),
	    cmocka_unit_test(every_location_of_a_redirect_and_every_refresh_counts),
	    cmocka_unit_test(alternatives_that_name_a_host_are_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

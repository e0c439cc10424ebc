/* Request-targets: which form, which parts, and which are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "guard_page.h"
#include "sallyport/url.h"

static void expect_part(const char *target, const char *what, struct span got, const char *want)
{
	if (want ? !span_eq(got, span_from_str(want)) : got.ptr != NULL)
		fail_msg("%s: %s is '%.*s'", target, what, SPAN_ARG(got));
}

static void split_gives_form_and_parts(void **state)
{
	(void)state;
	static const struct {
		const char *target;
		enum url_form form;
		const char *authority, *path, *query; /* NULL: none */
	} rows[] = {
	    {"/", URL_ORIGIN, NULL, "/", NULL},
	    {"/a/b?c=d", URL_ORIGIN, NULL, "/a/b", "c=d"},
	    {"/a?", URL_ORIGIN, NULL, "/a", ""},
	    {"/a?b?c", URL_ORIGIN, NULL, "/a", "b?c"},
	    {"/?/x", URL_ORIGIN, NULL, "/", "/x"},
	    {"//host/a", URL_ORIGIN, NULL, "//host/a", NULL},
	    {"/a:b@c", URL_ORIGIN, NULL, "/a:b@c", NULL},
	    {"/http://x/", URL_ORIGIN, NULL, "/http://x/", NULL},
	    {"/%00\xff", URL_ORIGIN, NULL, "/%00\xff", NULL},
	    {"*", URL_ASTERISK, NULL, "*", NULL},
	    {"http://a.example", URL_ABSOLUTE, "a.example", "/", NULL},
	    {"http://a.example/", URL_ABSOLUTE, "a.example", "/", NULL},
	    {"http://a.example:80/b?c", URL_ABSOLUTE, "a.example:80", "/b", "c"},
	    {"http://a.example?c", URL_ABSOLUTE, "a.example", "/", "c"},
	    {"http://a.example?c/d", URL_ABSOLUTE, "a.example", "/", "c/d"},
	    {"http://a.example?", URL_ABSOLUTE, "a.example", "/", ""},
	    {"HtTpS://A.example/b", URL_ABSOLUTE, "A.example", "/b", NULL},
	    {"http://user@a.example/", URL_ABSOLUTE, "user@a.example", "/", NULL},
	    {"http://[::1]:80/", URL_ABSOLUTE, "[::1]:80", "/", NULL},
	    {"http://a.example//b", URL_ABSOLUTE, "a.example", "//b", NULL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct url_target target;
		enum reason reason = REASON_UNSET;
		size_t len = strlen(rows[i].target);
		char *raw = guarded_copy(rows[i].target, len);
		if (!url_split(span_of(raw, len), &target, &reason))
			fail_msg("%s: refused", rows[i].target);
		assert_int_equal(target.form, rows[i].form);
		expect_part(rows[i].target, "authority", target.authority, rows[i].authority);
		expect_part(rows[i].target, "path", target.path, rows[i].path);
		expect_part(rows[i].target, "query", target.query, rows[i].query);
		guarded_free(raw, len);
	}
}

struct refusal {
	const char *target;
	enum reason reason;
};

static void expect_refusals(const struct refusal *rows, size_t n, bool (*is_taken)(struct span target, enum reason *reason))
{
	for (size_t i = 0; i < n; i++) {
		enum reason reason = REASON_UNSET;
		size_t len = strlen(rows[i].target);
		char *raw = guarded_copy(rows[i].target, len);
		assert_false(is_taken(span_of(raw, len), &reason));
		if (reason != rows[i].reason)
			fail_msg("%s: reason %s", rows[i].target, reason_name(reason));
		guarded_free(raw, len);
	}
}

static bool is_target(struct span target, enum reason *reason)
{
	struct url_target out;
	return url_split(target, &out, reason);
}

static bool is_authority(struct span target, enum reason *reason)
{
	struct url_target out;
	struct url_host host;
	return url_split_authority(target, &out, &host, reason);
}

static void split_refuses_what_is_no_target(void **state)
{
	(void)state;
	static const struct refusal rows[] = {
	    {"", REASON_TARGET_INVALID},
	    {"a", REASON_TARGET_INVALID},
	    {"?a", REASON_TARGET_INVALID},
	    {"**", REASON_TARGET_INVALID},
	    {"*?a", REASON_TARGET_INVALID},
	    {"a.example:443", REASON_TARGET_INVALID},
	    {"http:", REASON_TARGET_INVALID},
	    {"http:/a", REASON_TARGET_INVALID},
	    {"http://", REASON_TARGET_INVALID},
	    {"http:///a", REASON_TARGET_INVALID},
	    {"http://?a", REASON_TARGET_INVALID},
	    {"ftp://a.example/", REASON_TARGET_INVALID},
	    {"ws://a.example/", REASON_TARGET_INVALID},
	    {"javascript:x", REASON_TARGET_INVALID},
	    {"\\a", REASON_TARGET_INVALID},
	    {"%2f", REASON_TARGET_INVALID},
	    {"/a#b", REASON_FRAGMENT},
	    {"/a?b#", REASON_FRAGMENT},
	    {"#", REASON_FRAGMENT},
	    {"http://a.example#b", REASON_FRAGMENT},
	    {"/a b", REASON_TARGET_BYTE},
	    {"/a\tb", REASON_TARGET_BYTE},
	    {"/a\x7f", REASON_TARGET_BYTE},
	    {"/a?\x01", REASON_TARGET_BYTE},
	    {"/a\r\nb", REASON_TARGET_BYTE},
	    {" /a", REASON_TARGET_BYTE},
	    {"/a\x1b#b", REASON_TARGET_BYTE},
	};
	expect_refusals(rows, sizeof(rows) / sizeof(rows[0]), is_target);
}

static void split_refuses_a_nul(void **state)
{
	(void)state;
	struct url_target target;
	enum reason reason = REASON_UNSET;
	assert_false(url_split(SPAN("/a\0b"), &target, &reason));
	assert_int_equal(reason, REASON_TARGET_BYTE);
}

static void authority_gives_host_and_port(void **state)
{
	(void)state;
	static const struct {
		const char *target, *host;
		uint16_t port;
	} rows[] = {
	    {"a.example:443", "a.example", 443},  {"A.Example.:1", "A.Example", 1},
	    {"10.0.0.5:65535", "10.0.0.5", 65535}, {"[::1]:80", "[::1]", 80},
	    {"a_b:8080", "a_b", 8080},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct url_target target;
		struct url_host host;
		enum reason reason = REASON_UNSET;
		size_t len = strlen(rows[i].target);
		char *raw = guarded_copy(rows[i].target, len);
		if (!url_split_authority(span_of(raw, len), &target, &host, &reason))
			fail_msg("%s: refused", rows[i].target);
		assert_int_equal(target.form, URL_AUTHORITY);
		assert_int_equal(host.port, rows[i].port);
		expect_part(rows[i].target, "host", host.name, rows[i].host);
		expect_part(rows[i].target, "path", target.path, NULL);
		guarded_free(raw, len);
	}
}

static void authority_refuses_all_else(void **state)
{
	(void)state;
	static const struct refusal rows[] = {
	    {"", REASON_EGRESS_TARGET},
	    {":", REASON_EGRESS_TARGET},
	    {":80", REASON_HOST_INVALID},
	    {"a.example", REASON_EGRESS_TARGET},
	    {"a.example:", REASON_EGRESS_TARGET},
	    {"a.example:0", REASON_EGRESS_TARGET},
	    {"a.example:080", REASON_EGRESS_TARGET},
	    {"a.example:+80", REASON_EGRESS_TARGET},
	    {"a.example:0x50", REASON_EGRESS_TARGET},
	    {"a.example:65536", REASON_HOST_INVALID},
	    {"a.example:99999999999999999999", REASON_HOST_INVALID},
	    {"a.example:80/", REASON_EGRESS_TARGET},
	    {"a.example/:80", REASON_HOST_INVALID},
	    {"/:80", REASON_HOST_INVALID},
	    {"*", REASON_EGRESS_TARGET},
	    {"http://a.example:80", REASON_HOST_INVALID},
	    {"a.example:80:80", REASON_HOST_INVALID},
	    {"user@a.example:80", REASON_HOST_USERINFO},
	    {"user:word@a.example:80", REASON_HOST_USERINFO},
	    {"[::1]", REASON_EGRESS_TARGET},
	    {"[::1%25eth0]:80", REASON_HOST_INVALID},
	    {"[::1]x:80", REASON_HOST_INVALID},
	    {"::1:80", REASON_HOST_INVALID},
	    {"127.1:80", REASON_HOST_INVALID},
	    {"0x7f000001:80", REASON_HOST_INVALID},
	    {"0177.0.0.1:80", REASON_HOST_INVALID},
	    {"2130706433:80", REASON_HOST_INVALID},
	    {"a..example:80", REASON_HOST_INVALID},
	    {"a.example..:80", REASON_HOST_INVALID},
	    {"%61.example:80", REASON_HOST_INVALID},
	    {"a.example:80#x", REASON_FRAGMENT},
	    {"a.example :80", REASON_TARGET_BYTE},
	    {"a.example\r\n:80", REASON_TARGET_BYTE},
	};
	expect_refusals(rows, sizeof(rows) / sizeof(rows[0]), is_authority);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(split_gives_form_and_parts),
	    cmocka_unit_test(split_refuses_what_is_no_target),
	    cmocka_unit_test(split_refuses_a_nul),
	    cmocka_unit_test(authority_gives_host_and_port),
	    cmocka_unit_test(authority_refuses_all_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Hosts as visitors send them, and origins as operators write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "guard_page.h"
#include "sallyport/url.h"

#define LABEL_63 "a23456789-123456789-123456789-123456789-123456789-123456789-123"
#define NAME_253                                                                                   \
	LABEL_63 "." LABEL_63 "." LABEL_63                                                         \
		 ".a23456789-123456789-123456789-123456789-123456789-123456789-1"

static void host_is_split_from_its_port(void **state)
{
	(void)state;
	static const struct {
		const char *host, *name;
		uint16_t port;
	} rows[] = {
	    {"a", "a", 0},
	    {"a.example", "a.example", 0},
	    {"A.Example:80", "A.Example", 80},
	    {"a.example.", "a.example", 0},
	    {"a.example.:8080", "a.example", 8080},
	    {"a.example:", "a.example", 0},
	    {"a.example:65535", "a.example", 65535},
	    {"a.example:00080", "a.example", 80},
	    {"my_host-1", "my_host-1", 0},
	    {"xn--bcher-kva.example", "xn--bcher-kva.example", 0},
	    {"1.example", "1.example", 0},
	    {"1a", "1a", 0},
	    {"0xg", "0xg", 0},
	    {"10.0.0.5", "10.0.0.5", 0},
	    {"10.0.0.5:81", "10.0.0.5", 81},
	    {"[::1]", "[::1]", 0},
	    {"[2001:db8::1]:443", "[2001:db8::1]", 443},
	    {"[::ffff:10.0.0.5]:1", "[::ffff:10.0.0.5]", 1},
	    {LABEL_63, LABEL_63, 0},
	    {NAME_253, NAME_253, 0},
	    {NAME_253 ".:1", NAME_253, 1},
	};
	assert_int_equal(strlen(NAME_253), 253);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct url_host host;
		enum reason reason;
		size_t len = strlen(rows[i].host);
		char *raw = guarded_copy(rows[i].host, len);
		if (!url_parse_host(span_of(raw, len), &host, &reason))
			fail_msg("%s: refused", rows[i].host);
		assert_true(span_eq(host.name, span_from_str(rows[i].name)));
		assert_int_equal(host.port, rows[i].port);
		guarded_free(raw, len);
	}
}

static void host_is_refused_where_it_is_none(void **state)
{
	(void)state;
	static const char *const rows[] = {
	    "",
	    ".",
	    "..",
	    "a..b",
	    ".a",
	    "a..",
	    ":",
	    ":80",
	    "a:0",
	    "a:65536",
	    "a:100000",
	    "a:000080",
	    "a:80a",
	    "a:-1",
	    "a:+1",
	    "a: 80",
	    "a:80:80",
	    "a b",
	    " a",
	    "a ",
	    "a/b",
	    "a\\b",
	    "a%2eb",
	    "a,b",
	    "a;b",
	    "a*",
	    "*",
	    "a\x7f",
	    "caf\xc3\xa9",
	    "a\tb",
	    "a?b",
	    "a#b",
	    "a$",
	    "a!",
	    "(a)",
	    "1.2.3",
	    "127.1",
	    "2130706433",
	    "1.2.3.4.5",
	    "256.1.1.1",
	    "01.2.3.4",
	    "0x7f.1",
	    "0x7f000001",
	    "a.1",
	    "1.2.3.0x4",
	    "0x",
	    "[",
	    "[]",
	    "[::1",
	    "::1",
	    "::1]",
	    "[::1]a",
	    "[::1]a:80",
	    "[::1]]",
	    "[[::1]]",
	    "[10.0.0.5]",
	    "[fe80::1%eth0]",
	    "[fe80::1%25eth0]",
	    "[v1.a]",
	    "[::1]:0",
	    "[::g]",
	    "[a]",
	    "a[::1]",
	    "[::1].",
	    LABEL_63 "4",
	    NAME_253 "x",
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct url_host host;
		enum reason reason = REASON_UNSET;
		size_t len = strlen(rows[i]);
		char *raw = guarded_copy(rows[i], len);
		if (url_parse_host(span_of(raw, len), &host, &reason))
			fail_msg("'%s' is taken", rows[i]);
		assert_int_equal(reason, REASON_HOST_INVALID);
		guarded_free(raw, len);
	}
	struct url_host host;
	enum reason reason = REASON_UNSET;
	assert_false(url_parse_host(SPAN("a\0b"), &host, &reason));
	assert_int_equal(reason, REASON_HOST_INVALID);
}

static void host_with_user_information_is_refused_as_such(void **state)
{
	(void)state;
	static const char *const rows[] = {
	    "u@a", "u:p@a.example:80", "@", "a@", "a.example@evil.example", "[::1]@a", "a\\@b"};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct url_host host;
		enum reason reason = REASON_UNSET;
		assert_false(url_parse_host(span_from_str(rows[i]), &host, &reason));
		assert_int_equal(reason, REASON_HOST_USERINFO);
	}
}

static void origin_is_taken_as_an_operator_writes_it(void **state)
{
	(void)state;
	static const struct {
		const char *text, *host;
		uint16_t port;
		bool tls;
	} rows[] = {
	    {"http://10.0.0.5", "10.0.0.5", 80, false},
	    {"http://10.0.0.5:8080", "10.0.0.5", 8080, false},
	    {"https://origin.example", "origin.example", 443, true},
	    {"HTTPS://origin.example:8443/", "origin.example", 8443, true},
	    {"http://[::1]:81", "::1", 81, false},
	    {"http://[2001:db8::1]/", "2001:db8::1", 80, false},
	    {"http://app_1", "app_1", 80, false},
	    {"http://origin.example.", "origin.example", 80, false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct url_origin origin;
		struct err err = {"untouched"};
		assert_true(url_parse_origin(span_from_str(rows[i].text), &origin, &err));
		assert_true(span_eq(origin.host, span_from_str(rows[i].host)));
		assert_int_equal(origin.port, rows[i].port);
		assert_int_equal(origin.tls, rows[i].tls);
		assert_string_equal(err.text, "untouched");
	}
}

static void origin_that_is_none_is_explained(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} rows[] = {
	    {"10.0.0.5:80", "does not start with"},
	    {"ftp://a", "does not start with"},
	    {"", "does not start with"},
	    {"http:/a", "does not start with"},
	    {"http://", "no valid host"},
	    {"http:///", "no valid host"},
	    {"http://a:0", "no valid host"},
	    {"http://a:99999", "no valid host"},
	    {"http://a b", "no valid host"},
	    {"http://::1", "no valid host"},
	    {"http://u:p@a", "user information"},
	    {"http://a/b", "has a path"},
	    {"http://a//", "has a path"},
	    {"http://a?b", "no valid host"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct url_origin origin;
		struct err err = {""};
		assert_false(url_parse_origin(span_from_str(rows[i].text), &origin, &err));
		if (!strstr(err.text, rows[i].says) || !strstr(err.text, rows[i].text))
			fail_msg("%s: %s", rows[i].text, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(host_is_split_from_its_port),
	    cmocka_unit_test(host_is_refused_where_it_is_none),
	    cmocka_unit_test(host_with_user_information_is_refused_as_such),
	    cmocka_unit_test(origin_is_taken_as_an_operator_writes_it),
	    cmocka_unit_test(origin_that_is_none_is_explained),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

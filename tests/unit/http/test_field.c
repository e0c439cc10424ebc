/* Names: fields, methods, status codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "guard_page.h"
#include "http/field.h"

static const struct {
	const char *name;
	enum http_field_id id;
} known[] = {
#define FIELD(id, name, first, last2, last1) {name, HTTP_FIELD_##id},
#include "http/fields.def"
#undef FIELD
};

enum { KNOWN = sizeof(known) / sizeof(known[0]) };

static enum http_field_id lookup(const char *name)
{
	size_t len = strlen(name);
	char *copy = guarded_copy(name, len);
	enum http_field_id id = http_field_lookup(span_of(copy, len));
	guarded_free(copy, len);
	return id;
}

static void field_lookup_finds_every_row_in_any_case(void **state)
{
	(void)state;
	for (size_t i = 0; i < KNOWN; i++) {
		char upper[64];
		snprintf(upper, sizeof(upper), "%s", known[i].name);
		for (char *c = upper; *c; c++)
			*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 0x20 : *c);
		assert_int_equal(lookup(known[i].name), known[i].id);
		assert_int_equal(lookup(upper), known[i].id);
		assert_true(http_field_is_vital(span_from_str(upper)));
	}
}

static void field_ids_all_have_a_name(void **state)
{
	(void)state;
	for (unsigned id = HTTP_FIELD_OTHER; id < HTTP_FIELD_COUNT; id++) {
		bool is_named = false;
		for (size_t i = 0; i < KNOWN; i++)
			is_named = is_named || known[i].id == id;
		assert_true(is_named);
	}
}

/* A name with one byte changed, added or lost is another name. */
static void field_lookup_takes_no_near_miss(void **state)
{
	(void)state;
	for (size_t i = 0; i < KNOWN; i++) {
		char name[64];
		int len = snprintf(name, sizeof(name), "%s", known[i].name);
		for (int at = 0; at < len; at++) {
			for (int bit = 0; bit < 8; bit++) {
				name[at] = (char)(name[at] ^ (1 << bit));
				bool is_same = span_ieq(span_of(name, (size_t)len),
							span_from_str(known[i].name));
				struct span s = span_of(name, (size_t)len);
				enum http_field_id id = http_field_lookup(s);
				if (!is_same && id != HTTP_FIELD_CLAIM && id != HTTP_FIELD_CLIENT_CERT)
					assert_int_equal(id, HTTP_FIELD_OTHER);
				name[at] = (char)(name[at] ^ (1 << bit));
			}
		}
	}
	assert_int_equal(lookup(""), HTTP_FIELD_OTHER);
	assert_int_equal(lookup("t"), HTTP_FIELD_OTHER);
	assert_int_equal(lookup("hostt"), HTTP_FIELD_OTHER);
	assert_int_equal(lookup("content-length "), HTTP_FIELD_OTHER);
	assert_int_equal(lookup("content\x0dlength"), HTTP_FIELD_OTHER);
	assert_int_equal(lookup("proxy-authentication-info-and-more-of-it"), HTTP_FIELD_OTHER);
}

static void field_families_are_claims(void **state)
{
	(void)state;
	static const char *const claims[] = {
	    "X-Forwarded",
	    "x-forwarded-server",
	    "X-FORWARDED-PREFIX",
	    "X-Forwarded-Tls-Client-Cert",
	    "X-Original-Host",
	    "X-Original-Forwarded-For",
	    "X-SSL-Client-Verify",
	    "x-ssl-cert",
	    "X-Forward-For",
	    "X-Remote-User",
	    "X-Envoy-External-Address",
	    "X-ARR-ClientCert",
	    "X-Azure-ClientIP",
	    "X-MS-Client-Principal-Name",
	    "X-WEBAUTH-USER",
	    "X-Auth-Request-Email",
	    "X-Authenticated-User",
	    "X-Authentik-Username",
	    "X-Amzn-Oidc-Identity",
	    "X-Goog-Authenticated-User-Email",
	    "X-Goog-IAP-JWT-Assertion",
	    "X-Pomerium-Claim-Email",
	    "X-AppEngine-User-IP",
	    "X-Vercel-Forwarded-For",
	    "X-Custom-IP-Authorization",
	    "CF-Access-Authenticated-User-Email",
	    "CF-Visitor",
	    "Fly-Client-IP",
	    "Akamai-Client-IP",
	    "HTTP-Client-IP",
	    "Remote-Groups",
	    "Tailscale-User-Login",
	    "X-Forwarded-For-And-Many-More-Words-Than-Any-Known-Name-Has"};
	static const char *const others[] = {"X-For",            "X-Original", "X-SSL",
					     "XX-Forwarded-For", "Accept",     "X-Requested-With",
					     "Remotely",         "X-Auth-Token", "X-Amzn-Trace-Id",
					     "CF-Ray",           "X",          "X-",
					     "X-Goog-Api-Key",   "X-CSRF-Token"};
	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++)
		assert_int_equal(lookup(claims[i]), HTTP_FIELD_CLAIM);
	assert_int_equal(lookup("X-Override-URL"), HTTP_FIELD_OVERRIDE);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(lookup(others[i]), HTTP_FIELD_OTHER);
}

static void confusable_name_is_the_field_it_would_be_in_a_variable(void **state)
{
	(void)state;
	for (size_t i = 0; i < KNOWN; i++) {
		char name[64];
		snprintf(name, sizeof(name), "%s", known[i].name);
		struct span s = span_from_str(name);
		assert_int_equal(http_field_confused_with(s), HTTP_FIELD_OTHER);
		char *dash = strchr(name, '-');
		for (const char *odd = "!#$%&'*+.^_`|~"; dash && *odd; odd++) {
			*dash = *odd;
			assert_int_equal(http_field_confused_with(s), known[i].id);
		}
	}
}

static void token_is_what_the_rfc_says(void **state)
{
	(void)state;
	assert_true(http_is_token(SPAN("a")));
	assert_true(http_is_token(SPAN("!#$%&'*+-.^_`|~09azAZ")));
	assert_false(http_is_token(span_of(NULL, 0)));
	assert_false(http_is_token(SPAN("")));
	for (const char *c = " \t\r\n\"(),/:;<=>?@[\\]{}\x7f\x80\xff"; *c; c++)
		assert_false(http_is_token(span_of(c, 1)));
	assert_false(http_is_token(span_of("", 1)));
}

static void method_lookup_knows_case(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum http_method method;
		bool is_idempotent;
	} rows[] = {
	    {"GET", HTTP_GET, true},
	    {"HEAD", HTTP_HEAD, true},
	    {"POST", HTTP_POST, false},
	    {"PUT", HTTP_PUT, true},
	    {"DELETE", HTTP_DELETE, true},
	    {"OPTIONS", HTTP_OPTIONS, true},
	    {"PATCH", HTTP_PATCH, false},
	    {"TRACE", HTTP_TRACE, true},
	    {"CONNECT", HTTP_CONNECT, false},
	    {"get", HTTP_METHOD_OTHER, false},
	    {"GETT", HTTP_METHOD_OTHER, false},
	    {"PROPFIND", HTTP_METHOD_OTHER, false},
	    {"", HTTP_METHOD_UNSET, false},
	    {"GE T", HTTP_METHOD_UNSET, false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum http_method method = http_method_lookup(span_from_str(rows[i].name));
		assert_int_equal(method, rows[i].method);
		assert_int_equal(http_method_is_idempotent(method), rows[i].is_idempotent);
	}
}

/* Our own replies need a phrase, and none may break a status line. */
static void status_phrases_are_plain_text(void **state)
{
	(void)state;
	for (unsigned status = 0; status < 1000; status++)
		for (const char *c = http_status_phrase(status); *c; c++)
			assert_true(*c >= ' ' && *c < 0x7f);
	for (int reason = REASON_UNSET + 1; reason < REASON_COUNT; reason++) {
		unsigned status = reason_status((enum reason)reason);
		assert_true(status == 0 || *http_status_phrase(status) != '\0');
	}
	assert_string_equal(http_status_phrase(404), "Not Found");
	assert_string_equal(http_status_phrase(299), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(field_lookup_finds_every_row_in_any_case),
	    cmocka_unit_test(field_ids_all_have_a_name),
	    cmocka_unit_test(field_lookup_takes_no_near_miss),
	    cmocka_unit_test(field_families_are_claims),
	    cmocka_unit_test(confusable_name_is_the_field_it_would_be_in_a_variable),
	    cmocka_unit_test(token_is_what_the_rfc_says),
	    cmocka_unit_test(method_lookup_knows_case),
	    cmocka_unit_test(status_phrases_are_plain_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

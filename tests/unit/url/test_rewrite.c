/* Queries written anew: what was at fault in its canonical spelling, every other byte as it came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "guard_page.h"

#include "sallyport/url.h"

#define ALL URL_FINDINGS_OF_QUERY_REWRITABLE

static void expect_rewritten(const char *query, unsigned rewrite, const char *expected)
{
	size_t len = strlen(query);
	char *raw = guarded_copy(query, len), room[512], again[4096];
	struct span once = url_rewrite_query(span_of(raw, len), rewrite, room);
	if (!span_eq(once, span_from_str(expected)))
		fail_msg("%s: '%.*s', expected '%s'", query, SPAN_ARG(once), expected);
	assert_true(span_eq(url_rewrite_query(once, rewrite, again), once));
	guarded_free(raw, len);
}

static void what_is_at_fault_is_spelt_canonically(void **state)
{
	(void)state;
	static const struct {
		unsigned rewrite;
		const char *query, *expected;
	} rows[] = {
	    {URL_ESCAPE_INVALID, "a=100%&b=%zz&c=%4", "a=100%25&b=%25zz&c=%254"},
	    {URL_ESCAPE_INVALID, "a=%%34&b=%u20ac", "a=%25%34&b=%25u20ac"},
	    {URL_ESCAPE_INVALID, "a=%u002e", "a=%u002e"},
	    {URL_ESCAPE_UNICODE, "a=%u002e%u20ac%", "a=%25u002e%u20ac%"},
	    {URL_RAW_BYTE, "a[]={\"b\":1}|\\^`", "a%5B%5D=%7B%22b%22:1%7D%7C%5C%5E%60"},
	    {URL_RAW_BYTE, "q=caf\xc3\xa9", "q=caf%C3%A9"},
	    {URL_ESCAPE_CONTROL, "a=1%0d%0aX:%09y%7f%00", "a=1%20%20X:%20y%20%00"},
	    {URL_UTF8_OVERLONG, "a=%c0%ae%c0%ae/&b=%e0%80%af",
	     "a=%EF%BF%BD%EF%BF%BD/&b=%EF%BF%BD"},
	    {URL_UTF8_OVERLONG, "a=\xc0\xae&b=%C3%A9%c0%ae%C3%A9",
	     "a=%EF%BF%BD&b=%C3%A9%EF%BF%BD%C3%A9"},
	    /* a byte that can't be UTF-8 beside it: an older encoding, not a disguise */
	    {URL_UTF8_OVERLONG, "a=%b0%a1%c0%ba", "a=%b0%a1%c0%ba"},
	    {ALL, "a=%&b=%0a&c=%f1", "a=%25&b=%20&c=%f1"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_rewritten(rows[i].query, rows[i].rewrite, rows[i].expected);
}

/* Signatures are made over these bytes. */
static void a_query_without_fault_stays_as_it_is(void **state)
{
	(void)state;
	static const char *const queries[] = {
	    "SAMLRequest=fZJNT%2BMwEIbv%2FRWR7%2Fmw%2B%2B3d&RelayState=https%3a%2f%2Fx%2fy",
	    "SigAlg=http%3A%2F%2Fwww.w3.org%2F2001%2F04%23rsa-sha256&Signature=a%2Bb%2fc%3D%3d",
	    "X-Amz-Credential=AKIA%2F20260101%2feu-west-1%2Fs3&X-Amz-Signature=0f0f&x-id=GetObject",
	    "q=a+b%20c&u=http://x.example/a?b=c;d=e,f:g@h!$'()*&&=&%41=%61",
	    "latin=caf%e9&utf8=caf%C3%A9&gbk=%c4%e3%ba%c3&euckr=%c0%ba%b0%a1",
	    "double=%252F%25zz",
	};
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
		expect_rewritten(queries[i], ALL, queries[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_at_fault_is_spelt_canonically),
	    cmocka_unit_test(a_query_without_fault_stays_as_it_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

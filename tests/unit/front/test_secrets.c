/* What is masked before it is kept, and how much is kept at most. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "front/evidence.h"

static const char *operators[] = {"member-no", NULL};
static const struct policy_strings MORE = {.items = operators, .n = 1};

static void assert_masked(enum secret_form form, const char *whole, const char *part, const char *expected)
{
	char text[512];
	struct masked out = {.text = text, .room = sizeof(text)};
	struct span all = span_from_str(whole);
	const char *at = strstr(whole, part);
	assert_non_null(at);
	secret_mask(&MORE, form, all, span_of(at, strlen(part)), &out);
	if (!span_eq(span_of(text, out.len), span_from_str(expected)))
		fail_msg("%s: '%.*s', not '%s'", whole, (int)out.len, text, expected);
	assert_int_equal(out.is_masked, strcmp(part, expected) != 0);
}

static void names_of_secrets_are_known(void **state)
{
	static const char *const secrets[] = {
	    "password", "PASSWORD", "user[password]", "old-passwd", "pass%77ord", "p%2561ssword", "pass\tword", "access_token",
	    "accessToken", "X-Api-Key", "apikey", "key", "userPin", "PIN2", "code", "auth-code", "client_secret", "JSESSIONID",
	    "sid", "memberNo", "the_member_no_2", "Authorization", "Proxy-Authorization", "X-Auth-Token", "X-CSRF-Token",
	    "otp", "cvv", "HTTP_AUTHORIZATION", "_wpnonce", "X-WP-Nonce",
	};
	static const char *const others[] = {"q", "comment", "author", "page", "monkey", "pinball", "decode", "passage",
					     "Host", "User-Agent", "Referer", "spinner", "announced", "", "%", "%4"};
	(void)state;
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		if (!secret_is_named(&MORE, span_from_str(secrets[i])))
			fail_msg("%s is a secret", secrets[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (secret_is_named(&MORE, span_from_str(others[i])))
			fail_msg("%s is none", others[i]);
	assert_true(secret_is_field(&MORE, SPAN("Cookie")) && secret_is_field(&MORE, SPAN("DPoP")));
	assert_false(secret_is_field(&MORE, SPAN("Accept")));
	assert_false(secret_is_field(&MORE, SPAN("sec-websocket-key")));
	assert_false(secret_is_named(NULL, SPAN("memberNo")));
}

static void a_name_without_end_is_a_secret(void **state)
{
	char name[1000];
	(void)state;
	memset(name, 'a', sizeof(name));
	assert_true(secret_is_named(&MORE, span_of(name, sizeof(name))));
	assert_false(secret_is_named(&MORE, span_of(name, 200)));
}

static void values_of_secrets_are_masked_in_texts(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
	    {"/login?user=a&password=hunter2&x=1", "/login?user=a&password=[7 bytes]&x=1"},
	    {"/a?q=1&token=", "/a?q=1&token="},
	    {"/a?code=x", "/a?code=[1 byte]"},
	    {"/a?pass%77ord=hunter2", "/a?pass%77ord=[7 bytes]"},
	    {"/a?password%3Dhunter2&b", "/a?password%3D[7 bytes]&b"},
	    {"/a?password%253dhunter2", "/a?password%253d[7 bytes]"},
	    {"/a?next=%2Flogin%3Ftoken%3Dabc%26x%3D1", "/a?next=%2Flogin%3Ftoken%3D[11 bytes]"},
	    {"/a?x=1;password=ab;cd&y=2", "/a?x=1;password=[5 bytes]&y=2"},
	    {"/a?password=a=b:c&y=2", "/a?password=[5 bytes]&y=2"},
	    {"/a;jsessionid=abc/b?x", "/a;jsessionid=[7 bytes]"},
	    {"http://user:pw@shop.example/x?y=1", "http://[7 bytes]@shop.example/x?y=1"},
	    {"https://shop.example/x@y", "https://shop.example/x@y"},
	    {"{\"user\":\"a\",\"password\":\"a&b\"}", "{\"user\":\"a\",\"password\":[6 bytes]"},
	    {"{'token' : 'x'}", "{'token' :[5 bytes]"},
	    {"1 UNION SELECT password FROM users WHERE id=1", "1 UNION SELECT password FROM users WHERE id=1"},
	    {"' or password='x", "' or password=[2 bytes]"},
	    {"memberNo=4711&a=b", "memberNo=[4 bytes]&a=b"},
	    {"a=b&c=d", "a=b&c=d"},
	    {"====::::%3D%3A", "====::::%3D%3A"},
	    {"//@//@", "//@//@"},
	    {"password", "password"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].text, "{\"user\":\"a\",\"password\":\"a&b\"}") != 0)
			assert_masked(SECRET_TEXT, rows[i].text, rows[i].text, rows[i].expected);
	assert_masked(SECRET_TEXT, "{\"user\":\"a\",\"password\":\"a&b\"}", "{\"user\":\"a\",\"password\":\"a&b\"}",
		      "{\"user\":\"a\",\"password\":[6 bytes]");
}

static void cookies_keep_their_names(void **state)
{
	(void)state;
	assert_masked(SECRET_COOKIES, "sid=abc; theme=dark", "sid=abc; theme=dark", "sid=[3 bytes]; theme=[4 bytes]");
	assert_masked(SECRET_COOKIES, "nameless; a=", "nameless; a=", "[8 bytes]; a=");
	assert_masked(SECRET_COOKIES, "a=b=c;;d", "a=b=c;;d", "a=[3 bytes];;[1 byte]");
	assert_masked(SECRET_WHOLE, "Basic abc", "Basic abc", "[9 bytes]");
}

/* A rule sees a part, and the part alone doesn't say that it is a secret's. */
static void a_part_is_masked_as_its_whole(void **state)
{
	(void)state;
	assert_masked(SECRET_TEXT, "a=1&password=hunter2&b=3", "ter2&b", "[4 bytes]&b");
	assert_masked(SECRET_TEXT, "a=1&password=hunter2&b=3", "hunt", "[4 bytes]");
	assert_masked(SECRET_TEXT, "a=1&password=hunter2&b=3", "b=3", "b=3");
	assert_masked(SECRET_COOKIES, "sid=abc; theme=dark", "bc; th", "[2 bytes]; th");
}

static void what_is_long_loses_its_middle(void **state)
{
	char long_text[2000], text[248];
	struct masked out = {.text = text, .room = sizeof(text)};
	(void)state;
	for (size_t i = 0; i < sizeof(long_text); i++)
		long_text[i] = (char)('a' + i % 26);
	secret_mask(&MORE, SECRET_TEXT, span_of(long_text, sizeof(long_text)), span_of(long_text, sizeof(long_text)), &out);
	assert_true(out.is_cut && !out.is_masked);
	assert_memory_equal(text, long_text, 100);
	assert_memory_equal(text + 100, "...(1800 bytes)...", 18);
	assert_memory_equal(text + 118, long_text + sizeof(long_text) - 100, 100);
	assert_int_equal(out.len, 218);
	secret_mask(&MORE, SECRET_TEXT, span_of(long_text, 200), span_of(long_text, 200), &out);
	assert_true(!out.is_cut && out.len == 200);
	assert_memory_equal(text, long_text, 200);
}

static double seconds_to_mask(struct span text)
{
	char room[1024];
	struct masked out = {.text = room, .room = sizeof(room)};
	clock_t before = clock();
	for (int i = 0; i < 20; i++)
		secret_mask(&MORE, SECRET_TEXT, text, text, &out);
	return (double)(clock() - before) / CLOCKS_PER_SEC / 20;
}

static void a_text_without_end_is_a_secret_from_somewhere_on(void **state)
{
	static char text[40000];
	char room[256];
	struct masked out = {.text = room, .room = sizeof(room)};
	(void)state;
	memset(text, 'a', sizeof(text));
	secret_mask(&MORE, SECRET_TEXT, span_of(text, sizeof(text)), span_of(text + 39000, 1000), &out);
	assert_true(span_eq(span_of(room, out.len), SPAN("[1000 bytes]")));
}

/* The costliest texts: signs, escapes, slashes and names in a row. An eighth of it takes
 * an eighth of the time, within the noise, or the time would not grow with the bytes alone. */
static void masking_takes_time_by_the_byte(void **state)
{
	static const char *const patterns[] = {"=", "%3D", "/", "//a", "password", "a=", "%25", "ab-", "token%3D%3D", "[", "k:"};
	static char text[16 << 10];
	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		size_t n = strlen(patterns[i]);
		for (size_t at = 0; at < sizeof(text); at++)
			text[at] = patterns[i][at % n];
		double whole = seconds_to_mask(span_of(text, sizeof(text)));
		double eighth = seconds_to_mask(span_of(text, sizeof(text) / 8));
		if (getenv("SHOW"))
			printf("%s: %.0f us, an eighth %.0f us\n", patterns[i], whole * 1e6, eighth * 1e6);
		if (whole > 24 * eighth + 0.002)
			fail_msg("%s: %.0f us, an eighth %.0f us", patterns[i], whole * 1e6, eighth * 1e6);
	}
}

/* ---- how much ---- */

static void alike_ones_have_a_rate(void **state)
{
	struct evidence_rate rate = {0};
	uint32_t skipped = 99;
	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_true(evidence_rate_take(&rate, 7, 1000, 4, &skipped));
		assert_int_equal(skipped, 0);
	}
	for (int i = 0; i < 500; i++)
		assert_false(evidence_rate_take(&rate, 7, 1000, 4, &skipped));
	assert_true(evidence_rate_take(&rate, 8, 1000, 4, &skipped));
	assert_int_equal(skipped, 0);
	assert_true(evidence_rate_take(&rate, 7, 1001, 4, &skipped));
	assert_int_equal(skipped, 500);
	assert_true(evidence_rate_take(&rate, 7, 1001, 4, &skipped));
	assert_int_equal(skipped, 0);
}

static void all_together_have_a_rate(void **state)
{
	struct evidence_rate rate = {0};
	uint32_t skipped;
	unsigned kept = 0;
	(void)state;
	for (uint64_t key = 0; key < 10000; key++)
		kept += evidence_rate_take(&rate, key, 5, 4, &skipped);
	assert_int_equal(kept, EVIDENCE_RATE_ALL * 4);
	assert_true(evidence_rate_take(&rate, 3, 6, 4, &skipped));
	assert_true(skipped > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_of_secrets_are_known),
	    cmocka_unit_test(a_name_without_end_is_a_secret),
	    cmocka_unit_test(values_of_secrets_are_masked_in_texts),
	    cmocka_unit_test(cookies_keep_their_names),
	    cmocka_unit_test(a_part_is_masked_as_its_whole),
	    cmocka_unit_test(what_is_long_loses_its_middle),
	    cmocka_unit_test(a_text_without_end_is_a_secret_from_somewhere_on),
	    cmocka_unit_test(masking_takes_time_by_the_byte),
	    cmocka_unit_test(alike_ones_have_a_rate),
	    cmocka_unit_test(all_together_have_a_rate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

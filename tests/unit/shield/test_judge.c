/* Verdicts: what refuses a request, in which order, and what the modes change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "shield/requests.h"
#include "shield/rule_sets.h"

static const char *usual_methods[] = {"GET", "HEAD", "POST", "PURGE", "TRACE", NULL};

static const struct shield_settings usual = {
    .mode = SHIELD_ENFORCE,
    .limits = {.url = 100, .path = 50, .query = 60, .body = 1000},
    .methods = usual_methods,
};

struct bench {
	struct shield *shield;
	struct shield_scratch *scratch;
};

static struct bench bench_new(const struct shield_settings *settings)
{
	struct bench bench;
	struct err err;
	bench.shield = shield_new(settings, &err);
	if (!bench.shield)
		fail_msg("%s", err.text);
	const struct shield *const shields[] = {bench.shield};
	bench.scratch = shield_scratch_new(shields, 1, &err);
	assert_non_null(bench.scratch);
	return bench;
}

static void bench_free(struct bench *bench)
{
	shield_scratch_free(bench->scratch);
	shield_free(bench->shield);
}

static void expect_reason(struct bench *bench, const char *method, const char *target,
			  enum reason reason)
{
	struct verdict verdict = request_judge(bench->shield, bench->scratch, method, target);
	if (verdict.reason != reason)
		fail_msg("%s %s: %s, not %s", method, target, reason_name(verdict.reason),
			 reason_name(reason));
	assert_int_equal(verdict.action, reason ? VERDICT_REJECT : VERDICT_ALLOW);
	assert_int_equal(verdict.status, reason_status(reason));
	assert_true(verdict.enforced);
}

static void judge_gives_each_reason(void **state)
{
	(void)state;
	static const struct {
		const char *method, *target;
		enum reason reason;
	} rows[] = {
	    {"GET", "/", REASON_UNSET},
	    {"HEAD", "/a/b?c=d", REASON_UNSET},
	    {"PURGE", "/", REASON_UNSET},
	    {"GET", "/a%20b/../c//d?q=50%+off", REASON_UNSET},
	    {"GET", "/caf\xc3\xa9|x", REASON_UNSET},
	    {"GET", "/?q=caf%e9&u=http%253a%252f%252f&t=%0d%0a", REASON_UNSET},
	    {"GET", "/?q=%uD55C", REASON_UNSET},
	    {"PUT", "/", REASON_METHOD_DENIED},
	    {"get", "/", REASON_METHOD_DENIED},
	    {"BREW", "/", REASON_METHOD_DENIED},
	    {"PURG", "/", REASON_METHOD_DENIED},
	    {"CONNECT", "/", REASON_METHOD_CONNECT},
	    {"TRACE", "/", REASON_METHOD_TRACE},
	    {"GET", "/%00", REASON_ESCAPE_NUL},
	    {"GET", "/%c0%ae", REASON_UTF8_OVERLONG},
	    {"GET", "/../a", REASON_PATH_ABOVE_ROOT},
	    {"GET", "/%252e", REASON_ESCAPE_DOUBLE},
	    {"GET", "/%u002e", REASON_ESCAPE_UNICODE},
	    {"GET", "/a%0d%0ab", REASON_ESCAPE_CONTROL},
	    {"GET", "/100%", REASON_ESCAPE_INVALID},
	    {"GET", "/a\\b", REASON_PATH_BACKSLASH},
	    {"GET", "/a%2fb", REASON_PATH_ENCODED_SLASH},
	    {"GET", "/caf%e9", REASON_UTF8_INVALID},
	    {"GET", "/<a>", REASON_TARGET_BYTE},
	    {"GET", "/?a=%00", REASON_ESCAPE_NUL},
	    {"GET", "/?a=%c0%af", REASON_UTF8_OVERLONG},
	    {"GET", "/?a=%253c%u003c", REASON_ESCAPE_UNICODE},
	};
	struct bench bench = bench_new(&usual);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_reason(&bench, rows[i].method, rows[i].target, rows[i].reason);
	bench_free(&bench);
}

/* Each request has this fault and all that come after it in the order. */
static void judge_names_the_first_fault_in_its_order(void **state)
{
	(void)state;
	const struct rule_spec rules[] = {RULE_OF("r", TARGET_URL, "worm")};
	struct rule_set *set = rules_compiled(rules, 1);
	struct shield_settings settings = usual;
	struct bench bench;
	char longest[121] = "/worm%00?%00", path[81] = "/worm%00", query[91] = "/worm%00?%00";
	memset(longest + strlen(longest), 'x', sizeof(longest) - 1 - strlen(longest));
	memset(path + strlen(path), 'x', sizeof(path) - 1 - strlen(path));
	memset(query + strlen(query), 'x', sizeof(query) - 1 - strlen(query));
	settings.rules = set;
	bench = bench_new(&settings);
	expect_reason(&bench, "PUT", longest, REASON_METHOD_DENIED);
	expect_reason(&bench, "GET", longest, REASON_URL_TOO_LONG);
	expect_reason(&bench, "GET", path, REASON_PATH_TOO_LONG);
	expect_reason(&bench, "GET", query, REASON_QUERY_TOO_LONG);
	expect_reason(&bench, "GET", "/worm%00?%00", REASON_ESCAPE_NUL);
	expect_reason(&bench, "GET", "/worm?%00", REASON_RULE);
	expect_reason(&bench, "GET", "/?%00", REASON_ESCAPE_NUL);
	bench_free(&bench);
	rule_set_free(set);
}

static void limits_say_their_setting_and_value(void **state)
{
	(void)state;
	static const struct {
		size_t path, query; /* bytes, with "/" but without "?" */
		const char *setting;
		uint64_t limit;
	} rows[] = {
	    {50, 49, NULL, 0},
	    {51, 0, "sites[].shield.limits.path", 50},
	    {1, 60, NULL, 0},
	    {1, 61, "sites[].shield.limits.query", 60},
	    {50, 50, "sites[].shield.limits.url", 100},
	};
	struct bench bench = bench_new(&usual);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char target[200] = {0};
		memset(target, 'x', rows[i].path + 1 + rows[i].query);
		target[0] = '/';
		target[rows[i].path] = '?';
		struct verdict verdict = request_judge(bench.shield, bench.scratch, "GET", target);
		assert_int_equal(verdict.action, rows[i].setting ? VERDICT_REJECT : VERDICT_ALLOW);
		assert_int_equal(verdict.limit, rows[i].limit);
		if (rows[i].setting)
			assert_string_equal(verdict.setting, rows[i].setting);
		else
			assert_null(verdict.setting);
	}
	bench_free(&bench);
}

static void path_is_limited_as_it_is_forwarded_too(void **state)
{
	(void)state;
	struct bench bench = bench_new(&usual);
	expect_reason(&bench, "GET", "/||||||||||||||||", REASON_UNSET); /* 49 bytes forwarded */
	expect_reason(&bench, "GET", "/|||||||||||||||||", REASON_PATH_TOO_LONG); /* 52 */
	bench_free(&bench);
}

static void content_is_limited_by_its_announced_length(void **state)
{
	(void)state;
	static struct test_request made;
	struct verdict verdict;
	struct bench bench = bench_new(&usual);
	request_make(bench.shield, &made, SPAN("POST"), SPAN("/"));
	made.head.framing = HTTP_FRAMING_LENGTH;
	made.head.content_length = 1000;
	shield_judge(bench.shield, bench.scratch, &made.request, &verdict);
	assert_int_equal(verdict.action, VERDICT_ALLOW);
	made.head.content_length = 1001;
	shield_judge(bench.shield, bench.scratch, &made.request, &verdict);
	assert_int_equal(verdict.reason, REASON_CONTENT_TOO_LARGE);
	assert_string_equal(verdict.setting, "sites[].shield.limits.body");
	assert_int_equal(verdict.limit, 1000);
	made.head.framing = HTTP_FRAMING_CHUNKED;
	shield_judge(bench.shield, bench.scratch, &made.request, &verdict);
	assert_int_equal(verdict.action, VERDICT_ALLOW);
	bench_free(&bench);
}

static void zero_is_no_limit_and_no_methods_are_all(void **state)
{
	(void)state;
	static const struct shield_settings open = {.mode = SHIELD_ENFORCE};
	char target[2000] = "/?";
	struct bench bench = bench_new(&open);
	memset(target + 2, 'x', sizeof(target) - 3);
	expect_reason(&bench, "BREW", target, REASON_UNSET);
	expect_reason(&bench, "DELETE", target, REASON_UNSET);
	expect_reason(&bench, "CONNECT", "/", REASON_METHOD_CONNECT);
	expect_reason(&bench, "TRACE", "/", REASON_METHOD_TRACE);
	bench_free(&bench);
}

static void mode_decides_what_is_enforced(void **state)
{
	(void)state;
	static const struct {
		int mode;
		const char *method, *target;
		enum verdict_action action;
		bool enforced;
	} rows[] = {
	    {SHIELD_MODE_UNSET, "GET", "/%00", VERDICT_REJECT, true},
	    {SHIELD_ENFORCE, "GET", "/%00", VERDICT_REJECT, true},
	    {SHIELD_MONITOR, "GET", "/%00", VERDICT_REJECT, false},
	    {SHIELD_MONITOR, "PUT", "/", VERDICT_REJECT, false},
	    {SHIELD_OFF, "GET", "/%00", VERDICT_ALLOW, true},
	    {SHIELD_OFF, "PUT", "/", VERDICT_ALLOW, true},
	    {SHIELD_OFF, "TRACE", "/", VERDICT_REJECT, true},
	    {SHIELD_MONITOR, "CONNECT", "/", VERDICT_REJECT, true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct shield_settings settings = usual;
		settings.mode = rows[i].mode;
		struct bench bench = bench_new(&settings);
		struct verdict verdict =
		    request_judge(bench.shield, bench.scratch, rows[i].method, rows[i].target);
		assert_int_equal(verdict.action, rows[i].action);
		assert_int_equal(verdict.enforced, rows[i].enforced);
		bench_free(&bench);
	}
}

static void verdict_shows_the_bytes_that_gave_it(void **state)
{
	(void)state;
	static const struct {
		const char *method, *target, *evidence;
	} rows[] = {
	    {"PUT", "/", "PUT"},
	    {"GET", "/a/%2e%2e/../b", ".."},
	    {"GET", "/a?b=%e9&c=%00", "%00"},
	    {"GET", "/?a=%253c%u003c", "%u003c"},
	};
	struct bench bench = bench_new(&usual);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verdict verdict =
		    request_judge(bench.shield, bench.scratch, rows[i].method, rows[i].target);
		assert_true(span_eq(verdict.evidence, span_from_str(rows[i].evidence)));
	}
	bench_free(&bench);
}

static void the_longest_path_decides_the_mode(void **state)
{
	(void)state;
	static const struct shield_path paths[] = {
	    {.path = "/old", .path_len = 4, .mode = SHIELD_MONITOR},
	    {.path = "/old/pay", .path_len = 8, .mode = SHIELD_ENFORCE},
	    {.path = "/open/", .path_len = 6, .mode = SHIELD_OFF},
	};
	static const struct {
		const char *path;
		enum shield_mode mode;
	} rows[] = {
	    {"/", SHIELD_ENFORCE},
	    {"/old", SHIELD_MONITOR},
	    {"/old/", SHIELD_MONITOR},
	    {"/older", SHIELD_ENFORCE},
	    {"/x/../%6fld/a", SHIELD_MONITOR},
	    {"/old/caf%e9", SHIELD_MONITOR},
	    {"/old/pay", SHIELD_ENFORCE},
	    {"/old/pays", SHIELD_MONITOR},
	    {"/old/pay/x", SHIELD_ENFORCE},
	    {"/old/../pay", SHIELD_ENFORCE},
	    {"/open", SHIELD_ENFORCE},
	    {"/open/x", SHIELD_OFF},
	    /* whoever reads these may read another path */
	    {"/old/..%2fadmin", SHIELD_ENFORCE},
	    {"/old/%252e%252e/admin", SHIELD_ENFORCE},
	    {"/old/..\\admin", SHIELD_ENFORCE},
	    {"/old/%c0%ae%c0%ae/admin", SHIELD_ENFORCE},
	    {"/../../old/a", SHIELD_ENFORCE},
	};
	struct shield_settings settings = usual;
	settings.paths = paths;
	settings.path_count = 3;
	struct bench bench = bench_new(&settings);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char room[URL_CANON_ROOM(64)];
		struct url_canon canon;
		url_canon_path(span_from_str(rows[i].path), room, &canon);
		if (shield_mode_at(bench.shield, &canon) != rows[i].mode)
			fail_msg("%s has another mode", rows[i].path);
	}
	bench_free(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(judge_gives_each_reason),
	    cmocka_unit_test(judge_names_the_first_fault_in_its_order),
	    cmocka_unit_test(limits_say_their_setting_and_value),
	    cmocka_unit_test(path_is_limited_as_it_is_forwarded_too),
	    cmocka_unit_test(content_is_limited_by_its_announced_length),
	    cmocka_unit_test(zero_is_no_limit_and_no_methods_are_all),
	    cmocka_unit_test(mode_decides_what_is_enforced),
	    cmocka_unit_test(verdict_shows_the_bytes_that_gave_it),
	    cmocka_unit_test(the_longest_path_decides_the_mode),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

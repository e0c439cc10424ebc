/* Exceptions as they are asked: what one names passes, and the same bytes anywhere else do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "shield/exceptions.h"
#include "shield/requests.h"
#include "shield/rule_sets.h"

enum { DAY_S = 86400, NOW_S = 1790000000 }; /* 2026-09-21 */

#define SAYS " owner = \"shop\"; reason = \"words\"; expires = \"2027-03-01\"; }"

/* Rules, exceptions, and a shield that has both. */
struct bench {
	struct rule_set *set;
	struct exception_reading reading;
	struct shield *shield;
	struct shield_scratch *scratch;
	uint64_t now_s;
};

static const char *const sql_tags[] = {"sql", "data", NULL};
static const struct rule_condition sql_condition = RULE_LOOKS_FOR(TARGET_ARG, OPERATOR_CONTAINS, "union");

static struct rule_condition everywhere(const char *text, struct rule_selector selectors[8])
{
	static const enum rule_target targets[] = {TARGET_ARG,   TARGET_ARG_NAME, TARGET_COOKIE, TARGET_FIELD,
						   TARGET_FORM, TARGET_JSON,	   TARGET_PATH,   TARGET_FILE_NAME};
	const char **texts = test_malloc(2 * sizeof(*texts));
	texts[0] = text;
	texts[1] = NULL;
	for (size_t i = 0; i < 8; i++)
		selectors[i] = (struct rule_selector){.target = targets[i]};
	return (struct rule_condition){
	    .selectors = selectors, .selector_count = 8, .op = OPERATOR_CONTAINS, .texts = texts};
}

static void bench_open(struct bench *bench, const struct rule_spec *rules, size_t n, const char *exceptions,
		       struct shield_settings settings)
{
	struct err err;
	*bench = (struct bench){.set = rules_compiled(rules, n), .now_s = NOW_S};
	exceptions_read(&bench->reading, exceptions);
	if (bench->reading.complaints.len > 0 && strstr(bench->reading.complaints.data, "error"))
		fail_msg("%s", bench->reading.complaints.data);
	settings.mode = SHIELD_ENFORCE;
	settings.rules = bench->set;
	settings.exceptions = *exceptions ? exceptions_compile(&bench->reading, bench->set, NOW_S) : NULL;
	bench->shield = shield_new(&settings, &err);
	assert_non_null(bench->shield);
	const struct shield *const shields[] = {bench->shield};
	bench->scratch = shield_scratch_new(shields, 1, &err);
	assert_non_null(bench->scratch);
}

static void bench_close(struct bench *bench)
{
	shield_scratch_free(bench->scratch);
	shield_free(bench->shield);
	exceptions_release(&bench->reading);
	rule_set_free(bench->set);
}

static struct verdict ask(const struct bench *bench, const char *method, const char *target, const char *fields)
{
	static struct test_request made;
	struct verdict verdict;
	request_make(bench->shield, &made, span_from_str(method), span_from_str(target));
	request_add_fields(&made, fields);
	made.request.wall_us = bench->now_s * 1000000;
	shield_judge(bench->shield, bench->scratch, &made.request, &verdict);
	return verdict;
}

struct row {
	const char *method, *target, *fields;
	bool passes;
};

static void expect(const struct bench *bench, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct verdict v = ask(bench, rows[i].method, rows[i].target, rows[i].fields);
		if ((v.action == VERDICT_ALLOW) != rows[i].passes)
			fail_msg("row %zu, %s: %s", i, rows[i].target, reason_name(v.reason));
		if (v.action != VERDICT_ALLOW)
			assert_null(v.excepted);
	}
}

#define EXPECT(bench, rows) expect((bench), (rows), sizeof(rows) / sizeof((rows)[0]))

static const struct rule_spec sql_rule = {
    .id = "sql.union", .message = "", .tags = sql_tags, .conditions = &sql_condition, .condition_count = 1};

static void exception_is_for_its_value_its_path_and_its_method(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {"GET", "/search?q=union", "", true},
	    {"GET", "/search?a=b&q=union&c=d", "", true},
	    {"GET", "/search?%71=union", "", true}, /* the same name, decoded */
	    {"GET", "/search/more?q=union", "", true},
	    {"GET", "/search?q=union&q=union+all", "", true},
	    {"GET", "/search?q=union&p=union", "", false}, /* the first is excepted, the second is not */
	    {"GET", "/search?p=union&q=union", "", false},
	    {"GET", "/search?p=union", "", false},
	    {"GET", "/search?Q=union", "", false},
	    {"GET", "/search?q%00=union", "", false},
	    {"GET", "/search?q+=union", "", false},
	    {"GET", "/search?q=x;id=union", "", false}, /* others split there */
	    {"GET", "/search?q=x%3Bid=union", "", true},
	    {"POST", "/search?q=union", "", false},
	    {"GET", "/searching?q=union", "", false},
	    {"GET", "/?q=union", "", false},
	    {"GET", "/Search?q=union", "", false},
	    {"GET", "/other/../search?q=union", "", true}, /* one reading: it is rewritten */
	    {"GET", "/search/../admin?q=union", "", false},
	    {"GET", "/search;x/../admin?q=union", "", false},
	    {"GET", "/search;x?q=union", "", false},
	    {"GET", "/search%2f?q=union", "", false},
	    {"GET", "/search/..%2fadmin?q=union", "", false},
	    {"GET", "/search/%2e%2e%2fadmin?q=union", "", false},
	    {"GET", "/search/%252e%252e/admin?q=union", "", false},
	    {"GET", "/search\\..\\admin?q=union", "", false},
	    {"GET", "/search/..;/admin?q=union", "", false},
	};
	struct bench bench;
	/* a profile that passes all of these paths, so that it is the rule that refuses */
	bench_open(&bench, &sql_rule, 1,
		   "{ rule = \"sql.union\"; path = \"/search\"; method = \"GET\"; argument = \"q\";" SAYS,
		   (struct shield_settings){.profile = PROFILE_LEGACY});
	EXPECT(&bench, rows);
	bench_close(&bench);
}

static void exact_path_has_nothing_below_it(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {"GET", "/?q=union", "", true},	  {"GET", "/a?q=union", "", false},
	    {"GET", "//?q=union", "", false},	  {"GET", "/./?q=union", "", true},
	    {"GET", "/b/?q=union", "", true},	  {"GET", "/b?q=union", "", false},
	    {"GET", "/b/c?q=union", "", false},	  {"GET", "/b;x/?q=union", "", false},
	};
	struct bench bench;
	bench_open(&bench, &sql_rule, 1,
		   "{ rule = \"sql.union\"; path = \"/\"; exact = true;" SAYS ","
		   "{ rule = \"sql.union\"; path = \"/b/\"; exact = true;" SAYS,
		   (struct shield_settings){.profile = PROFILE_LEGACY});
	EXPECT(&bench, rows);
	bench_close(&bench);
}

static void path_is_read_as_the_origin_reads_it(void **state)
{
	(void)state;
	static const struct {
		int kind;
		const char *target;
		bool passes;
	} rows[] = {
	    {ORIGIN_IIS, "/SEARCH?q=union", true},   {ORIGIN_TOMCAT, "/search;a=b?q=union", true},
	    {ORIGIN_IIS, "/search;a?q=union", false}, {ORIGIN_TOMCAT, "/SEARCH?q=union", false},
	    {ORIGIN_PHP, "/search?q=a;b=union", true}, {ORIGIN_UNIX, "/search?q=a;b=union", false},
	    {ORIGIN_TOMCAT, "/search/..;/a?q=union", false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench bench;
		bench_open(&bench, &sql_rule, 1, "{ rule = \"sql.*\"; path = \"/search\"; argument = \"q\";" SAYS,
			   (struct shield_settings){.profile = PROFILE_LEGACY, .origin_kind = rows[i].kind});
		struct verdict v = ask(&bench, "GET", rows[i].target, "");
		if ((v.action == VERDICT_ALLOW) != rows[i].passes)
			fail_msg("row %zu, %s: %s", i, rows[i].target, reason_name(v.reason));
		bench_close(&bench);
	}
}

/* Both readings of a path that keeps its empty segments must lie there. */
static void path_with_empty_segments_must_lie_there_in_both_readings(void **state)
{
	(void)state;
	static struct test_request made;
	struct verdict v;
	struct bench bench;
	bench_open(&bench, &sql_rule, 1, "{ rule = \"*\"; path = \"/a/b\";" SAYS, (struct shield_settings){0});
	request_make(bench.shield, &made, SPAN("GET"), SPAN("/a/b/c?q=union"));
	made.request.forward_path = SPAN("/a//b/c");
	shield_judge(bench.shield, bench.scratch, &made.request, &v);
	assert_int_equal(v.reason, REASON_RULE);
	made.request.forward_path = SPAN("/a/b//c");
	shield_judge(bench.shield, bench.scratch, &made.request, &v);
	assert_int_equal(v.action, VERDICT_ALLOW);
	bench_close(&bench);
}

static void tags_and_beginnings_name_several_rules(void **state)
{
	(void)state;
	static const char *const named[] = {"rule = \"sql.union\"", "rule = \"sql.*\"", "rule = \"*\"",
					    "tag = \"sql\"", "tag = \"data\""};
	static const char *const others[] = {"rule = \"sql.unions\"", "rule = \"sql.uniom*\"", "rule = \"xss.*\"",
					     "tag = \"sq\"", "tag = \"sql.union\""};
	for (size_t i = 0; i < 10; i++) {
		char text[256];
		struct bench bench;
		snprintf(text, sizeof(text), "{ %s;" SAYS, i < 5 ? named[i] : others[i - 5]);
		bench_open(&bench, &sql_rule, 1, text, (struct shield_settings){0});
		assert_int_equal(ask(&bench, "GET", "/?q=union", "").action == VERDICT_ALLOW, i < 5);
		const bool warns = bench.reading.complaints.len > 0;
		assert_int_equal(warns, i >= 5);
		if (i == 5)
			assert_non_null(strstr(bench.reading.complaints.data, "did you mean \"sql.union\"?"));
		bench_close(&bench);
	}
}

static void names_are_compared_as_their_kind_compares(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {"GET", "/", "X-Note: union\r\n", true},	  {"GET", "/", "x-nOTE: union\r\n", true},
	    {"GET", "/", "X-Other: union\r\n", false},	  {"GET", "/", "Cookie: note=union\r\n", true},
	    {"GET", "/", "Cookie: Note=union\r\n", false}, {"GET", "/?note=union", "", false},
	    {"GET", "/?union[x]=1", "", true},		  {"GET", "/?union[y]=1", "", false},
	    {"GET", "/?union[x]=union", "", false}, /* its name may say that, its value may not */
	    {"GET", "/union", "", false},
	};
	struct rule_selector selectors[8];
	const struct rule_condition condition = everywhere("union", selectors);
	const struct rule_spec rule = {.id = "r", .message = "", .conditions = &condition, .condition_count = 1};
	struct bench bench;
	bench_open(&bench, &rule, 1,
		   "{ rule = \"r\"; field = \"x-note\";" SAYS ", { rule = \"r\"; cookie = \"note\";" SAYS
		   ", { rule = \"r\"; argument_name = \"union[x]\";" SAYS,
		   (struct shield_settings){0});
	EXPECT(&bench, rows);
	bench_close(&bench);
	bench_open(&bench, &rule, 1, "{ rule = \"r\"; where = \"path\";" SAYS, (struct shield_settings){0});
	assert_int_equal(ask(&bench, "GET", "/union", "").action, VERDICT_ALLOW);
	assert_int_equal(ask(&bench, "GET", "/union?q=union", "").reason, REASON_RULE);
	bench_close(&bench);
	test_free((void *)(uintptr_t)condition.texts);
}

static void exception_takes_one_condition_of_several_away(void **state)
{
	(void)state;
	const struct rule_condition conditions[] = {
	    RULE_LOOKS_FOR(TARGET_ARG, OPERATOR_CONTAINS, "union"),
	    RULE_LOOKS_FOR(TARGET_COOKIE, OPERATOR_CONTAINS, "admin"),
	};
	const struct rule_spec rule = {.id = "r", .message = "", .conditions = conditions, .condition_count = 2};
	static const struct row rows[] = {
	    {"GET", "/?q=union", "Cookie: a=admin\r\n", true},
	    {"GET", "/?p=union", "Cookie: a=admin\r\n", false},
	    {"GET", "/?q=union&p=union", "Cookie: a=admin\r\n", false},
	    {"GET", "/?p=union", "Cookie: a=user\r\n", true},
	};
	struct bench bench;
	bench_open(&bench, &rule, 1, "{ rule = \"r\"; argument = \"q\";" SAYS, (struct shield_settings){0});
	EXPECT(&bench, rows);
	bench_close(&bench);
}

static void exception_ends_while_its_policy_serves(void **state)
{
	(void)state;
	struct bench bench;
	bench_open(&bench, &sql_rule, 1,
		   "{ rule = \"sql.union\"; owner = \"shop\"; reason = \"words\"; expires = \"2026-09-30\"; }",
		   (struct shield_settings){0});
	assert_non_null(strstr(bench.reading.complaints.data, "ends on 2026-09-30 (shop: words)"));
	const uint64_t end_s = UINT64_C(1790812800); /* 2026-10-01 */
	bench.now_s = end_s - 1;
	assert_int_equal(ask(&bench, "GET", "/?q=union", "").action, VERDICT_ALLOW);
	bench.now_s = end_s;
	assert_int_equal(ask(&bench, "GET", "/?q=union", "").reason, REASON_RULE);
	exceptions_compile(&bench.reading, bench.set, end_s);
	assert_non_null(strstr(bench.reading.complaints.data, "has ended on 2026-09-30 and counts no more (shop: words)"));
	exceptions_compile(&bench.reading, bench.set, end_s - 15 * DAY_S);
	assert_int_equal(bench.reading.complaints.len, 0);
	bench_close(&bench);
}

static void verdict_says_which_exception_let_it_pass(void **state)
{
	(void)state;
	struct rule_spec rules[] = {sql_rule, RULE_OF("two", TARGET_ARG, "select"), RULE_OF("three", TARGET_ARG, "from")};
	rules[1].score = 3;
	rules[2].score = 3;
	struct bench bench;
	bench_open(&bench, rules, 3,
		   "{ rule = \"sql.union\"; argument = \"q\";" SAYS ", { rule = \"two\"; argument = \"q\";" SAYS,
		   (struct shield_settings){.limits = {.score = 4}});
	struct verdict v = ask(&bench, "GET", "/?q=union", "");
	assert_string_equal(v.excepted_rule, "sql.union");
	assert_string_equal(v.excepted->owner, "shop");
	v = ask(&bench, "GET", "/?q=select", ""); /* it would have passed by itself */
	assert_int_equal(v.action, VERDICT_ALLOW);
	assert_null(v.excepted);
	assert_int_equal(v.score, 0);
	v = ask(&bench, "GET", "/?q=select+from", "");
	assert_int_equal(v.action, VERDICT_ALLOW);
	assert_int_equal(v.score, 3);
	assert_string_equal(v.excepted_rule, "two");
	v = ask(&bench, "GET", "/?q=select+from&p=select", "");
	assert_int_equal(v.reason, REASON_SCORE);
	assert_null(v.excepted);
	v = ask(&bench, "GET", "/?q=nothing", "");
	assert_null(v.excepted);
	bench_close(&bench);
}

static void finding_is_excepted_in_its_value_alone(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {"GET", "/?q=100%", "", true},		 {"GET", "/?p=100%", "", false},
	    {"GET", "/?q=100%&p=100%", "", false},	 {"GET", "/?p=100%&q=100%", "", false},
	    {"GET", "/?q=a;p=100%", "", false},		 {"GET", "/?q=100%25&p=1", "", true},
	    {"GET", "/?q=100%%00", "", false}, /* another finding beside it */
	    {"GET", "/", "Cookie: c=100%zz\r\n", true},	 {"GET", "/", "Cookie: d=100%zz\r\n", false},
	    {"GET", "/", "Cookie: c=100%zz; d=100%zz\r\n", false},
	    {"GET", "/100%", "", false},
	};
	struct shield_settings settings = {.profile = PROFILE_STRICT};
	struct bench bench;
	settings.findings.in[PLACE_QUERY][URL_RANK_ESCAPE_INVALID] = ACTION_REJECT;
	settings.findings.in[PLACE_COOKIE][URL_RANK_ESCAPE_INVALID] = ACTION_REJECT;
	bench_open(&bench, &sql_rule, 1,
		   "{ finding = \"escape-invalid\"; argument = \"q\";" SAYS
		   ", { finding = \"escape-invalid\"; cookie = \"c\";" SAYS,
		   settings);
	EXPECT(&bench, rows);
	struct verdict v = ask(&bench, "GET", "/?q=100%", "");
	assert_non_null(v.excepted);
	assert_null(v.excepted_rule);
	v = ask(&bench, "GET", "/?q=1%&p=22%&r=333%", "");
	assert_int_equal(v.evidence.ptr[-1], '2'); /* the first that is not excepted */
	bench_close(&bench);
}

static void scored_finding_weighs_nothing_where_it_is_excepted(void **state)
{
	(void)state;
	struct shield_settings settings = {.limits = {.score = 1}};
	struct bench bench;
	settings.findings.in[PLACE_QUERY][URL_RANK_ESCAPE_INVALID] = ACTION_SCORE;
	bench_open(&bench, &sql_rule, 1, "{ finding = \"escape-invalid\"; argument = \"q\";" SAYS, settings);
	assert_int_equal(ask(&bench, "GET", "/?q=1%", "").action, VERDICT_ALLOW);
	assert_int_equal(ask(&bench, "GET", "/?q=1%&p=1%", "").reason, REASON_SCORE);
	bench_close(&bench);
}

static void content_has_the_exceptions_of_its_head(void **state)
{
	(void)state;
	struct rule_selector selectors[8];
	const struct rule_condition condition = everywhere("union", selectors);
	const struct rule_spec rule = {.id = "r", .message = "", .conditions = &condition, .condition_count = 1};
	static const struct {
		enum body_place place;
		const char *name;
		bool passes;
	} rows[] = {
	    {BODY_ARGUMENT, "note", true},	{BODY_ARGUMENT, "Note", false},
	    {BODY_JSON_VALUE, "a.b[]", true},	{BODY_JSON_VALUE, "a.b", false},
	    {BODY_FILE_NAME, "up", true},	{BODY_FILE_NAME, "down", false},
	};
	for (int at_path = 1; at_path >= 0; at_path--) {
		struct bench bench;
		bench_open(&bench, &rule, 1,
			   "{ rule = \"r\"; path = \"/p\"; form = \"note\";" SAYS
			   ", { rule = \"r\"; path = \"/p\"; json = \"a.b[]\";" SAYS
			   ", { rule = \"r\"; path = \"/p\"; file_name = \"up\";" SAYS,
			   (struct shield_settings){0});
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct verdict v = ask(&bench, "POST", at_path ? "/p/x" : "/o/x", "");
			const struct body_value value = {
			    .place = rows[i].place, .name = span_from_str(rows[i].name), .value = SPAN("a union")};
			struct shield_content content;
			struct rule_scan scan;
			shield_content_begin(&content, bench.shield, bench.scratch, SHIELD_ENFORCE, v.score);
			shield_content_scan(&content, bench.scratch, &scan);
			(void)shield_content_add(&content, &scan, &value);
			rule_scan_run(&scan);
			bool passes = !shield_content_judge(&content, &v);
			if (passes != (at_path && rows[i].passes))
				fail_msg("row %zu at %d", i, at_path);
			assert_int_equal(v.excepted != NULL, passes);
		}
		bench_close(&bench);
	}
	test_free((void *)(uintptr_t)condition.texts);
}

/* ---- what is suggested for a match lets it pass, and nothing else ---- */

struct gathered {
	const struct bench *bench;
	struct strbuf text;
	size_t n;
};

static void gather(void *context, const struct rule_match *match)
{
	struct gathered *gathered = context;
	const struct exception_place place = {
	    .rule = rule_set_get(gathered->bench->set, match->rule)->id,
	    .path = SPAN("/a/b"),
	    .method = SPAN("GET"),
	    .target = match->value->target,
	    .name = match->value->name,
	    .now_us = NOW_S * UINT64_C(1000000)};
	strbuf_addf(&gathered->text, "%s", gathered->n++ > 0 ? ", " : "");
	exception_suggest(&place, &gathered->text);
}

static void suggestions_let_pass_what_they_were_made_from_and_nothing_else(void **state)
{
	(void)state;
	static const char *const requests[] = {
	    "/a/b?q=union",	  "/a/b?%22%5C%25=union&x=y", "/a/b?%FF%01=union",	"/a/b?=union",
	    "/a/b?union=1",	  "/a/b?union=union&a=b",     "/a/b?q=union&r=union", "/a/b?a%26b=union",
	};
	struct rule_selector selectors[8];
	const struct rule_condition condition = everywhere("union", selectors);
	const struct rule_spec rules[] = {
	    {.id = "r.all", .message = "", .conditions = &condition, .condition_count = 1}, sql_rule};
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct bench bare, bench;
		struct gathered gathered = {.bench = &bare};
		const struct rule_watch watch = {gather, &gathered};
		const struct shield_settings settings = {.profile = PROFILE_LEGACY};
		char other[256];
		bench_open(&bare, rules, 2, "", settings);
		strbuf_init(&gathered.text, 1 << 16);
		shield_watch(bare.scratch, &watch);
		assert_int_equal(ask(&bare, "GET", requests[i], "").reason, REASON_RULE);
		assert_true(gathered.n > 0);
		bench_open(&bench, rules, 2, gathered.text.data, settings);
		struct verdict v = ask(&bench, "GET", requests[i], "");
		if (v.action != VERDICT_ALLOW || !v.excepted)
			fail_msg("%s: %s", requests[i], gathered.text.data);
		assert_int_equal(ask(&bench, "PUT", requests[i], "").reason, REASON_RULE);
		snprintf(other, sizeof(other), "/a/c%s", requests[i] + 4);
		assert_int_equal(ask(&bench, "GET", other, "").reason, REASON_RULE);
		snprintf(other, sizeof(other), "/a/b/c%s", requests[i] + 4);
		assert_int_equal(ask(&bench, "GET", other, "").reason, REASON_RULE);
		snprintf(other, sizeof(other), "%s&another=union", requests[i]);
		assert_int_equal(ask(&bench, "GET", other, "").reason, REASON_RULE);
		assert_int_equal(ask(&bench, "GET", requests[i], "Cookie: q=union\r\n").reason, REASON_RULE);
		bench_close(&bench);
		strbuf_release(&gathered.text);
		bench_close(&bare);
	}
	test_free((void *)(uintptr_t)condition.texts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(exception_is_for_its_value_its_path_and_its_method),
	    cmocka_unit_test(exact_path_has_nothing_below_it),
	    cmocka_unit_test(path_is_read_as_the_origin_reads_it),
	    cmocka_unit_test(path_with_empty_segments_must_lie_there_in_both_readings),
	    cmocka_unit_test(tags_and_beginnings_name_several_rules),
	    cmocka_unit_test(names_are_compared_as_their_kind_compares),
	    cmocka_unit_test(exception_takes_one_condition_of_several_away),
	    cmocka_unit_test(exception_ends_while_its_policy_serves),
	    cmocka_unit_test(verdict_says_which_exception_let_it_pass),
	    cmocka_unit_test(finding_is_excepted_in_its_value_alone),
	    cmocka_unit_test(scored_finding_weighs_nothing_where_it_is_excepted),
	    cmocka_unit_test(content_has_the_exceptions_of_its_head),
	    cmocka_unit_test(suggestions_let_pass_what_they_were_made_from_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

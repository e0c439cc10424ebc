/* Rules: what they look at, which of several is named, and what is said of a bad one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "shield/requests.h"
#include "shield/rule_sets.h"

/* A set, its shield, and scratch for both. */
struct bench {
	struct rule_set *set;
	struct shield *shield;
	struct shield_scratch *scratch;
};

static struct bench bench_new(const struct rule_spec *rules, size_t n)
{
	struct bench bench = {.set = rules_compiled(rules, n)};
	struct shield_settings settings = {.mode = SHIELD_ENFORCE, .rules = bench.set, .limits = {.score = 4}};
	struct err err;
	bench.shield = shield_new(&settings, &err);
	assert_non_null(bench.shield);
	const struct shield *const shields[] = {bench.shield};
	bench.scratch = shield_scratch_new(shields, 1, &err);
	assert_non_null(bench.scratch);
	return bench;
}

static void bench_free(struct bench *bench)
{
	shield_scratch_free(bench->scratch);
	shield_free(bench->shield);
	rule_set_free(bench->set);
}

static void rule_sees_what_its_where_says(void **state)
{
	(void)state;
	const struct rule_spec rules[] = {
	    RULE_OF("path", TARGET_PATH, "/b/x y$"),
	    RULE_OF("query", TARGET_QUERY, "^q=x y&$"),
	    RULE_OF("url", TARGET_URL, "^/a/\\.\\./b/%78\\?q=%78$"),
	};
	static const struct {
		const char *target, *rule;
	} rows[] = {
	    {"/a/../b/x%20%79?q=1", "path"},
	    {"/b/X%20Y", "path"},
	    {"/z?q=%78+y%26", "query"},
	    {"/z?Q=x%20Y%26", "query"},
	    {"/a/../b/%78?q=%78", "url"},
	    {"/b/%78?q=%78", NULL},
	    {"/q=x%20y&", NULL},
	    {"/z?/b/x%20y", NULL},
	    {"/z?", NULL},
	    {"/", NULL},
	};
	struct bench bench = bench_new(rules, 3);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verdict verdict = request_judge(bench.shield, bench.scratch, "GET", rows[i].target);
		const char *rule = verdict.rule ? verdict.rule : "-";
		if (strcmp(rule, rows[i].rule ? rows[i].rule : "-") != 0)
			fail_msg("%s: %s", rows[i].target, rule);
		assert_int_equal(verdict.reason, rows[i].rule ? REASON_RULE : REASON_UNSET);
	}
	bench_free(&bench);
}

static void rule_that_comes_first_is_named(void **state)
{
	(void)state;
	const struct rule_spec rules[] = {
	    RULE_OF("0", TARGET_QUERY, "zero"), RULE_OF("1", TARGET_PATH, "o.*e"),
	    RULE_OF("2", TARGET_URL, "one"),    RULE_OF("3", TARGET_PATH, "one"),
	    RULE_OF("4", TARGET_QUERY, "four"),
	};
	static const struct {
		const char *target, *rule;
	} rows[] = {
	    {"/one?zero", "0"},  {"/one", "1"},   {"/xone?four", "1"},
	    {"/?one+four", "2"}, {"/?four", "4"}, {"/on?four+zero", "0"},
	};
	struct bench bench = bench_new(rules, 5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verdict verdict = request_judge(bench.shield, bench.scratch, "GET", rows[i].target);
		assert_non_null(verdict.rule);
		assert_string_equal(verdict.rule, rows[i].rule);
	}
	bench_free(&bench);
}

static void rule_shows_what_it_saw_up_to_the_match(void **state)
{
	(void)state;
	const struct rule_spec rules[] = {RULE_OF("path", TARGET_PATH, "cmd\\.exe"),
						 RULE_OF("query", TARGET_QUERY, "a b&"),
						 RULE_OF("url", TARGET_URL, "%7a")};
	static const struct {
		const char *target, *evidence;
	} rows[] = {
	    {"/a/%63md.exe/tail?x", "/a/cmd.exe"},
	    {"/?q=100%%20x%61+b%26c=d", "q=100%%20x%61+b%26"},
	    {"/x%7Ay?z", "/x%7A"},
	};
	struct bench bench = bench_new(rules, 3);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verdict verdict = request_judge(bench.shield, bench.scratch, "GET", rows[i].target);
		assert_int_equal(verdict.status, 403);
		if (!span_eq(verdict.evidence, span_from_str(rows[i].evidence)))
			fail_msg("%s: '%.*s'", rows[i].target, SPAN_ARG(verdict.evidence));
	}
	bench_free(&bench);
}

static void bad_rule_is_named_with_what_is_wrong(void **state)
{
	(void)state;
	const struct {
		struct rule_spec rule;
		const char *says;
	} rows[] = {
	    {RULE_OF("x", TARGET_PATH, "("), "rule 'x'"},
	    {RULE_OF("x", TARGET_PATH, "a*"), "rule 'x'"}, /* matches anything */
	    {RULE_OF("x", TARGET_ARG, "(?<=a*)b"), "rule 'x'"},
	    {RULE_OF("x", TARGET_PATH, ""), "nothing to look for"},
	    {RULE_OF("x", TARGET_PATH, NULL), "nothing to look for"},
	    {RULE_OF("x", TARGET_UNSET, "a"), "looks nowhere"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct rule_spec rules[] = {
		    RULE_OF("good", TARGET_PATH, "a"), RULE_OF("fine", TARGET_URL, "b"), rows[i].rule};
		struct rule_complaints complaints = {0};
		if (rule_set_new(rules, 3, note_complaint, &complaints))
			fail_msg("row %zu compiles", i);
		assert_int_equal(complaints.n, 1);
		assert_int_equal(complaints.rules[0], 2);
		if (!strstr(complaints.texts[0], rows[i].says))
			fail_msg("row %zu: %s", i, complaints.texts[0]);
	}
}

static void all_bad_rules_are_named_at_once(void **state)
{
	(void)state;
	const struct rule_spec rules[] = {RULE_OF("0", TARGET_PATH, "a"), RULE_OF("1", TARGET_URL, "("),
					  RULE_OF("2", TARGET_QUERY, "["), RULE_OF("3", TARGET_PATH, "b"),
					  RULE_OF("4", TARGET_FIELD, ")")};
	struct rule_complaints complaints = {0};
	assert_null(rule_set_new(rules, 5, note_complaint, &complaints));
	assert_int_equal(complaints.n, 3);
	assert_int_equal(complaints.rules[0], 1);
	assert_int_equal(complaints.rules[1], 2);
	assert_int_equal(complaints.rules[2], 4);
}

static void scratch_serves_many_shields(void **state)
{
	(void)state;
	const struct rule_spec small[] = {RULE_OF("small", TARGET_PATH, "one")};
	const struct rule_spec large[] = {RULE_OF("a", TARGET_QUERY, "a.{100}b"),
					  RULE_OF("b", TARGET_URL, "x[0-9]{1,50}y"),
					  RULE_OF("c", TARGET_PATH, "(?:one|two|three)+four.*five")};
	struct err err;
	struct bench benches[] = {bench_new(NULL, 0), bench_new(large, 3), bench_new(small, 1)};
	const struct shield *const all[] = {benches[0].shield, benches[1].shield, benches[2].shield};
	struct shield_scratch *scratch = shield_scratch_new(all, 3, &err);
	assert_non_null(scratch);
	assert_null(request_judge(benches[0].shield, scratch, "GET", "/one").rule);
	assert_string_equal(request_judge(benches[1].shield, scratch, "GET", "/x12y").rule, "b");
	assert_string_equal(request_judge(benches[2].shield, scratch, "GET", "/one").rule, "small");
	shield_scratch_free(scratch);
	for (size_t i = 0; i < 3; i++)
		bench_free(&benches[i]);
}

static void rules_that_cannot_be_matched_refuse(void **state)
{
	(void)state;
	const struct rule_spec rules[] = {RULE_OF("r", TARGET_PATH, "one")};
	struct err err;
	struct bench bench = bench_new(rules, 1);
	struct shield_scratch *scratch = shield_scratch_new(NULL, 0, &err);
	struct verdict verdict = request_judge(bench.shield, scratch, "GET", "/");
	assert_int_equal(verdict.action, VERDICT_REJECT);
	assert_string_equal(verdict.rule, SHIELD_RULE_BROKEN);
	shield_scratch_free(scratch);
	bench_free(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rule_sees_what_its_where_says),
	    cmocka_unit_test(rule_that_comes_first_is_named),
	    cmocka_unit_test(rule_shows_what_it_saw_up_to_the_match),
	    cmocka_unit_test(bad_rule_is_named_with_what_is_wrong),
	    cmocka_unit_test(all_bad_rules_are_named_at_once),
	    cmocka_unit_test(scratch_serves_many_shields),
	    cmocka_unit_test(rules_that_cannot_be_matched_refuse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

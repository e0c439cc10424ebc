/* Rules: what they look at, which of several is named, and what is said of a bad one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "shield/requests.h"

static struct shield *new_shield(const struct rule_spec *rules, size_t n)
{
	struct shield_settings settings = {.mode = SHIELD_ENFORCE, .rules = rules, .rule_count = n};
	struct err err;
	size_t bad;
	struct shield *shield = shield_new(&settings, &bad, &err);
	if (!shield)
		fail_msg("rule %zu: %s", bad, err.text);
	return shield;
}

static struct shield_scratch *new_scratch(const struct shield *shield)
{
	struct err err;
	struct shield_scratch *scratch = shield_scratch_new(&shield, 1, &err);
	assert_non_null(scratch);
	return scratch;
}

static void rule_sees_what_its_where_says(void **state)
{
	(void)state;
	static const struct rule_spec rules[] = {
	    {"path", "path", "/b/x y$", "", NULL, {0}},
	    {"query", "query", "^q=x y&$", "", NULL, {0}},
	    {"url", "url", "^/a/\\.\\./b/%78\\?q=%78$", "", NULL, {0}},
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
	struct shield *shield = new_shield(rules, 3);
	struct shield_scratch *scratch = new_scratch(shield);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verdict verdict = request_judge(shield, scratch, "GET", rows[i].target);
		const char *rule = verdict.rule ? verdict.rule : "-";
		if (strcmp(rule, rows[i].rule ? rows[i].rule : "-") != 0)
			fail_msg("%s: %s", rows[i].target, rule);
		assert_int_equal(verdict.reason, rows[i].rule ? REASON_RULE : REASON_UNSET);
	}
	shield_scratch_free(scratch);
	shield_free(shield);
}

static void rule_that_comes_first_is_named(void **state)
{
	(void)state;
	static const struct rule_spec rules[] = {
	    {"0", "query", "zero", "", NULL, {0}}, {"1", "path", "o.*e", "", NULL, {0}},
	    {"2", "url", "one", "", NULL, {0}},    {"3", "path", "one", "", NULL, {0}},
	    {"4", "query", "four", "", NULL, {0}},
	};
	static const struct {
		const char *target, *rule;
	} rows[] = {
	    {"/one?zero", "0"},  {"/one", "1"},   {"/xone?four", "1"},
	    {"/?one+four", "2"}, {"/?four", "4"}, {"/on?four+zero", "0"},
	};
	struct shield *shield = new_shield(rules, 5);
	struct shield_scratch *scratch = new_scratch(shield);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verdict verdict = request_judge(shield, scratch, "GET", rows[i].target);
		assert_non_null(verdict.rule);
		assert_string_equal(verdict.rule, rows[i].rule);
	}
	shield_scratch_free(scratch);
	shield_free(shield);
}

static void rule_shows_what_it_saw_up_to_the_match(void **state)
{
	(void)state;
	static const struct rule_spec rules[] = {{"path", "path", "cmd\\.exe", "", NULL, {0}},
						 {"query", "query", "a b&", "", NULL, {0}},
						 {"url", "url", "%7a", "", NULL, {0}}};
	static const struct {
		const char *target, *evidence;
	} rows[] = {
	    {"/a/%63md.exe/tail?x", "/a/cmd.exe"},
	    {"/?q=100%%20x%61+b%26c=d", "q=100%%20x%61+b%26"},
	    {"/x%7Ay?z", "/x%7A"},
	};
	struct shield *shield = new_shield(rules, 3);
	struct shield_scratch *scratch = new_scratch(shield);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verdict verdict = request_judge(shield, scratch, "GET", rows[i].target);
		assert_int_equal(verdict.status, 403);
		if (!span_eq(verdict.evidence, span_from_str(rows[i].evidence)))
			fail_msg("%s: '%.*s'", rows[i].target, SPAN_ARG(verdict.evidence));
	}
	shield_scratch_free(scratch);
	shield_free(shield);
}

static void bad_rule_is_named_with_what_is_wrong(void **state)
{
	(void)state;
	static const struct {
		struct rule_spec rule;
		const char *says;
	} rows[] = {
	    {{"x", "path", "(", "", NULL, {0}}, "rule 'x'"},
	    {{"x", "query", "a(?=b)", "", NULL, {0}}, "rule 'x'"},
	    {{"x", "url", "(a)\\1", "", NULL, {0}}, "rule 'x'"},
	    {{"x", "path", "a*", "", NULL, {0}}, "rule 'x'"}, /* matches anything */
	    {{"x", "path", "", "", NULL, {0}}, "rule 'x'"},
	    {{"x", "body", "a", "", NULL, {0}}, "where is"},
	    {{"x", NULL, "a", "", NULL, {0}}, "where is"},
	    {{"x", "path", NULL, "", NULL, {0}}, "no pattern"},
	    {{NULL, "path", "a", "", NULL, {0}}, "no id"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rule_spec rules[] = {
		    {"good", "path", "a", "", NULL, {0}}, {"fine", "url", "b", "", NULL, {0}}, rows[i].rule};
		struct shield_settings settings = {.rules = rules, .rule_count = 3};
		struct err err = {""};
		size_t bad = 99;
		assert_null(shield_new(&settings, &bad, &err));
		assert_int_equal(bad, 2);
		if (!strstr(err.text, rows[i].says))
			fail_msg("row %zu: %s", i, err.text);
	}
}

static void first_bad_rule_is_named_wherever_it_looks(void **state)
{
	(void)state;
	static const struct rule_spec rules[] = {{"0", "path", "a", "", NULL, {0}},
						 {"1", "url", "(", "", NULL, {0}},
						 {"2", "query", "(", "", NULL, {0}},
						 {"3", "path", "(", "", NULL, {0}},
						 {"4", "url", "(", "", NULL, {0}}};
	for (size_t first = 0; first < 5; first++) {
		struct shield_settings settings = {.rules = rules + first, .rule_count = 5 - first};
		struct err err = {""};
		size_t bad = 99;
		assert_null(shield_new(&settings, &bad, &err));
		assert_int_equal(bad + first, first == 0 ? 1 : first);
		assert_int_equal(err.text[strlen("rule '")], '0' + (char)(bad + first));
	}
}

static void scratch_serves_many_shields(void **state)
{
	(void)state;
	static const struct rule_spec small[] = {{"small", "path", "one", "", NULL, {0}}};
	static const struct rule_spec large[] = {
	    {"a", "query", "a.{100}b", "", NULL, {0}},
	    {"b", "url", "x[0-9]{1,50}y", "", NULL, {0}},
	    {"c", "path", "(?:one|two|three)+four.*five", "", NULL, {0}}};
	struct err err;
	struct shield *shields[] = {new_shield(NULL, 0), new_shield(large, 3),
				    new_shield(small, 1)};
	const struct shield *const all[] = {shields[0], shields[1], shields[2]};
	struct shield_scratch *scratch = shield_scratch_new(all, 3, &err);
	assert_non_null(scratch);
	assert_null(request_judge(shields[0], scratch, "GET", "/one").rule);
	assert_string_equal(request_judge(shields[1], scratch, "GET", "/x12y").rule, "b");
	assert_string_equal(request_judge(shields[2], scratch, "GET", "/one").rule, "small");
	shield_scratch_free(scratch);
	for (size_t i = 0; i < 3; i++)
		shield_free(shields[i]);
}

static void rules_that_cannot_be_matched_refuse(void **state)
{
	(void)state;
	static const struct rule_spec rules[] = {{"r", "path", "one", "", NULL, {0}}};
	struct err err;
	struct shield *shield = new_shield(rules, 1);
	struct shield_scratch *scratch = shield_scratch_new(NULL, 0, &err);
	struct verdict verdict = request_judge(shield, scratch, "GET", "/");
	assert_int_equal(verdict.action, VERDICT_REJECT);
	assert_string_equal(verdict.rule, SHIELD_RULE_BROKEN);
	shield_scratch_free(scratch);
	shield_free(shield);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rule_sees_what_its_where_says),
	    cmocka_unit_test(rule_that_comes_first_is_named),
	    cmocka_unit_test(rule_shows_what_it_saw_up_to_the_match),
	    cmocka_unit_test(bad_rule_is_named_with_what_is_wrong),
	    cmocka_unit_test(first_bad_rule_is_named_wherever_it_looks),
	    cmocka_unit_test(scratch_serves_many_shields),
	    cmocka_unit_test(rules_that_cannot_be_matched_refuse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Answers to refusals: a site's by reason, a rule's by itself, and none where nothing is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "shield/requests.h"
#include "shield/rule_sets.h"

#include "sallyport/verdict_answer.h"

static struct verdict judge_with(const struct shield_settings *settings, const char *target)
{
	struct err err;
	struct shield *shield = shield_new(settings, &err);
	assert_non_null(shield);
	const struct shield *const shields[] = {shield};
	struct shield_scratch *scratch = shield_scratch_new(shields, 1, &err);
	struct verdict verdict = request_judge(shield, scratch, "GET", target);
	shield_scratch_free(scratch);
	shield_free(shield);
	return verdict;
}

static void a_site_answers_by_reason(void **state)
{
	(void)state;
	static const struct reason_answer answers[] = {
	    {REASON_ESCAPE_NUL, {VERDICT_TARPIT, 404}},
	    {REASON_PATH_ABOVE_ROOT, {VERDICT_CLOSE, 0}},
	    {REASON_TOO_MANY_SEGMENTS, {VERDICT_UNSET, 410}},
	};
	static const struct {
		const char *target;
		enum verdict_action action;
		unsigned status;
	} cases[] = {
	    {"/a%00", VERDICT_TARPIT, 404},  {"/../a", VERDICT_CLOSE, 400},
	    {"/a/b/c", VERDICT_REJECT, 410}, {"/%252e", VERDICT_REJECT, 400},
	    {"/a", VERDICT_ALLOW, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct shield_settings settings = {
		    .answers = answers, .answer_count = 3, .limits = {.segments = 2}};
		struct verdict verdict = judge_with(&settings, cases[i].target);
		assert_int_equal(verdict.action, cases[i].action);
		assert_int_equal(verdict.status, cases[i].status);
		settings.mode = SHIELD_MONITOR;
		verdict = judge_with(&settings, cases[i].target);
		assert_int_equal(verdict.action, cases[i].action);
		assert_true(verdict.enforced == (cases[i].action == VERDICT_ALLOW));
	}
}

static void a_rule_answers_before_its_site(void **state)
{
	(void)state;
	struct rule_spec rules[] = {
	    RULE_OF("plain", TARGET_PATH, "plain"),
	    RULE_OF("status", TARGET_PATH, "status"),
	    RULE_OF("action", TARGET_PATH, "action"),
	};
	rules[1].answer.status = 404;
	rules[2].answer.action = VERDICT_REJECT;
	struct rule_set *set = rules_compiled(rules, 3);
	static const struct reason_answer answers[] = {{REASON_RULE, {VERDICT_TARPIT, 410}}};
	struct shield_settings settings = {
	    .rules = set, .answers = answers, .answer_count = 1};
	struct verdict verdict = judge_with(&settings, "/plain");
	assert_int_equal(verdict.action, VERDICT_TARPIT);
	assert_int_equal(verdict.status, 410);
	verdict = judge_with(&settings, "/status");
	assert_int_equal(verdict.action, VERDICT_TARPIT);
	assert_int_equal(verdict.status, 404);
	verdict = judge_with(&settings, "/action");
	assert_int_equal(verdict.action, VERDICT_REJECT);
	assert_int_equal(verdict.status, 410);
	rule_set_free(set);
}

static void only_what_the_shield_refuses_has_answers(void **state)
{
	(void)state;
	static const enum reason none[] = {REASON_UNSET,        REASON_BARE_LF,  REASON_HOST_UNKNOWN,
					   REASON_FRAGMENT,     REASON_BANNED,   REASON_OVERLOAD,
					   REASON_HEAD_TIMEOUT, REASON_ORIGIN_DOWN,
					   REASON_METHOD_TRACE};
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(answer_is_for(none[i]));
	assert_true(answer_is_for(REASON_RULE));
	assert_true(answer_is_for(REASON_SCORE));
	assert_true(answer_is_for(REASON_THROTTLED));
	assert_true(answer_has_status(415));
	assert_false(answer_has_status(200));
	assert_false(answer_has_status(416));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_site_answers_by_reason),
	    cmocka_unit_test(a_rule_answers_before_its_site),
	    cmocka_unit_test(only_what_the_shield_refuses_has_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

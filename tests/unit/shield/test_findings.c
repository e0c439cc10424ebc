/* Findings: each has a URL that shows it, and what comes of it is what the table says for every
 * profile and kind of origin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "shield/requests.h"

#include "shield/compiled.h"

/* A path with this finding and no other that is rejected before it anywhere. */
static const char *const paths[URL_FINDING_KINDS] = {
    [URL_RANK_ESCAPE_NUL] = "/a%00",
    [URL_RANK_UTF8_OVERLONG] = "/%c0%ba",
    [URL_RANK_ESCAPE_UNICODE] = "/%u0041",
    [URL_RANK_RAW_UNSAFE] = "/<a>",
    [URL_RANK_ABOVE_ROOT] = "/../a",
    [URL_RANK_PARAMETER_DOTS] = "/a/..;x/b",
    [URL_RANK_DOTS_DISGUISED] = "/a/.%20./b",
    [URL_RANK_DOTS_AMBIGUOUS] = "/a//../b",
    [URL_RANK_ESCAPE_DOUBLE] = "/%2541",
    [URL_RANK_ESCAPE_CONTROL] = "/a%0ab",
    [URL_RANK_ESCAPE_INVALID] = "/100%",
    [URL_RANK_BACKSLASH] = "/a%5cb",
    [URL_RANK_ENCODED_SLASH] = "/a%2fb",
    [URL_RANK_STREAM_DATA] = "/a.asp::$DATA",
    [URL_RANK_UTF8_INVALID] = "/caf%e9",
    [URL_RANK_LOOKALIKE] = "/a%EF%BC%8Fb",
    [URL_RANK_INVISIBLE] = "/a%E2%80%AEb",
    [URL_RANK_DOTS_MANY] = "/.../a",
    [URL_RANK_DEVICE_NAME] = "/a/com1.txt",
    [URL_RANK_STREAM] = "/a:b",
    [URL_RANK_SHORT_NAME] = "/progra~1",
    [URL_RANK_TRAILING_DOT] = "/a./b",
    [URL_RANK_PARAMETER] = "/a;x=1",
    [URL_RANK_PATH_INFO] = "/a.php/b",
    [URL_RANK_RAW_BYTE] = "/a|b",
    [URL_RANK_HIGH_BIT] = "/caf%C3%A9",
    [URL_RANK_DOT_IN_PATH] = "/a.b/c",
    [URL_RANK_DOT_SEGMENT] = "/a/./b",
    [URL_RANK_EMPTY_SEGMENT] = "/a//b",
    [URL_RANK_ESCAPE_NEEDLESS] = "/%41",
};

static const char *const queries[URL_FINDING_KINDS] = {
    [URL_RANK_ESCAPE_NUL] = "/?a=%00",        [URL_RANK_UTF8_OVERLONG] = "/?a=%c0%ae",
    [URL_RANK_ESCAPE_UNICODE] = "/?a=%u002e", [URL_RANK_ESCAPE_DOUBLE] = "/?a=%252e",
    [URL_RANK_ESCAPE_CONTROL] = "/?a=%0a",    [URL_RANK_ESCAPE_INVALID] = "/?a=100%",
    [URL_RANK_NAME_CONTROL] = "/?a%0ab=1",    [URL_RANK_UTF8_INVALID] = "/?a=%e9",
    [URL_RANK_INVISIBLE] = "/?a=%E2%80%AE",   [URL_RANK_RAW_BYTE] = "/?a={b}",
    [URL_RANK_HIGH_BIT] = "/?a=%C3%A9",
};

/* Judges by one finding alone: all others are accepted as far as they can be. */
static struct verdict judge_alone(int profile, int kind, int finding, bool in_query,
				  const char *target, int action)
{
	struct shield_settings settings = {.profile = profile, .origin_kind = kind};
	struct err err;
	size_t bad;
	for (int i = 0; i < URL_FINDING_KINDS; i++) {
		settings.findings.path[i] = i == finding && !in_query ? 0 : ACTION_ACCEPT;
		settings.findings.query[i] = i == finding && in_query ? 0 : ACTION_ACCEPT;
	}
	if (action)
		(in_query ? settings.findings.query : settings.findings.path)[finding] =
		    (uint8_t)action;
	struct shield *shield = shield_new(&settings, &bad, &err);
	assert_non_null(shield);
	const struct shield *const shields[] = {shield};
	struct shield_scratch *scratch = shield_scratch_new(shields, 1, &err);
	struct verdict verdict = request_judge(shield, scratch, "GET", target);
	shield_scratch_free(scratch);
	shield_free(shield);
	return verdict;
}

static void expect_action(const struct verdict *verdict, unsigned action, int finding,
			  bool in_query, const char *target)
{
	unsigned bit = 1u << finding;
	bool rejected = action == ACTION_REJECT, scored = action == ACTION_SCORE;
	if ((verdict->action == VERDICT_REJECT) != rejected ||
	    verdict->score != (scored ? findings_weight(bit) : 0))
		fail_msg("%s: %s, score %u, where the action is %u", target,
			 reason_name(verdict->reason), verdict->score, action);
	if (rejected) {
		assert_int_equal(verdict->reason, finding_reason(bit));
		assert_string_equal(verdict->setting, finding_setting(bit, in_query));
		assert_true(verdict->evidence.len > 0);
	}
}

static void every_finding_does_what_the_table_says(void **state)
{
	(void)state;
	for (int i = 0; i < URL_FINDING_KINDS; i++) {
		enum url_finding_rank rank = (enum url_finding_rank)i;
		for (int profile = PROFILE_STRICT; profile < PROFILE_COUNT; profile++) {
			for (int kind = ORIGIN_UNIX; paths[i] && kind < ORIGIN_KINDS; kind++) {
				struct verdict verdict =
				    judge_alone(profile, kind, i, false, paths[i], 0);
				expect_action(&verdict,
					      shield_path_action((enum shield_profile)profile,
								 (enum origin_kind)kind, rank),
					      i, false, paths[i]);
			}
			if (!queries[i])
				continue;
			struct verdict verdict =
			    judge_alone(profile, ORIGIN_UNIX, i, true, queries[i], 0);
			expect_action(&verdict,
				      shield_query_action((enum shield_profile)profile, rank), i,
				      true, queries[i]);
		}
	}
}

/* raw-unsafe in a query can't come from a request that was split. */
static void every_finding_can_be_chosen_otherwise(void **state)
{
	(void)state;
	for (int i = 0; i < URL_FINDING_KINDS; i++) {
		enum url_finding_rank rank = (enum url_finding_rank)i;
		bool somewhere = false;
		for (int in_query = 0; in_query < 2; in_query++) {
			const char *target = (in_query ? queries : paths)[i];
			bool possible = shield_action_is_possible(rank, in_query, ACTION_REJECT);
			somewhere |= possible;
			assert_true(possible == (target != NULL) || rank == URL_RANK_RAW_UNSAFE);
			for (int action = ACTION_ACCEPT; target && action <= ACTION_SCORE;
			     action++) {
				if (!shield_action_is_possible(rank, in_query,
							       (enum finding_action)action))
					continue;
				struct verdict verdict = judge_alone(PROFILE_STANDARD, ORIGIN_UNIX,
								     i, in_query, target, action);
				expect_action(&verdict, (unsigned)action, i, in_query, target);
			}
		}
		assert_true(somewhere);
	}
}

static void score_adds_up_and_is_limited(void **state)
{
	(void)state;
	struct shield_settings settings = {.limits = {.score = 4}};
	struct err err;
	size_t bad;
	struct shield *shield = shield_new(&settings, &bad, &err);
	assert_non_null(shield);
	const struct shield *const shields[] = {shield};
	struct shield_scratch *scratch = shield_scratch_new(shields, 1, &err);
	struct verdict verdict = request_judge(shield, scratch, "GET", "/.../%E2%80%AEa");
	assert_int_equal(verdict.action, VERDICT_ALLOW);
	assert_int_equal(verdict.score, 4);
	verdict = request_judge(shield, scratch, "GET", "/.../%E2%80%AEa/%EF%BC%8Fb");
	assert_int_equal(verdict.reason, REASON_SCORE);
	assert_int_equal(verdict.limit, 4);
	assert_int_equal(verdict.value, 7);
	assert_string_equal(verdict.setting, "sites[].shield.limits.score");
	shield_scratch_free(scratch);
	shield_free(shield);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_finding_does_what_the_table_says),
	    cmocka_unit_test(every_finding_can_be_chosen_otherwise),
	    cmocka_unit_test(score_adds_up_and_is_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Findings: each has a request that shows it, and what comes of it is what the table says for every
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
    [URL_RANK_HIGH_BIT] = "/?a=%C3%A9",       [URL_RANK_HEAD_SPLIT] = "/?a=%0aLocation:/b",
};

static const char *const cookies[URL_FINDING_KINDS] = {
    [URL_RANK_ESCAPE_NUL] = "Cookie: a=%00",
    [URL_RANK_UTF8_OVERLONG] = "Cookie: a=1; b=%c0%ae",
    [URL_RANK_HEAD_SPLIT] = "Cookie: a=%0d%0aSet-Cookie:%20b=1",
    [URL_RANK_ESCAPE_UNICODE] = "Cookie: a=%u002e",
    [URL_RANK_ESCAPE_DOUBLE] = "Cookie: a=%252e",
    [URL_RANK_ESCAPE_CONTROL] = "Cookie: a=x%0a",
    [URL_RANK_ESCAPE_INVALID] = "Cookie: a=100%; b=1",
    [URL_RANK_NAME_CONTROL] = "Cookie: a%0ab=1",
    [URL_RANK_UTF8_INVALID] = "Cookie: a=caf\xe9",
    [URL_RANK_INVISIBLE] = "Cookie: a=%E2%80%AE",
    [URL_RANK_RAW_BYTE] = "Cookie: a=caf\xc3\xa9",
    [URL_RANK_HIGH_BIT] = "Cookie: a=%C3%A9",
};

static const char *const fields[URL_FINDING_KINDS] = {
    [URL_RANK_ESCAPE_NUL] = "Referer: http://a/%00",
    [URL_RANK_UTF8_OVERLONG] = "Destination: /a/%c0%ae/",
    [URL_RANK_HEAD_SPLIT] = "X-Next: /a%0AHTTP/1.1 200 OK",
    [URL_RANK_ESCAPE_UNICODE] = "Referer: http://a/%u002e",
    [URL_RANK_ESCAPE_DOUBLE] = "Referer: http://a/?u=%2541",
    [URL_RANK_ESCAPE_CONTROL] = "Referer: http://a/?q=%7f",
    [URL_RANK_ESCAPE_INVALID] = "User-Agent: 100% x",
    [URL_RANK_UTF8_INVALID] = "User-Agent: caf\xe9",
    [URL_RANK_INVISIBLE] = "X-Name: a\xe2\x80\xae",
    [URL_RANK_RAW_BYTE] = "X-Name: caf\xc3\xa9",
    [URL_RANK_HIGH_BIT] = "X-Name: caf%C3%A9",
};

/* A request that has this finding there; NULL target: it can't be. */
struct sample {
	const char *target, *field;
};

static struct sample sample_of(int finding, enum finding_place place)
{
	switch (place) {
	case PLACE_PATH: return (struct sample){paths[finding], NULL};
	case PLACE_QUERY: return (struct sample){queries[finding], NULL};
	case PLACE_COOKIE: return (struct sample){cookies[finding] ? "/" : NULL, cookies[finding]};
	default: return (struct sample){fields[finding] ? "/" : NULL, fields[finding]};
	}
}

static struct verdict judge_sample(const struct shield_settings *settings, struct sample sample)
{
	struct err err;
	struct shield *shield = shield_new(settings, &err);
	assert_non_null(shield);
	const struct shield *const shields[] = {shield};
	struct shield_scratch *scratch = shield_scratch_new(shields, 1, &err);
	struct verdict verdict =
	    request_judge_with(shield, scratch, "GET", sample.target, sample.field);
	shield_scratch_free(scratch);
	shield_free(shield);
	return verdict;
}

/* Judges by one finding alone: all others are accepted as far as they can be. */
static struct verdict judge_alone(int profile, int kind, int finding, enum finding_place place,
				  int action)
{
	struct shield_settings settings = {.profile = profile, .origin_kind = kind};
	memset(&settings.findings, ACTION_ACCEPT, sizeof(settings.findings));
	settings.findings.in[place][finding] = (uint8_t)action;
	return judge_sample(&settings, sample_of(finding, place));
}

static void expect_action(const struct verdict *verdict, unsigned action, int finding,
			  enum finding_place place)
{
	struct sample sample = sample_of(finding, place);
	unsigned bit = 1u << finding;
	bool rejected = action == ACTION_REJECT, scored = action == ACTION_SCORE;
	if ((verdict->action == VERDICT_REJECT) != rejected ||
	    verdict->score != (scored ? findings_weight(bit) : 0))
		fail_msg("%s %s: %s, score %u, where the action is %u", sample.target,
			 sample.field ? sample.field : "", reason_name(verdict->reason),
			 verdict->score, action);
	if (!rejected)
		return;
	assert_int_equal(verdict->reason, finding_reason(bit));
	assert_string_equal(verdict->setting, finding_setting(bit, place));
	assert_true(verdict->evidence.len > 0);
	assert_int_equal(verdict->name.ptr != NULL, sample.field != NULL);
}

static void every_finding_does_what_the_table_says(void **state)
{
	(void)state;
	for (int i = 0; i < URL_FINDING_KINDS * PLACE_COUNT; i++) {
		enum url_finding_rank rank = (enum url_finding_rank)(i / PLACE_COUNT);
		enum finding_place place = (enum finding_place)(i % PLACE_COUNT);
		if (place == PLACE_UNSET || !sample_of((int)rank, place).target)
			continue;
		for (int profile = PROFILE_STRICT; profile < PROFILE_COUNT; profile++) {
			for (int kind = ORIGIN_UNIX; kind < ORIGIN_KINDS; kind++) {
				struct verdict verdict =
				    judge_alone(profile, kind, (int)rank, place, ACTION_UNSET);
				expect_action(&verdict,
					      shield_profile_action((enum shield_profile)profile,
								    (enum origin_kind)kind, rank,
								    place),
					      (int)rank, place);
			}
		}
	}
}

static bool is_possible_in(enum url_finding_rank rank, enum finding_place place)
{
	bool possible = shield_action_is_possible(rank, place, ACTION_REJECT);
	/* raw-unsafe in a query can't come from a request that was split. */
	if (place != PLACE_QUERY || rank != URL_RANK_RAW_UNSAFE)
		assert_int_equal(possible, sample_of((int)rank, place).target != NULL);
	return possible;
}

static void every_finding_can_be_chosen_otherwise(void **state)
{
	(void)state;
	for (int i = 0; i < URL_FINDING_KINDS; i++) {
		enum url_finding_rank rank = (enum url_finding_rank)i;
		bool somewhere = false;
		for (int p = PLACE_PATH; p < PLACE_COUNT; p++) {
			enum finding_place place = (enum finding_place)p;
			bool has_sample = sample_of(i, place).target != NULL;
			somewhere |= is_possible_in(rank, place);
			for (int action = ACTION_ACCEPT; has_sample && action <= ACTION_SCORE;
			     action++) {
				if (!shield_action_is_possible(rank, place,
							       (enum finding_action)action))
					continue;
				struct verdict verdict = judge_alone(PROFILE_STANDARD, ORIGIN_UNIX,
								     i, place, action);
				expect_action(&verdict, (unsigned)action, i, place);
			}
		}
		assert_true(somewhere);
	}
}

static void nothing_is_rewritten_in_cookies_and_fields(void **state)
{
	(void)state;
	for (int i = 0; i < URL_FINDING_KINDS; i++) {
		enum url_finding_rank rank = (enum url_finding_rank)i;
		assert_false(shield_action_is_possible(rank, PLACE_COOKIE, ACTION_REWRITE));
		assert_false(shield_action_is_possible(rank, PLACE_FIELD, ACTION_REWRITE));
	}
}

static void a_refusal_names_the_cookie_or_field(void **state)
{
	(void)state;
	static const struct {
		const char *field, *name, *evidence;
		enum reason reason;
	} rows[] = {
	    {"Cookie: a=1;  b = x%00y ; c=2", "b", "%00", REASON_ESCAPE_NUL},
	    {"Cookie: %00", "%00", "%00", REASON_ESCAPE_NUL},
	    {"Cookie: a=%0d%0a; b%1fc=1", "b%1fc", "b%1fc", REASON_ARGUMENT_NAME},
	    {"cookie: s=x%0D%0aset-Cookie%3ab", "s", "%0D%0aset-Cookie%3a", REASON_HEAD_SPLIT},
	    {"Cookie: s=%0a%0d%0a%0d%0a", "s", "%0d%0a%0d%0a", REASON_HEAD_SPLIT},
	    {"Referer: http://a/?b=%e9%00", "Referer", "%00", REASON_ESCAPE_NUL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct shield_settings settings = {0};
		struct verdict verdict =
		    judge_sample(&settings, (struct sample){"/", rows[i].field});
		assert_int_equal(verdict.reason, rows[i].reason);
		assert_true(span_eq(verdict.name, span_from_str(rows[i].name)));
		assert_true(span_eq(verdict.evidence, span_from_str(rows[i].evidence)));
	}
}

/* A kind of finding counts once in all cookies, and once in all fields. */
static void findings_of_cookies_and_fields_add_up(void **state)
{
	(void)state;
	struct shield_settings settings = {.limits = {.score = 100}};
	settings.findings.in[PLACE_COOKIE][URL_RANK_ESCAPE_CONTROL] = ACTION_SCORE;
	settings.findings.in[PLACE_COOKIE][URL_RANK_ESCAPE_INVALID] = ACTION_SCORE;
	settings.findings.in[PLACE_FIELD][URL_RANK_ESCAPE_INVALID] = ACTION_SCORE;
	static const struct {
		const char *field;
		unsigned score;
	} rows[] = {
	    {"Cookie: a=%01; b=%02", 3},
	    {"Cookie: a=%01; b=%zz", 5},
	    {"Cookie: a=%zz\r\nX: %zz\r\nY: %\r\nCookie: %", 4},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verdict verdict =
		    judge_sample(&settings, (struct sample){"/", rows[i].field});
		assert_int_equal(verdict.action, VERDICT_ALLOW);
		assert_int_equal(verdict.score, rows[i].score);
	}
}

static void score_adds_up_and_is_limited(void **state)
{
	(void)state;
	struct shield_settings settings = {.limits = {.score = 4}};
	struct err err;
	struct shield *shield = shield_new(&settings, &err);
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
	    cmocka_unit_test(nothing_is_rewritten_in_cookies_and_fields),
	    cmocka_unit_test(a_refusal_names_the_cookie_or_field),
	    cmocka_unit_test(findings_of_cookies_and_fields_add_up),
	    cmocka_unit_test(score_adds_up_and_is_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Who may ask and how often, from the policy's text to the verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sallyport/settings.h"

#define SECOND_US UINT64_C(1000000)

static struct settings *settings;
static void *memory;
static struct admission_notes notes;

/* A policy whose one site has this in its shield, and an empty table. */
static void begin(const char *shield)
{
	static const uint64_t seed[2] = {1, 2};
	char text[4096];
	struct policy_errors *errors = policy_errors_new();
	snprintf(
	    text, sizeof(text),
	    "listen = ( { address = \":8080\"; } ); default_site = \"shop\"; rules = ( );"
	    "sites = ( { name = \"shop\"; origins = ( \"http://10.0.0.5\" ); shield = { %s }; } );",
	    shield);
	settings = settings_load_text(text, NULL, errors);
	assert_int_equal(policy_errors_count(errors), 0);
	assert_non_null(settings);
	policy_errors_free(errors);
	if (!memory)
		memory = aligned_alloc(64, throttle_bytes());
	assert_non_null(memory);
	memset(memory, 0, throttle_bytes());
	throttle_init(memory, seed, 0);
}

static void end(void)
{
	settings_free(settings);
}

static const struct shield_policy *policy(void)
{
	const struct site *sites = settings->sites.items;
	return &sites[0].shield_policy;
}

static struct verdict judge(const char *visitor, const char *path, uint64_t now_us)
{
	struct addr addr;
	struct verdict verdict;
	assert_true(addr_parse_ip(span_from_str(visitor), 0, &addr));
	const struct admission_request request = {
	    .visitor = &addr, .path = span_from_str(path), .now_us = now_us, .mode = policy()->mode};
	admission_judge(&policy()->addresses, &policy()->throttle, throttle_of(memory), &request,
			&verdict, &notes);
	assert_true((verdict.action == VERDICT_ALLOW) == (verdict.reason == REASON_UNSET));
	return verdict;
}

static enum reason reason_of(const char *visitor, const char *path, uint64_t now_us)
{
	return judge(visitor, path, now_us).reason;
}

static void addresses_denied_beat_those_allowed(void **state)
{
	(void)state;
	begin("allow_addresses = ( \"10.0.0.0/8\", \"2001:db8::/32\" ); deny_addresses = ( "
	      "\"10.6.0.0/16\" );");
	assert_true(admission_is_on(&policy()->addresses, &policy()->throttle));
	assert_int_equal(reason_of("10.5.0.1", "/", 0), REASON_UNSET);
	assert_int_equal(reason_of("10.6.0.1", "/", 0), REASON_ADDRESS_DENIED);
	assert_int_equal(reason_of("192.0.2.1", "/", 0), REASON_ADDRESS_NOT_ALLOWED);
	assert_int_equal(reason_of("2001:db8:7::1", "/", 0), REASON_UNSET);
	assert_int_equal(reason_of("::1", "/", 0), REASON_ADDRESS_NOT_ALLOWED);
	assert_int_equal(judge("10.6.0.1", "/", 0).status, 403);
	assert_string_equal(judge("10.6.0.1", "/", 0).setting, "sites[].shield.deny_addresses");
	end();
	begin("deny_addresses = ( \"10.6.0.0/16\" );");
	assert_int_equal(reason_of("192.0.2.1", "/", 0), REASON_UNSET);
	assert_int_equal(reason_of("10.6.255.255", "/", 0), REASON_ADDRESS_DENIED);
	end();
}

static void nothing_is_on_by_default(void **state)
{
	(void)state;
	begin("");
	assert_false(admission_is_on(&policy()->addresses, &policy()->throttle));
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(reason_of("10.5.0.1", "/", 0), REASON_UNSET);
	end();
}

static void modes_count_as_for_the_rest_of_the_shield(void **state)
{
	(void)state;
	static const char rest[] = "throttle = { per_client = \"1/min\"; burst = 1; }; "
				   "deny_addresses = ( \"10.6.0.0/16\" );";
	char text[512];
	for (unsigned off = 0; off < 2; off++) {
		snprintf(text, sizeof(text), "mode = \"%s\"; %s", off ? "off" : "monitor", rest);
		begin(text);
		assert_int_equal(reason_of("10.6.0.1", "/", 0),
				 off ? REASON_UNSET : REASON_ADDRESS_DENIED);
		(void)judge("10.5.0.1", "/", 0);
		assert_int_equal(reason_of("10.5.0.1", "/", 0),
				 off ? REASON_UNSET : REASON_THROTTLED);
		assert_int_equal(judge("10.5.0.1", "/", 0).enforced, off);
		assert_int_equal(judge("10.6.0.1", "/", 0).enforced, off);
		end();
	}
}

static void retry_after_is_rounded_up_and_true(void **state)
{
	(void)state;
	begin("throttle = { per_client = \"7/min\"; burst = 2; };");
	assert_int_equal(reason_of("10.5.0.1", "/", 100), REASON_UNSET);
	assert_int_equal(reason_of("10.5.0.1", "/", 100), REASON_UNSET);
	struct verdict verdict = judge("10.5.0.1", "/", 101);
	assert_int_equal(verdict.reason, REASON_THROTTLED);
	assert_int_equal(verdict.status, 429);
	assert_int_equal(verdict.limit, 7);
	assert_true(verdict.enforced);
	assert_string_equal(verdict.setting, "sites[].shield.throttle.per_client");
	assert_int_equal(verdict.retry_after_s, 9); /* 60 s / 7 = 8.57 s */
	assert_int_equal(reason_of("10.5.0.1", "/", 101 + 8 * SECOND_US), REASON_THROTTLED);
	assert_int_equal(reason_of("10.5.0.1", "/", 101 + 9 * SECOND_US), REASON_UNSET);
	end();
}

static void clients_are_addresses_and_networks_of_64_bits(void **state)
{
	(void)state;
	begin("throttle = { per_client = \"1/min\"; burst = 1; };");
	assert_int_equal(reason_of("10.5.0.1", "/", 0), REASON_UNSET);
	assert_int_equal(reason_of("::ffff:10.5.0.1", "/", 0), REASON_THROTTLED);
	assert_int_equal(reason_of("10.5.0.2", "/", 0), REASON_UNSET);
	assert_int_equal(reason_of("2001:db8::1", "/", 0), REASON_UNSET);
	assert_int_equal(reason_of("2001:db8:0:0:ffff::9", "/", 0), REASON_THROTTLED);
	assert_int_equal(reason_of("2001:db8:0:1::1", "/", 0), REASON_UNSET);
	end();
}

static void the_longest_path_counts_besides_the_site(void **state)
{
	(void)state;
	begin("throttle = { per_client = \"100/s\"; burst = 101; paths = ("
	      "{ path = \"/a\"; per_client = \"1/min\"; burst = 2; },"
	      "{ path = \"/a/b\"; per_client = \"1/min\"; burst = 3; },"
	      "{ path = \"/c\"; per_client = \"1/min\"; burst = 200; } ); };");
	static const struct {
		const char *path;
		unsigned passes;
	} cases[] = {{"/a", 2},   {"/a/x", 0},  {"/a/b", 3}, {"/a/b/c", 0},
		     {"/ab", 20}, {"/a/bc", 0}, {"/", 20},   {"/c/", 50}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned passes = 0;
		for (unsigned j = 0; j < cases[i].passes + (i < 4 || i == 5); j++)
			passes += reason_of("10.5.0.1", cases[i].path, 0) == REASON_UNSET;
		assert_int_equal(passes, cases[i].passes);
	}
	struct verdict verdict = judge("10.5.0.1", "/a", 0);
	assert_true(span_eq(verdict.evidence, SPAN("/a")));
	assert_string_equal(verdict.setting, "sites[].shield.throttle.paths[].per_client");
	(void)judge("10.5.0.1", "/", 0);
	assert_string_equal(judge("10.5.0.1", "/c", 0).setting,
			    "sites[].shield.throttle.per_client");
	end();
}

static void who_is_allowed_is_not_counted(void **state)
{
	(void)state;
	begin("throttle = { per_client = \"1/min\"; burst = 1; strikes = 1; allow = ( "
	      "\"10.5.0.0/16\" ); };");
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(reason_of("10.5.0.1", "/", 0), REASON_UNSET);
	end();
}

static void strikes_end_in_a_ban_that_ends(void **state)
{
	(void)state;
	begin("throttle = { per_client = \"60/min\"; burst = 1; strikes = 3; ban = \"2 min\"; };");
	assert_int_equal(reason_of("10.5.0.1", "/", 0), REASON_UNSET);
	assert_int_equal(reason_of("10.5.0.1", "/", 0), REASON_THROTTLED);
	assert_int_equal(reason_of("10.5.0.1", "/", 0), REASON_THROTTLED);
	struct verdict verdict = judge("10.5.0.1", "/", 0);
	assert_int_equal(verdict.reason, REASON_BANNED);
	assert_int_equal(verdict.action, VERDICT_REJECT);
	assert_int_equal(verdict.status, 429);
	assert_int_equal(verdict.limit, 3);
	assert_int_equal(verdict.retry_after_s, 120);
	assert_true(notes.newly_banned);
	assert_int_equal(judge("10.5.0.1", "/", 30 * SECOND_US + 1).retry_after_s, 90);
	assert_false(notes.newly_banned);
	assert_int_equal(reason_of("10.5.0.2", "/", 30 * SECOND_US), REASON_UNSET);
	assert_int_equal(reason_of("10.5.0.1", "/", 120 * SECOND_US), REASON_UNSET);
	end();
	begin("throttle = { per_client = \"60/min\"; burst = 1; strikes = 1; ban_action = "
	      "\"close\"; };");
	(void)judge("10.5.0.1", "/", 0);
	assert_int_equal(judge("10.5.0.1", "/", 0).action, VERDICT_CLOSE);
	assert_int_equal(judge("10.5.0.1", "/", 1).action, VERDICT_CLOSE);
	end();
}

static void a_dry_run_refuses_nothing_and_leaves_nothing(void **state)
{
	(void)state;
	begin("throttle = { per_client = \"1/min\"; burst = 1; strikes = 2; dry_run = true; };");
	uint64_t dry = policy()->throttle.site;
	assert_int_equal(reason_of("10.5.0.1", "/", 0), REASON_UNSET);
	assert_int_equal(reason_of("10.5.0.1", "/", 0), REASON_THROTTLED);
	assert_int_equal(reason_of("10.5.0.1", "/", 0), REASON_BANNED);
	assert_false(judge("10.5.0.1", "/", 0).enforced);
	end();
	begin("throttle = { per_client = \"1/min\"; burst = 1; strikes = 2; };");
	assert_true(policy()->throttle.site == throttle_id("shop"));
	assert_true(policy()->throttle.site != dry);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_denied_beat_those_allowed),
	    cmocka_unit_test(nothing_is_on_by_default),
	    cmocka_unit_test(modes_count_as_for_the_rest_of_the_shield),
	    cmocka_unit_test(retry_after_is_rounded_up_and_true),
	    cmocka_unit_test(clients_are_addresses_and_networks_of_64_bits),
	    cmocka_unit_test(the_longest_path_counts_besides_the_site),
	    cmocka_unit_test(who_is_allowed_is_not_counted),
	    cmocka_unit_test(strikes_end_in_a_ban_that_ends),
	    cmocka_unit_test(a_dry_run_refuses_nothing_and_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* How origins stand: strikes, sentences that double, and several writers at once. */
#include "sallyport/egress.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct egress_law law = {
    .strikes = 3, .strike_window_ms = 60000, .quarantine_ms = 600000, .quarantine_max_ms = 86400000};

enum { T = 1000000, WALL = 7 };

static struct egress_sentence strike(struct egress_state *state, enum egress_offence offence, uint64_t now_ms)
{
	return egress_strike(state, &law, offence, now_ms, WALL);
}

/* ---- strikes ---- */

static void strikes_lead_to_stage_1_and_it_ends(void **unused)
{
	(void)unused;
	struct egress_state state = {0};
	assert_int_equal(strike(&state, EGRESS_OFFENCE_SCAN, T).stage, EGRESS_FREE);
	assert_int_equal(strike(&state, EGRESS_OFFENCE_SCAN, T).stage, EGRESS_FREE);
	const struct egress_sentence sentence = strike(&state, EGRESS_OFFENCE_FORBIDDEN, T + 1);
	assert_int_equal(sentence.stage, EGRESS_LISTED_ONLY);
	assert_int_equal(sentence.offence, EGRESS_OFFENCE_FORBIDDEN);
	assert_int_equal(sentence.until_ms, T + 1 + law.quarantine_ms);
	assert_true(sentence.is_new);
	assert_int_equal(egress_stage_now(&state, T + law.quarantine_ms), EGRESS_LISTED_ONLY);
	assert_int_equal(egress_stage_now(&state, T + 1 + law.quarantine_ms), EGRESS_FREE);
	assert_int_equal(state.since_wall_ms, WALL);
	assert_int_equal(state.last_offence, EGRESS_OFFENCE_FORBIDDEN);
	uint64_t until_ms;
	assert_int_equal(egress_sentence_now(&state, T + 2, &until_ms), EGRESS_OFFENCE_FORBIDDEN);
	assert_int_equal(until_ms, sentence.until_ms);
	assert_int_equal(egress_sentence_now(&state, until_ms, &until_ms), EGRESS_OFFENCE_UNSET);
	assert_int_equal(until_ms, 0);
}

static void strikes_are_forgotten_one_after_the_other(void **unused)
{
	(void)unused;
	struct egress_state state = {0};
	uint64_t now_ms = T;
	for (unsigned i = 0; i < 100; i++, now_ms += law.strike_window_ms / law.strikes)
		assert_int_equal(strike(&state, EGRESS_OFFENCE_SCAN, now_ms).stage, EGRESS_FREE);
	strike(&state, EGRESS_OFFENCE_SCAN, now_ms);
	assert_int_equal(strike(&state, EGRESS_OFFENCE_SCAN, now_ms).stage, EGRESS_FREE);
	assert_int_equal(strike(&state, EGRESS_OFFENCE_SCAN, now_ms).stage, EGRESS_LISTED_ONLY);
}

static void a_slow_scan_convicts_at_once_whatever_the_strikes(void **unused)
{
	(void)unused;
	struct egress_state state = {0};
	const struct egress_law lenient = {1000, 60000, 600000, 0};
	assert_int_equal(egress_strike(&state, &lenient, EGRESS_OFFENCE_SLOW_SCAN, T, WALL).stage, EGRESS_LISTED_ONLY);
}

static void what_follows_a_conviction_at_once_is_the_same_deed(void **unused)
{
	(void)unused;
	struct egress_state state = {0};
	for (unsigned i = 0; i < 100; i++) {
		const struct egress_sentence sentence = strike(&state, EGRESS_OFFENCE_FLOOD, T + i);
		assert_int_equal(sentence.stage, i < 2 ? EGRESS_FREE : EGRESS_LISTED_ONLY);
		assert_int_equal(sentence.is_new, i == 2);
	}
	assert_int_equal(state.convictions, 1);
}

static void what_a_quarantined_origin_tries_in_vain_does_not_lead_to_stage_2(void **unused)
{
	(void)unused;
	struct egress_state state = {0};
	strike(&state, EGRESS_OFFENCE_SLOW_SCAN, T);
	for (uint64_t now_ms = T; now_ms < T + 60000; now_ms += 10) {
		assert_int_equal(strike(&state, EGRESS_OFFENCE_SCAN, now_ms).stage, EGRESS_LISTED_ONLY);
		assert_int_equal(strike(&state, EGRESS_OFFENCE_FORBIDDEN, now_ms).stage, EGRESS_LISTED_ONLY);
		assert_int_equal(strike(&state, EGRESS_OFFENCE_SLOW_SCAN, now_ms).stage, EGRESS_LISTED_ONLY);
		assert_int_equal(strike(&state, EGRESS_OFFENCE_SPOOF, now_ms).stage, EGRESS_LISTED_ONLY);
		assert_int_equal(strike(&state, EGRESS_OFFENCE_RELAY, now_ms).stage, EGRESS_LISTED_ONLY);
	}
	assert_int_equal(state.convictions, 1);
}

static void a_quarantined_origin_that_floods_what_is_listed_goes_to_stage_2(void **unused)
{
	(void)unused;
	struct egress_state state = {0};
	strike(&state, EGRESS_OFFENCE_SLOW_SCAN, T);
	struct egress_sentence sentence = {0};
	for (unsigned i = 0; i < 3; i++)
		sentence = strike(&state, EGRESS_OFFENCE_FLOOD, T + 2000);
	assert_int_equal(sentence.stage, EGRESS_REPLIES_ONLY);
	assert_true(sentence.is_new);
	assert_int_equal(sentence.until_ms, T + 2000 + 2 * law.quarantine_ms);
	assert_false(strike(&state, EGRESS_OFFENCE_VOLUME, T + 9000).is_new);
	assert_int_equal(state.convictions, 2);
}

/* ---- sentences ---- */

static uint64_t length_of_next(struct egress_state *state, uint64_t now_ms)
{
	const struct egress_sentence sentence = strike(state, EGRESS_OFFENCE_SLOW_SCAN, now_ms);
	assert_true(sentence.is_new);
	return sentence.until_ms - now_ms;
}

static void each_further_sentence_is_twice_as_long_up_to_the_longest(void **unused)
{
	(void)unused;
	struct egress_state state = {0};
	uint64_t now_ms = T, expected_ms = law.quarantine_ms;
	for (unsigned i = 0; i < 12; i++) {
		assert_int_equal(length_of_next(&state, now_ms), expected_ms);
		now_ms += expected_ms;
		expected_ms = expected_ms * 2 < law.quarantine_max_ms ? expected_ms * 2 : law.quarantine_max_ms;
	}
}

static void good_behaviour_is_forgiven_one_conviction_at_a_time(void **unused)
{
	(void)unused;
	struct egress_state state = {0};
	uint64_t now_ms = T;
	for (unsigned i = 0; i < 3; i++)
		now_ms += length_of_next(&state, now_ms);
	assert_int_equal(state.convictions, 3);
	assert_int_equal(length_of_next(&state, now_ms + 2 * law.quarantine_max_ms), 2 * law.quarantine_ms);
	assert_int_equal(length_of_next(&state, now_ms + 100 * law.quarantine_max_ms), law.quarantine_ms);
}

static void a_released_origin_is_free_and_its_next_sentence_longer(void **unused)
{
	(void)unused;
	struct egress_state state = {0};
	assert_int_equal(length_of_next(&state, T), law.quarantine_ms);
	egress_release(&state);
	assert_int_equal(egress_stage_now(&state, T), EGRESS_FREE);
	assert_int_equal(length_of_next(&state, T + 1), 2 * law.quarantine_ms);
}

static void no_length_means_until_released(void **unused)
{
	(void)unused;
	struct egress_state state = {0};
	const struct egress_law forever = {1, 60000, 0, 86400000};
	const struct egress_sentence sentence = egress_strike(&state, &forever, EGRESS_OFFENCE_SPOOF, T, WALL);
	assert_true(sentence.until_ms == UINT64_MAX);
	assert_int_equal(egress_stage_now(&state, UINT64_MAX), EGRESS_LISTED_ONLY);
	egress_release(&state);
	assert_int_equal(egress_stage_now(&state, T), EGRESS_FREE);
}

static void an_order_goes_before_and_a_conviction_does_not_shorten_it(void **unused)
{
	(void)unused;
	struct egress_state state = {0};
	egress_quarantine(&state, EGRESS_LISTED_ONLY, 0, T, WALL);
	uint64_t until_ms;
	assert_int_equal(egress_sentence_now(&state, T, &until_ms), EGRESS_OFFENCE_ORDERED);
	assert_true(until_ms == UINT64_MAX);
	struct egress_sentence sentence = {0};
	for (unsigned i = 0; i < 3; i++)
		sentence = strike(&state, EGRESS_OFFENCE_FLOOD, T);
	assert_int_equal(sentence.stage, EGRESS_REPLIES_ONLY);
	assert_true(sentence.until_ms == UINT64_MAX);
	egress_quarantine(&state, EGRESS_REPLIES_ONLY, 5000, T, WALL);
	assert_int_equal(egress_stage_now(&state, T + 4999), EGRESS_REPLIES_ONLY);
	assert_int_equal(egress_stage_now(&state, T + 5000), EGRESS_FREE);
}

static void spoiled_memory_is_read_as_strict_and_never_faults(void **unused)
{
	(void)unused;
	struct egress_state state;
	for (unsigned byte = 0; byte < 256; byte++) {
		memset(&state, (int)byte, sizeof(state));
		const enum egress_stage stage = egress_stage_now(&state, T);
		assert_in_range(stage, EGRESS_FREE, EGRESS_REPLIES_ONLY);
		uint64_t wait_us = 0;
		strike(&state, EGRESS_OFFENCE_SCAN, T);
		strike(&state, (enum egress_offence)byte, T);
		egress_new_destination(&state, 1000, 9000, T, &wait_us);
		assert_string_not_equal(egress_stage_name(stage), "-");
		assert_non_null(egress_offence_name(byte));
	}
}

/* ---- several writers ---- */

enum { WRITERS = 8, ROUNDS = 20000 };

struct writer {
	pthread_t thread;
	struct egress_state *state;
	unsigned news, passed;
};

static void *strike_much(void *context)
{
	struct writer *writer = context;
	const struct egress_law strict = {1000, 1000, 600000, 86400000};
	for (unsigned i = 0; i < ROUNDS; i++)
		writer->news += egress_strike(writer->state, &strict, EGRESS_OFFENCE_SCAN, T, WALL).is_new;
	return NULL;
}

static void *ask_much(void *context)
{
	struct writer *writer = context;
	uint64_t wait_us;
	for (unsigned i = 0; i < ROUNDS; i++)
		writer->passed += egress_new_destination(writer->state, 1000000, 9000000, T, &wait_us);
	return NULL;
}

static void run(struct writer writers[WRITERS], struct egress_state *state, void *(*work)(void *))
{
	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){.state = state};
		assert_int_equal(pthread_create(&writers[i].thread, NULL, work, &writers[i]), 0);
	}
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
}

static void many_writers_convict_once(void **unused)
{
	(void)unused;
	struct writer writers[WRITERS];
	for (unsigned round = 0; round < 10; round++) {
		struct egress_state state = {0};
		unsigned news = 0;
		run(writers, &state, strike_much);
		for (unsigned i = 0; i < WRITERS; i++)
			news += writers[i].news;
		assert_int_equal(news, 1);
		assert_int_equal(state.convictions, 1);
		assert_int_equal(egress_stage_now(&state, T), EGRESS_LISTED_ONLY);
	}
}

static void many_writers_share_one_budget_of_new_destinations(void **unused)
{
	(void)unused;
	struct writer writers[WRITERS];
	struct egress_state state = {0};
	unsigned passed = 0;
	run(writers, &state, ask_much);
	for (unsigned i = 0; i < WRITERS; i++)
		passed += writers[i].passed;
	assert_int_equal(passed, 10);
}

static void new_destinations_pass_at_their_rate_and_burst(void **unused)
{
	(void)unused;
	struct egress_state state = {0};
	uint64_t wait_us = 0;
	for (unsigned i = 0; i < 10; i++)
		assert_true(egress_new_destination(&state, 1000000, 9000000, 5000000, &wait_us));
	assert_false(egress_new_destination(&state, 1000000, 9000000, 5000000, &wait_us));
	assert_int_equal(wait_us, 1000000);
	assert_false(egress_new_destination(&state, 1000000, 9000000, 5999999, &wait_us));
	assert_int_equal(wait_us, 1);
	assert_true(egress_new_destination(&state, 1000000, 9000000, 6000000, &wait_us));
}

static void only_enforcing_that_is_not_paused_refuses(void **state)
{
	(void)state;
	static struct egress_states states;
	assert_false(egress_only_reports(EGRESS_ENFORCE, NULL, 1000));
	assert_false(egress_only_reports(EGRESS_ENFORCE, &states, 1000));
	assert_true(egress_only_reports(EGRESS_MONITOR, &states, 1000));
	states.paused_until_ms = 1001;
	assert_true(egress_only_reports(EGRESS_ENFORCE, &states, 1000));
	assert_false(egress_only_reports(EGRESS_ENFORCE, &states, 1001));
}

static void a_rate_lets_its_burst_pass_and_then_its_interval(void **state)
{
	(void)state;
	const struct egress_rate rate = {.interval_us = 1000, .tolerance_us = 2000}, none = {0};
	uint64_t tat_us = 0;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(egress_rate_wait_us(&rate, tat_us, 5000), 0);
		egress_rate_use(&rate, &tat_us, 1, 5000);
	}
	assert_int_equal(egress_rate_wait_us(&rate, tat_us, 5000), 1000);
	assert_int_equal(egress_rate_wait_us(&rate, tat_us, 6000), 0);
	egress_rate_use(&rate, &tat_us, 10, 6000);
	assert_int_equal(egress_rate_wait_us(&rate, tat_us, 6000), 10000);
	egress_rate_use(&none, &tat_us, 1000, 5000);
	assert_int_equal(egress_rate_wait_us(&none, tat_us, 5000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_enforcing_that_is_not_paused_refuses),
	    cmocka_unit_test(a_rate_lets_its_burst_pass_and_then_its_interval),
	    cmocka_unit_test(strikes_lead_to_stage_1_and_it_ends),
	    cmocka_unit_test(strikes_are_forgotten_one_after_the_other),
	    cmocka_unit_test(a_slow_scan_convicts_at_once_whatever_the_strikes),
	    cmocka_unit_test(what_follows_a_conviction_at_once_is_the_same_deed),
	    cmocka_unit_test(what_a_quarantined_origin_tries_in_vain_does_not_lead_to_stage_2),
	    cmocka_unit_test(a_quarantined_origin_that_floods_what_is_listed_goes_to_stage_2),
	    cmocka_unit_test(each_further_sentence_is_twice_as_long_up_to_the_longest),
	    cmocka_unit_test(good_behaviour_is_forgiven_one_conviction_at_a_time),
	    cmocka_unit_test(a_released_origin_is_free_and_its_next_sentence_longer),
	    cmocka_unit_test(no_length_means_until_released),
	    cmocka_unit_test(an_order_goes_before_and_a_conviction_does_not_shorten_it),
	    cmocka_unit_test(spoiled_memory_is_read_as_strict_and_never_faults),
	    cmocka_unit_test(many_writers_convict_once),
	    cmocka_unit_test(many_writers_share_one_budget_of_new_destinations),
	    cmocka_unit_test(new_destinations_pass_at_their_rate_and_burst),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

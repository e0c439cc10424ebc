/* The rate of one client, exactly; and of two million, in a table that holds fewer. Time is
 * passed in: no test waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include "dice.h"
#include "throttle_table.h"

#define DAY_US (86400 * SECOND_US)

enum { SITE = 7, ADDRESSES = 2000000, CELLS_IN_ALL = 1 << 21 };

static struct throttle_rate rate_of(uint64_t count, uint64_t per_ms, uint64_t burst)
{
	struct throttle_rate rate;
	assert_true(throttle_rate_of(count, per_ms, burst, 1, &rate));
	return rate;
}

static struct throttle_result ask(struct throttle_table *table, uint64_t key,
				  const struct throttle_rate *rate, uint64_t now_us)
{
	struct throttle_client client = throttle_client_of(table, SITE, key, now_us);
	return throttle_ask(&client, rate, now_us);
}

static bool passes(struct throttle_table *table, uint64_t key, const struct throttle_rate *rate,
		   uint64_t now_us)
{
	return ask(table, key, rate, now_us).answer == THROTTLE_PASS;
}

static uint64_t dice = 1;

/* ---- the algorithm ---- */

static void throttle_passes_a_burst_and_then_one_each_interval(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_rate rate = rate_of(50, 1000, 100);
	uint64_t now_us = START_US;
	for (unsigned i = 0; i < 100; i++)
		assert_true(passes(table, 1, &rate, now_us));
	for (unsigned i = 0; i < 1000; i++) {
		struct throttle_result result = ask(table, 1, &rate, now_us);
		assert_int_equal(result.answer, THROTTLE_REFUSE);
		assert_int_equal(result.wait_us, 20000);
		assert_false(passes(table, 1, &rate, now_us + 19999));
		now_us += 20000;
		assert_true(passes(table, 1, &rate, now_us));
	}
	assert_true(passes(table, 2, &rate, now_us)); /* another client */
	now_us += 2 * SECOND_US;
	for (unsigned i = 0; i < 100; i++)
		assert_true(passes(table, 1, &rate, now_us));
	assert_false(passes(table, 1, &rate, now_us));
	table_free(table);
}

static void throttle_wait_is_when_it_passes_again(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_rate rate = rate_of(5, 60000, 5);
	uint64_t now_us = START_US;
	for (unsigned i = 0; i < 5; i++)
		assert_true(passes(table, 1, &rate, now_us + i));
	struct throttle_result result = ask(table, 1, &rate, now_us + 5);
	assert_int_equal(result.wait_us, 12 * SECOND_US - 5);
	assert_false(passes(table, 1, &rate, now_us + 5 + result.wait_us - 1));
	assert_true(passes(table, 1, &rate, now_us + 5 + result.wait_us));
	table_free(table);
}

/* Of all windows that begin with a request that passed. */
static void check_windows(const uint64_t *passed_us, size_t n, const struct throttle_rate *rate,
			  uint64_t burst)
{
	for (size_t first = 0; first < n; first++) {
		for (size_t last = first; last < n; last += 1 + last / 16) {
			uint64_t window_us = passed_us[last] - passed_us[first];
			assert_true(last - first + 1 <= window_us / rate->interval_us + burst);
		}
	}
}

static void throttle_passes_no_more_than_rate_and_burst_in_any_window(void **state)
{
	(void)state;
	enum { REQUESTS = 3000 };
	static uint64_t passed_us[REQUESTS];
	struct throttle_table *table = table_new();
	for (uint64_t round = 1; round <= 60; round++) {
		uint64_t burst = 1 + dice_next(&dice) % 40;
		struct throttle_rate rate =
		    rate_of(1 + dice_next(&dice) % 3000, UINT64_C(1000) << dice_next(&dice) % 8, burst);
		uint64_t now_us = START_US, spread_us = rate.interval_us * (1 + dice_next(&dice) % 4);
		size_t n = 0;
		for (unsigned i = 0; i < REQUESTS; i++) {
			now_us +=
			    dice_next(&dice) % 5 == 0 ? dice_next(&dice) % (spread_us * 8) : dice_next(&dice) % spread_us / 4;
			if (passes(table, round, &rate, now_us))
				passed_us[n++] = now_us;
		}
		assert_true(n > 10);
		check_windows(passed_us, n, &rate, burst);
	}
	table_free(table);
}

static void throttle_rates_are_never_faster_than_said(void **state)
{
	(void)state;
	struct throttle_rate rate;
	assert_true(throttle_rate_of(3, 1000, 1, 0, &rate));
	assert_int_equal(rate.interval_us, 333334);
	assert_int_equal(rate.tolerance_us, 0);
	assert_true(throttle_rate_of(1000000, 1000, 1, 0, &rate));
	assert_int_equal(rate.interval_us, 1);
	assert_true(throttle_rate_of(1, 86400000, 7, 0, &rate));
	assert_false(throttle_rate_of(1, 86400000, 8, 0, &rate));
	assert_false(throttle_rate_of(1, UINT64_MAX, 1, 0, &rate));
	assert_false(throttle_rate_of(1000001, 1000, 1, 0, &rate));
	assert_false(throttle_rate_of(0, 1000, 1, 0, &rate));
	assert_false(throttle_rate_of(1, 1000, UINT64_MAX, 0, &rate));
}

static void throttle_rates_have_ids_by_their_values(void **state)
{
	(void)state;
	struct throttle_rate a, b;
	assert_true(throttle_rate_of(50, 1000, 10, 1, &a) && throttle_rate_of(50, 1000, 10, 1, &b));
	assert_true(a.id == b.id);
	assert_true(throttle_rate_of(50, 1000, 11, 1, &b) && a.id != b.id);
	assert_true(throttle_rate_of(51, 1000, 10, 1, &b) && a.id != b.id);
	assert_true(throttle_rate_of(50, 1000, 10, 2, &b) && a.id != b.id);
	assert_true(throttle_id("shop") != throttle_id("shop2"));
}

static void throttle_counts_sites_and_rates_apart(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_rate slow = rate_of(1, 60000, 1), other = rate_of(2, 60000, 1);
	struct throttle_client here = throttle_client_of(table, 1, 5, START_US);
	struct throttle_client there = throttle_client_of(table, 2, 5, START_US);
	assert_int_equal(throttle_ask(&here, &slow, START_US).answer, THROTTLE_PASS);
	assert_int_equal(throttle_ask(&here, &slow, START_US).answer, THROTTLE_REFUSE);
	assert_int_equal(throttle_ask(&here, &other, START_US).answer, THROTTLE_PASS);
	assert_int_equal(throttle_ask(&there, &slow, START_US).answer, THROTTLE_PASS);
	table_free(table);
}

/* ---- time ---- */

static void throttle_time_may_stand_anywhere_and_come_around(void **state)
{
	(void)state;
	struct throttle_rate rate = rate_of(1, 1000, 2);
	for (unsigned bit = 30; bit < 60; bit++) {
		struct throttle_table *table = table_new();
		uint64_t now_us = (UINT64_C(1) << bit) - 1;
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(passes(table, 1, &rate, now_us), i < 2);
		assert_true(passes(table, 1, &rate, now_us + SECOND_US));
		table_free(table);
	}
}

/* A cell that nobody asks for again must not seem live when 42 bits of time come around. */
static void throttle_forgets_before_time_comes_around(void **state)
{
	(void)state;
	const uint64_t around_us = UINT64_C(1) << 42;
	const uint64_t pauses_us[] = {3600 * SECOND_US, DAY_US, 29 * DAY_US, 45 * DAY_US,
				      around_us - DAY_US};
	struct throttle_rate rate = rate_of(1, 86400000, 5);
	for (unsigned i = 0; i < sizeof(pauses_us) / sizeof(pauses_us[0]); i++) {
		struct throttle_table *table = table_new();
		uint64_t now_us = START_US;
		for (uint64_t key = 1; key <= 100; key++)
			while (passes(table, key, &rate, now_us))
				;
		for (now_us += pauses_us[i]; now_us < START_US + around_us; now_us += pauses_us[i])
			(void)passes(table, UINT64_MAX, &rate, now_us);
		now_us = START_US + around_us + SECOND_US;
		for (uint64_t key = 1; key <= 100; key++)
			assert_true(passes(table, key, &rate, now_us));
		table_free(table);
	}
}

static unsigned cells_in_use(const struct throttle_table *table)
{
	const uint64_t *words = (const uint64_t *)(const void *)table;
	unsigned n = 0;
	for (size_t i = 8; i < throttle_bytes() / sizeof(*words); i++)
		n += words[i] != 0;
	return n;
}

/* After a quiet time no visitor waits for all of the table to be swept, and yet it is. */
static void throttle_sweeps_a_little_at_a_time_after_a_quiet_one(void **state)
{
	(void)state;
	enum { KEYS = 100000, BUCKETS_A_CALL = 1024, BUCKETS = 1 << 18 };
	struct throttle_table *table = table_new();
	struct throttle_rate rate = rate_of(50, 1000, 10);
	for (uint64_t key = 1; key <= KEYS; key++)
		assert_true(passes(table, key, &rate, START_US));
	unsigned before = cells_in_use(table);
	uint64_t now_us = START_US + 10 * DAY_US;
	for (unsigned call = 0; call <= BUCKETS / BUCKETS_A_CALL; call++) {
		(void)passes(table, 1, &rate, now_us);
		unsigned after = cells_in_use(table);
		assert_true(before <= after + 8 * BUCKETS_A_CALL);
		before = after;
	}
	assert_true(before <= 2);
	table_free(table);
}

static void throttle_keeps_what_is_live_through_a_sweep(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_rate rate = rate_of(1, 86400000, 1);
	for (uint64_t key = 1; key <= 1000; key++)
		assert_true(passes(table, key, &rate, START_US));
	(void)passes(table, UINT64_MAX, &rate, START_US + DAY_US - SECOND_US);
	for (uint64_t key = 1; key <= 1000; key++)
		assert_false(passes(table, key, &rate, START_US + DAY_US - SECOND_US));
	table_free(table);
}

/* ---- strikes and bans ---- */

static void strikes_ban_and_a_ban_ends(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_rate strikes = rate_of(10, 60000, 10);
	struct throttle_client client = throttle_client_of(table, SITE, 5, START_US);
	for (unsigned i = 1; i < 10; i++) {
		assert_int_equal(throttle_strike(&client, &strikes, 600 * SECOND_US, START_US + i),
				 THROTTLE_STRIKE_COUNTED);
		assert_int_equal(throttle_banned(&client, START_US + i), 0);
	}
	assert_int_equal(throttle_strike(&client, &strikes, 600 * SECOND_US, START_US + 10),
			 THROTTLE_STRIKE_BANNED);
	assert_int_equal(throttle_banned(&client, START_US + 10), 600 * SECOND_US);
	assert_int_equal(throttle_banned(&client, START_US + 9 + 600 * SECOND_US), 1);
	assert_int_equal(throttle_banned(&client, START_US + 10 + 600 * SECOND_US), 0);
	struct throttle_client other = throttle_client_of(table, SITE, 6, START_US);
	assert_int_equal(throttle_banned(&other, START_US + 10), 0);
	struct throttle_client elsewhere = throttle_client_of(table, SITE + 1, 5, START_US);
	assert_int_equal(throttle_banned(&elsewhere, START_US + 10), 0);
	table_free(table);
}

static void a_ban_of_the_longest_time_holds_where_the_clock_is_behind(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_rate strikes = rate_of(1, 60000, 1);
	struct throttle_client client = throttle_client_of(table, SITE, 5, START_US);
	(void)throttle_strike(&client, &strikes, THROTTLE_HORIZON_US, START_US);
	assert_int_equal(throttle_banned(&client, START_US - SECOND_US / 2),
			 THROTTLE_HORIZON_US + SECOND_US / 2);
	table_free(table);
}

static void strikes_are_forgotten_in_time(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_rate strikes = rate_of(10, 60000, 10);
	uint64_t now_us = START_US;
	struct throttle_client client = throttle_client_of(table, SITE, 5, now_us);
	for (unsigned i = 0; i < 1000; i++, now_us += 6 * SECOND_US)
		assert_int_equal(throttle_strike(&client, &strikes, DAY_US, now_us),
				 THROTTLE_STRIKE_COUNTED);
	unsigned until_ban = 1;
	for (; throttle_strike(&client, &strikes, DAY_US, now_us) == THROTTLE_STRIKE_COUNTED;
	     until_ban++)
		now_us += SECOND_US;
	assert_in_range(until_ban, 10, 12);
	table_free(table);
}

static void one_strike_may_be_enough(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_rate strikes = rate_of(1, 60000, 1);
	struct throttle_client client = throttle_client_of(table, SITE, 5, START_US);
	assert_int_equal(throttle_strike(&client, &strikes, SECOND_US, START_US),
			 THROTTLE_STRIKE_BANNED);
	table_free(table);
}

static void strikes_are_not_pushed_out_by_many_rates(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_rate strikes = rate_of(100, 3600000, 100), rates[30];
	struct throttle_client client = throttle_client_of(table, SITE, 5, START_US);
	unsigned refused = 0;
	for (unsigned i = 0; i < 30; i++)
		assert_true(throttle_rate_of(1, 3600000, 1, i, &rates[i]));
	for (unsigned i = 0; throttle_banned(&client, START_US) == 0; i++) {
		assert_true(refused < 100);
		if (throttle_ask(&client, &rates[i % 30], START_US).answer == THROTTLE_PASS)
			continue;
		refused++;
		(void)throttle_strike(&client, &strikes, DAY_US, START_US);
	}
	assert_int_equal(refused, 100);
	table_free(table);
}

/* ---- a bucket that is full ---- */

/* Keys whose cells are in one bucket. */
static void find_neighbours(struct throttle_table *table, uint64_t *keys, size_t n)
{
	void *bucket = throttle_client_of(table, SITE, 1, START_US).bucket;
	uint64_t key = 1;
	for (size_t found = 0; found < n; key++)
		if (throttle_client_of(table, SITE, key, START_US).bucket == bucket)
			keys[found++] = key;
}

static void a_limited_cell_never_gives_way_to_others(void **state)
{
	(void)state;
	uint64_t keys[30];
	struct throttle_table *table = table_new();
	struct throttle_rate fast = rate_of(1, 1000, 2), slow = rate_of(1, 3600000, 2);
	find_neighbours(table, keys, 30);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(passes(table, keys[0], &fast, START_US), i < 2);
	uint64_t now_us = START_US + SECOND_US;
	assert_true(passes(table, keys[0], &fast, now_us)); /* limited it stays */
	for (unsigned i = 1; i < 30; i++)
		assert_true(passes(table, keys[i], &slow, now_us)); /* remembered for longer */
	assert_false(passes(table, keys[0], &fast, now_us));
	now_us += 2 * SECOND_US; /* all is forgotten, and it was not refused since */
	assert_true(passes(table, keys[0], &fast, now_us));
	for (unsigned i = 1; i < 30; i++)
		(void)passes(table, keys[i], &slow, now_us);
	for (unsigned i = 0; i < 2; i++)
		assert_true(passes(table, keys[0], &fast, now_us));
	table_free(table);
}

static void the_cell_that_is_free_soonest_gives_way(void **state)
{
	(void)state;
	uint64_t keys[9];
	struct throttle_table *table = table_new();
	struct throttle_rate rate = rate_of(1, 3600000, 2);
	find_neighbours(table, keys, 9);
	for (unsigned i = 0; i < 9; i++)
		assert_true(passes(table, keys[i], &rate, START_US + (i * 5 % 8 + i / 8 * 9)));
	for (unsigned i = 1; i < 9; i++) {
		assert_true(passes(table, keys[i], &rate, START_US + 20));
		assert_false(passes(table, keys[i], &rate, START_US + 20));
	}
	/* Who gave way has nowhere to go: all are limited, and what its crowd may is soon used
	 * up. */
	assert_true(ask(table, keys[0], &rate, START_US + 30).crowded);
	assert_true(passes(table, keys[0], &rate, START_US + 30));
	assert_false(passes(table, keys[0], &rate, START_US + 30));
	table_free(table);
}

/* ---- a table that is full ---- */

static uint64_t resident_bytes(struct throttle_table *table)
{
	static unsigned char pages[16384];
	uint64_t n = 0;
	size_t count = (throttle_bytes() + 4095) / 4096;
	assert_true(count <= sizeof(pages));
	assert_int_equal(mincore(table, throttle_bytes(), pages), 0);
	for (size_t i = 0; i < count; i++)
		n += pages[i] & 1;
	return n * 4096;
}

/* Two million visitors of a page with a slow rate, within its memory, and one who floods it. */
static void two_million_addresses_neither_help_the_flooder_nor_suffer(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_rate rate = rate_of(5, 60000, 5), fast = rate_of(1, 1000, 10);
	const uint64_t flooder = UINT64_C(0xffff) << 32 | 0xc0000207;
	uint64_t now_us = START_US, flooded = 0, flooded_fast = 0, served = 0;
	for (uint64_t i = 0; i < ADDRESSES; i++, now_us += 20) { /* 40 s */
		served += passes(table, (UINT64_C(0xffff) << 32) + i, &rate, now_us);
		flooded += passes(table, flooder, &rate, now_us);
		flooded_fast += passes(table, flooder, &fast, now_us);
	}
	assert_int_equal(served, ADDRESSES);
	assert_in_range(flooded, 5, 5 + 40 / 12 + 1);
	assert_in_range(flooded_fast, 10, 10 + 40 + 1);
	assert_true(resident_bytes(table) < throttle_bytes() + 4096);
	assert_true(throttle_bytes() < 17 << 20);
	table_free(table);
}

static void a_ban_outlasts_two_million_addresses(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_rate rate = rate_of(1, 3600000, 1), strikes = rate_of(1, 60000, 1);
	struct throttle_client banned = throttle_client_of(table, SITE, 42, START_US);
	assert_int_equal(throttle_strike(&banned, &strikes, DAY_US, START_US),
			 THROTTLE_STRIKE_BANNED);
	uint64_t passed = 0;
	for (uint64_t key = 100; key < 100 + 2 * ADDRESSES; key++)
		passed += passes(table, key, &rate, START_US + key);
	/* 1 in 260,000 has another's tag */
	assert_in_range(passed, 2 * ADDRESSES - 60, 2 * ADDRESSES);
	assert_true(throttle_banned(&banned, START_US + 2 * SECOND_US) > 0);
	table_free(table);
}

/* Four million that all go over their limit, so that no cell may give way. */
static struct throttle_table *table_of_limited(const struct throttle_rate *rate, uint64_t *passed)
{
	struct throttle_table *table = table_new();
	*passed = 0;
	for (uint64_t key = 1; key <= 2 * ADDRESSES; key++)
		for (unsigned i = 0; i < 3; i++)
			*passed += passes(table, key, rate, START_US);
	return table;
}

static void a_table_full_of_flooders_limits_them_and_lets_some_newcomers_in(void **state)
{
	(void)state;
	enum { NEW = 100000 };
	struct throttle_rate rate = rate_of(2, 3600000, 2), fast = rate_of(50, 1000, 100);
	uint64_t passed, in_crowd = 0, others = 0, crowded = 0, fast_passed = 0;
	struct throttle_table *table = table_of_limited(&rate, &passed);
	/* A flooder gets its burst, or a share of its crowd's: nothing for nothing. */
	assert_true(passed <= 2 * (uint64_t)CELLS_IN_ALL + 2 * 4096);
	for (uint64_t key = 1; key <= 2 * ADDRESSES; key++)
		passed += passes(table, key, &rate, START_US);
	assert_true(passed <= 2 * (uint64_t)CELLS_IN_ALL + 2 * 4096);
	/* An hour later each crowd may ask twice again; those with cells are about to be free. */
	uint64_t now_us = START_US + UINT64_C(3599) * SECOND_US;
	for (uint64_t key = UINT64_C(1) << 40; key < (UINT64_C(1) << 40) + NEW; key++) {
		struct throttle_result result = ask(table, key, &rate, now_us);
		crowded += result.crowded;
		in_crowd += result.crowded && result.answer == THROTTLE_PASS;
		others += !result.crowded;
		fast_passed += ask(table, key + NEW, &fast, now_us).answer == THROTTLE_PASS;
	}
	assert_int_equal(crowded + others, NEW);
	assert_true(crowded > NEW / 2);
	assert_true(in_crowd >= 4096 / 2 && in_crowd <= 2 * 4096);
	assert_int_equal(fast_passed, NEW); /* a crowd of its own class */
	table_free(table);
}

static void throttle_in_spoiled_memory_ends(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_rate rate = rate_of(50, 1000, 100), strikes = rate_of(5, 60000, 5);
	for (unsigned round = 0; round < 3; round++) {
		for (size_t at = 16; at + 8 <= throttle_bytes(); at += 8) {
			uint64_t junk = round == 2 ? UINT64_MAX : dice_next(&dice);
			memcpy((char *)table + at, &junk, 8);
		}
		for (uint64_t key = 1; key < 20000; key++) {
			uint64_t now_us = START_US + round * DAY_US + key;
			struct throttle_client client =
			    throttle_client_of(table, SITE, key, now_us);
			struct throttle_result result = throttle_ask(&client, &rate, now_us);
			assert_int_not_equal(result.answer, THROTTLE_UNSET);
			assert_true(result.wait_us <= THROTTLE_HORIZON_US + DAY_US);
			assert_true(throttle_banned(&client, now_us) <=
				    THROTTLE_HORIZON_US + DAY_US);
			assert_int_not_equal(throttle_strike(&client, &strikes, SECOND_US, now_us),
					     THROTTLE_STRIKE_UNSET);
		}
	}
	table_free(table);
}

/* ---- several workers ---- */

/* Time stands still, so that the sum is known: not one more, however they race. */
static void several_processes_pass_together_what_one_may(void **state)
{
	(void)state;
	enum { PROCESSES = 4, CLIENTS = 4, BURST = 300000 };
	struct throttle_table *table = table_new();
	struct throttle_rate rate = rate_of(1000, 1000, BURST);
	int results[2];
	assert_int_equal(pipe(results), 0);
	for (unsigned p = 0; p < PROCESSES; p++) {
		if (fork() != 0)
			continue;
		uint64_t passed = 0;
		for (uint64_t key = 1; key <= CLIENTS; key++)
			while (passes(table, key, &rate, START_US))
				passed++;
		_exit(write(results[1], &passed, sizeof(passed)) != sizeof(passed));
	}
	uint64_t total = 0;
	for (unsigned p = 0; p < PROCESSES; p++) {
		uint64_t passed;
		int status;
		assert_int_equal(read(results[0], &passed, sizeof(passed)), sizeof(passed));
		total += passed;
		assert_true(wait(&status) > 0 && status == 0);
	}
	assert_int_equal(total, CLIENTS * BURST);
	close(results[0]);
	close(results[1]);
	table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(throttle_passes_a_burst_and_then_one_each_interval),
	    cmocka_unit_test(throttle_wait_is_when_it_passes_again),
	    cmocka_unit_test(throttle_passes_no_more_than_rate_and_burst_in_any_window),
	    cmocka_unit_test(throttle_rates_are_never_faster_than_said),
	    cmocka_unit_test(throttle_rates_have_ids_by_their_values),
	    cmocka_unit_test(throttle_counts_sites_and_rates_apart),
	    cmocka_unit_test(throttle_time_may_stand_anywhere_and_come_around),
	    cmocka_unit_test(throttle_forgets_before_time_comes_around),
	    cmocka_unit_test(throttle_sweeps_a_little_at_a_time_after_a_quiet_one),
	    cmocka_unit_test(throttle_keeps_what_is_live_through_a_sweep),
	    cmocka_unit_test(strikes_ban_and_a_ban_ends),
	    cmocka_unit_test(a_ban_of_the_longest_time_holds_where_the_clock_is_behind),
	    cmocka_unit_test(strikes_are_forgotten_in_time),
	    cmocka_unit_test(one_strike_may_be_enough),
	    cmocka_unit_test(strikes_are_not_pushed_out_by_many_rates),
	    cmocka_unit_test(a_limited_cell_never_gives_way_to_others),
	    cmocka_unit_test(the_cell_that_is_free_soonest_gives_way),
	    cmocka_unit_test(two_million_addresses_neither_help_the_flooder_nor_suffer),
	    cmocka_unit_test(a_ban_outlasts_two_million_addresses),
	    cmocka_unit_test(a_table_full_of_flooders_limits_them_and_lets_some_newcomers_in),
	    cmocka_unit_test(throttle_in_spoiled_memory_ends),
	    cmocka_unit_test(several_processes_pass_together_what_one_may),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

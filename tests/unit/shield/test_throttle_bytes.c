/* Bytes a second of one client: exactly, over any number of workers that charge, and in a table that is full of
 * clients that have to wait. Time is passed in: no test waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#include "throttle_table.h"

enum { SITE = 7, FLOODERS = 4000000, NEWCOMERS = 100000 };

static struct throttle_byte_rate bytes_of(uint64_t per_s, uint64_t burst)
{
	struct throttle_byte_rate rate;
	assert_true(throttle_byte_rate_of(per_s, burst, &rate));
	return rate;
}

static struct throttle_allowance charge(struct throttle_table *table, uint64_t key,
					const struct throttle_byte_rate *rate, uint64_t bytes,
					uint64_t now_us)
{
	struct throttle_client client = throttle_client_of(table, SITE, key, now_us);
	return throttle_charge(&client, rate, bytes, now_us);
}

static void bytes_pass_up_to_the_burst_and_then_at_the_rate(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_byte_rate rate = bytes_of(1 << 20, 65536);
	uint64_t now_us = START_US, passed = 0;
	assert_in_range(charge(table, 5, &rate, 0, now_us).bytes, 65536, 65540);
	while (now_us < START_US + 10 * SECOND_US) {
		struct throttle_allowance allowed = charge(table, 5, &rate, 0, now_us);
		assert_true((allowed.bytes == 0) == (allowed.wait_us > 0));
		now_us += allowed.wait_us;
		uint64_t piece = allowed.bytes < 3000 ? allowed.bytes : 3000;
		(void)charge(table, 5, &rate, piece, now_us);
		passed += piece;
	}
	assert_in_range(passed, (10 << 20), (10 << 20) + 65536 + 2 * 20972);
	table_free(table);
}

static void bytes_wait_is_when_a_piece_passes_again(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_byte_rate rate = bytes_of(100000, 100000);
	struct throttle_allowance allowed = charge(table, 5, &rate, 100000, START_US);
	assert_int_equal(allowed.bytes, 0);
	assert_int_equal(allowed.wait_us, 20000); /* a fiftieth of a second's */
	assert_int_equal(charge(table, 5, &rate, 0, START_US + 19999).bytes, 0);
	assert_int_equal(charge(table, 5, &rate, 0, START_US + 20000).bytes, 2000);
	table_free(table);
}

static void bytes_over_the_burst_are_a_debt(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_byte_rate rate = bytes_of(100000, 100000);
	for (unsigned i = 0; i < 5; i++) /* five workers that had all seen room */
		(void)charge(table, 5, &rate, 100000, START_US);
	assert_int_equal(charge(table, 5, &rate, 0, START_US).wait_us, 4020000);
	assert_int_equal(charge(table, 6, &rate, 0, START_US).bytes, 100000);
	table_free(table);
}

static void bytes_never_make_a_debt_that_seems_none(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_byte_rate slow = bytes_of(1, 65536);
	for (unsigned i = 0; i < 100; i++)
		(void)charge(table, 5, &slow, UINT64_MAX, START_US);
	uint64_t wait_us = charge(table, 5, &slow, 0, START_US).wait_us;
	assert_in_range(wait_us, THROTTLE_HORIZON_US - 65536 * SECOND_US, THROTTLE_HORIZON_US);
	table_free(table);
}

static void bytes_and_requests_are_counted_apart(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_byte_rate rate = bytes_of(1000, 1000), other = bytes_of(2000, 1000);
	struct throttle_rate requests;
	assert_true(throttle_rate_of(1, 1000, 1, 1, &requests));
	struct throttle_client client = throttle_client_of(table, SITE, 5, START_US);
	assert_int_equal(charge(table, 5, &rate, 100000, START_US).bytes, 0);
	assert_int_equal(charge(table, 5, &other, 0, START_US).bytes, 1000);
	assert_int_equal(throttle_ask(&client, &requests, START_US).answer, THROTTLE_PASS);
	assert_int_equal(throttle_ask(&client, &requests, START_US).answer, THROTTLE_REFUSE);
	table_free(table);
}

static void byte_rates_are_bounded(void **state)
{
	(void)state;
	struct throttle_byte_rate rate;
	assert_false(throttle_byte_rate_of(0, 4096, &rate));
	assert_false(throttle_byte_rate_of(4096, 0, &rate));
	assert_false(throttle_byte_rate_of(THROTTLE_BYTES_MAX + 1, 4096, &rate));
	assert_false(throttle_byte_rate_of(4096, THROTTLE_BYTES_MAX + 1, &rate));
	assert_true(throttle_byte_rate_of(1, 604800, &rate));
	assert_false(throttle_byte_rate_of(1, 604801, &rate));
	assert_true(throttle_byte_rate_of(THROTTLE_BYTES_MAX, THROTTLE_BYTES_MAX, &rate));
	assert_true(throttle_byte_rate_of(1, 1, &rate));
}

/* Whatever the numbers are, waiting as told leads to bytes that may pass. */
static void bytes_waits_always_end(void **state)
{
	(void)state;
	static const uint64_t rates[] = {1, 7, 999, 4096, 1000003, THROTTLE_BYTES_MAX};
	static const uint64_t bursts[] = {1, 2, 4096, 65537, 600000};
	struct throttle_table *table = table_new();
	for (size_t i = 0; i < 6 * 5; i++) {
		struct throttle_byte_rate rate = bytes_of(rates[i / 5], bursts[i % 5]);
		uint64_t wait_us = charge(table, i, &rate, 3 * bursts[i % 5], START_US).wait_us;
		uint64_t bytes = charge(table, i, &rate, 0, START_US + wait_us).bytes;
		assert_in_range(bytes, 1, bursts[i % 5] + 1100);
	}
	table_free(table);
}

static void bytes_of_newcomers_to_a_full_table_are_counted_together(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_byte_rate rate = bytes_of(1000, 1000);
	for (uint64_t key = 0; key < FLOODERS; key++)
		(void)charge(table, key, &rate, 100000, START_US);
	uint64_t now_us = START_US + SECOND_US;
	unsigned held = 0;
	for (uint64_t key = FLOODERS; key < FLOODERS + NEWCOMERS; key++)
		held += charge(table, key, &rate, 0, now_us).bytes == 0;
	assert_in_range(held, NEWCOMERS * 9 / 10, NEWCOMERS);
	assert_int_equal(charge(table, 0, &rate, 0, now_us).bytes, 0);
	table_free(table);
}

static void bytes_in_spoiled_memory_end(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_byte_rate rate = bytes_of(1000, 1000);
	uint64_t dice = 1;
	for (size_t at = 16; at + 8 <= throttle_bytes(); at += 8) {
		dice = dice * UINT64_C(6364136223846793005) + 1442695040888963407u;
		memcpy((char *)table + at, &dice, 8);
	}
	for (uint64_t key = 0; key < 10000; key++) {
		struct throttle_allowance allowed = charge(table, key, &rate, 500, START_US);
		assert_true((allowed.bytes == 0) == (allowed.wait_us > 0));
		assert_true(allowed.wait_us <= THROTTLE_HORIZON_US);
		assert_true(allowed.bytes <= 1000);
	}
	table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes_pass_up_to_the_burst_and_then_at_the_rate),
	    cmocka_unit_test(bytes_wait_is_when_a_piece_passes_again),
	    cmocka_unit_test(bytes_over_the_burst_are_a_debt),
	    cmocka_unit_test(bytes_never_make_a_debt_that_seems_none),
	    cmocka_unit_test(bytes_and_requests_are_counted_apart),
	    cmocka_unit_test(byte_rates_are_bounded),
	    cmocka_unit_test(bytes_waits_always_end),
	    cmocka_unit_test(bytes_of_newcomers_to_a_full_table_are_counted_together),
	    cmocka_unit_test(bytes_in_spoiled_memory_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

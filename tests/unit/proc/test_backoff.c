/* How long a dead process waits until it is started again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proc/backoff.h"

static void first_death_is_mended_at_once_and_then_ever_slower(void **state)
{
	(void)state;
	static const uint64_t expected[] = {0,    100,  200,   400,   800,  1600,
					    3200, 6400, 10000, 10000, 10000};
	struct backoff backoff = {0};
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(backoff_next(&backoff, 1000, 1001), expected[i]);
}

static void a_minute_of_life_forgives(void **state)
{
	(void)state;
	struct backoff backoff = {0};
	for (int i = 0; i < 5; i++)
		backoff_next(&backoff, 0, 10);
	assert_int_equal(backoff_next(&backoff, 0, BACKOFF_FORGET_MS), 0);
	assert_int_equal(backoff_next(&backoff, 0, BACKOFF_FORGET_MS - 1), 100);
}

static void a_process_that_dies_at_once_starts_at_most_ten_times_in_twenty_seconds(void **state)
{
	(void)state;
	struct backoff backoff = {0};
	unsigned starts = 0;
	for (uint64_t now = 0; now <= 20000; starts++)
		now += 1 + backoff_next(&backoff, now, now + 1);
	assert_in_range(starts, 5, 10);
}

static void a_clock_that_stands_or_runs_back_does_not_forgive(void **state)
{
	(void)state;
	struct backoff backoff = {.deaths = 3};
	assert_int_equal(backoff_next(&backoff, 100000, 1), 400);
}

static void no_number_of_deaths_overflows(void **state)
{
	(void)state;
	struct backoff backoff = {0};
	for (int i = 0; i < 100000; i++)
		assert_in_range(backoff_next(&backoff, 0, 1), 0, BACKOFF_LAST_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_death_is_mended_at_once_and_then_ever_slower),
	    cmocka_unit_test(a_minute_of_life_forgives),
	    cmocka_unit_test(
		a_process_that_dies_at_once_starts_at_most_ten_times_in_twenty_seconds),
	    cmocka_unit_test(a_clock_that_stands_or_runs_back_does_not_forgive),
	    cmocka_unit_test(no_number_of_deaths_overflows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

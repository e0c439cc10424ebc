/* Destinations that are known: for how long, how many, and what a flood of others does to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "sallyport/egress_known.h"

enum { HOUR_MS = 3600000, SEED = 7 };

static struct egress_known known;

static struct span name_of(unsigned i)
{
	static char text[32];
	int n = snprintf(text, sizeof(text), "h%u.example", i);
	return span_of(text, (size_t)n);
}

static int reset(void **state)
{
	(void)state;
	known = (struct egress_known){0};
	return 0;
}

static void a_destination_is_known_once_it_was_admitted(void **state)
{
	(void)state;
	assert_false(egress_known_touch(&known, SEED, SPAN("a.example"), 0, HOUR_MS));
	assert_false(egress_known_touch(&known, SEED, SPAN("a.example"), 0, HOUR_MS));
	egress_known_add(&known, SEED, SPAN("a.example"), 0, HOUR_MS);
	assert_true(egress_known_touch(&known, SEED, SPAN("a.example"), 1, HOUR_MS));
	assert_false(egress_known_touch(&known, SEED, SPAN("b.example"), 1, HOUR_MS));
	assert_false(egress_known_touch(&known, SEED + 1, SPAN("a.example"), 1, HOUR_MS));
}

static void it_is_forgotten_when_it_was_not_used_for_so_long(void **state)
{
	(void)state;
	egress_known_add(&known, SEED, SPAN("a.example"), 0, HOUR_MS);
	assert_true(egress_known_touch(&known, SEED, SPAN("a.example"), HOUR_MS - 1, HOUR_MS));
	assert_true(egress_known_touch(&known, SEED, SPAN("a.example"), 2 * HOUR_MS - 1000, HOUR_MS));
	assert_false(egress_known_touch(&known, SEED, SPAN("a.example"), 3 * HOUR_MS + 1000, HOUR_MS));
}

static void remembering_nothing_forgets_within_a_second(void **state)
{
	(void)state;
	egress_known_add(&known, SEED, SPAN("a.example"), 5000, 0);
	assert_false(egress_known_touch(&known, SEED, SPAN("a.example"), 6000, 0));
}

static void those_in_use_outlive_many_others(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++)
		egress_known_add(&known, SEED, name_of(i), 0, HOUR_MS);
	unsigned lost = 0;
	for (unsigned i = 20; i < 2000; i++) {
		egress_known_add(&known, SEED, name_of(i), i * 1000, HOUR_MS);
		for (unsigned used = 0; used < 20; used++) {
			if (!egress_known_touch(&known, SEED, name_of(used), i * 1000, HOUR_MS)) {
				lost++;
				egress_known_add(&known, SEED, name_of(used), i * 1000, HOUR_MS);
			}
		}
	}
	assert_int_equal(lost, 0);
}

static void as_many_as_it_is_for_are_kept(void **state)
{
	(void)state;
	unsigned kept = 0;
	for (unsigned i = 0; i < 500; i++)
		egress_known_add(&known, SEED, name_of(i), 0, HOUR_MS);
	for (unsigned i = 0; i < 500; i++)
		kept += egress_known_touch(&known, SEED, name_of(i), 0, HOUR_MS);
	assert_true(kept >= 480);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_destination_is_known_once_it_was_admitted, reset),
	    cmocka_unit_test_setup(it_is_forgotten_when_it_was_not_used_for_so_long, reset),
	    cmocka_unit_test_setup(remembering_nothing_forgets_within_a_second, reset),
	    cmocka_unit_test_setup(those_in_use_outlive_many_others, reset),
	    cmocka_unit_test_setup(as_many_as_it_is_for_are_kept, reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

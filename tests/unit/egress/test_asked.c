/* Distinct names: a budget for new ones, none for those that were had lately. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "sallyport/egress_dns.h"

enum { SECOND_US = 1000000 };

/* One a second, ten at once. */
static const struct egress_rate rate = {.interval_us = SECOND_US, .tolerance_us = 9 * SECOND_US};

static unsigned ask_for(struct egress_asked *asked, uint64_t first, unsigned count, uint64_t now_us)
{
	unsigned admitted = 0;
	for (unsigned i = 0; i < count; i++)
		admitted += egress_asked_admit(asked, &rate, EGRESS_FREE, (first + i) * 2, now_us);
	return admitted;
}

static void new_names_are_admitted_as_often_as_the_rate_says(void **state)
{
	(void)state;
	struct egress_asked asked = {0};
	assert_int_equal(ask_for(&asked, 1, 1000, SECOND_US), 10);
	assert_int_equal(ask_for(&asked, 2000, 1000, SECOND_US), 0);
	assert_int_equal(ask_for(&asked, 3000, 1000, 4 * SECOND_US), 3);
	assert_int_equal(ask_for(&asked, 4000, 1000, 100 * SECOND_US), 10);
}

static void a_known_name_costs_nothing(void **state)
{
	(void)state;
	struct egress_asked asked = {0};
	assert_int_equal(ask_for(&asked, 1, 10, SECOND_US), 10);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(ask_for(&asked, 1, 10, SECOND_US), 10);
	assert_int_equal(ask_for(&asked, 11, 1, SECOND_US), 0);
}

static void refused_names_displace_none(void **state)
{
	(void)state;
	struct egress_asked asked = {0};
	assert_int_equal(ask_for(&asked, 1, 10, SECOND_US), 10);
	assert_int_equal(ask_for(&asked, 1000, 100000, SECOND_US), 0);
	assert_int_equal(ask_for(&asked, 1, 10, SECOND_US), 10);
}

static void the_oldest_names_make_way(void **state)
{
	(void)state;
	struct egress_asked asked = {0};
	uint64_t now_us = SECOND_US;
	for (unsigned i = 0; i <= EGRESS_ASKED_KEPT; i++, now_us += SECOND_US)
		assert_int_equal(ask_for(&asked, 100 + i, 1, now_us), 1);
	uint64_t late_us = asked.tat_us + SECOND_US;
	assert_int_equal(ask_for(&asked, 101, EGRESS_ASKED_KEPT, late_us), EGRESS_ASKED_KEPT);
	assert_int_equal(ask_for(&asked, 5000, 10, late_us), 10);
	assert_int_equal(ask_for(&asked, 100, 1, late_us), 0);
}

static void quarantine_has_no_turns(void **state)
{
	(void)state;
	struct egress_asked asked = {0};
	assert_int_equal(ask_for(&asked, 1, 1, SECOND_US), 1);
	assert_true(egress_asked_admit(&asked, &rate, EGRESS_LISTED_ONLY, 2, SECOND_US));
	assert_false(egress_asked_admit(&asked, &rate, EGRESS_LISTED_ONLY, 4, SECOND_US));
	assert_true(egress_asked_admit(&asked, &rate, EGRESS_FREE, 4, SECOND_US));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(new_names_are_admitted_as_often_as_the_rate_says),
	    cmocka_unit_test(a_known_name_costs_nothing),
	    cmocka_unit_test(refused_names_displace_none),
	    cmocka_unit_test(the_oldest_names_make_way),
	    cmocka_unit_test(quarantine_has_no_turns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

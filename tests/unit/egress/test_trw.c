/* The walk of Jung et al. 2004, section 4: with their values, four failures in a row convict, four successes in a
 * row acquit, and everything in between is weighed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sallyport/trw.h"

/* 'F' a failure, 'S' a success; the verdict of the last one. */
static enum trw_verdict walk(const char *steps)
{
	struct trw walk = {0};
	enum trw_verdict verdict = TRW_UNSET;
	for (; *steps; steps++) {
		verdict = trw_observe(&walk, *steps == 'S');
		if (steps[1] != '\0')
			assert_int_equal(verdict, TRW_PENDING);
	}
	return verdict;
}

static void four_failures_convict(void **state)
{
	(void)state;
	assert_int_equal(walk("FFF"), TRW_PENDING);
	assert_int_equal(walk("FFFF"), TRW_SCANNER);
}

static void each_success_takes_one_failure_away(void **state)
{
	(void)state;
	assert_int_equal(walk("SFFFF"), TRW_PENDING);
	assert_int_equal(walk("SFFFFF"), TRW_SCANNER);
	assert_int_equal(walk("FFSFSFFSF"), TRW_PENDING);
	assert_int_equal(walk("FFSFFF"), TRW_SCANNER);
}

static void four_successes_acquit_and_the_walk_begins_anew(void **state)
{
	struct trw walk_of = {0};
	(void)state;
	assert_int_equal(walk("SSS"), TRW_PENDING);
	assert_int_equal(walk("SSSS"), TRW_BENIGN);
	for (int i = 0; i < 4; i++)
		(void)trw_observe(&walk_of, true);
	for (int i = 0; i < 3; i++)
		assert_int_equal(trw_observe(&walk_of, false), TRW_PENDING);
	assert_int_equal(trw_observe(&walk_of, false), TRW_SCANNER);
	assert_int_equal(trw_observe(&walk_of, false), TRW_PENDING);
}

/* xorshift: the same walks in every run. */
static uint32_t next(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	return *seed ^= *seed << 5;
}

/* How many of 10,000 machines, whose contacts succeed with that per cent, are taken for scanners. */
static unsigned convicted(unsigned per_cent, unsigned *contacts)
{
	uint32_t seed = 2463534242;
	unsigned n = 0;
	*contacts = 0;
	for (int machine = 0; machine < 10000; machine++) {
		struct trw walk_of = {0};
		enum trw_verdict verdict = TRW_PENDING;
		while (verdict == TRW_PENDING) {
			verdict = trw_observe(&walk_of, next(&seed) % 100 < per_cent);
			++*contacts;
		}
		n += verdict == TRW_SCANNER;
	}
	return n;
}

/* The rates that the thresholds promise, and the expected number of contacts of the paper's equation (9). */
static void rates_are_those_that_the_paper_promises(void **state)
{
	unsigned contacts;
	(void)state;
	assert_true(convicted(20, &contacts) >= 9900);
	assert_in_range(contacts, 50000, 70000);
	assert_true(convicted(80, &contacts) <= 100);
	assert_in_range(contacts, 50000, 70000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(four_failures_convict),
	    cmocka_unit_test(each_success_takes_one_failure_away),
	    cmocka_unit_test(four_successes_acquit_and_the_walk_begins_anew),
	    cmocka_unit_test(rates_are_those_that_the_paper_promises),
	};
	return cmocka_run_group_tests_name("trw", tests, NULL, NULL);
}

/* Addresses of listed names, from the gate to the warden. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sallyport/egress_found.h"

static struct egress_found found;
static struct egress_found_address got[EGRESS_FOUND_MAX];

static int setup(void **state)
{
	(void)state;
	memset(&found, 0, sizeof(found));
	return 0;
}

static struct egress_found_address address(unsigned number, uint64_t until_ms)
{
	struct egress_found_address out = {.list = 4, .port_min = 443, .port_max = 443, .until_ms = until_ms};
	memcpy(out.bytes, &number, sizeof(number));
	return out;
}

static void what_is_entered_is_read_once(void **state)
{
	const struct egress_found_address one = address(1, 5000);
	uint32_t sequence = 0;
	unsigned n = 9;
	(void)state;
	assert_false(egress_found_read(&found, &sequence, 0, got, &n));
	assert_true(egress_found_add(&found, &one, 1000));
	assert_true(egress_found_read(&found, &sequence, 1000, got, &n));
	assert_int_equal(n, 1);
	assert_memory_equal(got[0].bytes, one.bytes, 16);
	assert_int_equal(got[0].list, 4);
	assert_int_equal(got[0].port_min, 443);
	assert_int_equal(got[0].port_max, 443);
	assert_true(got[0].until_ms == 5000);
	assert_false(egress_found_read(&found, &sequence, 1000, got, &n));
}

static void the_same_is_written_anew_when_it_lasts_a_minute_longer(void **state)
{
	struct egress_found_address one = address(1, 100000);
	(void)state;
	assert_true(egress_found_add(&found, &one, 0));
	uint32_t before = atomic_load(&found.sequence);
	one.until_ms += 59999;
	assert_true(egress_found_add(&found, &one, 0));
	assert_int_equal(atomic_load(&found.sequence), before);
	one.until_ms += 1;
	assert_true(egress_found_add(&found, &one, 0));
	assert_int_not_equal(atomic_load(&found.sequence), before);
}

static void a_full_table_takes_no_more_until_one_is_over(void **state)
{
	uint32_t sequence = 0;
	unsigned n;
	(void)state;
	for (unsigned i = 1; i <= EGRESS_FOUND_MAX; i++) {
		const struct egress_found_address each = address(i, i == 7 ? 2000 : 9000);
		assert_true(egress_found_add(&found, &each, 0));
	}
	const struct egress_found_address more = address(5000, 9000);
	assert_false(egress_found_add(&found, &more, 1999));
	assert_true(egress_found_add(&found, &more, 2000));
	assert_true(egress_found_read(&found, &sequence, 2000, got, &n));
	assert_int_equal(n, EGRESS_FOUND_MAX);
	assert_true(egress_found_read(&found, &(uint32_t){0}, 9000, got, &n));
	assert_int_equal(n, 0);
}

static void a_writer_that_died_holds_nobody_up_for_long(void **state)
{
	const struct egress_found_address one = address(1, 9000);
	uint32_t sequence = 0;
	unsigned n;
	(void)state;
	atomic_store(&found.sequence, 7);
	atomic_store(&found.since_ms, 1000);
	assert_false(egress_found_read(&found, &sequence, 1000, got, &n));
	assert_false(egress_found_add(&found, &one, 1000 + EGRESS_FOUND_STUCK_MS - 1));
	assert_true(egress_found_add(&found, &one, 1000 + EGRESS_FOUND_STUCK_MS));
	assert_true(egress_found_read(&found, &sequence, 2000, got, &n));
	assert_int_equal(n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(what_is_entered_is_read_once, setup),
	    cmocka_unit_test_setup(the_same_is_written_anew_when_it_lasts_a_minute_longer, setup),
	    cmocka_unit_test_setup(a_full_table_takes_no_more_until_one_is_over, setup),
	    cmocka_unit_test_setup(a_writer_that_died_holds_nobody_up_for_long, setup),
	};
	return cmocka_run_group_tests_name("found addresses", tests, NULL, NULL);
}

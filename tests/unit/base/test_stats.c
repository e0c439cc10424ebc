/* Counters survive the worker that wrote them, gauges do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "sallyport/stats.h"

#define SET(name, help)      stat_add(&slot.name, 7);
#define IS_KEPT(name, help)  assert_int_equal(atomic_load(&slot.name), 7);
#define IS_RESET(name, help) assert_int_equal(atomic_load(&slot.name), 0);

static void stats_reset_touches_gauges_only(void **state)
{
	(void)state;
	static struct stats_slot slot;
	STATS(SET, SET)
	stat_add(&slot.reasons[REASON_BARE_LF], 3);
	stat_add(&slot.status_class[2], 3);
	atomic_store(&slot.in_use, 1);
	stats_slot_reset_gauges(&slot);
	STATS(IS_KEPT, IS_RESET)
	assert_int_equal(atomic_load(&slot.reasons[REASON_BARE_LF]), 3);
	assert_int_equal(atomic_load(&slot.status_class[2]), 3);
	assert_int_equal(atomic_load(&slot.in_use), 1);
	stat_sub(&slot.requests, 2);
	assert_int_equal(atomic_load(&slot.requests), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stats_reset_touches_gauges_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

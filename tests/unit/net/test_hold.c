/* Held bytes: order, ceilings, and memory given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sallyport/hold.h"

static void bytes_come_out_in_the_order_they_went_in(void **state)
{
	(void)state;
	struct memory memory = {.limit = 1 << 20};
	struct hold hold = {0};
	unsigned in = 0, out = 0;
	srand(3);
	for (int i = 0; i < 5000; i++) {
		unsigned char bytes[300];
		size_t n = (size_t)(rand() % 300);
		for (size_t j = 0; j < n; j++)
			bytes[j] = (unsigned char)in++;
		assert_true(hold_add(&hold, &memory, bytes, n));
		n = (size_t)(rand() % 400);
		n = n < hold.len ? n : hold.len;
		for (size_t j = 0; j < n; j++)
			assert_int_equal((unsigned char)hold_ptr(&hold)[j], (unsigned char)out++);
		hold_consume(&hold, &memory, n);
	}
	hold_release(&hold, &memory);
	assert_int_equal(memory.used, 0);
}

static void emptied_hold_gives_its_memory_back(void **state)
{
	(void)state;
	struct memory memory = {.limit = 4096};
	struct hold hold = {0};
	assert_true(hold_add(&hold, &memory, "abc", 3));
	assert_true(memory.used > 0);
	hold_consume(&hold, &memory, 3);
	assert_int_equal(memory.used, 0);
	assert_null(hold.data);
}

static void nothing_is_held_over_the_ceiling(void **state)
{
	(void)state;
	struct memory memory = {.limit = 4096};
	struct hold hold = {0};
	char bytes[1024] = {0};
	size_t added = 0;
	while (hold_add(&hold, &memory, bytes, sizeof(bytes)))
		added += sizeof(bytes);
	assert_true(added >= 1024 && added <= 4096);
	assert_int_equal(hold.len, added);
	assert_true(memory.used <= memory.limit);
	hold_release(&hold, &memory);
	assert_int_equal(memory.used, 0);
}

static void one_hold_has_a_largest_size(void **state)
{
	(void)state;
	struct memory memory = {.limit = 64 << 20};
	struct hold hold = {0};
	assert_true(hold_reserve(&hold, &memory, HOLD_MAX));
	assert_false(hold_reserve(&hold, &memory, (size_t)HOLD_MAX + 1));
	assert_false(hold_reserve(&hold, &memory, SIZE_MAX));
	hold_release(&hold, &memory);
}

static void memory_is_tight_before_it_is_gone(void **state)
{
	(void)state;
	struct memory memory = {.limit = 1024};
	assert_false(memory_is_tight(&memory));
	void *p = memory_take(&memory, 1000);
	assert_non_null(p);
	assert_true(memory_is_tight(&memory));
	assert_null(memory_take(&memory, 25));
	assert_null(memory_take(&memory, SIZE_MAX));
	memory_give(&memory, p, 1000);
	assert_int_equal(memory.used, 0);
}

static void what_a_library_takes_counts_too(void **state)
{
	(void)state;
	struct memory memory = {.limit = 1000};
	assert_true(memory_charge(&memory, 900));
	assert_int_equal(memory.used, 900);
	assert_false(memory_charge(&memory, 101));
	assert_false(memory_charge(&memory, SIZE_MAX));
	assert_null(memory_take(&memory, 101));
	memory_discharge(&memory, 900);
	assert_int_equal(memory.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes_come_out_in_the_order_they_went_in),
	    cmocka_unit_test(emptied_hold_gives_its_memory_back),
	    cmocka_unit_test(nothing_is_held_over_the_ceiling),
	    cmocka_unit_test(one_hold_has_a_largest_size),
	    cmocka_unit_test(memory_is_tight_before_it_is_gone),
	    cmocka_unit_test(what_a_library_takes_counts_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The census against a plain model of itself, when full, and when read or written by
 * somebody hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include "dice.h"
#include "sallyport/census.h"
#include "sallyport/shm.h"
#include "sallyport/stats.h"

static void *memory_new(void)
{
	int fd = shm_create("census", census_bytes(), NULL);
	assert_true(fd >= 0);
	void *memory = shm_map(fd, census_bytes(), true, NULL);
	assert_non_null(memory);
	return memory;
}

static void memory_free(void *memory)
{
	munmap(memory, census_bytes());
}

static void census_counts_over_all_slots(void **state)
{
	(void)state;
	void *memory = memory_new();
	struct census *one = census_open(memory, 0), *two = census_open(memory, STATS_SLOTS - 1);
	assert_null(census_open(memory, STATS_SLOTS));
	assert_true(census_enter(one, 7, 3));
	assert_true(census_enter(two, 7, 3));
	assert_true(census_enter(two, 7, 3));
	assert_false(census_enter(one, 7, 3));
	assert_false(census_enter(two, 7, 3));
	assert_true(census_enter(one, 8, 3));
	assert_int_equal(census_total(one), 4);
	census_leave(two, 7);
	assert_true(census_enter(one, 7, 3));
	assert_false(census_enter(one, 9, 0));
	census_close(two);
	assert_int_equal(census_total(one), 3);
	assert_true(census_enter(one, 7, 3));
	census_close(one);
	memory_free(memory);
}

static void census_slot_taken_anew_starts_at_nothing(void **state)
{
	(void)state;
	void *memory = memory_new();
	struct census *died = census_open(memory, 3), *other = census_open(memory, 4);
	for (uint64_t key = 1; key < 1000; key++)
		assert_true(census_enter(died, key, 1));
	assert_false(census_enter(other, 7, 1));
	struct census *next = census_open(memory, 3);
	assert_int_equal(census_total(other), 0);
	assert_true(census_enter(other, 7, 1));
	assert_false(census_enter(next, 7, 1));
	census_clear(memory, 4);
	assert_true(census_enter(next, 7, 1));
	census_clear(memory, STATS_SLOTS);
	census_close(died); /* only its memory is left of it */
	census_close(other);
	census_close(next);
	census_close(NULL);
	memory_free(memory);
}

static void what_is_no_connection_counts_apart_from_the_total(void **state)
{
	(void)state;
	void *memory = memory_new();
	struct census *one = census_open(memory, 0), *other = census_open(memory, 1);
	assert_true(census_begin(one, 7, 2));
	assert_true(census_begin(other, 7, 2));
	assert_false(census_begin(one, 7, 2));
	assert_int_equal(census_total(one), 0);
	census_end(one, 7);
	assert_true(census_begin(other, 7, 2));
	census_end(one, 7); /* it has none: nothing goes below zero */
	assert_false(census_begin(one, 7, 2));
	census_clear(memory, 1);
	assert_true(census_begin(one, 7, 1));
	census_close(one);
	census_close(other);
	memory_free(memory);
}

enum { MODEL_KEYS = 24000, MODEL_STEPS = 2000000, MODEL_LIMIT = 3 };

/* Fewer keys than entries: none is counted together with others. The table fills
 * up and empties over and over: entries are freed in the middle of long runs, and
 * each count must still be found. */
static void census_is_what_a_plain_count_says(void **state)
{
	(void)state;
	static uint8_t model[MODEL_KEYS];
	void *memory = memory_new();
	struct census *census = census_open(memory, 0);
	uint64_t seed = 4711, total = 0;
	for (unsigned i = 0; i < MODEL_STEPS; i++) {
		uint64_t random = dice_next(&seed);
		unsigned k = (unsigned)(random >> 8) % MODEL_KEYS;
		bool leave = random % 8 < (i / 100000 % 2 ? 6U : 2U);
		if (leave && model[k] > 0) {
			census_leave(census, k + 1);
			model[k]--;
			total--;
		} else if (!leave) {
			bool fits = model[k] < MODEL_LIMIT;
			assert_int_equal(census_enter(census, k + 1, MODEL_LIMIT), fits);
			model[k] = (uint8_t)(model[k] + fits);
			total += fits;
		}
	}
	assert_int_equal(census_total(census), total);
	for (unsigned k = 0; k < MODEL_KEYS; k++)
		for (; model[k] > 0; model[k]--)
			census_leave(census, k + 1);
	assert_int_equal(census_total(census), 0);
	for (unsigned k = 0; k < MODEL_KEYS / 2; k++)
		assert_true(census_enter(census, k + 1, 1));
	census_close(census);
	memory_free(memory);
}

static void census_that_is_full_still_counts(void **state)
{
	(void)state;
	enum { KEYS = STATS_CENSUS_ENTRIES + 5000 };
	void *memory = memory_new();
	struct census *census = census_open(memory, 0);
	for (uint64_t key = 1; key <= KEYS; key++)
		assert_true(census_enter(census, key, 1000));
	assert_int_equal(census_total(census), KEYS);
	/* nobody gets more than the limit, whether counted alone or with others */
	for (uint64_t key = 1; key <= KEYS; key += 97) {
		unsigned entered = 0;
		while (census_enter(census, key, 100))
			entered++;
		assert_true(entered < 100);
		for (; entered > 0; entered--)
			census_leave(census, key);
	}
	for (uint64_t key = 1; key <= KEYS; key++)
		census_leave(census, key);
	assert_int_equal(census_total(census), 0);
	for (uint64_t key = 1; key <= KEYS / 2; key++)
		assert_true(census_enter(census, key, 1));
	census_close(census);
	memory_free(memory);
}

static void census_leave_never_counts_below_zero(void **state)
{
	(void)state;
	void *memory = memory_new();
	struct census *census = census_open(memory, 0);
	census_leave(census, 7);
	assert_int_equal(census_total(census), 0);
	assert_true(census_enter(census, 7, 1));
	assert_false(census_enter(census, 7, 1));
	census_close(census);
	memory_free(memory);
}

static void census_in_spoiled_memory_ends(void **state)
{
	(void)state;
	void *memory = memory_new();
	struct census *census = census_open(memory, 0), *other = census_open(memory, 1);
	uint64_t seed = 4713;
	for (unsigned round = 0; round < 6; round++) {
		for (size_t at = 0; at + 8 <= census_bytes() / 8; at += 8) {
			uint64_t random =
			    round < 3 ? dice_next(&seed) : 0x0101010101010101u * round;
			memcpy((char *)memory + at, &random, 8);
		}
		for (uint64_t key = 1; key < 300; key++) {
			(void)census_enter(other, key, UINT32_MAX);
			census_leave(census, key);
			census_leave(other, key);
		}
		(void)census_total(census);
	}
	census_close(census);
	census_close(other);
	memory_free(memory);
}

struct churn {
	struct census *census;
	_Atomic bool stop;
};

static void *churn_all(void *context)
{
	struct churn *churn = context;
	while (!atomic_load(&churn->stop)) {
		for (uint64_t key = 1; key < 20000; key++)
			(void)census_enter(churn->census, key, UINT32_MAX);
		for (uint64_t key = 1; key < 20000; key++)
			census_leave(churn->census, key);
	}
	return NULL;
}

static void census_is_read_while_another_writes(void **state)
{
	(void)state;
	void *memory = memory_new();
	struct churn churn = {.census = census_open(memory, 0)};
	struct census *reader = census_open(memory, 1);
	pthread_t thread;
	assert_true(census_enter(churn.census, UINT64_MAX, 1));
	assert_int_equal(pthread_create(&thread, NULL, churn_all, &churn), 0);
	for (uint64_t i = 0; i < 300000; i++) {
		uint64_t key = i % 20000 + 1;
		/* the other has at most one for each key */
		assert_true(census_enter(reader, key, 3));
		census_leave(reader, key);
	}
	atomic_store(&churn.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(census_total(reader), 1);
	assert_false(census_enter(reader, UINT64_MAX, 1));
	census_close(churn.census);
	census_close(reader);
	memory_free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(census_counts_over_all_slots),
	    cmocka_unit_test(census_slot_taken_anew_starts_at_nothing),
	    cmocka_unit_test(what_is_no_connection_counts_apart_from_the_total),
	    cmocka_unit_test(census_is_what_a_plain_count_says),
	    cmocka_unit_test(census_that_is_full_still_counts),
	    cmocka_unit_test(census_leave_never_counts_below_zero),
	    cmocka_unit_test(census_in_spoiled_memory_ends),
	    cmocka_unit_test(census_is_read_while_another_writes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The table that knows its oldest entry: against a plain list that does the same slowly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "sallyport/lru.h"

enum { KEYS = 64, BUCKETS = 8, STEPS = 20000 };

struct thing {
	struct lru_entry entry;
	unsigned key;
	bool is_in;
	unsigned used; /* at which step */
};

static bool has_key(const struct lru_entry *entry, const void *key)
{
	return ((const struct thing *)(const void *)entry)->key == *(const unsigned *)key;
}

static struct thing *oldest_of(struct thing *things)
{
	struct thing *oldest = NULL;
	for (unsigned i = 0; i < KEYS; i++) {
		if (things[i].is_in && (!oldest || things[i].used < oldest->used))
			oldest = &things[i];
	}
	return oldest;
}

static void step_once(struct lru *lru, struct thing *thing, unsigned step)
{
	uint64_t hash = lru_hash(lru->seed, &thing->key, sizeof(thing->key));
	struct lru_entry *found = lru_find(lru, hash, has_key, &thing->key);
	assert_ptr_equal(found, thing->is_in ? &thing->entry : NULL);
	if (!thing->is_in) {
		lru_add(lru, &thing->entry, hash);
		thing->is_in = true;
	} else if (rand() % 3 == 0) {
		lru_remove(lru, &thing->entry);
		thing->is_in = false;
	} else {
		lru_touch(lru, &thing->entry);
	}
	thing->used = step;
}

static void lru_agrees_with_a_plain_list(void **state)
{
	(void)state;
	static struct thing things[KEYS];
	struct lru lru;
	struct err err;
	assert_true(lru_init(&lru, BUCKETS, &err));
	for (unsigned i = 0; i < KEYS; i++)
		things[i].key = i;
	srand(1);
	for (unsigned step = 1; step <= STEPS; step++) {
		step_once(&lru, &things[rand() % KEYS], step);
		struct thing *oldest = oldest_of(things);
		size_t count = 0;
		for (unsigned i = 0; i < KEYS; i++)
			count += things[i].is_in;
		assert_ptr_equal(lru.oldest, oldest ? &oldest->entry : NULL);
		assert_int_equal(lru.count, count);
	}
	lru_release(&lru);
}

static void hash_depends_on_every_byte_the_length_and_the_seed(void **state)
{
	(void)state;
	char text[24] = {0};
	uint64_t first = lru_hash(1, text, 20);
	for (size_t i = 0; i < 20; i++) {
		text[i] = 1;
		assert_int_not_equal(lru_hash(1, text, 20), first);
		text[i] = 0;
	}
	assert_int_not_equal(lru_hash(1, text, 19), first);
	assert_int_not_equal(lru_hash(1, text, 21), first);
	assert_int_not_equal(lru_hash(2, text, 20), first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lru_agrees_with_a_plain_list),
	    cmocka_unit_test(hash_depends_on_every_byte_the_length_and_the_seed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

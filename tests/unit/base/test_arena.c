/* The arena: what it gives is zeroed, aligned, apart from everything else, and limited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdalign.h>
#include <string.h>
#include "sallyport/arena.h"

static void arena_gives_zeroed_aligned_memory(void **state)
{
	(void)state;
	struct arena *arena = arena_new(1 << 22);
	for (size_t i = 0; i < 2000; i++) {
		size_t size = i * 7 % 3001;
		char *memory = arena_alloc(arena, size);
		assert_non_null(memory);
		assert_int_equal((uintptr_t)memory % alignof(max_align_t), 0);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(memory[k], 0);
		memset(memory, 0xee, size); /* overlap would show as a byte that is not zero */
	}
	arena_free(arena);
}

static void arena_objects_do_not_overlap_large_ones(void **state)
{
	(void)state;
	struct arena *arena = arena_new(1 << 22);
	char *small = arena_alloc(arena, 10);
	char *large = arena_alloc(arena, 100000);
	char *next = arena_alloc(arena, 10);
	memset(large, 1, 100000);
	assert_int_equal(small[0] | next[9], 0);
	/* the block that was being filled goes on being filled */
	assert_true(next > small && next < small + 4096);
	arena_free(arena);
}

static void arena_stops_at_its_limit(void **state)
{
	(void)state;
	struct arena *arena = arena_new(1024);
	assert_null(arena_alloc(arena, 1025));
	assert_null(arena_alloc(arena, SIZE_MAX));
	assert_null(arena_alloc(arena, SIZE_MAX - 3));
	assert_non_null(arena_alloc(arena, 1000));
	assert_true(arena_used(arena) >= 1000 && arena_used(arena) <= 1024);
	assert_null(arena_alloc(arena, 32));
	assert_non_null(arena_alloc(arena, 16));
	assert_null(arena_alloc(arena, 1));
	assert_null(arena_strdup(arena, ""));
	assert_null(arena_span(arena, SPAN("x")).ptr);
	arena_free(arena);
	arena_free(NULL);
}

static void arena_copies_are_terminated(void **state)
{
	(void)state;
	struct arena *arena = arena_new(1024);
	assert_string_equal(arena_strdup(arena, "text"), "text");
	struct span copy = arena_span(arena, span_of("a\0bcd", 3));
	assert_int_equal(copy.len, 3);
	assert_memory_equal(copy.ptr, "a\0b\0", 4);
	copy = arena_span(arena, span_of(NULL, 0));
	assert_int_equal(copy.len, 0);
	assert_string_equal(copy.ptr, "");
	arena_free(arena);
}

static int released[2];
static int release_count;

static void note_release(void *object)
{
	released[release_count++ % 2] = *(int *)object;
}

static void arena_lets_go_of_what_it_owns_the_last_first(void **state)
{
	(void)state;
	struct arena *arena = arena_new(1024);
	int first = 1, second = 2;
	assert_true(arena_own(arena, note_release, &first));
	assert_true(arena_own(arena, note_release, &second));
	assert_int_equal(release_count, 0);
	arena_free(arena);
	assert_int_equal(release_count, 2);
	assert_int_equal(released[0], 2);
	assert_int_equal(released[1], 1);
	arena = arena_new(8);
	assert_false(arena_own(arena, note_release, &first));
	assert_int_equal(release_count, 3);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(arena_gives_zeroed_aligned_memory),
	    cmocka_unit_test(arena_objects_do_not_overlap_large_ones),
	    cmocka_unit_test(arena_stops_at_its_limit),
	    cmocka_unit_test(arena_copies_are_terminated),
	    cmocka_unit_test(arena_lets_go_of_what_it_owns_the_last_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Counting names: exact for as many as any profile lets pass, never too few, and in linear time
 * however the names were made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "shield/repeats.h"

static struct repeats repeats;

static struct span name_of(unsigned number, char *buf, size_t room)
{
	int len = snprintf(buf, room, "name%u", number);
	return span_of(buf, (size_t)len);
}

static void each_name_is_counted_by_itself(void **state)
{
	(void)state;
	char buf[32];
	repeats_init(&repeats);
	for (unsigned round = 1; round <= 5; round++) {
		for (unsigned i = 0; i < 300; i++)
			assert_int_equal(repeats_add(&repeats, name_of(i, buf, sizeof(buf))),
					 round);
	}
}

static void case_is_ignored_where_it_is_asked_for(void **state)
{
	(void)state;
	repeats_init(&repeats);
	assert_int_equal(repeats_add(&repeats, SPAN("Accept")), 1);
	assert_int_equal(repeats_add(&repeats, SPAN("accept")), 1);
	assert_int_equal(repeats_add_caseless(&repeats, SPAN("ACCEPT")), 2);
	assert_int_equal(repeats_add_caseless(&repeats, SPAN("Accept")), 3);
	assert_int_equal(repeats_add(&repeats, SPAN("")), 1);
}

static void more_names_than_places_are_never_counted_too_few(void **state)
{
	(void)state;
	char buf[32];
	repeats_init(&repeats);
	assert_int_equal(repeats_add(&repeats, SPAN("first")), 1);
	for (unsigned i = 0; i < 20 * REPEATS_PLACES; i++)
		assert_true(repeats_add(&repeats, name_of(i, buf, sizeof(buf))) >= 1);
	assert_true(repeats_add(&repeats, SPAN("first")) >= 2);
	for (unsigned i = 0; i < 100000; i++)
		(void)repeats_add(&repeats, SPAN("first"));
	assert_int_equal(repeats_add(&repeats, SPAN("first")), UINT16_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_name_is_counted_by_itself),
	    cmocka_unit_test(case_is_ignored_where_it_is_asked_for),
	    cmocka_unit_test(more_names_than_places_are_never_counted_too_few),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

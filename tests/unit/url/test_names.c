/* Names of a clean path: the glance at all of them agrees with the look at each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "guard_page.h"
#include "url/segment.h"

/* What the glance has to say. */
static bool are_ordinary(struct span path)
{
	for (size_t at = 1; at <= path.len; at++) {
		struct span rest = span_from(path, at);
		struct span segment = span_of(rest.ptr, span_find(rest, '/'));
		if (!url_segment_is_ordinary(segment))
			return false;
		at += segment.len;
	}
	return true;
}

static void the_glance_sees_each_device_wherever_it_stands(void **state)
{
	(void)state;
	static const char *const devices[] = {"con", "COM", "Clo", "prn", "aUx", "nul", "lpT"};
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		for (size_t len = 19; len < 80; len++) {
			char *path = guarded_copy("/-------------------------------------------"
						  "------------------------------------------", len);
			assert_true(url_names_are_ordinary(span_of(path, len)));
			for (size_t at = 0; at + 4 <= len; at++) {
				path[at] = '/';
				memcpy(path + at + 1, devices[i], 3);
				assert_false(url_names_are_ordinary(span_of(path, len)));
				path[at + 1] = 'x';
				assert_true(url_names_are_ordinary(span_of(path, len)));
				memset(path + at, '-', 4);
			}
			guarded_free(path, len);
		}
	}
}

static void the_glance_agrees_with_the_look_at_each_name(void **state)
{
	(void)state;
	static const char bytes[] = "/////ccoonmllopprraauuxxntLPTCONaz0-_.";
	unsigned ordinary = 0, other = 0;
	srandom(20261126);
	for (int round = 0; round < 200000; round++) {
		char path[64] = "/";
		size_t len = 19 + (size_t)random() % (sizeof(path) - 19);
		for (size_t i = 1; i < len; i++)
			path[i] = bytes[(size_t)random() % (sizeof(bytes) - 1)];
		for (size_t i = 1; i < len; i++) { /* no "/." and "./" in a clean one */
			if (path[i] == '.' && i + 1 < len)
				path[i] = '-';
		}
		struct span span = span_of(path, len);
		bool expected = are_ordinary(span);
		assert_int_equal(url_names_are_ordinary(span), expected);
		ordinary += expected;
		other += !expected;
	}
	assert_true(ordinary > 1000 && other > 1000);
}

static void a_short_path_is_left_to_the_look(void **state)
{
	(void)state;
	for (size_t len = 0; len < 19; len++) {
		char *path = guarded_copy("/abcdefghijklmnopqr", len);
		assert_false(url_names_are_ordinary(span_of(path, len)));
		guarded_free(path, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_glance_sees_each_device_wherever_it_stands),
	    cmocka_unit_test(the_glance_agrees_with_the_look_at_each_name),
	    cmocka_unit_test(a_short_path_is_left_to_the_look),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What was freed while secrets were read is nowhere in what is allocated afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "sallyport/secret_heap.h"

enum { PIECES = 12, LARGEST = 4096 };

static void fill(char *piece, size_t size)
{
	for (size_t i = 0; i < size; i++)
		piece[i] = "SECRET"[i % 6];
}

static size_t pieces_with_secret(size_t size)
{
	char *pieces[PIECES];
	size_t found = 0;
	for (int i = 0; i < PIECES; i++) {
		pieces[i] = malloc(size);
		assert_non_null(pieces[i]);
		found += memmem(pieces[i], size, "SECRETSECRET", 12) != NULL;
	}
	for (int i = 0; i < PIECES; i++)
		free(pieces[i]);
	return found;
}

static void nothing_freed_is_found_again(void **state)
{
	(void)state;
	for (size_t size = 40; size <= LARGEST; size += 24) {
		char *pieces[PIECES];
		secret_heap_begin();
		for (int i = 0; i < PIECES; i++) {
			pieces[i] = malloc(size);
			assert_non_null(pieces[i]);
			fill(pieces[i], size);
		}
		for (int i = 0; i < PIECES; i++)
			free(pieces[i]);
		secret_heap_end();
		assert_int_equal(pieces_with_secret(size), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_freed_is_found_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

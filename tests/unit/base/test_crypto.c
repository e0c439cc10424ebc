/* Random bytes: all of them are written, and they differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "sallyport/crypto.h"

static void random_bytes_fill_the_whole_buffer(void **state)
{
	(void)state;
	unsigned char seen[64] = {0}, bytes[66];
	for (unsigned round = 0; round < 16; round++) {
		struct err err;
		memset(bytes, 0, sizeof(bytes));
		assert_true(crypto_random(bytes + 1, 64, &err));
		assert_int_equal(bytes[0] | bytes[65], 0);
		for (unsigned i = 0; i < 64; i++)
			seen[i] |= bytes[i + 1];
	}
	for (unsigned i = 0; i < 64; i++)
		assert_int_not_equal(seen[i], 0); /* sixteen zeros in a row: never */
	assert_true(crypto_random(bytes, 0, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_bytes_fill_the_whole_buffer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

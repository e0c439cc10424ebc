/* Bytes as hexadecimal digits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sallyport/hex.h"

static void bytes_come_back_from_their_digits(void **state)
{
	(void)state;
	uint8_t all[256], back[256];
	char digits[HEX_SIZE(sizeof(all))];
	for (unsigned i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	assert_ptr_equal(hex_write(all, sizeof(all), digits), digits);
	assert_int_equal(strlen(digits), 2 * sizeof(all));
	assert_memory_equal(digits, "000102030405060708090a0b", 24);
	assert_string_equal(digits + 2 * 0xfd, "fdfeff");
	assert_true(hex_read(span_from_str(digits), back, sizeof(back)));
	assert_memory_equal(back, all, sizeof(all));
	assert_string_equal(hex_write("", 0, digits), "");
	assert_true(hex_read(SPAN(""), back, 0));
}

static void digits_are_read_in_full_and_nothing_else(void **state)
{
	(void)state;
	uint8_t out[2];
	assert_true(hex_read(SPAN("AbCd"), out, 2));
	assert_int_equal(out[0], 0xab);
	assert_int_equal(out[1], 0xcd);
	static const char *const wrong[] = {"", "abc", "abcde", "abcdef", "ab c", "0xab", "abcg", "-abc", "ab\ncd"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(hex_read(span_from_str(wrong[i]), out, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes_come_back_from_their_digits),
	    cmocka_unit_test(digits_are_read_in_full_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Eight bytes in a word, against the same question to each byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "dice.h"
#include "guard_page.h"
#include "sallyport/word.h"

static uint64_t seed = 5;

static void roll(char text[8])
{
	static const char bytes[] = "%&+,*\0\1\x80\xff\x7f aZ";
	for (int i = 0; i < 8; i++)
		text[i] = bytes[dice_below(&seed, sizeof(bytes) - 1)];
}

static size_t first_of(const char text[8], char c)
{
	const char *at = memchr(text, c, 8);
	return at ? (size_t)(at - text) : 8;
}

static size_t first_below(const char text[8], unsigned n)
{
	size_t i = 0;
	while (i < 8 && (unsigned char)text[i] >= n)
		i++;
	return i;
}

static size_t first_in(uint64_t found)
{
	return found ? word_first(found) : 8;
}

static void bytes_are_found(void **state)
{
	(void)state;
	for (int round = 0; round < 100000; round++) {
		char text[8], c;
		roll(text);
		c = text[dice_below(&seed, 8)];
		const uint64_t word = word_load(text), all = word_find_all(word, c);
		assert_int_equal(first_in(word_find(word, c)), first_of(text, c));
		assert_int_equal(first_in(word_find(word, '%')), first_of(text, '%'));
		assert_int_equal(first_in(word_below(word, 0x20)), first_below(text, 0x20));
		for (int i = 0; i < 8; i++) {
			assert_int_equal(all >> 8 * i & 0xff, text[i] == c ? 0x80 : 0);
			assert_int_equal(word_high(word) >> 8 * i & 0xff, text[i] & 0x80);
		}
	}
}

/* What lies before and behind the text is unreadable. */
static void end_of_a_text_is_loaded_alone(void **state)
{
	(void)state;
	for (size_t n = 0; n < 8; n++) {
		char *text = guarded_copy("abcdefg", n), back[8];
		word_store(back, word_load_end(text, n, '.'));
		assert_memory_equal(back, "abcdefg", n);
		assert_memory_equal(back + n, "........", 8 - n);
		guarded_free(text, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes_are_found),
	    cmocka_unit_test(end_of_a_text_is_loaded_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#ifndef SALLYPORT_WORD_H
#define SALLYPORT_WORD_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Eight bytes of a text in one word, the first of them lowest. What is found among them comes as the high bits of
 * these bytes; 0: none. */

#define WORD_EACH(byte) (UINT64_C(0x0101010101010101) * (unsigned char)(byte))

static inline uint64_t word_load(const char *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof(word));
	return le64toh(word);
}

/* The n bytes of a text's end, fewer than eight, with bytes `fill` behind them. Reads no others: what is in the middle
 * comes twice. */
static inline uint64_t word_load_end(const char *at, size_t n, char fill)
{
	uint64_t word = 0;
	if (n >= 4) {
		uint32_t first, last;
		memcpy(&first, at, sizeof(first));
		memcpy(&last, at + n - sizeof(last), sizeof(last));
		word = le32toh(first) | (uint64_t)le32toh(last) << 8 * (n - sizeof(last));
	} else if (n > 0) {
		word = (unsigned char)at[0] | (uint64_t)(unsigned char)at[n / 2] << 8 * (n / 2) |
		       (uint64_t)(unsigned char)at[n - 1] << 8 * (n - 1);
	}
	return word | WORD_EACH(fill) << 8 * n;
}

static inline void word_store(char *at, uint64_t word)
{
	word = htole64(word);
	memcpy(at, &word, sizeof(word));
}

static inline uint64_t word_high(uint64_t word)
{
	return word & WORD_EACH(0x80);
}

/* Bytes below n, which is at most 0x80. Only the first is sure, since the subtraction borrows from those behind it. */
static inline uint64_t word_below(uint64_t word, unsigned n)
{
	return word_high((word - WORD_EACH(n)) & ~word);
}

/* Bytes that are c. Only the first is sure. */
static inline uint64_t word_find(uint64_t word, char c)
{
	return word_below(word ^ WORD_EACH(c), 1);
}

/* All bytes that are c, and no others. */
static inline uint64_t word_find_all(uint64_t word, char c)
{
	const uint64_t low = WORD_EACH(0x7f), other = word ^ WORD_EACH(c);
	return ~(((other & low) + low) | other | low);
}

/* The index of the first byte found: 0 to 7. found is not 0. */
static inline size_t word_first(uint64_t found)
{
	return (size_t)__builtin_ctzll(found) / 8;
}

#endif

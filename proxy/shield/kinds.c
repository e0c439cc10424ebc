/* The kinds of bytes in a value: sixteen bytes at a time, since every value of every request is asked.
 *
 * A byte's kinds are looked up by its two halves, a bit being set where both tables have it (PSHUFB). So a bit stands
 * for all bytes whose low half is one of some and whose high half is one of some, and a kind that is no such rectangle
 * has a bit for each of several. */
#include "shield/transform.h"

#if defined(__x86_64__)
#include <tmmintrin.h>
#endif

enum {
	UPPER_TO_O = 1 << 4,
	UPPER_FROM_P = 1 << 5,
	SPACE_ITSELF = 1 << 6,
	SPACE_CONTROL = 1 << 7,
	SHELL_QUOTE = 1 << 8, /* " $ ' */
	SHELL_CARET = 1 << 9,
	SHELL_TICK = 1 << 10,
	STAR_ITSELF = 1 << 11,
	STAR_BLANK = 1 << 12,
	ODD_SIGN = 1 << 13,    /* ! # ( ) */
	ODD_ANGLE = 1 << 14,   /* < > */
	ODD_BRACKET = 1 << 15, /* [ \\ ] { | } */
};

#define M KIND_MARK
#define C (M | KIND_CONTROL)
#define W (C | SPACE_CONTROL)
#define Q (M | SHELL_QUOTE)
#define S (M | ODD_SIGN)
#define A (M | ODD_ANGLE)
#define B (M | ODD_BRACKET)
#define O UPPER_TO_O
#define P UPPER_FROM_P

const uint32_t byte_kinds[256] = {
    C, C, C, C, C, C, C, C, C, W, W, W, W, W, C, C, C, C, C, C, C, C, C, C, C, C, C, C, C, C, C, C,
    [' '] = SPACE_ITSELF, ['!'] = S, ['"'] = Q, ['#'] = S, ['$'] = Q, ['%'] = M | KIND_PERCENT,
    ['&'] = M | KIND_AMPERSAND, ['\''] = Q, ['('] = S, [')'] = S, ['*'] = M | STAR_ITSELF, ['+'] = M,
    ['/'] = M, [':'] = M, [';'] = M, ['<'] = A, ['='] = M, ['>'] = A, ['?'] = M, ['@'] = M,
    ['A'] = O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, P, P, P, P, P, P, P, P, P, P, P,
    ['['] = B, ['\\'] = B | KIND_BACKSLASH, [']'] = B, ['^'] = M | SHELL_CARET, ['`'] = M | SHELL_TICK, ['{'] = B,
    ['|'] = B, ['}'] = B, ['~'] = M, [0x7f] = M, [0xa0] = STAR_BLANK,
};

#undef M
#undef C
#undef W
#undef Q
#undef S
#undef A
#undef B
#undef O
#undef P

#if defined(__x86_64__)

/* Rules are matched by Hyperscan, which asks for as much (patterns_are_possible). */
#define WITH_SHUFFLES __attribute__((target("ssse3")))

typedef uint8_t table[16];

/* The kinds in bits 0 to 7, by low and by high half. */
static const table first_low = {
    [0x0] = KIND_CONTROL | UPPER_FROM_P | SPACE_ITSELF,
    [0x1] = KIND_CONTROL | KIND_UPPER,
    [0x2] = KIND_CONTROL | KIND_UPPER,
    [0x3] = KIND_CONTROL | KIND_UPPER,
    [0x4] = KIND_CONTROL | KIND_UPPER,
    [0x5] = KIND_CONTROL | KIND_UPPER | KIND_PERCENT,
    [0x6] = KIND_CONTROL | KIND_UPPER | KIND_AMPERSAND,
    [0x7] = KIND_CONTROL | KIND_UPPER,
    [0x8] = KIND_CONTROL | KIND_UPPER,
    [0x9] = KIND_CONTROL | KIND_UPPER | SPACE_CONTROL,
    [0xa] = KIND_CONTROL | KIND_UPPER | SPACE_CONTROL,
    [0xb] = KIND_CONTROL | UPPER_TO_O | SPACE_CONTROL,
    [0xc] = KIND_CONTROL | UPPER_TO_O | SPACE_CONTROL | KIND_BACKSLASH,
    [0xd] = KIND_CONTROL | UPPER_TO_O | SPACE_CONTROL,
    [0xe] = KIND_CONTROL | UPPER_TO_O,
    [0xf] = KIND_CONTROL | UPPER_TO_O,
};
static const table first_high = {
    [0x0] = KIND_CONTROL | SPACE_CONTROL,
    [0x1] = KIND_CONTROL,
    [0x2] = KIND_PERCENT | KIND_AMPERSAND | SPACE_ITSELF,
    [0x4] = UPPER_TO_O,
    [0x5] = UPPER_FROM_P | KIND_BACKSLASH,
};

/* Those in bits 8 to 15. */
static const table second_low = {
    [0x0] = (SHELL_TICK | STAR_BLANK) >> 8,
    [0x1] = ODD_SIGN >> 8,
    [0x2] = SHELL_QUOTE >> 8,
    [0x3] = ODD_SIGN >> 8,
    [0x4] = SHELL_QUOTE >> 8,
    [0x7] = SHELL_QUOTE >> 8,
    [0x8] = ODD_SIGN >> 8,
    [0x9] = ODD_SIGN >> 8,
    [0xa] = STAR_ITSELF >> 8,
    [0xb] = ODD_BRACKET >> 8,
    [0xc] = (ODD_ANGLE | ODD_BRACKET) >> 8,
    [0xd] = ODD_BRACKET >> 8,
    [0xe] = (SHELL_CARET | ODD_ANGLE) >> 8,
};
static const table second_high = {
    [0x2] = (SHELL_QUOTE | STAR_ITSELF | ODD_SIGN) >> 8,
    [0x3] = ODD_ANGLE >> 8,
    [0x5] = (SHELL_CARET | ODD_BRACKET) >> 8,
    [0x6] = SHELL_TICK >> 8,
    [0x7] = ODD_BRACKET >> 8,
    [0xa] = STAR_BLANK >> 8,
};

/* Marks, for which that would take too many: a bit for each high half that makes one of this low half. */
static const table mark_low = {0x53, 0x07, 0x07, 0x07, 0x07, 0x07, 0x07, 0x07,
			       0x07, 0x07, 0x0f, 0xaf, 0xab, 0xab, 0xab, 0x8f};
static const table mark_high = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80};

/* What was found in each of sixteen places. */
struct found {
	__m128i first, second, marks;
};

WITH_SHUFFLES static __m128i look_up(const table low, const table high, __m128i lows, __m128i highs)
{
	return _mm_and_si128(_mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)low), lows),
			     _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)high), highs));
}

WITH_SHUFFLES static void look_at(struct found *found, __m128i bytes)
{
	const __m128i half = _mm_set1_epi8(0x0f);
	const __m128i lows = _mm_and_si128(bytes, half), highs = _mm_and_si128(_mm_srli_epi16(bytes, 4), half);
	found->first = _mm_or_si128(found->first, look_up(first_low, first_high, lows, highs));
	found->second = _mm_or_si128(found->second, look_up(second_low, second_high, lows, highs));
	found->marks = _mm_or_si128(found->marks, look_up(mark_low, mark_high, lows, highs));
}

/* Of 1 to 15 bytes, some of them several times: what is asked is which kinds there are. */
static __m128i fill_block(struct span s)
{
	uint64_t first = 0, last = 0;
	if (s.len >= 8) {
		memcpy(&first, s.ptr, 8);
		memcpy(&last, s.ptr + s.len - 8, 8);
	} else if (s.len >= 4) {
		uint32_t begin, end;
		memcpy(&begin, s.ptr, 4);
		memcpy(&end, s.ptr + s.len - 4, 4);
		first = last = (uint64_t)end << 32 | begin;
	} else {
		const uint64_t all = UINT64_C(0x0101010101010101);
		first = all * (uint8_t)s.ptr[0];
		last = (all & UINT32_MAX) * (uint8_t)s.ptr[s.len / 2] | (all << 32) * (uint8_t)s.ptr[s.len - 1];
	}
	return _mm_unpacklo_epi64(_mm_cvtsi64_si128((long long)first), _mm_cvtsi64_si128((long long)last));
}

/* In any of the sixteen places. */
static unsigned any_of(const struct found *found)
{
	const int none = _mm_movemask_epi8(_mm_cmpeq_epi8(found->marks, _mm_setzero_si128()));
	__m128i kinds = _mm_or_si128(_mm_unpacklo_epi8(found->first, found->second),
				     _mm_unpackhi_epi8(found->first, found->second));
	kinds = _mm_or_si128(kinds, _mm_unpackhi_epi64(kinds, kinds));
	uint64_t some = (uint64_t)_mm_cvtsi128_si64(kinds);
	some |= some >> 32;
	return ((some | some >> 16) & UINT16_MAX) | (none == UINT16_MAX ? 0u : KIND_MARK);
}

WITH_SHUFFLES unsigned kinds_of(struct span s)
{
	struct found found = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
	if (s.len == 0)
		return 0;
	if (s.len < 16)
		look_at(&found, fill_block(s));
	for (size_t i = 0; s.len >= 16 && i < s.len; i += 16)  /* the last are looked at with some of those before them */
		look_at(&found, _mm_loadu_si128((const __m128i *)(s.ptr + (i < s.len - 16 ? i : s.len - 16))));
	return any_of(&found);
}

#else

unsigned kinds_of(struct span s)
{
	unsigned kinds = 0;
	for (size_t i = 0; i < s.len; i++)
		kinds |= byte_kinds[(unsigned char)s.ptr[i]];
	return kinds;
}

#endif

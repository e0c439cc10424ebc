#ifndef TESTS_UNIT_DICE_H
#define TESTS_UNIT_DICE_H

#include <stddef.h>
#include <stdint.h>

/* Numbers that look random and are the same in every run. The state begins as anything but 0. */

/* Xorshift64 (Marsaglia, 2003). */
static inline uint64_t dice_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline unsigned dice_below(uint64_t *state, size_t sides)
{
	return (unsigned)(dice_next(state) % sides);
}

#endif

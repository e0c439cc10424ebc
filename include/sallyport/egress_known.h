#ifndef SALLYPORT_EGRESS_KNOWN_H
#define SALLYPORT_EGRESS_KNOWN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "sallyport/span.h"

/* Destinations that an egress origin was let to of late, so that they cost it no place in the budget of new
 * ones: of fixed size for each origin, in memory that outlives generations. Pure: time is passed in.
 *
 * 128 buckets of 8 cells; a cell is one word:
 *
 *   | tag: 32 bits of the key's hash | 32 bits: when it is forgotten, seconds of CLOCK_MONOTONIC; 0: free |
 *
 * A destination is entered once it was admitted, never before, so that asking for 100,000 of them fills
 * nothing. Where a bucket is full of cells that are not forgotten yet, the one that would be first gives way: what
 * is lost is a place in the budget. Keys are hashed with a secret seed; two share a cell with odds of 1 in 2^29. */
enum { EGRESS_KNOWN_BUCKETS = 128, EGRESS_KNOWN_CELLS = 8 };

struct egress_known {
	_Alignas(64) _Atomic uint64_t cells[EGRESS_KNOWN_BUCKETS][EGRESS_KNOWN_CELLS];
};

/* key: a name in lower case, or an address as text. True: it is known, and from now on for as long again. */
bool egress_known_touch(struct egress_known *known, uint64_t seed, struct span key, uint64_t now_ms,
			uint64_t remember_ms);
/* It was admitted. remember_ms: at most some 100 years. */
void egress_known_add(struct egress_known *known, uint64_t seed, struct span key, uint64_t now_ms,
		      uint64_t remember_ms);

#endif

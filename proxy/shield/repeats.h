#ifndef SALLYPORT_SHIELD_REPEATS_H
#define SALLYPORT_SHIELD_REPEATS_H

#include "sallyport/span.h"

/* How often each name of a request comes, in time that grows with their number only, whatever
 * they are: a table of hashes on the stack, where a name is looked for in a few places and in no
 * more. Who makes names that collide has them counted together, at his own cost. */

enum { REPEATS_PLACES = 2048 };

struct repeats {
	uint16_t times[REPEATS_PLACES];
	uint64_t hashes[REPEATS_PLACES]; /* of those that have come */
};

void repeats_init(struct repeats *repeats);
/* Counts a name once more, up to 65,535; how often it has come. */
uint64_t repeats_add(struct repeats *repeats, struct span name);
/* The same without regard to the case of letters. */
uint64_t repeats_add_caseless(struct repeats *repeats, struct span name);

#endif

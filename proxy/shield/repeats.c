/* Counts names; repeats.h says how. */
#include "shield/repeats.h"

#include <string.h>

#include "sallyport/hash.h"

enum { TRIES = 16 };

void repeats_init(struct repeats *repeats)
{
	memset(repeats->times, 0, sizeof(repeats->times));
}

/* Step by step through the table, by an odd stride that is the hash's own. */
static uint64_t count(struct repeats *repeats, uint64_t hash)
{
	size_t at = hash % REPEATS_PLACES, stride = (hash >> 32) | 1;
	for (int i = 0; i < TRIES - 1; i++) {
		if (repeats->times[at] == 0 || repeats->hashes[at] == hash)
			break;
		at = (at + stride) % REPEATS_PLACES;
	}
	/* Another's place that is shared stays its own: nobody's count gets lost. */
	if (repeats->times[at] == 0)
		repeats->hashes[at] = hash;
	if (repeats->times[at] < UINT16_MAX)
		repeats->times[at]++;
	return repeats->times[at];
}

/* A last step that makes each bit depend on each. */
static uint64_t hash_end(uint64_t hash)
{
	hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	return hash ^ hash >> 31;
}

uint64_t repeats_add(struct repeats *repeats, struct span name)
{
	return count(repeats, hash_end(hash_add_span(HASH_START, name)));
}

uint64_t repeats_add_caseless(struct repeats *repeats, struct span name)
{
	uint64_t hash = HASH_START;
	for (size_t i = 0; i < name.len; i++)
		hash = hash_add(hash, (unsigned char)ascii_lower(name.ptr[i]));
	return count(repeats, hash_end(hash));
}

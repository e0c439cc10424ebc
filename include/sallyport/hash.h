#ifndef SALLYPORT_HASH_H
#define SALLYPORT_HASH_H

#include <stddef.h>
#include <stdint.h>
#include "sallyport/span.h"

/* Hashes of 64 bits. Who chooses the bytes can choose what collides, unless the start is a secret of ours. */

/* FNV-1a (draft-eastlake-fnv): one value after the other goes into a hash that begins as HASH_START. Its low bits
 * depend on the low bits of the values only: fold the high ones in before a part of it is taken. */
#define HASH_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t hash_add(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * UINT64_C(0x100000001b3);
}

static inline uint64_t hash_add_span(uint64_t hash, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		hash = hash_add(hash, (unsigned char)bytes.ptr[i]);
	return hash;
}

/* Of a name in a policy: the same on every machine, and never 0. */
static inline uint64_t hash_name(const char *name)
{
	uint64_t hash = hash_add_span(HASH_START, span_from_str(name));
	return hash ? hash : 1;
}

/* Both halves of the product: every bit of the input reaches every bit of the result. */
static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#endif

/* A set-associative table of hashes with a time each. A writer that loses a race loses one entry, which
 * its origin pays for with a place in the budget; nobody gains one. */
#include "sallyport/egress_known.h"

#include "sallyport/lru.h"

struct place {
	_Atomic uint64_t *cells; /* EGRESS_KNOWN_CELLS of them */
	uint64_t tag;            /* in the upper half */
};

static struct place place_of(struct egress_known *known, uint64_t seed, struct span key)
{
	uint64_t hash = lru_hash(seed, key.ptr, key.len);
	return (struct place){known->cells[hash % EGRESS_KNOWN_BUCKETS], hash & ~(uint64_t)UINT32_MAX};
}

/* Never 0: that is free. */
static uint64_t seconds(uint64_t ms)
{
	uint64_t s = ms / 1000 + 1;
	return s < UINT32_MAX ? s : UINT32_MAX;
}

static uint64_t load(_Atomic uint64_t *cell)
{
	return atomic_load_explicit(cell, memory_order_relaxed);
}

static void store(_Atomic uint64_t *cell, uint64_t tag, uint64_t until_ms)
{
	atomic_store_explicit(cell, tag | seconds(until_ms), memory_order_relaxed);
}

static bool is_of(uint64_t cell, uint64_t tag)
{
	return (cell & ~(uint64_t)UINT32_MAX) == tag;
}

static bool is_over(uint64_t cell, uint64_t now_ms)
{
	return (uint32_t)cell < seconds(now_ms);
}

bool egress_known_touch(struct egress_known *known, uint64_t seed, struct span key, uint64_t now_ms,
			uint64_t remember_ms)
{
	const struct place place = place_of(known, seed, key);
	for (unsigned i = 0; i < EGRESS_KNOWN_CELLS; i++) {
		uint64_t cell = load(&place.cells[i]);
		if (!is_of(cell, place.tag) || is_over(cell, now_ms))
			continue;
		store(&place.cells[i], place.tag, now_ms + remember_ms);
		return true;
	}
	return false;
}

void egress_known_add(struct egress_known *known, uint64_t seed, struct span key, uint64_t now_ms,
		      uint64_t remember_ms)
{
	const struct place place = place_of(known, seed, key);
	_Atomic uint64_t *best = &place.cells[0];
	for (unsigned i = 0; i < EGRESS_KNOWN_CELLS; i++) {
		if (is_of(load(&place.cells[i]), place.tag)) {
			best = &place.cells[i];
			break;
		}
		if ((uint32_t)load(&place.cells[i]) < (uint32_t)load(best))
			best = &place.cells[i];
	}
	store(best, place.tag, now_ms + remember_ms);
}

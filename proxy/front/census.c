/* Open connections per client address. Each worker has a hash table of its own that
 * only it writes; all of them lie in one piece of shared memory and are read by
 * everyone without a lock. A reader may meet an entry on the move and miss it,
 * or see a count that is a moment old; it never walks more than PROBE_MAX
 * entries, whatever it finds. Does not say which addresses there are.
 *
 *   directory   in_use bitmap, one total per slot        one page
 *   table 0     seed, overflow counters, entries         whole pages
 *   table 1 …
 */
#include "sallyport/census.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "sallyport/crypto.h"
#include "sallyport/hash.h"
#include "sallyport/stats.h"

enum {
	ENTRIES = STATS_CENSUS_ENTRIES,
	OVERFLOWS = 504,               /* shared keys; fills the table's first page */
	ENTRIES_MAX = ENTRIES / 8 * 7, /* above it probing would become long */
	PROBE_MAX = 256,
	PAGE = 4096,
};

struct entry {
	_Atomic uint64_t key;
	_Atomic uint32_t count; /* 0: the entry is free */
	uint32_t pad;
};

struct table {
	_Atomic uint64_t seed; /* so that no client can choose addresses that collide */
	_Atomic uint32_t used; /* entries that are not free */
	uint32_t pad[13];
	_Atomic uint64_t overflow[OVERFLOWS];
	struct entry entries[ENTRIES];
};

struct directory {
	_Atomic uint64_t in_use; /* bit per slot */
	char pad[56];
	_Atomic uint64_t totals[STATS_SLOTS];
	char pad_to_page[PAGE - 64 - 8 * STATS_SLOTS];
};

struct memory {
	struct directory directory;
	struct table tables[STATS_SLOTS];
};

struct census {
	struct memory *memory;
	struct table *own;
	unsigned slot;
};

_Static_assert(STATS_SLOTS <= 64, "a bit per slot");
_Static_assert((ENTRIES & (ENTRIES - 1)) == 0, "a power of two");
_Static_assert(sizeof(struct directory) == PAGE && sizeof(struct table) % PAGE == 0, "whole pages");

size_t census_bytes(void)
{
	return sizeof(struct memory);
}

static uint64_t get(const _Atomic uint64_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static uint32_t count_of(const struct entry *entry)
{
	return atomic_load_explicit(&entry->count, memory_order_relaxed);
}

static void set_entry(struct entry *entry, uint64_t key, uint32_t count)
{
	atomic_store_explicit(&entry->key, key, memory_order_relaxed);
	atomic_store_explicit(&entry->count, count, memory_order_release);
}

/* Two rounds of multiply and fold, keyed: enough that an outsider cannot aim. */
static uint64_t hash(const struct table *table, uint64_t key)
{
	uint64_t seed = get(&table->seed);
	return hash_fold(hash_fold(key ^ seed, 0x9e3779b97f4a7c15u) + seed, seed | 1);
}

static unsigned home_of(const struct table *table, uint64_t key)
{
	return (unsigned)(hash(table, key) & (ENTRIES - 1));
}

static _Atomic uint64_t *overflow_of(struct table *table, uint64_t key)
{
	return &table->overflow[(hash(table, key) >> 32) % OVERFLOWS];
}

/* The key's entry, or else the free one where it would go; NULL: neither is near. */
static struct entry *find(struct table *table, uint64_t key)
{
	unsigned home = home_of(table, key);
	for (unsigned i = 0; i < PROBE_MAX; i++) {
		struct entry *entry = &table->entries[(home + i) & (ENTRIES - 1)];
		if (count_of(entry) == 0 || get(&entry->key) == key)
			return entry;
	}
	return NULL;
}

/* Where the key is counted by itself, that and what its shared counter says: it
 * may have connections in both, from before and after the table was full. */
static uint64_t count_in(struct table *table, uint64_t key)
{
	struct entry *entry = find(table, key);
	return (entry ? count_of(entry) : 0) + get(overflow_of(table, key));
}

/* Moves the entries behind a freed one back into the gap, so that nothing is left
 * that lengthens later searches. One round at most, even through spoiled memory. */
static void close_gap(struct table *table, unsigned gap)
{
	for (unsigned i = 1, at = gap; i < ENTRIES; i++) {
		at = (at + 1) & (ENTRIES - 1);
		struct entry *entry = &table->entries[at];
		if (count_of(entry) == 0)
			break;
		unsigned from_home = (at - home_of(table, get(&entry->key))) & (ENTRIES - 1);
		unsigned from_gap = (at - gap) & (ENTRIES - 1);
		if (from_home < from_gap)
			continue; /* in the gap it would stand before its home */
		set_entry(&table->entries[gap], get(&entry->key), count_of(entry));
		gap = at;
	}
	set_entry(&table->entries[gap], 0, 0);
}

static void clear_table(struct table *table)
{
	/* gives the pages back; private memory cannot, and is cleared by hand */
	if (madvise(table, sizeof(*table), MADV_REMOVE) != 0)
		memset(table, 0, sizeof(*table));
}

struct census *census_open(void *memory, unsigned slot)
{
	uint64_t seed;
	if (slot >= STATS_SLOTS || !crypto_random(&seed, sizeof(seed), NULL))
		return NULL;
	struct census *census = malloc(sizeof(*census));
	if (!census)
		return NULL;
	*census = (struct census){.memory = memory, .slot = slot};
	census->own = &census->memory->tables[slot];
	census_clear(memory, slot);
	atomic_store(&census->own->seed, seed);
	atomic_fetch_or(&census->memory->directory.in_use, UINT64_C(1) << slot);
	return census;
}

void census_clear(void *memory, unsigned slot)
{
	struct memory *all = memory;
	if (slot >= STATS_SLOTS)
		return;
	atomic_fetch_and(&all->directory.in_use, ~(UINT64_C(1) << slot));
	atomic_store(&all->directory.totals[slot], 0);
	clear_table(&all->tables[slot]);
}

void census_close(struct census *census)
{
	if (!census)
		return;
	census_clear(census->memory, census->slot);
	free(census);
}

static uint64_t count_everywhere(struct memory *memory, uint64_t key)
{
	uint64_t count = 0;
	uint64_t left = get(&memory->directory.in_use);
	for (unsigned slot = 0; left != 0 && slot < STATS_SLOTS; slot++, left >>= 1)
		if (left & 1)
			count += count_in(&memory->tables[slot], key);
	return count;
}

static void count_one(struct table *own, uint64_t key)
{
	struct entry *entry = find(own, key);
	if (entry && count_of(entry) > 0) {
		set_entry(entry, key, count_of(entry) + 1);
		return;
	}
	uint32_t used = atomic_load_explicit(&own->used, memory_order_relaxed);
	if (!entry || used >= ENTRIES_MAX) {
		stat_add(overflow_of(own, key), 1);
		return;
	}
	atomic_store_explicit(&own->used, used + 1, memory_order_relaxed);
	set_entry(entry, key, 1);
}

bool census_begin(struct census *census, uint64_t key, uint32_t limit)
{
	if (count_everywhere(census->memory, key) >= limit)
		return false;
	count_one(census->own, key);
	return true;
}

bool census_enter(struct census *census, uint64_t key, uint32_t limit)
{
	if (!census_begin(census, key, limit))
		return false;
	stat_add(&census->memory->directory.totals[census->slot], 1);
	return true;
}

/* False: it was never counted, or the memory was spoiled: nothing goes below zero. */
static bool uncount_one(struct table *own, uint64_t key)
{
	struct entry *entry = find(own, key);
	uint32_t count = entry ? count_of(entry) : 0;
	_Atomic uint64_t *shared = overflow_of(own, key);
	if (count > 1) {
		set_entry(entry, key, count - 1);
	} else if (count == 1) {
		uint32_t used = atomic_load_explicit(&own->used, memory_order_relaxed);
		atomic_store_explicit(&own->used, used - 1, memory_order_relaxed);
		close_gap(own, (unsigned)(entry - own->entries));
	} else if (get(shared) > 0) {
		stat_sub(shared, 1);
	} else {
		return false;
	}
	return true;
}

void census_leave(struct census *census, uint64_t key)
{
	if (uncount_one(census->own, key))
		stat_sub(&census->memory->directory.totals[census->slot], 1);
}

void census_end(struct census *census, uint64_t key)
{
	(void)uncount_one(census->own, key);
}

uint64_t census_total(const struct census *census)
{
	const struct directory *directory = &census->memory->directory;
	uint64_t total = 0;
	uint64_t left = get(&directory->in_use);
	for (unsigned slot = 0; left != 0 && slot < STATS_SLOTS; slot++, left >>= 1)
		if (left & 1)
			total += get(&directory->totals[slot]);
	return total;
}

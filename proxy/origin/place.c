/* Places: origins that no policy names, made for whoever asks and forgotten when the last
 * connection to them is gone. Those that are in use are as many as there are exchanges; those that
 * only have unused connections are bounded, and the one used longest ago gives way. */
#include <string.h>

#include "origin/origins.h"

enum { PLACES_MAX = 1024, BUCKETS = 1024 }; /* the first: beyond it one gives way that is not in use */

struct place {
	struct lru_entry entry; /* first: the table gives it. hash 0 and no bucket: a single one is in no table */
	struct origin origin;
	struct addr addr;
	uint64_t owner;
	bool is_single;
	size_t len;
	char host[];
};

static struct place *place_of(struct origin *origin)
{
	return (struct place *)(void *)((char *)origin - offsetof(struct place, origin));
}

static struct place *place_of_entry(struct lru_entry *entry)
{
	return (struct place *)(void *)entry;
}

static bool is_place(const struct origin *origin)
{
	return origin->route == &origin->origins->anywhere;
}

static struct memory *memory_of(const struct place *place)
{
	return place->origin.origins->setup.memory;
}

bool place_is_single(const struct origin *origin)
{
	return is_place(origin) && place_of((struct origin *)origin)->is_single;
}

bool places_init(struct origins *origins, struct err *err)
{
	origins->anywhere = (struct origin_route){.route = origins->setup.anywhere};
	return lru_init(&origins->places, BUCKETS, err);
}

static bool is_wanted(const struct lru_entry *entry, const void *key)
{
	const struct place *place = (const struct place *)(const void *)entry;
	const struct origin_place *wanted = key;
	return place->owner == wanted->owner && addr_eq(&place->addr, &wanted->addr) &&
	       span_eq(span_of(place->host, place->len), wanted->host);
}

static uint64_t hash_of(const struct lru *places, const struct origin_place *wanted)
{
	uint8_t bytes[16] = {0};
	uint16_t port = addr_port(&wanted->addr);
	(void)addr_mapped_bytes(&wanted->addr, bytes);
	uint64_t hash = lru_hash(places->seed, bytes, sizeof(bytes));
	hash = lru_hash(hash, &wanted->owner, sizeof(wanted->owner));
	hash = lru_hash(hash, &port, sizeof(port));
	return lru_hash(hash, wanted->host.ptr, wanted->host.len);
}

struct origin *places_idle(struct origins *origins)
{
	struct lru_entry *entry = origins->places.oldest;
	while (entry && !place_of_entry(entry)->origin.pool)
		entry = entry->newer;
	return entry ? &place_of_entry(entry)->origin : NULL;
}

/* Where all are in use there is nothing to make, and one more is no more than one exchange more: who uses many
 * keeps nobody else from one. */
static void make_room(struct origins *origins)
{
	struct lru_entry *entry = origins->places.oldest;
	if (origins->places.count < PLACES_MAX)
		return;
	while (entry && place_of_entry(entry)->origin.claimed > 0)
		entry = entry->newer;
	if (entry)
		pool_close(&place_of_entry(entry)->origin);
}

static struct place *make(struct origins *origins, const struct origin_place *wanted)
{
	struct place *place = memory_take(origins->setup.memory, sizeof(*place) + wanted->host.len);
	if (!place)
		return NULL;
	*place = (struct place){
	    .origin = {.origins = origins, .route = &origins->anywhere, .spec = origins->setup.anywhere->origins},
	    .addr = wanted->addr,
	    .owner = wanted->owner,
	    .is_single = wanted->is_single,
	    .len = wanted->host.len,
	};
	place->origin.addr = &place->addr;
	memcpy(place->host, wanted->host.ptr, wanted->host.len);
	return place;
}

struct origin *place_take(struct origins *origins, const struct origin_place *wanted)
{
	struct place *place;
	if (wanted->is_single) {
		place = make(origins, wanted);
		return place ? &place->origin : NULL;
	}
	uint64_t hash = hash_of(&origins->places, wanted);
	struct lru_entry *entry = lru_find(&origins->places, hash, is_wanted, wanted);
	if (entry) {
		lru_touch(&origins->places, entry);
		return &place_of_entry(entry)->origin;
	}
	make_room(origins);
	place = make(origins, wanted);
	if (!place)
		return NULL;
	lru_add(&origins->places, &place->entry, hash);
	return &place->origin;
}

void place_settle(struct origin *origin)
{
	if (!is_place(origin) || origin->claimed > 0 || origin->pooled > 0)
		return;
	struct place *place = place_of(origin);
	if (!place->is_single)
		lru_remove(&origin->origins->places, &place->entry);
	memory_give(memory_of(place), place, sizeof(*place) + place->len);
}

void places_release(struct origins *origins)
{
	if (origins->setup.anywhere)
		lru_release(&origins->places);
}

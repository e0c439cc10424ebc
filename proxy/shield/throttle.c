/* The throttle's table; throttle.h has its layout, what happens when it is full, and why. Whatever
 * stands in the memory (another worker may have been captured), every call ends after a bounded
 * number of steps and touches nothing outside of it. */
#include "sallyport/throttle.h"

#include <stdatomic.h>
#include <string.h>

#include "sallyport/hash.h"

enum {
	CELLS = 8, /* to a bucket: a line of the cache */
	BUCKET_BITS = 18,
	BUCKETS = 1 << BUCKET_BITS,
	CROWD_BITS = 12,
	CROWDS = 1 << CROWD_BITS,
	CLASSES = 4, /* of rates, so that a slow one does not use up a fast one's crowd */
	BYTES_CLASS = CLASSES,
	TAT_BITS = 42,
	TAG_SHIFT = TAT_BITS + 1,
	PIECES_PER_S = 50,
	PIECE_MIN = 1024,
	PIECE_MAX = 65536,
	TRIES = 64,       /* compare-and-swaps that others win, until we give up */
	SWEEP_PER_S = 16, /* buckets: all of them in 4.6 hours */
	SWEEP_MAX = 1024, /* in one call: tens of microseconds */
};

#define TAT_MASK  ((UINT64_C(1) << TAT_BITS) - 1)
#define LIMITED   (UINT64_C(1) << TAT_BITS)
#define TAG_MASK  (~UINT64_C(0) << TAG_SHIFT)
#define SECOND_US UINT64_C(1000000)
/* The clocks of two workers may be a moment apart. */
#define LIVE_MAX_US (THROTTLE_HORIZON_US + 3600 * SECOND_US)
/* So far may sweeping fall behind where calls are rare; then all is swept at once, at the cost of
 * some milliseconds, before a stale cell could seem live. */
#define BEHIND_MAX_US (UINT64_C(20) * 86400 * SECOND_US)
/* Not swept for so long, no cell can be live, but one could seem to be: the last call left less
 * than BEHIND_MAX_US behind it, and no cell outlives THROTTLE_HORIZON_US. */
#define ALL_STALE_US (UINT64_C(30) * 86400 * SECOND_US)
/* Of cells that belong to no rate; the ids of rates are hashes. */
#define STRIKES_ID UINT64_C(0x737472696b657301)
#define BAN_ID     UINT64_C(0x62616e6e65640001)
#define KNOWN_ID   UINT64_C(0x6b6e6f776e000001)
#define BYTES_ID   UINT64_C(0x6279746573000001)

struct bucket {
	_Alignas(64) _Atomic uint64_t cells[CELLS];
};

struct throttle_table {
	_Alignas(64) uint64_t seed[2];
	_Atomic uint64_t swept_us; /* when the last sweep began */
	_Atomic uint64_t sweep_at; /* buckets swept in all; the next is this modulo BUCKETS */
	struct bucket buckets[BUCKETS];
	_Atomic uint64_t crowds[CLASSES + 1][CROWDS];
};

_Static_assert(sizeof(struct bucket) == 64, "a bucket is one line");
_Static_assert((UINT64_C(1) << TAT_BITS) > ALL_STALE_US + 2 * LIVE_MAX_US,
	       "no stale cell seems live");

size_t throttle_bytes(void)
{
	return sizeof(struct throttle_table);
}

struct throttle_table *throttle_of(void *memory)
{
	return memory;
}

void throttle_init(void *memory, const uint64_t seed[2], uint64_t now_us)
{
	struct throttle_table *table = memory;
	memcpy(table->seed, seed, sizeof(table->seed));
	atomic_store(&table->swept_us, now_us);
}

/* ---- cells ---- */

static uint64_t load(const _Atomic uint64_t *cell)
{
	return atomic_load_explicit(cell, memory_order_relaxed);
}

static bool swap(_Atomic uint64_t *cell, uint64_t *expected, uint64_t desired)
{
	return atomic_compare_exchange_strong_explicit(cell, expected, desired,
						       memory_order_relaxed, memory_order_relaxed);
}

/* How far ahead of now the cell's TAT is; 0: it has passed, the cell is free. */
static uint64_t ahead_of(uint64_t cell, uint64_t now_us)
{
	uint64_t ahead = (cell - now_us) & TAT_MASK; /* what has passed is far ahead, modulo */
	return ahead <= LIVE_MAX_US ? ahead : 0;
}

static uint64_t pack(uint64_t tag, uint64_t limited, uint64_t tat_us)
{
	return tag | limited | (tat_us & TAT_MASK);
}

/* ---- keys ---- */

static uint64_t hash(const uint64_t seed[2], uint64_t site, uint64_t key)
{
	unsigned __int128 product = (unsigned __int128)(key ^ seed[0]) * (site ^ seed[1]);
	return hash_fold((uint64_t)product ^ seed[1], (uint64_t)(product >> 64) ^ seed[0]);
}

static uint64_t tag_of(const struct throttle_client *client, uint64_t id)
{
	return hash_fold(client->hash ^ id, client->table->seed[1] | 1) & TAG_MASK;
}

uint64_t throttle_key_of(const struct throttle_table *table, const char *bytes, size_t len)
{
	uint64_t key = hash_fold(len ^ table->seed[0], table->seed[1] | 1);
	for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
		uint64_t word = 0;
		memcpy(&word, bytes + at, len - at < sizeof(word) ? len - at : sizeof(word));
		key = hash_fold(key ^ word ^ table->seed[1], table->seed[0] | 1) + key;
	}
	return key ? key : 1;
}

uint64_t throttle_id(const char *name)
{
	return hash_name(name);
}

/* ---- sweeping ---- */

static void sweep_cell(_Atomic uint64_t *cell, uint64_t now_us, bool all)
{
	uint64_t value = load(cell);
	if (value != 0 && (all || ahead_of(value, now_us) == 0))
		swap(cell, &value, 0);
}

/* The crowds, which are few, all at once, whenever a round begins. */
static void sweep_at(struct throttle_table *table, uint64_t at, uint64_t now_us, bool all)
{
	struct bucket *bucket = &table->buckets[at % BUCKETS];
	for (unsigned i = 0; i < CELLS; i++)
		sweep_cell(&bucket->cells[i], now_us, all);
	for (unsigned i = 0; at % BUCKETS == 0 && i < (CLASSES + 1) * CROWDS; i++)
		sweep_cell(&table->crowds[i / CROWDS][i % CROWDS], now_us, all);
}

/* How many buckets are due, and up to when the table is swept then: after a quiet time one call
 * does a part of what was left, and the next ones go on. */
static uint64_t sweep_due(uint64_t before_us, uint64_t now_us, uint64_t *swept_us)
{
	uint64_t passed_us = now_us - before_us;
	uint64_t buckets = passed_us / SECOND_US * SWEEP_PER_S;
	*swept_us = now_us;
	if (buckets <= SWEEP_MAX)
		return buckets;
	if (passed_us > BEHIND_MAX_US)
		return BUCKETS;
	*swept_us = before_us + SWEEP_MAX / SWEEP_PER_S * SECOND_US;
	return SWEEP_MAX;
}

/* Once a second one of the workers sweeps what time has passed for. */
static void sweep(struct throttle_table *table, uint64_t now_us)
{
	uint64_t before_us = load(&table->swept_us), swept_us;
	if (now_us < before_us + SECOND_US)
		return;
	uint64_t passed_us = now_us - before_us;
	uint64_t buckets = sweep_due(before_us, now_us, &swept_us);
	if (!swap(&table->swept_us, &before_us, swept_us))
		return;
	uint64_t at = atomic_fetch_add_explicit(&table->sweep_at, buckets, memory_order_relaxed);
	for (uint64_t i = 0; i < buckets; i++)
		sweep_at(table, at + i, now_us, passed_us > ALL_STALE_US);
}

struct throttle_client throttle_client_of(struct throttle_table *table, uint64_t site, uint64_t key,
					  uint64_t now_us)
{
	struct throttle_client client = {.table = table, .hash = hash(table->seed, site, key)};
	client.bucket = &table->buckets[client.hash & (BUCKETS - 1)];
	sweep(table, now_us);
	return client;
}

/* ---- rates ---- */

bool throttle_rate_of(uint64_t count, uint64_t per_ms, uint64_t burst, uint64_t salt,
		      struct throttle_rate *out)
{
	if (count == 0 || per_ms == 0 || per_ms > THROTTLE_HORIZON_US / 1000 ||
	    count > per_ms * 1000)
		return false;
	uint64_t interval_us = (per_ms * 1000 + count - 1) / count;
	if (burst == 0)
		burst = 1;
	if (burst > THROTTLE_HORIZON_US / interval_us)
		return false;
	*out = (struct throttle_rate){
	    .id = hash_fold(salt ^ UINT64_C(0x9e3779b97f4a7c15), interval_us * 2 + 1) + burst,
	    .interval_us = interval_us,
	    .tolerance_us = (burst - 1) * interval_us,
	};
	return true;
}

/* ---- asking ---- */

/* Where a key is, or would go. */
struct place {
	_Atomic uint64_t *cell; /* NULL: all others are limited */
	uint64_t value;         /* as it was seen */
	uint64_t ahead_us;      /* of the key's own TAT */
	bool is_own;
};

/* Most clients have their cell already, and are not banned: this comes first, and is all that
 * most need. */
static bool find_own(struct bucket *bucket, uint64_t tag, uint64_t now_us, struct place *place)
{
	for (unsigned i = 0; i < CELLS; i++) {
		uint64_t value = load(&bucket->cells[i]);
		if ((value & TAG_MASK) != tag || value == 0)
			continue;
		*place = (struct place){&bucket->cells[i], value, ahead_of(value, now_us), true};
		return true;
	}
	return false;
}

/* A free cell; else the one that is free soonest of those not limited. */
static struct place find_room(struct bucket *bucket, uint64_t now_us)
{
	struct place place = {0};
	uint64_t soonest_us = UINT64_MAX;
	for (unsigned i = 0; i < CELLS && soonest_us > 0; i++) {
		uint64_t value = load(&bucket->cells[i]);
		uint64_t ahead_us = ahead_of(value, now_us);
		if (ahead_us >= soonest_us || (ahead_us > 0 && (value & LIMITED)))
			continue;
		soonest_us = ahead_us;
		place.cell = &bucket->cells[i];
		place.value = value; /* and ahead_us 0: it is another's time */
	}
	return place;
}

static struct place find(struct bucket *bucket, uint64_t tag, uint64_t now_us)
{
	struct place place;
	return find_own(bucket, tag, now_us, &place) ? place : find_room(bucket, now_us);
}

static struct throttle_result refuse(uint64_t wait_us)
{
	return (struct throttle_result){.answer = THROTTLE_REFUSE, .wait_us = wait_us};
}

/* Marks the cell as one that must not give way; a cell that has changed is marked by the next
 * refusal. */
static void mark_limited(const struct place *place)
{
	uint64_t value = place->value;
	if (place->is_own && !(value & LIMITED))
		swap(place->cell, &value, value | LIMITED);
}

/* One try; UNSET where another changed the cell meanwhile. */
static struct throttle_result try_cell(const struct place *place, uint64_t tag,
				       const struct throttle_rate *rate, uint64_t now_us)
{
	uint64_t value = place->value;
	if (place->ahead_us > rate->tolerance_us) {
		mark_limited(place);
		return refuse(place->ahead_us - rate->tolerance_us);
	}
	/* Who was refused stays marked until all is forgotten. */
	uint64_t limited = place->ahead_us > 0 ? value & LIMITED : 0;
	uint64_t tat_us = now_us + place->ahead_us + rate->interval_us;
	bool done = swap(place->cell, &value, pack(tag, limited, tat_us));
	return (struct throttle_result){.answer = done ? THROTTLE_PASS : THROTTLE_UNSET};
}

/* By how long a full burst lasts: up to 10 s, 2 min, 30 min, and longer. */
static unsigned class_of(const struct throttle_rate *rate)
{
	uint64_t s = (rate->tolerance_us + rate->interval_us) / SECOND_US;
	return s <= 10 ? 0 : s <= 120 ? 1 : s <= 1800 ? 2 : 3;
}

static _Atomic uint64_t *crowd_of(const struct throttle_client *client, unsigned class)
{
	return &client->table->crowds[class][client->hash >> (64 - CROWD_BITS)];
}

static struct throttle_result ask_crowd(const struct throttle_client *client,
					const struct throttle_rate *rate, uint64_t now_us)
{
	struct throttle_result result = {0};
	struct place place = {.cell = crowd_of(client, class_of(rate))};
	for (unsigned i = 0; i < TRIES && result.answer == THROTTLE_UNSET; i++) {
		place.value = load(place.cell);
		place.ahead_us = ahead_of(place.value, now_us);
		result = try_cell(&place, 0, rate, now_us);
	}
	result.crowded = true;
	return result;
}

struct throttle_result throttle_ask(const struct throttle_client *client,
				    const struct throttle_rate *rate, uint64_t now_us)
{
	struct throttle_result result = {0};
	uint64_t tag = tag_of(client, rate->id);
	for (unsigned i = 0; i < TRIES && result.answer == THROTTLE_UNSET; i++) {
		struct place place = find(client->bucket, tag, now_us);
		result = place.cell ? try_cell(&place, tag, rate, now_us)
				    : ask_crowd(client, rate, now_us);
	}
	/* So many others at one cell are a flood, or the memory is spoiled. */
	return result.answer != THROTTLE_UNSET ? result : refuse(rate->interval_us);
}

void throttle_take_back(const struct throttle_client *client, const struct throttle_rate *rate, uint64_t now_us)
{
	const uint64_t tag = tag_of(client, rate->id);
	struct place place;
	for (unsigned i = 0; i < TRIES && find_own(client->bucket, tag, now_us, &place); i++) {
		uint64_t ahead_us = place.ahead_us > rate->interval_us ? place.ahead_us - rate->interval_us : 0;
		if (place.ahead_us == 0 ||
		    swap(place.cell, &place.value, pack(tag, place.value & LIMITED, now_us + ahead_us)))
			return;
	}
}

void throttle_remember(const struct throttle_client *client, uint64_t keep_us, uint64_t now_us)
{
	const uint64_t tag = tag_of(client, KNOWN_ID);
	for (unsigned i = 0; i < TRIES; i++) {
		struct place place = find(client->bucket, tag, now_us);
		if (!place.cell || swap(place.cell, &place.value, pack(tag, 0, now_us + keep_us)))
			return;
	}
}

bool throttle_is_remembered(const struct throttle_client *client, uint64_t now_us)
{
	struct place place;
	return find_own(client->bucket, tag_of(client, KNOWN_ID), now_us, &place) && place.ahead_us > 0;
}

/* ---- bytes ---- */

/* Half a burst at most, so that there is room for a piece again once all is forgotten. */
static uint64_t piece_of(uint64_t per_s, uint64_t burst)
{
	uint64_t piece = per_s / PIECES_PER_S, most = burst / 2 < PIECE_MAX ? burst / 2 : PIECE_MAX;
	piece = piece < PIECE_MIN ? PIECE_MIN : piece;
	return piece < most ? piece : most > 0 ? most : 1;
}

static uint64_t takes_us(uint64_t bytes, uint64_t per_s)
{
	return (bytes * SECOND_US + per_s - 1) / per_s;
}

bool throttle_byte_rate_of(uint64_t per_s, uint64_t burst, struct throttle_byte_rate *out)
{
	if (per_s == 0 || burst == 0 || per_s > THROTTLE_BYTES_MAX || burst > THROTTLE_BYTES_MAX ||
	    takes_us(burst, per_s) > THROTTLE_HORIZON_US)
		return false;
	*out = (struct throttle_byte_rate){
	    .id = hash_fold(BYTES_ID, per_s * 2 + 1) + burst,
	    .per_s = per_s,
	    .burst_us = takes_us(burst, per_s),
	    .piece_us = takes_us(piece_of(per_s, burst), per_s),
	};
	return true;
}

static struct throttle_allowance allowance_of(const struct throttle_byte_rate *rate,
					      uint64_t ahead_us)
{
	if (ahead_us + rate->piece_us > rate->burst_us)
		return (struct throttle_allowance){
		    .wait_us = ahead_us + rate->piece_us - rate->burst_us};
	uint64_t bytes = (rate->burst_us - ahead_us) * rate->per_s / SECOND_US;
	return (struct throttle_allowance){.bytes = bytes > 0 ? bytes : 1};
}

/* One try; false where another changed the cell meanwhile. A debt that would outlast the horizon
 * counts as that, or it would seem to be none. */
static bool charge_cell(const struct place *place, uint64_t tag, const struct throttle_byte_rate *rate,
			uint64_t cost_us, uint64_t now_us, struct throttle_allowance *out)
{
	uint64_t value = place->value, ahead_us = place->ahead_us + cost_us;
	if (ahead_us > THROTTLE_HORIZON_US)
		ahead_us = THROTTLE_HORIZON_US;
	*out = allowance_of(rate, ahead_us);
	if (cost_us == 0)
		return true;
	/* Who has to wait keeps his place, as one who was refused does. */
	uint64_t limited = out->wait_us > 0 ? LIMITED : place->ahead_us > 0 ? value & LIMITED : 0;
	return swap(place->cell, &value, pack(tag, limited, now_us + ahead_us));
}

struct throttle_allowance throttle_charge(const struct throttle_client *client,
					  const struct throttle_byte_rate *rate, uint64_t bytes,
					  uint64_t now_us)
{
	struct throttle_allowance allowance;
	uint64_t tag = tag_of(client, rate->id);
	uint64_t most = bytes < THROTTLE_BYTES_MAX ? bytes : THROTTLE_BYTES_MAX;
	uint64_t cost_us = takes_us(most, rate->per_s);
	for (unsigned i = 0; i < TRIES; i++) {
		struct place place = find(client->bucket, tag, now_us);
		bool in_crowd = !place.cell;
		if (in_crowd) {
			place.cell = crowd_of(client, BYTES_CLASS);
			place.value = load(place.cell);
			place.ahead_us = ahead_of(place.value, now_us);
		}
		if (charge_cell(&place, in_crowd ? 0 : tag, rate, cost_us, now_us, &allowance))
			return allowance;
	}
	return allowance; /* so many others are a flood, or the memory is spoiled: uncharged once */
}

/* ---- bans ---- */

uint64_t throttle_banned(const struct throttle_client *client, uint64_t now_us)
{
	struct place place;
	return find_own(client->bucket, tag_of(client, BAN_ID), now_us, &place) ? place.ahead_us
										: 0;
}

/* Strikes are limited cells from the first one on: a client that has many rates to go over could
 * push them out of its bucket otherwise. */
enum throttle_strike throttle_strike(const struct throttle_client *client,
				     const struct throttle_rate *strikes, uint64_t ban_us,
				     uint64_t now_us)
{
	uint64_t tag = tag_of(client, STRIKES_ID), ban_tag = tag_of(client, BAN_ID);
	for (unsigned i = 0; i < TRIES; i++) {
		struct place place = find(client->bucket, tag, now_us);
		if (!place.cell)
			return THROTTLE_STRIKE_COUNTED;
		bool is_last = place.ahead_us + strikes->interval_us > strikes->tolerance_us;
		uint64_t cell =
		    is_last ? pack(ban_tag, LIMITED, now_us + ban_us)
			    : pack(tag, LIMITED, now_us + place.ahead_us + strikes->interval_us);
		if (swap(place.cell, &place.value, cell))
			return is_last ? THROTTLE_STRIKE_BANNED : THROTTLE_STRIKE_COUNTED;
	}
	return THROTTLE_STRIKE_COUNTED;
}

static bool clear_own(const struct throttle_client *client, uint64_t id, uint64_t now_us)
{
	struct place place;
	bool was_live = false;
	for (unsigned i = 0; i < TRIES && find_own(client->bucket, tag_of(client, id), now_us, &place); i++)
		was_live |= swap(place.cell, &place.value, 0) && place.ahead_us > 0;
	return was_live;
}

bool throttle_lift(const struct throttle_client *client, uint64_t now_us)
{
	(void)clear_own(client, STRIKES_ID, now_us);
	return clear_own(client, BAN_ID, now_us);
}

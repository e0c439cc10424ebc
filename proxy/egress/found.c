/* See egress_found.h. Pure but for the shared memory. Values that are read may be anything: another process that maps
 * the memory may be captured. */
#include "sallyport/egress_found.h"

#include <string.h>

enum { WORTH_WRITING_MS = 60000 };

static uint64_t what_of(const struct egress_found_address *address)
{
	return (uint64_t)1 << 63 | (uint64_t)address->list << 32 | (uint64_t)address->port_min << 16 | address->port_max;
}

static uint64_t load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static void store(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

/* ---- writing ---- */

static bool lock(struct egress_found *found, uint64_t now_ms)
{
	uint32_t sequence = atomic_load(&found->sequence);
	if (sequence & 1) {
		uint64_t since_ms = load(&found->since_ms);
		if (now_ms >= since_ms && now_ms - since_ms < EGRESS_FOUND_STUCK_MS)
			return false;
		if (!atomic_compare_exchange_strong(&found->sequence, &sequence, sequence + 2))
			return false;
	} else if (!atomic_compare_exchange_strong(&found->sequence, &sequence, sequence + 1)) {
		return false;
	}
	store(&found->since_ms, now_ms);
	atomic_thread_fence(memory_order_release);
	return true;
}

static void unlock(struct egress_found *found)
{
	atomic_fetch_add_explicit(&found->sequence, 1, memory_order_release);
}

static bool is_it(const struct egress_found_cell *cell, const uint64_t words[2], uint64_t what)
{
	return load(&cell->what) == what && load(&cell->address[0]) == words[0] && load(&cell->address[1]) == words[1];
}

/* Its own cell, or one that nobody needs; NULL: there is none. */
static struct egress_found_cell *find(struct egress_found *found, const uint64_t words[2], uint64_t what, uint64_t now_ms)
{
	struct egress_found_cell *spare = NULL;
	for (unsigned i = 0; i < EGRESS_FOUND_MAX; i++) {
		struct egress_found_cell *cell = &found->of[i];
		if (is_it(cell, words, what))
			return cell;
		if (!spare && (load(&cell->what) == 0 || load(&cell->until_ms) <= now_ms))
			spare = cell;
	}
	return spare;
}

bool egress_found_add(struct egress_found *found, const struct egress_found_address *address, uint64_t now_ms)
{
	uint64_t words[2], what = what_of(address);
	memcpy(words, address->bytes, sizeof(words));
	struct egress_found_cell *cell = find(found, words, what, now_ms);
	if (cell && is_it(cell, words, what) && load(&cell->until_ms) + WORTH_WRITING_MS > address->until_ms)
		return true;
	if (!cell || !lock(found, now_ms))
		return false;
	store(&cell->address[0], words[0]);
	store(&cell->address[1], words[1]);
	store(&cell->what, what);
	store(&cell->until_ms, address->until_ms);
	unlock(found);
	return true;
}

/* ---- reading ---- */

static bool read_cell(const struct egress_found_cell *cell, uint64_t now_ms, struct egress_found_address *out)
{
	const uint64_t words[2] = {load(&cell->address[0]), load(&cell->address[1])};
	const uint64_t what = load(&cell->what);
	memcpy(out->bytes, words, sizeof(words));
	out->list = (uint8_t)(what >> 32);
	out->port_min = (uint16_t)(what >> 16);
	out->port_max = (uint16_t)what;
	out->until_ms = load(&cell->until_ms);
	return what != 0 && out->until_ms > now_ms;
}

bool egress_found_read(const struct egress_found *found, uint32_t *sequence, uint64_t now_ms,
		       struct egress_found_address out[EGRESS_FOUND_MAX], unsigned *n)
{
	const uint32_t before = atomic_load_explicit(&found->sequence, memory_order_acquire);
	if (before == *sequence || (before & 1))
		return false;
	*n = 0;
	for (unsigned i = 0; i < EGRESS_FOUND_MAX; i++)
		*n += read_cell(&found->of[i], now_ms, &out[*n]);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&found->sequence, memory_order_relaxed) != before)
		return false; /* next time */
	*sequence = before;
	return true;
}

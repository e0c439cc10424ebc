/* Keys of session tickets in shared memory. A cell is one word that says when its key was
 * made and whether it can be read, and the key. Cells change hands by compare-and-swap on that
 * word; a reader looks at it before and after it copied the key. Knows nothing of TLS. */
#include "sallyport/tls_tickets.h"

#include <stdatomic.h>
#include <string.h>

#include "sallyport/crypto.h"

enum { CELLS = 4 };

enum phase { PHASE_EMPTY = 0, PHASE_MAKING, PHASE_READY };

struct cell {
	_Atomic uint64_t state; /* made_ms << 2 | enum phase */
	struct tls_ticket_key key;
};

struct tls_tickets {
	struct cell cells[CELLS];
};

size_t tls_tickets_bytes(void)
{
	return sizeof(struct tls_tickets);
}

struct tls_tickets *tls_tickets_of(void *memory)
{
	return memory;
}

static uint64_t state_of(const struct cell *cell)
{
	return atomic_load_explicit(&cell->state, memory_order_acquire);
}

static enum phase phase_of(uint64_t state)
{
	return (enum phase)(state & 3);
}

/* Clocks of processes may differ by a moment. */
static uint64_t age_ms(uint64_t state, uint64_t now_ms)
{
	uint64_t made_ms = state >> 2;
	return now_ms > made_ms ? now_ms - made_ms : 0;
}

static bool can_open(uint64_t state, uint64_t now_ms)
{
	return phase_of(state) == PHASE_READY &&
	       age_ms(state, now_ms) < 2 * (uint64_t)TLS_TICKET_PERIOD_MS;
}

/* The cell with the youngest key, also one that is just being made; NULL: none at all. */
static struct cell *youngest(struct tls_tickets *tickets, bool ready_only)
{
	struct cell *best = NULL;
	for (int i = 0; i < CELLS; i++) {
		struct cell *cell = &tickets->cells[i];
		enum phase phase = phase_of(state_of(cell));
		if (phase == PHASE_EMPTY || (ready_only && phase != PHASE_READY))
			continue;
		if (!best || state_of(cell) > state_of(best))
			best = cell;
	}
	return best;
}

static struct cell *oldest(struct tls_tickets *tickets)
{
	struct cell *best = &tickets->cells[0];
	for (int i = 1; i < CELLS; i++)
		if (state_of(&tickets->cells[i]) < state_of(best))
			best = &tickets->cells[i];
	return best;
}

static void make_key(struct tls_tickets *tickets, uint64_t now_ms)
{
	struct cell *cell = oldest(tickets);
	uint64_t was = state_of(cell);
	if (!atomic_compare_exchange_strong(&cell->state, &was, now_ms << 2 | PHASE_MAKING))
		return; /* somebody else makes it */
	bool made = crypto_random(&cell->key, sizeof(cell->key), NULL);
	atomic_store_explicit(&cell->state, made ? now_ms << 2 | PHASE_READY : 0, memory_order_release);
}

static void wipe_if_over(struct cell *cell, uint64_t now_ms)
{
	uint64_t state = state_of(cell);
	if (phase_of(state) != PHASE_READY || can_open(state, now_ms))
		return;
	if (!atomic_compare_exchange_strong(&cell->state, &state, now_ms << 2 | PHASE_MAKING))
		return;
	explicit_bzero(&cell->key, sizeof(cell->key));
	atomic_store_explicit(&cell->state, 0, memory_order_release);
}

void tls_tickets_tend(struct tls_tickets *tickets, uint64_t now_ms)
{
	for (int i = 0; i < CELLS; i++)
		wipe_if_over(&tickets->cells[i], now_ms);
	const struct cell *last = youngest(tickets, false);
	if (!last || age_ms(state_of(last), now_ms) >= TLS_TICKET_PERIOD_MS)
		make_key(tickets, now_ms);
}

/* False where the cell changed hands meanwhile. */
static bool copy_key(const struct cell *cell, uint64_t state, struct tls_ticket_key *out)
{
	memcpy(out, &cell->key, sizeof(*out));
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&cell->state, memory_order_relaxed) == state;
}

bool tls_tickets_seal(struct tls_tickets *tickets, uint64_t now_ms, struct tls_ticket_key *out)
{
	const struct cell *cell = youngest(tickets, true);
	if (!cell || age_ms(state_of(cell), now_ms) >= TLS_TICKET_PERIOD_MS) {
		tls_tickets_tend(tickets, now_ms);
		cell = youngest(tickets, true);
	}
	if (!cell)
		return false;
	uint64_t state = state_of(cell);
	return can_open(state, now_ms) && copy_key(cell, state, out);
}

bool tls_tickets_open(const struct tls_tickets *tickets, const unsigned char name[TLS_TICKET_NAME_BYTES],
		      uint64_t now_ms, struct tls_ticket_key *out, bool *renew)
{
	for (int i = 0; i < CELLS; i++) {
		const struct cell *cell = &tickets->cells[i];
		uint64_t state = state_of(cell);
		if (!can_open(state, now_ms) || memcmp(cell->key.name, name, TLS_TICKET_NAME_BYTES) != 0)
			continue;
		*renew = age_ms(state, now_ms) >= TLS_TICKET_PERIOD_MS;
		return copy_key(cell, state, out);
	}
	return false;
}

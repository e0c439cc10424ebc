#ifndef SALLYPORT_SITE_STATE_H
#define SALLYPORT_SITE_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "sallyport/ban_list.h"
#include "sallyport/err.h"

/* What an operator has ordered about a site while it runs, and how far its guard is: shared memory that only the
 * master writes and workers read. It outlives generations; a restart of the master forgets it.
 *
 *   master: claim a slot per site of a policy ─► worker: find it once, at its start
 *   master: store a time or a guard's state   ─► worker: one load per request
 *
 * A slot may be given to another site once neither the serving nor the coming policy has the first
 * one. A reader that still holds it compares the id, so it never takes one site's pause for another's. */

/* The legs that can be paused: of a site, and egress, which is of the server as a whole. */
enum leg { LEG_UNSET = 0, LEG_SHIELD, LEG_GUARD, LEG_EGRESS, LEG_COUNT };

/* How far the guard of a site is, as the keeper reports it. */
enum guard_state {
	GUARD_STATE_UNSET = 0, /* nothing was reported: no guard, or no keeper yet */
	GUARD_LEARNING,        /* nothing is known to be good yet */
	GUARD_GUARDED,
	GUARD_SEALED,          /* an origin is defaced, or an operator says so: copies only */
	GUARD_RECOVERING,      /* was sealed, looks good again; as guarded */
	GUARD_STATE_COUNT
};

enum {
	SITE_STATES = 2048, /* twice as many as a policy may have sites: two policies always fit */
	SITE_NAME_SIZE = 72,
	SITE_LEGS_ROOM = 6,
	PAUSE_MAX_MS = 7 * 24 * 3600 * 1000,
};

struct site_state {
	_Alignas(64) _Atomic uint64_t id; /* site_id(); 0: free */
	/* By enum leg; milliseconds of CLOCK_MONOTONIC; 0: not paused. */
	_Atomic uint64_t paused_until_ms[SITE_LEGS_ROOM];
	_Atomic uint32_t guard_state; /* enum guard_state */
	char name[SITE_NAME_SIZE]; /* the master's own business */
};

struct site_states {
	struct site_state of[SITE_STATES];
	struct ban_list bans; /* for all sites */
};

/* Slots of that table, as bits. */
struct site_set {
	uint64_t bits[SITE_STATES / 64];
};

/* What the operator asks for. */
struct pause_request {
	uint32_t leg; /* enum leg */
	uint32_t pad;
	uint64_t duration_ms; /* at most PAUSE_MAX_MS; 0: ends a pause */
	char site[SITE_NAME_SIZE]; /* empty: LEG_EGRESS */
};

/* A reader's way to one site's state. state NULL: there is none, nothing is paused. */
struct site_link {
	const struct site_state *state;
	uint64_t id;
};

/* The same name has the same id over reloads and on every machine: 64-bit FNV-1a. Never 0. */
uint64_t site_id(const char *name);
/* "shield"; "-" for what is no leg. */
const char *leg_name(uint32_t leg);
/* "learning"; "-" for what is none. */
const char *guard_state_name(uint32_t state);
/* LEG_UNSET: there is no such leg. */
enum leg leg_lookup(const char *name);

/* The slot of the site, claimed where it has none: a free one, else one that kept does not
 * hold, one without a pause first. -1: there is none, or the name is too long. */
int site_states_claim(struct site_states *states, const char *name, const struct site_set *kept);
/* states may be NULL. */
struct site_link site_states_link(const struct site_states *states, const char *name);

static inline bool site_is_paused(const struct site_link *link, enum leg leg, uint64_t now_ms)
{
	if (!link->state)
		return false;
	/* Acquire: a time that was stored for another site is seen with that site's id. */
	uint64_t until_ms =
	    atomic_load_explicit(&link->state->paused_until_ms[leg], memory_order_acquire);
	return until_ms > now_ms &&
	       atomic_load_explicit(&link->state->id, memory_order_relaxed) == link->id;
}

/* Of the site that the link was made for; UNSET where its slot is another's by now. */
static inline enum guard_state site_guard_state(const struct site_link *link)
{
	if (!link->state)
		return GUARD_STATE_UNSET;
	uint32_t state =
	    atomic_load_explicit(&link->state->guard_state, memory_order_acquire);
	return atomic_load_explicit(&link->state->id, memory_order_relaxed) == link->id
		   ? (enum guard_state)state
		   : GUARD_STATE_UNSET;
}

static inline bool site_set_has(const struct site_set *set, unsigned slot)
{
	return set->bits[slot / 64] >> slot % 64 & 1;
}

static inline void site_set_add(struct site_set *set, unsigned slot)
{
	set->bits[slot / 64] |= UINT64_C(1) << slot % 64;
}

#endif

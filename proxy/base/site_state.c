/* The table of sites' states: ids, and which slot a site has. A site's slot is looked for from
 * the place that its id says, through the whole table where need be: slots are given away
 * again, so an empty one ends no search. Trusts the master alone to write. */
#include "sallyport/site_state.h"

#include <string.h>

#include "sallyport/hash.h"

_Static_assert((int)LEG_COUNT <= (int)SITE_LEGS_ROOM, "every leg has its room");

static const char *const names[LEG_COUNT] = {[LEG_SHIELD] = "shield", [LEG_GUARD] = "guard",
						[LEG_EGRESS] = "egress"};
static const char *const guard_states[GUARD_STATE_COUNT] = {
    [GUARD_LEARNING] = "learning",
    [GUARD_GUARDED] = "guarded",
    [GUARD_SEALED] = "sealed",
    [GUARD_RECOVERING] = "recovering",
};

const char *leg_name(uint32_t leg)
{
	return leg > LEG_UNSET && leg < LEG_COUNT ? names[leg] : "-";
}

const char *guard_state_name(uint32_t state)
{
	return state > GUARD_STATE_UNSET && state < GUARD_STATE_COUNT ? guard_states[state] : "-";
}

enum leg leg_lookup(const char *name)
{
	for (int leg = LEG_UNSET + 1; leg < LEG_COUNT; leg++)
		if (strcmp(names[leg], name) == 0)
			return (enum leg)leg;
	return LEG_UNSET;
}

uint64_t site_id(const char *name)
{
	return hash_name(name);
}

static uint64_t id_of(const struct site_state *state)
{
	return atomic_load_explicit(&state->id, memory_order_relaxed);
}

static unsigned nth_slot(uint64_t id, unsigned n)
{
	return (unsigned)((id ^ id >> 32) + n) % SITE_STATES;
}

static bool has_pause(const struct site_state *state)
{
	for (int leg = 0; leg < LEG_COUNT; leg++)
		if (atomic_load_explicit(&state->paused_until_ms[leg], memory_order_relaxed) != 0)
			return true;
	return false;
}

/* How little would be lost with what the slot holds; 0: it must stay. */
static int worth_taking(const struct site_state *state, bool is_kept)
{
	if (id_of(state) == 0)
		return 3;
	if (is_kept)
		return 0;
	return has_pause(state) ? 1 : 2;
}

static void take(struct site_state *state, uint64_t id, const char *name, size_t len)
{
	for (int leg = 0; leg < LEG_COUNT; leg++)
		atomic_store_explicit(&state->paused_until_ms[leg], 0, memory_order_relaxed);
	atomic_store_explicit(&state->guard_state, GUARD_STATE_UNSET, memory_order_relaxed);
	memcpy(state->name, name, len + 1);
	/* Any pause of the new site is stored after this, and released. */
	atomic_store_explicit(&state->id, id, memory_order_relaxed);
}

int site_states_claim(struct site_states *states, const char *name, const struct site_set *kept)
{
	uint64_t id = site_id(name);
	size_t len = strlen(name);
	int best = -1, best_worth = 0;
	if (len == 0 || len >= SITE_NAME_SIZE)
		return -1;
	for (unsigned n = 0; n < SITE_STATES; n++) {
		unsigned slot = nth_slot(id, n);
		if (id_of(&states->of[slot]) == id)
			return (int)slot;
		int worth = worth_taking(&states->of[slot], site_set_has(kept, slot));
		if (worth > best_worth) {
			best = (int)slot;
			best_worth = worth;
		}
	}
	if (best >= 0)
		take(&states->of[best], id, name, len);
	return best;
}

struct site_link site_states_link(const struct site_states *states, const char *name)
{
	uint64_t id = site_id(name);
	for (unsigned n = 0; states && n < SITE_STATES; n++) {
		const struct site_state *state = &states->of[nth_slot(id, n)];
		if (id_of(state) == id)
			return (struct site_link){state, id};
	}
	return (struct site_link){NULL, id};
}

/* The roll of egress origins in shared memory: ids, names, and which slot an origin has. A slot is looked for
 * through the whole table: it is short, and slots are given away again, so an empty one ends no search.
 * Trusts the master alone to claim. */
#include "sallyport/egress_state.h"

#include <string.h>

#include "sallyport/hash.h"

static const char *const stages[EGRESS_STAGE_COUNT] = {
    [EGRESS_FREE] = "free",
    [EGRESS_LISTED_ONLY] = "listed-only",
    [EGRESS_REPLIES_ONLY] = "replies-only",
};

static const char *const offences[EGRESS_OFFENCE_COUNT] = {
#define NAME(id, name, weight, counts) [EGRESS_OFFENCE_##id] = name,
    EGRESS_OFFENCES(NAME)
#undef NAME
    [EGRESS_OFFENCE_ORDERED] = "ordered",
};

const char *egress_stage_name(uint32_t stage)
{
	return stage > EGRESS_STAGE_UNSET && stage < EGRESS_STAGE_COUNT ? stages[stage] : "-";
}

enum egress_stage egress_stage_lookup(const char *name)
{
	for (int stage = EGRESS_STAGE_UNSET + 1; stage < EGRESS_STAGE_COUNT; stage++)
		if (strcmp(stages[stage], name) == 0)
			return (enum egress_stage)stage;
	return EGRESS_STAGE_UNSET;
}

const char *egress_offence_name(uint32_t offence)
{
	return offence > EGRESS_OFFENCE_UNSET && offence < EGRESS_OFFENCE_COUNT ? offences[offence] : "-";
}

const char *egress_kernel_why_text(uint32_t why)
{
	static const char *const texts[EGRESS_KERNEL_WHY_COUNT] = {
	    "-",
#define TEXT(id, text) text,
	    EGRESS_KERNEL_WHYS(TEXT)
#undef TEXT
	};
	return why < EGRESS_KERNEL_WHY_COUNT ? texts[why] : "-";
}

uint64_t egress_id(const char *name)
{
	return hash_name(name);
}

static uint64_t id_of(const struct egress_state *state)
{
	return atomic_load_explicit(&state->id, memory_order_acquire);
}

uint64_t egress_learned_seed(const struct egress_states *states, const struct egress_state *state)
{
	return atomic_load_explicit(&states->seed, memory_order_relaxed) ^ id_of(state);
}

static bool has_sentence(const struct egress_state *state)
{
	return atomic_load_explicit(&state->sentence, memory_order_relaxed) != 0;
}

/* How little would be lost with what the slot holds; 0: it must stay. */
static int worth_taking(const struct egress_state *state, bool is_kept)
{
	if (id_of(state) == 0)
		return 3;
	if (is_kept)
		return 0;
	return has_sentence(state) ? 1 : 2;
}

/* A table that nobody wrote to takes no memory, and is not written to here. */
static void forget_lessons(struct egress_learned *learned)
{
	if (atomic_load_explicit(&learned->today, memory_order_relaxed) != 0)
		memset(learned, 0, sizeof(*learned));
}

/* Gate and warden find it by its id, which is there last. */
static void take(struct egress_states *states, unsigned slot, uint64_t id, const char *name, size_t len)
{
	struct egress_state *state = &states->of[slot];
	atomic_store_explicit(&state->id, 0, memory_order_release);
	memset((char *)state + sizeof(state->id), 0, sizeof(*state) - sizeof(state->id));
	memset(&states->known[slot], 0, sizeof(states->known[slot]));
	forget_lessons(&states->learned[slot]);
	memcpy(state->name, name, len + 1);
	atomic_store_explicit(&state->id, id, memory_order_release);
}

int egress_states_claim(struct egress_states *states, const char *name, const uint64_t kept[EGRESS_STATES / 64])
{
	uint64_t id = egress_id(name);
	size_t len = strlen(name);
	int best = -1, best_worth = 0;
	if (len == 0 || len >= EGRESS_NAME_SIZE)
		return -1;
	for (unsigned slot = 0; slot < EGRESS_STATES; slot++) {
		if (id_of(&states->of[slot]) == id)
			return (int)slot;
		int worth = worth_taking(&states->of[slot], kept[slot / 64] >> slot % 64 & 1);
		if (worth > best_worth) {
			best = (int)slot;
			best_worth = worth;
		}
	}
	if (best >= 0)
		take(states, (unsigned)best, id, name, len);
	return best;
}

struct egress_state *egress_states_find(struct egress_states *states, const char *name)
{
	uint64_t id = egress_id(name);
	for (unsigned slot = 0; states && slot < EGRESS_STATES; slot++)
		if (id_of(&states->of[slot]) == id)
			return &states->of[slot];
	return NULL;
}

/* How each egress origin stands, in shared memory. Every change is one compare-and-swap, so that gate and
 * warden may convict at the same moment: whoever pushes the strikes over the limit takes them all away and
 * convicts, alone. Trusts no value that it reads: another process that maps the memory may be
 * captured. What can happen then is a wrong standing, never a fault. */
#include "sallyport/egress.h"

#define STAGE_SHIFT   56
#define OFFENCE_SHIFT 48
#define FOREVER       ((UINT64_C(1) << OFFENCE_SHIFT) - 1)

enum { DAY_MS = 86400 * 1000, CONVICTIONS_MAX = 40, TRIES = 64 };

/* ---- offences ---- */

struct offence {
	uint32_t weight;
	bool counts_in_quarantine;
};

static const struct offence offences[EGRESS_OFFENCE_COUNT] = {
#define OFFENCE_ROW(id, name, weight, counts) [EGRESS_OFFENCE_##id] = {weight, counts},
    EGRESS_OFFENCES(OFFENCE_ROW)
#undef OFFENCE_ROW
};

static const struct offence *offence_of(uint32_t offence)
{
	return &offences[offence < EGRESS_OFFENCE_COUNT ? offence : EGRESS_OFFENCE_UNSET];
}

/* ---- sentences ---- */

static uint64_t pack(enum egress_stage stage, enum egress_offence offence, uint64_t until_ms)
{
	uint64_t until = until_ms < FOREVER ? until_ms : FOREVER;
	return (uint64_t)stage << STAGE_SHIFT | (uint64_t)offence << OFFENCE_SHIFT | until;
}

/* What the word says at that time; a spoiled one says the strictest. */
static struct egress_sentence unpack(uint64_t word, uint64_t now_ms)
{
	const uint64_t until = word & FOREVER, stage = word >> STAGE_SHIFT;
	if (stage <= EGRESS_FREE || (until != FOREVER && until <= now_ms))
		return (struct egress_sentence){.stage = EGRESS_FREE};
	return (struct egress_sentence){
	    .stage = stage == EGRESS_LISTED_ONLY ? EGRESS_LISTED_ONLY : EGRESS_REPLIES_ONLY,
	    .offence = (enum egress_offence)((word >> OFFENCE_SHIFT & 0xff) % EGRESS_OFFENCE_COUNT),
	    .until_ms = until == FOREVER ? UINT64_MAX : until,
	};
}

enum egress_stage egress_stage_now(const struct egress_state *state, uint64_t now_ms)
{
	return state ? unpack(atomic_load(&state->sentence), now_ms).stage : EGRESS_FREE;
}

enum egress_offence egress_sentence_now(const struct egress_state *state, uint64_t now_ms, uint64_t *until_ms)
{
	struct egress_sentence sentence = {0};
	if (state)
		sentence = unpack(atomic_load(&state->sentence), now_ms);
	*until_ms = sentence.until_ms;
	return sentence.offence;
}

void egress_quarantine(struct egress_state *state, enum egress_stage stage, uint64_t duration_ms, uint64_t now_ms,
		       uint64_t wall_ms)
{
	uint64_t until_ms = duration_ms == 0 || duration_ms >= FOREVER - now_ms ? FOREVER : now_ms + duration_ms;
	atomic_store(&state->since_wall_ms, wall_ms);
	atomic_fetch_add(&state->epoch, 1);
	atomic_store(&state->sentence, pack(stage, EGRESS_OFFENCE_ORDERED, until_ms));
}

/* Its convictions stay: the same behaviour quarantines it again, for longer. */
void egress_release(struct egress_state *state)
{
	atomic_store(&state->strikes_until_ms, 0);
	atomic_store(&state->since_ms, 0);
	atomic_store(&state->sentence, 0);
}

/* ---- strikes ---- */

/* True: they are enough, and it was this call that made them so. GCRA: each moves the time when all are
 * forgotten on by what it takes to forget one. */
static bool count_strikes(struct egress_state *state, const struct egress_law *law, uint32_t weight, uint64_t now_ms)
{
	const uint64_t strikes = law->strikes ? law->strikes : 1;
	const uint64_t each_ms = law->strike_window_ms / strikes ? law->strike_window_ms / strikes : 1;
	uint64_t until_ms = atomic_load(&state->strikes_until_ms);
	for (unsigned i = 0; i < TRIES; i++) {
		/* what is further ahead than the window is no time of ours */
		const bool has_any = until_ms > now_ms && until_ms - now_ms <= each_ms * strikes;
		const uint64_t ahead_ms = (has_any ? until_ms - now_ms : 0) + each_ms * weight;
		const bool is_enough = ahead_ms > each_ms * (strikes - 1);
		if (atomic_compare_exchange_weak(&state->strikes_until_ms, &until_ms,
						 is_enough ? 0 : now_ms + ahead_ms))
			return is_enough;
	}
	return false;
}

/* One for each period of good behaviour since. */
static uint32_t forgive(struct egress_state *state, const struct egress_law *law, uint64_t now_ms)
{
	const uint64_t period_ms = law->quarantine_max_ms ? law->quarantine_max_ms : DAY_MS;
	const uint64_t forgive_ms = atomic_load(&state->forgive_ms);
	const uint32_t convictions = atomic_load(&state->convictions);
	if (now_ms < forgive_ms)
		return convictions;
	const uint64_t forgiven = 1 + (now_ms - forgive_ms) / period_ms;
	return forgiven < convictions ? convictions - (uint32_t)forgiven : 0;
}

static uint64_t until_of(const struct egress_law *law, uint32_t convictions, uint64_t now_ms)
{
	const unsigned doublings = convictions < CONVICTIONS_MAX ? convictions : CONVICTIONS_MAX;
	uint64_t ms = law->quarantine_ms;
	if (ms == 0)
		return FOREVER;
	for (unsigned i = 0; i < doublings && ms < FOREVER / 4; i++)
		ms *= 2;
	if (law->quarantine_max_ms && ms > law->quarantine_max_ms)
		ms = law->quarantine_max_ms;
	return now_ms + ms < FOREVER ? now_ms + ms : FOREVER - 1;
}

/* What the winner of a conviction writes besides the sentence. */
static void record_conviction(struct egress_state *state, const struct egress_law *law, uint32_t convictions,
			      uint64_t until_ms, uint64_t now_ms, uint64_t wall_ms)
{
	const uint64_t period_ms = law->quarantine_max_ms ? law->quarantine_max_ms : DAY_MS;
	const uint64_t end_ms = until_ms == FOREVER ? now_ms : until_ms;
	atomic_store(&state->since_wall_ms, wall_ms);
	atomic_store(&state->convictions, convictions + 1);
	atomic_store(&state->forgive_ms, end_ms + period_ms);
}

static struct egress_sentence convict(struct egress_state *state, const struct egress_law *law,
				      enum egress_offence offence, uint64_t now_ms, uint64_t wall_ms)
{
	uint64_t word = atomic_load(&state->sentence);
	const struct egress_sentence old = unpack(word, now_ms);
	if (old.stage == EGRESS_REPLIES_ONLY)
		return old;
	const enum egress_stage stage = old.stage == EGRESS_FREE ? EGRESS_LISTED_ONLY : EGRESS_REPLIES_ONLY;
	const uint32_t convictions = forgive(state, law, now_ms);
	uint64_t until_ms = until_of(law, convictions, now_ms);
	if (old.stage != EGRESS_FREE && old.until_ms > until_ms)
		until_ms = old.until_ms < FOREVER ? old.until_ms : FOREVER;
	atomic_store(&state->since_ms, now_ms);
	atomic_fetch_add(&state->epoch, 1);
	if (!atomic_compare_exchange_strong(&state->sentence, &word, pack(stage, offence, until_ms)))
		return unpack(word, now_ms); /* another's conviction, or an order, came first */
	record_conviction(state, law, convictions, until_ms, now_ms, wall_ms);
	struct egress_sentence sentence = unpack(pack(stage, offence, until_ms), now_ms);
	sentence.is_new = true;
	return sentence;
}

/* Does it count, as the origin stands? */
static bool counts(const struct egress_state *state, const struct offence *offence, enum egress_stage stage,
		   uint64_t now_ms)
{
	const uint64_t since_ms = atomic_load(&state->since_ms);
	if (stage == EGRESS_REPLIES_ONLY || (stage == EGRESS_LISTED_ONLY && !offence->counts_in_quarantine))
		return false;
	return offence->weight > 0 && (since_ms == 0 || now_ms < since_ms || now_ms - since_ms >= EGRESS_SAME_DEED_MS);
}

struct egress_sentence egress_strike(struct egress_state *state, const struct egress_law *law, enum egress_offence offence,
				     uint64_t now_ms, uint64_t wall_ms)
{
	const struct offence *row = offence_of(offence);
	const struct egress_sentence now = unpack(atomic_load(&state->sentence), now_ms);
	atomic_store(&state->last_offence, (uint32_t)offence);
	atomic_store(&state->last_offence_wall_ms, wall_ms);
	if (!counts(state, row, now.stage, now_ms))
		return now;
	if (row->weight < EGRESS_OFFENCE_CONVICTS && !count_strikes(state, law, row->weight, now_ms))
		return now;
	return convict(state, law, offence, now_ms, wall_ms);
}

struct egress_law egress_law_of(const struct egress_policy *policy)
{
	return (struct egress_law){policy->strikes, policy->strike_window_ms, policy->quarantine_ms,
				   policy->quarantine_max_ms};
}

bool egress_only_reports(int mode, const struct egress_states *states, uint64_t now_ms)
{
	return mode != EGRESS_ENFORCE ||
	       (states && atomic_load_explicit(&states->paused_until_ms, memory_order_relaxed) > now_ms);
}

/* ---- new destinations ---- */

bool egress_new_destination(struct egress_state *state, uint64_t interval_us, uint64_t tolerance_us, uint64_t now_us,
			    uint64_t *wait_us)
{
	uint64_t tat_us = atomic_load(&state->new_tat_us);
	for (unsigned i = 0; i < TRIES; i++) {
		/* what is further ahead than a whole burst is no time of ours */
		const bool is_ahead = tat_us > now_us && tat_us - now_us <= tolerance_us + interval_us;
		const uint64_t ahead_us = is_ahead ? tat_us - now_us : 0;
		if (ahead_us > tolerance_us) {
			*wait_us = ahead_us - tolerance_us;
			return false;
		}
		if (atomic_compare_exchange_weak(&state->new_tat_us, &tat_us, now_us + ahead_us + interval_us))
			return true;
	}
	*wait_us = interval_us;
	return false;
}

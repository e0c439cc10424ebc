/* What egress origins teach, in shared memory. Trusts no value that it reads: whoever maps the memory may be
 * captured. Does not say what a lesson opens: judge.c does. */
#include "sallyport/egress_learned.h"

#include <string.h>

#include "sallyport/clock.h"
#include "sallyport/lru.h"

enum { DAY_S = 86400, TRIES = 64, USES_MAX = (1 << 24) - 1, NOWHERE = -1 };

static const char *const names[EGRESS_STANDING_COUNT] = {"-", "candidate", "counts", "approved"};

const char *egress_standing_name(uint32_t standing)
{
	return names[standing < EGRESS_STANDING_COUNT ? standing : EGRESS_STANDING_UNSET];
}

/* ---- words ---- */

struct lesson {
	enum egress_standing standing; /* UNSET: free, or void */
	uint32_t epoch, uses;
	uint64_t first_s, last_s;
};

static uint64_t pack(uint32_t epoch, uint32_t uses, enum egress_standing standing)
{
	return (uint64_t)epoch << 32 | (uint64_t)uses << 8 | standing;
}

static uint64_t pack_times(uint64_t first_s, uint64_t last_s)
{
	return first_s << 32 | (last_s & UINT32_MAX);
}

/* Rounded up, so that a day is a whole one. */
static uint64_t time_of_use(const struct egress_lesson_use *use)
{
	return (use->now_ms + 999) / 1000;
}

static bool holds(const struct lesson *lesson, uint32_t epoch, uint64_t now_s)
{
	switch (lesson->standing) {
	case EGRESS_APPROVED: return true;
	case EGRESS_COUNTS_AS_LISTED:
		return lesson->epoch == epoch && clock_since(lesson->last_s, now_s) < (uint64_t)EGRESS_COUNTS_DAYS * DAY_S;
	case EGRESS_CANDIDATE:
		return lesson->epoch == epoch && clock_since(lesson->last_s, now_s) < (uint64_t)EGRESS_CANDIDATE_DAYS * DAY_S;
	default: return false;
	}
}

static struct lesson unpack(uint64_t word, uint64_t times, uint32_t epoch, uint64_t now_s)
{
	struct lesson lesson = {
	    .standing = (enum egress_standing)(word & 0xff),
	    .epoch = (uint32_t)(word >> 32),
	    .uses = (uint32_t)(word >> 8) & USES_MAX,
	    .first_s = times >> 32,
	    .last_s = times & UINT32_MAX,
	};
	if (!holds(&lesson, epoch, now_s))
		lesson.standing = EGRESS_STANDING_UNSET;
	return lesson;
}

static struct lesson read_lesson(const struct egress_lesson *of, uint32_t epoch, uint64_t now_s)
{
	const uint64_t word = atomic_load_explicit(&of->word, memory_order_acquire);
	return unpack(word, atomic_load_explicit(&of->times, memory_order_relaxed), epoch, now_s);
}

/* ---- texts ---- */

static bool fits(struct span destination)
{
	return destination.len > 0 && destination.len < EGRESS_LESSON_SIZE;
}

static bool is_text(const struct egress_lesson *of, struct span destination)
{
	uint64_t words[EGRESS_LESSON_WORDS] = {0};
	memcpy(words, destination.ptr, destination.len);
	for (size_t i = 0; i <= destination.len / 8; i++)
		if (atomic_load_explicit(&of->text[i], memory_order_relaxed) != words[i])
			return false;
	return true;
}

static void write_text(struct egress_lesson *of, struct span destination)
{
	uint64_t words[EGRESS_LESSON_WORDS] = {0};
	memcpy(words, destination.ptr, destination.len);
	for (size_t i = 0; i < EGRESS_LESSON_WORDS; i++)
		atomic_store_explicit(&of->text[i], words[i], memory_order_relaxed);
}

/* Never 0: that is free. */
static uint64_t key_of(uint64_t seed, struct span destination)
{
	return lru_hash(seed, destination.ptr, destination.len) | 1;
}

static int find(const struct egress_learned *learned, uint64_t key, struct span destination)
{
	for (int i = 0; i < EGRESS_LESSONS; i++)
		if (atomic_load_explicit(&learned->keys[i], memory_order_relaxed) == key &&
		    is_text(&learned->of[i], destination))
			return i;
	return NOWHERE;
}

/* ---- uses ---- */

/* A free place, or that of the candidate that was used longest ago. */
static int choose(const struct egress_learned *learned, uint32_t epoch, uint64_t now_s)
{
	uint64_t oldest_s = UINT64_MAX;
	int best = NOWHERE;
	for (int i = 0; i < EGRESS_LESSONS; i++) {
		const struct lesson lesson = read_lesson(&learned->of[i], epoch, now_s);
		if (lesson.standing == EGRESS_STANDING_UNSET)
			return i;
		if (lesson.standing == EGRESS_CANDIDATE && lesson.last_s < oldest_s) {
			oldest_s = lesson.last_s;
			best = i;
		}
	}
	return best;
}

/* One more of today's new ones. */
static bool take_turn(struct egress_learned *learned, uint64_t now_s)
{
	const uint64_t day = now_s / DAY_S;
	uint64_t today = atomic_load_explicit(&learned->today, memory_order_relaxed);
	for (unsigned i = 0; i < TRIES; i++) {
		const uint64_t count = today >> 32 == day ? today & UINT32_MAX : 0;
		if (count >= EGRESS_LESSONS_A_DAY)
			return false;
		if (atomic_compare_exchange_weak(&learned->today, &today, day << 32 | (count + 1)))
			return true;
	}
	return false;
}

/* The word comes last: until then there is no lesson. */
static void enter(struct egress_learned *learned, int at, uint64_t key, struct span destination,
		  const struct egress_lesson_use *use)
{
	const uint64_t now_s = use->now_ms / 1000;
	if (at == NOWHERE)
		at = choose(learned, use->epoch, now_s);
	if (at == NOWHERE || !take_turn(learned, now_s))
		return;
	struct egress_lesson *of = &learned->of[at];
	atomic_store(&of->word, 0);
	atomic_store(&learned->keys[at], key);
	write_text(of, destination);
	atomic_store(&of->times, pack_times(time_of_use(use), time_of_use(use)));
	atomic_store_explicit(&of->word, pack(use->epoch, 1, EGRESS_CANDIDATE), memory_order_release);
}

static enum egress_standing standing_after(const struct lesson *lesson, const struct egress_lesson_use *use)
{
	const bool is_next_day = clock_since(lesson->first_s, use->now_ms / 1000) >= DAY_S;
	return lesson->standing == EGRESS_CANDIDATE && use->may_count && is_next_day ? EGRESS_COUNTS_AS_LISTED
										     : lesson->standing;
}

/* False: it is void. */
static bool touch(struct egress_lesson *of, const struct egress_lesson_use *use)
{
	const uint64_t now_s = use->now_ms / 1000;
	uint64_t word = atomic_load_explicit(&of->word, memory_order_acquire);
	for (unsigned i = 0; i < TRIES; i++) {
		const uint64_t times = atomic_load_explicit(&of->times, memory_order_relaxed);
		const struct lesson lesson = unpack(word, times, use->epoch, now_s);
		const uint32_t uses = lesson.uses < USES_MAX ? lesson.uses + 1 : USES_MAX;
		if (lesson.standing == EGRESS_STANDING_UNSET)
			return false;
		if (!atomic_compare_exchange_weak(&of->word, &word,
						  pack(lesson.epoch, uses, standing_after(&lesson, use))))
			continue;
		atomic_store_explicit(&of->times, pack_times(lesson.first_s, time_of_use(use)), memory_order_relaxed);
		return true;
	}
	return true;
}

void egress_learned_use(struct egress_learned *learned, uint64_t seed, struct span destination,
			const struct egress_lesson_use *use)
{
	if (!fits(destination))
		return;
	const uint64_t key = key_of(seed, destination);
	const int at = find(learned, key, destination);
	if (at != NOWHERE && touch(&learned->of[at], use))
		return;
	if (use->may_enter)
		enter(learned, at, key, destination, use);
}

enum egress_standing egress_learned_standing(const struct egress_learned *learned, uint64_t seed, struct span destination,
					     uint32_t epoch, uint64_t now_ms)
{
	const int at = fits(destination) ? find(learned, key_of(seed, destination), destination) : NOWHERE;
	return at == NOWHERE ? EGRESS_STANDING_UNSET : read_lesson(&learned->of[at], epoch, now_ms / 1000).standing;
}

/* ---- orders ---- */

bool egress_learned_approve(struct egress_learned *learned, uint64_t seed, struct span destination, uint32_t epoch,
			    uint64_t now_ms)
{
	const int at = fits(destination) ? find(learned, key_of(seed, destination), destination) : NOWHERE;
	if (at == NOWHERE)
		return false;
	struct egress_lesson *of = &learned->of[at];
	uint64_t word = atomic_load_explicit(&of->word, memory_order_acquire);
	for (unsigned i = 0; i < TRIES; i++) {
		const struct lesson lesson = unpack(word, atomic_load(&of->times), epoch, now_ms / 1000);
		if (lesson.standing == EGRESS_STANDING_UNSET)
			return false;
		if (atomic_compare_exchange_weak(&of->word, &word, pack(epoch, lesson.uses, EGRESS_APPROVED)))
			return true;
	}
	return false;
}

bool egress_learned_forget(struct egress_learned *learned, uint64_t seed, struct span destination)
{
	const uint64_t key = fits(destination) ? key_of(seed, destination) : 0;
	bool was_there = false;
	if (key == 0)
		return false;
	for (int i = 0; i < EGRESS_LESSONS; i++) {
		if (atomic_load(&learned->keys[i]) != key || !is_text(&learned->of[i], destination))
			continue;
		was_there |= atomic_exchange(&learned->of[i].word, 0) != 0;
		atomic_store(&learned->keys[i], 0);
	}
	return was_there;
}

bool egress_learned_show(const struct egress_learned *learned, unsigned index, uint32_t epoch, uint64_t now_ms,
			 struct egress_lesson_shown *out)
{
	uint64_t words[EGRESS_LESSON_WORDS];
	if (index >= EGRESS_LESSONS)
		return false;
	const struct egress_lesson *of = &learned->of[index];
	const struct lesson lesson = read_lesson(of, epoch, now_ms / 1000);
	if (lesson.standing == EGRESS_STANDING_UNSET)
		return false;
	for (size_t i = 0; i < EGRESS_LESSON_WORDS; i++)
		words[i] = atomic_load_explicit(&of->text[i], memory_order_relaxed);
	*out = (struct egress_lesson_shown){.standing = lesson.standing, .uses = lesson.uses,
					    .first_ms = lesson.first_s * 1000, .last_ms = lesson.last_s * 1000};
	memcpy(out->destination, words, sizeof(out->destination) - 1);
	return true;
}

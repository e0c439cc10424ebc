#ifndef SALLYPORT_EGRESS_LEARNED_H
#define SALLYPORT_EGRESS_LEARNED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "sallyport/span.h"

/* What an egress origin has taught (egress.learning): destinations that are not listed and that it used, or, at
 * strict ports, asked for. Of fixed size for each origin, in memory that outlives generations. Pure: time is
 * passed in, in milliseconds of CLOCK_MONOTONIC, which nobody sets.
 *
 *   CANDIDATE ──used again, 24 h or more after its first use──► COUNTS
 *       └──────────────── an operator approves ──────────────────┴───► APPROVED
 *
 * 24 h later it is another calendar day everywhere, so who arrives today teaches nothing today. A conviction raises
 * the origin's epoch (struct egress_state), and what was learned in another epoch is void, but for what was approved.
 *
 * At most EGRESS_LESSONS_A_DAY new ones a day. Where the table is full, the candidate that was used longest ago gives way;
 * what counts or is approved never does. A candidate is forgotten after EGRESS_CANDIDATE_DAYS without use, what counts
 * after EGRESS_COUNTS_DAYS, what is approved never.
 *
 * A lesson is two words, each changed at once, and its text; its key is a hash of the text with a secret seed, so that a
 * text that two writers left in pieces is found by nobody. The gate writes uses, the master approves and forgets. */
enum {
	EGRESS_LESSONS = 128,
	EGRESS_LESSONS_A_DAY = 32,
	EGRESS_CANDIDATE_DAYS = 8,
	EGRESS_COUNTS_DAYS = 32,
	EGRESS_LESSON_WORDS = 33,
	EGRESS_LESSON_SIZE = 8 * EGRESS_LESSON_WORDS, /* "host:port" and a NUL */
};

enum egress_standing { EGRESS_STANDING_UNSET = 0, EGRESS_CANDIDATE, EGRESS_COUNTS_AS_LISTED, EGRESS_APPROVED, EGRESS_STANDING_COUNT };

struct egress_lesson {
	_Atomic uint64_t word;  /* epoch (32 bits), uses (24), enum egress_standing (8); 0: free */
	_Atomic uint64_t times; /* first use, last use: seconds, 32 bits each */
	_Atomic uint64_t text[EGRESS_LESSON_WORDS];
};

struct egress_learned {
	_Alignas(64) _Atomic uint64_t keys[EGRESS_LESSONS];
	_Atomic uint64_t today; /* day, new ones in it: 32 bits each */
	struct egress_lesson of[EGRESS_LESSONS];
};

struct egress_lesson_use {
	uint32_t epoch;
	uint64_t now_ms;
	bool may_enter; /* one that is new is entered: the origin is free, and has no strikes */
	bool may_count; /* it may count as listed from now on: it was not merely asked for */
};

/* destination: "host:port" (egress_destination_text). */
void egress_learned_use(struct egress_learned *learned, uint64_t seed, struct span destination,
			const struct egress_lesson_use *use);
/* UNSET: nothing was learned of it, or that is void. */
enum egress_standing egress_learned_standing(const struct egress_learned *learned, uint64_t seed, struct span destination,
					     uint32_t epoch, uint64_t now_ms);

/* An operator's orders. False: there is no such lesson. */
bool egress_learned_approve(struct egress_learned *learned, uint64_t seed, struct span destination, uint32_t epoch,
			    uint64_t now_ms);
bool egress_learned_forget(struct egress_learned *learned, uint64_t seed, struct span destination);

struct egress_lesson_shown {
	enum egress_standing standing;
	uint32_t uses;
	uint64_t first_ms, last_ms;
	char destination[EGRESS_LESSON_SIZE]; /* whatever a writer left there, with a NUL at its end */
};
/* The lesson of that index. False: there is none, or it is void. */
bool egress_learned_show(const struct egress_learned *learned, unsigned index, uint32_t epoch, uint64_t now_ms,
			 struct egress_lesson_shown *out);

const char *egress_standing_name(uint32_t standing); /* "candidate", "counts", "approved"; "-" */

#endif

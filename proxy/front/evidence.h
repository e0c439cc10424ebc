#ifndef FRONT_EVIDENCE_H
#define FRONT_EVIDENCE_H

#include "sallyport/policy.h"
#include "sallyport/span.h"

/* What is kept of refused requests (evidence.c), what of them is secret (secrets.c), and how much is kept at
 * most (evidence_rate.c). The latter two are pure. */

struct exchange;

/* ---- secrets.c ---- */

/* Is what stands under this name a secret? Names of arguments, of values in content, of fields; escapes,
 * case and punctuation don't matter. more: names of the operator's. */
bool secret_is_named(const struct policy_strings *more, struct span name);
/* The same of a field, of which some are secret though their names don't say so. */
bool secret_is_field(const struct policy_strings *more, struct span name);

/* How a text is masked. */
enum secret_form {
	SECRET_TEXT = 0, /* what stands behind a secret's name and "=" or ":", and in a URL before "@" */
	SECRET_COOKIES,  /* each cookie's value */
	SECRET_WHOLE,    /* all of it */
};

/* Bytes of caller's storage; what doesn't fit is left out from the middle. */
struct masked {
	char *text;
	size_t room, len;
	bool is_masked, is_cut;
};

/* Writes `part`, which lies in `whole`, with all that is secret in `whole` as its length: "[12 bytes]". */
void secret_mask(const struct policy_strings *more, enum secret_form form, struct span whole, struct span part,
		 struct masked *out);

/* ---- evidence_rate.c ---- */

enum { EVIDENCE_RATE_CELLS = 64, EVIDENCE_RATE_ALL = 8 };

/* Begins zeroed. */
struct evidence_rate {
	uint64_t second;
	uint64_t kept; /* in that second, of all keys */
	struct evidence_rate_cell {
		uint64_t second, kept;
		uint32_t skipped; /* since the last that was kept */
	} cells[EVIDENCE_RATE_CELLS];
};

/* May one more like this be kept? Each key has per_second a second, all together EVIDENCE_RATE_ALL times as
 * many. True: *skipped is how many alike ones were not. */
bool evidence_rate_take(struct evidence_rate *rate, uint64_t key, uint64_t second, uint64_t per_second,
			uint32_t *skipped);

/* ---- evidence.c ---- */

/* x->verdict is final: a refusal, or what monitor mode notes. Into the ring, if it has room. Afterwards
 * the verdict is what the log may say: bytes of a secret are its name alone. */
void evidence_keep(struct exchange *x);

#endif

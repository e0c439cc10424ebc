#ifndef SALLYPORT_SHIELD_RULES_CONFIRM_H
#define SALLYPORT_SHIELD_RULES_CONFIRM_H

#include "sallyport/err.h"
#include "sallyport/span.h"

/* Patterns that many at once can only find candidates for (look-around, back references), one at
 * a time and exactly, by PCRE2; the only module that knows it. A match may take so many steps and
 * no more; what takes more counts as a match. */

struct confirm;         /* one compiled pattern */
struct confirm_scratch; /* what a match is made in, whatever the pattern */

/* NULL: err says why. */
struct confirm *confirm_new(const char *text, bool cased, struct err *err);
void confirm_free(struct confirm *confirm);
struct confirm_scratch *confirm_scratch_new(void);
void confirm_scratch_free(struct confirm_scratch *scratch);

/* True: it matches, and *end is where, or it took too long, and *end is the text's. */
bool confirm_match(const struct confirm *confirm, struct confirm_scratch *scratch, struct span text,
		   size_t *end);
/* Where it matches first; false also where that took too long. */
bool confirm_find(const struct confirm *confirm, struct confirm_scratch *scratch, struct span text, size_t *begin,
		  size_t *end);

#endif

#ifndef SALLYPORT_VERDICT_ANSWER_H
#define SALLYPORT_VERDICT_ANSWER_H

#include "sallyport/shield.h"

/* How a refusal is said: by a status, by none, or by letting the client wait; see shield.h. */

/* May a site choose the answer to this reason? Only to those its own shield refuses for. */
bool answer_is_for(enum reason reason);
/* One of 400, 403, 404, 405, 410, 413, 414, 415, 417, 429, 431. */
bool answer_has_status(uint64_t status);
/* What the answer says stands in the verdict; what it leaves open stays. */
void answer_give(const struct verdict_answer *answer, struct verdict *verdict);

#endif

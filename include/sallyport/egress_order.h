#ifndef SALLYPORT_EGRESS_ORDER_H
#define SALLYPORT_EGRESS_ORDER_H

#include "sallyport/egress_state.h"

/* What an operator orders about an egress origin, by command or API. The console passes it on, the master carries
 * it out. */

enum egress_verb { EGRESS_VERB_UNSET = 0, EGRESS_VERB_QUARANTINE, EGRESS_VERB_RELEASE, EGRESS_VERB_APPROVE, EGRESS_VERB_FORGET, EGRESS_VERB_COUNT };

/* As long as a quarantine by order may last, where it ends by itself. */
#define EGRESS_ORDER_MAX_MS (UINT64_C(365) * 24 * 3600 * 1000)

struct egress_order {
	uint32_t verb;        /* enum egress_verb */
	uint32_t stage;       /* QUARANTINE: EGRESS_LISTED_ONLY or EGRESS_REPLIES_ONLY */
	uint64_t duration_ms; /* QUARANTINE; 0: until released */
	char origin[EGRESS_NAME_SIZE]; /* its name, or any of its addresses */
	char destination[EGRESS_LESSON_SIZE]; /* APPROVE, FORGET: "host:port" */
};

#endif

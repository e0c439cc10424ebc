#ifndef SALLYPORT_GUARD_STATUS_H
#define SALLYPORT_GUARD_STATUS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "sallyport/site_state.h"

/* How the guard is, in memory that the keeper writes and the console reads: what is in
 * /api/status, `sallyport status`, the console's page and /metrics. It outlives the keeper. */

enum { GUARD_WHY_SIZE = 192, GUARD_SITES_MAX = 1024 };

struct guard_site_figures {
	uint64_t site;         /* site_id(); 0: no site */
	uint32_t state;        /* enum guard_state */
	uint32_t mode;         /* enum guard_mode */
	uint64_t since_s;      /* seconds since 1970: when it came into this state */
	uint64_t probed_s;     /* when it was looked at last, 0: never */
	uint32_t pages;        /* that there are, known or being learned */
	uint32_t exact, varying, learning;
	uint32_t held;         /* whose last look is not known to be good, or that workers held */
	uint32_t waiting;      /* found, and never fetched yet */
	uint32_t enrolled;     /* 0: enrolment goes on, 1: all that was found was fetched once */
	uint32_t origins_down; /* that gave no answer the last time */
	uint32_t confirmed;    /* 0: an operator has to approve the first baseline */
	uint32_t pad;
	uint64_t fetches, failures;
	uint64_t window_until_s; /* a publish window is open; 0: none */
	char name[SITE_NAME_SIZE];
	char why[GUARD_WHY_SIZE]; /* the reason of this state, in one sentence */
};

struct guard_figures {
	uint64_t baseline;     /* number of the newest one, 0: none */
	uint64_t baseline_s;   /* when it was made */
	uint64_t vault_bytes;
	uint64_t nominations, nominations_dropped;
	uint32_t vault_ok;     /* it is open and readable */
	uint32_t scout_ok;     /* it is connected */
	char vault_error[GUARD_WHY_SIZE];
};

/* Read as a whole: the number is odd while its owner writes, and changes with every write. */
struct guard_cell {
	_Alignas(64) _Atomic uint32_t turn;
	struct guard_site_figures figures;
};

struct guard_status {
	_Alignas(64) _Atomic uint32_t turn;
	struct guard_figures figures;
	struct guard_cell of[GUARD_SITES_MAX];
};

void guard_status_put(struct guard_status *status, const struct guard_figures *figures);
void guard_status_put_site(struct guard_status *status, unsigned index,
			   const struct guard_site_figures *figures);
/* False: its writer died in the middle, or writes without an end. Texts end in the result. */
MUST_CHECK bool guard_status_get(const struct guard_status *status, struct guard_figures *out);
/* False also where no site has that index. */
MUST_CHECK bool guard_status_get_site(const struct guard_status *status, unsigned index,
				      struct guard_site_figures *out);

#endif

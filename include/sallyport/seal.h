#ifndef SALLYPORT_SEAL_H
#define SALLYPORT_SEAL_H

#include "sallyport/ledger.h"

/* How a site as a whole is. Pure.
 *
 *   LEARNING ── a page is known ──► GUARDED ── severe on two pages, seen by the scout itself, ──► SEALED
 *                                      ▲                    or an order                           │
 *                                      │                                       guard.recover rounds in which
 *                                      │                                       every origin is good,  │
 *                                 as many again                                or an order            ▼
 *                                      └──────────────────────────────────────────────────── RECOVERING
 *                                                              one severe page: SEALED again ──┘
 *
 * A single page that changed is held, and nothing else. An origin that gives no answer seals nothing, but
 * a sealed site stays sealed until it answers. */

enum {
	SEAL_PAGES = 2,        /* severe ones that seal a site */
	MASS_CHANGE_MIN = 20,  /* so many known pages changed, and more than half of all: severe too */
	SEVERE_LASTS_S = 3600, /* what was severe longer ago, and not looked at since, counts no more */
};

enum seal_event { SEAL_NOTHING = 0, SEAL_CHANGED /* state, why and since_s are others now */ };

/* After looks and orders: whether the site has to change its state. */
enum seal_event seal_judge(struct ledger_site *site, uint64_t now_s, uint64_t now_ms);
/* By order. why: what the operator said, or NULL. */
enum seal_event seal_close(struct ledger_site *site, const char *why, uint64_t now_s, uint64_t now_ms);
enum seal_event seal_open(struct ledger_site *site, const char *why, uint64_t now_s);
/* As it was when the vault was written. */
void seal_restore(struct ledger_site *site, enum guard_state state, const char *why, uint64_t since_s,
		  uint64_t now_ms);

/* Rounds of a sealed or recovering site: every page of the panel from every origin. */
MUST_CHECK bool seal_next_look(struct ledger_site *site, uint64_t now_ms, struct page **page,
			       const struct plan_origin **origin);
/* What came of it. */
enum seal_event seal_looked(struct ledger_site *site, bool is_good, uint64_t now_s, uint64_t now_ms);
/* When seal_next_look may give something. UINT64_MAX: not as it is now. */
uint64_t seal_next_ms(const struct ledger_site *site);
/* Pages whose last look was severe, and not too long ago. */
unsigned seal_count_severe(const struct ledger_site *site, uint64_t now_s);
/* Asked for when a severe page was found: the known pages that were looked at longest ago, to be looked at
 * at once. Gives how many. */
unsigned seal_suspects(struct ledger_site *site, struct page **out, unsigned room);

#endif

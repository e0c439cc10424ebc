#ifndef SALLYPORT_SCHEDULE_H
#define SALLYPORT_SCHEDULE_H

#include "sallyport/ledger.h"

/* What is fetched next: of which site, from which origin, as whom. Sites take turns; each keeps
 * to its rate, whatever the reason of a fetch is; what is urgent goes first. Pure.
 *
 * Enrolment is not a phase but what happens while there are pages that were never fetched: seeds,
 * then what robots.txt, sitemaps, links and visitors name, each once, until nothing is left. */

enum fetch_purpose {
	FETCH_UNSET = 0,
	FETCH_SITEMAP, /* of site->sitemaps[index] */
	FETCH_PAGE,    /* to learn it, or to see whether it is still good */
	FETCH_PANEL,   /* to see whether a sealed site is well again */
};

struct fetch {
	enum fetch_purpose purpose;
	struct ledger_site *site;
	struct page *page; /* NULL: a sitemap */
	unsigned index;
	const char *target;
	const struct plan_route *route;
	const struct plan_origin *origin;
	enum job_agent agent;
	enum job_referer referer;
	enum job_links links;
};

enum {
	FETCHES_PER_SITE = 4, /* under way at once */
	REENROL_MS = 6 * 3600 * 1000, /* robots.txt and sitemaps are read again */
	RETRY_MS = 30000,     /* after a fetch without an answer, at least */
};

/* Seeds, robots.txt and sitemap.xml of a site that is new, or to be enrolled again: all due now. Seeds that
 * have become pages are left alone. */
void schedule_enrol(struct ledger_site *site, uint64_t now_ms);
/* The same for a site that has another plan now: it may name seeds that nobody asked for yet, and let links lead
 * elsewhere. Those of known pages are read once more when they are looked at next. */
void schedule_new_plan(struct ledger_site *site, uint64_t now_ms);
/* Another sitemap, once. */
void schedule_sitemap(struct ledger_site *site, struct span target, enum job_links links,
		      uint64_t now_ms);
/* The next fetch. False: none is due; *next_ms says when one may be. What was given counts as
 * under way until schedule_page_done, or schedule_sitemap_done. */
MUST_CHECK bool schedule_next(struct ledger *ledger, uint64_t now_ms, struct fetch *out,
			      uint64_t *next_ms);
/* wait_ms: until it is looked at again. */
void schedule_page_done(struct page *page, uint64_t now_ms, uint64_t wait_ms);
/* The same where the page is no more. */
void schedule_forgotten(struct ledger_site *site);
void schedule_sitemap_done(struct ledger_site *site, unsigned index, bool answered, uint64_t now_ms);
/* Before everything else of its site. */
void schedule_urgent(struct page *page);
/* Nothing is left that was never fetched. */
bool schedule_is_enrolled(const struct ledger_site *site);
/* Pages that were never fetched. */
unsigned schedule_waiting(const struct ledger_site *site);

#endif

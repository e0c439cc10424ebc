#ifndef SALLYPORT_LEDGER_H
#define SALLYPORT_LEDGER_H

#include "sallyport/baseline.h"
#include "sallyport/guard_plan.h"
#include "sallyport/scout.h"
#include "sallyport/site_state.h"

/* What the keeper has in mind of every guarded site: its pages, what is known of each, and when to
 * look at it again. All of it in memory, bounded by guard.max_pages; what has to last is in the vault.
 * The decisions about it stand beside: learn.h (what a look at a page means), schedule.h (what to look
 * at next), seal.h (how the site as a whole is). None of them knows a clock, a socket or a file:
 * time is passed in. */

enum {
	PAGE_GOOD_MAX = 8, /* versions of a page that are good at once */
	PAGE_SEEN_MAX = 4, /* that differ while it is learned; more, and it varies */
	SITEMAPS_MAX = 16, /* of one site, robots.txt included */
	PANEL_MAX = 16,    /* pages that decide about the end of a seal */
	ORIGINS_WATCHED = 64,
};

/* Where the page was found; the vault stores the number. */
enum page_source {
	SOURCE_UNSET = 0,
	SOURCE_SEED,
	SOURCE_SITEMAP,
	SOURCE_LINK,
	SOURCE_NOMINATED, /* a visitor asked for it */
	SOURCE_ENROLLED,  /* by order */
};

/* What the last look at a page found. */
enum page_look {
	LOOK_NONE = 0,
	LOOK_GOOD,
	LOOK_CHANGED, /* none of its known-good versions */
	LOOK_SEVERE,  /* so bad that it may not be an honest edit */
	LOOK_ASTRAY,  /* as bad, but it was never seen otherwise: nothing says that it was done to it */
	LOOK_CLOAKED, /* good for ordinary visitors, another page for search engines or phones */
	LOOK_GONE,    /* 404 or 410, where a page is known */
	LOOK_FAILED,  /* no whole answer */
};

struct page_mark {
	uint8_t digest[DIGEST_SIZE]; /* page_digest() */
	uint64_t first_s, last_s;    /* seconds since 1970 */
	uint32_t samples;
	uint32_t again; /* samples since the page was last new; of what is learned */
	bool pinned;
};

struct ledger_site;

struct page {
	struct ledger_site *site;
	struct page *prev, *next;   /* of the site */
	int64_t id;                 /* in the vault; 0: not there */
	enum baseline_policy policy;
	uint8_t source;             /* enum page_source */
	uint8_t depth;              /* links from a seed */
	bool is_text;               /* HTML and the like: it has to settle */
	/* LEARNING and VARYING: what was seen since it is learned, the newest first */
	struct page_mark seen[PAGE_SEEN_MAX];
	unsigned n_seen;
	uint32_t quiet;             /* samples since the last one that was new */
	uint64_t quiet_since_s;
	/* EXACT: what is good; number 0 is the one that is served */
	struct page_mark good[PAGE_GOOD_MAX];
	unsigned n_good;
	enum page_look look;
	uint64_t looked_s;          /* when it last answered, 0: never */
	uint64_t touched_s;         /* when the vault last heard of it */
	uint64_t content_read_s;    /* when the vault's content of it was last read, 0: not since the start */
	uint64_t changed_s;         /* since when it is not good; 0: it is */
	uint64_t gone_s;            /* since when every look says 404 or 410; 0: no */
	uint32_t gone_rounds;
	bool gone_told;
	uint8_t held;               /* how bad what an operator is waited for is; 0: nothing is held */
	uint64_t visitors_s;        /* when it was last held from visitors, 0: never */
	uint32_t good_run;          /* good looks since it was not */
	uint8_t bad[DIGEST_SIZE];   /* what the last look found that was not good */
	uint32_t bad_forms;         /* how often that was another one than before, since it was good */
	bool was_published;         /* in the window that is open */
	uint64_t published_s;
	uint32_t looks;             /* turns through origins and agents */
	uint32_t links_plan;        /* the number of the plan by which its links were read, 0: none */
	uint64_t due_ms;
	uint32_t heap_pos;          /* 0: not in the heap */
	bool in_flight, again;      /* again: at once when it has landed */
	uint64_t hash;
	struct page *next_in_bucket;
	size_t key_len;
	char key[];                 /* canonical path, "?" and query; a NUL follows */
};

/* A file of the site that only leads to pages. */
struct sitemap {
	char *target;
	enum job_links links; /* ROBOTS or SITEMAP */
	uint64_t due_ms;
	bool in_flight, again; /* again: at once when it has landed */
	bool done;            /* once at least */
};

/* See seal.h. */
struct seal {
	enum guard_state state;
	enum guard_state before; /* the state that it came from */
	uint64_t since_s;
	bool by_order;
	char why[192];
	struct page *panel[PANEL_MAX];
	unsigned n_panel;
	unsigned at_page, at_origin; /* of the round under way */
	bool round_good, round_runs, round_waits;
	uint32_t good_rounds;
	uint64_t next_round_ms;
};

struct origin_look {
	const struct plan_origin *origin;
	bool is_down;
	uint64_t since_s;
};

struct ledger_site {
	struct ledger *ledger;
	const struct plan_site *plan;
	bool is_loaded;             /* what the vault knew of it is here */
	bool in_plan;               /* while a plan is taken over */
	struct page *pages;         /* the newest first */
	unsigned n_pages, n_nominated;
	struct page **heap;         /* from 1 on, the earliest due first */
	unsigned heap_n, heap_room;
	uint64_t next_fetch_ms;     /* of the rate */
	unsigned in_flight;
	struct sitemap sitemaps[SITEMAPS_MAX];
	unsigned n_sitemaps;
	bool confirmed;             /* the operator accepted the first baseline, or need not */
	bool enrolled;              /* all that was found was fetched once */
	uint64_t publish_until_s;   /* 0: no window is open */
	struct seal seal;
	struct origin_look origins[ORIGINS_WATCHED];
	unsigned n_origins;
	uint64_t fetches, failures, looked_s, nominated, refused;
};

struct ledger {
	struct ledger_site **sites;
	size_t n;
	struct page **buckets;
	size_t n_buckets, n_pages;  /* buckets: a power of two */
	uint64_t seed;              /* of the hash: keys are chosen by visitors */
	size_t turn;                /* of sites, for fairness */
	uint32_t plans;             /* that were taken over */
};

MUST_CHECK bool ledger_init(struct ledger *ledger, uint64_t seed);
void ledger_release(struct ledger *ledger);
/* Takes over the sites of a plan: new ones begin empty, those that are in it no more are forgotten, and
 * nothing is forgotten of the others. The plan has to stay until the next one. */
MUST_CHECK bool ledger_take_plan(struct ledger *ledger, const struct plan *plan);
struct ledger_site *ledger_site(const struct ledger *ledger, uint64_t id);
struct ledger_site *ledger_site_named(const struct ledger *ledger, const char *name);
/* NULL: not there. */
struct page *ledger_find(const struct ledger *ledger, const struct ledger_site *site,
			 struct span key);
/* The page, made where it is new. NULL: it is excluded, no plain key (page_key.h), too long, or there are too many: counted in
 * site->refused. It is not due yet. */
struct page *ledger_add(struct ledger_site *site, struct span key, enum page_source source,
			unsigned depth);
void ledger_forget(struct page *page);
/* Moves it in the order of what is due. */
void ledger_due(struct page *page, uint64_t due_ms);
/* The earliest of the site, NULL: none waits. */
struct page *ledger_first(const struct ledger_site *site);

/* The mark with that digest, or NULL. */
struct page_mark *page_good(struct page *page, const uint8_t digest[DIGEST_SIZE]);
struct page_mark *page_seen(struct page *page, const uint8_t digest[DIGEST_SIZE]);
/* Another good version, in the first place. The one that was seen longest ago and is not pinned makes way;
 * gives its digest in dropped and true then. */
bool page_add_good(struct page *page, const struct page_mark *mark, uint8_t dropped[DIGEST_SIZE]);
void page_drop_good(struct page *page, const uint8_t digest[DIGEST_SIZE]);
/* Back to the beginning: nothing is known of it. */
void page_learn_anew(struct page *page, uint64_t now_s);

/* The route of its path. Never NULL. */
const struct plan_route *page_route(const struct page *page);

static inline struct span page_key(const struct page *page)
{
	return (struct span){page->key, page->key_len};
}

#endif

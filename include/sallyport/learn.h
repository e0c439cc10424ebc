#ifndef SALLYPORT_LEARN_H
#define SALLYPORT_LEARN_H

#include "sallyport/ledger.h"

/* When a page counts as known to be good, and what a look at it means. Pure.
 *
 *   LEARNING ── so many samples, or so long, without anything new ──► EXACT, all that was seen is good
 *       └────── more than PAGE_SEEN_MAX that differ ──► VARYING ── learned anew, ever more seldom
 *   EXACT ── by an operator's order or in a publish window only ──► other good versions
 *
 * A window spares a page that is learned the time to settle, not the samples: it may be another each time.
 */

/* What a fetch found. */
struct look {
	uint64_t now_s;
	const uint8_t *digest; /* page_digest() */
	uint16_t status;
	bool is_text;          /* look_is_text() */
	bool is_variant;       /* fetched as somebody else than an ordinary visitor */
	bool is_severe;        /* leads to a foreign host, or bears the signs of a defacement */
	bool is_published;     /* a publish window is open: nothing waits until it settles */
	unsigned origins;      /* that have to agree */
};

enum learn_step {
	LEARN_UNSET = 0,
	LEARN_KNOWN,   /* good, as it was */
	LEARN_SAMPLE,  /* keep it as a candidate; not enough is known yet */
	LEARN_ACCEPT,  /* all that page->seen has is good from here on: learn_accept */
	LEARN_PUBLISH, /* this one is good from here on, in place of others: learn_publish */
	LEARN_HOLD,    /* differs from all that is good */
	LEARN_VARIES,  /* page->policy became VARYING */
	LEARN_ERROR,   /* an answer that no page is made of; where nothing is known of it, forget it */
	LEARN_GONE,    /* 404 or 410 where a page is known */
};

/* A status that a page may have: of success, or a redirect. */
bool look_is_page(unsigned status);
/* A status of the origin's own trouble, 5xx or 429: it tells nothing of the page. */
bool look_is_trouble(unsigned status);
/* By the Content-Type: HTML, XML, JSON, plain text, a redirect, or nothing that is told. */
bool look_is_text(unsigned status, struct span content_type);

/* Counts the look and decides. Marks of the page change, its policy only to VARYING. */
enum learn_step learn_look(struct page *page, const struct guard_policy *policy,
			   const struct look *look);
/* It is known, or was the same in as many samples as an image has to be: to approve one version of a page that
 * is another each time would freeze it. */
bool learn_looks_constant(const struct page *page, const struct guard_policy *policy);
/* A page that is known has become another at each look, as far as anybody saw: no approval of one version helps. */
bool learn_seems_to_vary(const struct page *page);
/* The page becomes EXACT with all that was seen, of text only with what was seen again since the last new form; the
 * most recent one is served. */
void learn_accept(struct page *page);
/* One version is good, by order: what was good and has not been seen since this one came up is good
 * no more, and its digests go to retired. Gives how many. */
unsigned learn_approve(struct page *page, const struct page_mark *mark,
		       uint8_t retired[PAGE_GOOD_MAX][DIGEST_SIZE]);
/* One version is good, because a window is open: what was good stays so until it closes, since a
 * new edition comes to several origins one after the other. At most one digest is dropped. */
unsigned learn_publish(struct page *page, const struct page_mark *mark,
		       uint8_t retired[PAGE_GOOD_MAX][DIGEST_SIZE]);
/* The window closes: what was not seen since the page changed in it is good no more. */
unsigned learn_close_window(struct page *page, uint8_t retired[PAGE_GOOD_MAX][DIGEST_SIZE]);
/* When a page that is good enough to serve is to be looked at again, and one that is learned. */
uint64_t learn_wait_ms(const struct page *page, const struct guard_policy *policy);
/* It answers 404 from every origin for so long (guard.settle, at least GONE_MIN_S) that somebody has to
 * be told. True once. */
enum { GONE_MIN_S = 600 };
bool learn_is_gone(struct page *page, const struct guard_policy *policy, uint64_t now_s,
		   unsigned origins);

#endif

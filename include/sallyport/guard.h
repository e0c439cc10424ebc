#ifndef SALLYPORT_GUARD_H
#define SALLYPORT_GUARD_H

#include "sallyport/baseline.h"
#include "sallyport/guard_schema.h"
#include "sallyport/http_head.h"
#include "sallyport/reason.h"
#include "sallyport/site_state.h"

/* What becomes of a page. Pure: a request, what is known to be good and what the policy says go
 * in; a plan comes out before an origin is asked, a verdict after it answered.
 *
 *                       ┌─ PASS ──── stream it; redirects are looked at
 *   guard_plan() ───────┼─ WATCH ─── stream it, and say afterwards what it was
 *                       ├─ HOLD ──── hold it whole ──► guard_verdict() ──► release, or the copy
 *                       ├─ COPY ──── the copy, without asking an origin
 *                       └─ REFUSE ── neither
 */

struct guard_case {
	const struct guard_policy *policy;
	const struct baseline *baseline; /* NULL: there is none that can be read */
	uint64_t site;
	struct span key;         /* canonical path with "?" and query */
	size_t path_len;         /* of the path in it */
	bool is_page;            /* GET or HEAD */
	bool anonymous;          /* neither Authorization nor a session's cookie */
	bool only_watch;         /* a paused guard */
	enum guard_state state;
};

enum guard_action {
	GUARD_ACTION_UNSET = 0,
	GUARD_PASS,
	GUARD_WATCH,
	GUARD_HOLD,
	GUARD_COPY,
	GUARD_REFUSE,
};

struct guard_plan {
	enum guard_action action;
	enum reason reason;       /* of COPY and REFUSE; UNSET: nothing is wrong, the page is large */
	bool has_copy;            /* one may be served in place of a response that is held or fails */
	bool nominate;            /* a page that might be learned */
	struct baseline_page page; /* policy EXACT: it is known */
};

void guard_plan(const struct guard_case *c, struct guard_plan *plan);

/* guard.exclude names the canonical path, or what it is under. */
bool guard_is_excluded(const struct guard_policy *policy, struct span path);

/* Whether the request is anybody's: guard.session_cookies names what is not. */
bool guard_is_anonymous(const struct http_head *request, const struct policy_strings *cookies);

/* What came for an exact page. UNSET: it is one of the page's versions. Else GUARD_CHANGED, or
 * GUARD_ORIGIN_ERROR where it is a 5xx or 429. */
enum reason guard_verdict(const struct baseline *baseline, const struct baseline_page *page,
			  const struct page_collect *head, const uint8_t content[DIGEST_SIZE]);
/* As much as a head tells: that it may, or cannot, begin one of the versions. All that there is of a
 * response to HEAD. bytes: of the content, where that is said and not coded. */
#define GUARD_BYTES_UNKNOWN UINT64_MAX
enum reason guard_verdict_on_head(const struct baseline *baseline, const struct baseline_page *page,
				  const struct page_collect *head, uint64_t bytes);

/* So bad that it may not be an honest edit: for whoever is told of it. */
bool guard_is_severe(enum reason reason);

#endif

/* When a page is known to be good. What differs is never taken for good by itself once a page is
 * known: only an operator knows an edit from a defacement. Before that, what stays the same for
 * long enough is: the samples come from every origin, as an ordinary visitor, as a search
 * engine and as a phone in turn, so that a page which tells them apart is known in all its forms. */
#include "sallyport/learn.h"

#include <string.h>

#include "sallyport/clock.h"

enum {
	AGENTS = 3,               /* that samples are fetched as, in turn */
	SETTLE_PARTS = 100,       /* how often a page is looked at while it settles */
	WAIT_MAX_MS = 600000,
	VARYING_PARTS = 4,
};

bool look_is_page(unsigned status)
{
	return (status >= 200 && status <= 203) || (status >= 300 && status <= 303) ||
	       status == 307 || status == 308;
}

bool look_is_trouble(unsigned status)
{
	return status >= 500 || status == 429;
}

/* "text/html" of "text/html; charset=utf-8". */
static struct span media_type(struct span content_type)
{
	struct span type = span_of(content_type.ptr, span_find(content_type, ';'));
	return span_trim_ows(type);
}

bool look_is_text(unsigned status, struct span content_type)
{
	static const char *const texts[] = {
	    "text/html", "application/xhtml+xml", "application/json", "text/json", "text/xml",
	    "application/xml", "text/plain", "text/markdown", "text/csv", "text/calendar",
	    "text/event-stream", "application/rss+xml", "application/atom+xml",
	};
	struct span type = media_type(content_type);
	if (status >= 300 || type.len == 0)
		return true;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (span_ieq(type, span_from_str(texts[i])))
			return true;
	return !span_istarts(type, SPAN("image/")) &&
	       (span_iends(type, SPAN("+xml")) || span_iends(type, SPAN("+json")));
}

/* ---- learning ---- */

static void begin_anew(struct page *page, uint64_t now_s)
{
	page->quiet = 1;
	page->quiet_since_s = now_s;
	for (unsigned i = 0; i < page->n_seen; i++)
		page->seen[i].again = 0;
}

/* What was seen last stands first. False: there are too many. */
static bool count_sample(struct page *page, const struct look *look)
{
	struct page_mark *mark = page_seen(page, look->digest);
	struct page_mark now = {.first_s = look->now_s};
	if (mark) {
		now = *mark;
		now.again++;
		page->quiet++;
	} else {
		if (page->n_seen == PAGE_SEEN_MAX)
			return false;
		memcpy(now.digest, look->digest, DIGEST_SIZE);
		begin_anew(page, look->now_s);
		mark = &page->seen[page->n_seen++];
	}
	now.last_s = look->now_s;
	now.samples++;
	memmove(page->seen + 1, page->seen, (size_t)(mark - page->seen) * sizeof(*mark));
	page->seen[0] = now;
	return true;
}

/* A beginning that lies ahead is of a clock that was set back: it is now, or nobody knows how long that would wait. */
static uint64_t earlier(uint64_t begin_s, uint64_t now_s)
{
	return begin_s < now_s ? begin_s : now_s;
}

/* Every origin and every agent had its turn, once for each form of the page. */
static bool has_enough_samples(const struct page *page, const struct guard_policy *policy,
			       const struct look *look)
{
	uint64_t wanted = policy->samples;
	if (wanted < look->origins)
		wanted = look->origins;
	if (page->n_seen > 1)
		wanted = wanted * page->n_seen + AGENTS;
	return page->quiet >= wanted;
}

static bool has_settled(const struct page *page, const struct guard_policy *policy,
			const struct look *look)
{
	bool waits = (look->is_text || page->is_text) && !look->is_published;
	return !waits || clock_since(page->quiet_since_s, look->now_s) >= policy->settle_ms / 1000;
}

static enum learn_step learn_sample(struct page *page, const struct guard_policy *policy,
				    const struct look *look)
{
	page->is_text = page->is_text || look->is_text;
	page->quiet_since_s = earlier(page->quiet_since_s, look->now_s);
	if (!count_sample(page, look)) {
		page->policy = BASELINE_VARYING;
		page->n_seen = 0;
		page->quiet = 0;
		page->quiet_since_s = look->now_s;
		return LEARN_VARIES;
	}
	return has_enough_samples(page, policy, look) && has_settled(page, policy, look)
		   ? LEARN_ACCEPT
		   : LEARN_SAMPLE;
}

/* ---- known pages ---- */

static void note_good(struct page *page, const struct look *look, struct page_mark *mark)
{
	mark->last_s = look->now_s;
	mark->samples++;
	/* what only others see is no proof that ordinary visitors are well */
	if (look->is_variant && page->look != LOOK_CLOAKED && page->changed_s != 0)
		return;
	page->look = LOOK_GOOD;
	page->changed_s = 0;
	page->bad_forms = 0;
	page->good_run++;
}

static enum learn_step note_bad(struct page *page, const struct look *look, enum learn_step step)
{
	bool was_good = page->changed_s == 0;
	if (was_good || memcmp(page->bad, look->digest, DIGEST_SIZE) != 0)
		page->bad_forms = was_good ? 1 : page->bad_forms + 1;
	memcpy(page->bad, look->digest, DIGEST_SIZE);
	page->good_run = 0;
	if (was_good)
		page->changed_s = look->now_s;
	if (look->is_severe)
		page->look = LOOK_SEVERE;
	else if (look->is_variant && (was_good || page->look == LOOK_CLOAKED))
		page->look = LOOK_CLOAKED;
	else
		page->look = step == LEARN_GONE ? LOOK_GONE : LOOK_CHANGED;
	return step;
}

bool learn_seems_to_vary(const struct page *page)
{
	return page->policy == BASELINE_EXACT && page->bad_forms > PAGE_SEEN_MAX;
}

static bool is_pinned(const struct page *page)
{
	for (unsigned i = 0; i < page->n_good; i++)
		if (page->good[i].pinned)
			return true;
	return false;
}

static enum learn_step look_at_known(struct page *page, const struct look *look)
{
	struct page_mark *mark = page_good(page, look->digest);
	bool is_missing = look->status == 404 || look->status == 410;
	if (!is_missing || mark) {
		page->gone_s = 0;
		page->gone_rounds = 0;
		page->gone_told = false;
	} else if (page->gone_rounds++ == 0) {
		page->gone_s = look->now_s;
	}
	if (mark) {
		note_good(page, look, mark);
		return LEARN_KNOWN;
	}
	if (is_missing)
		return note_bad(page, look, LEARN_GONE);
	/* a foreign host is none that a window was opened for */
	if (look->is_published && look_is_page(look->status) && !look->is_severe && !is_pinned(page))
		return LEARN_PUBLISH;
	return note_bad(page, look, LEARN_HOLD);
}

/* It was a page, and then led to a foreign host or bore the signs of a defacement. A sign-in with somebody else, a
 * link that counts its clicks, news of a break-in never were anything else; and whoever finds an open redirect
 * could make up any number of those. */
static bool has_turned(const struct page *page, const struct guard_policy *policy)
{
	return page->look == LOOK_SEVERE || page->policy == BASELINE_VARYING ||
	       page->quiet >= policy->samples;
}

/* Neither good nor a step to it. */
static enum learn_step look_at_severe(struct page *page, const struct guard_policy *policy,
				      const struct look *look)
{
	page->look = has_turned(page, policy) ? LOOK_SEVERE : LOOK_ASTRAY;
	page->quiet = 0;
	page->quiet_since_s = look->now_s;
	return LEARN_HOLD;
}

enum learn_step learn_look(struct page *page, const struct guard_policy *policy,
			   const struct look *look)
{
	page->looks++;
	page->looked_s = look->now_s;
	if (page->policy == BASELINE_EXACT)
		return look_at_known(page, look);
	if (look->is_severe)
		return look_at_severe(page, policy, look);
	if (!look_is_page(look->status))
		return LEARN_ERROR;
	page->look = LOOK_NONE;
	return learn_sample(page, policy, look);
}

bool learn_looks_constant(const struct page *page, const struct guard_policy *policy)
{
	return page->policy == BASELINE_EXACT ||
	       (page->policy == BASELINE_LEARNING && page->n_seen == 1 && page->quiet >= policy->samples);
}

/* A form that did not come back while the page settled was none of those that alternate: an edit has replaced it, or
 * it was an empty page, a notice, a defacement that somebody mended. */
static bool came_back(const struct page *page, const struct page_mark *mark)
{
	return !page->is_text || page->n_seen == 1 || mark->again > 0;
}

void learn_accept(struct page *page)
{
	for (unsigned i = page->n_seen; i-- > 0;) {
		uint8_t dropped[DIGEST_SIZE];
		if (came_back(page, &page->seen[i]))
			(void)page_add_good(page, &page->seen[i], dropped);
	}
	page->n_seen = 0;
	page->policy = BASELINE_EXACT;
	page->look = LOOK_GOOD;
	page->changed_s = 0;
}

/* Drops what was not seen after that second, but what is pinned and `but`. */
static unsigned retire_before(struct page *page, uint64_t time_s, const uint8_t *but,
			      uint8_t retired[PAGE_GOOD_MAX][DIGEST_SIZE])
{
	unsigned n = 0;
	for (unsigned i = page->n_good; i-- > 0;) {
		const struct page_mark *old = &page->good[i];
		if (old->pinned || old->last_s > time_s ||
		    (but && memcmp(old->digest, but, DIGEST_SIZE) == 0))
			continue;
		memcpy(retired[n++], old->digest, DIGEST_SIZE);
		page_drop_good(page, retired[n - 1]);
	}
	return n;
}

static void become_good(struct page *page)
{
	page->n_seen = 0;
	page->policy = BASELINE_EXACT;
	page->look = LOOK_GOOD;
	page->changed_s = page->gone_s = 0;
	page->gone_rounds = 0;
	page->links_plan = 0; /* a new edition leads to new pages */
}

unsigned learn_approve(struct page *page, const struct page_mark *mark,
		       uint8_t retired[PAGE_GOOD_MAX][DIGEST_SIZE])
{
	const struct page_mark chosen = *mark;
	unsigned n = retire_before(page, chosen.first_s, chosen.digest, retired);
	n += page_add_good(page, &chosen, retired[n]);
	become_good(page);
	return n;
}

unsigned learn_publish(struct page *page, const struct page_mark *mark,
		       uint8_t retired[PAGE_GOOD_MAX][DIGEST_SIZE])
{
	if (!page->was_published)
		page->published_s = mark->last_s;
	page->was_published = true;
	unsigned n = page_add_good(page, mark, retired[0]);
	become_good(page);
	return n;
}

unsigned learn_close_window(struct page *page, uint8_t retired[PAGE_GOOD_MAX][DIGEST_SIZE])
{
	if (!page->was_published)
		return 0;
	page->was_published = false;
	return retire_before(page, page->published_s, page->good[0].digest, retired);
}

/* ---- when to look again ---- */

static uint64_t between(uint64_t value, uint64_t min, uint64_t max)
{
	if (value > max)
		value = max;
	return value < min ? min : value;
}

uint64_t learn_wait_ms(const struct page *page, const struct guard_policy *policy)
{
	uint64_t most = policy->sample_interval_ms > WAIT_MAX_MS ? policy->sample_interval_ms
								 : WAIT_MAX_MS;
	if (page->policy == BASELINE_EXACT)
		return policy->probe_interval_ms;
	if (page->policy == BASELINE_VARYING)
		return between(policy->settle_ms / VARYING_PARTS, policy->sample_interval_ms, most);
	if (!page->is_text || page->quiet < policy->samples)
		return policy->sample_interval_ms;
	return between(policy->settle_ms / SETTLE_PARTS, policy->sample_interval_ms, most);
}

bool learn_is_gone(struct page *page, const struct guard_policy *policy, uint64_t now_s,
		   unsigned origins)
{
	uint64_t wait_s = policy->settle_ms / 1000;
	if (wait_s < GONE_MIN_S)
		wait_s = GONE_MIN_S;
	page->gone_s = earlier(page->gone_s, now_s);
	if (page->gone_told || page->gone_rounds < origins || page->gone_s == 0 ||
	    clock_since(page->gone_s, now_s) < wait_s)
		return false;
	page->gone_told = true;
	return true;
}

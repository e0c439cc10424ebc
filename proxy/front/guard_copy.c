/* A copy of a known-good page in place of a response. Its head is written from the baseline, then read
 * and forwarded like any origin's, so that nothing in a vault can split a response; its content
 * comes from memory, or from the lifeboat, and is known by its digest either way.
 *
 *   COPY ─┬─ answered by its head alone (HEAD, 304, 416) ─► sent
 *         ├─ at hand ─────────────────────────────────────► sent
 *         ├─ small ── LOADING ── at hand, or not to be had ─► sent, or the answer without a copy
 *         └─ large ── STREAMING: ORIGIN … RELAY, from the lifeboat
 */
#include <stdio.h>

#include "front/guard.h"

#include "sallyport/hex.h"

/* How long others may keep a copy: it is good, but the page may be better tomorrow. */
enum { FRESH_S = 30, ETAG_SIZE = 2 * DIGEST_SIZE + 8, HEAD_ROOM = PAGE_FIELD_COUNT * (PAGE_FIELD_MAX + 64) + 1024 };

/* ---- what is asked for ---- */

static bool is_html(const struct baseline_version *version)
{
	struct span type = version->head.fields[PAGE_FIELD_CONTENT_TYPE];
	return span_istarts(type, SPAN("text/html")) || span_istarts(type, SPAN("application/xhtml+xml"));
}

static bool wants_banner(const struct exchange *x)
{
	return x->subject.site->guard.banner && is_html(&x->page->version);
}

static size_t write_etag(const struct exchange *x, char out[ETAG_SIZE])
{
	char digits[HEX_SIZE(DIGEST_SIZE / 2)];
	hex_write(x->page->version.page, DIGEST_SIZE / 2, digits);
	return (size_t)snprintf(out, ETAG_SIZE, "\"%s%s\"", digits, wants_banner(x) ? "b" : "");
}

/* ---- the head ---- */

static void add_page_fields(const struct page_head *head, struct strbuf *out)
{
	for (int i = 0; i < PAGE_FIELD_COUNT; i++) {
		if (!head->fields[i].ptr)
			continue;
		strbuf_addf(out, "%s: ", page_field_name((enum page_field)i));
		strbuf_add_span(out, head->fields[i]);
		strbuf_add(out, "\r\n", 2);
	}
}

/* max-age counts from when the page was made, as Age says it (RFC 9111 section 4.2.3). */
static void add_freshness(uint64_t age_s, struct span etag, struct span changed, struct strbuf *out)
{
	strbuf_addf(out, "Age: %llu\r\nCache-Control: max-age=%llu\r\nAccept-Ranges: bytes\r\nETag: ",
		    (unsigned long long)age_s, (unsigned long long)age_s + FRESH_S);
	strbuf_add_span(out, etag);
	strbuf_add_str(out, "\r\nLast-Modified: ");
	strbuf_add_span(out, changed);
	strbuf_add(out, "\r\n", 2);
}

/* Into front->out; 0: it cannot be written. size: of the whole content. */
static size_t write_head(struct exchange *x, uint64_t size)
{
	char etag_text[ETAG_SIZE], changed_text[CLOCK_HTTP_SIZE];
	struct span etag = span_of(etag_text, write_etag(x, etag_text)), changed;
	const struct baseline_version *version = &x->page->version;
	uint64_t now_s = clock_wall_us() / 1000000;
	struct strbuf text;
	clock_format_http(version->since_s * 1000000, changed_text);
	changed = span_of(changed_text, CLOCK_HTTP_SIZE - 1);
	const struct whole whole = {version->head.status, size, etag, changed, false};
	unsigned status = guard_part_of(&x->request, &whole, &x->page->part);
	strbuf_init(&text, HEAD_ROOM);
	strbuf_addf(&text, "HTTP/1.1 %u %s\r\n", status, http_status_phrase(status));
	if (status != 304 && status != 416)
		add_page_fields(&version->head, &text);
	guard_add_length(&x->page->part, status, size, &text);
	add_freshness(now_s > version->since_s ? now_s - version->since_s : 0, etag, changed, &text);
	strbuf_add(&text, "\r\n", 2);
	size_t len = guard_parse_own(x, &text) ? response_head(x, &x->front->head) : 0;
	strbuf_release(&text);
	x->status = (uint16_t)status;
	return len;
}

/* ---- serving ---- */

static bool head_suffices(const struct exchange *x)
{
	return x->request.method == HTTP_HEAD || x->status == 304 || x->status == 416 || x->status == 204;
}

static enum step_result gone(struct exchange *x)
{
	x->close = x->aborted = true;
	x->step = STEP_END;
	return STEP_MORE;
}

/* There is none after all: what would have happened without. A large page is watched then. */
static enum step_result without_copy(struct exchange *x)
{
	struct page *page = x->page;
	page->plan.has_copy = false;
	page->phase = PAGE_ASKING;
	if (x->verdict.reason != REASON_UNSET)
		return exchange_refuse(x, x->verdict.reason);
	x->verdict.action = VERDICT_ALLOW;
	page->plan.action = GUARD_WATCH;
	x->step = STEP_ORIGIN;
	return STEP_MORE;
}

static enum step_result send_copy(struct exchange *x, struct content *content)
{
	struct page *page = x->page;
	size_t head_len = write_head(x, content->len);
	if (head_len == 0) {
		content_unref(content);
		return without_copy(x);
	}
	page->phase = PAGE_SENDING;
	page->out = content;
	if (!head_suffices(x)) {
		page->out_at = page->part.is_given ? page->part.first : 0;
		page->out_end = page->part.is_given ? page->part.last + 1 : content->len;
	}
	return guard_send_head(x, head_len) ? STEP_MORE : gone(x);
}

/* The same way as a response of an origin, with another head in front of it. */
static enum step_result stream(struct exchange *x)
{
	x->page->phase = PAGE_STREAMING;
	x->claim = (struct origin_claim){.route = x->front->settings->internals[INTERNAL_LIFEBOAT]};
	x->connect_until_ms = 0;
	x->attempts = 0;
	x->step = STEP_ORIGIN;
	return STEP_MORE;
}

static enum step_result large_copy(struct exchange *x)
{
	size_t head_len = write_head(x, x->page->version.content_bytes);
	if (head_len == 0)
		return without_copy(x);
	if (!head_suffices(x))
		return stream(x);
	x->page->phase = PAGE_SENDING;
	return guard_send_head(x, head_len) ? STEP_MORE : gone(x);
}

static enum step_result begin_copy(struct exchange *x)
{
	struct page *page = x->page;
	struct copies *copies = x->front->guard->copies;
	page->copy_tried = true;
	stat_add(&x->front->stats->copies_served, 1);
	baseline_version_of(&page->known->baseline, &page->plan.page, 0, &page->version);
	bool banner = wants_banner(x);
	struct content *content = copies_find(copies, page->version.content, banner);
	if (content)
		return send_copy(x, content);
	if (page->version.content_bytes > copies_largest(copies))
		return large_copy(x);
	page->phase = PAGE_LOADING;
	/* Where memory for copies is short, it comes past it. */
	return copies_wait(copies, page, banner) ? STEP_WAIT : large_copy(x);
}

/* Until copies.c has it, or gives up; the exchange runs for other events meanwhile. */
static enum step_result await_copy(struct exchange *x)
{
	struct page *page = x->page;
	if (page->copy)
		return STEP_WAIT;
	struct content *content = copies_find(x->front->guard->copies, page->version.content, wants_banner(x));
	return content ? send_copy(x, content) : without_copy(x);
}

static enum step_result finish_copy(struct exchange *x)
{
	switch (guard_send(x)) {
	case PUMP_WAIT: return STEP_WAIT;
	case PUMP_AGAIN:
		loop_defer(x->front->loop, &x->client->again);
		return STEP_WAIT;
	case PUMP_END:
		x->step = STEP_END;
		return STEP_MORE;
	default: return gone(x);
	}
}

enum step_result step_copy(struct exchange *x)
{
	switch (x->page->phase) {
	case PAGE_SENDING: return finish_copy(x);
	case PAGE_LOADING: return await_copy(x);
	default: return reply_may_pass(x, 1) > 0 ? begin_copy(x) : STEP_WAIT;
	}
}

/* ---- in place of a failure ---- */

static bool is_covered(enum reason reason)
{
	return (reason >= REASON_ORIGIN_UNRESOLVED && reason <= REASON_ORIGIN_EXTRA) || reason == REASON_ORIGIN_TLS ||
	       reason == REASON_ORIGIN_CERTIFICATE || guard_is_verdict(reason);
}

/* What came of the response is forgotten. */
static void forget_response(struct exchange *x)
{
	struct page *page = x->page;
	guard_count_held(x, 0);
	content_unref(page->content);
	content_unref(page->head);
	coding_free(page->decoder);
	page->content = page->head = NULL;
	page->decoder = NULL;
	page->phase = PAGE_ASKING;
	x->head_read = x->down_read = false;
	x->down_coding = (struct http_chunked){0};
}

/* The lifeboat itself failed: the answer is what it would be without it. */
static void give_up_copy(struct exchange *x)
{
	forget_response(x);
	exchange_leave_origin(x, false);
	x->claim = (struct origin_claim){.route = x->subject.route};
	x->connect_until_ms = 0;
	without_copy(x);
}

/* Many applications answer HEAD by 405, or by a head that is not that of their page: it says nothing of the
 * page, of which the next GET or look of the scout tells. */
static bool says_nothing(const struct exchange *x, enum reason reason)
{
	return x->request.method == HTTP_HEAD && reason == REASON_GUARD_CHANGED;
}

static bool is_worth_a_note(const struct exchange *x, enum reason reason)
{
	return x->guard_enforces && !says_nothing(x, reason) && !x->page->copy_tried &&
	       (x->page->plan.has_copy || guard_is_verdict(reason));
}

bool guard_takes_over(struct exchange *x, enum reason reason)
{
	struct page *page = x->page;
	if (!page || x->head_sent || !is_covered(reason))
		return false;
	if (is_worth_a_note(x, reason))
		guard_note(x, reason);
	if (page->phase == PAGE_STREAMING) {
		give_up_copy(x);
		return true;
	}
	if (!page->plan.has_copy || page->copy_tried)
		return false;
	stat_add(&x->front->stats->reasons[reason], 1);
	if (reason == REASON_ORIGIN_TIMEOUT || reason == REASON_ORIGIN_STALLED)
		guard_was_slow(x);
	forget_response(x);
	origin_unclaim(&x->claim);
	exchange_leave_origin(x, false);
	x->verdict = (struct verdict){
	    .action = VERDICT_COPY, .reason = reason, .enforced = true, .evidence = x->verdict.evidence};
	if (!x->up_read)
		x->close = true;
	x->step = STEP_COPY;
	return true;
}

/* ---- the lifeboat as an origin ---- */

size_t guard_copy_request(const struct exchange *x, char *out, size_t room)
{
	const struct page *page = x->page;
	char digest[HEX_SIZE(DIGEST_SIZE)];
	int n = snprintf(out, room, "GET /%s HTTP/1.1\r\nHost: lifeboat\r\n",
			 hex_write(page->version.content, DIGEST_SIZE, digest));
	if (n > 0 && (size_t)n < room && page->part.is_given)
		n += snprintf(out + n, room - (size_t)n, "Range: bytes=%llu-%llu\r\n",
			      (unsigned long long)page->part.first, (unsigned long long)page->part.last);
	if (n > 0 && (size_t)n < room)
		n += snprintf(out + n, room - (size_t)n, "\r\n");
	return n > 0 && (size_t)n < room ? (size_t)n : 0;
}

size_t guard_copy_head(struct exchange *x, const struct http_head *head)
{
	const struct page *page = x->page;
	uint64_t expected = page->part.is_given ? page->part.last - page->part.first + 1
						: page->version.content_bytes;
	if (head->status != (page->part.is_given ? 206 : 200) || head->framing != HTTP_FRAMING_LENGTH ||
	    head->content_length != expected)
		return 0;
	return write_head(x, page->version.content_bytes);
}

/* A response as the guard sees it: its redirects are looked at on every path, a known page is held
 * whole until it is judged, and what may not be held is digested while it passes.
 *
 *   head ─► redirects ─┬─► HOLDING ── all came ─► decode, a slice a turn ─► verdict ─► SENDING
 *                      ├─► WATCHING ─ all came ─► verdict, told
 *                      └─► passes
 *
 * Bytes of a page that is held are digested as they came. If the same bytes were decoded before, it
 * is known what they decode to, and nothing is decoded at all. */
#include "front/guard.h"

enum { SLICE_BYTES = 16 << 10 };

static enum pump fail(enum reason *reason, enum reason what)
{
	*reason = what;
	return PUMP_FAIL;
}

static const struct guard_policy *policy_of(const struct exchange *x)
{
	return &x->subject.site->guard;
}

/* ---- the head ---- */

static bool leads_astray(struct exchange *x, const struct http_head *head)
{
	struct span evidence;
	struct redirect_scope scope = {
	    .visitor_host = x->subject.host_name.name,
	    .hosts = &x->subject.site->hosts,
	    .redirects = &policy_of(x)->redirects,
	    .baseline = x->page->known ? &x->page->known->baseline : NULL,
	    .site = x->page->site,
	};
	if (redirects_are_allowed(&scope, head, &evidence))
		return false;
	guard_keep_evidence(x, evidence);
	return true;
}

/* False: a coding that nobody can undo, so that nobody can say what it is. */
static bool take_codings(struct page *page, const struct http_head *head)
{
	struct span value;
	if (coding_list_of(head, &page->codings, &value) != CODING_DONE)
		return false;
	for (unsigned i = 0; i < page->codings.n; i++)
		if (page->codings.of[i] == CODING_DEFLATE) /* browsers differ about what it is */
			return false;
	return true;
}

/* A coding that the visitor cannot undo. Who gets no copy has to make do with it. */
static bool is_unreadable(const struct page *page)
{
	if (!page->asked || !page->plan.has_copy)
		return false;
	for (unsigned i = 0; i < page->codings.n; i++)
		if (!(page->asked >> page->codings.of[i] & 1))
			return true;
	return false;
}

static uint64_t longest_version(const struct page *page)
{
	struct baseline_version version;
	uint64_t longest = 0;
	for (unsigned i = 0; i < page->plan.page.versions; i++) {
		baseline_version_of(&page->known->baseline, &page->plan.page, i, &version);
		longest = version.content_bytes > longest ? version.content_bytes : longest;
	}
	return longest;
}

static uint64_t limit_of(const struct exchange *x)
{
	uint64_t limit = policy_of(x)->max_page;
	return x->page->codings.n == 0 && x->page->longest < limit ? x->page->longest : limit;
}

/* Longer than anything that is known: another page. Longer than we hold: perhaps a known one. */
static enum reason too_long(const struct exchange *x)
{
	return x->page->longest > policy_of(x)->max_page ? REASON_GUARD_TOO_LARGE : REASON_GUARD_CHANGED;
}

static const struct page_collect *collect(struct exchange *x, const struct http_head *head)
{
	struct page_collect *page = &x->front->guard->collect;
	page_collect_begin(page, head->status);
	for (size_t i = 0; i < head->field_count; i++)
		page_collect_field(page, http_field_name(head, &head->fields[i]),
				   http_field_value(head, &head->fields[i]));
	return page;
}

static enum reason judge(struct exchange *x, const struct http_head *head, const uint8_t content[DIGEST_SIZE])
{
	return guard_verdict(&x->page->known->baseline, &x->page->plan.page, collect(x, head), content);
}

/* Without a coding, the length of a content is told by its head; also to HEAD. */
static enum reason judge_head(struct exchange *x, const struct http_head *head)
{
	bool says = x->page->codings.n == 0 && http_find(head, HTTP_FIELD_CONTENT_LENGTH).ptr;
	return guard_verdict_on_head(&x->page->known->baseline, &x->page->plan.page, collect(x, head),
				     says ? head->content_length : GUARD_BYTES_UNKNOWN);
}

static bool keep_head(struct exchange *x, const struct http_head *head)
{
	struct page *page = x->page;
	page->head = content_new(&x->front->memory, head->len);
	return page->head && content_add(&page->head, head->base, head->len);
}

static enum pump begin_holding(struct exchange *x, const struct http_head *head, enum reason *reason)
{
	struct page *page = x->page;
	page->longest = longest_version(page);
	if (!take_codings(page, head) || is_unreadable(page))
		return fail(reason, REASON_GUARD_CODING);
	if (head->framing == HTTP_FRAMING_LENGTH && head->content_length > limit_of(x))
		return fail(reason, too_long(x));
	*reason = judge_head(x, head);
	if (*reason != REASON_UNSET)
		return PUMP_FAIL;
	page->digest = guard_digest_take(x->front->guard);
	if (!page->digest || !keep_head(x, head))
		return fail(reason, REASON_OVERLOAD);
	stat_add(&x->front->stats->pages_judged, 1);
	page->phase = PAGE_HOLDING;
	return PUMP_END;
}

static bool asks_by(const struct exchange *x, struct span prefix)
{
	for (size_t i = 0; i < x->request.field_count; i++)
		if (span_istarts(http_field_name(&x->request, &x->request.fields[i]), prefix))
			return true;
	return false;
}

/* A part, or an answer to a condition, is no page; but where nobody asked for that, it is what a page looks like. */
static bool is_judged(const struct exchange *x)
{
	bool is_part = x->status == 206 || x->status == 416, answers = x->status == 304 || x->status == 412;
	return !(is_part && asks_by(x, SPAN("range"))) && !(answers && asks_by(x, SPAN("if-")));
}

/* What the head alone gives away does not even begin to pass. Where memory is short, nobody watches. */
static enum pump begin_watching(struct exchange *x, const struct http_head *head, enum reason *reason)
{
	struct page *page = x->page;
	page->longest = longest_version(page);
	page->is_broken = !take_codings(page, head);
	*reason = x->guard_enforces && is_judged(x) ? judge_head(x, head) : REASON_UNSET;
	if (*reason != REASON_UNSET) {
		page->plan.action = GUARD_REFUSE;
		return PUMP_FAIL;
	}
	page->digest = guard_digest_take(x->front->guard);
	if (page->digest && keep_head(x, head))
		page->phase = PAGE_WATCHING;
	return PUMP_AGAIN;
}

enum pump guard_head(struct exchange *x, struct http_head *head, size_t *head_len, enum reason *reason)
{
	struct page *page = x->page;
	if (page->phase == PAGE_STREAMING) {
		*head_len = guard_copy_head(x, head);
		return *head_len > 0 ? PUMP_END : fail(reason, REASON_ORIGIN_FRAMING);
	}
	if (leads_astray(x, head)) {
		if (x->guard_enforces)
			return fail(reason, REASON_GUARD_REDIRECT);
		guard_note(x, REASON_GUARD_REDIRECT);
		return PUMP_AGAIN;
	}
	if (page->plan.action == GUARD_HOLD)
		return begin_holding(x, head, reason);
	if (page->plan.action == GUARD_WATCH)
		return begin_watching(x, head, reason);
	return PUMP_AGAIN;
}

/* ---- content ---- */

static bool room_for_more(struct exchange *x, size_t len)
{
	struct page *page = x->page;
	struct guard_side *side = x->front->guard;
	size_t wanted = x->down_framing == HTTP_FRAMING_LENGTH ? (size_t)x->down_left + len : len;
	if (!page->content)
		page->content = content_new(&x->front->memory, wanted);
	if (!page->content)
		return false;
	bool fits = page->content->room - page->content->len >= len;
	size_t after = fits ? page->content->room : page->content->len + len;
	return side->held + after - page->held <= x->front->settings->quotas.held;
}

static bool keep_piece(struct exchange *x, const char *bytes, size_t len)
{
	struct page *page = x->page;
	if (!room_for_more(x, len) || !content_add(&page->content, bytes, len))
		return false;
	guard_count_held(x, page->content->room);
	return true;
}

enum pump guard_hold(struct exchange *x, const char *bytes, size_t len, enum reason *reason)
{
	struct page *page = x->page;
	size_t before = page->content ? page->content->len : 0;
	if (before + len > limit_of(x))
		return fail(reason, too_long(x));
	if (len == 0)
		return PUMP_AGAIN;
	digest_add(page->digest, bytes, len);
	if (x->down_read && before == 0) {
		/* It came in one read, as most pages do: perhaps it need not be kept at all. */
		page->piece = span_of(bytes, len);
		enum pump result = guard_finish(x, reason);
		page->piece = span_of(NULL, 0);
		if (result != PUMP_AGAIN || page->phase == PAGE_SENDING)
			return result;
	}
	if (!keep_piece(x, bytes, len))
		return fail(reason, REASON_GUARD_FULL);
	return PUMP_AGAIN;
}

/* ---- what it decodes to ---- */

static struct decoded *decoded_slot(struct guard_side *side, const uint8_t coded[DIGEST_SIZE])
{
	uint32_t index;
	memcpy(&index, coded, sizeof(index));
	return &side->decoded[index % DECODED_SLOTS];
}

/* Two codings that undo the same bytes to different contents: the list belongs to what is known. */
static void mark_codings(const struct page *page, uint8_t coded[DIGEST_SIZE])
{
	for (unsigned i = 0; i < page->codings.n; i++)
		coded[DIGEST_SIZE - 1 - i] ^= page->codings.of[i];
}

static bool take_decoded(void *context, const uint8_t *bytes, size_t len)
{
	digest_add(context, bytes, len);
	return true;
}

static bool open_decoder(struct exchange *x, struct digest *into)
{
	struct page *page = x->page;
	const struct coding_limits limits = {.bytes = page->longest, .ratio = 0};
	const struct coding_sink sink = {take_decoded, into};
	const struct coding_memory memory = front_memory(x->front);
	page->decoder = coding_new(&page->codings, &limits, &sink, &memory);
	return page->decoder != NULL;
}

static enum reason coding_reason(enum coding_result result)
{
	switch (result) {
	case CODING_OVER_SIZE: return REASON_GUARD_CHANGED; /* longer than anything that is known */
	case CODING_NO_MEMORY: return REASON_GUARD_FULL;
	default: return REASON_GUARD_CODING;
	}
}

static struct span held_bytes(const struct page *page)
{
	return page->content ? span_of(page->content->bytes, page->content->len) : page->piece;
}

/* One slice a turn: others have their requests too. END: out is the digest of what it decodes to. */
static enum pump decode(struct exchange *x, uint8_t out[DIGEST_SIZE], enum reason *reason)
{
	struct page *page = x->page;
	struct span all = held_bytes(page), rest = span_from(all, (size_t)page->fed);
	size_t len = rest.len < SLICE_BYTES ? rest.len : SLICE_BYTES;
	if (!page->decoded)
		page->decoded = guard_digest_take(x->front->guard);
	if (!page->decoded || (!page->decoder && !open_decoder(x, page->decoded)))
		return fail(reason, REASON_GUARD_FULL);
	enum coding_result result = coding_feed(page->decoder, rest.ptr, len);
	page->fed += len;
	if (result == CODING_MORE && page->fed < all.len)
		return PUMP_AGAIN;
	if (result == CODING_MORE || result == CODING_DONE)
		result = coding_end(page->decoder);
	coding_free(page->decoder);
	page->decoder = NULL;
	if (result != CODING_DONE)
		return fail(reason, coding_reason(result));
	digest_end(page->decoded, out);
	return PUMP_END;
}

static enum pump content_digest(struct exchange *x, uint8_t out[DIGEST_SIZE], enum reason *reason)
{
	struct page *page = x->page;
	if (!page->is_whole) {
		digest_end(page->digest, page->coded);
		page->is_whole = true;
		if (page->codings.n > 0)
			mark_codings(page, page->coded);
	}
	memcpy(out, page->coded, DIGEST_SIZE);
	if (page->codings.n == 0)
		return PUMP_END;
	struct decoded *slot = decoded_slot(x->front->guard, page->coded);
	if (memcmp(slot->coded, page->coded, DIGEST_SIZE) == 0) {
		memcpy(out, slot->content, DIGEST_SIZE);
		return PUMP_END;
	}
	enum pump result = decode(x, out, reason);
	if (result == PUMP_END) {
		memcpy(slot->coded, page->coded, DIGEST_SIZE);
		memcpy(slot->content, out, DIGEST_SIZE);
	}
	return result;
}

/* ---- the verdict ---- */

/* The head again, from the bytes that were kept. They were understood once, so they are now. */
static bool read_head_again(struct exchange *x, struct http_head *head, enum reason *reason)
{
	struct span evidence;
	const struct content *kept = x->page->head;
	return http_parse_response(kept->bytes, kept->len, 0, &x->front->response_limits,
				   (enum http_method)x->request.method, head, reason,
				   &evidence) == HTTP_PARSE_DONE &&
	       http_mark_hop_by_hop(head, reason);
}

/* A known page goes out as it came, but for its framing: its length is known by now; and as much of it as was
 * asked for. */
static enum pump release_page(struct exchange *x, struct http_head *head, enum reason *reason)
{
	struct page *page = x->page;
	struct span bytes = held_bytes(page), part;
	guard_count_held(x, 0);
	guard_was_in_time(x);
	page->phase = PAGE_SENDING;
	if (head->framing != HTTP_FRAMING_NONE) {
		head->framing = HTTP_FRAMING_LENGTH;
		head->content_length = bytes.len;
	}
	size_t head_len = guard_narrow_head(x, head, bytes.len);
	if (head_len == 0)
		return fail(reason, REASON_ORIGIN_HEAD_TOO_LARGE);
	part = guard_narrow(x, bytes);
	if (!page->content && part.len > 0)
		return response_send(x, head_len, part) ? PUMP_AGAIN : fail(reason, REASON_CLIENT_GONE);
	if (page->content) {
		page->out = content_ref(page->content);
		page->out_at = (uint64_t)(part.ptr - bytes.ptr);
		page->out_end = page->out_at + part.len;
	}
	return guard_send_head(x, head_len) ? PUMP_AGAIN : fail(reason, REASON_CLIENT_GONE);
}

enum pump guard_finish(struct exchange *x, enum reason *reason)
{
	uint8_t digest[DIGEST_SIZE];
	bool is_head = x->request.method == HTTP_HEAD;
	struct http_head *head = &x->front->head;
	if (x->page->phase == PAGE_SENDING) {
		/* A client that reads slowly occupies no origin. */
		if (x->up_sent)
			exchange_leave_origin(x, x->origin_reusable);
		enum pump sent = guard_send(x);
		return sent == PUMP_FAIL ? fail(reason, REASON_CLIENT_GONE) : sent;
	}
	if (reply_may_pass(x, 1) == 0)
		return PUMP_WAIT;
	enum pump decoded = is_head ? PUMP_END : content_digest(x, digest, reason);
	if (decoded != PUMP_END)
		return decoded;
	if (!read_head_again(x, head, reason))
		return PUMP_FAIL;
	*reason = is_head ? judge_head(x, head) : judge(x, head, digest);
	return *reason == REASON_UNSET ? release_page(x, head, reason) : PUMP_FAIL;
}

/* ---- watching ---- */

void guard_watch(struct exchange *x, const char *bytes, size_t len)
{
	struct page *page = x->page;
	if (page->phase != PAGE_WATCHING || page->is_broken)
		return;
	if (page->codings.n == 0)
		digest_add(page->digest, bytes, len);
	else if (!page->decoder && !open_decoder(x, page->digest))
		page->phase = PAGE_ASKING;
	else
		page->is_broken = coding_feed(page->decoder, bytes, len) != CODING_MORE;
}

static bool has_passed(const struct exchange *x)
{
	return x->page->phase == PAGE_WATCHING && x->down_read && !x->aborted && is_judged(x);
}

static enum reason watched_reason(struct exchange *x)
{
	uint8_t digest[DIGEST_SIZE];
	struct page *page = x->page;
	enum reason reason = REASON_UNSET;
	bool is_head = x->request.method == HTTP_HEAD;
	if (page->decoder && !page->is_broken)
		page->is_broken = coding_end(page->decoder) != CODING_DONE;
	if (page->is_broken && !is_head)
		return REASON_GUARD_CODING;
	if (!read_head_again(x, &x->front->head, &reason))
		return reason;
	digest_end(page->digest, digest);
	return is_head ? judge_head(x, &x->front->head) : judge(x, &x->front->head, digest);
}

void guard_end(struct exchange *x)
{
	enum reason reason = has_passed(x) ? watched_reason(x) : REASON_UNSET;
	if (reason != REASON_UNSET)
		guard_note(x, reason);
	if (x->page->plan.nominate && !x->aborted)
		guard_nominate(x);
}

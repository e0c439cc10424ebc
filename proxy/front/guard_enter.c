/* What the guard plans for a request, before an origin is asked. A page that will be judged is asked
 * for as a whole: parts and conditions would give an answer that nobody can compare. */
#include "front/guard.h"
#include "sallyport/page_key.h"

static struct page *page_new(struct exchange *x)
{
	const struct subject *s = &x->subject;
	size_t room = sizeof(struct page) + s->forward_path.len + 1 + s->target.query.len;
	struct page *page = memory_take(&x->front->memory, room);
	if (!page)
		return NULL;
	memset(page, 0, sizeof(*page));
	page->exchange = x;
	page->room = room;
	page->path_len = s->forward_path.len;
	page->key_len = page_key_write(&s->site->guard.ignore_query, s->forward_path, s->target.query, page->key);
	page->site = x->front->site_links[s->site->index].id;
	page->known = known_ref(x->front->guard->known);
	return page;
}

static void plan(struct exchange *x, struct page *page)
{
	const struct site *site = x->subject.site;
	const struct site_link *link = &x->front->site_links[site->index];
	const struct guard_case c = {
	    .policy = &site->guard,
	    .baseline = page->known ? &page->known->baseline : NULL,
	    .site = page->site,
	    .key = span_of(page->key, page->key_len),
	    .path_len = page->path_len,
	    .is_page = x->request.method == HTTP_GET || x->request.method == HTTP_HEAD,
	    .anonymous = guard_is_anonymous(&x->request, &site->guard.session_cookies),
	    .only_watch = site_is_paused(link, LEG_GUARD, loop_now_ms(x->front->loop)),
	    .state = site_guard_state(link),
	};
	x->guard_enforces = site->guard.mode == GUARD_ENFORCE && !c.only_watch;
	guard_plan(&c, &page->plan);
}

static enum step_result refuse(struct exchange *x)
{
	enum reason reason = x->page->plan.reason;
	if (reason == REASON_GUARD_UNKNOWN)
		guard_note(x, reason);
	return exchange_refuse(x, reason);
}

enum step_result guard_enter(struct exchange *x)
{
	x->page = page_new(x);
	if (!x->page)
		return exchange_refuse(x, REASON_OVERLOAD);
	plan(x, x->page);
	switch (x->page->plan.action) {
	case GUARD_REFUSE:
		return refuse(x);
	case GUARD_COPY:
		x->verdict.action = VERDICT_COPY;
		x->verdict.reason = x->page->plan.reason;
		x->verdict.enforced = true;
		stat_add(&x->front->stats->reasons[x->verdict.reason], 1);
		x->step = STEP_COPY;
		return STEP_MORE;
	default:
		return STEP_MORE;
	}
}

static bool narrows(struct span name)
{
	static const struct span names[] = {
	    {"range", 5},           {"if-range", 8},         {"if-match", 8},
	    {"if-none-match", 13},  {"if-modified-since", 17}, {"if-unmodified-since", 19},
	    {"accept-encoding", 15},
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_ieq(names[i], name))
			return true;
	return false;
}

/* "gzip;q=0.5": the name, and whether it is wanted at all. */
static bool is_wanted(struct span element, struct span *name)
{
	size_t end = span_find(element, ';');
	struct span weight = span_trim_ows(span_from(element, end + 1));
	*name = span_trim_ows(span_of(element.ptr, end));
	if (!span_istarts(weight, SPAN("q=0")))
		return true;
	for (size_t i = 3; i < weight.len; i++)
		if (weight.ptr[i] >= '1' && weight.ptr[i] <= '9')
			return true;
	return false;
}

/* Of the codings that a visitor takes, those that are undone alike by everybody: "deflate" is not. */
static void take_codings(struct span value, bool wanted[CODING_KINDS])
{
	struct span element, name;
	while (span_next_element(&value, &element)) {
		if (!is_wanted(element, &name))
			continue;
		for (unsigned coding = CODING_UNSET + 1; coding < CODING_KINDS; coding++)
			if (coding != CODING_DEFLATE && span_ieq(name, span_from_str(coding_name(coding))))
				wanted[coding] = true;
		if (span_eq(name, SPAN("*")))
			wanted[CODING_GZIP] = true;
	}
}

static struct span write_codings(const bool wanted[CODING_KINDS], char out[GUARD_CODINGS_SIZE])
{
	size_t len = 0;
	for (unsigned coding = CODING_UNSET + 1; coding < CODING_KINDS; coding++) {
		struct span name = span_from_str(coding_name(coding));
		if (!wanted[coding] || len + 2 + name.len > GUARD_CODINGS_SIZE)
			continue;
		if (len > 0) {
			memcpy(out + len, ", ", 2);
			len += 2;
		}
		memcpy(out + len, name.ptr, name.len);
		len += name.len;
	}
	return len > 0 ? span_of(out, len) : SPAN("identity");
}

static uint8_t bits_of(const bool wanted[CODING_KINDS])
{
	unsigned bits = 1u << CODING_UNSET;
	for (unsigned coding = CODING_UNSET + 1; coding < CODING_KINDS; coding++)
		bits |= wanted[coding] ? 1u << coding : 0;
	return (uint8_t)bits;
}

struct span guard_ask_plainly(struct exchange *x, char codings[GUARD_CODINGS_SIZE])
{
	bool wanted[CODING_KINDS] = {false}, says = false;
	if (!x->page || x->page->plan.action != GUARD_HOLD)
		return span_of(NULL, 0);
	for (size_t i = 0; i < x->request.field_count; i++) {
		struct http_field *field = &x->request.fields[i];
		struct span name = http_field_name(&x->request, field);
		if (field->id != HTTP_FIELD_OTHER || !narrows(name))
			continue;
		field->dropped = true;
		if (name.len != 15)
			continue;
		says = true;
		take_codings(http_field_value(&x->request, field), wanted);
	}
	if (!says)
		return span_of(NULL, 0);
	x->page->asked = bits_of(wanted);
	return write_codings(wanted, codings);
}

void guard_count_held(struct exchange *x, size_t bytes)
{
	struct guard_side *side = x->front->guard;
	side->held += bytes - x->page->held;
	x->page->held = bytes;
	atomic_store_explicit(&x->front->stats->held_bytes, side->held, memory_order_relaxed);
}

void guard_release(struct exchange *x)
{
	struct page *page = x->page;
	if (!page)
		return;
	struct guard_side *side = x->front->guard;
	copies_forget(page);
	guard_count_held(x, 0);
	content_unref(page->head);
	content_unref(page->content);
	content_unref(page->out);
	coding_free(page->decoder);
	guard_digest_give(side, page->digest);
	guard_digest_give(side, page->decoded);
	known_unref(page->known);
	memory_give(&x->front->memory, page, page->room);
	x->page = NULL;
}

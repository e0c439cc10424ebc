/* What is kept of a request that was refused, or would have been: packed and masked here, in the worker, so that
 * no secret of a visitor's reaches the ring, the scribe or the file. An allowed request never comes here.
 * Like a line of the log it never waits; where the ring is a quarter full it makes way for the log. */
#include "front/evidence.h"

#include <unistd.h>

#include "front/gate.h"
#include "sallyport/evidence.h"

enum {
	TARGET_ROOM = 1024,
	HIT_ROOM = 448,
	SEEN_ROOM = 384,
	FIELD_ROOM = 384,
	NAME_ROOM = 128,
	ID_ROOM = 96,
	HITS_BYTES = EVIDENCE_RECORD_MAX * 3 / 4, /* the rest is for fields */
};

struct keeping {
	struct exchange *x;
	const struct policy_strings *more;
	struct evidence_writer writer;
};

/* ---- what is secret where ---- */

/* How bytes of the head are masked, and as parts of what. */
struct context {
	enum secret_form form;
	struct span whole;
};

static bool lies_in(struct span s, struct span whole)
{
	return s.ptr && whole.ptr && s.ptr >= whole.ptr && s.ptr + s.len <= whole.ptr + whole.len;
}

static struct context context_of_field(const struct keeping *k, const struct http_field *field)
{
	const struct http_head *head = &k->x->request;
	struct context context = {SECRET_TEXT, http_field_value(head, field)};
	if (field->id == HTTP_FIELD_COOKIE)
		context.form = SECRET_COOKIES;
	else if (secret_is_field(k->more, http_field_name(head, field)))
		context.form = SECRET_WHOLE;
	return context;
}

static struct span request_line(const struct http_head *head)
{
	const char *end = memchr(head->base, '\n', head->len);
	return span_of(head->base, end ? (size_t)(end - head->base) : head->len);
}

/* A few bytes out of the content, whose name nobody knows. */
static bool is_of_fault(const struct exchange *x, struct span s)
{
	const struct body_fault *fault = x->inspection ? body_fault(x->inspection) : NULL;
	return fault && fault->is_bytes && fault->evidence.ptr == s.ptr;
}

static struct context context_of(const struct keeping *k, struct span s)
{
	const struct http_head *head = &k->x->request;
	struct span line = request_line(head), query = k->x->subject.target.query;
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];
		if (lies_in(s, http_field_value(head, field)))
			return context_of_field(k, field);
		if (lies_in(s, http_field_name(head, field)))
			return (struct context){SECRET_TEXT, s};
	}
	if (lies_in(s, line))
		return (struct context){SECRET_TEXT, line};
	if (lies_in(s, query)) /* rewritten, it lies elsewhere */
		return (struct context){SECRET_TEXT, query};
	/* What was not understood may be anything. */
	bool is_unknown = lies_in(s, span_of(head->base, head->len)) || is_of_fault(k->x, s);
	return (struct context){is_unknown ? SECRET_WHOLE : SECRET_TEXT, s};
}

/* Of a cookie that has no value its name is all, and so its secret. */
static bool is_bare_cookie(const struct keeping *k, struct span name)
{
	struct context context = context_of(k, name);
	size_t at = context.form == SECRET_COOKIES ? (size_t)(name.ptr + name.len - context.whole.ptr) : 0;
	struct span rest = span_from(context.whole, at);
	return context.form == SECRET_COOKIES && span_find(rest, '=') >= span_find(rest, ';');
}

static bool has_secret_name(const struct keeping *k, struct span name)
{
	return name.ptr && (secret_is_field(k->more, name) || context_of(k, name).form == SECRET_COOKIES);
}

static bool is_of_content(enum rule_target target)
{
	return target == TARGET_FORM || target == TARGET_FORM_NAME || target == TARGET_JSON ||
	       target == TARGET_JSON_NAME || target == TARGET_XML || target == TARGET_XML_NAME ||
	       target == TARGET_FILE_NAME || target == TARGET_CONTENT;
}

static bool is_a_name(enum rule_target target)
{
	return target == TARGET_ARG_NAME || target == TARGET_COOKIE_NAME || target == TARGET_FIELD_NAME ||
	       target == TARGET_FORM_NAME || target == TARGET_JSON_NAME || target == TARGET_XML_NAME;
}

/* A name in content is an excerpt, too: what it lacks may have said more. */
static bool is_of_secret(const struct keeping *k, const struct rule_hit *hit)
{
	bool has_name = hit->target != TARGET_CONTENT;
	bool is_cut = hit->name.len == 0 || hit->name.len >= RULE_EXCERPT_MAX;
	if (hit->is_torn)
		return true;
	if (is_a_name(hit->target))
		return is_bare_cookie(k, hit->name);
	return has_secret_name(k, hit->name) || (is_of_content(hit->target) && has_name && is_cut);
}

/* Those of the content with what the head had; or of the head, as long as its judging lasts. */
static const struct rule_tally *tally_of(const struct exchange *x)
{
	if (x->content_rules)
		return &x->content_rules->tally;
	return x->rules_asked && x->step == STEP_JUDGE ? shield_tally(x->front->scratch) : NULL;
}

/* NULL: it is not a rule's. */
static const struct rule_hit *hit_of(const struct rule_tally *tally, struct span seen)
{
	for (uint32_t i = 0; tally && i < tally->hit_count; i++)
		if (tally->hits[i].evidence.ptr == seen.ptr && tally->hits[i].evidence.len == seen.len)
			return &tally->hits[i];
	return NULL;
}

/* ---- pieces ---- */

static struct span cut_to(struct span s, size_t room)
{
	return span_of(s.ptr, s.len < room ? s.len : room);
}

/* Masks the text that the piece has so far, and adds it. */
static void add(struct keeping *k, struct evidence_piece *piece, struct context context, size_t room)
{
	char text[TARGET_ROOM];
	struct masked masked = {.text = text, .room = room};
	struct span part = piece->text;
	if (!lies_in(part, context.whole))
		context.whole = part;
	secret_mask(k->more, context.form, context.whole, part, &masked);
	piece->bytes = part.len < UINT32_MAX ? (uint32_t)part.len : UINT32_MAX;
	piece->text = span_of(masked.text, masked.len);
	piece->flags |= (masked.is_masked ? EVIDENCE_MASKED : 0u) | (masked.is_cut ? EVIDENCE_CUT : 0u);
	(void)evidence_add(&k->writer, piece); /* it counts what has no room */
}

static void add_fact(struct keeping *k, enum evidence_kind kind, struct span text)
{
	struct evidence_piece piece = {.kind = kind, .text = cut_to(text, ID_ROOM), .bytes = (uint32_t)text.len};
	if (text.len > 0)
		(void)evidence_add(&k->writer, &piece);
}

/* A name may be what a program posted as a form, and hold more than a name; of a long one the beginning is gone. hit: NULL, or
 * whose name it is. */
static struct span name_shown(const struct keeping *k, struct span name, const struct rule_hit *hit, char room[NAME_ROOM])
{
	const bool is_of_form = hit && (hit->target == TARGET_FORM || hit->target == TARGET_FORM_NAME);
	const struct span shown = cut_to(name, NAME_ROOM / 2);
	struct masked masked = {.text = room, .room = NAME_ROOM};
	if (is_bare_cookie(k, name))
		return SPAN("[a cookie without a name]");
	if (is_of_form && name.len >= RULE_EXCERPT_MAX)
		return SPAN("[a long name]");
	secret_mask(k->more, SECRET_TEXT, name, shown, &masked);
	return masked.is_masked ? span_of(masked.text, masked.len) : cut_to(name, NAME_ROOM);
}

static void add_line(struct keeping *k)
{
	const struct http_head *head = &k->x->request;
	struct evidence_piece target = {.kind = EVIDENCE_TARGET, .text = http_target(head)};
	if (head->target_len == 0)
		return;
	if (head->method_len > 0)
		add_fact(k, EVIDENCE_METHOD, http_method(head));
	add(k, &target, (struct context){SECRET_TEXT, target.text}, TARGET_ROOM);
}

static void add_verdict(struct keeping *k)
{
	const struct exchange *x = k->x;
	const struct verdict *verdict = &x->verdict;
	struct evidence_piece seen = {.kind = EVIDENCE_SEEN, .text = verdict->evidence};
	struct context context = context_of(k, verdict->evidence);
	const struct rule_hit *hit = hit_of(tally_of(x), verdict->evidence);
	char name[NAME_ROOM];
	if (x->subject.site)
		add_fact(k, EVIDENCE_SITE, span_from_str(x->subject.site->name));
	add_fact(k, EVIDENCE_RULE, span_from_str(verdict->rule));
	add_fact(k, EVIDENCE_SETTING, span_from_str(verdict->setting));
	if (verdict->name.len > 0)
		add_fact(k, EVIDENCE_PLACE, name_shown(k, verdict->name, hit, name));
	if (verdict->evidence.len == 0)
		return;
	if (has_secret_name(k, verdict->name) || (hit && is_of_secret(k, hit)))
		context = (struct context){SECRET_WHOLE, verdict->evidence};
	add(k, &seen, context, SEEN_ROOM);
}

/* ---- rules ---- */

static bool is_name_cut(const struct keeping *k, const struct rule_hit *hit)
{
	size_t most = is_of_content(hit->target) ? RULE_EXCERPT_MAX - 1 : NAME_ROOM;
	return hit->name.len > most || is_bare_cookie(k, hit->name);
}

static void add_hit(struct keeping *k, const struct rule_hit *hit)
{
	const struct rule_spec *rule = rule_set_get(k->x->front->settings->rule_set, hit->rule);
	char name[NAME_ROOM];
	const struct span shown = hit->name.len > 0 ? name_shown(k, hit->name, hit, name) : (struct span){0};
	struct evidence_piece piece = {
	    .kind = EVIDENCE_HIT,
	    .flags = (is_of_content(hit->target) ? EVIDENCE_CONTENT : 0u) |
		     (is_name_cut(k, hit) || shown.ptr == name ? EVIDENCE_NAME_CUT : 0u),
	    .target = (uint8_t)hit->target,
	    .condition = (uint8_t)hit->condition,
	    .id = cut_to(span_from_str(rule->id), ID_ROOM),
	    .name = shown,
	    .text = hit->evidence,
	};
	struct context context = context_of(k, hit->evidence);
	if (is_of_secret(k, hit))
		context = (struct context){SECRET_WHOLE, hit->evidence};
	if (k->writer.len < HITS_BYTES)
		add(k, &piece, context, HIT_ROOM);
	else
		k->writer.head.left_out++;
}

/* That of the verdict comes first. */
static void add_hits(struct keeping *k, const struct rule_tally *tally)
{
	const struct settings *settings = k->x->front->settings;
	const char *named = k->x->verdict.rule;
	for (int others = 0; others < 2 && tally; others++) {
		for (uint32_t i = 0; i < tally->hit_count; i++) {
			const struct rule_hit *hit = &tally->hits[i];
			bool is_named = named && rule_set_get(settings->rule_set, hit->rule)->id == named;
			if (is_named == !others)
				add_hit(k, hit);
		}
	}
}

static void add_fields(struct keeping *k)
{
	const struct http_head *head = &k->x->request;
	for (size_t i = 0; i < head->field_count; i++) {
		struct span name = http_field_name(head, &head->fields[i]);
		struct evidence_piece piece = {
		    .kind = EVIDENCE_FIELD,
		    .flags = name.len > NAME_ROOM ? EVIDENCE_NAME_CUT : 0u,
		    .name = cut_to(name, NAME_ROOM),
		    .text = http_field_value(head, &head->fields[i]),
		};
		add(k, &piece, context_of_field(k, &head->fields[i]), FIELD_ROOM);
	}
}

/* ---- the whole ---- */

static void describe(const struct exchange *x, uint32_t skipped, struct evidence_head *head)
{
	const struct verdict *verdict = &x->verdict;
	memset(head, 0, sizeof(*head)); /* no byte of the stack's goes into a file */
	head->version = x->request.version;
	head->action = (uint8_t)verdict->action;
	head->enforced = verdict->enforced;
	head->status = verdict->status;
	head->reason = (uint16_t)verdict->reason;
	head->is_tls = x->subject.is_tls;
	head->wall_us = x->wall_us;
	head->request_id[0] = x->id[0];
	head->request_id[1] = x->id[1];
	head->client = x->visitor;
	head->limit = verdict->limit;
	head->value = verdict->value;
	head->score = verdict->score;
	head->skipped = skipped;
}

static void put(struct front *f, size_t len)
{
	const uint64_t one = 1;
	bool wake = false;
	struct log_ring *ring = f->setup.memory.ring;
	if (log_ring_used(ring) > LOG_RING_BYTES / 4 || !log_ring_put(ring, f->record, len, &wake))
		stat_add(&f->stats->evidence_dropped, 1);
	if (wake) {
		/* Full means that it is awake already. */
		ssize_t n = write(f->setup.log_event_fd, &one, sizeof(one));
		(void)n;
	}
}

/* ---- what the log says ---- */

/* The line of a field that was not understood, from its name; what is folded belongs to the line before it. */
static struct span line_of(struct span fields, struct span s)
{
	const char *from = s.ptr;
	while (from > fields.ptr && (from[-1] != '\n' || *from == ' ' || *from == '\t'))
		from--;
	return span_of(from, (size_t)(fields.ptr + fields.len - from));
}

/* Up to the colon, or the first word where there is none. */
static struct span name_of_line(struct span line)
{
	struct span first = span_of(line.ptr, span_find(line, '\n'));
	size_t colon = span_find(first, ':');
	struct span name = span_trim_ows(span_of(first.ptr, colon));
	return colon < first.len ? name : span_of(name.ptr, span_find(name, ' '));
}

/* The name of the secret field that the bytes stand in, or of the first that they touch; empty: none. */
static struct span secret_field_around(const struct keeping *k, struct span s)
{
	const struct http_head *head = &k->x->request;
	const struct span fields = span_from(span_of(head->base, head->len), request_line(head).len);
	if (!lies_in(s, fields))
		return (struct span){0};
	for (struct span line = line_of(fields, s); line.len > 0 && line.ptr < s.ptr + s.len;
	     line = span_from(line, span_find(line, '\n') + 1)) {
		struct span name = name_of_line(line);
		if (name.len > 0 && secret_is_field(k->more, name))
			return name;
	}
	return (struct span){0};
}

/* Of a secret the log has the name alone, and no name that is one. */
static void hide_secret(const struct keeping *k)
{
	struct verdict *verdict = &k->x->verdict;
	const struct rule_hit *hit = hit_of(tally_of(k->x), verdict->evidence);
	const struct span field = secret_field_around(k, verdict->evidence);
	const bool is_bare = is_bare_cookie(k, verdict->name);
	if (field.len == 0 && !is_bare && !has_secret_name(k, verdict->name) && !(hit && is_of_secret(k, hit)))
		return;
	if (is_bare)
		verdict->name = SPAN("[a cookie without a name]");
	if (verdict->evidence.len > 0)
		verdict->evidence = cut_to(verdict->name.len > 0 ? verdict->name : field, NAME_ROOM);
}

static void keep(struct keeping *k)
{
	struct exchange *x = k->x;
	struct front *f = x->front;
	const struct evidence_settings *settings = &f->settings->evidence;
	uint64_t key = evidence_key((unsigned)x->verdict.reason, span_from_str(x->verdict.rule));
	uint32_t skipped = 0;
	if (settings->bytes == 0 || f->gate)
		return;
	if (!evidence_rate_take(&f->evidence_rate, key, loop_now_ms(f->loop) / 1000, settings->per_second, &skipped)) {
		stat_add(&f->stats->evidence_skipped, 1);
		return;
	}
	struct evidence_head head;
	describe(x, skipped, &head);
	evidence_begin(&k->writer, &head, f->record, sizeof(f->record));
	add_line(k);
	add_verdict(k);
	add_hits(k, tally_of(x));
	add_fields(k);
	put(f, evidence_end(&k->writer));
}

void evidence_keep(struct exchange *x)
{
	struct keeping keeping = {.x = x, .more = &x->front->settings->evidence.secrets};
	keep(&keeping);
	hide_secret(&keeping);
}

/* One request and its response, as named steps and one loop that drives them.
 *
 *   JUDGE ─► COLLECT ─► ORIGIN ─► CONNECT ─► SEND ─► RELAY ─► END
 *     │         │        │ ▲ └──► QUEUE         │       ▲
 *     │         │        │ │                    ├─► TUNNEL (101 to what was asked)
 *     │         │        │ └── stale, or another ┘       │
 *     └─────────┴────────┴──────► REPLY ◄────────────────┘ (nothing was sent yet)
 *                                  COPY   (the same, where a known-good page stands: front/guard.h)
 *
 * A step does what it can now and says MORE (another step follows), WAIT (for an
 * event or the deadline) or DONE. Once a byte of the origin's response went to
 * the client, the only way out of trouble is a reset: what is cut short must
 * never look whole. */
#include <stddef.h>
#include <string.h>

#include "front/gate.h"
#include "front/guard.h"

static enum step_result step_relay(struct exchange *x);
static enum step_result step_end(struct exchange *x);

static enum step_result (*const steps[STEP_COUNT])(struct exchange *) = {
    [STEP_JUDGE] = step_judge,     [STEP_ADMIT] = step_admit,     [STEP_RESOLVE] = step_resolve,
    [STEP_COLLECT] = step_collect, [STEP_ORIGIN] = step_origin,   [STEP_QUEUE] = step_queue,
    [STEP_CONNECT] = step_connect, [STEP_SEND] = step_send,       [STEP_RELAY] = step_relay,
    [STEP_OPEN] = step_open,       [STEP_TUNNEL] = step_tunnel,   [STEP_REPLY] = step_reply,
    [STEP_COPY] = step_copy,
    [STEP_END] = step_end,
};

static struct exchange *exchange_new(struct front *f)
{
	struct exchange *x = f->spare;
	if (x) {
		f->spare = x->next_spare;
		f->spare_count--;
	} else {
		x = memory_take(&f->memory, sizeof(*x));
		if (!x)
			return NULL;
	}
	memset(x, 0, offsetof(struct exchange, request));
	x->front = f;
	stat_add(&f->stats->exchanges, 1);
	return x;
}

static void exchange_free(struct exchange *x)
{
	struct front *f = x->front;
	guard_release(x);
	concurrency_end(x);
	gate_visit_free(x);
	hold_release(&x->evidence, &f->memory);
	hold_release(&x->body, &f->memory);
	inspect_release(x);
	hold_release(&x->up_pending, &f->memory);
	hold_release(&x->down_pending, &f->memory);
	conduit_close(f, &x->up_conduit);
	conduit_close(f, &x->down_conduit);
	if (x->text != x->text_inline)
		memory_give(&f->memory, x->text, x->text_room);
	stat_sub(&f->stats->exchanges, 1);
	if (f->spare_count < EXCHANGE_SPARE) {
		x->next_spare = f->spare;
		f->spare = x;
		f->spare_count++;
	} else {
		memory_give(&f->memory, x, sizeof(*x));
	}
}

/* splitmix64's finaliser: a bijection, so that a counter gives no repeated id. */
static uint64_t scatter(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static struct span rebase(struct span s, const char *from, size_t len, const char *to)
{
	if (!s.ptr || s.ptr < from || s.ptr + s.len > from + len)
		return (struct span){0};
	return span_of(to + (s.ptr - from), s.len);
}

/* Copies the head, because its bytes stand in a buffer that others need now, and
 * leaves room behind it for the canonical path. */
static bool keep_head(struct exchange *x, const struct http_head *head, const char *bytes, size_t len)
{
	size_t room = len + JUDGE_ROOM((size_t)head->target_len);
	x->text = x->text_inline;
	x->text_room = sizeof(x->text_inline);
	if (room > x->text_room) {
		x->text = memory_take(&x->front->memory, room);
		x->text_room = room;
		if (!x->text)
			return false;
	}
	memcpy(x->text, bytes, len);
	memcpy(&x->request, head,
	       offsetof(struct http_head, fields) + head->field_count * sizeof(head->fields[0]));
	x->request.base = x->text;
	x->request.len = (uint16_t)len;
	return true;
}

bool exchange_begin(struct client *c, const struct http_head *head, const char *bytes, size_t len,
		    enum reason reason, struct span evidence)
{
	struct front *f = c->front;
	struct exchange *x = exchange_new(f);
	if (!x)
		return false;
	x->client = c;
	x->start_us = c->head_start_us;
	x->head_us = loop_now_us(f->loop);
	x->wall_us = clock_wall_us() - (x->head_us - x->start_us);
	x->id[0] = f->id_prefix;
	x->id[1] = scatter(f->id_prefix + ++f->id_count);
	x->visitor = c->peer;
	size_t kept = reason == REASON_UNSET ? head->len : len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX;
	if (!keep_head(x, head, bytes, kept)) {
		x->text = x->text_inline;
		exchange_free(x);
		return false;
	}
	c->exchange = x;
	x->step = STEP_JUDGE;
	if (reason != REASON_UNSET) {
		x->verdict.evidence = rebase(evidence, bytes, kept, x->text);
		exchange_refuse(x, reason);
	}
	return true;
}

/* The reasons that are a refusal, as against an origin's or a network's fault. */
static bool is_rejection(enum reason reason)
{
	return reason <= REASON_HOST_UNKNOWN || reason == REASON_TLS_MISDIRECTED ||
	       (reason >= REASON_ADDRESS_DENIED && reason <= REASON_CONCURRENCY) ||
	       (reason >= REASON_EGRESS_CLIENT && reason <= REASON_EGRESS_CONNECTIONS);
}

/* What was only noted about the request (monitor mode) is not why it fails now. */
static void forget_noted(struct exchange *x)
{
	if (x->verdict.reason != REASON_UNSET && !x->verdict.enforced)
		x->verdict = (struct verdict){.action = VERDICT_ALLOW, .enforced = true};
}

/* What was hit, where the shield did not say so. */
static void name_limit(struct exchange *x, enum reason reason)
{
	if (!x->verdict.setting)
		x->verdict.setting = judge_limit(x->front->settings, reason, &x->verdict.limit);
}

static bool is_silent(const struct exchange *x)
{
	const struct verdict *verdict = &x->verdict;
	return x->client->is_mute || verdict->action == VERDICT_CLOSE || verdict->action == VERDICT_TARPIT;
}

/* What OpenSSL said of the origin. */
static void name_evidence(struct exchange *x, enum reason reason)
{
	if (x->origin_evidence && (reason == REASON_ORIGIN_TLS || reason == REASON_ORIGIN_CERTIFICATE))
		x->verdict.evidence = span_from_str(x->origin_evidence);
}

enum step_result exchange_refuse(struct exchange *x, enum reason reason)
{
	struct front *f = x->front;
	name_evidence(x, reason);
	if (guard_takes_over(x, reason))
		return STEP_MORE;
	forget_noted(x);
	reason = client_cause(x, reason, &x->verdict.evidence);
	name_evidence(x, reason);
	stat_add(&f->stats->reasons[reason], 1);
	if (is_rejection(reason))
		stat_add(&f->stats->requests_rejected, 1);
	name_limit(x, reason);
	x->verdict.reason = reason;
	x->verdict.enforced = true;
	if (x->verdict.action == VERDICT_UNSET || x->verdict.action == VERDICT_ALLOW) {
		x->verdict.action = is_rejection(reason) ? VERDICT_REJECT : VERDICT_ALLOW;
		if (x->subject.site && !f->gate)
			shield_answer(x->subject.site->shield, &x->verdict);
	}
	if (x->verdict.action == VERDICT_TARPIT && !tarpit_has_room(f))
		x->verdict.action = VERDICT_REJECT;
	if (x->verdict.status == 0)
		x->verdict.status = (uint16_t)reason_status(reason);
	evidence_keep(x);
	if (x->visit)
		gate_end_search(x->visit);
	gate_refused(x, reason);
	origin_unclaim(&x->claim);
	exchange_leave_origin(x, false);
	/* Unread content would be taken for the next request, and a client that is
	 * refused gets no second try on the same connection. */
	if (!x->up_read || is_rejection(reason))
		x->close = true;
	if (x->head_sent || x->verdict.status == 0 || is_silent(x)) {
		x->close = x->aborted = true;
		x->step = STEP_END;
	} else {
		x->step = STEP_REPLY;
	}
	return STEP_MORE;
}

static void fill_deadline(struct exchange *x)
{
	struct deadline deadline = exchange_deadline(x);
	loop_arm(x->front->loop, &x->client->timer, deadline.at_ms);
}

void exchange_run(struct exchange *x)
{
	for (;;) {
		switch (steps[x->step](x)) {
		case STEP_MORE:
			continue;
		case STEP_WAIT:
			fill_deadline(x);
			return;
		default:
			return;
		}
	}
}

/* Both directions, as far as they go now. */
static enum step_result step_relay(struct exchange *x)
{
	enum reason reason = REASON_UNSET;
	enum pump up = PUMP_END;
	if (x->visit && gate_is_cut(x))
		return exchange_refuse(x, REASON_EGRESS_QUARANTINED);
	if (!x->up_sent && !x->up_broken)
		up = upload_pump(x, &reason);
	if (up == PUMP_FAIL) {
		x->close = true; /* content that was not understood is still there */
		return exchange_refuse(x, reason);
	}
	if (x->step != STEP_RELAY)
		return STEP_MORE;
	enum pump down = download_pump(x, &reason);
	if (x->step != STEP_RELAY)
		return STEP_MORE;
	if (down == PUMP_FAIL)
		return exchange_refuse(x, reason);
	if (down == PUMP_END) {
		x->step = STEP_END;
		return STEP_MORE;
	}
	if (up == PUMP_AGAIN || down == PUMP_AGAIN)
		loop_defer(x->front->loop, &x->client->again);
	return STEP_WAIT;
}

static enum step_result step_end(struct exchange *x)
{
	struct client *c = x->client;
	struct front *f = x->front;
	bool keep = !x->close, aborted = x->aborted, announced = (x->request.close || x->client_ended) && x->up_read;
	bool held = aborted && !x->head_sent && x->verdict.action == VERDICT_TARPIT && x->verdict.enforced;
	exchange_leave_origin(x, x->origin_reusable && x->up_sent);
	if (x->page)
		guard_end(x);
	stat_add(&f->stats->requests, 1);
	stat_add(&f->stats->bytes_in, x->up_bytes);
	stat_add(&f->stats->bytes_out, x->down_bytes);
	if (x->status / 100 < STATS_STATUS_CLASSES)
		stat_add(&f->stats->status_class[x->status / 100], 1);
	record_exchange(x);
	c->exchange = NULL;
	exchange_free(x);
	if (held && tarpit_has_room(f))
		tarpit_take(c);
	else if (aborted && tls_fault(&c->stream).reason != REASON_UNSET)
		client_linger(c); /* what there was to say of it, an alert says */
	else if (aborted)
		client_free(c, true);
	else
		client_next(c, keep, announced);
	return STEP_DONE;
}

void exchange_abort(struct exchange *x, enum reason reason)
{
	forget_noted(x);
	reason = client_cause(x, reason, &x->verdict.evidence);
	stat_add(&x->front->stats->reasons[reason], 1);
	name_limit(x, reason);
	x->verdict.reason = reason;
	origin_unclaim(&x->claim);
	exchange_leave_origin(x, false);
	x->close = x->aborted = true;
	x->step = STEP_END;
	exchange_run(x);
}

void exchange_expired(struct exchange *x)
{
	struct deadline deadline = exchange_deadline(x);
	uint64_t now_ms = loop_now_ms(x->front->loop);
	if (deadline.at_ms <= now_ms && deadline.reason == REASON_SEND_TIMEOUT && client_takes(x))
		deadline = exchange_deadline(x);
	if (deadline.at_ms > now_ms) {
		loop_arm(x->front->loop, &x->client->timer, deadline.at_ms);
		return;
	}
	switch (deadline.reason) {
	case REASON_UNSET: /* collected long enough, or not read for long enough: see deadline.c */
		memset(x->resume_ms, 0, sizeof(x->resume_ms));
		exchange_run(x);
		return;
	case REASON_SEND_TIMEOUT:
	case REASON_CLIENT_GONE:
	case REASON_TUNNEL_IDLE:
		exchange_abort(x, deadline.reason);
		return;
	case REASON_ORIGIN_CONNECT_TIMEOUT:
	case REASON_ORIGIN_TIMEOUT:
		if (x->claim.conn)
			origin_failed(x->claim.conn->origin, deadline.reason);
		if (deadline.reason == REASON_ORIGIN_CONNECT_TIMEOUT && x->claim.conn && ask_another(x)) {
			exchange_run(x);
			return;
		}
		break;
	default:
		break;
	}
	exchange_refuse(x, deadline.reason);
	exchange_run(x);
}

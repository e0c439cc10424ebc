/* When to stop waiting, and for whom. One timer serves a connection: what it
 * stands for is worked out from the exchange's state each time, so that no
 * deadline is forgotten when the state changes. */
#include "front/gate.h"
#include "front/guard.h"

/* However much a peer took at once, it buys no more waiting than this. */
enum { CREDIT_MAX_MS = 60000 };
enum { LOT_MS = 16 };

static int64_t credit_of(const struct patience *p, const struct timeout_settings *t)
{
	return (int64_t)t->body_grace + p->balance_ms;
}

void patience_begin(struct patience *p, uint64_t now_ms)
{
	if (p->since_ms == 0)
		p->since_ms = now_ms;
}

void patience_end(struct patience *p, const struct timeout_settings *t, uint64_t bytes, uint64_t now_ms)
{
	uint64_t moved = bytes > p->bytes ? bytes - p->bytes : 0;
	if (t->min_rate > 0)
		p->balance_ms += (int64_t)(moved < CREDIT_MAX_MS * t->min_rate / 1000 ? moved * 1000 / t->min_rate
											: CREDIT_MAX_MS);
	if (p->since_ms != 0)
		p->balance_ms -= (int64_t)(now_ms - p->since_ms);
	if (credit_of(p, t) > CREDIT_MAX_MS && p->balance_ms > 0)
		p->balance_ms = t->body_grace < CREDIT_MAX_MS ? CREDIT_MAX_MS - (int64_t)t->body_grace : 0;
	p->bytes = bytes;
	p->since_ms = 0;
}

uint64_t patience_deadline(const struct patience *p, const struct timeout_settings *t)
{
	int64_t credit_ms = credit_of(p, t);
	uint64_t left_ms = credit_ms > 0 ? (uint64_t)credit_ms : 0;
	return p->since_ms + (t->min_rate == 0 || left_ms > t->stall ? t->stall : left_ms);
}

static void sooner(struct deadline *deadline, uint64_t at_ms, enum reason reason)
{
	if (at_ms < deadline->at_ms)
		*deadline = (struct deadline){at_ms, reason};
}

/* Those that wait for the same moment would be served in the order of their timers, and the last of them never: by
 * lot each comes first at times. */
static uint64_t lot_ms(const struct exchange *x, uint64_t now_us)
{
	return ((x->id[1] ^ now_us) * UINT64_C(0x9e3779b97f4a7c15) >> 32) % LOT_MS;
}

size_t flow_hold(struct exchange *x, enum gate_way way, uint64_t until_us)
{
	x->resume_ms[way] = until_us / 1000 + 1 + lot_ms(x, loop_now_us(x->front->loop));
	x->origin_moved_ms = loop_now_ms(x->front->loop); /* its time begins when it is read again, or gets more */
	return 0;
}

/* What is not read, or sent, yet. */
static void resume(const struct exchange *x, struct deadline *deadline)
{
	for (int way = 0; way < GATE_WAYS; way++)
		if (x->resume_ms[way] != 0)
			sooner(deadline, x->resume_ms[way], REASON_UNSET);
}

static struct deadline relay_deadline(const struct exchange *x, const struct timeout_settings *t)
{
	struct deadline deadline = {UINT64_MAX, REASON_UNSET};
	uint64_t first_byte_ms = guard_waits_ms(x, t->first_byte);
	bool we_wait = flow_is_held(x, GATE_IN) || flow_is_held(x, GATE_OUT), client_waits_for_us = !we_wait;
	if (x->down_patience.since_ms != 0) {
		sooner(&deadline, patience_deadline(&x->down_patience, t), REASON_SEND_TIMEOUT);
		client_waits_for_us = false;
	}
	if (x->up_patience.since_ms != 0) {
		sooner(&deadline, patience_deadline(&x->up_patience, t), REASON_BODY_TIMEOUT);
		client_waits_for_us = false;
	}
	/* The origin is only to blame where nobody else holds it up. */
	if (client_waits_for_us && x->head_read)
		sooner(&deadline, x->origin_moved_ms + t->between_bytes, REASON_ORIGIN_STALLED);
	else if (client_waits_for_us)
		sooner(&deadline, x->origin_moved_ms + first_byte_ms, REASON_ORIGIN_TIMEOUT);
	resume(x, &deadline);
	/* The first byte of a page that is held leaves with its last. */
	if (x->page && x->page->phase == PAGE_HOLDING && !we_wait)
		sooner(&deadline, x->sent_us / 1000 + first_byte_ms, REASON_ORIGIN_TIMEOUT);
	return deadline;
}

/* One that only one side still speaks through is on its way to its end. */
static struct deadline tunnel_deadline(const struct exchange *x, const struct timeout_settings *t)
{
	bool is_ending = x->client_ended || x->origin_ended;
	uint64_t idle_ms = is_ending && t->stall < t->tunnel ? t->stall : t->tunnel;
	uint64_t since_ms = x->origin_moved_ms;
	for (int way = 0; way < GATE_WAYS; way++)
		since_ms = x->resume_ms[way] > since_ms ? x->resume_ms[way] : since_ms;
	struct deadline deadline = {since_ms + idle_ms, REASON_TUNNEL_IDLE};
	resume(x, &deadline);
	/* What it does not take occupies memory, which idleness does not. */
	if (x->up_pending.len > 0 || x->up_conduit.held > 0)
		sooner(&deadline, x->origin_moved_ms + t->between_bytes, REASON_ORIGIN_STALLED);
	if (x->down_conduit.held > 0)
		sooner(&deadline, x->origin_moved_ms + t->stall, REASON_SEND_TIMEOUT);
	if (x->down_patience.since_ms != 0)
		sooner(&deadline, patience_deadline(&x->down_patience, t), REASON_SEND_TIMEOUT);
	return deadline;
}

struct deadline exchange_deadline(const struct exchange *x)
{
	const struct timeout_settings *t = &x->front->settings->timeouts;
	struct deadline deadline = {UINT64_MAX, REASON_UNSET};
	switch (x->step) {
	case STEP_ADMIT:
		sooner(&deadline, x->visit->search->place_until_ms, REASON_EGRESS_NEW_DESTINATION);
		break;
	case STEP_RESOLVE:
		sooner(&deadline, x->visit->search->name_until_ms, REASON_ORIGIN_CONNECT_TIMEOUT);
		break;
	case STEP_COLLECT:
		if (x->collect_until_ms != 0)
			sooner(&deadline, x->collect_until_ms, REASON_UNSET);
		if (x->up_patience.since_ms != 0)
			sooner(&deadline, patience_deadline(&x->up_patience, t), REASON_BODY_TIMEOUT);
		resume(x, &deadline);
		break;
	case STEP_QUEUE:
		sooner(&deadline, x->connect_until_ms, REASON_ORIGIN_BUSY);
		break;
	case STEP_CONNECT:
		sooner(&deadline, x->attempt_until_ms, REASON_ORIGIN_CONNECT_TIMEOUT);
		break;
	case STEP_RELAY:
		return relay_deadline(x, t);
	case STEP_COPY:
		if (x->down_patience.since_ms != 0)
			sooner(&deadline, patience_deadline(&x->down_patience, t), REASON_SEND_TIMEOUT);
		resume(x, &deadline);
		break;
	case STEP_TUNNEL:
		return tunnel_deadline(x, t);
	default:
		sooner(&deadline, patience_deadline(&x->down_patience, t), REASON_SEND_TIMEOUT);
	}
	return deadline;
}

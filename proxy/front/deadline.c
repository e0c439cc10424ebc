/* When to stop waiting, and for whom. One timer serves a connection: what it
 * stands for is worked out from the exchange's state each time, so that no
 * deadline is forgotten when the state changes. */
#include "front/front.h"

uint64_t rate_deadline(const struct timeout_settings *t, uint64_t bytes, uint64_t waited_ms,
		       uint64_t since_ms)
{
	/* waited so far <= grace + the time that so many bytes may take */
	uint64_t earned_ms = t->min_rate ? bytes / t->min_rate * 1000 + bytes % t->min_rate * 1000 / t->min_rate
					 : UINT32_MAX;
	uint64_t allowed_ms = t->body_grace + earned_ms;
	uint64_t left_ms = allowed_ms > waited_ms ? allowed_ms - waited_ms : 0;
	return since_ms + (left_ms < t->stall ? left_ms : t->stall);
}

static void sooner(struct deadline *deadline, uint64_t at_ms, enum reason reason)
{
	if (at_ms < deadline->at_ms)
		*deadline = (struct deadline){at_ms, reason};
}

static struct deadline relay_deadline(const struct exchange *x, const struct timeout_settings *t)
{
	struct deadline deadline = {UINT64_MAX, REASON_UNSET};
	bool client_waits_for_us = true;
	if (x->down_since_ms != 0) {
		sooner(&deadline, rate_deadline(t, x->down_bytes, x->down_blocked_ms, x->down_since_ms),
		       REASON_SEND_TIMEOUT);
		client_waits_for_us = false;
	}
	if (x->up_since_ms != 0) {
		sooner(&deadline, rate_deadline(t, x->up_bytes, x->up_blocked_ms, x->up_since_ms),
		       REASON_BODY_TIMEOUT);
		client_waits_for_us = false;
	}
	/* The origin is only to blame where nobody else holds it up. */
	if (client_waits_for_us && x->head_sent)
		sooner(&deadline, x->origin_moved_ms + t->between_bytes, REASON_ORIGIN_STALLED);
	else if (client_waits_for_us)
		sooner(&deadline, x->origin_moved_ms + t->first_byte, REASON_ORIGIN_TIMEOUT);
	return deadline;
}

struct deadline exchange_deadline(const struct exchange *x)
{
	const struct timeout_settings *t = &x->front->settings->timeouts;
	struct deadline deadline = {UINT64_MAX, REASON_UNSET};
	switch (x->step) {
	case STEP_COLLECT:
		if (x->collect_until_ms != 0)
			sooner(&deadline, x->collect_until_ms, REASON_UNSET);
		sooner(&deadline, rate_deadline(t, x->up_bytes, x->up_blocked_ms, x->up_since_ms),
		       REASON_BODY_TIMEOUT);
		break;
	case STEP_QUEUE:
		sooner(&deadline, x->connect_until_ms, REASON_ORIGIN_BUSY);
		break;
	case STEP_CONNECT:
		sooner(&deadline, x->connect_until_ms, REASON_ORIGIN_CONNECT_TIMEOUT);
		break;
	case STEP_RELAY:
		return relay_deadline(x, t);
	default:
		sooner(&deadline, rate_deadline(t, x->down_bytes, x->down_blocked_ms, x->down_since_ms),
		       REASON_SEND_TIMEOUT);
	}
	return deadline;
}

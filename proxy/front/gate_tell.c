/* What a refusal leads to: a strike against the origin, perhaps a sentence, and news of both. */
#include "front/gate.h"

enum { FLOOD_EVERY_MS = 1000 };

void gate_tell(struct gate *gate, const struct egress_event *event)
{
	uint64_t now_ms = gate_now_ms(gate);
	egress_tell(&gate->teller, event, now_ms);
	loop_arm(gate->front->loop, &gate->tell, egress_teller_flush(&gate->teller, now_ms));
}

void gate_flush(struct timer *timer)
{
	struct gate *gate = (struct gate *)(void *)((char *)timer - offsetof(struct gate, tell));
	uint64_t next_ms = egress_teller_flush(&gate->teller, gate_now_ms(gate));
	if (next_ms != UINT64_MAX)
		loop_arm(gate->front->loop, timer, next_ms);
}

void gate_note(struct visit *visit, enum reason reason, const char *setting)
{
	struct gate_origin *origin = visit->origin;
	char target[GATE_TARGET_SIZE];
	if (reason == REASON_EGRESS_NOT_ALLOWED)
		gate_learn_asked(visit);
	gate_target(visit, target);
	atomic_fetch_add_explicit(&origin->state->gate_refused, 1, memory_order_relaxed);
	const struct egress_event event = {
	    .news = EGRESS_NEWS_REFUSED,
	    .origin = origin->policy->name,
	    .reason = reason,
	    .only_reports = !visit->is_enforced,
	    .last = target,
	    .setting = setting,
	};
	gate_tell(origin->gate, &event);
}

/* What is over a limit for a moment is held to the limit; what stays over it is an offence a second. A
 * listed destination goes on working: its limit holds, and that is all. */
static bool is_flood(struct visit *visit)
{
	struct gate_origin *origin = visit->origin;
	uint64_t now_ms = gate_now_ms(origin->gate);
	if (visit->named.kind == EGRESS_VERDICT_LISTED || now_ms < origin->flood_ms)
		return false;
	origin->flood_ms = now_ms + FLOOD_EVERY_MS;
	return true;
}

static enum egress_offence offence_of(struct visit *visit, enum reason reason)
{
	switch (reason) {
	case REASON_EGRESS_DENIED:
	case REASON_EGRESS_NOT_ALLOWED:
	case REASON_EGRESS_PRIVATE: return EGRESS_OFFENCE_FORBIDDEN;
	case REASON_EGRESS_NEW_DESTINATION: return EGRESS_OFFENCE_SCAN;
	case REASON_EGRESS_RATE: return is_flood(visit) ? EGRESS_OFFENCE_FLOOD : EGRESS_OFFENCE_UNSET;
	case REASON_EGRESS_CONNECTIONS: return is_flood(visit) ? EGRESS_OFFENCE_CONNECTIONS : EGRESS_OFFENCE_UNSET;
	default: return EGRESS_OFFENCE_UNSET;
	}
}

static void count_refusal(struct gate_origin *origin, uint64_t now_ms)
{
	if (origin->refused++ == 0)
		origin->refused_since_ms = now_ms;
}

static uint64_t length_ms(const struct egress_sentence *sentence, uint64_t now_ms)
{
	return sentence->until_ms == UINT64_MAX || sentence->until_ms < now_ms ? 0 : sentence->until_ms - now_ms;
}

static void strike(struct visit *visit, enum egress_offence offence, const char *setting)
{
	struct gate_origin *origin = visit->origin;
	struct gate *gate = origin->gate;
	char target[GATE_TARGET_SIZE];
	uint64_t now_ms = gate_now_ms(gate);
	struct egress_sentence sentence =
	    egress_strike(origin->state, &gate->law, offence, now_ms, clock_wall_us() / 1000);
	gate_target(visit, target);
	struct egress_event event = {
	    .news = sentence.is_new ? EGRESS_NEWS_QUARANTINE : EGRESS_NEWS_STRIKE,
	    .origin = origin->policy->name,
	    .offence = offence,
	    .stage = sentence.stage,
	    .length_ms = length_ms(&sentence, now_ms),
	    .count = origin->refused,
	    .counted = "refusals",
	    .within_ms = now_ms - origin->refused_since_ms,
	    .last = target,
	    .setting = setting,
	};
	gate_tell(gate, &event);
	if (!sentence.is_new)
		return;
	origin->refused = 0;
	loop_defer(gate->front->loop, &origin->judge_again);
}

/* One a second, as for floods. */
void gate_mails_too_much(struct visit *visit)
{
	struct gate_origin *origin = visit->origin;
	uint64_t now_ms = gate_now_ms(origin->gate);
	if (now_ms < origin->mail_ms)
		return;
	origin->mail_ms = now_ms + FLOOD_EVERY_MS;
	if (visit->is_enforced)
		strike(visit, EGRESS_OFFENCE_RELAY, "egress.relay_messages");
	else
		gate_note(visit, REASON_EGRESS_RATE, "egress.relay_messages");
}

void gate_refused(struct exchange *x, enum reason reason)
{
	struct visit *visit = x->visit;
	if (!visit || reason < REASON_EGRESS_CLIENT || reason > REASON_EGRESS_CONNECTIONS)
		return;
	count_refusal(visit->origin, gate_now_ms(visit->origin->gate));
	gate_note(visit, reason, x->verdict.setting);
	enum egress_offence offence = offence_of(visit, reason);
	if (visit->is_enforced && offence != EGRESS_OFFENCE_UNSET)
		strike(visit, offence, x->verdict.setting);
}

/* Tunnels to mail relays: how many begin, and how many messages pass in them. Who is over the number of
 * messages is read no faster than they may go, so that a queue that was held up all the same gets through. */
#include "front/gate.h"

enum { PIECE_BYTES = 4096 }; /* read at once: some 40 of the shortest messages */

static bool is_relay_at(const struct visit *visit, const struct addr *addr)
{
	const struct egress_policy *policy = visit->origin->gate->policy;
	const struct egress_destination at = {.addr = *addr, .is_literal = true, .port = visit->destination.port};
	return egress_is_relay(policy, &visit->destination) || egress_is_relay(policy, &at);
}

static bool is_in_time(struct visit *visit)
{
	const struct egress_rate *rate = &visit->origin->gate->policy->relay_connections;
	uint64_t *tat_us = &visit->origin->relay_tat_us, now_us = loop_now_us(visit->x->front->loop);
	uint64_t wait_us = egress_rate_wait_us(rate, *tat_us, now_us);
	if (wait_us > 0 && gate_objects(visit, REASON_EGRESS_RATE, "egress.relay_connections", NULL)) {
		visit->x->verdict.limit = rate->setting.count;
		visit->x->verdict.retry_after_s = (uint32_t)(wait_us / 1000000 + 1);
		return false;
	}
	if (wait_us == 0)
		egress_rate_use(rate, tat_us, 1, now_us);
	return true;
}

/* A request whose content is a letter to a relay that forgives the rest would be counted by nobody. */
bool gate_enter_relay(struct visit *visit, const struct addr *addr, enum reason *reason)
{
	if (visit->is_relay || !is_relay_at(visit, addr))
		return true;
	visit->is_relay = true;
	*reason = REASON_EGRESS_TARGET;
	if (!visit->is_tunnel && gate_objects(visit, *reason, "egress.relays", NULL))
		return false;
	*reason = REASON_EGRESS_RATE;
	return is_in_time(visit);
}

static void count(struct visit *visit, uint32_t messages)
{
	const struct egress_rate *rate = &visit->origin->gate->policy->relay_messages;
	uint64_t *tat_us = &visit->origin->messages_tat_us, now_us = loop_now_us(visit->x->front->loop);
	if (messages == 0)
		return;
	egress_rate_use(rate, tat_us, messages, now_us);
	if (egress_rate_wait_us(rate, *tat_us, now_us) > 0)
		gate_mails_too_much(visit);
}

void gate_hear(struct visit *visit, enum gate_way way, struct span bytes)
{
	if (way == GATE_OUT)
		count(visit, egress_mail_sent(&visit->mail, bytes));
	else
		egress_mail_answered(&visit->mail);
}

uint64_t gate_mail_held_us(const struct visit *visit, uint64_t now_us, uint64_t *room)
{
	const struct egress_rate *rate = &visit->origin->gate->policy->relay_messages;
	uint64_t ahead_us = egress_rate_wait_us(rate, visit->origin->messages_tat_us, now_us);
	if (*room > PIECE_BYTES)
		*room = PIECE_BYTES;
	return ahead_us > 0 && visit->is_enforced ? now_us + ahead_us : 0;
}

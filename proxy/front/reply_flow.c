/* Bytes a second that one visitor gets of one site (shield.throttle.reply_rate), over all connections and
 * workers: counted in the throttle's table as they go out, and kept to by not reading the origin, and
 * by not sending what is ready here. What has to wait is taken up by the exchange's timer; nobody is to blame
 * for that wait. */
#include "front/front.h"

void reply_flow_begin(struct exchange *x)
{
	const struct throttle_policy *policy = &x->subject.site->shield_policy.throttle;
	if (policy->reply_rate == 0)
		return;
	x->reply.rate = admission_reply_rate(policy, &x->visitor, (int)x->subject.mode);
	if (x->reply.rate)
		x->reply.who = throttle_client_of(x->front->throttle, policy->site, addr_client_key(&x->visitor),
						  loop_now_us(x->front->loop));
}

size_t reply_flow_room(struct exchange *x, size_t wanted)
{
	uint64_t now_us = loop_now_us(x->front->loop);
	const struct throttle_allowance allowed = throttle_charge(&x->reply.who, x->reply.rate, 0, now_us);
	if (allowed.bytes == 0)
		return flow_hold(x, GATE_IN, now_us + allowed.wait_us);
	x->resume_ms[GATE_IN] = 0;
	return allowed.bytes < wanted ? (size_t)allowed.bytes : wanted;
}

void reply_flow_charge(struct exchange *x, size_t bytes)
{
	(void)throttle_charge(&x->reply.who, x->reply.rate, bytes, loop_now_us(x->front->loop));
}

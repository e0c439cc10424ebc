/* Bytes a second that one visitor gets of one site (shield.throttle.reply_rate), over all connections and
 * workers: counted in the throttle's table as they go out, and kept to by not reading the origin, and
 * by not sending what is ready here. What has to wait is taken up by the exchange's timer; nobody is to blame
 * for that wait. */
#include "front/front.h"

enum { LOT_MS = 16 };

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

/* Connections of one client that wait for the same moment would be served in the order of their timers, and the
 * last of them never: by lot each comes first at times. */
static uint64_t lot_ms(const struct exchange *x, uint64_t now_us)
{
	return ((x->id[1] ^ now_us) * UINT64_C(0x9e3779b97f4a7c15) >> 32) % LOT_MS;
}

size_t reply_flow_room(struct exchange *x, size_t wanted)
{
	uint64_t now_us = loop_now_us(x->front->loop);
	const struct throttle_allowance allowed = throttle_charge(&x->reply.who, x->reply.rate, 0, now_us);
	x->reply.resume_ms = 0;
	if (allowed.bytes > 0)
		return allowed.bytes < wanted ? (size_t)allowed.bytes : wanted;
	x->reply.resume_ms = (now_us + allowed.wait_us) / 1000 + 1 + lot_ms(x, now_us);
	x->origin_moved_ms = now_us / 1000; /* its time begins when it is read again */
	return 0;
}

void reply_flow_charge(struct exchange *x, size_t bytes)
{
	(void)throttle_charge(&x->reply.who, x->reply.rate, bytes, loop_now_us(x->front->loop));
}

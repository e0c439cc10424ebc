/* CONNECT: once the connection stands the client is told so, and from there on bytes pass both ways, as
 * through any tunnel. What it sent before it was told goes first, in order: it is content of the tunnel now. Where
 * there is no tunnel the connection ends with the answer, so that none of it is ever taken for a request. */
#include "front/gate.h"

enum step_result step_open(struct exchange *x)
{
	struct front *f = x->front;
	struct iovec iov = {(char *)HTTP_TUNNEL_OPEN, sizeof(HTTP_TUNNEL_OPEN) - 1};
	x->connected_us = x->sent_us = x->first_byte_us = loop_now_us(f->loop);
	x->origin_moved_ms = loop_now_ms(f->loop);
	x->status = 200;
	x->close = x->head_sent = true;
	x->up_pending = x->client->in;
	x->client->in = (struct hold){0};
	x->up_bytes = x->up_pending.len;
	if (x->visit->is_relay)
		gate_hear(x->visit, GATE_OUT, span_of(hold_ptr(&x->up_pending), x->up_pending.len));
	stat_add(&f->stats->tunnels, 1);
	x->step = STEP_TUNNEL;
	if (x->client->is_mute)
		return STEP_MORE;
	return client_send(x, &iov, 1) ? STEP_MORE : exchange_refuse(x, REASON_CLIENT_GONE);
}

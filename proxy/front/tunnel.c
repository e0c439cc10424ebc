/* A connection whose protocol was changed (RFC 9110 section 7.8): after a handshake that
 * both sides agreed to, bytes pass both ways and nobody here reads them. Only where the
 * route allows it, and only WebSocket, whose handshake proves that the origin understood this
 * very request. What one side does not take keeps the other from being read; a side that ends
 * lets the other know; a tunnel through which nothing passes for long is ended. */
#include "front/gate.h"
#include "sallyport/websocket.h"

enum { READS_PER_TURN = 16 };

bool tunnel_judge(struct exchange *x)
{
	enum websocket_ask ask = judge_upgrade(&x->request, &x->subject);
	x->upgrade = ask == WEBSOCKET_ASKED;
	return ask != WEBSOCKET_MALFORMED;
}

static bool refuse(enum reason *reason, enum reason what)
{
	*reason = what;
	return false;
}

static void moved(struct exchange *x)
{
	x->origin_moved_ms = loop_now_ms(x->front->loop);
}

bool tunnel_open(struct exchange *x, struct http_head *head, const char *data, size_t len, enum reason *reason)
{
	struct front *f = x->front;
	if (!x->upgrade)
		return refuse(reason, REASON_ORIGIN_INTERIM);
	if (!x->up_sent || !http_mark_hop_by_hop(head, reason) || !websocket_response(&x->request, head))
		return refuse(reason, REASON_ORIGIN_UPGRADE);
	/* Sent before there was an answer, it is the next request to some and content of the tunnel to others. */
	struct stream *client = &x->client->stream;
	if (x->client->in.len > 0 || (client->readable && !client->peer_closed && !client->ops->is_silent(client)))
		return refuse(reason, REASON_UPGRADE_INVALID);
	struct http_forward_response forward = {
	    .head = head, .upgrade = true, .framing = HTTP_FRAMING_NONE, .client_version = HTTP_1_1};
	size_t head_len = http_forward_response(&forward, f->out, sizeof(f->out));
	if (head_len == 0)
		return refuse(reason, REASON_ORIGIN_HEAD_TOO_LARGE);
	struct iovec iov[2] = {{f->out, head_len}, {(char *)data, len}};
	origin_succeeded(x->claim.conn->origin);
	x->first_byte_us = loop_now_us(f->loop);
	x->status = head->status;
	x->close = x->head_sent = true;
	x->down_bytes = len;
	reply_passed(x, head_len + len);
	x->step = STEP_TUNNEL;
	concurrency_end(x);
	stat_add(&f->stats->tunnels, 1);
	moved(x);
	return client_send(x, iov, 2) || refuse(reason, REASON_CLIENT_GONE);
}

/* What the origin did not take yet. */
static bool flush_up(struct exchange *x)
{
	while (x->up_pending.len > 0 && x->claim.conn->stream.writable) {
		struct iovec iov = {hold_ptr(&x->up_pending), x->up_pending.len};
		ssize_t n = stream_writev(&x->claim.conn->stream, &iov, 1);
		if (n == STREAM_AGAIN)
			break;
		if (n < 0)
			return false;
		hold_consume(&x->up_pending, &x->front->memory, (size_t)n);
		moved(x);
	}
	return true;
}

static bool send_up(struct exchange *x, const char *data, size_t len)
{
	struct iovec iov = {(char *)data, len};
	ssize_t n = stream_writev(&x->claim.conn->stream, &iov, 1);
	size_t taken = n > 0 ? (size_t)n : 0;
	x->up_bytes += len;
	return n != STREAM_ERROR && hold_add(&x->up_pending, &x->front->memory, data + taken, len - taken);
}

static bool send_down(struct exchange *x, const char *data, size_t len)
{
	struct iovec iov = {(char *)data, len};
	x->down_bytes += len;
	reply_passed(x, len);
	return client_send(x, &iov, 1);
}

struct direction {
	enum gate_way way;
	struct stream *from, *to;
	bool (*flush)(struct exchange *x);
	bool (*send)(struct exchange *x, const char *data, size_t len);
	const struct hold *pending;
	struct conduit *conduit;
	uint64_t *bytes;
	bool *ended; /* `from` sends no more, and `to` was told */
	enum reason read_failed, write_failed;
};

static enum pump fail(enum reason *reason, enum reason what)
{
	*reason = what;
	return PUMP_FAIL;
}

static enum pump end(const struct direction *d)
{
	*d->ended = true;
	d->to->ops->shutdown(d->to);
	return PUMP_END;
}

/* By a pipe while there is plenty; the pipe goes back when it has run dry. */
static enum pump splice_some(struct exchange *x, const struct direction *d, size_t room, enum reason *reason)
{
	struct stream *failed = NULL;
	uint64_t read = 0, written = 0;
	enum pump result = conduit_pass(d->conduit, d->from, d->to, room, &read, &written, &failed);
	*d->bytes += read;
	flow_has_read(x, d->way, (size_t)read);
	if (d->way == GATE_IN)
		reply_passed(x, (size_t)read);
	if (read + written > 0)
		moved(x);
	if (result == PUMP_FAIL)
		return fail(reason, failed == d->from ? d->read_failed : d->write_failed);
	if (result == PUMP_END)
		return end(d);
	if (result == PUMP_WAIT && d->conduit->held == 0)
		conduit_close(x->front, d->conduit);
	return result;
}

static bool may_splice(const struct direction *d, ssize_t n)
{
	return n == FRONT_READ_BYTES && d->pending->len == 0 && d->from->ops->can_splice && d->to->ops->can_splice;
}

static enum pump read_some(struct exchange *x, const struct direction *d, size_t room, enum reason *reason)
{
	struct front *f = x->front;
	ssize_t n = stream_read(d->from, f->in, room < sizeof(f->in) ? room : sizeof(f->in));
	if (n == STREAM_AGAIN)
		return PUMP_WAIT;
	if (n == STREAM_ERROR)
		return fail(reason, d->read_failed);
	moved(x);
	if (n == STREAM_EOF)
		return end(d);
	flow_has_read(x, d->way, (size_t)n);
	if (flow_is_heard(x))
		gate_hear(x->visit, d->way, span_of(f->in, (size_t)n));
	if (!d->send(x, f->in, (size_t)n))
		return fail(reason, d->write_failed);
	if (may_splice(d, n) && !flow_is_heard(x) && !conduit_open(f, d->conduit))
		*d->conduit = (struct conduit){0};
	return PUMP_AGAIN;
}

/* Waits while `to` has not taken what there is. */
static enum pump pass(struct exchange *x, const struct direction *d, enum reason *reason)
{
	for (int i = 0; i < READS_PER_TURN; i++) {
		if (!d->flush(x))
			return fail(reason, d->write_failed);
		if (d->pending->len > 0 || *d->ended)
			return *d->ended && d->pending->len == 0 ? PUMP_END : PUMP_WAIT;
		if (!d->from->readable && d->conduit->held == 0)
			return PUMP_WAIT;
		size_t room = flow_may_read(x, d->way, FLOW_SPLICE_BYTES);
		if (room == 0 && d->conduit->held == 0)
			return PUMP_WAIT;
		enum pump result = d->conduit->read_fd ? splice_some(x, d, room, reason)
						       : read_some(x, d, room, reason);
		if (result != PUMP_AGAIN)
			return result;
	}
	return PUMP_AGAIN;
}

static enum step_result both_ended(struct exchange *x)
{
	/* Both ended in order: closed, not reset, lest the last bytes are lost. */
	x->origin_reusable = x->up_sent = true;
	x->up_read = true;
	x->step = STEP_END;
	return STEP_MORE;
}

enum step_result step_tunnel(struct exchange *x)
{
	struct stream *client = &x->client->stream, *origin = &x->claim.conn->stream;
	const struct direction up = {GATE_OUT, client, origin, flush_up, send_up, &x->up_pending, &x->up_conduit,
				     &x->up_bytes, &x->client_ended, REASON_CLIENT_GONE, REASON_ORIGIN_TRUNCATED};
	const struct direction down = {GATE_IN, origin, client, client_flush, send_down, &x->down_pending, &x->down_conduit,
				       &x->down_bytes, &x->origin_ended, REASON_ORIGIN_TRUNCATED, REASON_CLIENT_GONE};
	enum reason reason = REASON_UNSET;
	if (x->visit && gate_is_cut(x))
		return exchange_refuse(x, REASON_EGRESS_QUARANTINED);
	enum pump went_up = pass(x, &up, &reason);
	enum pump went_down = went_up == PUMP_FAIL ? PUMP_FAIL : pass(x, &down, &reason);
	if (x->visit)
		gate_count(x);
	if (went_down == PUMP_FAIL)
		return exchange_refuse(x, reason);
	if (went_up == PUMP_END && went_down == PUMP_END)
		return both_ended(x);
	if (went_up == PUMP_AGAIN || went_down == PUMP_AGAIN)
		loop_defer(x->front->loop, &x->client->again);
	return STEP_WAIT;
}

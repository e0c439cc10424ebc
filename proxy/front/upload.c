/* Content on its way from the client to the origin. Small content is collected
 * first, so that a slow sender occupies no origin, and content that is looked into (inspect.c), so that the
 * origin gets nothing of what is refused. Whatever does not fit there, or comes steadily but not soon, streams. Chunked content is decoded, checked
 * and framed anew. */
#include <string.h>

#include "front/front.h"

enum { READS_PER_TURN = 16, COLLECTS_PER_TURN = 4 };

static const struct settings *settings_of(const struct exchange *x)
{
	return x->front->settings;
}

/* From here on it is the client that lets us wait, or no longer: then the
 * origin's time begins. */
static void client_owes(struct exchange *x, bool owes)
{
	uint64_t now_ms = loop_now_ms(x->front->loop);
	if (owes) {
		patience_begin(&x->up_patience, now_ms);
	} else if (x->up_patience.since_ms != 0) {
		patience_end(&x->up_patience, &settings_of(x)->timeouts, x->up_bytes, now_ms);
		x->origin_moved_ms = now_ms;
	}
}

/* Content whose length was not said beforehand turns out to be too long. True: it is to be refused, by
 * exchange_refuse(), which completes the verdict. Where the site only watches, the verdict says what would have
 * been done. */
static bool is_over_limit(struct exchange *x)
{
	const struct shield_settings *shield = &x->subject.site->shield_settings;
	const bool enforced = x->subject.mode == SHIELD_ENFORCE;
	if (shield->limits.body == 0 || x->up_bytes <= shield->limits.body || x->subject.mode == SHIELD_OFF ||
	    (!enforced && x->verdict.reason != REASON_UNSET))
		return false;
	x->verdict = (struct verdict){.action = enforced ? VERDICT_ALLOW : VERDICT_REJECT,
				      .reason = enforced ? REASON_UNSET : REASON_CONTENT_TOO_LARGE,
				      .enforced = enforced,
				      .setting = "sites[].shield.limits.body",
				      .limit = shield->limits.body,
				      .value = x->up_bytes};
	if (enforced)
		return true;
	shield_answer(x->subject.site->shield, &x->verdict);
	stat_add(&x->front->stats->reasons[REASON_CONTENT_TOO_LARGE], 1);
	return false;
}

/* Decodes what was read, in place: *len becomes the length of the content, and
 * *used how many bytes of the coding it took. */
static enum pump decode(struct exchange *x, char *buf, size_t *len, size_t *used, enum reason *reason)
{
	if (x->request.framing == HTTP_FRAMING_LENGTH) {
		if (*len > x->up_left)
			*len = (size_t)x->up_left;
		*used = *len;
		x->up_left -= *len;
		x->up_read = x->up_left == 0;
	} else {
		enum http_parse result = http_chunked_decode(&x->up_coding, buf, len, used, reason);
		if (result == HTTP_PARSE_BAD)
			return PUMP_FAIL;
		x->up_read = result == HTTP_PARSE_DONE;
	}
	x->up_bytes += *len;
	if (is_over_limit(x)) {
		*reason = REASON_CONTENT_TOO_LARGE;
		return PUMP_FAIL;
	}
	return PUMP_AGAIN;
}

/* Bytes of the client that belong to what follows the piece stay in, or go to, its hold. */
static enum pump read_content(struct exchange *x, char **data, size_t *len, enum reason *reason)
{
	struct client *c = x->client;
	struct front *f = x->front;
	size_t used = 0, had;
	*data = f->in;
	if (c->in.len > 0) {
		had = *len = c->in.len < sizeof(f->in) ? c->in.len : sizeof(f->in);
		memcpy(f->in, hold_ptr(&c->in), had);
		enum pump result = decode(x, f->in, len, &used, reason);
		if (result != PUMP_FAIL)
			hold_consume(&c->in, &f->memory, used);
		return result;
	}
	if (!c->stream.readable)
		return PUMP_WAIT;
	size_t room = flow_may_read(x, GATE_OUT, sizeof(f->in));
	if (room == 0)
		return PUMP_WAIT;
	ssize_t n = stream_read(&c->stream, f->in, room);
	if (n == STREAM_AGAIN)
		return PUMP_WAIT;
	if (n < 0) {
		*reason = REASON_CLIENT_GONE;
		return PUMP_FAIL;
	}
	had = *len = (size_t)n;
	flow_has_read(x, GATE_OUT, had);
	enum pump result = decode(x, f->in, len, &used, reason);
	if (result != PUMP_FAIL && !hold_add(&c->in, &f->memory, f->in + used, had - used)) {
		x->close = true; /* a part of what follows is lost */
		*reason = REASON_OVERLOAD;
		return PUMP_FAIL;
	}
	return result;
}

/* The next piece of content, looked into: *data and *len, valid until the next call. WAIT: none now. */
static enum pump next_content(struct exchange *x, char **data, size_t *len, enum reason *reason)
{
	enum pump result = read_content(x, data, len, reason);
	return result != PUMP_AGAIN || inspect_piece(x, *data, *len, reason) ? result : PUMP_FAIL;
}

/* The client waits for permission to send (RFC 9110 section 10.1.1). */
static bool say_continue(struct exchange *x)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	if (!x->request.expect_continue || x->continued || x->up_bytes > 0 || x->client->in.len > 0)
		return true;
	x->continued = true;
	struct iovec iov = {(char *)text, sizeof(text) - 1};
	return client_send(x, &iov, 1);
}

/* Content that is looked into is held to its end. Where that may stream, it is held until it is known to be
 * larger; a length that says so is believed. */
static bool is_held(const struct exchange *x)
{
	return x->inspect_hold > 0 &&
	       !(x->inspect_streams && x->request.framing == HTTP_FRAMING_LENGTH &&
		 x->request.content_length > x->inspect_hold);
}

static uint64_t collect_bytes(const struct exchange *x)
{
	if (!is_held(x))
		return settings_of(x)->quotas.collect_bytes;
	return x->inspect_streams ? x->inspect_hold : UINT64_MAX;
}

/* Enough was collected, or enough time was spent on it while it flowed well. */
static bool should_stream(const struct exchange *x)
{
	uint64_t now_ms = loop_now_ms(x->front->loop);
	if (x->up_bytes >= collect_bytes(x))
		return true;
	if (is_held(x) || x->collect_until_ms == 0 || now_ms < x->collect_until_ms)
		return false;
	uint64_t spent_ms = now_ms - x->head_us / 1000;
	return x->up_bytes * 1000 >= settings_of(x)->timeouts.min_rate * spent_ms;
}

static enum step_result collected(struct exchange *x)
{
	client_owes(x, false);
	x->step = STEP_ORIGIN;
	return STEP_MORE;
}

/* Content that came with the head and is nothing but content need not be copied. */
static bool take_over(struct exchange *x, enum reason *reason)
{
	struct hold *in = &x->client->in;
	if (x->request.framing != HTTP_FRAMING_LENGTH || x->body.len > 0 || in->len == 0 || in->len > x->up_left)
		return true;
	x->body = *in;
	*in = (struct hold){0};
	x->up_left -= x->body.len;
	x->up_bytes += x->body.len;
	x->up_read = x->up_left == 0;
	return inspect_piece(x, hold_ptr(&x->body), x->body.len, reason);
}

/* As far as the client has sent it, and others may wait. */
static enum pump collect(struct exchange *x, enum reason *reason)
{
	for (int i = 0; !x->up_read && x->up_bytes < collect_bytes(x); i++) {
		char *data;
		size_t len;
		if (i == COLLECTS_PER_TURN)
			return PUMP_AGAIN;
		enum pump result = next_content(x, &data, &len, reason);
		if (result != PUMP_AGAIN)
			return result;
		client_owes(x, false);
		if (!hold_add(&x->body, &x->front->memory, data, len)) {
			*reason = REASON_OVERLOAD;
			return PUMP_FAIL;
		}
	}
	return PUMP_END;
}

enum step_result step_collect(struct exchange *x)
{
	struct front *f = x->front;
	enum reason reason = REASON_UNSET;
	if (!say_continue(x) || !client_flush(x)) {
		exchange_refuse(x, REASON_CLIENT_GONE);
		return STEP_MORE;
	}
	if (x->collect_until_ms == 0)
		x->collect_until_ms = loop_now_ms(f->loop) + settings_of(x)->timeouts.collect;
	enum pump result = take_over(x, &reason) ? collect(x, &reason) : PUMP_FAIL;
	if (result == PUMP_FAIL) {
		x->close = true; /* what was not understood is still there */
		return exchange_refuse(x, reason);
	}
	if (result == PUMP_AGAIN) {
		loop_defer(f->loop, &x->client->again);
		return STEP_WAIT;
	}
	if (x->up_read || should_stream(x))
		return collected(x);
	if (loop_now_ms(f->loop) >= x->collect_until_ms)
		x->collect_until_ms = loop_now_ms(f->loop) + settings_of(x)->timeouts.collect;
	client_owes(x, true);
	return STEP_WAIT;
}

static enum pump broken(struct exchange *x)
{
	/* It may have answered already, and refused the rest (RFC 9112 section 9.5). */
	x->up_broken = true;
	x->close = true;
	client_owes(x, false);
	return PUMP_WAIT;
}

/* Writes a piece to the origin in the framing it was promised. */
static enum pump give(struct exchange *x, const char *data, size_t len, enum reason *reason)
{
	char chunk[HTTP_CHUNK_HEAD_SIZE];
	struct iovec iov[4];
	int n = 0;
	if (x->up_framing == HTTP_FRAMING_CHUNKED) {
		if (len > 0) {
			iov[n++] = (struct iovec){chunk, http_chunk_head(len, chunk)};
			iov[n++] = (struct iovec){(char *)data, len};
			iov[n++] = (struct iovec){"\r\n", 2};
		}
		if (x->up_read)
			iov[n++] = (struct iovec){"0\r\n\r\n", 5};
	} else if (len > 0) {
		iov[n++] = (struct iovec){(char *)data, len};
	}
	if (n == 0)
		return PUMP_AGAIN;
	ssize_t sent = stream_writev(&x->claim.conn->stream, iov, n);
	if (sent == STREAM_ERROR)
		return broken(x);
	size_t skip = sent > 0 ? (size_t)sent : 0;
	if (skip > 0)
		x->origin_moved_ms = loop_now_ms(x->front->loop);
	for (int i = 0; i < n; i++) {
		size_t taken = skip < iov[i].iov_len ? skip : iov[i].iov_len;
		if (!hold_add(&x->up_pending, &x->front->memory, (char *)iov[i].iov_base + taken,
			      iov[i].iov_len - taken)) {
			*reason = REASON_OVERLOAD;
			return PUMP_FAIL;
		}
		skip -= taken;
	}
	return PUMP_AGAIN;
}

/* False: the origin takes no more. */
static bool flush_to_origin(struct exchange *x)
{
	struct hold *pending = &x->up_pending;
	while (pending->len > 0) {
		struct iovec iov = {hold_ptr(pending), pending->len};
		ssize_t n = stream_writev(&x->claim.conn->stream, &iov, 1);
		if (n == STREAM_AGAIN)
			return true;
		if (n < 0)
			return false;
		x->origin_moved_ms = loop_now_ms(x->front->loop);
		hold_consume(pending, &x->front->memory, (size_t)n);
	}
	return true;
}

static bool may_splice(const struct exchange *x)
{
	uint64_t limit = x->subject.site->shield_settings.limits.body;
	return x->up_framing == HTTP_FRAMING_LENGTH && x->client->in.len == 0 &&
	       x->up_left >= CONDUIT_MIN_BYTES && x->client->stream.ops->can_splice &&
	       x->claim.conn->stream.ops->can_splice &&
	       x->inspect_hold == 0 && (limit == 0 || x->request.content_length <= limit);
}

static enum pump splice_up(struct exchange *x, enum reason *reason)
{
	struct stream *failed = NULL, *from = &x->client->stream, *to = &x->claim.conn->stream;
	uint64_t moved = 0, before = x->up_left;
	size_t room = flow_may_read(x, GATE_OUT, FLOW_SPLICE_BYTES);
	enum pump result = conduit_pump(&x->up_conduit, from, to, &x->up_left, room, &moved, &failed);
	x->up_bytes += moved;
	flow_has_read(x, GATE_OUT, (size_t)(before - x->up_left));
	if (moved > 0)
		x->origin_moved_ms = loop_now_ms(x->front->loop);
	if (result == PUMP_FAIL && failed == to)
		return broken(x);
	if (result == PUMP_FAIL) {
		*reason = REASON_CLIENT_GONE;
		return PUMP_FAIL;
	}
	if (result == PUMP_END)
		x->up_read = x->up_sent = true;
	if (moved > 0)
		client_owes(x, false);
	client_owes(x, result == PUMP_WAIT && x->up_conduit.held == 0 && !flow_is_held(x, GATE_OUT));
	return result;
}

enum pump upload_pump(struct exchange *x, enum reason *reason)
{
	if (!flush_to_origin(x))
		return broken(x);
	for (int i = 0; i < READS_PER_TURN; i++) {
		if (x->up_pending.len > 0) {
			client_owes(x, false);
			return PUMP_WAIT;
		}
		if (x->up_read) {
			x->up_sent = true;
			client_owes(x, false);
			return PUMP_END;
		}
		if (flow_may_read(x, GATE_OUT, 1) == 0 && x->up_conduit.held == 0) {
			client_owes(x, false);
			return PUMP_WAIT;
		}
		if (x->up_conduit.read_fd || (may_splice(x) && conduit_open(x->front, &x->up_conduit)))
			return splice_up(x, reason);
		char *data;
		size_t len;
		enum pump result = next_content(x, &data, &len, reason);
		client_owes(x, result == PUMP_WAIT);
		if (result == PUMP_AGAIN)
			result = give(x, data, len, reason);
		if (result != PUMP_AGAIN)
			return result;
	}
	return PUMP_AGAIN;
}

/* A response on its way from the origin to the client. The head is parsed as
 * strictly as a request's and written anew; content is measured, decoded and
 * framed anew. What is read goes on at once: head and first bytes in one write.
 * While the client does not take what there is, the origin is not read. */
#include <string.h>

#include "front/guard.h"

enum { READS_PER_TURN = 16, INTERIM_MAX = 16, SMALL_BYTES = 4096 };

static uint64_t now_ms(const struct exchange *x)
{
	return loop_now_ms(x->front->loop);
}

/* Bytes that have arrived, at least. What the kernel took has not: it may hold megabytes. */
static uint64_t taken_by_client(const struct exchange *x)
{
	uint64_t behind = x->down_pending.len + stream_unacknowledged(&x->client->stream);
	return behind < x->down_bytes ? x->down_bytes - behind : 0;
}

/* From here on it is the client that lets us wait, or no longer. What it took before earns it patience, too. */
static void client_blocks(struct exchange *x, bool blocks)
{
	bool waited = x->down_patience.since_ms != 0;
	if (!waited && !blocks)
		return;
	patience_end(&x->down_patience, &x->front->settings->timeouts, taken_by_client(x), now_ms(x));
	if (waited)
		x->origin_moved_ms = now_ms(x);
	if (blocks)
		patience_begin(&x->down_patience, now_ms(x));
}

bool client_takes(struct exchange *x)
{
	struct patience *patience = &x->down_patience;
	bool waits = patience->since_ms != 0;
	uint64_t taken = taken_by_client(x);
	if (taken <= patience->bytes)
		return false;
	patience_end(patience, &x->front->settings->timeouts, taken, now_ms(x));
	if (waits)
		patience_begin(patience, now_ms(x));
	x->origin_moved_ms = now_ms(x);
	return true;
}

bool client_send(struct exchange *x, const struct iovec *iov, int n)
{
	struct hold *pending = &x->down_pending;
	size_t skip = 0;
	if (pending->len == 0) {
		ssize_t sent = stream_writev(&x->client->stream, iov, n);
		if (sent == STREAM_ERROR)
			return false;
		skip = sent > 0 ? (size_t)sent : 0;
	}
	for (int i = 0; i < n; i++) {
		size_t taken = skip < iov[i].iov_len ? skip : iov[i].iov_len;
		if (!hold_add(pending, &x->front->memory, (char *)iov[i].iov_base + taken,
			      iov[i].iov_len - taken))
			return false;
		skip -= taken;
	}
	if (pending->len > 0 && x->down_patience.since_ms == 0)
		client_blocks(x, true);
	return true;
}

bool client_flush(struct exchange *x)
{
	struct hold *pending = &x->down_pending;
	while (pending->len > 0 && x->client->stream.writable) {
		struct iovec iov = {hold_ptr(pending), pending->len};
		ssize_t n = stream_writev(&x->client->stream, &iov, 1);
		if (n == STREAM_AGAIN)
			break;
		if (n < 0)
			return false;
		hold_consume(pending, &x->front->memory, (size_t)n);
		client_blocks(x, pending->len > 0);
	}
	return true;
}

static enum pump fail(enum reason *reason, enum reason what)
{
	*reason = what;
	return PUMP_FAIL;
}

/* How the content comes. */
static void frame_origin(struct exchange *x, const struct http_head *head)
{
	x->down_framing = head->framing;
	x->down_left = head->framing == HTTP_FRAMING_LENGTH ? head->content_length : 0;
	x->down_read = head->framing == HTTP_FRAMING_NONE ||
		       (head->framing == HTTP_FRAMING_LENGTH && head->content_length == 0);
	x->origin_reusable = !head->close && head->framing != HTTP_FRAMING_CLOSE;
}

/* How it goes to the client. */
static void frame_client(struct exchange *x, const struct http_head *head)
{
	bool old = x->request.version == HTTP_1_0;
	if (head->framing == HTTP_FRAMING_CHUNKED || head->framing == HTTP_FRAMING_CLOSE)
		x->client_framing = old ? HTTP_FRAMING_CLOSE : HTTP_FRAMING_CHUNKED;
	else
		x->client_framing = head->framing;
	if (x->client_framing == HTTP_FRAMING_CLOSE || (!x->up_sent && x->step == STEP_RELAY) ||
	    client_is_last(x->client))
		x->close = true;
}

static size_t write_head(struct exchange *x, struct http_head *head)
{
	struct front *f = x->front;
	const struct response_policy *policy = &x->subject.site->response;
	bool has_length = http_find(head, HTTP_FIELD_CONTENT_LENGTH).ptr != NULL;
	response_policy_remove(policy, head);
	if (x->guard_enforces)
		redirects_drop_alternatives(head);
	struct http_forward_response forward = {
	    .head = head,
	    .framing = (enum http_framing)x->client_framing,
	    .say_length = head->framing == HTTP_FRAMING_NONE && has_length,
	    .content_length = head->content_length,
	    .close = x->close,
	    .via = x->visit != NULL,
	    .client_version = (enum http_version)x->request.version,
	    .date = front_date(f),
	    .added = policy->added,
	    .added_count = policy->added_count,
	    .hsts = hsts_of(x),
	};
	return http_forward_response(&forward, f->out, sizeof(f->out));
}

size_t response_head(struct exchange *x, struct http_head *head)
{
	frame_client(x, head);
	return write_head(x, head);
}

/* 1xx: passed on to clients that know it; nothing else changes. What belongs to a page that is held
 * would tell of it before it is judged. */
static enum pump pass_interim(struct exchange *x, struct http_head *head, enum reason *reason)
{
	if (++x->interim > INTERIM_MAX)
		return fail(reason, REASON_ORIGIN_INTERIM);
	if (!http_mark_hop_by_hop(head, reason))
		return fail(reason, REASON_ORIGIN_HEAD);
	if (x->request.version == HTTP_1_0 || (head->status == 100 && x->continued) || guard_will_hold(x))
		return PUMP_AGAIN;
	struct http_forward_response forward = {
	    .head = head, .framing = HTTP_FRAMING_NONE, .client_version = HTTP_1_1};
	size_t len = http_forward_response(&forward, x->front->out, sizeof(x->front->out));
	struct iovec iov = {x->front->out, len};
	if (len == 0)
		return fail(reason, REASON_ORIGIN_HEAD_TOO_LARGE);
	if (!client_send(x, &iov, 1))
		return fail(reason, REASON_CLIENT_GONE);
	return PUMP_AGAIN;
}

static enum pump final_head(struct exchange *x, struct http_head *head, size_t *head_len,
			    enum reason *reason)
{
	if (!http_mark_hop_by_hop(head, reason))
		return fail(reason, REASON_ORIGIN_HEAD);
	origin_succeeded(x->claim.conn->origin);
	x->first_byte_us = loop_now_us(x->front->loop);
	x->head_read = true;
	frame_origin(x, head);
	x->status = head->status;
	if (x->login.rule)
		login_has_reply(x, head);
	if (x->page) {
		enum pump guarded = guard_head(x, head, head_len, reason);
		if (guarded != PUMP_AGAIN)
			return guarded;
	}
	*head_len = response_head(x, head);
	return *head_len > 0 ? PUMP_END : fail(reason, REASON_ORIGIN_HEAD_TOO_LARGE);
}

/* Takes the content out of what was read: in place, *len becomes its length.
 * Sets down_read at the end; *extra: bytes behind the end. */
static enum pump decode(struct exchange *x, char *buf, size_t *len, bool *extra, enum reason *reason)
{
	size_t had = *len, used = had;
	switch (x->down_framing) {
	case HTTP_FRAMING_LENGTH:
		if (*len > x->down_left)
			*len = (size_t)x->down_left;
		used = *len;
		x->down_left -= *len;
		x->down_read = x->down_left == 0;
		break;
	case HTTP_FRAMING_CHUNKED:
		switch (http_chunked_decode(&x->down_coding, buf, len, &used, reason)) {
		case HTTP_PARSE_BAD: return fail(reason, REASON_ORIGIN_CHUNK);
		case HTTP_PARSE_DONE: x->down_read = true; break;
		default: break;
		}
		break;
	case HTTP_FRAMING_CLOSE:
		break;
	default:
		*len = used = 0;
	}
	*extra = used < had;
	return PUMP_AGAIN;
}

/* Sends a head (where head_len > 0, in front->out) and a piece of content. */
static bool send_piece(struct exchange *x, size_t head_len, const char *data, size_t len)
{
	char chunk[HTTP_CHUNK_HEAD_SIZE];
	struct iovec iov[5];
	int n = 0;
	bool chunked = x->client_framing == HTTP_FRAMING_CHUNKED;
	if (head_len > 0)
		iov[n++] = (struct iovec){x->front->out, head_len};
	if (len > 0 && chunked)
		iov[n++] = (struct iovec){chunk, http_chunk_head(len, chunk)};
	if (len > 0)
		iov[n++] = (struct iovec){(char *)data, len};
	if (len > 0 && chunked)
		iov[n++] = (struct iovec){"\r\n", 2};
	if (x->down_read && chunked)
		iov[n++] = (struct iovec){"0\r\n\r\n", 5};
	x->down_bytes += len;
	reply_passed(x, head_len + len);
	/* One buffer is cheaper to send than two, as long as copying is. */
	if (n == 2 && !chunked && head_len > 0 && head_len < FRONT_HEAD_BYTES - SMALL_BYTES && len <= SMALL_BYTES) {
		memcpy(x->front->out + head_len, data, len);
		iov[0].iov_len += len;
		n = 1;
	}
	return n == 0 || client_send(x, iov, n);
}

bool response_send(struct exchange *x, size_t head_len, struct span piece)
{
	if (head_len > 0)
		x->head_sent = true;
	return send_piece(x, head_len, piece.ptr, piece.len);
}

/* Content that was read into buf, with the head before it where there is one. */
static enum pump pass_content(struct exchange *x, size_t head_len, char *buf, size_t len,
			      enum reason *reason)
{
	bool extra = false;
	if (decode(x, buf, &len, &extra, reason) == PUMP_FAIL)
		return PUMP_FAIL;
	if (extra) {
		/* What stands behind a response belongs to nobody. */
		x->origin_reusable = false;
		x->verdict.reason = REASON_ORIGIN_EXTRA;
		stat_add(&x->front->stats->reasons[REASON_ORIGIN_EXTRA], 1);
	}
	if (guard_holds(x))
		return guard_hold(x, buf, len, reason);
	if (x->page)
		guard_watch(x, buf, len);
	return response_send(x, head_len, span_of(buf, len)) ? PUMP_AGAIN : fail(reason, REASON_CLIENT_GONE);
}

/* Parses heads in buf until a final one, then passes what stands behind it. */
static enum pump take_heads(struct exchange *x, char *buf, size_t len, size_t seen, bool in_hold,
			    enum reason *reason)
{
	struct front *f = x->front;
	struct origin_conn *conn = x->claim.conn;
	struct span evidence;
	size_t off = 0;
	for (;;) {
		enum http_parse result = http_parse_response(
		    buf + off, len - off, seen, &f->response_limits,
		    (enum http_method)x->request.method, &f->head, reason, &evidence);
		if (result == HTTP_PARSE_BAD)
			return PUMP_FAIL;
		if (result == HTTP_PARSE_MORE)
			break;
		size_t head_len = 0;
		off += f->head.len;
		seen = 0;
		if (f->head.status == 101) {
			if (!tunnel_open(x, &f->head, buf + off, len - off, reason))
				return PUMP_FAIL;
			hold_release(&conn->in, &f->memory);
			return PUMP_AGAIN;
		}
		enum pump passed = f->head.status < 200 ? pass_interim(x, &f->head, reason)
							: final_head(x, &f->head, &head_len, reason);
		if (passed == PUMP_FAIL)
			return PUMP_FAIL;
		if (passed == PUMP_END) {
			passed = pass_content(x, head_len, buf + off, len - off, reason);
			hold_release(&conn->in, &f->memory);
			return passed;
		}
	}
	if (in_hold)
		hold_consume(&conn->in, &f->memory, off);
	else if (!hold_add(&conn->in, &f->memory, buf + off, len - off))
		return fail(reason, REASON_OVERLOAD);
	return PUMP_AGAIN;
}

/* The origin ended, in order or not. */
static enum pump origin_ended(struct exchange *x, ssize_t result, enum reason *reason)
{
	struct origin *origin = x->claim.conn->origin;
	enum reason what = x->head_read ? REASON_ORIGIN_TRUNCATED : REASON_ORIGIN_CLOSED;
	if (x->head_read && x->down_framing == HTTP_FRAMING_CLOSE && result == STREAM_EOF) {
		x->down_read = true;
		bool sent = guard_holds(x) || send_piece(x, 0, NULL, 0);
		return sent ? PUMP_AGAIN : fail(reason, REASON_CLIENT_GONE);
	}
	if (!x->head_read && ask_again(x))
		return PUMP_WAIT;
	struct tls_fault fault = tls_fault(&x->claim.conn->stream);
	origin_failed(origin, what);
	if (fault.reason != REASON_UNSET) {
		x->origin_evidence = fault.text;
		return fail(reason, fault.reason);
	}
	return fail(reason, what);
}

static enum pump read_head(struct exchange *x, enum reason *reason)
{
	struct front *f = x->front;
	struct origin_conn *conn = x->claim.conn;
	size_t seen = conn->in.len;
	bool in_hold = seen > 0;
	/* A page that is held is read at any rate, and waits when it is known: see guard_finish(). */
	size_t room = guard_will_hold(x) ? sizeof(f->in) : reply_may_pass(x, sizeof(f->in));
	if (room == 0)
		return PUMP_WAIT;
	if (!in_hold) {
		ssize_t n = stream_read(&conn->stream, f->in, room);
		if (n == STREAM_AGAIN)
			return PUMP_WAIT;
		if (n < 0)
			return origin_ended(x, n, reason);
		return take_heads(x, f->in, (size_t)n, 0, false, reason);
	}
	if (!hold_reserve(&conn->in, &f->memory, 4096))
		return fail(reason, REASON_OVERLOAD);
	ssize_t n = stream_read(&conn->stream, hold_ptr(&conn->in) + seen,
				conn->in.room - conn->in.off - conn->in.len);
	if (n == STREAM_AGAIN)
		return PUMP_WAIT;
	if (n < 0)
		return origin_ended(x, n, reason);
	conn->in.len += (uint32_t)n;
	return take_heads(x, hold_ptr(&conn->in), conn->in.len, seen, true, reason);
}

static enum pump read_content(struct exchange *x, enum reason *reason)
{
	struct front *f = x->front;
	size_t room = guard_holds(x) ? sizeof(f->in) : flow_may_read(x, GATE_IN, sizeof(f->in));
	if (room == 0)
		return PUMP_WAIT;
	ssize_t n = stream_read(&x->claim.conn->stream, f->in, room);
	if (n == STREAM_AGAIN)
		return PUMP_WAIT;
	if (n < 0)
		return origin_ended(x, n, reason);
	x->origin_moved_ms = now_ms(x);
	flow_has_read(x, GATE_IN, (size_t)n);
	return pass_content(x, 0, f->in, (size_t)n, reason);
}

static bool may_splice(const struct exchange *x)
{
	return x->head_sent && x->client_framing == HTTP_FRAMING_LENGTH &&
	       x->down_left >= CONDUIT_MIN_BYTES && !guard_watches(x) &&
	       x->client->stream.ops->can_splice &&
	       x->claim.conn->stream.ops->can_splice;
}

static enum pump splice_down(struct exchange *x, enum reason *reason)
{
	struct stream *failed = NULL, *from = &x->claim.conn->stream, *to = &x->client->stream;
	uint64_t moved = 0, before = x->down_left;
	size_t room = flow_may_read(x, GATE_IN, FLOW_SPLICE_BYTES);
	if (room == 0 && x->down_conduit.held == 0)
		return PUMP_WAIT;
	enum pump result = conduit_pump(&x->down_conduit, from, to, &x->down_left, room, &moved, &failed);
	x->down_bytes += moved;
	flow_has_read(x, GATE_IN, (size_t)(before - x->down_left));
	reply_passed(x, (size_t)(before - x->down_left));
	if (moved > 0)
		x->origin_moved_ms = now_ms(x);
	if (result == PUMP_FAIL)
		return failed == to ? fail(reason, REASON_CLIENT_GONE)
				    : origin_ended(x, STREAM_ERROR, reason);
	if (result == PUMP_END)
		x->down_read = true;
	if (moved > 0 || x->down_conduit.held == 0 || x->down_patience.since_ms == 0)
		client_blocks(x, x->down_conduit.held > 0);
	return result == PUMP_END ? PUMP_AGAIN : result;
}

enum pump download_pump(struct exchange *x, enum reason *reason)
{
	for (int i = 0; i < READS_PER_TURN; i++) {
		if (!client_flush(x))
			return fail(reason, REASON_CLIENT_GONE);
		if (x->down_pending.len > 0)
			return PUMP_WAIT;
		if (x->down_read && !guard_holds(x))
			return PUMP_END;
		enum pump result;
		if (x->down_read)
			result = guard_finish(x, reason);
		else if (x->down_conduit.read_fd ||
		    (may_splice(x) && conduit_open(x->front, &x->down_conduit)))
			result = splice_down(x, reason);
		else if (!x->claim.conn->stream.readable)
			return PUMP_WAIT;
		else
			result = x->head_read ? read_content(x, reason) : read_head(x, reason);
		if (result != PUMP_AGAIN || x->step != STEP_RELAY)
			return result;
	}
	return PUMP_AGAIN;
}

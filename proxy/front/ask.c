/* Asks an origin: takes a connection, and writes the request's head anew. Until
 * something was sent, another origin may be tried whatever the method. After
 * that, only an idempotent request on a pooled connection that turned out to be
 * stale is sent a second time, once, on a fresh one (RFC 9110 section 9.2.2). */
#include <errno.h>
#include <sys/socket.h>

#include "front/gate.h"
#include "front/guard.h"

enum { ORIGIN_ATTEMPTS = 3, ATTEMPT_MIN_MS = 500, RECENT_EVENTS = 32 };

static void origin_event(struct origin_conn *conn, unsigned events)
{
	(void)events; /* noted in the stream; the pumps find out */
	exchange_run(conn->owner);
}

static void origin_turn(struct origin_claim *claim)
{
	struct exchange *x = claim->owner;
	x->step = STEP_ORIGIN;
	exchange_run(x);
}

void exchange_leave_origin(struct exchange *x, bool reusable)
{
	if (!x->claim.conn)
		return;
	struct origin_conn *conn = x->claim.conn;
	x->claim.conn = NULL;
	origin_release(conn, reusable);
}

static uint64_t now_ms(const struct exchange *x)
{
	return loop_now_ms(x->front->loop);
}

/* A request that may not be sent twice wants a pooled connection that is alive; and
 * where many events came at once, what the loop knows of this one may be old: what
 * an origin said unasked meanwhile would be taken for the response. */
static bool looks_stale(const struct exchange *x)
{
	struct origin_conn *conn = x->claim.conn;
	bool is_recent = loop_round_events(x->front->loop) <= RECENT_EVENTS;
	if (!conn->reused ||
	    (is_recent && http_method_is_idempotent((enum http_method)x->request.method)))
		return false;
	return !origin_is_silent(conn);
}

/* Another origin, or another address of the same name: not the same door again. */
static bool is_there_another(const struct exchange *x, const struct origin *than)
{
	if (x->visit)
		return x->visit->search && x->visit->search->next_addr < x->visit->search->count;
	return x->claim.route->origin_count > 1 || (than && origin_addresses(than) > 1);
}

/* A place may be forgotten when the exchange lets go of it. */
static void note_failed(struct exchange *x, const struct origin_conn *conn)
{
	x->claim.failed = x->visit ? NULL : conn->origin;
}

static enum exchange_step first_step(const struct exchange *x)
{
	return x->visit ? STEP_ADMIT : STEP_ORIGIN;
}

static bool may_try_another(struct exchange *x)
{
	return ++x->attempts < ORIGIN_ATTEMPTS && now_ms(x) < x->connect_until_ms &&
	       is_there_another(x, x->claim.failed);
}

static enum step_result try_another(struct exchange *x, enum reason reason)
{
	if (!may_try_another(x))
		return exchange_refuse(x, reason);
	x->step = (uint8_t)first_step(x);
	return STEP_MORE;
}

/* The address that the visitor came to is ours, as the socket has it. */
static void introduce_visitor(struct exchange *x)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);
	if (x->claim.route->send_proxy == PROXY_VERSION_NONE ||
	    getsockname(x->client->stream.fd, (struct sockaddr *)&ss, &len) != 0 ||
	    !addr_from_sockaddr((struct sockaddr *)&ss, len, &x->door))
		return;
	x->claim.source = &x->visitor;
	x->claim.destination = &x->door;
}

bool ask_another(struct exchange *x)
{
	note_failed(x, x->claim.conn);
	if (!may_try_another(x))
		return false;
	exchange_leave_origin(x, false);
	x->step = (uint8_t)first_step(x);
	return true;
}

/* An origin that says nothing at all must not use up the time in which another would answer. */
static void limit_attempt(struct exchange *x)
{
	uint64_t share_ms = x->front->settings->timeouts.connect / ORIGIN_ATTEMPTS;
	uint64_t until_ms = now_ms(x) + (share_ms > ATTEMPT_MIN_MS ? share_ms : ATTEMPT_MIN_MS);
	bool is_last = x->attempts + 1 >= ORIGIN_ATTEMPTS || !is_there_another(x, x->claim.conn->origin);
	x->attempt_until_ms = is_last || until_ms > x->connect_until_ms ? x->connect_until_ms : until_ms;
}

/* The gate looks once more whom it has come to. */
static enum step_result connected(struct exchange *x)
{
	enum reason reason;
	if (x->visit) {
		gate_end_search(x->visit);
		if (!gate_peer_is_good(x, &reason))
			return exchange_refuse(x, reason);
		gate_learn_use(x->visit);
	}
	x->step = x->visit && x->visit->is_tunnel ? STEP_OPEN : STEP_SEND;
	return STEP_MORE;
}

enum step_result step_origin(struct exchange *x)
{
	if (x->visit && gate_is_cut(x))
		return exchange_refuse(x, REASON_EGRESS_QUARANTINED);
	if (x->connect_until_ms == 0) {
		x->connect_until_ms = now_ms(x) + x->front->settings->timeouts.connect;
		x->ask_us = loop_now_us(x->front->loop);
		introduce_visitor(x);
	}
	x->claim.owner = x;
	x->claim.on_event = origin_event;
	x->claim.on_turn = origin_turn;
	switch (origin_take(x->front->origins, &x->claim)) {
	case ORIGIN_READY:
		if (looks_stale(x)) {
			exchange_leave_origin(x, false);
			return STEP_MORE;
		}
		return connected(x);
	case ORIGIN_CONNECTING:
		if (x->queued)
			x->connect_until_ms = now_ms(x) + x->front->settings->timeouts.connect;
		x->queued = false;
		limit_attempt(x);
		x->step = STEP_CONNECT;
		return STEP_WAIT;
	case ORIGIN_QUEUED:
		x->queued = true;
		x->step = STEP_QUEUE;
		return STEP_WAIT;
	default:
		if (x->claim.reason == REASON_ORIGIN_DOWN || x->claim.reason == REASON_OVERLOAD ||
		    x->claim.reason == REASON_NO_SOCKET)
			return exchange_refuse(x, x->claim.reason);
		return try_another(x, x->claim.reason);
	}
}

enum step_result step_queue(struct exchange *x)
{
	(void)x;
	return STEP_WAIT;
}

enum step_result step_connect(struct exchange *x)
{
	struct origin_conn *conn = x->claim.conn;
	enum reason reason = REASON_ORIGIN_REFUSED;
	const char *text;
	switch (origin_connect(conn, &reason, &text)) {
	case ORIGIN_CONNECTING: return STEP_WAIT;
	case ORIGIN_READY: return connected(x);
	default: break;
	}
	note_failed(x, conn);
	x->origin_evidence = text;
	exchange_leave_origin(x, false);
	return try_another(x, reason);
}

/* Content that was collected whole is sent with its length, however it came. */
static void frame_content(struct exchange *x, struct http_forward_request *forward)
{
	bool has_content = x->request.framing != HTTP_FRAMING_NONE && !x->upgrade;
	if (!has_content) {
		forward->framing = HTTP_FRAMING_NONE;
		forward->say_length = false;
	} else if (x->up_read) {
		forward->framing = x->body.len > 0 ? HTTP_FRAMING_LENGTH : HTTP_FRAMING_NONE;
		forward->say_length = true;
		forward->content_length = x->body.len;
	} else {
		forward->framing = (enum http_framing)x->request.framing;
		forward->content_length = x->request.content_length;
	}
	x->up_framing = (uint8_t)forward->framing;
}

static size_t write_head(struct exchange *x)
{
	struct front *f = x->front;
	char peer[ADDR_TEXT_SIZE], id[FRONT_ID_BYTES], codings[GUARD_CODINGS_SIZE];
	if (x->page && x->page->phase == PAGE_STREAMING)
		return guard_copy_request(x, f->out, sizeof(f->out));
	size_t peer_len = addr_format_ip(&x->client->peer, peer);
	log_format_request_id(x->id, id);
	struct http_forward_request forward = {
	    .head = &x->request,
	    .path = x->subject.forward_path,
	    .query = x->subject.target.query,
	    .host = x->subject.route->host ? span_from_str(x->subject.route->host) : x->subject.host,
	    .visitor_host = x->subject.host,
	    .peer = span_of(peer, peer_len),
	    .peer_trusted = x->client->peer_trusted,
	    .upgrade = x->upgrade && x->claim.spec->internal == INTERNAL_NONE,
	    .hide_via = !x->subject.site->via,
	    .outbound = x->visit != NULL,
	    .tls = stream_is_tls(&x->client->stream),
	    .client_fields = tls_client_fields(&x->client->stream),
	    .request_id = x->visit ? NULL : id,
	    .bare = x->claim.spec->internal != INTERNAL_NONE,
	    .accept_encoding = guard_ask_plainly(x, codings),
	};
	if (x->subject.is_challenge) /* its token is all that counts */
		forward.query = (struct span){0};
	if (!forward.host.ptr || forward.host.len == 0)
		forward.host = span_from_str(x->claim.spec->host_field);
	frame_content(x, &forward);
	return http_forward_request(&forward, f->out, sizeof(f->out));
}

/* Keeps what the origin did not take of the head and the collected content. */
static bool keep_unsent(struct exchange *x, const struct iovec *iov, int n, size_t sent)
{
	struct memory *memory = &x->front->memory;
	for (int i = 0; i < n; i++) {
		size_t len = iov[i].iov_len, taken = sent < len ? sent : len;
		if (!hold_add(&x->up_pending, memory, (const char *)iov[i].iov_base + taken, len - taken))
			return false;
		sent -= taken;
	}
	return true;
}

/* The collected content, as a chunk where more will follow in chunks. */
static int add_collected(struct exchange *x, struct iovec iov[3], char chunk[HTTP_CHUNK_HEAD_SIZE])
{
	if (x->body.len == 0)
		return 0;
	int n = 0;
	bool chunked = x->up_framing == HTTP_FRAMING_CHUNKED;
	if (chunked)
		iov[n++] = (struct iovec){chunk, http_chunk_head(x->body.len, chunk)};
	iov[n++] = (struct iovec){hold_ptr(&x->body), x->body.len};
	if (chunked)
		iov[n++] = (struct iovec){"\r\n", 2};
	return n;
}

enum step_result step_send(struct exchange *x)
{
	struct front *f = x->front;
	size_t head_len = write_head(x);
	if (head_len == 0)
		return exchange_refuse(x, REASON_HEAD_TOO_LARGE);
	struct iovec iov[4] = {{f->out, head_len}};
	char chunk[HTTP_CHUNK_HEAD_SIZE];
	int parts = 1 + add_collected(x, iov + 1, chunk);
	x->connected_us = x->sent_us = loop_now_us(f->loop);
	x->origin_moved_ms = now_ms(x);
	ssize_t n = stream_writev(&x->claim.conn->stream, iov, parts);
	if (n == STREAM_ERROR) {
		if (ask_again(x))
			return STEP_MORE;
		/* It may have answered before it closed: the pump looks. */
		x->up_broken = true;
	} else if (!keep_unsent(x, iov, parts, n > 0 ? (size_t)n : 0)) {
		return exchange_refuse(x, REASON_OVERLOAD);
	}
	/* What is streamed behind it must not wait for memory that is done with. */
	if (!x->up_read || !http_method_is_idempotent((enum http_method)x->request.method))
		hold_release(&x->body, &f->memory);
	x->up_streamed = !x->up_read;
	x->up_sent = x->up_read && x->up_pending.len == 0 && !x->up_broken;
	x->step = STEP_RELAY;
	return STEP_MORE;
}

bool ask_again(struct exchange *x)
{
	const struct origin_conn *conn = x->claim.conn;
	if (!conn->reused || x->retried || x->up_streamed || conn->in.len > 0 || x->interim > 0 ||
	    !http_method_is_idempotent((enum http_method)x->request.method))
		return false;
	x->retried = true;
	x->claim.fresh = true;
	stat_add(&x->front->stats->origin_retries, 1);
	hold_release(&x->up_pending, &x->front->memory);
	exchange_leave_origin(x, false);
	x->up_sent = x->up_broken = false;
	x->connect_until_ms = now_ms(x) + x->front->settings->timeouts.connect;
	x->step = STEP_ORIGIN;
	return true;
}

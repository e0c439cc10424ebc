/* A client connection: waits for a head, hands it to an exchange, and takes the
 * connection back for the next one. An idle connection is this structure and
 * nothing else; half a head costs a hold of its size.
 *
 *                       first byte        whole head          answered
 * ─┬─┬─────────────► IDLE ──────────► HEAD ───────────► EXCHANGE ───────► IDLE
 *  │ ▼                 ▲               └── refused ───────┘├── closing ─► LINGER ─► gone
 *  │ HANDSHAKE ────────┘ TLS: see handshake.c              └── held ────► TARPIT ─► gone
 *  ├► PROXY ─► …         behind a balancer: see proxied.c
 *  └► HELLO ─► EXCHANGE  an origin's that was redirected: see redirected.c
 *
 * LINGER: the answer was sent and our side is shut; what the client still sends
 * is thrown away, for a while, because closing with unread bytes would reset the
 * connection and could destroy the answer on its way (RFC 9112 section 9.6). */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "front/front.h"
#include "sallyport/fd_pass.h"

enum { LINGER_BYTES = 64 << 20, LINGER_READS_PER_TURN = 16, HEAD_STEP = 2048 };

static void client_event(struct watch *watch, unsigned events);
static void client_expired(struct timer *timer);
static void client_turn(struct task *task);
static void read_head(struct client *c);

static void idle_remove(struct client *c)
{
	struct front *f = c->front;
	if (c->idle_prev)
		c->idle_prev->idle_next = c->idle_next;
	else
		f->idle = c->idle_next;
	if (c->idle_next)
		c->idle_next->idle_prev = c->idle_prev;
	else
		f->idle_last = c->idle_prev;
	c->idle_prev = c->idle_next = NULL;
	stat_sub(&f->stats->connections_idle, 1);
}

static void idle_add(struct client *c)
{
	struct front *f = c->front;
	c->idle_next = f->idle;
	c->idle_prev = NULL;
	if (f->idle)
		f->idle->idle_prev = c;
	else
		f->idle_last = c;
	f->idle = c;
	stat_add(&f->stats->connections_idle, 1);
}

/* Nothing of it would be lost. */
static bool is_idle(unsigned state)
{
	return state == CLIENT_IDLE || state == CLIENT_HANDSHAKE;
}

static void enter_state(struct client *c, enum client_state state)
{
	if (is_idle(c->state))
		idle_remove(c);
	if (is_idle(state))
		idle_add(c);
	c->state = (uint8_t)state;
}

void client_await(struct client *c, enum client_state state, uint64_t ms)
{
	struct front *f = c->front;
	enter_state(c, state);
	c->idle_since_ms = loop_now_ms(f->loop);
	loop_arm(f->loop, &c->timer, c->idle_since_ms + ms);
}

static void become_idle(struct client *c)
{
	client_await(c, CLIENT_IDLE, c->front->settings->timeouts.idle);
}

bool client_new(struct front *f, int fd, const struct addr *peer, const struct listen_settings *listen,
		bool adopted)
{
	struct client *c = memory_take(&f->memory, sizeof(*c));
	if (!c)
		return false;
	*c = (struct client){.front = f, .peer = *peer, .key = addr_client_key(peer), .listen = listen};
	stream_init_plain(&c->stream, fd);
	c->watch.fd = fd;
	c->watch.on_event = client_event;
	c->timer.on_expiry = client_expired;
	c->again.run = client_turn;
	c->peer_trusted = is_trusted(f->settings, peer);
	if (!loop_watch(f->loop, &c->watch, NULL)) {
		memory_give(&f->memory, c, sizeof(*c));
		return false;
	}
	c->next = f->clients;
	if (c->next)
		c->next->prev = c;
	f->clients = c;
	stat_add(&f->stats->connections, 1);
	if (adopted)
		become_idle(c);
	else if (listen->proxy_from_count > 0)
		proxied_begin(c);
	else
		client_begin(c);
	return true;
}

void client_begin(struct client *c)
{
	if (c->listen->tls.server) {
		if (handshake_begin(c))
			handshake_go_on(c);
		return;
	}
	if (c->listen->transparent && !redirected_begin(c))
		return;
	become_idle(c);
	if (c->stream.readable)
		read_head(c);
}

/* Everything but its socket, which is about to be closed. */
static void client_forget(struct client *c)
{
	struct front *f = c->front;
	if (c->state == CLIENT_TARPIT)
		tarpit_leave(c);
	enter_state(c, CLIENT_UNSET);
	loop_forget(f->loop, &c->watch);
	loop_disarm(f->loop, &c->timer);
	loop_cancel(&c->again);
	hold_release(&c->in, &f->memory);
	if (c->tls_charged)
		memory_discharge(&f->memory, CLIENT_TLS_BYTES);
	if (c->prev)
		c->prev->next = c->next;
	else
		f->clients = c->next;
	if (c->next)
		c->next->prev = c->prev;
	census_leave(f->census, c->key);
	stat_sub(&f->stats->connections, 1);
}

void client_free(struct client *c, bool abort_it)
{
	client_forget(c);
	c->stream.ops->close(&c->stream, abort_it);
	memory_give(&c->front->memory, c, sizeof(*c));
}

static void linger_read(struct client *c)
{
	for (int i = 0; c->stream.readable; i++) {
		if (i == LINGER_READS_PER_TURN) {
			loop_defer(c->front->loop, &c->again);
			return;
		}
		ssize_t n = stream_read(&c->stream, c->front->in, sizeof(c->front->in));
		if (n == STREAM_AGAIN)
			return;
		if (n < 0) {
			client_free(c, false);
			return;
		}
		c->lingered += (uint32_t)n;
		if (c->lingered > LINGER_BYTES) {
			client_free(c, true);
			return;
		}
	}
}

void client_linger(struct client *c)
{
	struct front *f = c->front;
	enter_state(c, CLIENT_LINGER);
	hold_release(&c->in, &f->memory);
	c->stream.ops->shutdown(&c->stream);
	loop_arm(f->loop, &c->timer, loop_now_ms(f->loop) + f->settings->timeouts.linger);
	linger_read(c);
}

void client_refuse(struct client *c, const struct addr *peer, enum reason reason)
{
	reply_refusal(c->front, c->stream.fd, peer, reason, c->listen->tls.server != NULL);
	client_linger(c);
}

/* Sends the connection to the next generation, and whose it is: the socket may be a balancer's.
 * False: its queue is full just now. */
static bool hand_over(struct client *c)
{
	struct front *f = c->front;
	if (!fd_send(f->setup.hand_over_fd, c->stream.fd, &c->peer, sizeof(c->peer)))
		return false;
	stat_add(&f->stats->handed_over, 1);
	/* The next generation has the socket too: closing ours removes nothing. */
	loop_unwatch(f->loop, &c->watch);
	client_free(c, false);
	return true;
}

static bool may_hand_over(const struct client *c)
{
	return c->front->hand_over && !c->stream.peer_closed &&
	       c->stream.ops == &stream_plain;
}

/* A TLS connection cannot change its process: its next response, if it asks once more while we
 * drain, is its last. Ending it now could meet a request on its way. */
static bool may_stay(const struct client *c)
{
	return c->front->hand_over && stream_is_tls(&c->stream);
}

bool client_is_last(const struct client *c)
{
	return c->front->draining && !may_hand_over(c);
}

bool client_hand_over_all(struct front *f)
{
	struct client *next;
	for (struct client *c = f->idle; c; c = next) {
		next = c->idle_next;
		if (c->in.len > 0)
			continue; /* pipelined: its turn comes */
		if (may_stay(c))
			continue;
		if (!may_hand_over(c))
			client_free(c, false);
		else if (!hand_over(c))
			return false; /* the timer of the drain comes back to it */
	}
	return true;
}

/* An answer is on its way: closing over bytes that nobody read could destroy it. */
static bool leave_after_answer(struct client *c)
{
	if (may_hand_over(c))
		return hand_over(c);
	if (may_stay(c))
		return false;
	client_linger(c);
	return true;
}

void client_next(struct client *c, bool keep, bool announced)
{
	struct front *f = c->front;
	c->exchange = NULL;
	c->head_start_us = 0;
	c->seen = 0;
	if (!keep) {
		/* A client that announced the end sends nothing more, so nothing
		 * unread can turn our close into a reset. */
		if (announced && c->in.len == 0 && !c->stream.readable)
			client_free(c, false);
		else
			client_linger(c);
		return;
	}
	become_idle(c);
	if (f->draining && c->in.len == 0 && leave_after_answer(c))
		return;
	/* Not now: pipelined requests must neither nest nor starve other clients. */
	if (c->in.len > 0 || c->stream.readable)
		loop_defer(f->loop, &c->again);
}

/* A head is complete, or will never be. rest: the bytes behind it. */
static void begin_exchange(struct client *c, const char *bytes, size_t len, bool in_hold,
			   enum reason reason, struct span evidence)
{
	struct front *f = c->front;
	size_t used = reason == REASON_UNSET ? f->head.len : len;
	enter_state(c, CLIENT_EXCHANGE);
	if (!exchange_begin(c, &f->head, bytes, len, reason, evidence) ||
	    (!in_hold && !hold_add(&c->in, &f->memory, bytes + used, len - used))) {
		stat_add(&f->stats->reasons[REASON_OVERLOAD], 1);
		if (c->exchange)
			exchange_abort(c->exchange, REASON_OVERLOAD);
		else
			client_free(c, true);
		return;
	}
	if (in_hold)
		hold_consume(&c->in, &f->memory, used);
	exchange_run(c->exchange);
}

static bool parse_head(struct client *c, const char *bytes, size_t len, bool in_hold)
{
	struct front *f = c->front;
	enum reason reason = REASON_UNSET;
	struct span evidence = {0};
	if (c->head_start_us == 0)
		c->head_start_us = loop_now_us(f->loop);
	enum http_parse result = http_parse_request(bytes, len, c->seen, &f->request_limits, &f->head,
						    &reason, &evidence);
	if (result != HTTP_PARSE_MORE) {
		begin_exchange(c, bytes, len, in_hold, reason, evidence);
		return false;
	}
	c->seen = (uint32_t)len;
	if (!in_hold && !hold_add(&c->in, &f->memory, bytes, len)) {
		client_free(c, true);
		return false;
	}
	if (c->state == CLIENT_IDLE) {
		enter_state(c, CLIENT_HEAD);
		loop_arm(f->loop, &c->timer, loop_now_ms(f->loop) + f->settings->timeouts.head);
	}
	return true;
}

void client_take(struct client *c, const char *head, size_t len)
{
	(void)parse_head(c, head, len, false);
}

/* The connection ended between requests, or within a head. */
static void peer_left(struct client *c, ssize_t result)
{
	struct tls_fault fault = tls_fault(&c->stream);
	if (fault.reason != REASON_UNSET) {
		stat_add(&c->front->stats->reasons[fault.reason], 1);
		record_client(c, fault.reason, 0, fault.text);
		client_linger(c); /* the alert is on its way */
		return;
	}
	if (c->in.len > 0)
		record_client(c, REASON_CLIENT_GONE, 0, NULL);
	client_free(c, result == STREAM_ERROR);
}

static void read_head(struct client *c)
{
	struct front *f = c->front;
	while (c->stream.readable) {
		bool in_hold = c->in.len > 0;
		char *room = f->in;
		size_t size = sizeof(f->in);
		if (in_hold) {
			if (!hold_reserve(&c->in, &f->memory, HEAD_STEP)) {
				client_free(c, true);
				return;
			}
			room = hold_ptr(&c->in) + c->in.len;
			size = c->in.room - c->in.off - c->in.len;
		}
		ssize_t n = stream_read(&c->stream, room, size);
		if (n == STREAM_AGAIN)
			return;
		if (n < 0) {
			peer_left(c, n);
			return;
		}
		if (in_hold)
			c->in.len += (uint32_t)n;
		if (!parse_head(c, in_hold ? hold_ptr(&c->in) : f->in,
				in_hold ? c->in.len : (size_t)n, in_hold))
			return;
	}
}

void client_ready(struct client *c)
{
	become_idle(c);
	read_head(c); /* it may have come with the handshake's last bytes */
}

/* Requests wait in the hold for their turn, which must come before what the
 * connection has to say now, be it its end. */
static bool is_pipelined(const struct client *c)
{
	return c->state == CLIENT_IDLE && c->in.len > 0;
}

static void client_turn(struct task *task)
{
	struct client *c = (struct client *)(void *)((char *)task - offsetof(struct client, again));
	if (c->state == CLIENT_LINGER)
		linger_read(c);
	else if (c->exchange)
		exchange_run(c->exchange);
	else if (is_pipelined(c) && !parse_head(c, hold_ptr(&c->in), c->in.len, true))
		return;
	else if (c->state == CLIENT_IDLE || c->state == CLIENT_HEAD)
		read_head(c);
}

static void client_event(struct watch *watch, unsigned events)
{
	struct client *c = (struct client *)(void *)((char *)watch - offsetof(struct client, watch));
	stream_note(&c->stream, events);
	if (c->state == CLIENT_TARPIT) {
		if (c->stream.peer_closed || (events & LOOP_ERROR))
			client_free(c, true);
	} else if (c->state == CLIENT_LINGER)
		linger_read(c);
	else if (c->state == CLIENT_PROXY)
		proxied_read(c);
	else if (c->state == CLIENT_HELLO)
		redirected_read(c);
	else if (c->state == CLIENT_HANDSHAKE)
		handshake_go_on(c);
	else if (c->exchange && (events & LOOP_ERROR) && !c->exchange->origin_ended)
		exchange_abort(c->exchange, REASON_CLIENT_GONE);
	else if (c->exchange)
		exchange_run(c->exchange);
	else if (!is_pipelined(c))
		read_head(c);
}

static void client_expired(struct timer *timer)
{
	struct client *c = (struct client *)(void *)((char *)timer - offsetof(struct client, timer));
	struct front *f = c->front;
	if (c->state == CLIENT_EXCHANGE) {
		exchange_expired(c->exchange);
	} else if (c->state == CLIENT_HANDSHAKE) {
		handshake_expired(c);
	} else if (c->state == CLIENT_HEAD) {
		f->head = (struct http_head){.base = hold_ptr(&c->in)};
		begin_exchange(c, hold_ptr(&c->in), c->in.len, true, REASON_HEAD_TIMEOUT, (struct span){0});
	} else if (c->state == CLIENT_PROXY) {
		preface_refuse(c, REASON_PROXY_TIMEOUT);
	} else if (c->state == CLIENT_HELLO) {
		preface_refuse(c, REASON_HEAD_TIMEOUT);
	} else {
		if (c->state == CLIENT_IDLE)
			stat_add(&f->stats->reasons[REASON_IDLE_TIMEOUT], 1);
		client_free(c, c->state == CLIENT_TARPIT);
	}
}

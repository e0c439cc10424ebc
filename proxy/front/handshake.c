/* A client's TLS handshake: between accepting a connection and its first request. What it may cost is
 * bounded: by a rate for each client, a deadline, and the worker's memory. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "front/front.h"

enum { BURST_SECONDS = 2 };

bool handshake_compile(struct front *f, struct err *err)
{
	const struct policy_rate *rate = &f->settings->quotas.handshakes;
	f->handshake_site = throttle_id("tls handshakes");
	if (rate->count == 0)
		return true;
	return throttle_rate_of(rate->count, rate->per_ms, rate->count * BURST_SECONDS, f->handshake_site,
				&f->handshake_rate) ||
	       err_set(err, "quotas.handshakes: not a rate that can be kept");
}

static bool may_begin(struct client *c)
{
	struct front *f = c->front;
	uint64_t now_us = loop_now_us(f->loop);
	if (f->settings->quotas.handshakes.count == 0 || c->peer_trusted)
		return true;
	const struct throttle_client who = throttle_client_of(f->throttle, f->handshake_site, c->key, now_us);
	return throttle_ask(&who, &f->handshake_rate, now_us).answer != THROTTLE_REFUSE;
}

static void refuse(struct client *c, enum reason reason)
{
	struct front *f = c->front;
	stat_add(&f->stats->tls_failed, 1);
	stat_add(&f->stats->reasons[reason], 1);
	record_client(c, reason, 0, NULL);
	client_free(c, true);
}

bool handshake_begin(struct client *c)
{
	struct front *f = c->front;
	if (!may_begin(c)) {
		refuse(c, REASON_TLS_HANDSHAKE_RATE);
		return false;
	}
	if (!memory_charge(&f->memory, CLIENT_TLS_BYTES)) {
		refuse(c, REASON_OVERLOAD);
		return false;
	}
	c->tls_charged = true;
	if (!stream_init_tls_server(&c->stream, c->stream.fd, c->listen->tls.server)) {
		refuse(c, REASON_OVERLOAD);
		return false;
	}
	client_await(c, CLIENT_HANDSHAKE, f->settings->timeouts.handshake);
	return true;
}

/* Whoever speaks plain HTTP here is told so, in its own language and in one sentence. */
static void answer_plain_http(struct client *c)
{
	static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 48\r\n"
				   "Connection: close\r\n\r\nThis port speaks TLS: begin the URL with https.\n";
	ssize_t sent = send(c->stream.fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)sent; /* one try: it gets no memory */
}

static void handshake_failed(struct client *c)
{
	struct front *f = c->front;
	struct tls_fault fault = tls_fault(&c->stream);
	bool is_plain = fault.reason == REASON_TLS_PLAIN_HTTP;
	stat_add(&f->stats->tls_failed, 1);
	/* A connection that never said a word is somebody's look whether the port is open. */
	if (fault.reason == REASON_CLIENT_GONE && !tls_heard(&c->stream)) {
		client_free(c, false);
		return;
	}
	stat_add(&f->stats->reasons[fault.reason], 1);
	record_client(c, fault.reason, is_plain ? 400 : 0, fault.text);
	if (is_plain)
		answer_plain_http(c);
	/* Closing over unread bytes would reset the connection, and destroy the alert. */
	client_linger(c);
}

void handshake_go_on(struct client *c)
{
	struct front *f = c->front;
	switch (tls_handshake(&c->stream)) {
	case TLS_WAIT: return;
	case TLS_DONE:
		stat_add(tls_facts(&c->stream).resumed ? &f->stats->tls_resumed : &f->stats->tls_handshakes, 1);
		client_ready(c);
		return;
	default: handshake_failed(c);
	}
}

void handshake_expired(struct client *c)
{
	struct front *f = c->front;
	stat_add(&f->stats->tls_failed, 1);
	stat_add(&f->stats->reasons[REASON_TLS_HANDSHAKE_TIMEOUT], 1);
	if (tls_heard(&c->stream))
		record_client(c, REASON_TLS_HANDSHAKE_TIMEOUT, 0, NULL);
	client_free(c, true);
}

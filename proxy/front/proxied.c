/* Connections through a balancer: before anything else the balancer says, in a PROXY header,
 * whose connection it passes on. That address counts as the peer from then on: for
 * quotas, throttles, lists, forwarded fields and logs. Only listed senders get so far.
 *
 * The header is looked at where it lies in the socket, and taken out of it to its last byte
 * and no further: what follows belongs to whatever transport the listener has. */
#include <errno.h>
#include <sys/socket.h>

#include "front/front.h"
#include "sallyport/proxy_header.h"

void proxied_begin(struct client *c)
{
	struct front *f = c->front;
	c->state = CLIENT_PROXY;
	loop_arm(f->loop, &c->timer, loop_now_ms(f->loop) + f->settings->timeouts.head);
}

void proxied_refuse(struct client *c, enum reason reason)
{
	stat_add(&c->front->stats->reasons[reason], 1);
	record_connection(c->front, &c->peer, reason, 0);
	client_free(c, true);
}

/* False: that client has its quota of connections already. */
static bool take_over_source(struct client *c, const struct addr *source)
{
	struct front *f = c->front;
	uint64_t key = addr_client_key(source);
	bool is_trusted_source = is_trusted(f->settings, source);
	uint32_t limit = is_trusted_source ? UINT32_MAX : (uint32_t)f->settings->quotas.per_client;
	if (!census_enter(f->census, key, limit))
		return false;
	census_leave(f->census, c->key);
	c->key = key;
	c->peer = *source;
	c->peer_trusted = is_trusted_source;
	return true;
}

/* Nothing but the header leaves the socket. */
static bool consume(struct client *c, size_t len)
{
	return recv(c->stream.fd, c->front->in, len, MSG_DONTWAIT) == (ssize_t)len;
}

static void understood(struct client *c, const struct proxy_header *header)
{
	if (!consume(c, header->len))
		client_free(c, true);
	else if (header->has_source && !take_over_source(c, &header->source))
		client_refuse(c, &header->source, REASON_CLIENT_CONNECTIONS);
	else
		client_begin(c);
}

/* Part of a header; more of it may follow, unless its sender has gone. */
static void wait_for_more(struct client *c)
{
	c->stream.readable = false;
	if (c->stream.peer_closed)
		proxied_refuse(c, REASON_CLIENT_GONE);
}

static ssize_t peek(const struct client *c)
{
	ssize_t n;
	do
		n = recv(c->stream.fd, c->front->in, PROXY_HEADER_MAX, MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n;
}

void proxied_read(struct client *c)
{
	struct proxy_header header;
	enum reason reason = REASON_UNSET;
	ssize_t n = peek(c);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		c->stream.readable = false;
		return;
	}
	/* One that says nothing at all is a balancer's way to look whether we are there. */
	if (n <= 0) {
		client_free(c, n < 0);
		return;
	}
	switch (proxy_header_parse(span_of(c->front->in, (size_t)n), &header, &reason)) {
	case PROXY_PARSE_DONE: understood(c, &header); return;
	case PROXY_PARSE_MORE: wait_for_more(c); return;
	default: proxied_refuse(c, reason);
	}
}

/* Connections through a balancer: before anything else the balancer says, in a PROXY header,
 * whose connection it passes on. That address counts as the peer from then on: for
 * quotas, throttles, lists, forwarded fields and logs. Only listed senders get so far.
 *
 * The header is looked at where it lies in the socket, and taken out of it to its last byte
 * and no further: what follows belongs to whatever transport the listener has. */
#include <sys/socket.h>

#include "front/front.h"
#include "sallyport/proxy_header.h"

void proxied_begin(struct client *c)
{
	preface_begin(c, CLIENT_PROXY);
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

void proxied_read(struct client *c)
{
	struct proxy_header header;
	enum reason reason = REASON_UNSET;
	struct span bytes;
	if (!preface_peek(c, PROXY_HEADER_MAX, &bytes))
		return;
	switch (proxy_header_parse(bytes, &header, &reason)) {
	case PROXY_PARSE_DONE: understood(c, &header); return;
	case PROXY_PARSE_MORE: preface_wait(c); return;
	default: preface_refuse(c, reason);
	}
}

/* What a connection begins with that is no request: a PROXY header (proxied.c), the ClientHello of somebody else's
 * TLS (redirected.c). It is looked at where it lies in the socket, because what it belongs to, or what
 * follows it, is not ours to read. */
#include <errno.h>
#include <sys/socket.h>

#include "front/front.h"

void preface_begin(struct client *c, enum client_state state)
{
	struct front *f = c->front;
	c->state = (uint8_t)state;
	loop_arm(f->loop, &c->timer, loop_now_ms(f->loop) + f->settings->timeouts.head);
}

void preface_refuse(struct client *c, enum reason reason)
{
	stat_add(&c->front->stats->reasons[reason], 1);
	record_connection(c->front, &c->peer, reason, 0);
	client_free(c, true);
}

bool preface_peek(struct client *c, size_t most, struct span *out)
{
	ssize_t n;
	do
		n = recv(c->stream.fd, c->front->in, most, MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		c->stream.readable = false;
		return false;
	}
	/* One that says nothing at all looked whether we are there: a balancer does, and who scans for ports. */
	if (n <= 0) {
		client_free(c, n < 0);
		return false;
	}
	*out = span_of(c->front->in, (size_t)n);
	return true;
}

void preface_wait(struct client *c)
{
	c->stream.readable = false;
	if (c->stream.peer_closed)
		preface_refuse(c, REASON_CLIENT_GONE);
}

/* Connections that an origin made to somebody else and that the kernel leg redirected to us. The address that it
 * chose is worth nothing: whoever it names, by Host or in its ClientHello, is judged and looked up by us like
 * any destination. Only who names nobody has just that address to be judged by.
 *
 *   accepted ─┬─ was not redirected ──────────────────────────────────────────► gone
 *             ├─ to port 443: HELLO ─► a tunnel to the name, whose client hears nothing of it
 *             └─ to another: requests, in origin-form
 *
 * A ClientHello is looked at where it lies in the socket: it is the tunnel's first content. */
#include <stdio.h>
#include <sys/socket.h>

#include "front/gate.h"
#include "sallyport/client_hello.h"

/* SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST, whose headers of the kernel do not go with libc's. */
enum { ORIGINAL_DESTINATION = 80 };
enum { PORT_TLS = 443, TUNNEL_HEAD_MAX = 2 * (SERVER_NAME_SIZE + 8) + 64 };

/* The kernel knows it by its table of connections. */
bool redirected_to(const struct client *c, struct addr *to)
{
	struct sockaddr_storage original, own;
	socklen_t len = sizeof(original), own_len = sizeof(own);
	struct addr here;
	int level = c->peer.u.sa.sa_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	return getsockopt(c->stream.fd, level, ORIGINAL_DESTINATION, &original, &len) == 0 &&
	       addr_from_sockaddr((struct sockaddr *)&original, len, to) &&
	       getsockname(c->stream.fd, (struct sockaddr *)&own, &own_len) == 0 &&
	       addr_from_sockaddr((struct sockaddr *)&own, own_len, &here) && !addr_eq(to, &here);
}

bool redirected_begin(struct client *c)
{
	struct addr to;
	if (!redirected_to(c, &to)) {
		preface_refuse(c, REASON_EGRESS_TARGET);
		return false;
	}
	if (addr_port(&to) != PORT_TLS)
		return true;
	c->head_start_us = loop_now_us(c->front->loop);
	preface_begin(c, CLIENT_HELLO);
	return false;
}

/* The request that it did not make. */
static void open_tunnel(struct client *c, const char *name)
{
	char head[TUNNEL_HEAD_MAX], authority[SERVER_NAME_SIZE + 8];
	struct addr to;
	if (name[0] != '\0') {
		snprintf(authority, sizeof(authority), "%s:%d", name, PORT_TLS);
	} else if (redirected_to(c, &to)) {
		addr_format(&to, authority);
	} else {
		preface_refuse(c, REASON_EGRESS_TARGET);
		return;
	}
	int len = snprintf(head, sizeof(head), "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", authority, authority);
	c->is_mute = true;
	client_take(c, head, (size_t)len);
}

void redirected_read(struct client *c)
{
	_Static_assert(sizeof(c->front->in) >= CLIENT_HELLO_MAX, "a whole one fits");
	char name[SERVER_NAME_SIZE];
	struct span bytes;
	if (!preface_peek(c, CLIENT_HELLO_MAX, &bytes))
		return;
	switch (client_hello_parse(bytes, name)) {
	case HELLO_DONE: open_tunnel(c, name); return;
	case HELLO_MORE: preface_wait(c); return;
	default: preface_refuse(c, REASON_EGRESS_HELLO);
	}
}

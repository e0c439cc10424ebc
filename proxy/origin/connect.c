/* Opens one connection to an origin: by its literal address, by the addresses that its name
 * has now, in turn, or, where the origin is a process of ours, by sending it the other end; then
 * it is introduced and speaks TLS, where the policy says so. */
#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "origin/origins.h"
#include "sallyport/fd_pass.h"

static bool next_addr(struct origin *origin, struct addr *addr)
{
	if (!origin->name) {
		*addr = *origin->addr;
		return true;
	}
	struct addr addrs[RESOLVE_MAX_ADDRS];
	unsigned n = resolver_addrs(origin->name, addrs);
	if (n == 0)
		return false;
	*addr = addrs[origin->next_addr++ % n];
	return true;
}

/* Ports, memory and the like are ours to have: their lack is no fault of the origin's. */
static enum reason reason_of(int error)
{
	switch (error) {
	case EADDRNOTAVAIL:
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM: return REASON_NO_SOCKET;
	default: return REASON_ORIGIN_REFUSED;
	}
}

/* Connected at once: what is written waits in the pair until the process takes its end. */
static int dial_internal(const struct origin *origin, enum reason *reason)
{
	int ends[2], channel = origin->origins->setup.internal_fds[origin->spec->internal];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
		*reason = REASON_NO_SOCKET;
		return -1;
	}
	bool is_sent = fd_send(channel, ends[1], "", 1);
	close(ends[1]);
	if (is_sent)
		return ends[0];
	*reason = REASON_ORIGIN_REFUSED;
	close(ends[0]);
	return -1;
}

static int dial(struct origin *origin, enum reason *reason)
{
	struct addr addr;
	if (origin->spec->internal != INTERNAL_NONE)
		return dial_internal(origin, reason);
	if (!next_addr(origin, &addr)) {
		*reason = REASON_ORIGIN_UNRESOLVED;
		return -1;
	}
	int fd = socket(addr.u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		*reason = REASON_NO_SOCKET;
		return -1;
	}
	int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, &addr.u.sa, addr_len(&addr)) < 0 && errno != EINPROGRESS) {
		*reason = reason_of(errno);
		close(fd);
		return -1;
	}
	return fd;
}

static bool begin_tls(struct origin *origin, int fd, struct stream *stream)
{
	const struct origin_tls *tls = &origin->route->route->tls;
	return stream_init_tls_origin(stream, fd, tls->loaded, tls->name ? tls->name : origin->spec->host,
				      &origin->session);
}

bool origin_dial(struct origin *origin, struct stream *stream, enum reason *reason)
{
	int fd = dial(origin, reason);
	if (fd < 0)
		return false;
	if (!origin->spec->tls) {
		stream_init_plain(stream, fd);
		return true;
	}
	if (begin_tls(origin, fd, stream))
		return true;
	*reason = REASON_OVERLOAD;
	close(fd);
	return false;
}

static bool is_through(const struct stream *stream, enum reason *reason)
{
	int error = 0;
	socklen_t len = sizeof(error);
	if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0)
		return true;
	*reason = error == ETIMEDOUT ? REASON_ORIGIN_CONNECT_TIMEOUT : REASON_ORIGIN_REFUSED;
	return false;
}

enum origin_take origin_dial_more(const struct origin *origin, const struct origin_visit *visit,
				  struct stream *stream, bool *is_open, enum reason *reason)
{
	if (!*is_open) {
		if (!stream->writable && !stream->peer_closed)
			return ORIGIN_CONNECTING;
		if (!is_through(stream, reason))
			return ORIGIN_FAILED;
		*reason = REASON_ORIGIN_REFUSED;
		if (!introduce(origin, stream->fd, visit->source, visit->destination))
			return ORIGIN_FAILED;
		*is_open = true;
	}
	if (!stream_is_tls(stream))
		return ORIGIN_READY;
	switch (tls_handshake(stream)) {
	case TLS_DONE: return ORIGIN_READY;
	case TLS_WAIT: return ORIGIN_CONNECTING;
	default: *reason = tls_fault(stream).reason; return ORIGIN_FAILED;
	}
}

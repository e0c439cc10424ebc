/* Opens the socket of one connection to an origin: by its literal address, by
 * the addresses that its name has now, in turn, or, where the origin is a process of ours,
 * by sending it the other end. */
#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "origin/origins.h"
#include "sallyport/fd_pass.h"

static bool next_addr(struct origin *origin, struct addr *addr)
{
	if (!origin->name) {
		*addr = origin->spec->addr;
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

int origin_dial(struct origin *origin, enum reason *reason)
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

/* Opens the socket of one connection to an origin: by its literal address, or by
 * the addresses that its name has now, in turn. */
#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "origin/origins.h"

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

int origin_dial(struct origin *origin, enum reason *reason)
{
	struct addr addr;
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

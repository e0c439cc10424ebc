/* Opens the socket of one connection to an origin: by its literal address, by the
 * addresses that its name has now, in turn, or to a service of ours. */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
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

/* False: whoever should take it has fallen far behind, or is gone for good. */
static bool send_end(int channel, int fd)
{
	char byte = 0;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	memset(&control, 0, sizeof(control));
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(channel, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

/* The connection stands at once; whether somebody answers shows later. */
static int dial_service(const struct origins_setup *setup, unsigned service, enum reason *reason)
{
	int ends[2], channel = setup->service_fds[service];
	*reason = REASON_ORIGIN_REFUSED;
	if (channel < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0) {
		*reason = REASON_OVERLOAD;
		return -1;
	}
	bool sent = send_end(channel, ends[1]);
	close(ends[1]);
	if (sent)
		return ends[0];
	close(ends[0]);
	return -1;
}

int origin_dial(struct origin *origin, enum reason *reason)
{
	struct addr addr;
	if (origin->spec->service != SERVICE_NONE)
		return dial_service(&origin->origins->setup, origin->spec->service, reason);
	if (!next_addr(origin, &addr)) {
		*reason = REASON_ORIGIN_UNRESOLVED;
		return -1;
	}
	int fd = socket(addr.u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		*reason = REASON_OVERLOAD;
		return -1;
	}
	int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, &addr.u.sa, addr_len(&addr)) < 0 && errno != EINPROGRESS) {
		*reason = REASON_ORIGIN_REFUSED;
		close(fd);
		return -1;
	}
	return fd;
}

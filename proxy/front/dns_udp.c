/* DNS questions by packet. An answer leaves from the very address that was asked, also where the socket listens on
 * all: a client takes it from no other. */
#include "front/dns.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* So that a flood of packets leaves time for everything else in this process. */
enum { PACKETS_PER_TURN = 64 };

static bool is_local_address(const struct cmsghdr *part)
{
	return (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) ||
	       (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO);
}

/* The same message says to sendmsg() from where. The interface is left to the routes. */
static void keep_local(struct msghdr *from, struct dns_way *way)
{
	way->local_len = 0;
	for (struct cmsghdr *part = CMSG_FIRSTHDR(from); part; part = CMSG_NXTHDR(from, part)) {
		size_t len = CMSG_ALIGN(part->cmsg_len);
		if (!is_local_address(part) || len > sizeof(way->local))
			continue;
		memcpy(way->local, part, part->cmsg_len);
		way->local_len = len;
	}
}

/* False: nothing more has come. */
static bool take_packet(struct dns_service *service)
{
	char bytes[DNS_QUERY_MAX + 1];
	_Alignas(struct cmsghdr) uint8_t control[128];
	struct sockaddr_storage from;
	struct dns_way way = {0};
	struct iovec part = {bytes, sizeof(bytes)};
	struct msghdr message = {.msg_name = &from,
				 .msg_namelen = sizeof(from),
				 .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	ssize_t len = recvmsg(service->udp.fd, &message, 0);
	if (len < 0)
		return errno == EINTR;
	/* An answer to port 0 goes nowhere. A packet that is longer than a question is cut, and none. */
	if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
	    !addr_from_sockaddr((struct sockaddr *)&from, message.msg_namelen, &way.peer) || addr_port(&way.peer) == 0)
		return true;
	keep_local(&message, &way);
	(void)dns_take(service, span_of(bytes, (size_t)len), &way);
	return true;
}

static void on_packets(struct watch *watch, unsigned events)
{
	struct dns_service *service =
	    (struct dns_service *)(void *)((char *)watch - offsetof(struct dns_service, udp));
	(void)events;
	for (int i = 0; i < PACKETS_PER_TURN && take_packet(service); i++)
		continue;
}

/* The peer as the socket's family has it: addr folds IPv4-mapped addresses. */
static socklen_t unfold(const struct dns_service *service, const struct addr *peer, struct sockaddr_storage *out)
{
	struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(addr_port(peer))};
	struct sockaddr_storage own;
	socklen_t own_len = sizeof(own);
	if (peer->u.sa.sa_family == AF_INET6 || getsockname(service->udp.fd, (struct sockaddr *)&own, &own_len) != 0 ||
	    own.ss_family == AF_INET) {
		memcpy(out, &peer->u, addr_len(peer));
		return addr_len(peer);
	}
	if (!addr_mapped_bytes(peer, mapped.sin6_addr.s6_addr))
		return 0;
	memcpy(out, &mapped, sizeof(mapped));
	return sizeof(mapped);
}

void dns_udp_send(const struct dns_service *service, const struct dns_way *way, const uint8_t *bytes, size_t len)
{
	struct dns_way copy = *way;
	struct sockaddr_storage to;
	struct iovec part = {(void *)(uintptr_t)bytes, len};
	struct msghdr message = {.msg_name = &to,
				 .msg_namelen = unfold(service, &way->peer, &to),
				 .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = copy.local_len ? copy.local : NULL,
				 .msg_controllen = copy.local_len};
	/* Who got no answer asks again. */
	(void)sendmsg(service->udp.fd, &message, 0);
}

bool dns_udp_start(struct dns_service *service, struct err *err)
{
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	const int on = 1;
	int fd = service->setup.udp_fd;
	if (fd < 0)
		return true;
	if (getsockname(fd, (struct sockaddr *)&own, &len) != 0 ||
	    (own.ss_family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on))
				       : setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on))) != 0)
		return err_set(err, "DNS listener: %s", strerror(errno));
	service->udp = (struct watch){.fd = fd, .on_event = on_packets};
	return loop_watch_input(service->setup.loop, &service->udp, err);
}

/* See kernel_route.h. */
#include "sallyport/kernel_route.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "egress/kernel_netlink.h"

enum { DRAIN_BYTES = 8192 };

int kernel_route_open(struct err *err)
{
	return netlink_open(NETLINK_ROUTE, err);
}

/* ---- links ---- */

struct link {
	char name[KERNEL_INTERFACE_SIZE];
	bool is_bridged;
};

static void take_link(void *context, const char *header, const char *bytes, size_t len)
{
	struct link *link = context;
	size_t name_len, info_len, kind_len;
	const char *name = netlink_find(bytes, len, IFLA_IFNAME, &name_len);
	const char *info = netlink_find(bytes, len, IFLA_LINKINFO, &info_len);
	const char *kind = info ? netlink_find(info, info_len, IFLA_INFO_SLAVE_KIND, &kind_len) : NULL;
	(void)header;
	if (name && name_len <= sizeof(link->name) && memchr(name, '\0', name_len))
		memcpy(link->name, name, name_len);
	link->is_bridged = kind && kind_len >= sizeof("bridge") - 1 && strncmp(kind, "bridge", kind_len) == 0;
}

/* By index, or, where that is 0, by name. */
static bool get_link(int fd, int index, const char *name, struct link *link)
{
	const struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	const struct netlink_reader reader = {
	    .type = RTM_NEWLINK, .header_len = sizeof(header), .each = take_link, .context = link};
	struct netlink_question question;
	netlink_begin(&question, RTM_GETLINK, NLM_F_ACK, &header, sizeof(header));
	if (index == 0)
		netlink_add(&question, IFLA_IFNAME, name, strlen(name) + 1);
	return netlink_talk(fd, &question, &reader) && link->name[0] != '\0';
}

bool kernel_route_is_bridged(int fd, const char *interface)
{
	struct link link = {{0}, false};
	return get_link(fd, 0, interface, &link) && link.is_bridged;
}

/* ---- routes ---- */

struct route {
	int index;
	bool is_unicast, has_gateway;
};

static void take_route(void *context, const char *header, const char *bytes, size_t len)
{
	struct route *route = context;
	struct rtmsg message;
	size_t index_len, gateway_len;
	const char *index = netlink_find(bytes, len, RTA_OIF, &index_len);
	memcpy(&message, header, sizeof(message));
	route->is_unicast = message.rtm_type == RTN_UNICAST;
	route->has_gateway = netlink_find(bytes, len, RTA_GATEWAY, &gateway_len) != NULL ||
			     netlink_find(bytes, len, RTA_VIA, &gateway_len) != NULL;
	if (index && index_len == sizeof(route->index))
		memcpy(&route->index, index, sizeof(route->index));
}

static bool get_route(int fd, const struct addr *addr, struct route *route)
{
	bool v4 = addr->u.sa.sa_family == AF_INET;
	const struct rtmsg header = {.rtm_family = (unsigned char)addr->u.sa.sa_family, .rtm_dst_len = v4 ? 32 : 128};
	const struct netlink_reader reader = {
	    .type = RTM_NEWROUTE, .header_len = sizeof(header), .each = take_route, .context = route};
	struct netlink_question question;
	netlink_begin(&question, RTM_GETROUTE, NLM_F_ACK, &header, sizeof(header));
	if (v4)
		netlink_add(&question, RTA_DST, &addr->u.in4.sin_addr, 4);
	else
		netlink_add(&question, RTA_DST, &addr->u.in6.sin6_addr, 16);
	return netlink_talk(fd, &question, &reader) && route->is_unicast && route->index > 0;
}

static bool name_route(int fd, const struct route *route, char out[KERNEL_INTERFACE_SIZE])
{
	struct link link = {{0}, false};
	if (!get_link(fd, route->index, NULL, &link))
		return false;
	memcpy(out, link.name, KERNEL_INTERFACE_SIZE);
	return true;
}

bool kernel_route_direct(int fd, const struct addr *addr, char out[KERNEL_INTERFACE_SIZE])
{
	struct route route = {0};
	return get_route(fd, addr, &route) && !route.has_gateway && name_route(fd, &route, out);
}

bool kernel_route_to(int fd, const struct addr *addr, char out[KERNEL_INTERFACE_SIZE])
{
	struct route route = {0};
	return get_route(fd, addr, &route) && name_route(fd, &route, out);
}

/* ---- changes ---- */

int kernel_route_watch(struct err *err)
{
	const struct sockaddr_nl groups = {.nl_family = AF_NETLINK,
					   .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
	int fd = netlink_open(NETLINK_ROUTE, err);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&groups, sizeof(groups)) == 0)
		return fd;
	err_set(err, "changes of interfaces and routes cannot be heard of: %s", strerror(errno));
	close(fd);
	return -1;
}

void kernel_route_drain(int fd)
{
	static char bytes[DRAIN_BYTES];
	ssize_t len;
	do
		len = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	while (len > 0 || (len < 0 && errno == ENOBUFS));
}

/* Listening sockets. See listeners.h. */
#include "proc/listeners.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel cuts it to net.core.somaxconn. */
enum { BACKLOG = 4096 };

static bool explain(const struct addr *addr, int error, struct err *err)
{
	char text[ADDR_TEXT_SIZE];
	addr_format(addr, text);
	switch (error) {
	case EADDRINUSE:
		return err_set(
		    err,
		    "cannot listen on %s: the port is in use; stop the program that has it, "
		    "or choose another port (listen, --listen)",
		    text);
	case EACCES:
	case EPERM:
		return err_set(err,
			       "cannot listen on %s: permission denied; run as root, or give the "
			       "capability: setcap cap_net_bind_service=+p /path/to/sallyport",
			       text);
	case EADDRNOTAVAIL:
		return err_set(
		    err, "cannot listen on %s: this machine has no such address; see ip address",
		    text);
	case EAFNOSUPPORT:
		return err_set(
		    err, "cannot listen on %s: this system has no IPv6; use an IPv4 address", text);
	default: return err_set(err, "cannot listen on %s: %s", text, strerror(error));
	}
}

static bool is_any_ipv6(const struct addr *addr)
{
	return addr->u.sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&addr->u.in6.sin6_addr);
}

/* "Any address" is also meant on a machine without IPv6. */
static struct addr any_ipv4(uint16_t port)
{
	struct addr addr = {.u.in4 = {.sin_family = AF_INET, .sin_port = htons(port)}};
	return addr;
}

static bool bind_to(int fd, const struct addr *addr)
{
	const int off = 0;
	if (is_any_ipv6(addr) && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0)
		return false;
	return bind(fd, &addr->u.sa, addr_len(addr)) == 0;
}

/* Accepted connections inherit TCP_NODELAY, which saves each of them the call. */
static bool bind_and_listen(int fd, const struct addr *addr)
{
	const int on = 1;
	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	       setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 && bind_to(fd, addr) &&
	       listen(fd, BACKLOG) == 0;
}

static int open_as(int kind, bool (*start)(int fd, const struct addr *addr), const struct addr *addr, struct err *err)
{
	const int type = kind | SOCK_NONBLOCK | SOCK_CLOEXEC;
	struct addr actual = *addr;
	int fd = socket(actual.u.sa.sa_family, type, 0);
	if (fd < 0 && errno == EAFNOSUPPORT && is_any_ipv6(addr)) {
		actual = any_ipv4(addr_port(addr));
		fd = socket(AF_INET, type, 0);
	}
	if (fd >= 0 && start(fd, &actual))
		return fd;
	explain(addr, errno, err);
	if (fd >= 0)
		close(fd);
	return -1;
}

int listener_open(const struct addr *addr, struct err *err)
{
	return open_as(SOCK_STREAM, bind_and_listen, addr, err);
}

int listener_open_datagram(const struct addr *addr, struct err *err)
{
	return open_as(SOCK_DGRAM, bind_to, addr, err);
}

bool listener_address(int fd, struct addr *out)
{
	struct sockaddr_storage storage;
	socklen_t len = sizeof(storage);
	return getsockname(fd, (struct sockaddr *)&storage, &len) == 0 &&
	       addr_from_sockaddr((struct sockaddr *)&storage, len, out);
}

static struct listener *find(struct listeners *listeners, const struct addr *addr)
{
	for (unsigned i = 0; i < listeners->n; i++)
		if (addr_eq(&listeners->items[i].addr, addr))
			return &listeners->items[i];
	return NULL;
}

int listeners_fd(const struct listeners *listeners, const struct addr *addr)
{
	for (unsigned i = 0; i < listeners->n; i++)
		if (addr_eq(&listeners->items[i].addr, addr))
			return listeners->items[i].fd;
	return -1;
}

static void close_where(struct listeners *listeners, bool fresh)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < listeners->n; i++) {
		struct listener *item = &listeners->items[i];
		if (fresh ? item->is_fresh : !item->is_wanted)
			close(item->fd);
		else
			listeners->items[kept++] = *item;
	}
	listeners->n = kept;
}

void listeners_commit(struct listeners *listeners)
{
	close_where(listeners, false);
	for (unsigned i = 0; i < listeners->n; i++)
		listeners->items[i].is_fresh = false;
}

void listeners_rollback(struct listeners *listeners)
{
	close_where(listeners, true);
	for (unsigned i = 0; i < listeners->n; i++)
		listeners->items[i].is_wanted = true;
}

static bool add(struct listeners *listeners, const struct addr *addr, struct err *err)
{
	if (listeners->n >= sizeof(listeners->items) / sizeof(listeners->items[0]))
		return err_set(err, "more than %d listeners", LISTENERS_MAX);
	int fd = listeners->are_datagram ? listener_open_datagram(addr, err) : listener_open(addr, err);
	if (fd < 0)
		return false;
	listeners->items[listeners->n++] =
	    (struct listener){.addr = *addr, .fd = fd, .is_wanted = true, .is_fresh = true};
	return true;
}

bool listeners_prepare(struct listeners *listeners, const struct addr *addrs, unsigned n,
		       struct err *err)
{
	for (unsigned i = 0; i < listeners->n; i++)
		listeners->items[i].is_wanted = false;
	for (unsigned i = 0; i < n; i++) {
		struct listener *known = find(listeners, &addrs[i]);
		if (known)
			known->is_wanted = true;
		else if (!add(listeners, &addrs[i], err)) {
			listeners_rollback(listeners);
			return false;
		}
	}
	return true;
}

void listeners_release(struct listeners *listeners)
{
	for (unsigned i = 0; i < listeners->n; i++)
		close(listeners->items[i].fd);
	listeners->n = 0;
}

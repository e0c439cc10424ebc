/* Tells an origin whose connection it gets, where its route asks for that: a PROXY header
 * before all else, in plain bytes whatever the transport. A connection that was introduced
 * belongs to one client, and so is never pooled. */
#include <errno.h>
#include <sys/socket.h>

#include "origin/origins.h"

static enum proxy_version version_for(const struct origin *origin)
{
	return (enum proxy_version)origin->route->route->send_proxy;
}

bool is_personal(const struct origin *origin)
{
	return version_for(origin) == PROXY_VERSION_1 || version_for(origin) == PROXY_VERSION_2;
}

bool introduce(const struct origin *origin, int fd, const struct addr *source,
	       const struct addr *destination)
{
	char header[PROXY_WRITE_MAX];
	size_t len = proxy_header_write(version_for(origin), source, destination, header);
	ssize_t sent;
	if (len == 0)
		return true;
	/* The socket is new: it has room. What is sent next leaves in the same packet. */
	do
		sent = send(fd, header, len, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE);
	while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)len;
}

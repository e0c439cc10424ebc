/* See egress_token.h. The packet goes nowhere: the warden's table drops it on its way in, once it has been
 * counted on its way out. */
#include "sallyport/egress_token.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "sallyport/egress_state.h"

enum { PORT_DISCARD = 9 };

int egress_token_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

enum egress_token egress_token_ask(int fd, unsigned slot)
{
	if (fd < 0 || slot >= EGRESS_STATES)
		return EGRESS_TOKEN_NO_KERNEL;
	struct sockaddr_in to = {
	    .sin_family = AF_INET,
	    .sin_port = htons(PORT_DISCARD),
	    .sin_addr.s_addr = htonl(UINT32_C(127) << 24 | UINT32_C(83) << 16 | (slot / 256) << 8 | (slot % 256 + 1)),
	};
	if (sendto(fd, "", 0, MSG_NOSIGNAL, (const struct sockaddr *)&to, sizeof(to)) >= 0)
		return EGRESS_TOKEN_GRANTED;
	return errno == EPERM ? EGRESS_TOKEN_REFUSED : EGRESS_TOKEN_NO_KERNEL;
}

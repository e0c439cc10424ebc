/* What a peer has not acknowledged yet. In a file of its own, since the kernel's header has more of struct tcp_info
 * than that of the C library, and there is no having both. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "sallyport/stream.h"

size_t stream_unacknowledged(const struct stream *stream)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	if (getsockopt(stream->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return 0;
	return info.tcpi_notsent_bytes + (size_t)info.tcpi_unacked * info.tcpi_snd_mss;
}

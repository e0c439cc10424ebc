/* Plain TCP as a transport. Never waits, also where whoever handed a connection over
 * made it a blocking one. Edge-triggered: a call that would block, or that
 * moved less than it was asked to, clears the flag, and the next event sets it
 * again; so the usual exchange needs no call that only finds out there is nothing. */
#include "sallyport/stream.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sallyport/loop.h"

static ssize_t plain_read(struct stream *s, void *buf, size_t room)
{
	ssize_t n;
	do
		n = recv(s->fd, buf, room, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		/* Less than asked for: the socket is empty, unless its end is near. */
		if ((size_t)n < room && !s->peer_closed)
			s->readable = false;
		return n;
	}
	s->readable = false;
	if (n == 0) {
		s->peer_closed = true;
		return STREAM_EOF;
	}
	return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_AGAIN : STREAM_ERROR;
}

static ssize_t plain_writev(struct stream *s, const struct iovec *iov, int n)
{
	size_t wanted = 0;
	for (int i = 0; i < n; i++)
		wanted += iov[i].iov_len;
	ssize_t sent;
	do {
		if (n == 1) {
			sent = send(s->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
		} else {
			struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};
			sent = sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		}
	} while (sent < 0 && errno == EINTR);
	if (sent < 0) {
		s->writable = false;
		return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_AGAIN : STREAM_ERROR;
	}
	if ((size_t)sent < wanted)
		s->writable = false;
	return sent;
}

static void plain_shutdown(struct stream *s)
{
	shutdown(s->fd, SHUT_WR);
}

static bool plain_is_silent(struct stream *s)
{
	char byte;
	return recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void plain_close(struct stream *s, bool abort_it)
{
	if (s->fd < 0)
		return;
	if (abort_it) {
		struct linger linger = {.l_onoff = 1, .l_linger = 0};
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	}
	close(s->fd);
	s->fd = -1;
}

const struct stream_ops stream_plain = {
    .name = "plain",
    .read = plain_read,
    .writev = plain_writev,
    .shutdown = plain_shutdown,
    .is_silent = plain_is_silent,
    .close = plain_close,
    .can_splice = true,
};

void stream_init_plain(struct stream *stream, int fd)
{
	*stream = (struct stream){.ops = &stream_plain, .fd = fd};
}

void stream_note(struct stream *stream, unsigned events)
{
	if (events & (LOOP_READABLE | LOOP_PEER_CLOSED | LOOP_ERROR)) {
		stream->readable = true;
		stream->writable = stream->writable || stream->write_wants_read;
		stream->wire_empty = stream->write_wants_read = false;
	}
	if (events & (LOOP_WRITABLE | LOOP_ERROR)) {
		stream->writable = true;
		stream->readable = stream->readable || stream->read_wants_write;
		stream->wire_full = stream->read_wants_write = false;
	}
	if (events & (LOOP_PEER_CLOSED | LOOP_ERROR))
		stream->peer_closed = true;
}

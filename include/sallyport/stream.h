#ifndef SALLYPORT_STREAM_H
#define SALLYPORT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/* The transport under a connection: plain TCP, or TLS (tls.h). Callers see
 * bytes; whether they were encrypted is the transport's affair. */
struct stream;
struct tls;

enum stream_result {
	STREAM_AGAIN = -1, /* nothing now: wait for the next event */
	STREAM_EOF = -2,   /* the peer ended in order */
	STREAM_ERROR = -3, /* reset, broken, or misused: errno says which */
};

struct stream_ops {
	const char *name;
	/* Bytes read or written (> 0), or a stream_result. */
	ssize_t (*read)(struct stream *stream, void *buf, size_t room);
	ssize_t (*writev)(struct stream *stream, const struct iovec *iov, int n);
	/* Says that no more will be written; reading goes on. TLS that is broken becomes plain: its bytes
	 * are only good for throwing away. */
	void (*shutdown)(struct stream *stream);
	/* Nothing waits to be read, whatever the loop has said of it so far. */
	bool (*is_silent)(struct stream *stream);
	/* Ends it, with a reset where abort is set. Closes the descriptor. */
	void (*close)(struct stream *stream, bool abort);
	/* Bytes may go past user space by splice(2). */
	bool can_splice;
};

struct stream {
	const struct stream_ops *ops;
	int fd;
	/* What the last event or call left: cleared by a call that would block. */
	bool readable;
	bool writable;
	bool peer_closed;
	/* TLS: the same of the socket below, where bytes may have been read that are no record yet,
	 * or records that are no bytes yet; and who waits for the other direction. */
	bool wire_empty, wire_full;
	bool read_wants_write, write_wants_read;
	struct tls *tls; /* NULL: plain */
};

extern const struct stream_ops stream_plain;

/* fd: a connected or connecting non-blocking socket, owned from here on. */
void stream_init_plain(struct stream *stream, int fd);
/* Bytes that were written and the peer has not acknowledged; what is under way counts in whole segments, so it may be
 * fewer. 0: there are none, or it is no TCP connection. */
size_t stream_unacknowledged(const struct stream *stream);
/* Notes what the loop said. */
void stream_note(struct stream *stream, unsigned loop_events);

static inline ssize_t stream_read(struct stream *s, void *buf, size_t room)
{
	return s->ops->read(s, buf, room);
}

static inline ssize_t stream_writev(struct stream *s, const struct iovec *iov, int n)
{
	return s->ops->writev(s, iov, n);
}

#endif

/* The BIO between OpenSSL and a stream's socket. It does what net/stream.c does for plain
 * connections: never waits, and spares the call that would only find out that there is nothing
 * (edge-triggered: the stream's wire_empty and wire_full say what is known). */
#include "net/tls.h"

#include <errno.h>
#include <sys/socket.h>

/* "GET " and the like: the first bytes of a client that does not know that this port speaks TLS,
 * whose records begin with 0x16 (or 0x80, SSL 2). */
static bool is_method(const char *bytes, size_t len)
{
	size_t i = 0;
	while (i < len && bytes[i] >= 'A' && bytes[i] <= 'Z')
		i++;
	return i >= 3 && (i == len || bytes[i] == ' ');
}

static int wire_read(BIO *bio, char *buf, size_t room, size_t *got)
{
	struct tls *tls = BIO_get_data(bio);
	struct stream *s = tls->stream;
	ssize_t n = -1;
	BIO_clear_retry_flags(bio);
	errno = EAGAIN;
	if (!s->wire_empty) {
		do
			n = recv(s->fd, buf, room, MSG_DONTWAIT);
		while (n < 0 && errno == EINTR);
	}
	if (n < 0 && errno == EAGAIN) {
		s->wire_empty = true;
		BIO_set_retry_read(bio);
	}
	if (n == 0)
		s->peer_closed = tls->is_over = true;
	if (n <= 0)
		return 0;
	if ((size_t)n < room && !s->peer_closed)
		s->wire_empty = true;
	if (!tls->is_heard)
		tls->speaks_http = tls->server && is_method(buf, (size_t)n);
	tls->is_heard = true;
	*got = (size_t)n;
	return 1;
}

static int wire_write(BIO *bio, const char *bytes, size_t len, size_t *written)
{
	struct tls *tls = BIO_get_data(bio);
	struct stream *s = tls->stream;
	ssize_t n = -1;
	BIO_clear_retry_flags(bio);
	errno = EAGAIN;
	if (!s->wire_full) {
		do
			n = send(s->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		while (n < 0 && errno == EINTR);
	}
	if (n < 0 && errno == EAGAIN) {
		s->wire_full = true;
		BIO_set_retry_write(bio);
	}
	if (n < 0)
		return 0;
	if ((size_t)n < len)
		s->wire_full = true;
	*written = (size_t)n;
	return 1;
}

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
	const struct tls *tls = BIO_get_data(bio);
	(void)number;
	(void)pointer;
	if (command == BIO_CTRL_EOF)
		return tls->is_over;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method_new(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
	if (method && BIO_meth_set_read_ex(method, wire_read) && BIO_meth_set_write_ex(method, wire_write) &&
	    BIO_meth_set_ctrl(method, wire_control))
		return method;
	BIO_meth_free(method);
	return NULL;
}

BIO *tls_wire_new(struct tls *tls)
{
	static BIO_METHOD *method;
	if (!method)
		method = method_new();
	BIO *bio = method ? BIO_new(method) : NULL;
	if (!bio)
		return NULL;
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	return bio;
}

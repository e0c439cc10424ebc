/* TLS as a transport: the stream operations, and the handshake before them.
 *
 * A stream is `readable` as long as reading may give something: bytes in the socket, in
 * OpenSSL's buffer, or decrypted and not taken yet. No event comes for the latter two, so the flag is
 * only cleared where all three are known to be empty. */
#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_BYTES = SSL3_RT_MAX_PLAIN_LENGTH };

static const struct stream_ops stream_tls;

/* ---- faults ---- */

static enum reason reason_of_handshake(const struct tls *tls, int why)
{
	if (!tls->server)
		return why == SSL_R_CERTIFICATE_VERIFY_FAILED ? REASON_ORIGIN_CERTIFICATE : REASON_ORIGIN_TLS;
	if (tls->speaks_http)
		return REASON_TLS_PLAIN_HTTP;
	switch (why) {
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
	case SSL_R_CERTIFICATE_VERIFY_FAILED: return REASON_TLS_CLIENT_CERTIFICATE;
	default: return REASON_TLS_HANDSHAKE;
	}
}

static const char *text_of_verify(const struct tls *tls)
{
	return X509_verify_cert_error_string(SSL_get_verify_result(tls->ssl));
}

/* Once: what came first is the cause. */
static void set_fault(struct tls *tls, int ssl_error)
{
	unsigned long code = ERR_peek_error();
	int why = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
	bool is_gone = ssl_error == SSL_ERROR_SYSCALL || why == SSL_R_UNEXPECTED_EOF_WHILE_READING;
	const char *text = why == SSL_R_CERTIFICATE_VERIFY_FAILED ? text_of_verify(tls)
			   : is_gone ? "the connection ended without close_notify"
				     : tls_last_error("the connection broke");
	if (tls->fault.reason != REASON_UNSET)
		return;
	tls->fault.text = text;
	if (!tls->is_done)
		tls->fault.reason = is_gone && tls->server && !tls->speaks_http
					? REASON_CLIENT_GONE
					: reason_of_handshake(tls, why);
	else if (!is_gone)
		tls->fault.reason = tls->server ? REASON_TLS_RECORD : REASON_ORIGIN_TLS;
}

struct tls_fault tls_fault(const struct stream *s)
{
	return s->tls ? s->tls->fault : (struct tls_fault){REASON_UNSET, NULL};
}

bool tls_heard(const struct stream *s)
{
	return s->tls && s->tls->is_heard;
}

/* ---- reading ---- */

static bool more_at_hand(const struct stream *s)
{
	return !s->wire_empty || SSL_has_pending(s->tls->ssl);
}

/* What a call that gave nothing means. */
static ssize_t why_no_bytes(struct stream *s, int result, bool *usable, bool *crossed, int own, int other)
{
	int error = SSL_get_error(s->tls->ssl, result);
	if (error == own || error == other) {
		*usable = false;
		*crossed = error == other;
		return STREAM_AGAIN;
	}
	if (error == SSL_ERROR_ZERO_RETURN) {
		s->peer_closed = true;
		return STREAM_EOF;
	}
	set_fault(s->tls, error);
	errno = EPROTO;
	return STREAM_ERROR;
}

static ssize_t tls_read(struct stream *s, void *buf, size_t room)
{
	struct tls *tls = s->tls;
	size_t total = 0, got;
	if (tls->fault.text)
		return STREAM_ERROR;
	do {
		ERR_clear_error();
		int result = SSL_read_ex(tls->ssl, (char *)buf + total, room - total, &got);
		if (result <= 0) {
			ssize_t why = why_no_bytes(s, result, &s->readable, &s->read_wants_write, SSL_ERROR_WANT_READ,
						   SSL_ERROR_WANT_WRITE);
			return total > 0 ? (ssize_t)total : why; /* an end is told again by the next call */
		}
		total += got;
	} while (total < room && more_at_hand(s));
	s->readable = more_at_hand(s);
	return (ssize_t)total;
}

static bool tls_is_silent(struct stream *s)
{
	char byte;
	size_t got;
	s->wire_empty = false;
	ERR_clear_error();
	int result = s->tls->fault.text ? -1 : SSL_peek_ex(s->tls->ssl, &byte, 1, &got);
	return result <= 0 && SSL_get_error(s->tls->ssl, result) == SSL_ERROR_WANT_READ;
}

/* ---- writing ---- */

/* Where the next record's bytes begin. */
struct gather {
	const struct iovec *iov;
	int n;
	size_t off;
};

/* At most a record of them in one piece: in place, or copied together into buf. */
static const char *next_record(const struct gather *g, char *buf, size_t *len)
{
	struct gather at = *g;
	size_t room = RECORD_BYTES;
	size_t first = at.n > 0 ? at.iov->iov_len - at.off : 0;
	if (at.n == 1 || first >= room) {
		*len = first < room ? first : room;
		return (const char *)at.iov->iov_base + at.off;
	}
	*len = 0;
	for (; at.n > 0 && room > 0; at.n--, at.iov++, at.off = 0) {
		size_t part = at.iov->iov_len - at.off;
		part = part < room ? part : room;
		memcpy(buf + *len, (const char *)at.iov->iov_base + at.off, part);
		*len += part;
		room -= part;
	}
	return buf;
}

static void skip(struct gather *g, size_t len)
{
	while (g->n > 0 && len >= g->iov->iov_len - g->off) {
		len -= g->iov->iov_len - g->off;
		g->iov++;
		g->n--;
		g->off = 0;
	}
	g->off += len;
}

/* A record that the socket did not take is repeated by the next call, which has to bring the same
 * bytes again: our callers keep what was not taken, and bring it first. */
static ssize_t tls_writev(struct stream *s, const struct iovec *iov, int n)
{
	static char buf[RECORD_BYTES];
	struct gather g = {.iov = iov, .n = n};
	ssize_t total = 0;
	if (s->tls->fault.text)
		return STREAM_ERROR;
	while (g.n > 0) {
		size_t len, written;
		const char *bytes = next_record(&g, buf, &len);
		if (len == 0)
			break;
		ERR_clear_error();
		int result = SSL_write_ex(s->tls->ssl, bytes, len, &written);
		if (result <= 0) {
			ssize_t why = why_no_bytes(s, result, &s->writable, &s->write_wants_read,
						   SSL_ERROR_WANT_WRITE, SSL_ERROR_WANT_READ);
			return total > 0 && why == STREAM_AGAIN ? total : why == STREAM_EOF ? STREAM_ERROR : why;
		}
		total += (ssize_t)written;
		skip(&g, written);
	}
	return total;
}

/* ---- ending ---- */

static void tls_release(struct stream *s)
{
	struct tls *tls = s->tls;
	SSL_free(tls->ssl);
	free(tls->client_fields);
	free(tls->refused_name);
	free(tls);
	s->tls = NULL;
	s->ops = &stream_plain;
	s->readable = true;
}

/* Without waiting for the peer's: whoever reads us has had all of it by then. */
static void say_close_notify(struct tls *tls)
{
	ERR_clear_error();
	if (tls->is_done && !tls->fault.text && !(SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN))
		(void)SSL_shutdown(tls->ssl); /* best effort: the peer may be gone, or not read */
}

/* The peer may go on. Where there is no telling what its bytes would mean, they become plain, so that
 * they can be thrown away. */
static void tls_shutdown(struct stream *s)
{
	say_close_notify(s->tls);
	if (!s->tls->is_done || s->tls->fault.text)
		tls_release(s);
	stream_plain.shutdown(s);
}

static void tls_close(struct stream *s, bool abort_it)
{
	if (!abort_it)
		say_close_notify(s->tls);
	tls_release(s);
	s->ops->close(s, abort_it);
}

static const struct stream_ops stream_tls = {
    .name = "tls",
    .read = tls_read,
    .writev = tls_writev,
    .shutdown = tls_shutdown,
    .is_silent = tls_is_silent,
    .close = tls_close,
    .can_splice = false,
};

/* ---- beginning ---- */

enum tls_step tls_handshake(struct stream *s)
{
	struct tls *tls = s->tls;
	ERR_clear_error();
	int result = tls->fault.text ? -1 : SSL_do_handshake(tls->ssl);
	if (result == 1) {
		tls->is_done = tls_clients_note(tls);
		if (!tls->is_done)
			tls->fault = (struct tls_fault){REASON_TLS_CLIENT_CERTIFICATE,
							"the certificate's subject is too long, or no memory"};
		s->readable = more_at_hand(s);
		return tls->is_done ? TLS_DONE : TLS_FAILED;
	}
	int error = SSL_get_error(tls->ssl, result);
	if (!tls->fault.text && (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE))
		return TLS_WAIT;
	set_fault(tls, error);
	return TLS_FAILED;
}

struct tls_facts tls_facts(const struct stream *s)
{
	if (!s->tls || !s->tls->is_done)
		return (struct tls_facts){.name = s->tls ? s->tls->refused_name : NULL};
	SSL *ssl = s->tls->ssl;
	return (struct tls_facts){
	    .version = SSL_version(ssl) == TLS1_3_VERSION ? 13 : 12,
	    .resumed = SSL_session_reused(ssl) != 0,
	    .cipher = SSL_get_cipher_name(ssl),
	    .name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name),
	};
}

const struct tls_clients *tls_clients_of(const struct stream *s)
{
	return s->tls ? s->tls->clients : NULL;
}

struct span tls_client_fields(const struct stream *s)
{
	if (!s->tls)
		return (struct span){0};
	return span_of(s->tls->client_fields, s->tls->client_fields_len);
}

bool tls_stream_begin(struct stream *stream, int fd, SSL_CTX *context, const struct tls *like)
{
	struct tls *tls = malloc(sizeof(*tls));
	SSL *ssl = tls ? SSL_new(context) : NULL;
	BIO *wire = NULL;
	if (ssl) {
		*tls = *like;
		tls->ssl = ssl;
		tls->stream = stream;
		wire = tls_wire_new(tls);
	}
	if (!wire || !SSL_set_app_data(ssl, tls)) {
		BIO_free(wire);
		SSL_free(ssl);
		free(tls);
		return false;
	}
	SSL_set_bio(ssl, wire, wire);
	*stream = (struct stream){.ops = &stream_tls, .fd = fd, .tls = tls};
	return true;
}

#ifndef NET_TLS_H
#define NET_TLS_H

/* What the files net/tls*.c share: OpenSSL's types stay in here. */

#include <openssl/ssl.h>

#include "sallyport/tls.h"

enum { TLS_CLIENTS_ID_BYTES = 32 };

struct tls_names {
	char **names; /* lower case; "*." stands for one label */
	size_t n;
};

struct tls_certificate {
	X509 *leaf;
	STACK_OF(X509) *chain;
	EVP_PKEY *key;
	struct tls_names names; /* the certificate's DNS names */
	unsigned char *staple;  /* an OCSP response */
	size_t staple_len;
	int64_t staple_until;   /* seconds since 1970; 0: it does not say */
	char *path;
};

struct tls_clients {
	enum tls_demand demand;
	X509_STORE *store;
	STACK_OF(X509_NAME) *authorities;
	unsigned char id[TLS_CLIENTS_ID_BYTES]; /* digest of demand and CAs */
};

/* One connection. */
struct tls {
	SSL *ssl;
	struct stream *stream;
	const struct tls_server *server;   /* NULL: it goes to an origin */
	const struct tls_clients *clients; /* what was asked of this one */
	struct tls_session *session;       /* to an origin: where its session is kept */
	struct tls_fault fault;
	char *refused_name; /* SNI, where it was refused */
	char *client_fields;
	uint32_t client_fields_len;
	bool is_heard;
	bool is_over; /* the peer's end of the socket */
	bool speaks_http; /* its first bytes are no TLS but a method */
	bool is_done;     /* the handshake */
};

/* tls_context.c */
SSL_CTX *tls_context_new(const SSL_METHOD *method, enum tls_profile profile, struct err *err);
/* OpenSSL's last error as a text that lives for ever; what: where there is none. */
const char *tls_last_error(const char *what);

/* tls_stream.c: a stream of that context; `like` has what its struct tls begins with. */
bool tls_stream_begin(struct stream *stream, int fd, SSL_CTX *context, const struct tls *like);

/* tls_wire.c: the BIO between OpenSSL and the stream's socket. */
BIO *tls_wire_new(struct tls *tls);

/* tls_file.c */
enum { TLS_FILE_MAX = 1 << 20 };
/* A regular file, whole; wipe and free it by tls_file_release. NULL: err. */
unsigned char *tls_file_read(const char *path, size_t *len, struct err *err);
void tls_file_release(unsigned char *bytes, size_t len);
/* All certificates in PEM text; NULL where there is none, or something else that is broken. */
STACK_OF(X509) *tls_file_certificates(const unsigned char *pem, size_t len);
EVP_PKEY *tls_file_key(const char *path, struct err *err);

/* tls_ticket.c */
bool tls_ticket_use(SSL_CTX *context, struct err *err);
/* There is a key to seal with: without one a ticket must not be promised. */
bool tls_ticket_is_possible(struct tls_tickets *tickets);

/* tls_names.c */
bool tls_names_of(X509 *certificate, struct tls_names *out);
void tls_names_release(struct tls_names *names);

/* tls_staple.c */
void tls_staple_load(struct tls_certificate *certificate, const char *path, const struct tls_reporter *reporter);
bool tls_staple_use(SSL_CTX *context);

/* tls_clients.c */
/* Asks this connection's client; false: no memory. */
bool tls_clients_ask(SSL *ssl, const struct tls_clients *clients);
/* After the handshake: what is known of the client, as fields. False: no memory, or no room. */
bool tls_clients_note(struct tls *tls);

/* tls_server.c */
struct tls_tickets *tls_server_tickets(const struct tls_server *server);
const struct tls_certificate *tls_server_certificate(const struct tls_server *server, const X509 *leaf);

void tls_report(const struct tls_reporter *reporter, const char *setting, bool is_warning, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static inline struct tls *tls_of_ssl(const SSL *ssl)
{
	return SSL_get_app_data(ssl);
}

#endif

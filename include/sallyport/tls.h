#ifndef SALLYPORT_TLS_H
#define SALLYPORT_TLS_H

#include "sallyport/err.h"
#include "sallyport/reason.h"
#include "sallyport/span.h"
#include "sallyport/stream.h"
#include "sallyport/tls_tickets.h"

/* TLS 1.2 and 1.3 by OpenSSL, on both sides. What is loaded here (certificates, keys, stores of
 * CAs) is immutable, made once by the process that has the right to read the files, and shared
 * copy-on-write by the workers. No key leaves this module. */

/* ---- files ---- */

/* Whom load-time problems are told to. setting: which file it is about. */
struct tls_reporter {
	void (*report)(void *context, const char *setting, bool is_warning, const char *text);
	void *context;
};

struct tls_certificate;

/* certificate: PEM, the server's own first, then what signed it. key: PEM, not encrypted. ocsp: a
 * DER response, or NULL. NULL where an error was reported. */
struct tls_certificate *tls_certificate_load(const char *certificate, const char *key, const char *ocsp,
					     const struct tls_reporter *reporter);
void tls_certificate_free(void *certificate);

/* ---- client certificates ---- */

enum tls_demand { TLS_DEMAND_UNSET = 0, TLS_DEMAND_OFF, TLS_DEMAND_OPTIONAL, TLS_DEMAND_REQUIRED };

/* What is asked of clients: a demand and the CAs that count. */
struct tls_clients;
struct tls_clients *tls_clients_load(enum tls_demand demand, const char *ca, struct err *err);
void tls_clients_free(void *clients);
enum tls_demand tls_clients_demand(const struct tls_clients *clients); /* NULL: OFF */
/* Who passed one passes the other. NULL is "off". */
bool tls_clients_eq(const struct tls_clients *a, const struct tls_clients *b);

/* ---- the visitor's side ---- */

enum tls_profile { TLS_PROFILE_UNSET = 0, TLS_PROFILE_INTERMEDIATE, TLS_PROFILE_MODERN };

struct tls_server_setup {
	struct tls_certificate *const *certificates; /* the first is the default */
	size_t certificate_count;
	enum tls_profile profile;
	bool refuse_unknown_names;
	/* What is asked of clients that name this host (len 0: none). */
	const struct tls_clients *(*clients_of)(const void *context, struct span name);
	const void *context;
};

/* Certificates, names and settings of one listener. */
struct tls_server;
struct tls_server *tls_server_new(const struct tls_server_setup *setup, struct err *err);
void tls_server_free(void *server);
/* Once, in the worker: where ticket keys lie. NULL: no tickets are given. */
void tls_server_use_tickets(struct tls_server *server, struct tls_tickets *tickets);
/* The context that has this name's certificates, for tests: -1 where the name is unknown. */
int tls_server_pick(const struct tls_server *server, struct span name);

/* ---- origins ---- */

struct tls_origin_setup {
	const char *ca;          /* PEM; NULL: the system's */
	const char *certificate; /* ours; NULL: none */
	const char *key;
	bool verify;
};

struct tls_origin;
struct tls_origin *tls_origin_new(const struct tls_origin_setup *setup, const struct tls_reporter *reporter);
void tls_origin_free(void *origin);

/* The last session with an origin; zeroed: none. */
struct tls_session {
	void *session;
};
void tls_session_release(struct tls_session *session);

/* ---- connections ---- */

/* fd as in stream_init_plain(). False: no memory; fd is still the caller's. */
MUST_CHECK bool stream_init_tls_server(struct stream *stream, int fd, const struct tls_server *server);
/* name: whom the certificate has to name, and SNI where it is no address. Both are borrowed. */
MUST_CHECK bool stream_init_tls_origin(struct stream *stream, int fd, const struct tls_origin *origin,
				       const char *name, struct tls_session *session);

enum tls_step { TLS_STEP_UNSET = 0, TLS_WAIT, TLS_DONE, TLS_FAILED };

/* Goes on with the handshake. FAILED: see tls_fault(); nothing but closing is left to do. */
enum tls_step tls_handshake(struct stream *stream);

struct tls_fault {
	enum reason reason; /* UNSET: none */
	const char *text;   /* what OpenSSL says of it; lives for ever */
};
/* Why the handshake failed, or a record was refused. Plain streams have none. */
struct tls_fault tls_fault(const struct stream *stream);
/* Some byte came from the peer. */
bool tls_heard(const struct stream *stream);
/* What its client was asked for; NULL: nothing, or no TLS. */
const struct tls_clients *tls_clients_of(const struct stream *stream);
/* "X-Client-Cert-…: …\r\n" lines about the client's certificate; empty where none was asked for. */
struct span tls_client_fields(const struct stream *stream);

/* For the log; version 0: plain. */
struct tls_facts {
	unsigned version; /* 12, 13 */
	bool resumed;
	const char *cipher;
	const char *name; /* SNI; NULL: none. Lives as long as the connection */
};
struct tls_facts tls_facts(const struct stream *stream);

static inline bool stream_is_tls(const struct stream *stream)
{
	return stream->tls != NULL;
}

/* Sets everything up that would be set up, or opened, when it is first used. Before the sandbox
 * closes. */
MUST_CHECK bool tls_init(struct err *err);

/* server_name of a ClientHello's extension (RFC 6066 section 3), in lower case, into out. Its
 * length; 0: none, or nothing that a host may be called. */
size_t tls_read_server_name(const unsigned char *extension, size_t len, char out[256]);

#endif

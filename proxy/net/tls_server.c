/* The server's side of TLS: which certificates a name gets, and what its client is asked for.
 *
 * Both are decided when the ClientHello was read and before anything else was: later, OpenSSL
 * would have taken a session up already, perhaps one that another name's client was asked less for.
 * So the session's context has the name and the demand in it, and a ticket is only good where
 * both are the same.
 *
 * Certificates of one name with keys of different kinds stand in one SSL_CTX, where OpenSSL
 * chooses by what the client can verify. There is one SSL_CTX for each set of certificates. */
#include "net/tls.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/crypto.h"

enum { KINDS = 3, HELLO_OK = SSL_CLIENT_HELLO_SUCCESS };

/* The certificates that serve a name: for each kind of key an index, -1: none. */
struct pick {
	int of_kind[KINDS];
	SSL_CTX *context;
};

struct entry {
	const char *name;
	int pick;
};

struct tls_server {
	struct tls_server_setup setup;
	struct tls_certificate **certificates;
	struct pick *picks; /* the first: where no name is known */
	int pick_count;
	struct entry *names; /* sorted */
	size_t name_count;
	struct tls_tickets *tickets;
};

/* What we speak over TLS, the best first: length and name each (RFC 7301). */
static const unsigned char protocols[] = "\x08http/1.1\x08http/1.0";

static int kind_of(const struct tls_certificate *c)
{
	switch (EVP_PKEY_get_base_id(c->key)) {
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS: return 0;
	case EVP_PKEY_EC: return 1;
	default: return 2;
	}
}

/* ---- choosing ---- */

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static int find(const struct tls_server *server, const char *name)
{
	const struct entry key = {.name = name};
	const struct entry *found =
	    server->name_count ? bsearch(&key, server->names, server->name_count, sizeof(key), compare) : NULL;
	return found ? found->pick : -1;
}

/* Exact, then the wildcard of its first label (RFC 9525 section 6.3: it stands for one label). */
static int pick_of(const struct tls_server *server, const char *name)
{
	char wildcard[256 + 1] = "*";
	int pick = find(server, name);
	const char *rest = strchr(name, '.');
	if (pick >= 0 || !rest || rest == name || strlen(rest) + 1 >= sizeof(wildcard))
		return pick;
	memcpy(wildcard + 1, rest, strlen(rest) + 1);
	return find(server, wildcard);
}

int tls_server_pick(const struct tls_server *server, struct span name)
{
	char text[256];
	if (name.len == 0 || name.len >= sizeof(text))
		return -1;
	memcpy(text, name.ptr, name.len);
	text[name.len] = '\0';
	return pick_of(server, text);
}

/* A ticket is good for the same name and the same demand; certificates may change. */
static bool bind_sessions(SSL *ssl, const struct tls_clients *clients, const char *name, size_t len)
{
	unsigned char what[TLS_CLIENTS_ID_BYTES + 256] = {0}, id[DIGEST_SIZE];
	if (clients)
		memcpy(what, clients->id, TLS_CLIENTS_ID_BYTES);
	memcpy(what + TLS_CLIENTS_ID_BYTES, name, len);
	digest(what, TLS_CLIENTS_ID_BYTES + len, id);
	return SSL_set_session_id_context(ssl, id, sizeof(id)) == 1;
}

static int on_hello(SSL *ssl, int *alert, void *context)
{
	struct tls *tls = tls_of_ssl(ssl);
	const struct tls_server *server = tls->server;
	const unsigned char *extension;
	size_t extension_len, len = 0;
	char name[256] = "";
	(void)context;
	bool is_named = SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &extension, &extension_len) == 1;
	if (is_named)
		len = tls_read_server_name(extension, extension_len, name);
	int pick = pick_of(server, name);
	if (pick < 0 && is_named && server->setup.refuse_unknown_names) {
		tls->fault = (struct tls_fault){REASON_TLS_NAME_UNKNOWN, "no certificate of the listener has the name"};
		tls->refused_name = strdup(name);
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_CLIENT_HELLO_ERROR;
	}
	if (server->setup.clients_of)
		tls->clients = server->setup.clients_of(server->setup.context, span_of(name, len));
	*alert = SSL_AD_INTERNAL_ERROR;
	if (!SSL_set_SSL_CTX(ssl, server->picks[pick < 0 ? 0 : pick].context) ||
	    !tls_clients_ask(ssl, tls->clients) || !bind_sessions(ssl, tls->clients, name, len))
		return SSL_CLIENT_HELLO_ERROR;
	return HELLO_OK;
}

/* The name was heeded: said to the client, and kept in the session (RFC 6066 section 3). */
static int on_server_name(SSL *ssl, int *alert, void *context)
{
	(void)alert;
	(void)context;
	return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* None in common: an alert, rather than a guess (RFC 7301 section 3.2; ALPACA). */
static int on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offered,
			unsigned offered_len, void *context)
{
	unsigned char *chosen;
	(void)ssl;
	(void)context;
	if (SSL_select_next_proto(&chosen, out_len, protocols, sizeof(protocols) - 1, offered, offered_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* ---- building ---- */

static SSL_CTX *context_of(const struct tls_server *server, const struct pick *pick, struct err *err)
{
	SSL_CTX *context = tls_context_new(TLS_server_method(), server->setup.profile, err);
	bool ok = context && tls_ticket_use(context, err);
	for (int kind = 0; ok && kind < KINDS; kind++) {
		if (pick->of_kind[kind] < 0)
			continue;
		const struct tls_certificate *c = server->certificates[pick->of_kind[kind]];
		if (SSL_CTX_use_cert_and_key(context, c->leaf, c->key, c->chain, 0) != 1)
			ok = err_set(err, "%s cannot be used: %s", c->path, tls_last_error("out of memory"));
	}
	if (ok && !tls_staple_use(context))
		ok = err_set(err, "out of memory");
	if (!ok) {
		SSL_CTX_free(context);
		return NULL;
	}
	/* A client that leaves without close_notify cuts off nothing that its framing would not tell. */
	SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_client_hello_cb(context, on_hello, NULL);
	SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
	SSL_CTX_set_alpn_select_cb(context, on_protocols, NULL);
	return context;
}

/* The index of these certificates' context, made where there is none; -1: err. */
static int pick_for(struct tls_server *server, const struct pick *wanted, struct err *err)
{
	for (int i = 0; i < server->pick_count; i++)
		if (memcmp(server->picks[i].of_kind, wanted->of_kind, sizeof(wanted->of_kind)) == 0)
			return i;
	struct pick *picks = realloc(server->picks, ((size_t)server->pick_count + 1) * sizeof(*picks));
	if (!picks) {
		err_set(err, "out of memory");
		return -1;
	}
	server->picks = picks;
	struct pick *made = &picks[server->pick_count];
	*made = *wanted;
	made->context = context_of(server, made, err);
	return made->context ? server->pick_count++ : -1;
}

/* One name of one certificate. */
struct claim {
	const char *name;
	int certificate;
};

static int compare_claims(const void *a, const void *b)
{
	const struct claim *left = a, *right = b;
	int order = strcmp(left->name, right->name);
	return order ? order : left->certificate - right->certificate;
}

/* Every name of every certificate, sorted. */
static struct claim *claims_of(const struct tls_server *server, size_t *n)
{
	size_t room = 1;
	for (size_t i = 0; i < server->setup.certificate_count; i++)
		room += server->certificates[i]->names.n;
	struct claim *claims = calloc(room, sizeof(*claims));
	*n = 0;
	for (size_t i = 0; claims && i < server->setup.certificate_count; i++) {
		const struct tls_names *names = &server->certificates[i]->names;
		for (size_t j = 0; j < names->n; j++)
			claims[(*n)++] = (struct claim){names->names[j], (int)i};
	}
	if (claims)
		qsort(claims, *n, sizeof(*claims), compare_claims);
	return claims;
}

/* The claims of one name, which stand beside each other; of several certificates with keys of one
 * kind the first counts. */
static struct pick take_claims(const struct tls_server *server, const struct claim *claims, size_t n, size_t *at)
{
	struct pick pick = {.of_kind = {-1, -1, -1}};
	const char *name = claims[*at].name;
	for (; *at < n && strcmp(claims[*at].name, name) == 0; ++*at) {
		int *of_kind = &pick.of_kind[kind_of(server->certificates[claims[*at].certificate])];
		if (*of_kind < 0)
			*of_kind = claims[*at].certificate;
	}
	return pick;
}

/* Where nothing else is asked for: the first certificate, and those that share its first name. */
static bool add_default(struct tls_server *server, const struct claim *claims, size_t n, struct err *err)
{
	const struct tls_certificate *first = server->certificates[0];
	struct pick pick = {.of_kind = {-1, -1, -1}};
	size_t at = 0;
	while (first->names.n > 0 && strcmp(claims[at].name, first->names.names[0]) != 0)
		at++;
	if (first->names.n > 0)
		pick = take_claims(server, claims, n, &at);
	else
		pick.of_kind[kind_of(first)] = 0;
	return pick_for(server, &pick, err) == 0;
}

static bool add_names(struct tls_server *server, const struct claim *claims, size_t n, struct err *err)
{
	server->names = calloc(n + 1, sizeof(struct entry));
	if (!server->names)
		return err_set(err, "out of memory");
	for (size_t at = 0; at < n;) {
		const char *name = claims[at].name;
		const struct pick pick = take_claims(server, claims, n, &at);
		int index = pick_for(server, &pick, err);
		if (index < 0)
			return false;
		server->names[server->name_count++] = (struct entry){name, index};
	}
	return true;
}

static bool build(struct tls_server *server, struct err *err)
{
	size_t n = server->setup.certificate_count, claim_count = 0;
	server->certificates = calloc(n, sizeof(struct tls_certificate *));
	for (size_t i = 0; server->certificates && i < n; i++)
		server->certificates[i] = server->setup.certificates[i];
	struct claim *claims = server->certificates ? claims_of(server, &claim_count) : NULL;
	bool ok = claims || err_set(err, "out of memory");
	ok = ok && add_default(server, claims, claim_count, err) && add_names(server, claims, claim_count, err);
	free(claims);
	return ok;
}

struct tls_server *tls_server_new(const struct tls_server_setup *setup, struct err *err)
{
	if (!tls_init(err))
		return NULL;
	struct tls_server *server = calloc(1, sizeof(*server));
	if (!server) {
		err_set(err, "out of memory");
		return NULL;
	}
	server->setup = *setup;
	if (build(server, err))
		return server;
	tls_server_free(server);
	return NULL;
}

void tls_server_free(void *freed)
{
	struct tls_server *server = freed;
	if (!server)
		return;
	for (int i = 0; i < server->pick_count; i++)
		SSL_CTX_free(server->picks[i].context);
	free(server->picks);
	free(server->names);
	free(server->certificates);
	free(server);
}

/* ---- serving ---- */

void tls_server_use_tickets(struct tls_server *server, struct tls_tickets *tickets)
{
	server->tickets = tickets;
}

struct tls_tickets *tls_server_tickets(const struct tls_server *server)
{
	return server->tickets;
}

const struct tls_certificate *tls_server_certificate(const struct tls_server *server, const X509 *leaf)
{
	for (size_t i = 0; i < server->setup.certificate_count; i++)
		if (server->certificates[i]->leaf == leaf)
			return server->certificates[i];
	return NULL;
}

bool stream_init_tls_server(struct stream *stream, int fd, const struct tls_server *server)
{
	const struct tls like = {.server = server};
	if (!tls_stream_begin(stream, fd, server->picks[0].context, &like))
		return false;
	SSL_set_accept_state(stream->tls->ssl);
	if (!server->tickets || !tls_ticket_is_possible(server->tickets)) {
		SSL_set_options(stream->tls->ssl, SSL_OP_NO_TICKET);
		(void)SSL_set_num_tickets(stream->tls->ssl, 0);
	}
	return true;
}

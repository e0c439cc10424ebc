/* The client's side of TLS: towards origins. An origin has to prove that it is the one that the
 * policy names, unless the policy says that it need not. */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/addr.h"

struct tls_origin {
	SSL_CTX *context;
	bool verify;
};

/* Where systems keep the CAs that they trust, in one file: folders are searched when they are needed,
 * and by then the sandbox has closed. */
static const char *const system_stores[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Red Hat */
    "/etc/ssl/ca-bundle.pem",                            /* SUSE */
    "/etc/ssl/cert.pem",                                 /* Alpine, BSD */
};

static X509_STORE *read_system_store(void)
{
	X509_STORE *store = X509_STORE_new();
	for (size_t i = 0; store && i < sizeof(system_stores) / sizeof(system_stores[0]); i++)
		if (access(system_stores[i], R_OK) == 0 && X509_STORE_load_file(store, system_stores[i]) == 1)
			return store;
	X509_STORE_free(store);
	return NULL;
}

/* Read once, whatever number of sites has origins: it takes a megabyte. */
static bool load_system(SSL_CTX *context, const struct tls_reporter *reporter)
{
	static X509_STORE *store;
	if (!store)
		store = read_system_store();
	if (store) {
		SSL_CTX_set1_cert_store(context, store);
		return true;
	}
	ERR_clear_error();
	tls_report(reporter, "ca", false,
		   "this system has no store of CAs (Debian: the package ca-certificates): name a file by ca");
	return false;
}

static bool load_ca(SSL_CTX *context, const char *path, const struct tls_reporter *reporter)
{
	struct err err = {{0}};
	size_t len;
	unsigned char *pem = tls_file_read(path, &len, &err);
	STACK_OF(X509) *all = pem ? tls_file_certificates(pem, len) : NULL;
	bool ok = all != NULL;
	if (pem && !all)
		err_set(&err, "%s holds no certificate in PEM form, or a broken one", path);
	for (int i = 0; ok && i < sk_X509_num(all); i++)
		ok = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), sk_X509_value(all, i)) == 1 ||
		     err_set(&err, "out of memory");
	sk_X509_pop_free(all, X509_free);
	tls_file_release(pem, len);
	if (!ok)
		tls_report(reporter, "ca", false, "%s", err.text);
	return ok;
}

static bool load_own(SSL_CTX *context, const struct tls_origin_setup *setup, const struct tls_reporter *reporter)
{
	if (!setup->certificate)
		return true;
	struct tls_certificate *c = tls_certificate_load(setup->certificate, setup->key, NULL, reporter);
	bool ok = c && SSL_CTX_use_cert_and_key(context, c->leaf, c->key, c->chain, 1) == 1;
	if (c && !ok)
		tls_report(reporter, "certificate", false, "%s cannot be used: %s", c->path, tls_last_error("out of memory"));
	tls_certificate_free(c);
	return ok;
}

static bool load(SSL_CTX *context, const struct tls_origin_setup *setup, const struct tls_reporter *reporter)
{
	if (!load_own(context, setup, reporter))
		return false;
	if (!setup->verify)
		return true;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	return setup->ca ? load_ca(context, setup->ca, reporter) : load_system(context, reporter);
}

/* The newest is the one to use. A copy, since it goes with the origin and not with the connection:
 * OpenSSL spoils the session of a connection that ends in any way but the best. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_session *kept = tls_of_ssl(ssl)->session;
	tls_session_release(kept);
	kept->session = SSL_SESSION_dup(session);
	return 0;
}

void tls_session_release(struct tls_session *session)
{
	SSL_SESSION_free(session->session);
	session->session = NULL;
}

struct tls_origin *tls_origin_new(const struct tls_origin_setup *setup, const struct tls_reporter *reporter)
{
	struct err err = {"out of memory"};
	struct tls_origin *origin = calloc(1, sizeof(*origin));
	if (origin)
		origin->context = tls_context_new(TLS_client_method(), TLS_PROFILE_INTERMEDIATE, &err);
	if (!origin || !origin->context)
		tls_report(reporter, "ca", false, "%s", err.text);
	if (!origin || !origin->context || !load(origin->context, setup, reporter)) {
		tls_origin_free(origin);
		return NULL;
	}
	origin->verify = setup->verify;
	SSL_CTX_set_session_cache_mode(origin->context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(origin->context, keep_session);
	return origin;
}

void tls_origin_free(void *freed)
{
	struct tls_origin *origin = freed;
	if (!origin)
		return;
	SSL_CTX_free(origin->context);
	free(origin);
}

/* SNI has names only (RFC 6066 section 3). */
static bool name_peer(SSL *ssl, const struct tls_origin *origin, const char *name)
{
	static const unsigned char http[] = "\x08http/1.1";
	struct addr addr;
	bool is_address = addr_parse_ip(span_from_str(name), 0, &addr);
	if (SSL_set_alpn_protos(ssl, http, sizeof(http) - 1) != 0)
		return false;
	if (!is_address && SSL_set_tlsext_host_name(ssl, name) != 1)
		return false;
	if (!origin->verify)
		return true;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1
			  : SSL_set1_host(ssl, name) == 1;
}

/* A copy again, for the same reason. */
static bool resume(SSL *ssl, const struct tls_session *kept)
{
	if (!kept->session)
		return true;
	SSL_SESSION *copy = SSL_SESSION_dup(kept->session);
	bool ok = copy && SSL_set_session(ssl, copy) == 1;
	SSL_SESSION_free(copy);
	return ok;
}

bool stream_init_tls_origin(struct stream *stream, int fd, const struct tls_origin *origin, const char *name,
			    struct tls_session *session)
{
	const struct tls like = {.session = session};
	if (!tls_stream_begin(stream, fd, origin->context, &like))
		return false;
	SSL_set_connect_state(stream->tls->ssl);
	if (name_peer(stream->tls->ssl, origin, name) && resume(stream->tls->ssl, session))
		return true;
	stream->fd = -1; /* it stays the caller's */
	stream->ops->close(stream, true);
	return false;
}

/* Client certificates: what is asked of a connection's client, and what is then known of it. A
 * certificate that is shown has to verify, also where none had to be shown: one that is half
 * believed is worse than none. */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/crypto.h"

enum { SUBJECT_BYTES_MAX = 1024, SERIAL_BYTES_MAX = 20, FIELDS_BYTES = 4096 };

/* Fills store and list from the CAs of a PEM file. */
static bool take_authorities(struct tls_clients *clients, const STACK_OF(X509) *all)
{
	clients->store = X509_STORE_new();
	clients->authorities = sk_X509_NAME_new_null();
	for (int i = 0; clients->store && clients->authorities && i < sk_X509_num(all); i++) {
		X509 *ca = sk_X509_value(all, i);
		X509_NAME *name = X509_NAME_dup(X509_get_subject_name(ca));
		if (!name || !X509_STORE_add_cert(clients->store, ca) ||
		    !sk_X509_NAME_push(clients->authorities, name)) {
			X509_NAME_free(name);
			return false;
		}
	}
	return clients->store && clients->authorities;
}

static bool read_authorities(struct tls_clients *clients, const char *path, struct err *err)
{
	size_t len;
	unsigned char *pem = tls_file_read(path, &len, err);
	if (!pem)
		return false;
	STACK_OF(X509) *all = tls_file_certificates(pem, len);
	uint8_t digests[1 + DIGEST_SIZE];
	digest(pem, len, digests + 1);
	digests[0] = (unsigned char)clients->demand;
	digest(digests, sizeof(digests), clients->id);
	tls_file_release(pem, len);
	bool ok = all && take_authorities(clients, all);
	if (!all)
		err_set(err, "%s holds no certificate in PEM form, or a broken one", path);
	else if (!ok)
		err_set(err, "out of memory");
	sk_X509_pop_free(all, X509_free);
	return ok;
}

struct tls_clients *tls_clients_load(enum tls_demand demand, const char *ca, struct err *err)
{
	if (!tls_init(err))
		return NULL;
	struct tls_clients *clients = calloc(1, sizeof(*clients));
	if (!clients) {
		err_set(err, "out of memory");
		return NULL;
	}
	clients->demand = demand;
	if (read_authorities(clients, ca, err))
		return clients;
	tls_clients_free(clients);
	return NULL;
}

void tls_clients_free(void *freed)
{
	struct tls_clients *clients = freed;
	if (!clients)
		return;
	X509_STORE_free(clients->store);
	sk_X509_NAME_pop_free(clients->authorities, X509_NAME_free);
	free(clients);
}

enum tls_demand tls_clients_demand(const struct tls_clients *clients)
{
	return clients ? clients->demand : TLS_DEMAND_OFF;
}

bool tls_clients_eq(const struct tls_clients *a, const struct tls_clients *b)
{
	return a == b || (a && b && memcmp(a->id, b->id, sizeof(a->id)) == 0);
}

bool tls_clients_ask(SSL *ssl, const struct tls_clients *clients)
{
	if (!clients)
		return true;
	int mode = SSL_VERIFY_PEER;
	if (clients->demand == TLS_DEMAND_REQUIRED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	STACK_OF(X509_NAME) *authorities = SSL_dup_CA_list(clients->authorities);
	if (!authorities || !SSL_set1_verify_cert_store(ssl, clients->store)) {
		sk_X509_NAME_pop_free(authorities, X509_NAME_free);
		return false;
	}
	SSL_set_client_CA_list(ssl, authorities);
	SSL_set_verify(ssl, mode, NULL);
	return true;
}

/* By RFC 2253, ASCII only, control bytes escaped: safe in a field. False: too long. */
static bool add_name(BIO *out, const char *field, const X509_NAME *name)
{
	const unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)XN_FLAG_SPC_EQ;
	char *text;
	BIO_printf(out, "X-Client-Cert-%s: ", field);
	long before = BIO_get_mem_data(out, &text);
	X509_NAME_print_ex(out, name, 0, flags | ASN1_STRFLGS_ESC_MSB | ASN1_STRFLGS_ESC_CTRL);
	long after = BIO_get_mem_data(out, &text);
	for (long i = before; i < after; i++)
		if (text[i] < 0x20 || text[i] >= 0x7f)
			return false;
	BIO_puts(out, "\r\n");
	return after - before <= SUBJECT_BYTES_MAX;
}

static void add_hex(BIO *out, const char *field, const unsigned char *bytes, size_t len)
{
	BIO_printf(out, "X-Client-Cert-%s: ", field);
	for (size_t i = 0; i < len; i++)
		BIO_printf(out, "%02x", bytes[i]);
	BIO_puts(out, "\r\n");
}

static bool add_certificate(BIO *out, X509 *certificate)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
	if (X509_digest(certificate, EVP_sha256(), digest, &len) != 1 ||
	    ASN1_STRING_length(serial) > SERIAL_BYTES_MAX)
		return false;
	add_hex(out, "Fingerprint", digest, len);
	add_hex(out, "Serial", ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial));
	return add_name(out, "Subject", X509_get_subject_name(certificate)) &&
	       add_name(out, "Issuer", X509_get_issuer_name(certificate));
}

static bool keep_fields(struct tls *tls, BIO *out)
{
	char *text;
	long len = BIO_get_mem_data(out, &text);
	if (len <= 0 || len > FIELDS_BYTES)
		return false;
	tls->client_fields = malloc((size_t)len);
	if (!tls->client_fields)
		return false;
	memcpy(tls->client_fields, text, (size_t)len);
	tls->client_fields_len = (uint32_t)len;
	return true;
}

bool tls_clients_note(struct tls *tls)
{
	if (!tls->clients)
		return true;
	X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
	bool is_good = certificate && SSL_get_verify_result(tls->ssl) == X509_V_OK;
	if (!is_good && (certificate || tls->clients->demand == TLS_DEMAND_REQUIRED))
		return false;
	BIO *out = BIO_new(BIO_s_mem());
	if (!out)
		return false;
	BIO_printf(out, "X-Client-Cert-Verify: %s\r\n", is_good ? "success" : "none");
	bool ok = (!is_good || add_certificate(out, certificate)) && keep_fields(tls, out);
	BIO_free(out);
	return ok;
}

/* OCSP responses (RFC 6960) stapled to the handshake (RFC 6066 section 8). A file holds the
 * response; whoever renews it reloads. One that is over is not sent: a client that sees none asks
 * for itself or goes on, one that sees an old one may refuse. The client checks its signature. */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LEEWAY_S = 300 };

static bool seconds_of(const ASN1_GENERALIZEDTIME *time, int64_t *out)
{
	struct tm tm;
	if (!ASN1_TIME_to_tm(time, &tm))
		return false;
	*out = (int64_t)timegm(&tm);
	return true;
}

/* Why it cannot be stapled; NULL: it can. *until follows. */
static const char *judge(const struct tls_certificate *c, OCSP_BASICRESP *basic, int64_t *until)
{
	int status, why;
	ASN1_GENERALIZEDTIME *revoked, *from, *next;
	X509 *issuer = sk_X509_num(c->chain) > 0 ? sk_X509_value(c->chain, 0) : NULL;
	if (!issuer)
		return "the certificate's file does not have the one that signed it, which is needed to tell whose "
		       "response it is";
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, c->leaf, issuer);
	bool is_found = id && OCSP_resp_find_status(basic, id, &status, &why, &revoked, &from, &next);
	OCSP_CERTID_free(id);
	if (!is_found)
		return "it is about another certificate";
	if (status != V_OCSP_CERTSTATUS_GOOD)
		return status == V_OCSP_CERTSTATUS_REVOKED ? "it says that the certificate is revoked"
							   : "it does not say that the certificate is good";
	if (next && !seconds_of(next, until))
		return "its time cannot be read";
	return OCSP_check_validity(from, next, LEEWAY_S, -1) == 1 ? NULL : "it is over, or not valid yet";
}

static const char *read_response(struct tls_certificate *c, const unsigned char *der, size_t len)
{
	const unsigned char *at = der;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)len);
	bool is_answer = response && at == der + len &&
			 OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL;
	OCSP_BASICRESP *basic = is_answer ? OCSP_response_get1_basic(response) : NULL;
	const char *problem = basic ? judge(c, basic, &c->staple_until) : "it is no OCSP response in DER form";
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	return problem;
}

void tls_staple_load(struct tls_certificate *c, const char *path, const struct tls_reporter *reporter)
{
	struct err err = {{0}};
	size_t len;
	unsigned char *der = tls_file_read(path, &len, &err);
	const char *problem = der ? read_response(c, der, len) : NULL;
	if (!der || problem) {
		tls_report(reporter, "ocsp", true, der ? "%s is not stapled: %s" : "nothing is stapled: %s%s",
			   der ? path : err.text, der ? problem : "");
		tls_file_release(der, len);
		return;
	}
	c->staple = der;
	c->staple_len = len;
}

static int give_staple(SSL *ssl, void *context)
{
	const struct tls *tls = tls_of_ssl(ssl);
	const struct tls_certificate *c = tls_server_certificate(tls->server, SSL_get_certificate(ssl));
	(void)context;
	if (!c || !c->staple || (c->staple_until != 0 && c->staple_until < (int64_t)time(NULL)))
		return SSL_TLSEXT_ERR_NOACK;
	unsigned char *copy = OPENSSL_memdup(c->staple, c->staple_len); /* OpenSSL frees it */
	if (!copy)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)c->staple_len);
	return SSL_TLSEXT_ERR_OK;
}

bool tls_staple_use(SSL_CTX *context)
{
	return SSL_CTX_set_tlsext_status_cb(context, give_staple) == 1;
}

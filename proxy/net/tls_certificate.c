/* A certificate with its key, as an operator wrote them down, and what may be wrong with them.
 * An error is what no client would accept, or what shows a mix-up; what only some clients would
 * mind, or what time mends or breaks by itself, is a warning: a reload that renews one certificate must not
 * fail for another that has run out. */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SECURITY_BITS_MIN = 112, SOON_DAYS = 7, DAY_S = 86400 };

void tls_report(const struct tls_reporter *reporter, const char *setting, bool is_warning, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	reporter->report(reporter->context, setting, is_warning, text);
}

static void day_of(const ASN1_TIME *time, char out[32])
{
	struct tm tm;
	if (!ASN1_TIME_to_tm(time, &tm) || strftime(out, 32, "%Y-%m-%d", &tm) == 0)
		snprintf(out, 32, "an unreadable day");
}

static void check_dates(const struct tls_certificate *c, const struct tls_reporter *reporter)
{
	char day[32];
	const ASN1_TIME *from = X509_get0_notBefore(c->leaf), *until = X509_get0_notAfter(c->leaf);
	time_t soon = time(NULL) + SOON_DAYS * DAY_S;
	day_of(until, day);
	if (X509_cmp_current_time(until) < 0)
		tls_report(reporter, "certificate", true, "%s expired on %s: clients will refuse it", c->path, day);
	else if (X509_cmp_time(until, &soon) < 0)
		tls_report(reporter, "certificate", true, "%s expires on %s", c->path, day);
	day_of(from, day);
	if (X509_cmp_current_time(from) > 0)
		tls_report(reporter, "certificate", true, "%s is not valid before %s: clients will refuse it", c->path,
			   day);
}

static bool check_order(const struct tls_certificate *c, const struct tls_reporter *reporter)
{
	X509 *signed_one = c->leaf;
	for (int i = 0; i < sk_X509_num(c->chain); i++) {
		X509 *signer = sk_X509_value(c->chain, i);
		if (X509_check_issued(signer, signed_one) != X509_V_OK) {
			tls_report(reporter, "certificate", false,
				   "%s: certificate %d did not sign certificate %d: the server's own comes first, then "
				   "the one that signed it, and so on", c->path, i + 2, i + 1);
			return false;
		}
		signed_one = signer;
	}
	return true;
}

static bool check_key(const struct tls_certificate *c, const char *key, const struct tls_reporter *reporter)
{
	if (EVP_PKEY_get_security_bits(c->key) < SECURITY_BITS_MIN) {
		tls_report(reporter, "key", false, "%s is too weak: RSA of 2048 bits or an elliptic curve of 256 is needed",
			   key);
		return false;
	}
	if (X509_check_private_key(c->leaf, c->key) == 1)
		return true;
	ERR_clear_error();
	for (int i = 0; i < sk_X509_num(c->chain); i++) {
		if (X509_check_private_key(sk_X509_value(c->chain, i), c->key) != 1)
			continue;
		tls_report(reporter, "certificate", false,
			   "%s is in the wrong order: the key belongs to certificate %d, which has to come first", c->path,
			   i + 2);
		return false;
	}
	ERR_clear_error();
	tls_report(reporter, "key", false, "%s is not the key of %s", key, c->path);
	return false;
}

/* Whether OpenSSL takes it at our level of security: a weak signature, say. */
static bool check_use(const struct tls_certificate *c, const struct tls_reporter *reporter)
{
	struct err err = {{0}};
	SSL_CTX *context = tls_context_new(TLS_server_method(), TLS_PROFILE_INTERMEDIATE, &err);
	ERR_clear_error();
	bool ok = context && SSL_CTX_use_cert_and_key(context, c->leaf, c->key, c->chain, 1) == 1;
	if (!ok)
		tls_report(reporter, "certificate", false, "%s cannot be used: %s", c->path,
			   context ? tls_last_error("out of memory") : err.text);
	ERR_clear_error();
	SSL_CTX_free(context);
	return ok;
}

static bool load_chain(struct tls_certificate *c, const struct tls_reporter *reporter)
{
	struct err err = {{0}};
	size_t len;
	unsigned char *pem = tls_file_read(c->path, &len, &err);
	if (!pem) {
		tls_report(reporter, "certificate", false, "%s", err.text);
		return false;
	}
	c->chain = tls_file_certificates(pem, len);
	tls_file_release(pem, len);
	if (!c->chain) {
		tls_report(reporter, "certificate", false, "%s holds no certificate in PEM form, or a broken one", c->path);
		return false;
	}
	c->leaf = sk_X509_shift(c->chain);
	if (!tls_names_of(c->leaf, &c->names)) {
		tls_report(reporter, "certificate", false, "%s", "out of memory");
		return false;
	}
	return true;
}

static bool load_key(struct tls_certificate *c, const char *path, const struct tls_reporter *reporter)
{
	struct err err = {{0}};
	c->key = tls_file_key(path, &err);
	if (!c->key)
		tls_report(reporter, "key", false, "%s", err.text);
	return c->key && check_key(c, path, reporter);
}

struct tls_certificate *tls_certificate_load(const char *certificate, const char *key, const char *ocsp,
					     const struct tls_reporter *reporter)
{
	struct err err = {"out of memory"};
	struct tls_certificate *c = tls_init(&err) ? calloc(1, sizeof(*c)) : NULL;
	if (c)
		c->path = strdup(certificate);
	if (!c || !c->path) {
		tls_report(reporter, "certificate", false, "%s", err.text);
		goto fail;
	}
	if (!load_chain(c, reporter) || !load_key(c, key, reporter) || !check_order(c, reporter) ||
	    !check_use(c, reporter))
		goto fail;
	check_dates(c, reporter);
	if (c->names.n == 0)
		tls_report(reporter, "certificate", true,
			   "%s names no host (subject alternative name): only clients that ask for no other get it", c->path);
	if (ocsp)
		tls_staple_load(c, ocsp, reporter);
	return c;
fail:
	tls_certificate_free(c);
	return NULL;
}

/* EVP_PKEY_free wipes what it frees. */
void tls_certificate_free(void *certificate)
{
	struct tls_certificate *c = certificate;
	if (!c)
		return;
	X509_free(c->leaf);
	sk_X509_pop_free(c->chain, X509_free);
	EVP_PKEY_free(c->key);
	tls_names_release(&c->names);
	free(c->staple);
	free(c->path);
	free(c);
}

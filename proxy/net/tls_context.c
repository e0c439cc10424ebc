/* What every SSL_CTX of ours has in common: versions, ciphers and groups by Mozilla's
 * recommendations (https://wiki.mozilla.org/Security/Server_Side_TLS, version 5.7), and what is
 * never done: compression, renegotiation, early data. Reads no configuration file. */
#include "net/tls.h"

#include <openssl/err.h>

#include "sallyport/crypto.h"

/* Without the DHE suites of that list: a client that speaks no ECDHE has not been seen for ten years,
 * and DHE lets a client make a server work far harder than itself (CVE-2002-20001). */
static const char ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
			      "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
			      "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char groups[] = "X25519:P-256:P-384";

/* Keys of less than 112 bits of security, and SHA-1, are refused. */
enum { SECURITY_LEVEL = 2 };

const char *tls_last_error(const char *what)
{
	const char *text = ERR_reason_error_string(ERR_peek_error());
	return text ? text : what;
}

bool tls_init(struct err *err)
{
	unsigned char byte;
	if (!crypto_init(err) || !crypto_random(&byte, 1, err))
		return false;
	return OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS, NULL) == 1 ||
	       err_set(err, "OpenSSL cannot be set up");
}

SSL_CTX *tls_context_new(const SSL_METHOD *method, enum tls_profile profile, struct err *err)
{
	if (!tls_init(err))
		return NULL;
	SSL_CTX *context = SSL_CTX_new(method);
	int lowest = profile == TLS_PROFILE_MODERN ? TLS1_3_VERSION : TLS1_2_VERSION;
	if (!context || !SSL_CTX_set_min_proto_version(context, lowest) ||
	    !SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) ||
	    !SSL_CTX_set_cipher_list(context, ciphers) || !SSL_CTX_set1_groups_list(context, groups)) {
		err_set(err, "TLS cannot be set up: %s", tls_last_error("out of memory"));
		SSL_CTX_free(context);
		return NULL;
	}
	SSL_CTX_set_security_level(context, SECURITY_LEVEL);
	SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_max_early_data(context, 0);
	return context;
}

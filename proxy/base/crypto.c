/* Random bytes and digests from OpenSSL, which is set up here, once: without a configuration
 * file, so that nothing outside of the policy decides, and nothing is left to be opened when the
 * sandbox has closed. A generator that fails is reported and never replaced by a weaker one. */
#include "sallyport/crypto.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

bool crypto_init(struct err *err)
{
	static bool done;
	if (done)
		return true;
	done = OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL) == 1;
	return done || err_set(err, "OpenSSL cannot be set up");
}

bool crypto_sha256(const void *bytes, size_t len, unsigned char out[CRYPTO_SHA256_BYTES], struct err *err)
{
	if (!crypto_init(err))
		return false;
	return EVP_Q_digest(NULL, "SHA256", NULL, bytes, len, out, NULL) == 1 ||
	       err_set(err, "no digest SHA-256");
}

bool crypto_random(void *out, size_t len, struct err *err)
{
	unsigned char *at = out;
	if (!crypto_init(err))
		return false;
	while (len > 0) {
		int part = len < INT_MAX ? (int)len : INT_MAX;
		if (RAND_bytes(at, part) != 1) {
			char why[256];
			ERR_error_string_n(ERR_get_error(), why, sizeof(why));
			return err_set(err, "no random bytes: %s", why);
		}
		at += part;
		len -= (size_t)part;
	}
	return true;
}

bool crypto_sha1_base64(const void *bytes, size_t len, char out[CRYPTO_SHA1_BASE64_SIZE])
{
	unsigned char digest[20];
	if (EVP_Digest(bytes, len, digest, NULL, EVP_sha1(), NULL) != 1)
		return false;
	return EVP_EncodeBlock((unsigned char *)out, digest, sizeof(digest)) == CRYPTO_SHA1_BASE64_SIZE - 1;
}

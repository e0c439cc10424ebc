/* Random bytes, digests and HMAC from OpenSSL, which is set up here, once: without a configuration
 * file, so that nothing outside of the policy decides, and nothing is left to be opened when the
 * sandbox has closed. A generator that fails is reported and never replaced by a weaker one. */
#include "sallyport/crypto.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

bool crypto_init(struct err *err)
{
	static bool done;
	if (done)
		return true;
	done = OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL) == 1;
	return done || err_set(err, "OpenSSL cannot be set up");
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

bool crypto_hmac(const void *key, size_t key_len, const void *data, size_t len,
		 uint8_t out[DIGEST_SIZE], struct err *err)
{
	unsigned made = 0;
	if (key_len <= INT_MAX &&
	    HMAC(EVP_sha256(), key, (int)key_len, data, len, out, &made) && made == DIGEST_SIZE)
		return true;
	return err_set(err, "HMAC-SHA256 failed");
}

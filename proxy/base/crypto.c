/* Random bytes, digests and HMAC by OpenSSL. A generator that fails is reported and never
 * replaced by a weaker one. */
#include "sallyport/crypto.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

bool crypto_random(void *out, size_t len, struct err *err)
{
	unsigned char *at = out;
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

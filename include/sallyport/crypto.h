#ifndef SALLYPORT_CRYPTO_H
#define SALLYPORT_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include "sallyport/err.h"

enum { CRYPTO_SHA256_BYTES = 32 };

/* Sets OpenSSL up, which reads no configuration file. The others do it where it was not done. */
MUST_CHECK bool crypto_init(struct err *err);
MUST_CHECK bool crypto_sha256(const void *bytes, size_t len, unsigned char out[CRYPTO_SHA256_BYTES],
			      struct err *err);
/* len bytes from OpenSSL's CSPRNG. */
MUST_CHECK bool crypto_random(void *out, size_t len, struct err *err);

/* SHA-1 in base64, NUL-terminated: for protocols that are built on it and on nothing that it
 * should keep secret (RFC 6455). */
enum { CRYPTO_SHA1_BASE64_SIZE = 29 };
MUST_CHECK bool crypto_sha1_base64(const void *bytes, size_t len, char out[CRYPTO_SHA1_BASE64_SIZE]);

#endif

#ifndef SALLYPORT_CRYPTO_H
#define SALLYPORT_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include "sallyport/err.h"

/* len bytes from OpenSSL's CSPRNG. */
MUST_CHECK bool crypto_random(void *out, size_t len, struct err *err);

/* SHA-1 in base64, NUL-terminated: for protocols that are built on it and on nothing that it
 * should keep secret (RFC 6455). */
enum { CRYPTO_SHA1_BASE64_SIZE = 29 };
MUST_CHECK bool crypto_sha1_base64(const void *bytes, size_t len, char out[CRYPTO_SHA1_BASE64_SIZE]);

#endif

#ifndef SALLYPORT_CRYPTO_H
#define SALLYPORT_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include "sallyport/err.h"

/* len bytes from OpenSSL's CSPRNG. */
MUST_CHECK bool crypto_random(void *out, size_t len, struct err *err);

#endif

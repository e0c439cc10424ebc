#ifndef SALLYPORT_CRYPTO_H
#define SALLYPORT_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sallyport/err.h"

enum { DIGEST_SIZE = 32, SIGN_PUBLIC_SIZE = 32, SIGN_PRIVATE_SIZE = 32, SIGNATURE_SIZE = 64 };

/* Sets OpenSSL up, which reads no configuration file. The others do it where it was not done. */
MUST_CHECK bool crypto_init(struct err *err);
/* len bytes from OpenSSL's CSPRNG. */
MUST_CHECK bool crypto_random(void *out, size_t len, struct err *err);

/* Overwrites what nobody shall find in memory later. */
void crypto_wipe(void *secret, size_t len);

/* SHA-256, in one go and in pieces. It cannot fail once there is a context: digest_new gives
 * one, and digest() makes its own when it is first called, which has to be before a sandbox closes. */
void digest(const void *data, size_t len, uint8_t out[DIGEST_SIZE]);
struct digest;
struct digest *digest_new(void); /* NULL without memory */
void digest_begin(struct digest *digest);
void digest_add(struct digest *digest, const void *data, size_t len);
void digest_end(struct digest *digest, uint8_t out[DIGEST_SIZE]);
void digest_free(struct digest *digest);

/* HMAC-SHA256 (RFC 2104). */
MUST_CHECK bool crypto_hmac(const void *key, size_t key_len, const void *data, size_t len,
			    uint8_t out[DIGEST_SIZE], struct err *err);

/* Ed25519 (RFC 8032). */
struct sign_key; /* a pair; the private part is wiped when it is freed */
struct sign_key *sign_key_new(struct err *err); /* made of random bytes; NULL: err says why */
struct sign_key *sign_key_from(const uint8_t private_part[SIGN_PRIVATE_SIZE], struct err *err);
/* The caller wipes out. */
MUST_CHECK bool sign_key_private(const struct sign_key *key, uint8_t out[SIGN_PRIVATE_SIZE]);
void sign_key_public(const struct sign_key *key, uint8_t out[SIGN_PUBLIC_SIZE]);
MUST_CHECK bool sign(const struct sign_key *key, const void *data, size_t len,
		     uint8_t out[SIGNATURE_SIZE], struct err *err);
bool sign_verify(const uint8_t public_part[SIGN_PUBLIC_SIZE], const void *data, size_t len,
		 const uint8_t signature[SIGNATURE_SIZE]);
void sign_key_free(struct sign_key *key);

/* SHA-1 in base64, NUL-terminated: for protocols that are built on it and on nothing that it
 * should keep secret (RFC 6455). */
enum { CRYPTO_SHA1_BASE64_SIZE = 29 };
MUST_CHECK bool crypto_sha1_base64(const void *bytes, size_t len, char out[CRYPTO_SHA1_BASE64_SIZE]);

#endif

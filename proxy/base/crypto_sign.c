/* Ed25519 by OpenSSL. Keeps the private part inside OpenSSL's key, which is wiped when it is
 * freed; copies that leave it are the caller's to wipe. */
#include "sallyport/crypto.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

struct sign_key {
	EVP_PKEY *pair;
	uint8_t public_part[SIGN_PUBLIC_SIZE];
};

static bool fail(struct err *err, const char *what)
{
	char why[256];
	ERR_error_string_n(ERR_get_error(), why, sizeof(why));
	return err_set(err, "%s: %s", what, why);
}

/* Owns pair, which may be NULL. */
static struct sign_key *key_of(EVP_PKEY *pair, struct err *err)
{
	struct sign_key *key = calloc(1, sizeof(*key));
	size_t len = SIGN_PUBLIC_SIZE;
	if (key && pair && EVP_PKEY_get_raw_public_key(pair, key->public_part, &len) == 1 &&
	    len == SIGN_PUBLIC_SIZE) {
		key->pair = pair;
		return key;
	}
	fail(err, "no Ed25519 key");
	EVP_PKEY_free(pair);
	free(key);
	return NULL;
}

struct sign_key *sign_key_new(struct err *err)
{
	return key_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), err);
}

struct sign_key *sign_key_from(const uint8_t private_part[SIGN_PRIVATE_SIZE], struct err *err)
{
	return key_of(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private_part,
						   SIGN_PRIVATE_SIZE),
		      err);
}

bool sign_key_private(const struct sign_key *key, uint8_t out[SIGN_PRIVATE_SIZE])
{
	size_t len = SIGN_PRIVATE_SIZE;
	return EVP_PKEY_get_raw_private_key(key->pair, out, &len) == 1 && len == SIGN_PRIVATE_SIZE;
}

void sign_key_public(const struct sign_key *key, uint8_t out[SIGN_PUBLIC_SIZE])
{
	memcpy(out, key->public_part, SIGN_PUBLIC_SIZE);
}

bool sign(const struct sign_key *key, const void *data, size_t len, uint8_t out[SIGNATURE_SIZE],
	  struct err *err)
{
	size_t out_len = SIGNATURE_SIZE;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool ok = context && EVP_DigestSignInit(context, NULL, NULL, NULL, key->pair) == 1 &&
		  EVP_DigestSign(context, out, &out_len, data, len) == 1 &&
		  out_len == SIGNATURE_SIZE;
	EVP_MD_CTX_free(context);
	return ok || fail(err, "cannot sign");
}

bool sign_verify(const uint8_t public_part[SIGN_PUBLIC_SIZE], const void *data, size_t len,
		 const uint8_t signature[SIGNATURE_SIZE])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY *key =
	    EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_part, SIGN_PUBLIC_SIZE);
	bool ok = context && key && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
		  EVP_DigestVerify(context, signature, SIGNATURE_SIZE, data, len) == 1;
	EVP_PKEY_free(key);
	EVP_MD_CTX_free(context);
	if (!ok)
		ERR_clear_error();
	return ok;
}

void sign_key_free(struct sign_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pair);
	free(key);
}

void crypto_wipe(void *secret, size_t len)
{
	OPENSSL_cleanse(secret, len);
}

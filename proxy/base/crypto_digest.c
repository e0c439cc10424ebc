/* SHA-256 by OpenSSL, in contexts that are made once and used again: fetching the algorithm and
 * allocating a context would cost more than digesting a small page. */
#include "sallyport/crypto.h"

#include <stdlib.h>
#include <openssl/evp.h>

#include "sallyport/log.h"

struct digest {
	EVP_MD_CTX *context;
	EVP_MD *algorithm;
};

/* OpenSSL's own SHA-256 does not fail on a context that is set up. Were it to, what is known
 * and what is not could not be told apart any more. */
static void must(int ok)
{
	if (ok == 1)
		return;
	log_error("SHA-256 failed");
	abort();
}

static struct digest *digest_fill(struct digest *digest)
{
	digest->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
	digest->context = EVP_MD_CTX_new();
	if (digest->algorithm && digest->context &&
	    EVP_DigestInit_ex2(digest->context, digest->algorithm, NULL) == 1)
		return digest;
	digest_free(digest);
	return NULL;
}

struct digest *digest_new(void)
{
	struct digest *digest = calloc(1, sizeof(*digest));
	return digest ? digest_fill(digest) : NULL;
}

void digest_begin(struct digest *digest)
{
	must(EVP_DigestInit_ex2(digest->context, NULL, NULL));
}

void digest_add(struct digest *digest, const void *data, size_t len)
{
	must(EVP_DigestUpdate(digest->context, data, len));
}

void digest_end(struct digest *digest, uint8_t out[DIGEST_SIZE])
{
	unsigned len = 0;
	must(EVP_DigestFinal_ex(digest->context, out, &len));
	must(len == DIGEST_SIZE);
}

void digest_free(struct digest *digest)
{
	if (!digest)
		return;
	EVP_MD_CTX_free(digest->context);
	EVP_MD_free(digest->algorithm);
	free(digest);
}

void digest(const void *data, size_t len, uint8_t out[DIGEST_SIZE])
{
	static _Thread_local struct digest *own;
	if (!own) {
		own = digest_new();
		must(own != NULL);
	}
	digest_begin(own);
	digest_add(own, data, len);
	digest_end(own, out);
}

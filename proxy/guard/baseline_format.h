#ifndef GUARD_BASELINE_FORMAT_H
#define GUARD_BASELINE_FORMAT_H

#include <endian.h>
#include "sallyport/baseline.h"

/* How a baseline lies in its file; the one place that reader and writer share. All numbers are
 * little-endian, nothing is aligned, and no section says where it begins: sections follow one
 * another without a gap, so their counts say it all, and nothing can overlap.
 *
 *   header       magic 16, bytes of the file 8, number 8, made 8, seed 16,
 *                sites 4, pages 4, versions 4, hosts 4, bytes of texts 4, bucket bits 4
 *   sites        id 8                                               ascending
 *   buckets      index of their first page 4                        2^bits, and one behind the last
 *   pages        hash 8, site 8, key 4+2, policy 1, 0 1, first version 4, versions 4
 *                                                                   ascending by hash, site, key
 *   versions     page digest 32, content digest 32, content bytes 8, since 8,
 *                fields: offset 4 each, length 2 each (65535: not there), status 2
 *                                                                   those of a page together
 *   hosts        site 8, name 4+2, 0 2                              ascending by site, name
 *   texts        keys, fields and names; fields may share theirs
 *   signature    64
 *
 * A page's bucket is the first bits of its hash, the hash is keyed with the seed, and no bucket
 * holds more than BUCKET_PAGES: whatever URLs somebody invents, a look-up stays short. */

#define BASELINE_MAGIC "sallyport-base-1"
/* What is signed is this and the digest of the file up to the signature. */
#define BASELINE_SIGNED "sallyport baseline 1\n"

enum {
	MAGIC_SIZE = 16,
	SITE_SIZE = 8,
	BUCKET_SIZE = 4,
	BUCKET_BITS_MAX = 24,
	BUCKET_PAGES = 32,
	FIELD_ABSENT = 0xffff,
	HOST_NAME_MAX_LEN = 255,
};
enum header_at {
	HEADER_FILE_BYTES = MAGIC_SIZE,
	HEADER_NUMBER = 24,
	HEADER_MADE = 32,
	HEADER_SEED = 40,
	HEADER_SITES = 56,
	HEADER_PAGES = 60,
	HEADER_VERSIONS = 64,
	HEADER_HOSTS = 68,
	HEADER_TEXTS = 72,
	HEADER_BUCKET_BITS = 76,
	HEADER_SIZE = 80,
};
enum page_at {
	PAGE_HASH = 0,
	PAGE_SITE = 8,
	PAGE_KEY = 16,
	PAGE_KEY_LEN = 20,
	PAGE_POLICY = 22,
	PAGE_ZERO = 23,
	PAGE_FIRST = 24,
	PAGE_VERSIONS = 28,
	PAGE_SIZE = 32,
};
enum version_at {
	VERSION_PAGE = 0,
	VERSION_CONTENT = 32,
	VERSION_BYTES = 64,
	VERSION_SINCE = 72,
	VERSION_FIELDS = 80,
	VERSION_FIELD_LENS = VERSION_FIELDS + 4 * PAGE_FIELD_COUNT,
	VERSION_STATUS = VERSION_FIELD_LENS + 2 * PAGE_FIELD_COUNT,
	VERSION_SIZE = VERSION_STATUS + 2,
};
enum host_at {
	HOST_SITE = 0,
	HOST_NAME = 8,
	HOST_NAME_LEN = 12,
	HOST_ZERO = 14,
	HOST_SIZE = 16,
};

static inline uint16_t load16(const void *at)
{
	uint16_t n;
	memcpy(&n, at, sizeof(n));
	return le16toh(n);
}

static inline uint32_t load32(const void *at)
{
	uint32_t n;
	memcpy(&n, at, sizeof(n));
	return le32toh(n);
}

static inline uint64_t load64(const void *at)
{
	uint64_t n;
	memcpy(&n, at, sizeof(n));
	return le64toh(n);
}

static inline void store16(void *at, uint16_t n)
{
	n = htole16(n);
	memcpy(at, &n, sizeof(n));
}

static inline void store32(void *at, uint32_t n)
{
	n = htole32(n);
	memcpy(at, &n, sizeof(n));
}

static inline void store64(void *at, uint64_t n)
{
	n = htole64(n);
	memcpy(at, &n, sizeof(n));
}

/* The bucket of a hash. */
static inline uint32_t bucket_of(uint64_t hash, uint32_t bits)
{
	return (uint32_t)(hash >> 1 >> (63 - bits));
}

/* Keyed, and the same on every machine. */
uint64_t baseline_hash(const uint64_t seed[2], uint64_t site, struct span key);
/* Order of hosts and, within equal hashes, of pages. */
int baseline_compare(uint64_t site, struct span text, uint64_t other_site, struct span other_text);
/* What a key, a field's value and a host's name may be. */
bool baseline_key_ok(struct span key);
bool baseline_field_ok(struct span value);
bool baseline_host_ok(struct span host);
/* What is signed of the bytes before the signature. */
enum { BASELINE_SIGNED_SIZE = sizeof(BASELINE_SIGNED) - 1 + DIGEST_SIZE };
void baseline_signed(const void *data, size_t len, uint8_t out[BASELINE_SIGNED_SIZE]);

#endif

/* What reader and writer of a baseline have to agree on: hash, order, and which texts may
 * stand in one. Pure. */
#include "guard/baseline_format.h"

#include "sallyport/hash.h"

/* Sixteen bytes a step, each multiplied with what only the maker of the baseline chose; the
 * rest is filled up with zeros, which the length keeps apart from zeros that are there. */
uint64_t baseline_hash(const uint64_t seed[2], uint64_t site, struct span key)
{
	uint64_t hash = hash_fold(site ^ seed[0], key.len ^ seed[1]);
	const char *at = key.ptr;
	size_t left = key.len;
	for (; left >= 16; at += 16, left -= 16)
		hash = hash_fold(load64(at) ^ seed[0] ^ hash, load64(at + 8) ^ seed[1]);
	char rest[16] = {0};
	if (left > 0)
		memcpy(rest, at, left);
	hash = hash_fold(load64(rest) ^ seed[0] ^ hash, load64(rest + 8) ^ seed[1]);
	return hash_fold(hash ^ seed[1], seed[0] | 1);
}

int baseline_compare(uint64_t site, struct span text, uint64_t other_site, struct span other_text)
{
	if (site != other_site)
		return site < other_site ? -1 : 1;
	size_t common = text.len < other_text.len ? text.len : other_text.len;
	int order = common > 0 ? memcmp(text.ptr, other_text.ptr, common) : 0;
	return order != 0 ? order : (text.len > other_text.len) - (text.len < other_text.len);
}

static bool has_only(struct span text, unsigned char from, bool tab)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if ((c < from && !(tab && c == '\t')) || c == 0x7f)
			return false;
	}
	return true;
}

bool baseline_key_ok(struct span key)
{
	return key.len > 0 && key.len <= PAGE_KEY_MAX && key.ptr[0] == '/' &&
	       has_only(key, '!', false);
}

/* The copy is served with it: a line break would make two fields of one. */
bool baseline_field_ok(struct span value)
{
	return value.len <= PAGE_FIELD_MAX && has_only(value, ' ', true);
}

bool baseline_host_ok(struct span host)
{
	for (size_t i = 0; i < host.len; i++)
		if (host.ptr[i] >= 'A' && host.ptr[i] <= 'Z')
			return false;
	return host.len > 0 && host.len <= HOST_NAME_MAX_LEN && has_only(host, '!', false);
}

void baseline_signed(const void *data, size_t len, uint8_t out[BASELINE_SIGNED_SIZE])
{
	memcpy(out, BASELINE_SIGNED, sizeof(BASELINE_SIGNED) - 1);
	digest(data, len, out + sizeof(BASELINE_SIGNED) - 1);
}

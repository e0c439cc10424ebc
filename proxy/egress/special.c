/* What is not the public internet: IANA's special-purpose address registries for IPv4 and IPv6
 * (RFC 6890 and its updates, RFC 9637, RFC 9602, RFC 9780 among them), multicast (RFC 5771, RFC 4291), and where clouds answer
 * questions that only the machine itself should ask. IPv6 is public in 2000::/3 alone, which is all that IANA
 * gives to networks. What is anycast or a service within 192.0.0.0/24 and 2001::/23 is nothing
 * that an origin has to reach, and stays closed like its block. */
#include "egress/special.h"

#include <string.h>

#include "sallyport/big_endian.h"

#define V4(a, b, c, d, prefix) {.bytes = {[10] = 0xff, [11] = 0xff, [12] = (a), [13] = (b), [14] = (c), [15] = (d)}, 96 + (prefix)}
#define WORD(w) (uint8_t)((w) >> 8), (uint8_t)((w) & 0xff)
#define V6(a, b, c, d, h, prefix) \
	{.bytes = {WORD(a), WORD(b), WORD(c), WORD(d), [14] = (uint8_t)((h) >> 8), [15] = (uint8_t)((h) & 0xff)}, (prefix)}

/* The most specific first; IPv4 before IPv6. */
static const struct egress_special blocks[] = {
    {V4(169, 254, 169, 254, 32), "metadata service"},
    {V4(169, 254, 170, 2, 32), "metadata service (containers)"},
    {V4(100, 100, 100, 200, 32), "metadata service (Alibaba)"},
    {V4(168, 63, 129, 16, 32), "metadata service (Azure)"},
    {V4(192, 0, 0, 192, 32), "metadata service (Oracle)"},
    {V4(255, 255, 255, 255, 32), "broadcast (RFC 919)"},
    {V4(192, 0, 0, 0, 24), "IETF protocol assignment (RFC 6890)"},
    {V4(192, 0, 2, 0, 24), "documentation (RFC 5737)"},
    {V4(198, 51, 100, 0, 24), "documentation (RFC 5737)"},
    {V4(203, 0, 113, 0, 24), "documentation (RFC 5737)"},
    {V4(192, 88, 99, 0, 24), "6to4 relay (RFC 7526)"},
    {V4(192, 168, 0, 0, 16), "private (RFC 1918)"},
    {V4(169, 254, 0, 0, 16), "link-local (RFC 3927)"},
    {V4(198, 18, 0, 0, 15), "benchmarking (RFC 2544)"},
    {V4(172, 16, 0, 0, 12), "private (RFC 1918)"},
    {V4(100, 64, 0, 0, 10), "shared address space (RFC 6598)"},
    {V4(0, 0, 0, 0, 8), "this network (RFC 791)"},
    {V4(10, 0, 0, 0, 8), "private (RFC 1918)"},
    {V4(127, 0, 0, 0, 8), "loopback (RFC 1122)"},
    {V4(224, 0, 0, 0, 4), "multicast (RFC 5771)"},
    {V4(240, 0, 0, 0, 4), "reserved (RFC 1112)"},
    {V6(0, 0, 0, 0, 1, 128), "loopback (RFC 4291)"},
    {V6(0, 0, 0, 0, 0, 128), "unspecified (RFC 4291)"},
    {V6(0xfd00, 0xec2, 0, 0, 0x254, 128), "metadata service"},
    {V6(0xfd20, 0xce, 0, 0, 0x254, 128), "metadata service (Google)"},
    {V6(0x64, 0xff9b, 0, 0, 0, 96), NULL},
    {V6(0, 0, 0, 0, 0, 96), "IPv4-compatible (RFC 4291)"},
    {V6(0x64, 0xff9b, 1, 0, 0, 48), "NAT64 of a site (RFC 8215)"},
    {V6(0x100, 0, 0, 0, 0, 64), "discard-only (RFC 6666)"},
    {V6(0x2001, 0xdb8, 0, 0, 0, 32), "documentation (RFC 3849)"},
    {V6(0x2001, 0, 0, 0, 0, 32), "Teredo (RFC 4380)"},
    {V6(0x2001, 0, 0, 0, 0, 23), "IETF protocol assignment (RFC 2928)"},
    {V6(0x3fff, 0, 0, 0, 0, 20), "documentation (RFC 9637)"},
    {V6(0x2002, 0, 0, 0, 0, 16), "6to4 (RFC 3056)"},
    {V6(0x5f00, 0, 0, 0, 0, 16), "segment routing (RFC 9602)"},
    {V6(0xfe80, 0, 0, 0, 0, 10), "link-local (RFC 4291)"},
    {V6(0xfec0, 0, 0, 0, 0, 10), "site-local (RFC 3879)"},
    {V6(0xff00, 0, 0, 0, 0, 8), "multicast (RFC 4291)"},
    {V6(0xfc00, 0, 0, 0, 0, 7), "unique local (RFC 4193)"},
    {V6(0, 0, 0, 0, 0, 3), "reserved (RFC 4291)"},
    {V6(0x4000, 0, 0, 0, 0, 2), "reserved (RFC 4291)"},
    {V6(0x8000, 0, 0, 0, 0, 1), "reserved (RFC 4291)"},
};

enum { BLOCKS = sizeof(blocks) / sizeof(blocks[0]), IPV4_BLOCKS = 21 };

const struct egress_special *egress_special_blocks(size_t *n)
{
	*n = BLOCKS;
	return blocks;
}

/* ---- which block ---- */

struct key {
	uint64_t high, low;
};

static struct key key_of(const uint8_t bytes[16])
{
	return (struct key){big64_at(bytes), big64_at(bytes + 8)};
}

static bool is_ipv4(struct key key)
{
	return key.high == 0 && key.low >> 32 == 0xffff;
}

static bool has(const struct cidr *network, struct key key)
{
	const struct key first = key_of(network->bytes);
	unsigned prefix = network->prefix;
	if (prefix <= 64)
		return (first.high ^ key.high) >> (64 - prefix) == 0;
	return first.high == key.high && (first.low ^ key.low) >> (128 - prefix) == 0;
}

/* The first block with that address whose prefix is at most `prefix`. */
static const struct egress_special *find(struct key key, unsigned prefix)
{
	bool ipv4 = is_ipv4(key);
	for (size_t i = ipv4 ? 0 : IPV4_BLOCKS; i < (ipv4 ? (size_t)IPV4_BLOCKS : (size_t)BLOCKS); i++) {
		if (blocks[i].network.prefix <= prefix && has(&blocks[i].network, key))
			return &blocks[i];
	}
	return NULL;
}

const struct egress_special *egress_special_of(const struct addr *addr)
{
	uint8_t bytes[16];
	if (!addr_mapped_bytes(addr, bytes))
		return &blocks[BLOCKS - 1];
	return find(key_of(bytes), 128);
}

const struct egress_special *egress_special_around(const struct cidr *network)
{
	const struct egress_special *block = find(key_of(network->bytes), network->prefix);
	return block && block->name ? block : NULL;
}

bool egress_embedded(const struct addr *addr, struct addr *ipv4)
{
	if (addr->u.sa.sa_family != AF_INET6)
		return false;
	const struct egress_special *block = egress_special_of(addr);
	if (!block || block->name)
		return false;
	*ipv4 = (struct addr){.u.in4 = {.sin_family = AF_INET, .sin_port = addr->u.in6.sin6_port}};
	memcpy(&ipv4->u.in4.sin_addr, addr->u.in6.sin6_addr.s6_addr + 12, 4);
	return true;
}

const char *egress_special_purpose(const struct addr *addr)
{
	struct addr ipv4;
	const struct egress_special *block = egress_special_of(egress_embedded(addr, &ipv4) ? &ipv4 : addr);
	return block ? block->name : NULL;
}

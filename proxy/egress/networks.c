/* Networks within networks, as a sorted array; see networks.h. Pure, and without allocation once sorted. */
#include "egress/networks.h"

#include <stdlib.h>
#include <string.h>

#include "sallyport/big_endian.h"

enum { IPV4_PREFIX = 96 }; /* of ::ffff:0:0/96 */

struct key {
	uint64_t high, low;
	uint8_t prefix;
};

static struct key key_of(const uint8_t bytes[16], uint8_t prefix)
{
	return (struct key){big64_at(bytes), big64_at(bytes + 8), prefix};
}

static bool is_ipv4(const struct key *key)
{
	return key->prefix >= IPV4_PREFIX && key->high == 0 && key->low >> 32 == 0xffff;
}

/* Begins before the key, or where it begins and is no smaller. */
static bool is_at_or_before(const struct egress_network *network, const struct key *key)
{
	if (network->high != key->high)
		return network->high < key->high;
	if (network->low != key->low)
		return network->low < key->low;
	return network->prefix <= key->prefix;
}

static bool has_bits(uint64_t a, uint64_t b, unsigned prefix)
{
	return prefix == 0 || (a ^ b) >> (64 - prefix) == 0;
}

static bool covers(const struct egress_network *network, const struct key *key)
{
	unsigned prefix = network->prefix;
	if (prefix > key->prefix)
		return false;
	if (prefix <= 64)
		return has_bits(network->high, key->high, prefix);
	return network->high == key->high && has_bits(network->low, key->low, prefix - 64);
}

static bool has(const struct egress_network *network, const struct key *key)
{
	return covers(network, key) && (network->prefix >= IPV4_PREFIX || !is_ipv4(key));
}

static struct key key_of_network(const struct egress_network *network)
{
	return (struct key){network->high, network->low, network->prefix};
}

bool egress_networks_init(struct egress_networks *networks, size_t room, struct arena *arena)
{
	*networks = (struct egress_networks){.room = room};
	networks->items = arena_alloc(arena, (room + 1) * sizeof(networks->items[0]));
	return networks->items != NULL;
}

void egress_networks_add(struct egress_networks *networks, const struct cidr *cidr, uint32_t value)
{
	const struct key key = key_of(cidr->bytes, cidr->prefix);
	if (networks->n == networks->room)
		return;
	networks->items[networks->n++] = (struct egress_network){
	    .high = key.high, .low = key.low, .value = value, .prefix = key.prefix};
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare(const void *left, const void *right)
{
	const struct egress_network *a = left, *b = right;
	int order = compare_u64(a->high, b->high);
	if (order == 0)
		order = compare_u64(a->low, b->low);
	if (order == 0)
		order = compare_u64(a->prefix, b->prefix);
	return order ? order : compare_u64(b->value, a->value);
}

/* From the one before it outwards: what begins before it and does not hold it has ended. */
static uint32_t find_outer(const struct egress_networks *networks, size_t index)
{
	const struct key key = key_of_network(&networks->items[index]);
	uint32_t at = (uint32_t)index;
	while (at > 0 && !covers(&networks->items[at - 1], &key))
		at = networks->items[at - 1].outer;
	return at;
}

void egress_networks_sort(struct egress_networks *networks)
{
	if (networks->n == 0)
		return;
	qsort(networks->items, networks->n, sizeof(networks->items[0]), compare);
	for (size_t i = 0; i < networks->n; i++)
		networks->items[i].outer = find_outer(networks, i);
}

/* How many are at or before the key. */
static size_t count_before(const struct egress_networks *networks, const struct key *key)
{
	size_t low = 0, len = networks->n;
	while (len > 0) {
		size_t half = len / 2;
		bool before = is_at_or_before(&networks->items[low + half], key);
		low += before ? half + 1 : 0;
		len = before ? len - half - 1 : half;
	}
	return low;
}

static const struct egress_network *find(const struct egress_networks *networks, const struct key *key)
{
	size_t at = count_before(networks, key);
	while (at > 0 && !has(&networks->items[at - 1], key))
		at = networks->items[at - 1].outer;
	return at > 0 ? &networks->items[at - 1] : NULL;
}

const struct egress_network *egress_networks_find(const struct egress_networks *networks, const struct addr *addr)
{
	uint8_t bytes[16];
	if (networks->n == 0 || !addr_mapped_bytes(addr, bytes))
		return NULL;
	const struct key key = key_of(bytes, 128);
	return find(networks, &key);
}

const struct egress_network *egress_networks_find_around(const struct egress_networks *networks, const struct cidr *cidr)
{
	const struct key key = key_of(cidr->bytes, cidr->prefix);
	return find(networks, &key);
}

const struct egress_network *egress_networks_outer(const struct egress_networks *networks,
						   const struct egress_network *network)
{
	const struct key key = key_of_network(network);
	if (!network->outer || !has(&networks->items[network->outer - 1], &key))
		return NULL;
	return &networks->items[network->outer - 1];
}

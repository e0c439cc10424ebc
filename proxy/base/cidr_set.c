/* Sets of networks as sorted ranges. Made once, in the memory that the ranges came in;
 * looked up without allocation. Trusts that a struct cidr was made by cidr_parse. */
#include "sallyport/cidr_set.h"

#include <stdlib.h>
#include <string.h>

#include "sallyport/big_endian.h"

static struct cidr_bound bound_of(const uint8_t bytes[16])
{
	return (struct cidr_bound){big64_at(bytes), big64_at(bytes + 8)};
}

static bool is_less(struct cidr_bound a, struct cidr_bound b)
{
	return a.high != b.high ? a.high < b.high : a.low < b.low;
}

/* The lowest `bits` of 64, set; more than 64 count as all. */
static uint64_t low_bits(unsigned bits)
{
	return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

struct cidr_range cidr_range_of(const struct cidr *cidr)
{
	unsigned host_bits = 128U - cidr->prefix;
	struct cidr_range range = {.first = bound_of(cidr->bytes)};
	range.last.high = range.first.high | (host_bits > 64 ? low_bits(host_bits - 64) : 0);
	range.last.low = range.first.low | low_bits(host_bits);
	return range;
}

static int compare(const void *left, const void *right)
{
	const struct cidr_range *a = left, *b = right;
	return is_less(a->first, b->first) ? -1 : is_less(b->first, a->first);
}

static struct cidr_bound after(struct cidr_bound bound)
{
	bound.low++;
	bound.high += bound.low == 0;
	return bound;
}

/* Both overlap, or one begins where the other ends. */
static bool touches(const struct cidr_range *range, const struct cidr_range *next)
{
	bool ends_at_the_end = range->last.high == UINT64_MAX && range->last.low == UINT64_MAX;
	return ends_at_the_end || !is_less(after(range->last), next->first);
}

bool cidr_range_join(struct cidr_range *range, const struct cidr_range *next)
{
	if (is_less(next->first, range->first) || !touches(range, next))
		return false;
	if (is_less(range->last, next->last))
		range->last = next->last;
	return true;
}

struct cidr_set cidr_set_of(struct cidr_range *ranges, size_t n)
{
	struct cidr_set set = {ranges, 0};
	if (n == 0)
		return set;
	qsort(ranges, n, sizeof(ranges[0]), compare);
	for (size_t i = 1; i < n; i++) {
		if (!cidr_range_join(&ranges[set.n], &ranges[i]))
			ranges[++set.n] = ranges[i];
	}
	set.n++;
	return set;
}

bool cidr_set_has(const struct cidr_set *set, const struct addr *addr)
{
	uint8_t bytes[16];
	if (set->n == 0 || !addr_mapped_bytes(addr, bytes))
		return false;
	const struct cidr_bound bound = bound_of(bytes);
	size_t low = 0, high = set->n; /* the range is in [low, high) */
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (is_less(bound, set->ranges[middle].first))
			high = middle;
		else
			low = middle;
	}
	return !is_less(bound, set->ranges[low].first) && !is_less(set->ranges[low].last, bound);
}

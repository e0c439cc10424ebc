/* Ranges of addresses on their way from a file into a set: bounded, joined where they touch. */
#include "shield/address_ranges.h"

#include <stdlib.h>

enum { FIRST_ROOM = 256 };

static bool grow(struct address_ranges *ranges)
{
	size_t room = ranges->room ? ranges->room * 2 : FIRST_ROOM;
	room = room < ranges->max ? room : ranges->max;
	struct cidr_range *items = realloc(ranges->items, room * sizeof(*items));
	if (!items)
		return false;
	ranges->items = items;
	ranges->room = room;
	return true;
}

enum address_ranges_result address_ranges_add(struct address_ranges *ranges, const struct cidr *cidr)
{
	const struct cidr_range range = cidr_range_of(cidr);
	if (ranges->n > 0 && cidr_range_join(&ranges->items[ranges->n - 1], &range))
		return ADDRESS_RANGES_ADDED;
	if (ranges->n == ranges->max)
		return ADDRESS_RANGES_FULL;
	if (ranges->n == ranges->room && !grow(ranges))
		return ADDRESS_RANGES_NO_MEMORY;
	ranges->items[ranges->n++] = range;
	return ADDRESS_RANGES_ADDED;
}

void address_ranges_release(struct address_ranges *ranges)
{
	free(ranges->items);
	*ranges = (struct address_ranges){0};
}

bool address_ranges_explain(enum address_ranges_result result, const struct address_ranges *ranges, struct err *err)
{
	if (result == ADDRESS_RANGES_FULL)
		return err_set(err, "more than %zu networks, which is networks_max", ranges->max);
	return err_set(err, "out of memory");
}

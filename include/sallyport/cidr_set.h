#ifndef SALLYPORT_CIDR_SET_H
#define SALLYPORT_CIDR_SET_H

#include "sallyport/addr.h"

/* Many networks as one set: ranges of addresses, sorted, none touching another, so that a
 * lookup is a binary search and costs the same for ten networks as for ten thousand. IPv4 is
 * looked up as ::ffff:a.b.c.d. */

struct cidr_bound {
	uint64_t high, low; /* the address as one number of 128 bits */
};

struct cidr_range {
	struct cidr_bound first, last; /* both belong to it */
};

struct cidr_set {
	struct cidr_range *ranges; /* borrowed */
	size_t n;
};

/* What one network covers. */
struct cidr_range cidr_range_of(const struct cidr *cidr);
/* Makes *range both of them where the next one, which begins no lower, overlaps it or goes on where it ends. */
bool cidr_range_join(struct cidr_range *range, const struct cidr_range *next);
/* Sorts and joins the ranges where they lie; the set borrows them. */
struct cidr_set cidr_set_of(struct cidr_range *ranges, size_t n);
/* An address of an unknown family is in no set. */
bool cidr_set_has(const struct cidr_set *set, const struct addr *addr);

#endif

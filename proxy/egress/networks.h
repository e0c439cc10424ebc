#ifndef SALLYPORT_EGRESS_NETWORKS_H
#define SALLYPORT_EGRESS_NETWORKS_H

#include "sallyport/addr.h"
#include "sallyport/arena.h"

/* Many networks, each with a number of its own, that may lie within one another. They are sorted so that
 * one before which nothing begins is found by a binary search, and each knows the next larger one that it lies
 * in: what an address lies in costs the same for ten as for ten thousand.
 *
 *   10.0.0.0/8 ◄── 10.1.0.0/16 ◄── 10.1.2.0/24      11.0.0.0/8
 *
 * Networks of IPv6 have no address of IPv4 in them, not even "::/0". */

struct egress_network {
	uint64_t high, low; /* the first address of 128 bits, IPv4 as ::ffff:a.b.c.d */
	uint32_t outer;     /* index of the network that it lies in, plus 1; 0: none. Equal ones lie in one another */
	uint32_t value;     /* the caller's */
	uint8_t prefix;
};

struct egress_networks {
	struct egress_network *items;
	size_t n, room;
};

/* False: no memory. */
MUST_CHECK bool egress_networks_init(struct egress_networks *networks, size_t room, struct arena *arena);
/* At most `room` times; then egress_networks_sort, and only then lookups. */
void egress_networks_add(struct egress_networks *networks, const struct cidr *cidr, uint32_t value);
void egress_networks_sort(struct egress_networks *networks);

/* The smallest network that the address lies in; NULL: it lies in none. */
const struct egress_network *egress_networks_find(const struct egress_networks *networks, const struct addr *addr);
/* The smallest one that the whole network lies in. */
const struct egress_network *egress_networks_find_around(const struct egress_networks *networks, const struct cidr *cidr);
/* The next larger one; NULL: there is none. */
const struct egress_network *egress_networks_outer(const struct egress_networks *networks,
						   const struct egress_network *network);

#endif

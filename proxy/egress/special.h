#ifndef SALLYPORT_EGRESS_SPECIAL_H
#define SALLYPORT_EGRESS_SPECIAL_H

#include "sallyport/egress.h"

/* The block that the address lies in, NAT64's (name NULL) among them; NULL: it is public. One of an unknown
 * family is reserved. */
const struct egress_special *egress_special_of(const struct addr *addr);
/* The smallest block that the whole network lies in; NULL: it is, at least in part, public. */
const struct egress_special *egress_special_around(const struct cidr *network);
/* Does the address lead to an IPv4 address (NAT64, RFC 6052)? With its port. */
bool egress_embedded(const struct addr *addr, struct addr *ipv4);

#endif

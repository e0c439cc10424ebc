#ifndef SALLYPORT_KERNEL_ROUTE_H
#define SALLYPORT_KERNEL_ROUTE_H

#include "sallyport/addr.h"
#include "sallyport/err.h"

/* What the kernel leg has to know of this machine's network, by rtnetlink. Takes no right. */

enum { KERNEL_INTERFACE_SIZE = 16 };

/* For the questions below; -1 on failure. */
MUST_CHECK int kernel_route_open(struct err *err);
/* The interface by whose network that address is reached, without a router in between. False: there is none. */
MUST_CHECK bool kernel_route_direct(int fd, const struct addr *addr, char out[KERNEL_INTERFACE_SIZE]);
/* The interface by which that address is reached at all. */
MUST_CHECK bool kernel_route_to(int fd, const struct addr *addr, char out[KERNEL_INTERFACE_SIZE]);
/* True for a port of a bridge. */
bool kernel_route_is_bridged(int fd, const char *interface);

/* A descriptor that becomes readable when interfaces or routes change; -1 on failure. */
MUST_CHECK int kernel_route_watch(struct err *err);
/* Takes away what it tells. */
void kernel_route_drain(int fd);

#endif

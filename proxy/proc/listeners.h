#ifndef PROC_LISTENERS_H
#define PROC_LISTENERS_H

#include "proc/orders.h"
#include "sallyport/addr.h"
#include "sallyport/err.h"

/* Listening sockets, one per address, that outlive generations. A change has two
 * phases: prepare opens what is missing and touches nothing else; then either commit
 * closes what nobody wants any more, or rollback closes what was opened. */
struct listener {
	struct addr addr; /* as the policy says it */
	int fd;
	bool is_wanted; /* by the last prepare */
	bool is_fresh;  /* opened by it */
};

struct listeners {
	bool are_datagram; /* UDP, which nobody accepts */
	struct listener items[2 * LISTENERS_MAX]; /* the old ones and the new ones */
	unsigned n;
};

MUST_CHECK bool listeners_prepare(struct listeners *listeners, const struct addr *addrs, unsigned n,
				  struct err *err);
void listeners_commit(struct listeners *listeners);
void listeners_rollback(struct listeners *listeners);
/* The socket of an address, borrowed; -1 where there is none. */
int listeners_fd(const struct listeners *listeners, const struct addr *addr);
void listeners_release(struct listeners *listeners);

/* One listening TCP socket, close-on-exec and non-blocking, or -1 with a sentence that says
 * what to do. */
MUST_CHECK int listener_open(const struct addr *addr, struct err *err);
/* The same of UDP, which is bound only. */
MUST_CHECK int listener_open_datagram(const struct addr *addr, struct err *err);
/* What it is bound to, also where the kernel chose the port. */
bool listener_address(int fd, struct addr *out);

#endif

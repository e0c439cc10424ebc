#ifndef NET_HOSTS_H
#define NET_HOSTS_H

#include "sallyport/resolve.h"

/* /etc/hosts, kept as it was: a sandboxed process cannot read it again. */

enum { HOSTS_BYTES_MAX = 1 << 20 };

/* The file, to be freed; NULL where it is not there or too large. */
char *hosts_read(const char *path, size_t *len);
/* The addresses of a name in a text of that form (hosts(5)), in its order; returns their number. */
unsigned hosts_find(struct span text, struct span name, uint16_t port,
		    struct addr out[RESOLVE_MAX_ADDRS]);

#endif

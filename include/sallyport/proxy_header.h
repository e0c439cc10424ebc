#ifndef SALLYPORT_PROXY_HEADER_H
#define SALLYPORT_PROXY_HEADER_H

#include <stddef.h>
#include "sallyport/addr.h"
#include "sallyport/reason.h"

/* The PROXY protocol, by which a balancer says before all else whose connection it passes
 * on: haproxy.org/download/2.8/doc/proxy-protocol.txt, versions 1 and 2. Pure: bytes
 * go in, an address comes out; nothing is allocated and nothing is read past the end. */

enum {
	PROXY_V1_MAX = 107,     /* with its CRLF: section 2.1 */
	PROXY_V2_PREFIX = 16,   /* signature, version and command, family, length: section 2.2 */
	PROXY_HEADER_MAX = 4096, /* of version 2, with its TLVs: a bound of ours, not the protocol's */
};

struct proxy_header {
	size_t len;           /* of the header: what follows belongs to the connection */
	bool has_source;      /* else it names nobody (LOCAL, UNKNOWN, a Unix socket): the connection's own
			       * addresses hold */
	struct addr source;
	struct addr destination;
};

enum proxy_parse { PROXY_PARSE_UNSET = 0, PROXY_PARSE_MORE, PROXY_PARSE_DONE, PROXY_PARSE_BAD };

/* bytes: what came of the connection so far. MORE: as far as it goes it could be a header. BAD: *reason
 * is PROXY_MISSING, PROXY_MALFORMED, PROXY_TOO_LONG or PROXY_CHECKSUM. Whoever adds bytes to those that
 * gave DONE or BAD gets the same again. */
enum proxy_parse proxy_header_parse(struct span bytes, struct proxy_header *out, enum reason *reason);

enum proxy_version { PROXY_VERSION_UNSET = 0, PROXY_VERSION_NONE, PROXY_VERSION_1, PROXY_VERSION_2 };

enum { PROXY_WRITE_MAX = 128 };

/* A header for a connection from source to destination; an IPv4 address beside an IPv6 one is
 * written as ::ffff:a.b.c.d. One of them NULL: nobody's connection but ours, such as a health check
 * (LOCAL, UNKNOWN). Returns its length; 0 for PROXY_VERSION_NONE. */
size_t proxy_header_write(enum proxy_version version, const struct addr *source,
			  const struct addr *destination, char out[PROXY_WRITE_MAX]);

#endif

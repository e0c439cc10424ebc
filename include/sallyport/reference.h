#ifndef SALLYPORT_REFERENCE_H
#define SALLYPORT_REFERENCE_H

#include "sallyport/url.h"

/* A reference as it stands in a page, resolved against the page that it stands in (RFC 3986 section
 * 5.2), read as a browser reads it (redirect.h). Pure. */

/* Where something is. */
struct url_place {
	bool tls;
	uint16_t port;      /* never 0 */
	struct span host;   /* in lower case, without port and trailing dot */
	struct span path;   /* canonical, starts with "/" */
	struct span query;  /* percent-encoded as browsers send it; ptr NULL: no "?" */
};

enum {
	REFERENCE_MAX = 4096, /* longer ones lead nowhere */
	/* The base's path, the reference in its longest form, and what the canonical form takes. */
	REFERENCE_ROOM = URL_CANON_ROOM(2 * REFERENCE_MAX) + 6 * REFERENCE_MAX,
};

/* False: it leads to no page at all: another scheme, no host that could be told, too long, a path
 * that is no path in whatever spelling (NUL, overlong UTF-8). base->path of at most REFERENCE_MAX bytes.
 * The result points into base and buf (REFERENCE_ROOM bytes). A fragment is dropped. */
bool reference_resolve(struct span text, const struct url_place *base, char *buf,
		       struct url_place *out);

#endif

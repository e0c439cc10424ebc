#ifndef SALLYPORT_URL_ESCAPE_H
#define SALLYPORT_URL_ESCAPE_H

#include "sallyport/span.h"

enum url_escape_kind {
	URL_ESCAPE_UNSET = 0,
	URL_ESCAPE_BYTE,   /* %XX */
	URL_ESCAPE_WIDE,   /* %uXXXX: no escape of RFC 3986, but decoded by IIS */
	URL_ESCAPE_BROKEN, /* a "%" and nothing more */
};

struct url_escape {
	enum url_escape_kind kind;
	unsigned value; /* of BYTE and WIDE */
	size_t len;     /* bytes of it: 3, 6 or 1 */
};

/* What starts with the "%" at s.ptr[at]. */
struct url_escape url_read_escape(struct span s, size_t at);

#endif

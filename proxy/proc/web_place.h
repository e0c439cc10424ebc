#ifndef PROC_WEB_PLACE_H
#define PROC_WEB_PLACE_H

#include <stdint.h>

#include "sallyport/err.h"

/* Where a URL that a policy names leads, as a fetch needs it (fetch.h). */

enum { WEB_URL_SIZE = 1024 };

struct web_place {
	char origin[WEB_URL_SIZE];    /* to connect to: a name, or an address without brackets; empty: nowhere */
	char authority[WEB_URL_SIZE]; /* for the field Host */
	char target[WEB_URL_SIZE];
	uint16_t port;
	bool tls;
};

/* False: it is no absolute URL of http or https with a host, or has WEB_URL_SIZE bytes or more. */
MUST_CHECK bool web_place_of(const char *url, struct web_place *out);

#endif

#ifndef SALLYPORT_SITEMAP_H
#define SALLYPORT_SITEMAP_H

#include "sallyport/err.h"
#include "sallyport/scout.h"
#include "sallyport/span.h"

/* What a site says itself of its pages: sitemaps (sitemaps.org, protocol 0.9) and the lines of
 * robots.txt that name them (RFC 9309 section 2.2.4). Nothing is fetched here. */

enum {
	SITEMAP_URL_MAX = 2048,   /* by the protocol; longer ones are left out */
	SITEMAP_URLS_MAX = 50000, /* in one file, by the protocol; what comes behind them is left out */
	SITEMAP_DEPTH_MAX = 8,    /* of elements */
};

/* A URL as it was written, without the white space around it: absolute, by the protocol, but
 * that is for links.h to judge. False: enough. */
typedef bool sitemap_on_url(void *context, enum link_kind kind, struct span url);

/* Of pages and their pictures, and, in an index, of further sitemaps; also a plain text of URLs, one a
 * line. False: it is malformed, or asks for what is refused: a document type and with it any
 * entity of its own, elements nested too deep. What stood before was told. A document that is no
 * sitemap gives nothing and is no error. text: at most INT_MAX bytes. */
MUST_CHECK bool sitemap_read(struct span text, sitemap_on_url *on_url, void *context,
			     struct err *err);

/* "Sitemap:" lines. Allow and Disallow are not heeded: they ask strangers to stay away, and the one
 * who asks here is the site's own guard, which has to know what any visitor may see. */
void robots_read(struct span text, sitemap_on_url *on_url, void *context);

#endif

#ifndef SALLYPORT_LINKS_H
#define SALLYPORT_LINKS_H

#include "sallyport/page.h"
#include "sallyport/reference.h"

/* What a page leads to: other pages and resources of its site, and foreign hosts in places where one
 * takes the page over. Pure, in linear time, without memory but the caller's. */

/* Where a foreign host matters. */
enum link_place {
	LINK_PLACE_UNSET = 0,
	LINK_ELSEWHERE, /* an ordinary link, an image: not reported */
	LINK_SCRIPT,
	LINK_FRAME,   /* iframe, frame, embed, object */
	LINK_FORM,    /* of any method */
	LINK_REFRESH, /* meta http-equiv=refresh */
	LINK_BASE,
	LINK_PLACES
};

/* "script"; "-" for what is none. */
const char *link_place_name(enum link_place place);

struct link_sink {
	/* Whether a host is one of the site's; the page's own host is not asked for. May be NULL: none. */
	bool (*is_own)(void *context, struct span host);
	/* A page's key (page.h), at most PAGE_KEY_MAX bytes, in the order of the text and as often as it
	 * stands there. False: enough of everything. */
	bool (*on_link)(void *context, struct span key);
	/* May be NULL. */
	bool (*on_host)(void *context, enum link_place place, struct span host);
	void *context;
};

/* Caller's storage: large, so not on a stack that is small. */
struct link_finder {
	struct url_place page; /* set by the caller: where the text is from */
	struct link_sink sink; /* and this */
	struct url_place base; /* what references are resolved against */
	bool has_base, ended;
	char value[REFERENCE_MAX];
	char resolved[REFERENCE_ROOM];
	char base_resolved[REFERENCE_ROOM];
	char key[PAGE_KEY_MAX];
};

/* HTML: href, src, srcset, poster, data, background, action of forms that GET, meta refresh, and style
 * sheets in style elements and attributes; base is heeded. Links with a
 * port that is neither the page's nor the scheme's own lead to another site. */
void links_in_html(struct link_finder *finder, struct span text);
/* CSS: url() and @import. */
void links_in_css(struct link_finder *finder, struct span text);
/* One reference: of a Location, a Link field, a sitemap. */
void links_in_reference(struct link_finder *finder, enum link_place place, struct span reference);

#endif

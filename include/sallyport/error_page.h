#ifndef SALLYPORT_ERROR_PAGE_H
#define SALLYPORT_ERROR_PAGE_H

#include "sallyport/arena.h"
#include "sallyport/err.h"

/* The page that visitors see where we answer ourselves, cut where something is filled in: {{id}},
 * {{status}} and {{phrase}}. Part of a compiled policy: read with it, immutable from then on. */

enum { ERROR_PAGE_BYTES = 16384, ERROR_PAGE_PARTS = 16 };

struct error_page_part {
	struct span text;
	char fill; /* behind the text: 'i' request id, 's' status, 'p' phrase; 0: nothing */
};

struct error_page {
	struct error_page_part parts[ERROR_PAGE_PARTS];
	size_t n;
};

/* Reads DIR/page.html: a text of at most ERROR_PAGE_BYTES. dir NULL: the one that comes with the
 * program, or where that is not there, one built in. The text lives in the arena. */
MUST_CHECK bool error_page_load(struct error_page *page, const char *dir, struct arena *arena,
				struct err *err);
/* The same from a text, which has to outlive the page. */
MUST_CHECK bool error_page_cut(struct error_page *page, const char *text, struct err *err);
/* Returns the length; 0: no room. */
size_t error_page_render(const struct error_page *page, unsigned status, const char *id, char *out,
			 size_t room);

#endif

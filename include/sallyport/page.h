#ifndef SALLYPORT_PAGE_H
#define SALLYPORT_PAGE_H

#include <stdint.h>
#include "sallyport/crypto.h"
#include "sallyport/span.h"

/* What a page is to the guard: a status, the fields that decide what a browser makes of the
 * content, and the content itself, its content coding undone. Whoever fetched it (a worker
 * for a visitor, the scout by itself) computes the same digest of the same page. */

/* In the order in which they are digested; names in lower case. */
enum page_field {
	PAGE_FIELD_CONTENT_TYPE,
	PAGE_FIELD_CONTENT_DISPOSITION,
	PAGE_FIELD_LOCATION,
	PAGE_FIELD_REFRESH,
	PAGE_FIELD_LINK,
	PAGE_FIELD_COUNT
};

enum {
	PAGE_FIELD_MAX = 2048,  /* a longer value makes a page that cannot be known */
	PAGE_KEY_MAX = 4096,    /* canonical path, "?" and query */
};

struct page_head {
	uint16_t status;
	/* ptr NULL: not there. A field that is repeated is joined by ", " (RFC 9110 section 5.3). */
	struct span fields[PAGE_FIELD_COUNT];
};

const char *page_field_name(enum page_field field);

/* A head as its fields come in, in the order of the message. Values are borrowed; those of a
 * repeated field are joined in `text`. */
struct page_collect {
	struct page_head head;
	bool too_long; /* a value over PAGE_FIELD_MAX, or too many to join: it cannot be known */
	size_t used;   /* of text */
	char text[2 * PAGE_FIELD_MAX];
};

/* Zeroes what matters; text stays as it is. */
void page_collect_begin(struct page_collect *collect, unsigned status);
/* Any field of the message, by its name in any case; value without the white space around it. */
void page_collect_field(struct page_collect *collect, struct span name, struct span value);
/* Status and fields are those of the other, byte for byte. */
bool page_head_eq(const struct page_head *a, const struct page_head *b);

/* SHA-256 over "sallyport page 1\n", the status in decimal and "\n", each field that is there, as
 * "name:length:value\n", and the digest of the content. No value is longer than PAGE_FIELD_MAX. */
void page_digest(const struct page_head *head, const uint8_t content[DIGEST_SIZE],
		 uint8_t out[DIGEST_SIZE]);

#endif

#ifndef HTTP_WRITER_H
#define HTTP_WRITER_H

#include "sallyport/http_head.h"

/* Bytes into the caller's room. Once something did not fit, `full` stays set and
 * later writes do nothing, so that one look at the end tells. */
struct writer {
	char *buf;
	size_t len, room;
	bool full;
};

static inline void put(struct writer *w, struct span s)
{
	if (w->full || s.len > w->room - w->len) {
		w->full = true;
		return;
	}
	if (s.len > 0)
		memcpy(w->buf + w->len, s.ptr, s.len);
	w->len += s.len;
}

/* A string literal: its length is known, so the copy is a few moves. */
#define PUT(w, literal) put((w), SPAN(literal))

void put_u64(struct writer *w, uint64_t number);
/* name ": " value CRLF */
void put_field(struct writer *w, struct span name, struct span value);
/* A quoted-string (RFC 9110 section 5.6.4); bytes that can't stand in one are left out. */
void put_quoted(struct writer *w, struct span s);

/* Writes the fields of a head for which keep(field, context) holds. */
void put_fields(struct writer *w, const struct http_head *head,
		bool (*keep)(const struct http_field *field, const void *context),
		const void *context);

#endif

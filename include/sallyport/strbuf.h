#ifndef SALLYPORT_STRBUF_H
#define SALLYPORT_STRBUF_H

#include <stdarg.h>
#include "sallyport/span.h"

/* A growable byte buffer that is born with a cap. Invariants: len <= room <=
 * cap; data[len] is NUL whenever data is not NULL; once an append did not fit,
 * `truncated` stays set and every later append does nothing, so a chain of
 * appends is checked once, at its end. */
struct strbuf {
	char *data;
	size_t len;
	size_t room;
	size_t cap;
	bool truncated;
};

/* Hidden from the dynamic linker: libconfig has a strbuf_release of its own, which it finds
 * through its symbol table, and an executable's would displace it. */
#pragma GCC visibility push(hidden)

/* Caller's storage, no allocation until the first append. cap in bytes. */
void strbuf_init(struct strbuf *sb, size_t cap);
void strbuf_release(struct strbuf *sb);
/* Empties it and clears `truncated`; keeps the memory. */
void strbuf_reset(struct strbuf *sb);
/* Keeps its first len bytes, which it has. */
void strbuf_cut(struct strbuf *sb, size_t len);
void strbuf_add(struct strbuf *sb, const void *bytes, size_t len);
void strbuf_add_span(struct strbuf *sb, struct span s);
void strbuf_add_str(struct strbuf *sb, const char *str);
void strbuf_add_char(struct strbuf *sb, char c);
void strbuf_addf(struct strbuf *sb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vaddf(struct strbuf *sb, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
#pragma GCC visibility pop

static inline struct span strbuf_span(const struct strbuf *sb)
{
	return (struct span){sb->data, sb->len};
}

#endif

#ifndef SALLYPORT_SPAN_H
#define SALLYPORT_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes: a pointer and a length, never NUL-terminated. Whatever comes
 * from the network is handled as spans, so a NUL is a byte like any other. */
struct span {
	const char *ptr;
	size_t len;
};

/* The span of a string literal, without its NUL. */
#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})
/* For printf's "%.*s". Only for text that the operator wrote. */
#define SPAN_ARG(s) (int)(s).len, (s).ptr

static inline struct span span_of(const char *ptr, size_t len)
{
	return (struct span){ptr, len};
}

static inline struct span span_from_str(const char *str)
{
	return (struct span){str, str ? strlen(str) : 0};
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static inline bool ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Replaces control bytes (0x00 to 0x1f and 0x7f) by '?', so that text stays one line. */
void ascii_replace_controls(char *bytes, size_t len);

/* Each hexadecimal digit's value, plus 1; 0: it is none. */
extern const uint8_t ascii_hex_values[256];

/* Value of a hexadecimal digit, or -1. */
static inline int ascii_hex(char c)
{
	return (int)ascii_hex_values[(uint8_t)c] - 1;
}

/* Equal without regard to ASCII case. */
bool span_ieq(struct span a, struct span b);
bool span_starts(struct span s, struct span prefix);
bool span_ends(struct span s, struct span suffix);
bool span_istarts(struct span s, struct span prefix);
bool span_iends(struct span s, struct span suffix);

/* Offset of the first c in s, or s.len where there is none. */
static inline size_t span_find(struct span s, char c)
{
	const char *at = s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;
	return at ? (size_t)(at - s.ptr) : s.len;
}

/* The part from offset on; empty where offset is past the end. */
static inline struct span span_from(struct span s, size_t offset)
{
	if (offset == 0)
		return s;
	if (offset >= s.len)
		return span_of(s.ptr ? s.ptr + s.len : NULL, 0);
	return span_of(s.ptr + offset, s.len - offset);
}

/* Without leading and trailing SP and HTAB (OWS, RFC 9110 section 5.6.3). */
struct span span_trim_ows(struct span s);

/* Plain decimal digits only, at least one, value at most max. False (and *out
 * untouched) for anything else: a sign, a space, an empty span, an overflow. */
bool span_to_u64(struct span s, uint64_t max, uint64_t *out);

/* Takes the next element of a comma-separated list (RFC 9110 section 5.6.1)
 * off *list, trimmed. Quoted strings are kept whole. False at the end. */
bool span_next_element(struct span *list, struct span *element);

#endif

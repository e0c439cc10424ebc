#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sallyport/word.h"

/* Classes of bytes. A byte may have several. */
enum http_class {
	HTTP_CLASS_NONE = 0,
	HTTP_CLASS_TOKEN = 1 << 0, /* tchar, RFC 9110 section 5.6.2 */
	HTTP_CLASS_PLAIN = 1 << 1, /* a letter, a digit or "-": what field names are made of */
};

extern const uint8_t http_class[256];

static inline bool http_is_class(char c, enum http_class class)
{
	return (http_class[(unsigned char)c] & class) != 0;
}

/* Offset of the first byte at or after i that is below `low` (at most 0x80) or
 * DEL; end where there is none. */
static inline size_t http_text_end(const char *buf, size_t i, size_t end, unsigned low)
{
	for (; end - i >= 8; i += 8) {
		uint64_t word = word_load(buf + i), hit = word_below(word, low) | word_find(word, 0x7f);
		if (hit)
			return i + word_first(hit);
	}
	while (i < end && (unsigned char)buf[i] >= low && buf[i] != 0x7f)
		i++;
	return i;
}

/* The end of what a field value may hold: HTAB, SP, visible and obs-text bytes
 * (RFC 9110 section 5.5). */
static inline size_t http_value_end(const char *buf, size_t i, size_t end)
{
	while ((i = http_text_end(buf, i, end, ' ')) < end && buf[i] == '\t')
		i++;
	return i;
}

/* The end of a run of bytes of a class. */
static inline size_t http_class_end(const char *buf, size_t i, size_t end, enum http_class class)
{
	while (i < end && http_is_class(buf[i], class))
		i++;
	return i;
}

#endif

/* The growable buffer. Memory is doubled until the cap is reached; an append
 * either fits whole or adds nothing and sets `truncated`, as does a heap that is
 * exhausted. Does not look at the bytes. */
#include "sallyport/strbuf.h"

#include <stdio.h>
#include <stdlib.h>

enum { STRBUF_FIRST_ROOM = 120 };

void strbuf_init(struct strbuf *sb, size_t cap)
{
	*sb = (struct strbuf){.cap = cap};
}

void strbuf_release(struct strbuf *sb)
{
	free(sb->data);
	strbuf_init(sb, sb->cap);
}

void strbuf_reset(struct strbuf *sb)
{
	sb->len = 0;
	sb->truncated = false;
	if (sb->data)
		sb->data[0] = '\0';
}

void strbuf_cut(struct strbuf *sb, size_t len)
{
	sb->len = len;
	if (sb->data)
		sb->data[len] = '\0';
}

/* cap may be SIZE_MAX: no sum here can overflow. */
static size_t larger_room(const struct strbuf *sb, size_t wanted)
{
	size_t room = sb->room > 0 ? sb->room : STRBUF_FIRST_ROOM;
	while (room < wanted)
		room = room > sb->cap / 2 ? sb->cap : room * 2;
	return room < sb->cap ? room : sb->cap;
}

/* Makes room for len more bytes and the NUL after them. */
static bool grow(struct strbuf *sb, size_t len)
{
	if (sb->truncated)
		return false;
	if (sb->data && len <= sb->room - sb->len)
		return true;
	if (len <= sb->cap - sb->len) {
		size_t room = larger_room(sb, sb->len + len);
		char *data = room < SIZE_MAX ? realloc(sb->data, room + 1) : NULL;
		if (data) {
			data[sb->len] = '\0';
			sb->data = data;
			sb->room = room;
			return true;
		}
	}
	sb->truncated = true;
	return false;
}

void strbuf_add(struct strbuf *sb, const void *bytes, size_t len)
{
	if (!grow(sb, len) || len == 0)
		return;
	memcpy(sb->data + sb->len, bytes, len);
	sb->len += len;
	sb->data[sb->len] = '\0';
}

void strbuf_add_span(struct strbuf *sb, struct span s)
{
	strbuf_add(sb, s.ptr, s.len);
}

void strbuf_add_str(struct strbuf *sb, const char *str)
{
	strbuf_add(sb, str, strlen(str));
}

void strbuf_add_char(struct strbuf *sb, char c)
{
	strbuf_add(sb, &c, 1);
}

void strbuf_addf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	strbuf_vaddf(sb, fmt, ap);
	va_end(ap);
}

void strbuf_vaddf(struct strbuf *sb, const char *fmt, va_list ap)
{
	va_list measure;
	va_copy(measure, ap);
	int len = vsnprintf(NULL, 0, fmt, measure);
	va_end(measure);
	if (len < 0) {
		sb->truncated = true;
		return;
	}
	if (!grow(sb, (size_t)len))
		return;
	vsnprintf(sb->data + sb->len, (size_t)len + 1, fmt, ap);
	sb->len += (size_t)len;
}

/* What a page is (see page.h): the fields that count, and the digest over them. The bytes
 * are an origin's; they are measured, compared and digested, never understood. */
#include "sallyport/page.h"

#include <stdio.h>

static const struct span names[PAGE_FIELD_COUNT] = {
    [PAGE_FIELD_CONTENT_TYPE] = {"content-type", 12},
    [PAGE_FIELD_CONTENT_DISPOSITION] = {"content-disposition", 19},
    [PAGE_FIELD_LOCATION] = {"location", 8},
    [PAGE_FIELD_REFRESH] = {"refresh", 7},
    [PAGE_FIELD_LINK] = {"link", 4},
};

static const char magic[] = "sallyport page 1\n";

/* "content-disposition:2048:…\n" of each, after magic and status. */
enum { FIELD_ROOM = 32 + PAGE_FIELD_MAX, DIGESTED_MAX = 64 + PAGE_FIELD_COUNT * FIELD_ROOM + DIGEST_SIZE };

const char *page_field_name(enum page_field field)
{
	return names[field].ptr;
}

void page_collect_begin(struct page_collect *collect, unsigned status)
{
	collect->head = (struct page_head){.status = (uint16_t)status};
	collect->too_long = false;
	collect->used = 0;
}

/* "first, next": behind what was joined before. */
static void join(struct page_collect *collect, struct span *value, struct span next)
{
	size_t len = value->len + 2 + next.len;
	char *at = collect->text + collect->used;
	if (len > PAGE_FIELD_MAX || len > sizeof(collect->text) - collect->used) {
		collect->too_long = true;
		return;
	}
	memcpy(at, value->ptr, value->len);
	memcpy(at + value->len, ", ", 2);
	if (next.len > 0)
		memcpy(at + value->len + 2, next.ptr, next.len);
	collect->used += len;
	*value = span_of(at, len);
}

void page_collect_field(struct page_collect *collect, struct span name, struct span value)
{
	for (int i = 0; i < PAGE_FIELD_COUNT; i++) {
		struct span *field = &collect->head.fields[i];
		if (names[i].len != name.len || !span_ieq(names[i], name))
			continue;
		if (value.len > PAGE_FIELD_MAX)
			collect->too_long = true;
		else if (field->ptr)
			join(collect, field, value);
		else
			*field = span_of(value.len > 0 ? value.ptr : "", value.len);
		return;
	}
}

bool page_head_eq(const struct page_head *a, const struct page_head *b)
{
	if (a->status != b->status)
		return false;
	for (int i = 0; i < PAGE_FIELD_COUNT; i++)
		if (!a->fields[i].ptr != !b->fields[i].ptr || !span_eq(a->fields[i], b->fields[i]))
			return false;
	return true;
}

static char *put(char *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

static char *put_field(char *at, struct span name, struct span value)
{
	char length[24];
	int n = snprintf(length, sizeof(length), ":%zu:", value.len);
	at = put(at, name.ptr, name.len);
	at = put(at, length, (size_t)n);
	if (value.len > 0)
		at = put(at, value.ptr, value.len < PAGE_FIELD_MAX ? value.len : PAGE_FIELD_MAX);
	return put(at, "\n", 1);
}

void page_digest(const struct page_head *head, const uint8_t content[DIGEST_SIZE],
		 uint8_t out[DIGEST_SIZE])
{
	char text[DIGESTED_MAX], status[16];
	int n = snprintf(status, sizeof(status), "%u\n", head->status);
	char *at = put(text, magic, sizeof(magic) - 1);
	at = put(at, status, (size_t)n);
	for (int i = 0; i < PAGE_FIELD_COUNT; i++)
		if (head->fields[i].ptr)
			at = put_field(at, names[i], head->fields[i]);
	at = put(at, content, DIGEST_SIZE);
	digest(text, (size_t)(at - text), out);
}

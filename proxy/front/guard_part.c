/* Conditions and ranges of a page that we have as a whole: a copy, or what an origin answered and was judged. Origins
 * are asked for whole pages, so visitors get from us what they asked for: a browser that has the page
 * already 304, one that plays a film the part that it wants. */
#include "front/guard.h"

static struct span find_field(const struct http_head *head, struct span name)
{
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];
		if (field->name_len == name.len && span_ieq(http_field_name(head, field), name))
			return http_field_value(head, field);
	}
	return span_of(NULL, 0);
}

/* ---- what is asked for ---- */

/* RFC 9110 section 13.1.2, by the weak comparison. */
static bool names_etag(struct span list, struct span etag)
{
	struct span element;
	if (span_starts(etag, SPAN("W/")))
		etag = span_from(etag, 2);
	while (span_next_element(&list, &element)) {
		if (span_starts(element, SPAN("W/")))
			element = span_from(element, 2);
		if (span_eq(element, SPAN("*")) || (etag.len > 0 && span_eq(element, etag)))
			return true;
	}
	return false;
}

static bool is_unchanged(const struct http_head *request, const struct whole *whole)
{
	struct span condition = find_field(request, SPAN("if-none-match"));
	if (condition.ptr)
		return names_etag(condition, whole->etag);
	condition = find_field(request, SPAN("if-modified-since"));
	return condition.len > 0 && span_eq(condition, whole->changed);
}

/* RFC 9110 section 13.1.5, by the strong comparison. */
static bool is_same_part(const struct http_head *request, const struct whole *whole)
{
	struct span condition = find_field(request, SPAN("if-range"));
	if (!condition.ptr)
		return true;
	if (condition.len == 0 || span_starts(condition, SPAN("W/")))
		return false;
	return span_eq(condition, whole->etag) || span_eq(condition, whole->changed);
}

/* "bytes=FIRST-LAST", "bytes=FIRST-", "bytes=-COUNT" (RFC 9110 section 14.1.2), one of them. False: it
 * is none, and is passed over. */
static bool read_range(struct span value, uint64_t size, struct part *part)
{
	if (!span_istarts(value, SPAN("bytes=")))
		return false;
	struct span range = span_from(value, 6);
	size_t dash = span_find(range, '-');
	struct span first = span_of(range.ptr, dash), last = span_from(range, dash + 1);
	uint64_t count;
	*part = (struct part){.is_given = true, .last = size - 1};
	if (dash == range.len)
		return false;
	if (first.len == 0) {
		if (!span_to_u64(last, INT64_MAX, &count))
			return false;
		part->first = count < size ? size - count : 0;
		return count > 0 || (part->first = size, true);
	}
	if (!span_to_u64(first, INT64_MAX, &part->first))
		return false;
	if (last.len > 0 && !span_to_u64(last, INT64_MAX, &part->last))
		return false;
	if (last.len > 0 && part->last < part->first)
		return false;
	if (part->last >= size)
		part->last = size - 1;
	return true;
}

unsigned guard_part_of(const struct http_head *request, const struct whole *whole, struct part *out)
{
	struct span range = find_field(request, SPAN("range"));
	struct part part = {0};
	*out = part;
	if (whole->status != 200)
		return whole->status;
	if (is_unchanged(request, whole))
		return 304;
	if (!range.ptr || request->method != HTTP_GET || whole->size == 0 || whole->is_coded ||
	    !is_same_part(request, whole) || !read_range(range, whole->size, &part))
		return 200;
	if (part.first >= whole->size)
		return 416;
	*out = part;
	return 206;
}

/* ---- the head ---- */

void guard_add_length(const struct part *part, unsigned status, uint64_t size, struct strbuf *out)
{
	if (status == 206)
		strbuf_addf(out, "Content-Range: bytes %llu-%llu/%llu\r\n", (unsigned long long)part->first,
			    (unsigned long long)part->last, (unsigned long long)size);
	if (status == 416)
		strbuf_addf(out, "Content-Range: bytes */%llu\r\n", (unsigned long long)size);
	if (status == 206)
		size = part->last - part->first + 1;
	if (status == 416)
		size = 0;
	if (status != 304 && status != 204)
		strbuf_addf(out, "Content-Length: %llu\r\n", (unsigned long long)size);
}

bool guard_parse_own(struct exchange *x, const struct strbuf *text)
{
	enum reason reason = REASON_UNSET;
	struct span evidence;
	static const struct http_limits limits = {HTTP_HEAD_MAX, HTTP_HEAD_MAX, HTTP_FIELDS_MAX, HTTP_HEAD_MAX};
	return !text->truncated &&
	       http_parse_response(text->data, text->len, 0, &limits, (enum http_method)x->request.method,
				   &x->front->head, &reason, &evidence) == HTTP_PARSE_DONE &&
	       http_mark_hop_by_hop(&x->front->head, &reason);
}

/* Of a content that is not sent. */
static bool describes_content(struct span name)
{
	static const struct span names[] = {
	    {"content-type", 12}, {"content-encoding", 16}, {"content-disposition", 19}, {"content-language", 16}};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_ieq(names[i], name))
			return true;
	return false;
}

static void add_fields(const struct http_head *head, bool has_content, struct strbuf *out)
{
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];
		struct span name = http_field_name(head, field);
		if (field->dropped || field->id == HTTP_FIELD_CONTENT_LENGTH ||
		    field->id == HTTP_FIELD_TRANSFER_ENCODING || (!has_content && describes_content(name)))
			continue;
		strbuf_add_span(out, name);
		strbuf_add(out, ": ", 2);
		strbuf_add_span(out, http_field_value(head, field));
		strbuf_add(out, "\r\n", 2);
	}
}

static void write_narrowed(const struct exchange *x, const struct http_head *head, unsigned status, uint64_t size,
			   struct strbuf *out)
{
	strbuf_addf(out, "HTTP/1.1 %u %s\r\n", status, http_status_phrase(status));
	add_fields(head, status == 206, out);
	guard_add_length(&x->page->part, status, size, out);
	strbuf_add(out, "\r\n", 2);
}

size_t guard_narrow_head(struct exchange *x, struct http_head *head, uint64_t size)
{
	const struct whole whole = {
	    .status = head->status,
	    .size = size,
	    .etag = find_field(head, SPAN("etag")),
	    .changed = find_field(head, SPAN("last-modified")),
	    .is_coded = x->page->codings.n > 0,
	};
	unsigned status = guard_part_of(&x->request, &whole, &x->page->part);
	struct strbuf text;
	if (status == head->status)
		return response_head(x, head);
	strbuf_init(&text, HTTP_HEAD_MAX);
	write_narrowed(x, head, status, size, &text);
	size_t len = guard_parse_own(x, &text) ? response_head(x, &x->front->head) : 0;
	strbuf_release(&text);
	x->status = (uint16_t)status;
	return len;
}

struct span guard_narrow(const struct exchange *x, struct span whole)
{
	const struct part *part = &x->page->part;
	if (x->status == 304 || x->status == 416)
		return span_of(whole.ptr, 0);
	return part->is_given ? span_of(whole.ptr + part->first, (size_t)(part->last - part->first + 1)) : whole;
}

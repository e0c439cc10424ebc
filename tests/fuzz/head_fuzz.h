#ifndef FUZZ_HEAD_FUZZ_H
#define FUZZ_HEAD_FUZZ_H

#include <stdint.h>
#include <stdlib.h>
#include "sallyport/http_forward.h"

/* What must hold for every head, whatever the bytes. */

/* Also where assert() is compiled out. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

struct fuzz_result {
	enum http_parse parse;
	enum reason reason;
	struct span evidence;
	struct http_head head;
};

typedef void fuzz_parser(const char *buf, size_t len, size_t seen, struct fuzz_result *result);

static const struct http_limits fuzz_limits = {
    .head_bytes = 3000, .target_bytes = 200, .fields = 12, .field_bytes = 400};
/* For heads that we wrote: they have some fields more. */
static const struct http_limits fuzz_wide_limits = {
    .head_bytes = HTTP_HEAD_MAX, .target_bytes = 4096, .fields = 64, .field_bytes = 8192};

static inline void fuzz_check_span(const struct http_head *head, size_t len, struct span s)
{
	MUST(s.ptr >= head->base && s.len <= len);
	MUST((size_t)(s.ptr - head->base) + s.len <= len);
}

static inline void fuzz_check_head(const struct http_head *head, size_t len)
{
	MUST(head->len <= len && head->len >= 4);
	MUST(memcmp(head->base + head->len - 2, "\r\n", 2) == 0);
	MUST(head->framing != HTTP_FRAMING_UNSET && head->version != HTTP_VERSION_UNSET);
	MUST(head->field_count <= HTTP_FIELDS_MAX);
	for (size_t i = 0; i < head->field_count; i++) {
		struct span name = http_field_name(head, &head->fields[i]);
		struct span value = http_field_value(head, &head->fields[i]);
		fuzz_check_span(head, head->len, name);
		fuzz_check_span(head, head->len, value);
		MUST(http_is_token(name) && !head->fields[i].dropped);
		MUST(http_field_lookup(name) == head->fields[i].id);
		MUST(value.len == span_trim_ows(value).len);
		MUST(span_find(value, '\r') == value.len && span_find(value, '\n') == value.len);
		MUST(span_find(value, '\0') == value.len);
	}
}

static inline bool fuzz_equal(const struct fuzz_result *a, const struct fuzz_result *b)
{
	if (a->parse != b->parse)
		return false;
	if (a->parse == HTTP_PARSE_BAD)
		return a->reason == b->reason;
	if (a->parse == HTTP_PARSE_MORE)
		return true;
	return a->head.len == b->head.len && a->head.framing == b->head.framing &&
	       a->head.content_length == b->head.content_length &&
	       a->head.field_count == b->head.field_count &&
	       memcmp(a->head.fields, b->head.fields,
		      a->head.field_count * sizeof(struct http_field)) == 0;
}

/* The bytes in steps of `step`, each call told what the last one saw, in a copy of
 * just that size, come to what they come to at once. */
static inline void fuzz_check_steps(fuzz_parser *parse, const char *buf, size_t len, size_t step,
				    const struct fuzz_result *whole)
{
	struct fuzz_result part = {.parse = HTTP_PARSE_MORE};
	size_t seen = 0;
	while (part.parse == HTTP_PARSE_MORE && seen < len) {
		size_t upto = len - seen < step ? len : seen + step;
		char *copy = malloc(upto);
		MUST(copy);
		memcpy(copy, buf, upto);
		parse(copy, upto, seen, &part);
		seen = upto;
		free(copy);
	}
	MUST(fuzz_equal(whole, &part));
}

static inline void fuzz_check_parser(fuzz_parser *parse, const char *buf, size_t len,
				     struct fuzz_result *whole)
{
	parse(buf, len, 0, whole);
	if (whole->parse == HTTP_PARSE_DONE)
		fuzz_check_head(&whole->head, len);
	if (whole->parse == HTTP_PARSE_BAD) {
		MUST(whole->reason != REASON_UNSET && whole->reason < REASON_COUNT);
		MUST(whole->evidence.len > 0 && whole->evidence.ptr >= buf);
		MUST(whole->evidence.ptr + whole->evidence.len <= buf + len);
		fuzz_check_span(&whole->head, len, http_target(&whole->head));
	}
	fuzz_check_steps(parse, buf, len, 1, whole);
	fuzz_check_steps(parse, buf, len, 17, whole);
}

#endif

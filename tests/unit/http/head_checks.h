#ifndef TESTS_HEAD_CHECKS_H
#define TESTS_HEAD_CHECKS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "guard_page.h"
#include "sallyport/http_head.h"

/* What tests of both parsers ask of a head, whatever is in it. */

struct head_result {
	enum http_parse parse;
	enum reason reason;
	struct http_head head;
};

/* Parses the first len bytes of buf, of which an earlier call saw `seen`. */
typedef void head_parser(const char *buf, size_t len, size_t seen, struct head_result *result);

static inline bool heads_equal(const struct head_result *a, const struct head_result *b)
{
	if (a->parse != b->parse)
		return false;
	if (a->parse == HTTP_PARSE_BAD)
		return a->reason == b->reason;
	if (a->parse != HTTP_PARSE_DONE)
		return true;
	return a->head.len == b->head.len && a->head.field_count == b->head.field_count &&
	       a->head.framing == b->head.framing &&
	       a->head.content_length == b->head.content_length &&
	       memcmp(a->head.fields, b->head.fields,
		      a->head.field_count * sizeof(struct http_field)) == 0;
}

static inline bool head_agrees(const struct head_result *whole, const struct head_result *part)
{
	return part->parse == HTTP_PARSE_MORE || heads_equal(whole, part);
}

/* Every prefix alone is unfinished or comes to what the whole comes to, and so do the
 * bytes one by one, and cut in two anywhere, each piece right against an unreadable page. */
static inline void check_segments(head_parser *parse, const char *bytes, size_t len,
				  const struct head_result *whole)
{
	struct head_result part;
	char *copy = guarded_copy(bytes, len);
	bool over = false;
	for (size_t n = 0; n <= len && !over; n++) {
		const char *prefix = copy + len - n;
		memmove(copy + len - n, bytes, n);
		parse(prefix, n, 0, &part);
		assert_true(head_agrees(whole, &part));
		enum http_parse fresh = part.parse;
		parse(prefix, n, n > 0 ? n - 1 : 0, &part);
		assert_int_equal(part.parse, fresh);
		assert_true(head_agrees(whole, &part));
		over = part.parse != HTTP_PARSE_MORE;
		parse(bytes, len, n, &part);
		assert_true(over || heads_equal(whole, &part));
	}
	assert_true(over || whole->parse == HTTP_PARSE_MORE);
	guarded_free(copy, len);
}

#endif

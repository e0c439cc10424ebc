/* The chunked transfer coding: the table of vectors, whole, in pieces and against
 * an unreadable page, and what callers rely on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "guard_page.h"
#include "http_vectors.h"
#include "sallyport/http_chunk.h"

struct decoded {
	enum http_parse parse;
	enum reason reason;
	size_t used;
	size_t len;
	char content[HTTP_VECTOR_BYTES];
};

/* Decodes in pieces of at most `piece` bytes, each right against an unreadable page. */
static void decode(const char *bytes, size_t len, size_t piece, struct decoded *out)
{
	struct http_chunked chunked = {0};
	memset(out, 0, offsetof(struct decoded, content));
	out->parse = HTTP_PARSE_MORE;
	while (out->parse == HTTP_PARSE_MORE && out->used < len) {
		size_t n = len - out->used < piece ? len - out->used : piece, got = n, used = 0;
		char *copy = guarded_copy(bytes + out->used, n);
		out->parse = http_chunked_decode(&chunked, copy, &got, &used, &out->reason);
		assert_true(got <= used && used <= n);
		assert_true(out->parse != HTTP_PARSE_MORE || used == n);
		memcpy(out->content + out->len, copy, got);
		out->len += got;
		out->used += used;
		guarded_free(copy, n);
	}
}

static void describe(const struct decoded *d, size_t len, char *out, size_t room)
{
	if (d->parse == HTTP_PARSE_BAD)
		snprintf(out, room, "%s", reason_name(d->reason));
	else if (d->parse == HTTP_PARSE_DONE)
		snprintf(out, room, "done%s%.*s +%zu", d->len ? " " : "", (int)d->len, d->content,
			 len - d->used);
	else
		snprintf(out, room, "more%s%.*s", d->len ? " " : "", (int)d->len, d->content);
}

static void chunked_vectors_mean_what_the_table_says_however_they_are_cut(void **state)
{
	(void)state;
	static struct decoded d;
	static const size_t pieces[] = {HTTP_VECTOR_BYTES, 1, 2, 3, 7, 16};
	struct http_vectors *v = http_vectors_open("tests/vectors/http-chunked.txt");
	unsigned rows = 0, wrong = 0;
	for (; http_vectors_next(v); rows++) {
		char expected[128];
		snprintf(expected, sizeof(expected), "%.*s", 127, v->expected);
		for (char *c; (c = strstr(expected, "\\r\\n")) != NULL;) {
			memcpy(c, "\r\n", 2);
			memmove(c + 2, c + 4, strlen(c + 4) + 1);
		}
		for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
			char meaning[128];
			decode(v->bytes, v->len, pieces[i], &d);
			describe(&d, v->len, meaning, sizeof(meaning));
			if (strcmp(meaning, expected) == 0)
				continue;
			print_message("line %u: %s, not %s\n", v->line, meaning, expected);
			wrong++;
		}
	}
	http_vectors_close(v);
	assert_int_equal(wrong, 0);
	assert_true(rows >= 60);
}

static void chunked_end_is_the_end(void **state)
{
	(void)state;
	struct http_chunked chunked = {0};
	enum reason reason = REASON_UNSET;
	char buf[] = "0\r\n\r\n5\r\nhello\r\n";
	size_t len = sizeof(buf) - 1, used;
	assert_int_equal(http_chunked_decode(&chunked, buf, &len, &used, &reason), HTTP_PARSE_DONE);
	assert_int_equal(used, 5);
	len = sizeof(buf) - 1 - used;
	assert_int_equal(http_chunked_decode(&chunked, buf + 5, &len, &used, &reason),
			 HTTP_PARSE_DONE);
	assert_int_equal(used, 0);
	assert_int_equal(len, 0);
	assert_memory_equal(buf + 5, "5\r\nhello", 8);
}

static void chunked_stays_bad_for_the_same_reason(void **state)
{
	(void)state;
	struct http_chunked chunked = {0};
	enum reason reason = REASON_UNSET;
	char buf[] = "5;x", good[] = "0\r\n\r\n";
	size_t len = 3, used;
	assert_int_equal(http_chunked_decode(&chunked, buf, &len, &used, &reason), HTTP_PARSE_BAD);
	reason = REASON_UNSET;
	len = 5;
	assert_int_equal(http_chunked_decode(&chunked, good, &len, &used, &reason), HTTP_PARSE_BAD);
	assert_int_equal(reason, REASON_CHUNK_EXTENSION);
	assert_int_equal(used, 0);
	assert_int_equal(http_chunked_run(&chunked), 0);
}

static void chunked_run_is_zero_outside_of_content(void **state)
{
	(void)state;
	static const char text[] = "1f\r\n0123456789012345678901234567890\r\n0\r\nX: y\r\n\r\n";
	struct http_chunked chunked = {0};
	enum reason reason = REASON_UNSET;
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		char c = text[i];
		size_t len = 1, used;
		http_chunked_decode(&chunked, &c, &len, &used, &reason);
		assert_int_equal(http_chunked_run(&chunked), i >= 3 && i < 34 ? 34 - i : 0);
	}
}

static void chunked_goes_on_after_content_was_passed_unseen(void **state)
{
	(void)state;
	struct http_chunked chunked = {0};
	enum reason reason = REASON_UNSET;
	char head[] = "fffffffff\r\nab", tail[] = "yz\r\n0\r\n\r\n";
	size_t len = sizeof(head) - 1, used;
	assert_int_equal(http_chunked_decode(&chunked, head, &len, &used, &reason),
			 HTTP_PARSE_MORE);
	assert_int_equal(len, 2);
	assert_int_equal(http_chunked_run(&chunked), 0xfffffffffULL - 2);
	http_chunked_skip(&chunked, 0xfffffffffULL - 4);
	len = sizeof(tail) - 1;
	assert_int_equal(http_chunked_decode(&chunked, tail, &len, &used, &reason),
			 HTTP_PARSE_DONE);
	assert_int_equal(len, 2);
	assert_memory_equal(tail, "yz", 2);
	/* all of a chunk's content, so that what comes next is its end */
	struct http_chunked whole = {.left = 0};
	char line[] = "5\r\n", end[] = "\r\n0\r\n\r\n";
	len = 3;
	assert_int_equal(http_chunked_decode(&whole, line, &len, &used, &reason), HTTP_PARSE_MORE);
	http_chunked_skip(&whole, 5);
	len = 7;
	assert_int_equal(http_chunked_decode(&whole, end, &len, &used, &reason), HTTP_PARSE_DONE);
}

/* Trailer bytes add up over the whole of the message, to 8 KiB and no more. */
static void chunked_trailer_fields_end_at_the_limit(void **state)
{
	(void)state;
	static char text[HTTP_TRAILER_BYTES_MAX + 10];
	static struct decoded d;
	memset(text, 'a', sizeof(text));
	memcpy(text, "0\r\nX:", 5);
	memcpy(text + 3 + HTTP_TRAILER_BYTES_MAX - 4, "\r\n\r\n", 4);
	decode(text, 3 + HTTP_TRAILER_BYTES_MAX, 1000, &d);
	assert_int_equal(d.parse, HTTP_PARSE_DONE);
	memset(text + 5, 'a', sizeof(text) - 5);
	memcpy(text + 3 + HTTP_TRAILER_BYTES_MAX - 3, "\r\n\r\n", 4);
	decode(text, 3 + HTTP_TRAILER_BYTES_MAX + 1, 1000, &d);
	assert_int_equal(d.parse, HTTP_PARSE_BAD);
	assert_int_equal(d.reason, REASON_TRAILER_INVALID);
}

static void chunk_head_is_plain_hexadecimal(void **state)
{
	(void)state;
	static const struct {
		uint64_t size;
		const char *text;
	} rows[] = {{0, "0\r\n"},
		    {1, "1\r\n"},
		    {15, "f\r\n"},
		    {16, "10\r\n"},
		    {0x1f40, "1f40\r\n"},
		    {0x10000, "10000\r\n"},
		    {UINT64_MAX, "ffffffffffffffff\r\n"},
		    {UINT64_MAX / 2 + 1, "8000000000000000\r\n"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[HTTP_CHUNK_HEAD_SIZE];
		size_t len = http_chunk_head(rows[i].size, out);
		assert_int_equal(len, strlen(rows[i].text));
		assert_memory_equal(out, rows[i].text, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(chunked_vectors_mean_what_the_table_says_however_they_are_cut),
	    cmocka_unit_test(chunked_end_is_the_end),
	    cmocka_unit_test(chunked_stays_bad_for_the_same_reason),
	    cmocka_unit_test(chunked_run_is_zero_outside_of_content),
	    cmocka_unit_test(chunked_goes_on_after_content_was_passed_unseen),
	    cmocka_unit_test(chunked_trailer_fields_end_at_the_limit),
	    cmocka_unit_test(chunk_head_is_plain_hexadecimal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

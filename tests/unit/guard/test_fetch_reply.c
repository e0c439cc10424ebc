/* A response as the scout reads it: what a worker would refuse is broken here, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <zlib.h>
#include "guard/fetch_reply.h"
#include "guard_page.h"

enum { MAX = 100 };

/* Whether `at` is behind an empty line, as libcurl tells heads and content apart. */
static bool feed(struct fetch_reply *reply, const char *text, size_t len, size_t piece)
{
	size_t at = 0;
	while (at < len && !reply->has_head) {
		size_t line = span_find(span_of(text + at, len - at), '\n') + 1;
		line = line > len - at ? len - at : line;
		char *copy = guarded_copy(text + at, line);
		bool fine = fetch_reply_line(reply, span_of(copy, line));
		guarded_free(copy, line);
		if (!fine)
			return false;
		at += line;
	}
	for (; at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;
		if (!fetch_reply_content(reply, span_of(text + at, n)))
			return false;
	}
	return fetch_reply_end(reply);
}

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

static const struct row {
	const char *text;
	enum sample_outcome outcome;
	const char *expected; /* content, or part of the error */
} rows[] = {
    {OK "Content-Length: 5\r\n\r\nhello", SAMPLE_WHOLE, "hello"},
    {OK "Content-Length: 0\r\n\r\n", SAMPLE_WHOLE, ""},
    {OK "\r\nhello", SAMPLE_WHOLE, "hello"},
    {"HTTP/1.0 404 Not Found\r\n\r\ngone", SAMPLE_WHOLE, "gone"},
    {"HTTP/1.1 204 No Content\r\n\r\n", SAMPLE_WHOLE, ""},
    {"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", SAMPLE_WHOLE, ""},
    {CHUNKED "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", SAMPLE_WHOLE, "hello world"},
    {CHUNKED "5\r\nhello\r\n0\r\nX: y\r\n\r\n", SAMPLE_WHOLE, "hello"},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK "\r\nx", SAMPLE_WHOLE, "x"},
    {OK "Content-Encoding: identity\r\n\r\nx", SAMPLE_WHOLE, "x"},
    {OK "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", SAMPLE_WHOLE, ""},
    {"", SAMPLE_BROKEN, "no response came"},
    {"HTTP/1.1 200 OK\r\n", SAMPLE_BROKEN, "no response came"},
    {"HTTP/1.1 100 Continue\r\n\r\n", SAMPLE_BROKEN, "no response came"},
    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", SAMPLE_BROKEN, "switches protocols"},
    {"HTTP/1.1 2000 OK\r\n\r\n", SAMPLE_BROKEN, "head: origin-status-line"},
    {OK "X: y\n\r\n", SAMPLE_BROKEN, "head: origin-head"},
    {"HTTP/1.1 200 OK\n\n", SAMPLE_BROKEN, "head: "},
    {OK "X: y\r\n folded\r\n\r\n", SAMPLE_BROKEN, "head: origin-head"},
    {OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", SAMPLE_BROKEN, "head: origin-framing"},
    {OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", SAMPLE_BROKEN, "head: origin-framing"},
    {OK "Transfer-Encoding: gzip, chunked\r\n\r\n", SAMPLE_BROKEN, "head: origin-framing"},
    {OK "Content-Length: 6\r\n\r\nhello", SAMPLE_BROKEN, "cut short"},
    {CHUNKED "5\r\nhello\r\n", SAMPLE_BROKEN, "last chunk"},
    {CHUNKED "5;x=y\r\nhello\r\n0\r\n\r\n", SAMPLE_BROKEN, "chunk-extension"},
    {CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", SAMPLE_BROKEN, "chunk-size"},
    {OK "Content-Encoding: gzip\r\n\r\nhello", SAMPLE_BROKEN, "malformed"},
    {OK "Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08", SAMPLE_BROKEN, "cut short"},
    {OK "Content-Encoding: compress\r\n\r\nhello", SAMPLE_BROKEN, "not known"},
    {OK "Content-Encoding: gzip\r\nContent-Encoding: br, gzip\r\n\r\nhello", SAMPLE_BROKEN, "too many codings"},
    {OK "\r\n"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
     SAMPLE_WHOLE,
     "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"},
    {OK "\r\n"
	"01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890",
     SAMPLE_TOO_LARGE, "more than 100 bytes"},
};

static void responses_are_what_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t piece = 1; piece < 300; piece *= 17) {
			struct fetch_reply reply;
			uint64_t used = 0;
			fetch_reply_begin(&reply, MAX, &used);
			bool whole = feed(&reply, rows[i].text, strlen(rows[i].text), piece);
			struct span content = span_of((char *)reply.content, reply.len);
			bool right = reply.outcome == rows[i].outcome &&
				     whole == (reply.outcome == SAMPLE_WHOLE) &&
				     (whole ? span_eq(content, span_from_str(rows[i].expected))
					    : strstr(reply.error, rows[i].expected) != NULL);
			if (!right)
				fail_msg("%s\ngives %d, '%s', '%.*s'", rows[i].text, (int)reply.outcome,
					 reply.error, (int)content.len, content.ptr);
			assert_true(reply.room <= MAX && used == reply.room);
			fetch_reply_release(&reply);
			assert_int_equal(used, 0);
		}
	}
}

static void fields_of_the_page_are_kept(void **state)
{
	(void)state;
	static const char text[] = OK "content-type: text/html\r\nLINK: <a>\r\nX-Other: z\r\nLink: <b>\r\n"
				      "Refresh: \r\nContent-Length: 0\r\n\r\n";
	struct fetch_reply reply;
	uint64_t used = 0;
	fetch_reply_begin(&reply, MAX, &used);
	assert_true(feed(&reply, text, sizeof(text) - 1, 1));
	const struct page_head *page = &reply.page.head;
	assert_int_equal(page->status, 200);
	assert_true(span_eq(page->fields[PAGE_FIELD_CONTENT_TYPE], SPAN("text/html")));
	assert_true(span_eq(page->fields[PAGE_FIELD_LINK], SPAN("<a>, <b>")));
	assert_true(page->fields[PAGE_FIELD_REFRESH].ptr && page->fields[PAGE_FIELD_REFRESH].len == 0);
	assert_null(page->fields[PAGE_FIELD_LOCATION].ptr);
	fetch_reply_release(&reply);
}

static void add(struct strbuf *text, const char *name, size_t len)
{
	strbuf_add_str(text, name);
	for (size_t i = 0; i < len; i++)
		strbuf_add_char(text, 'x');
	strbuf_add_str(text, "\r\n");
}

static enum sample_outcome outcome_of(struct strbuf *text)
{
	struct fetch_reply reply;
	uint64_t used = 0;
	fetch_reply_begin(&reply, MAX, &used);
	feed(&reply, text->data, text->len, 1000);
	enum sample_outcome outcome = reply.outcome;
	fetch_reply_release(&reply);
	return outcome;
}

static void heads_are_bounded(void **state)
{
	(void)state;
	struct strbuf text;
	strbuf_init(&text, 1 << 20);
	for (size_t len = PAGE_FIELD_MAX; len <= PAGE_FIELD_MAX + 1; len++) {
		strbuf_reset(&text);
		strbuf_add_str(&text, OK);
		add(&text, "Location: ", len);
		strbuf_add_str(&text, "\r\n");
		assert_int_equal(outcome_of(&text), len > PAGE_FIELD_MAX ? SAMPLE_BROKEN : SAMPLE_WHOLE);
	}
	for (unsigned n = 5; n < 20; n++) {
		strbuf_reset(&text);
		strbuf_add_str(&text, OK);
		for (unsigned i = 0; i < n; i++)
			add(&text, "X: ", 3000);
		strbuf_add_str(&text, "\r\n");
		assert_int_equal(outcome_of(&text), text.len > FETCH_HEAD_MAX ? SAMPLE_BROKEN : SAMPLE_WHOLE);
	}
	strbuf_reset(&text);
	for (unsigned i = 0; i < 2000; i++)
		strbuf_add_str(&text, "HTTP/1.1 103 Early Hints\r\n\r\n");
	strbuf_add_str(&text, OK "\r\n");
	assert_int_equal(outcome_of(&text), SAMPLE_BROKEN);
	strbuf_reset(&text);
	add(&text, "HTTP/1.1 200 ", FETCH_HEAD_MAX);
	assert_int_equal(outcome_of(&text), SAMPLE_BROKEN);
	strbuf_release(&text);
}

static void coded_content_is_decoded_and_bounded_on_both_sides(void **state)
{
	(void)state;
	static char page[100000];
	struct strbuf text;
	uint8_t coded[2000];
	strbuf_init(&text, 1 << 20);
	for (unsigned bomb = 0; bomb < 2; bomb++) {
		z_stream z = {.next_in = (uint8_t *)page, .avail_in = bomb ? sizeof(page) : MAX,
			      .next_out = coded, .avail_out = sizeof(coded)};
		assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
		assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
		strbuf_reset(&text);
		strbuf_add_str(&text, OK "Content-Encoding: gzip\r\n\r\n");
		strbuf_add(&text, coded, z.total_out);
		assert_int_equal(outcome_of(&text), bomb ? SAMPLE_TOO_LARGE : SAMPLE_WHOLE);
		deflateEnd(&z);
	}
	/* empty blocks for ever: nothing comes out, but no end of bytes comes in */
	strbuf_reset(&text);
	strbuf_add_str(&text, OK "Content-Encoding: deflate\r\n\r\n");
	for (unsigned i = 0; i < 20000; i++)
		strbuf_add(&text, "\0\0\0\xff\xff", 5);
	assert_int_equal(outcome_of(&text), SAMPLE_TOO_LARGE);
	strbuf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(responses_are_what_the_table_says),
	    cmocka_unit_test(fields_of_the_page_are_kept),
	    cmocka_unit_test(heads_are_bounded),
	    cmocka_unit_test(coded_content_is_decoded_and_bounded_on_both_sides),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

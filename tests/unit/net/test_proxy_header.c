/* PROXY headers: the table of vectors, whole, byte by byte and against an unreadable page;
 * and what is written is what is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "guard_page.h"
#include "http/http_vectors.h"
#include "sallyport/proxy_header.h"

enum { MEANING_SIZE = 160 };

static void describe(enum proxy_parse parse, const struct proxy_header *header, enum reason reason,
		     size_t len, char out[MEANING_SIZE])
{
	char source[ADDR_TEXT_SIZE], destination[ADDR_TEXT_SIZE];
	if (parse == PROXY_PARSE_BAD) {
		snprintf(out, MEANING_SIZE, "%s", reason_name(reason));
	} else if (parse == PROXY_PARSE_MORE) {
		snprintf(out, MEANING_SIZE, "more");
	} else if (!header->has_source) {
		snprintf(out, MEANING_SIZE, "none +%zu", len - header->len);
	} else {
		addr_format(&header->source, source);
		addr_format(&header->destination, destination);
		snprintf(out, MEANING_SIZE, "%s %s +%zu", source, destination, len - header->len);
	}
}

/* As if `seen` bytes of all had come, right against an unreadable page. */
static enum proxy_parse parse_some(const char *bytes, size_t seen, size_t len, char out[MEANING_SIZE])
{
	struct proxy_header header;
	enum reason reason = REASON_UNSET;
	char *copy = guarded_copy(bytes, seen);
	enum proxy_parse parse = proxy_header_parse(span_of(copy, seen), &header, &reason);
	describe(parse, &header, reason, len, out);
	guarded_free(copy, seen);
	return parse;
}

/* The first answer that is not MORE, fed byte by byte. */
static void parse_bytewise(const char *bytes, size_t len, char out[MEANING_SIZE])
{
	enum proxy_parse parse = PROXY_PARSE_MORE;
	for (size_t seen = 1; seen <= len && parse == PROXY_PARSE_MORE; seen++)
		parse = parse_some(bytes, seen, len, out);
}

static void proxy_headers_mean_what_the_table_says_however_they_are_cut(void **state)
{
	(void)state;
	struct http_vectors *v = http_vectors_open("tests/vectors/proxy-header.txt");
	unsigned rows = 0, wrong = 0;
	for (; http_vectors_next(v); rows++) {
		char whole[MEANING_SIZE], bytewise[MEANING_SIZE];
		parse_some(v->bytes, v->len, v->len, whole);
		parse_bytewise(v->bytes, v->len, bytewise);
		if (strcmp(whole, v->expected) == 0 && strcmp(bytewise, v->expected) == 0)
			continue;
		print_message("line %u: whole %s, byte by byte %s, not %s\n", v->line, whole, bytewise,
			      v->expected);
		wrong++;
	}
	http_vectors_close(v);
	assert_int_equal(wrong, 0);
	assert_true(rows >= 120);
}

static void no_bytes_are_no_answer_yet(void **state)
{
	(void)state;
	char meaning[MEANING_SIZE];
	assert_int_equal(parse_some("", 0, 0, meaning), PROXY_PARSE_MORE);
}

static struct addr address(const char *text)
{
	struct addr addr;
	struct err err;
	assert_true(addr_parse(span_from_str(text), &addr, &err));
	return addr;
}

static void what_is_written_reads_back_as_it_was_meant(void **state)
{
	(void)state;
	static const char *const texts[] = {"192.0.2.7:56324", "[2001:db8::7]:0", "255.255.255.255:65535",
					    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "0.0.0.0:1"};
	enum { N = sizeof(texts) / sizeof(texts[0]) };
	for (size_t i = 0; i < N * N * 2; i++) {
		enum proxy_version version = i % 2 ? PROXY_VERSION_2 : PROXY_VERSION_1;
		struct addr source = address(texts[i / 2 % N]), destination = address(texts[i / 2 / N]);
		struct proxy_header header;
		enum reason reason;
		char out[PROXY_WRITE_MAX];
		size_t len = proxy_header_write(version, &source, &destination, out);
		assert_int_equal(proxy_header_parse(span_of(out, len), &header, &reason), PROXY_PARSE_DONE);
		assert_int_equal(header.len, len);
		assert_true(header.has_source);
		assert_true(addr_eq(&header.source, &source));
		assert_true(addr_eq(&header.destination, &destination));
	}
}

static void headers_are_written_as_the_specification_shows_them(void **state)
{
	(void)state;
	struct addr source = address("192.0.2.7:56324"), destination = address("198.51.100.1:443");
	struct addr other = address("[2001:db8::1]:443");
	char out[PROXY_WRITE_MAX];
	size_t len = proxy_header_write(PROXY_VERSION_1, &source, &destination, out);
	assert_string_equal(out, "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n");
	assert_int_equal(len, strlen(out));
	proxy_header_write(PROXY_VERSION_1, &source, &other, out);
	assert_string_equal(out, "PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 56324 443\r\n");
	len = proxy_header_write(PROXY_VERSION_2, &source, &destination, out);
	assert_int_equal(len, 28);
	assert_memory_equal(out, "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb", 28);
}

static void our_own_connections_are_nobodys(void **state)
{
	(void)state;
	struct addr source = address("192.0.2.7:56324"), none = {0};
	char out[PROXY_WRITE_MAX];
	assert_int_equal(proxy_header_write(PROXY_VERSION_1, NULL, NULL, out), 15);
	assert_string_equal(out, "PROXY UNKNOWN\r\n");
	assert_int_equal(proxy_header_write(PROXY_VERSION_2, NULL, &source, out), 16);
	assert_memory_equal(out, "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16);
	assert_int_equal(proxy_header_write(PROXY_VERSION_2, &source, &none, out), 16);
	assert_int_equal(proxy_header_write(PROXY_VERSION_NONE, &source, &source, out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(proxy_headers_mean_what_the_table_says_however_they_are_cut),
	    cmocka_unit_test(no_bytes_are_no_answer_yet),
	    cmocka_unit_test(what_is_written_reads_back_as_it_was_meant),
	    cmocka_unit_test(headers_are_written_as_the_specification_shows_them),
	    cmocka_unit_test(our_own_connections_are_nobodys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

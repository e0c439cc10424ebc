/* Request heads: the table of vectors, whole, in pieces and against an unreadable
 * page, and what the table can't say. */
#include <stdio.h>
#include "head_checks.h"
#include "http_vectors.h"

static const struct http_limits limits = {
    .head_bytes = 2048, .target_bytes = 256, .fields = 16, .field_bytes = 512};

static void parse(const char *buf, size_t len, size_t seen, struct head_result *result)
{
	struct span evidence = {0};
	memset(result, 0, sizeof(*result));
	result->parse =
	    http_parse_request(buf, len, seen, &limits, &result->head, &result->reason, &evidence);
	if (result->parse == HTTP_PARSE_BAD) {
		assert_true(result->reason != REASON_UNSET);
		assert_true(evidence.ptr >= buf && evidence.len <= len);
		assert_true(evidence.ptr + evidence.len <= buf + len);
	}
}

static const char *method_name(enum http_method method)
{
	static const char *const names[] = {"unset", "GET",     "HEAD",    "POST",
					    "PUT",   "DELETE",  "OPTIONS", "PATCH",
					    "TRACE", "CONNECT", "other"};
	return names[method];
}

/* What a head means, in the words of the table. */
static void describe(const struct head_result *result, char *out, size_t room)
{
	const struct http_head *head = &result->head;
	char framing[40] = "none";
	if (result->parse != HTTP_PARSE_DONE) {
		bool is_bad = result->parse == HTTP_PARSE_BAD;
		snprintf(out, room, "%s", is_bad ? reason_name(result->reason) : "more");
		return;
	}
	if (head->framing == HTTP_FRAMING_LENGTH)
		snprintf(framing, sizeof(framing), "length=%llu",
			 (unsigned long long)head->content_length);
	else if (head->framing == HTTP_FRAMING_CHUNKED)
		snprintf(framing, sizeof(framing), "chunked");
	snprintf(out, room, "%s %s %s%s%s%s%s", method_name(head->method),
		 head->version == HTTP_1_1 ? "1.1" : "1.0", framing, head->close ? " close" : "",
		 head->keep_alive ? " keep-alive" : "", head->upgrade ? " upgrade" : "",
		 head->expect_continue ? " expect" : "");
}

static void request_vectors_mean_what_the_table_says(void **state)
{
	(void)state;
	struct http_vectors *v = http_vectors_open("tests/vectors/http-request.txt");
	unsigned rows = 0, wrong = 0;
	for (; http_vectors_next(v); rows++) {
		struct head_result result;
		char meaning[128];
		parse(v->bytes, v->len, 0, &result);
		describe(&result, meaning, sizeof(meaning));
		if (strcmp(meaning, v->expected) == 0)
			continue;
		print_message("line %u: %s, not %s\n", v->line, meaning, v->expected);
		wrong++;
	}
	http_vectors_close(v);
	assert_int_equal(wrong, 0);
	assert_true(rows >= 200);
}

static void request_means_the_same_however_it_is_cut(void **state)
{
	(void)state;
	struct http_vectors *v = http_vectors_open("tests/vectors/http-request.txt");
	while (http_vectors_next(v)) {
		struct head_result whole;
		parse(v->bytes, v->len, 0, &whole);
		check_segments(parse, v->bytes, v->len, &whole);
	}
	http_vectors_close(v);
}

static void parse_text(const char *text, struct head_result *result)
{
	parse(text, strlen(text), 0, result);
}

static void assert_span(struct span s, const char *text)
{
	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(s.ptr, text, s.len);
}

static void request_fields_are_indexed_in_place(void **state)
{
	(void)state;
	static const char text[] =
	    "\r\nPURGE /x?y HTTP/1.1\r\nA:\r\nhost: \t h:80 \t\r\nCookie:c=d\r\n\r\nX";
	struct head_result result;
	parse_text(text, &result);
	const struct http_head *head = &result.head;
	assert_int_equal(result.parse, HTTP_PARSE_DONE);
	assert_int_equal(head->len, strlen(text) - 1);
	assert_int_equal(head->method, HTTP_METHOD_OTHER);
	assert_span(http_method(head), "PURGE");
	assert_span(http_target(head), "/x?y");
	assert_int_equal(head->field_count, 3);
	assert_int_equal(head->host_index, 2);
	assert_span(http_field_name(head, &head->fields[0]), "A");
	assert_span(http_field_value(head, &head->fields[0]), "");
	assert_span(http_find(head, HTTP_FIELD_HOST), "h:80");
	assert_span(http_find(head, HTTP_FIELD_COOKIE), "c=d");
	assert_null(http_find(head, HTTP_FIELD_VIA).ptr);
	assert_false(head->fields[1].dropped);
}

static void refused_request_shows_the_target_as_far_as_it_was_read(void **state)
{
	(void)state;
	struct head_result result;
	parse_text("GET /default.ida?NNNN HTTP/1.1\r\nHost: a\r\nX : y\r\n", &result);
	assert_int_equal(result.reason, REASON_FIELD_SPACE);
	assert_span(http_target(&result.head), "/default.ida?NNNN");
	assert_span(http_method(&result.head), "GET");
	parse_text("GET /half\x01", &result);
	assert_int_equal(result.reason, REASON_TARGET_BYTE);
	assert_span(http_target(&result.head), "/half");
	parse_text("\x16\x03\x01", &result);
	assert_int_equal(http_target(&result.head).len, 0);
}

static void refused_target_is_shown_up_to_the_limit(void **state)
{
	(void)state;
	char text[600] = "GET /";
	struct head_result result;
	memset(text + 5, 'a', 500);
	parse_text(text, &result);
	assert_int_equal(result.reason, REASON_URL_TOO_LONG);
	assert_int_equal(http_target(&result.head).len, limits.target_bytes);
}

/* Refused at the byte that decides: the same bytes without their last one are not. */
static void request_is_refused_at_the_first_byte_that_decides(void **state)
{
	(void)state;
	static const char *const earliest[] = {
	    "GET /\r\n",
	    "GET /\n",
	    "G\x01",
	    "GET / HTTP/2",
	    "GET / HTTP/1.1\n",
	    "GET / HTTP/1.1\r\nX ",
	    "GET / HTTP/1.1\r\nHost: a\r\n ",
	    "GET / HTTP/1.1\r\nX: \x01",
	    "GET / HTTP/1.1\r\nContent-Length: 5, 5\r\n",
	    "GET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
	    "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n",
	    "GET / HTTP/1.1\r\nContent_Length: 5\r\n",
	    "GET / HTTP/1.1\r\nExpect: x\r\n",
	};
	for (size_t i = 0; i < sizeof(earliest) / sizeof(earliest[0]); i++) {
		struct head_result result;
		size_t len = strlen(earliest[i]);
		parse(earliest[i], len, len - 1, &result);
		assert_int_equal(result.parse, HTTP_PARSE_BAD);
		parse(earliest[i], len - 1, 0, &result);
		assert_int_equal(result.parse, HTTP_PARSE_MORE);
	}
}

static void request_bytes_are_judged_one_by_one_as_the_rfc_says(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		struct head_result result;
		char name[] = "GET / HTTP/1.1\r\nHost: a\r\nX?Y: z\r\n\r\n";
		char value[] = "GET / HTTP/1.1\r\nHost: a\r\nX: y?z\r\n\r\n";
		char target[] = "GET /? HTTP/1.1\r\nHost: a\r\n\r\n";
		*strchr(name, '?') = (char)c;
		*strchr(value, '?') = (char)c;
		*strchr(target, '?') = (char)c;
		bool is_alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
		bool is_tchar = is_alnum || (c && strchr("!#$%&'*+-.^_`|~", (int)c));
		bool is_text = (c >= 0x21 && c <= 0x7e) || c >= 0x80;
		parse(name, sizeof(name) - 1, 0, &result);
		assert_int_equal(result.parse == HTTP_PARSE_DONE, is_tchar || c == ':');
		parse(value, sizeof(value) - 1, 0, &result);
		assert_int_equal(result.parse == HTTP_PARSE_DONE, is_text || c == ' ' || c == '\t');
		parse(target, sizeof(target) - 1, 0, &result);
		assert_int_equal(result.parse == HTTP_PARSE_DONE, is_text);
	}
}

/* Each byte of a value stands once at every place of an eight-byte word. */
static void request_finds_a_control_byte_at_every_offset(void **state)
{
	(void)state;
	static const unsigned char bad[] = {0x00, 0x01, 0x0b, 0x1f, 0x7f};
	for (size_t at = 0; at < 40; at++) {
		for (size_t b = 0; b < sizeof(bad); b++) {
			char text[100] = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
			struct head_result result;
			size_t start = strlen(text);
			memset(text + start, '\xff', 40);
			memcpy(text + start + 40, "\r\n\r\n", 4);
			text[start + at] = (char)bad[b];
			parse(text, start + 44, 0, &result);
			assert_int_equal(result.parse, HTTP_PARSE_BAD);
			assert_int_equal(result.reason,
					 bad[b] ? REASON_CONTROL_BYTE : REASON_NUL_BYTE);
		}
	}
}

static void request_limits_never_exceed_what_a_head_can_hold(void **state)
{
	(void)state;
	const struct http_limits vast = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
	static char text[70000] = "GET / HTTP/1.1\r\nHost: a\r\n";
	struct http_head head;
	enum reason reason = REASON_UNSET;
	struct span evidence;
	size_t len = strlen(text);
	for (unsigned i = 0; i < HTTP_FIELDS_MAX; i++, len += 6)
		memcpy(text + len, "A: b\r\n", 6);
	assert_int_equal(http_parse_request(text, len, 0, &vast, &head, &reason, &evidence),
			 HTTP_PARSE_BAD);
	assert_int_equal(reason, REASON_TOO_MANY_FIELDS);
	memset(text + 5, 'a', sizeof(text) - 5);
	assert_int_equal(
	    http_parse_request(text, sizeof(text), 0, &vast, &head, &reason, &evidence),
	    HTTP_PARSE_BAD);
	assert_int_equal(reason, REASON_HEAD_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(request_vectors_mean_what_the_table_says),
	    cmocka_unit_test(request_means_the_same_however_it_is_cut),
	    cmocka_unit_test(request_fields_are_indexed_in_place),
	    cmocka_unit_test(refused_request_shows_the_target_as_far_as_it_was_read),
	    cmocka_unit_test(refused_target_is_shown_up_to_the_limit),
	    cmocka_unit_test(request_is_refused_at_the_first_byte_that_decides),
	    cmocka_unit_test(request_bytes_are_judged_one_by_one_as_the_rfc_says),
	    cmocka_unit_test(request_finds_a_control_byte_at_every_offset),
	    cmocka_unit_test(request_limits_never_exceed_what_a_head_can_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Response heads of a hostile origin: the table of vectors, whole, in pieces and
 * against an unreadable page, and what depends on the request. */
#include <stdio.h>
#include "head_checks.h"
#include "http_vectors.h"

static const struct http_limits limits = {
    .head_bytes = 2048, .target_bytes = 256, .fields = 16, .field_bytes = 512};

static void parse_for(enum http_method method, const char *buf, size_t len, size_t seen,
		      struct head_result *result)
{
	struct span evidence = {0};
	memset(result, 0, sizeof(*result));
	result->parse = http_parse_response(buf, len, seen, &limits, method, &result->head,
					    &result->reason, &evidence);
	if (result->parse == HTTP_PARSE_BAD) {
		assert_true(result->reason != REASON_UNSET);
		assert_true(evidence.ptr >= buf && evidence.ptr + evidence.len <= buf + len);
	}
}

static void parse(const char *buf, size_t len, size_t seen, struct head_result *result)
{
	parse_for(HTTP_GET, buf, len, seen, result);
}

/* What a head means, in the words of the table. */
static void describe(const struct head_result *result, char *out, size_t room)
{
	const struct http_head *head = &result->head;
	char framing[40] = "";
	if (result->parse != HTTP_PARSE_DONE) {
		bool is_bad = result->parse == HTTP_PARSE_BAD;
		snprintf(out, room, "%s", is_bad ? reason_name(result->reason) : "more");
		return;
	}
	unsigned long long length = head->content_length;
	if (head->framing == HTTP_FRAMING_LENGTH)
		snprintf(framing, sizeof(framing), " length=%llu", length);
	else if (head->framing == HTTP_FRAMING_CHUNKED)
		snprintf(framing, sizeof(framing), " chunked");
	else if (head->framing == HTTP_FRAMING_NONE && length > 0)
		snprintf(framing, sizeof(framing), " none said=%llu", length);
	else if (head->framing == HTTP_FRAMING_NONE)
		snprintf(framing, sizeof(framing), " none");
	snprintf(out, room, "%u %s%s%s%s%s", head->status,
		 head->version == HTTP_1_1 ? "1.1" : "1.0", framing, head->close ? " close" : "",
		 head->keep_alive ? " keep-alive" : "", head->upgrade ? " upgrade" : "");
}

static void response_vectors_mean_what_the_table_says(void **state)
{
	(void)state;
	struct http_vectors *v = http_vectors_open("tests/vectors/http-response.txt");
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
	assert_true(rows >= 80);
}

static void response_means_the_same_however_it_is_cut(void **state)
{
	(void)state;
	struct http_vectors *v = http_vectors_open("tests/vectors/http-response.txt");
	while (http_vectors_next(v)) {
		struct head_result whole;
		parse(v->bytes, v->len, 0, &whole);
		check_segments(parse, v->bytes, v->len, &whole);
	}
	http_vectors_close(v);
}

static void response_to_head_has_no_content_whatever_it_says(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	    "HTTP/1.1 200 OK\r\n\r\n",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct head_result result;
		parse_for(HTTP_HEAD, texts[i], strlen(texts[i]), 0, &result);
		assert_int_equal(result.parse, HTTP_PARSE_DONE);
		assert_int_equal(result.head.framing, HTTP_FRAMING_NONE);
		assert_int_equal(result.head.content_length, i == 0 ? 77 : 0);
		assert_false(result.head.close);
	}
}

static void response_phrase_is_kept_as_it_was(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
	    {"HTTP/1.1 200 OK\r\n\r\n", "OK"},
	    {"HTTP/1.1 200\r\n\r\n", ""},
	    {"HTTP/1.1 200 \r\n\r\n", ""},
	    {"HTTP/1.1 404 Not Found here\r\n\r\n", "Not Found here"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct head_result r;
		parse(rows[i][0], strlen(rows[i][0]), 0, &r);
		assert_int_equal(r.parse, HTTP_PARSE_DONE);
		assert_int_equal(r.head.phrase_len, strlen(rows[i][1]));
		assert_memory_equal(r.head.base + r.head.phrase_off, rows[i][1],
				    strlen(rows[i][1]));
	}
}

static void response_bytes_are_judged_one_by_one_as_the_rfc_says(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		struct head_result result;
		char phrase[] = "HTTP/1.1 200 a?b\r\n\r\n";
		char value[] = "HTTP/1.1 200 OK\r\nX: y?z\r\n\r\n";
		*strchr(phrase, '?') = (char)c;
		*strchr(value, '?') = (char)c;
		bool is_text = c == '\t' || (c >= ' ' && c <= 0x7e) || c >= 0x80;
		parse(phrase, sizeof(phrase) - 1, 0, &result);
		assert_int_equal(result.parse == HTTP_PARSE_DONE, is_text);
		assert_int_equal(result.reason, is_text ? REASON_UNSET : REASON_ORIGIN_STATUS_LINE);
		parse(value, sizeof(value) - 1, 0, &result);
		assert_int_equal(result.parse == HTTP_PARSE_DONE, is_text);
		assert_int_equal(result.reason, is_text ? REASON_UNSET : REASON_ORIGIN_HEAD);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(response_vectors_mean_what_the_table_says),
	    cmocka_unit_test(response_means_the_same_however_it_is_cut),
	    cmocka_unit_test(response_to_head_has_no_content_whatever_it_says),
	    cmocka_unit_test(response_phrase_is_kept_as_it_was),
	    cmocka_unit_test(response_bytes_are_judged_one_by_one_as_the_rfc_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

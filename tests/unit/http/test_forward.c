/* Heads written anew: what an origin and a visitor receive, that it means what was
 * understood, and that it never exceeds its room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "guard_page.h"
#include "http_vectors.h"
#include "sallyport/http_forward.h"

static const struct http_limits limits = {
    .head_bytes = 16384, .target_bytes = 8192, .fields = 100, .field_bytes = 8192};

static void parse_request(const char *text, size_t len, struct http_head *head)
{
	enum reason reason = REASON_UNSET;
	struct span evidence;
	assert_int_equal(http_parse_request(text, len, 0, &limits, head, &reason, &evidence),
			 HTTP_PARSE_DONE);
	assert_true(http_mark_hop_by_hop(head, &reason));
}

static void parse_response(const char *text, size_t len, struct http_head *head)
{
	enum reason reason = REASON_UNSET;
	struct span evidence;
	assert_int_equal(
	    http_parse_response(text, len, 0, &limits, HTTP_GET, head, &reason, &evidence),
	    HTTP_PARSE_DONE);
	assert_true(http_mark_hop_by_hop(head, &reason));
}

static struct http_forward_request visitor(const struct http_head *head)
{
	return (struct http_forward_request){
	    .head = head,
	    .path = SPAN("/p"),
	    .host = SPAN("origin:81"),
	    .visitor_host = SPAN("shop.example:80"),
	    .peer = SPAN("192.0.2.7"),
	    .framing = HTTP_FRAMING_NONE,
	    .request_id = "id1",
	};
}

static void assert_request(const struct http_forward_request *forward, const char *expected)
{
	char out[2048];
	size_t len = http_forward_request(forward, out, sizeof(out));
	assert_true(len > 0 && len < sizeof(out));
	out[len] = '\0';
	assert_string_equal(out, expected);
}

static void request_from_a_stranger_says_nothing_he_claimed(void **state)
{
	(void)state;
	static const char text[] =
	    "POST /%70?a=b HTTP/1.1\r\nHost: shop.example:80\r\nX-Forwarded-For: 10.0.0.1\r\n"
	    "Accept:  */* \r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n"
	    "Forwarded: for=10.0.0.1\r\nVia: 1.0 cache\r\nX-Real-IP: 10.0.0.1\r\n"
	    "X-Forwarded-Port: 443\r\nX-Forwarded-Prefix: /x\r\nTrue-Client-IP: 10.0.0.1\r\n"
	    "X-Original-URL: /admin\r\nX-Rewrite-URL: /admin\r\nProxy: http://evil\r\n"
	    "Client-Cert: :x:\r\nX-SSL-Client-Verify: SUCCESS\r\nX-Request-Id: his\r\n"
	    "Connection: close, X-Hop\r\nX-Hop: 1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
	    "Cookie: a=b\r\nX-Empty:\r\n\r\n";
	struct http_head head;
	parse_request(text, sizeof(text) - 1, &head);
	struct http_forward_request forward = visitor(&head);
	forward.query = SPAN("a=b");
	forward.framing = HTTP_FRAMING_LENGTH;
	forward.content_length = 5;
	assert_request(&forward, "POST /p?a=b HTTP/1.1\r\nHost: origin:81\r\nAccept: */*\r\n"
				 "Cookie: a=b\r\nX-Empty: \r\nContent-Length: 5\r\n"
				 "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n"
				 "X-Forwarded-Host: shop.example:80\r\n"
				 "Forwarded: for=192.0.2.7;host=\"shop.example:80\";proto=http\r\n"
				 "Via: 1.0 cache, 1.1 sallyport\r\nX-Request-Id: id1\r\n\r\n");
}

static void request_without_via_ends_loops_by_another_field(void **state)
{
	(void)state;
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 cache\r\nCDN-Loop: a, b; c=d\r\n\r\n";
	struct http_head head;
	parse_request(text, sizeof(text) - 1, &head);
	struct http_forward_request forward = visitor(&head);
	forward.request_id = NULL;
	forward.hide_via = true;
	assert_request(&forward, "GET /p HTTP/1.1\r\nHost: origin:81\r\n"
				 "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n"
				 "X-Forwarded-Host: shop.example:80\r\n"
				 "Forwarded: for=192.0.2.7;host=\"shop.example:80\";proto=http\r\n"
				 "CDN-Loop: a, b; c=d, sallyport\r\n\r\n");
}

static void request_from_a_trusted_proxy_keeps_and_adds(void **state)
{
	(void)state;
	static const char text[] =
	    "GET / HTTP/1.0\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2, 10.0.0.3\r\n"
	    "X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop\r\nX-Real-IP: 10.0.0.1\r\n"
	    "Forwarded: for=10.0.0.1;proto=https\r\nX-Forwarded-Port: 443\r\n"
	    "X-Original-URL: /admin\r\nProxy: http://evil\r\nX-Request-Id: his\r\n\r\n";
	struct http_head head;
	parse_request(text, sizeof(text) - 1, &head);
	struct http_forward_request forward = visitor(&head);
	forward.peer_trusted = true;
	forward.peer = SPAN("2001:db8::1");
	forward.tls = true;
	forward.request_id = NULL;
	assert_request(&forward,
		       "GET /p HTTP/1.1\r\nHost: origin:81\r\nX-Forwarded-Proto: https\r\n"
		       "X-Forwarded-Host: shop\r\nX-Real-IP: 10.0.0.1\r\nX-Forwarded-Port: 443\r\n"
		       "X-Forwarded-For: 10.0.0.1, 10.0.0.2, 10.0.0.3, 2001:db8::1\r\n"
		       "Forwarded: for=10.0.0.1;proto=https, "
		       "for=\"[2001:db8::1]\";host=\"shop.example:80\";proto=https\r\n"
		       "Via: 1.0 sallyport\r\n\r\n");
}

static void request_for_a_process_of_ours_is_bare(void **state)
{
	(void)state;
	static const char text[] =
	    "GET /p HTTP/1.0\r\nHost: shop.example\r\nX-Forwarded-For: 10.0.0.1\r\nVia: 1.0 cache\r\n"
	    "Accept: */*\r\nCookie: a=b\r\nRange: bytes=0-1\r\n\r\n";
	struct http_head head;
	parse_request(text, sizeof(text) - 1, &head);
	struct http_forward_request forward = visitor(&head);
	forward.bare = true;
	forward.peer_trusted = true;
	assert_request(&forward, "GET /p HTTP/1.1\r\nHost: origin:81\r\nX-Request-Id: id1\r\n\r\n");
}

static void outbound_request_says_nothing_of_the_inside(void **state)
{
	(void)state;
	static const char text[] =
	    "GET http://shop.example/p HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 10.0.0.1\r\n"
	    "Forwarded: for=10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\nX-Client-IP: 10.0.0.1\r\nX-Forwarded-Host: db.inside\r\n"
	    "Via: 1.1 cache.inside, 1.1 sallyport\r\nProxy-Connection: keep-alive\r\n"
	    "Proxy-Authorization: Basic eA==\r\nX-Request-Id: mine\r\nCookie: a=b\r\n\r\n";
	struct http_head head;
	parse_request(text, sizeof(text) - 1, &head);
	struct http_forward_request forward = visitor(&head);
	forward.outbound = true;
	forward.peer_trusted = true;
	forward.request_id = NULL;
	assert_request(&forward, "GET /p HTTP/1.1\r\nHost: origin:81\r\nX-Request-Id: mine\r\nCookie: a=b\r\n"
				 "Via: 1.1 sallyport, 1.1 sallyport\r\n\r\n");
}

static void request_from_a_trusted_proxy_that_said_nothing_gets_ours(void **state)
{
	(void)state;
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For:\r\n\r\n";
	struct http_head head;
	parse_request(text, sizeof(text) - 1, &head);
	struct http_forward_request forward = visitor(&head);
	forward.peer_trusted = true;
	forward.tls = true;
	assert_request(&forward, "GET /p HTTP/1.1\r\nHost: origin:81\r\n"
				 "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n"
				 "X-Forwarded-Host: shop.example:80\r\n"
				 "Forwarded: for=192.0.2.7;host=\"shop.example:80\";proto=https\r\n"
				 "Via: 1.1 sallyport\r\nX-Request-Id: id1\r\n\r\n");
}

static void request_has_one_framing_field(void **state)
{
	(void)state;
	static const char text[] = "PUT * HTTP/1.1\r\nHost:\r\nTransfer-Encoding: chunked\r\n\r\n";
	static const char tail[] =
	    "X-Forwarded-For: unknown\r\nX-Forwarded-Proto: http\r\n"
	    "Forwarded: for=unknown;proto=http\r\nVia: 1.1 sallyport\r\n\r\n";
	static const struct {
		enum http_framing framing;
		bool say_length, expect;
		uint64_t length;
		const char *text;
	} rows[] = {
	    {HTTP_FRAMING_CHUNKED, false, false, 7, "Transfer-Encoding: chunked\r\n"},
	    {HTTP_FRAMING_LENGTH, true, false, 0, "Content-Length: 0\r\n"},
	    {HTTP_FRAMING_LENGTH, false, true, UINT64_MAX,
	     "Content-Length: 18446744073709551615\r\nExpect: 100-continue\r\n"},
	    {HTTP_FRAMING_NONE, false, false, 7, ""},
	    {HTTP_FRAMING_NONE, true, false, 7, "Content-Length: 0\r\n"},
	};
	struct http_head head;
	parse_request(text, sizeof(text) - 1, &head);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_forward_request forward = {
		    .head = &head, .path = SPAN("*"), .host = SPAN("o")};
		char expected[512];
		forward.framing = rows[i].framing;
		forward.say_length = rows[i].say_length;
		forward.content_length = rows[i].length;
		forward.forward_expect = rows[i].expect;
		snprintf(expected, sizeof(expected), "PUT * HTTP/1.1\r\nHost: o\r\n%s%s",
			 rows[i].text, tail);
		assert_request(&forward, expected);
	}
}

static void request_has_its_white_space_mended(void **state)
{
	(void)state;
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nA:\tb\r\nC: d \r\nE: f\t\r\n"
				   "G:h\r\nI: j\r\nK:\r\n\r\n";
	static const char expected[] = "GET /p HTTP/1.1\r\nHost: origin:81\r\nA: b\r\nC: d\r\n"
				       "E: f\r\nG: h\r\nI: j\r\nK: \r\nX-Forwarded-For: ";
	struct http_head head;
	char out[512];
	parse_request(text, sizeof(text) - 1, &head);
	struct http_forward_request forward = visitor(&head);
	assert_true(http_forward_request(&forward, out, sizeof(out)) > sizeof(expected));
	assert_memory_equal(out, expected, sizeof(expected) - 1);
}

static void request_says_an_empty_query(void **state)
{
	(void)state;
	static const char text[] = "GET /? HTTP/1.1\r\nHost: a\r\n\r\n";
	struct http_head head;
	char out[512];
	parse_request(text, sizeof(text) - 1, &head);
	struct http_forward_request forward = visitor(&head);
	forward.query = SPAN("");
	assert_true(http_forward_request(&forward, out, sizeof(out)) > 0);
	assert_memory_equal(out, "GET /p? HTTP/1.1\r\n", 18);
}

static void forwarded_host_can_not_leave_its_quotes(void **state)
{
	(void)state;
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	struct http_head head;
	char out[512];
	parse_request(text, sizeof(text) - 1, &head);
	struct http_forward_request forward = visitor(&head);
	forward.visitor_host = SPAN("a\";for=1\\");
	size_t len = http_forward_request(&forward, out, sizeof(out) - 1);
	out[len] = '\0';
	assert_non_null(strstr(out, ";host=\"a\\\";for=1\\\\\";proto=http\r\n"));
}

/* Either the whole head or nothing, and no byte past the room. */
static void forwarded_request_never_exceeds_its_room(void **state)
{
	(void)state;
	static const char text[] =
	    "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC:  d\r\nVia: 1.1 x\r\n\r\n";
	struct http_head head;
	char whole[1024];
	parse_request(text, sizeof(text) - 1, &head);
	struct http_forward_request forward = visitor(&head);
	forward.framing = HTTP_FRAMING_LENGTH;
	forward.content_length = 12345;
	size_t len = http_forward_request(&forward, whole, sizeof(whole));
	for (size_t room = 0; room <= len + 1; room++) {
		char zeros[1024] = {0};
		char *buf = guarded_copy(zeros, room);
		size_t got = http_forward_request(&forward, buf, room);
		assert_int_equal(got, room < len ? 0 : len);
		if (got)
			assert_memory_equal(buf, whole, len);
		guarded_free(buf, room);
	}
}

/* Fields of `from` that are kept stand in `to`, in the same order with the same values. */
static void assert_kept_fields(const struct http_head *from, const struct http_head *to)
{
	size_t at = 0;
	for (size_t i = 0; i < from->field_count; i++) {
		const struct http_field *field = &from->fields[i];
		if (field->dropped ||
		    (field->id != HTTP_FIELD_OTHER && field->id != HTTP_FIELD_COOKIE))
			continue;
		while (at < to->field_count && (to->fields[at].id != field->id ||
						!span_eq(http_field_name(to, &to->fields[at]),
							 http_field_name(from, field))))
			at++;
		assert_true(at < to->field_count);
		assert_true(span_eq(http_field_value(to, &to->fields[at++]),
				    http_field_value(from, field)));
	}
}

static void forwarded_request_means_what_was_received(void **state)
{
	(void)state;
	struct http_vectors *v = http_vectors_open("tests/vectors/http-request.txt");
	unsigned rows = 0;
	while (http_vectors_next(v)) {
		struct http_head head, again;
		enum reason reason = REASON_UNSET;
		struct span evidence;
		char out[8192];
		if (http_parse_request(v->bytes, v->len, 0, &limits, &head, &reason, &evidence) !=
			HTTP_PARSE_DONE ||
		    !http_mark_hop_by_hop(&head, &reason))
			continue;
		struct http_forward_request forward = visitor(&head);
		forward.framing = (enum http_framing)head.framing;
		forward.content_length = head.content_length;
		forward.forward_expect = head.expect_continue;
		size_t len = http_forward_request(&forward, out, sizeof(out));
		assert_true(len > 0);
		parse_request(out, len, &again);
		assert_int_equal(again.len, len);
		assert_int_equal(again.method, head.method);
		assert_true(span_eq(http_method(&again), http_method(&head)));
		assert_int_equal(again.framing, head.framing);
		assert_int_equal(again.content_length, head.content_length);
		assert_int_equal(again.expect_continue, head.expect_continue);
		assert_int_equal(again.version, HTTP_1_1);
		assert_false(again.close);
		assert_kept_fields(&head, &again);
		rows++;
	}
	http_vectors_close(v);
	assert_true(rows > 80);
}

static const char origin_says[] =
    "HTTP/1.0 404 Not Here\r\nServer: x\r\nContent-Length: 3\r\nConnection: keep-alive, X-Hop\r\n"
    "X-Hop: 1\r\nKeep-Alive: timeout=5\r\nSet-Cookie: a=b\r\nSet-Cookie:c=d\r\n\r\n";

static void assert_response(const struct http_forward_response *forward, const char *expected)
{
	char out[1024];
	size_t len = http_forward_response(forward, out, sizeof(out) - 1);
	assert_true(len > 0);
	out[len] = '\0';
	assert_string_equal(out, expected);
}

static void response_is_ours_in_version_and_framing(void **state)
{
	(void)state;
	static const struct {
		struct http_forward_response forward;
		const char *tail;
	} rows[] = {
	    {{.framing = HTTP_FRAMING_LENGTH, .content_length = 3, .client_version = HTTP_1_1},
	     "Content-Length: 3\r\n"},
	    {{.framing = HTTP_FRAMING_LENGTH, .content_length = 0, .client_version = HTTP_1_0},
	     "Content-Length: 0\r\nConnection: keep-alive\r\n"},
	    {{.framing = HTTP_FRAMING_CHUNKED, .content_length = 9, .client_version = HTTP_1_1},
	     "Transfer-Encoding: chunked\r\n"},
	    {{.framing = HTTP_FRAMING_CLOSE, .client_version = HTTP_1_0}, "Connection: close\r\n"},
	    {{.framing = HTTP_FRAMING_NONE, .client_version = HTTP_1_1, .close = true},
	     "Connection: close\r\n"},
	    {{.framing = HTTP_FRAMING_NONE, .say_length = true, .content_length = 77},
	     "Content-Length: 77\r\n"},
	    {{.framing = HTTP_FRAMING_NONE, .date = {"Thu, 01 Jan 1970 00:00:00 GMT", 29}},
	     "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"},
	};
	struct http_head head;
	parse_response(origin_says, sizeof(origin_says) - 1, &head);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_forward_response forward = rows[i].forward;
		char expected[512];
		forward.head = &head;
		snprintf(
		    expected, sizeof(expected),
		    "HTTP/1.1 404 Not Here\r\nServer: x\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n"
		    "%s\r\n",
		    rows[i].tail);
		assert_response(&forward, expected);
	}
}

static void response_keeps_the_date_of_the_origin(void **state)
{
	(void)state;
	static const char text[] = "HTTP/1.1 200\r\nDate: his\r\n\r\n";
	struct http_head head;
	parse_response(text, sizeof(text) - 1, &head);
	struct http_forward_response forward = {.head = &head,
						.framing = HTTP_FRAMING_CHUNKED,
						.date = SPAN("ours"),
						.client_version = HTTP_1_1};
	assert_response(&forward,
			"HTTP/1.1 200 \r\nDate: his\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void response_without_content_says_no_length(void **state)
{
	(void)state;
	static const char text[] = "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n";
	struct http_head head;
	parse_response(text, sizeof(text) - 1, &head);
	struct http_forward_response forward = {
	    .head = &head, .framing = HTTP_FRAMING_NONE, .say_length = true};
	assert_response(&forward, "HTTP/1.1 204 No Content\r\n\r\n");
}

static void interim_response_says_nothing_of_the_message(void **state)
{
	(void)state;
	static const char text[] = "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n"
				   "Connection: close\r\n\r\n";
	struct http_head head;
	parse_response(text, sizeof(text) - 1, &head);
	struct http_forward_response forward = {.head = &head,
						.framing = HTTP_FRAMING_NONE,
						.close = true,
						.date = SPAN("now"),
						.client_version = HTTP_1_1};
	assert_response(&forward, "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n");
}

static void forwarded_response_never_exceeds_its_room(void **state)
{
	(void)state;
	struct http_head head;
	char whole[1024];
	parse_response(origin_says, sizeof(origin_says) - 1, &head);
	struct http_forward_response forward = {.head = &head,
						.framing = HTTP_FRAMING_LENGTH,
						.content_length = 3,
						.date = SPAN("now")};
	size_t len = http_forward_response(&forward, whole, sizeof(whole));
	for (size_t room = 0; room <= len + 1; room++) {
		char zeros[1024] = {0};
		char *buf = guarded_copy(zeros, room);
		size_t got = http_forward_response(&forward, buf, room);
		assert_int_equal(got, room < len ? 0 : len);
		if (got)
			assert_memory_equal(buf, whole, len);
		guarded_free(buf, room);
	}
}

static void forwarded_response_means_what_was_received(void **state)
{
	(void)state;
	struct http_vectors *v = http_vectors_open("tests/vectors/http-response.txt");
	unsigned rows = 0;
	while (http_vectors_next(v)) {
		struct http_head head, again;
		enum reason reason = REASON_UNSET;
		struct span evidence;
		char out[8192];
		if (http_parse_response(v->bytes, v->len, 0, &limits, HTTP_GET, &head, &reason,
					&evidence) != HTTP_PARSE_DONE ||
		    !http_mark_hop_by_hop(&head, &reason))
			continue;
		struct http_forward_response forward = {.head = &head,
							.framing = (enum http_framing)head.framing,
							.content_length = head.content_length,
							.close = head.close};
		size_t len = http_forward_response(&forward, out, sizeof(out));
		assert_true(len > 0);
		parse_response(out, len, &again);
		assert_int_equal(again.len, len);
		assert_int_equal(again.status, head.status);
		assert_int_equal(again.framing, head.framing);
		assert_kept_fields(&head, &again);
		rows++;
	}
	http_vectors_close(v);
	assert_true(rows > 30);
}

/* What we know of a certificate replaces what anybody says; without it only a trusted peer may say it. */
static void a_certificate_is_told_by_nobody_else(void **state)
{
	(void)state;
	static const char text[] = "GET /p HTTP/1.1\r\nHost: h\r\nX-Client-Cert-Verify: success\r\n"
				   "x-client-cert-else: 1\r\nX-Client-Cert: a\r\n\r\n";
	static const struct {
		bool trusted;
		const char *fields, *kept;
	} cases[] = {
	    {false, "", NULL},
	    {false, "X-Client-Cert-Verify: none\r\n", "X-Client-Cert-Verify: none\r\n"},
	    {true, "X-Client-Cert-Verify: none\r\n", "X-Client-Cert-Verify: none\r\n"},
	    {true, "", "X-Client-Cert-Verify: success\r\nx-client-cert-else: 1\r\n"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_head head;
		char out[2048];
		parse_request(text, sizeof(text) - 1, &head);
		struct http_forward_request forward = visitor(&head);
		forward.peer_trusted = cases[i].trusted;
		forward.client_fields = span_from_str(cases[i].fields);
		size_t len = http_forward_request(&forward, out, sizeof(out) - 1);
		out[len] = '\0';
		assert_int_equal(strstr(out, "success") != NULL, cases[i].trusted && !*cases[i].fields);
		assert_int_equal(strstr(out, "else") != NULL, cases[i].trusted && !*cases[i].fields);
		if (cases[i].kept)
			assert_non_null(strstr(out, cases[i].kept));
	}
}

static void a_field_for_secure_responses_is_added_once(void **state)
{
	(void)state;
	static const char without[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	static const char with[] = "HTTP/1.1 200 OK\r\nstrict-transport-security: max-age=1\r\nContent-Length: 0\r\n\r\n";
	static const struct http_added_field hsts = {{"Strict-Transport-Security", 25},
						     {"Strict-Transport-Security: max-age=9\r\n", 38}};
	for (int i = 0; i < 2; i++) {
		struct http_head head;
		char out[2048];
		parse_response(i ? with : without, i ? sizeof(with) - 1 : sizeof(without) - 1, &head);
		struct http_forward_response forward = {
		    .head = &head, .framing = HTTP_FRAMING_LENGTH, .client_version = HTTP_1_1, .hsts = &hsts};
		size_t len = http_forward_response(&forward, out, sizeof(out) - 1);
		out[len] = '\0';
		assert_int_equal(strstr(out, "max-age=9") != NULL, i == 0);
		assert_int_equal(strstr(out, "max-age=1") != NULL, i == 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(request_from_a_stranger_says_nothing_he_claimed),
	    cmocka_unit_test(request_without_via_ends_loops_by_another_field),
	    cmocka_unit_test(request_from_a_trusted_proxy_keeps_and_adds),
	    cmocka_unit_test(request_for_a_process_of_ours_is_bare),
	    cmocka_unit_test(outbound_request_says_nothing_of_the_inside),
	    cmocka_unit_test(request_from_a_trusted_proxy_that_said_nothing_gets_ours),
	    cmocka_unit_test(request_has_one_framing_field),
	    cmocka_unit_test(a_certificate_is_told_by_nobody_else),
	    cmocka_unit_test(a_field_for_secure_responses_is_added_once),
	    cmocka_unit_test(request_has_its_white_space_mended),
	    cmocka_unit_test(request_says_an_empty_query),
	    cmocka_unit_test(forwarded_host_can_not_leave_its_quotes),
	    cmocka_unit_test(forwarded_request_never_exceeds_its_room),
	    cmocka_unit_test(forwarded_request_means_what_was_received),
	    cmocka_unit_test(response_is_ours_in_version_and_framing),
	    cmocka_unit_test(response_keeps_the_date_of_the_origin),
	    cmocka_unit_test(response_without_content_says_no_length),
	    cmocka_unit_test(interim_response_says_nothing_of_the_message),
	    cmocka_unit_test(forwarded_response_never_exceeds_its_room),
	    cmocka_unit_test(forwarded_response_means_what_was_received),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

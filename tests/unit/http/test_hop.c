/* Hop-by-hop fields, what Connection may name, and loops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "sallyport/http_forward.h"

static char text[8192];

/* A request with these field lines. */
static void parse(const char *fields, struct http_head *head)
{
	static const struct http_limits limits = {8192, 256, 128, 8192};
	enum reason reason = REASON_UNSET;
	struct span evidence;
	int len = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
	assert_int_equal(
	    http_parse_request(text, (size_t)len, 0, &limits, head, &reason, &evidence),
	    HTTP_PARSE_DONE);
}

/* The names that are left, each followed by a space. */
static void left_over(const struct http_head *head, char *out, size_t room)
{
	size_t len = 0;
	out[0] = '\0';
	for (size_t i = 0; i < head->field_count; i++) {
		struct span name = http_field_name(head, &head->fields[i]);
		if (!head->fields[i].dropped)
			len += (size_t)snprintf(out + len, room - len, "%.*s ", SPAN_ARG(name));
	}
}

static void hop_by_hop_fields_are_dropped(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
	    {"", "Host "},
	    {"Connection: close\r\nX: y\r\n", "Host X "},
	    {"Keep-Alive: 5\r\nProxy-Connection: x\r\nTE: trailers\r\nTrailer: X\r\n", "Host "},
	    {"Transfer-Encoding: chunked\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n", "Host "},
	    {"Proxy-Authorization: x\r\nProxy-Authenticate: y\r\nAuthorization: z\r\n",
	     "Host Authorization "},
	    {"Proxy-Authentication-Info: x\r\nVia: 1.1 b\r\n", "Host Via "},
	    {"Connection: x, Y ,,z\r\nX: 1\r\ny: 2\r\nX: 3\r\nW: 4\r\nZ: 5\r\n", "Host W "},
	    {"X: 1\r\nY: 2\r\nConnection: x\r\nconnection: y\r\n", "Host "},
	    {"Connection: close, keep-alive, TE, trailer, upgrade, http2-settings\r\nX: y\r\n",
	     "Host X "},
	    {"Connection: Proxy-Connection, Keep-Alive\r\n", "Host "},
	    {"Connection:\r\nX: y\r\n", "Host X "},
	    {"Connection: x\r\nXX: 1\r\nX-: 2\r\n", "Host XX X- "},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_head head;
		enum reason reason = REASON_UNSET;
		char left[256];
		parse(rows[i][0], &head);
		assert_true(http_mark_hop_by_hop(&head, &reason));
		left_over(&head, left, sizeof(left));
		assert_string_equal(left, rows[i][1]);
	}
}

static void connection_may_not_name_what_the_message_needs(void **state)
{
	(void)state;
	static const char *const names[] = {"host",
					    "Content-Length",
					    "transfer-encoding",
					    "Cookie",
					    "Authorization",
					    "Content-Type",
					    "X-Forwarded-For",
					    "X-Forwarded-Proto",
					    "X-Forwarded-Host",
					    "X-Forwarded-Whatever",
					    "Forwarded",
					    "Via",
					    "X-Real-IP",
					    "X-Request-Id",
					    "Expect",
					    "Date",
					    "Content-Encoding",
					    "Content-Security-Policy",
					    "Set-Cookie",
					    "Range",
					    "If-None-Match",
					    "Origin",
					    "Cache-Control",
					    "Client-Cert",
					    "X-Original-URL"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct http_head head;
		enum reason reason = REASON_UNSET;
		char fields[128];
		snprintf(fields, sizeof(fields), "Connection: x, %s\r\n", names[i]);
		parse(fields, &head);
		assert_false(http_mark_hop_by_hop(&head, &reason));
		assert_int_equal(reason, REASON_CONNECTION_FIELD);
	}
}

static void malformed_connection_is_refused(void **state)
{
	(void)state;
	static const char *const values[] = {"\"close\"", "close;x", "a b",       "close, {", "x=y",
					     "(c)",       "\xff",    "close, \"", "a/b"};
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct http_head head;
		enum reason reason = REASON_UNSET;
		char fields[128];
		snprintf(fields, sizeof(fields), "Connection: %s\r\n", values[i]);
		parse(fields, &head);
		assert_false(http_mark_hop_by_hop(&head, &reason));
		assert_int_equal(reason, REASON_CONNECTION_FIELD);
	}
}

/* Looking names up is work: 32 of them are enough for anybody. */
static void connection_names_only_so_many_fields(void **state)
{
	(void)state;
	for (unsigned n = 31; n <= 33; n++) {
		struct http_head head;
		enum reason reason = REASON_UNSET;
		char fields[512];
		int len = snprintf(fields, sizeof(fields), "Connection: close");
		for (unsigned i = 0; i < n; i++)
			len += snprintf(fields + len, sizeof(fields) - (size_t)len, ",x%u", i);
		snprintf(fields + len, sizeof(fields) - (size_t)len, "\r\n");
		parse(fields, &head);
		assert_int_equal(http_mark_hop_by_hop(&head, &reason), n <= 32);
	}
}

static void via_tells_how_often_we_were_passed(void **state)
{
	(void)state;
	static const struct {
		const char *fields;
		unsigned hops;
	} rows[] = {
	    {"", 0},
	    {"Via: 1.1 sallyport\r\n", 1},
	    {"Via: 1.0 fred, 1.1 p.example.net, HTTP/1.1\tSallyport (comment)\r\n", 1},
	    {"Via: 1.1 a\r\nvia: 1.0 sallyport,1.1 b\r\n", 1},
	    {"Via: sallyport\r\n", 0},
	    {"Via: 1.1 notsallyport, 1.1 sallyport2, 1.1 x (sallyport)\r\n", 0},
	    {"X-Via: 1.1 sallyport\r\n", 0},
	    {"Via: 1.1 sallyport, 1.1 b\r\nVia: 1.1 sallyport\r\n", 2},
	    {"Via: 1.1\r\n", 0},
	    {"CDN-Loop: sallyport\r\n", 1},
	    {"CDN-Loop: foo, Sallyport; abc=123, sallyport\r\nVia: 1.1 sallyport\r\n", 3},
	    {"CDN-Loop: sallyport2, 1.1 sallyport, x; sallyport,,\r\n", 0},
	    {"Via:\r\n", 0},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_head head;
		parse(rows[i].fields, &head);
		assert_int_equal(http_via_hops(&head), rows[i].hops);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hop_by_hop_fields_are_dropped),
	    cmocka_unit_test(connection_may_not_name_what_the_message_needs),
	    cmocka_unit_test(malformed_connection_is_refused),
	    cmocka_unit_test(connection_names_only_so_many_fields),
	    cmocka_unit_test(via_tells_how_often_we_were_passed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

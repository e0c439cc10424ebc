/* The handshake of RFC 6455, on both sides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "sallyport/http_forward.h"
#include "sallyport/websocket.h"

#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UP      "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
#define ACCEPT  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" /* section 1.3 */

static const struct http_limits limits = {
    .head_bytes = 16384, .target_bytes = 8192, .fields = 100, .field_bytes = 8192};

static void parse_request(const char *line, const char *fields, char buf[1024], struct http_head *head)
{
	enum reason reason = REASON_UNSET;
	struct span evidence;
	int len = snprintf(buf, 1024, "%s\r\nHost: a\r\n%s\r\n", line, fields);
	assert_int_equal(http_parse_request(buf, (size_t)len, 0, &limits, head, &reason, &evidence), HTTP_PARSE_DONE);
	assert_true(http_mark_hop_by_hop(head, &reason));
}

static void a_request_asks_exactly_or_not_at_all(void **state)
{
	(void)state;
	static const struct {
		const char *line, *fields;
		enum websocket_ask ask;
	} rows[] = {
	    {"GET / HTTP/1.1", UP KEY VERSION, WEBSOCKET_ASKED},
	    {"GET / HTTP/1.1", "connection: UPGRADE\r\nupgrade: WebSocket\r\n" KEY VERSION, WEBSOCKET_ASKED},
	    {"GET / HTTP/1.1", KEY VERSION, WEBSOCKET_NOT_ASKED},
	    {"GET / HTTP/1.1", "Upgrade: websocket\r\n" KEY VERSION, WEBSOCKET_NOT_ASKED},
	    {"GET / HTTP/1.1", "Connection: upgrade\r\n" KEY VERSION, WEBSOCKET_NOT_ASKED},
	    {"GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: h2c\r\n" KEY VERSION, WEBSOCKET_NOT_ASKED},
	    {"GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket, h2c\r\n" KEY VERSION, WEBSOCKET_NOT_ASKED},
	    {"GET / HTTP/1.1", UP "Upgrade: h2c\r\n" KEY VERSION, WEBSOCKET_NOT_ASKED},
	    {"GET / HTTP/1.0", UP KEY VERSION, WEBSOCKET_NOT_ASKED},
	    {"POST / HTTP/1.1", UP KEY VERSION, WEBSOCKET_MALFORMED},
	    {"GET / HTTP/1.1", UP KEY VERSION "Content-Length: 0\r\n", WEBSOCKET_ASKED},
	    {"POST / HTTP/1.1", UP KEY VERSION "Content-Length: 0\r\n", WEBSOCKET_MALFORMED},
	    {"GET / HTTP/1.1", UP KEY VERSION "Content-Length: 1\r\n", WEBSOCKET_MALFORMED},
	    {"GET / HTTP/1.1", UP KEY VERSION "Transfer-Encoding: chunked\r\n", WEBSOCKET_MALFORMED},
	    {"GET / HTTP/1.1", UP VERSION, WEBSOCKET_MALFORMED},
	    {"GET / HTTP/1.1", UP KEY KEY VERSION, WEBSOCKET_MALFORMED},
	    {"GET / HTTP/1.1", UP KEY, WEBSOCKET_MALFORMED},
	    {"GET / HTTP/1.1", UP KEY VERSION VERSION, WEBSOCKET_MALFORMED},
	    {"GET / HTTP/1.1", UP KEY "Sec-WebSocket-Version: 8\r\n", WEBSOCKET_MALFORMED},
	    {"GET / HTTP/1.1", UP KEY "Sec-WebSocket-Version: 13, 8\r\n", WEBSOCKET_MALFORMED},
	    {"GET / HTTP/1.1", UP VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n", WEBSOCKET_MALFORMED},
	    {"GET / HTTP/1.1", UP VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n", WEBSOCKET_MALFORMED},
	    {"GET / HTTP/1.1", UP VERSION "Sec-WebSocket-Key: dGhlIHNhbXBs!SBub25jZQ==\r\n", WEBSOCKET_MALFORMED},
	    {"GET / HTTP/1.1", "Connection: Upgrade, Sec-WebSocket-Key\r\nUpgrade: websocket\r\n" KEY VERSION, WEBSOCKET_MALFORMED},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char buf[1024];
		struct http_head head;
		parse_request(rows[i].line, rows[i].fields, buf, &head);
		if (websocket_request(&head) != rows[i].ask)
			fail_msg("row %zu: %d", i, (int)websocket_request(&head));
	}
}

static void only_the_answer_to_this_very_request_opens_a_tunnel(void **state)
{
	(void)state;
	static const struct {
		const char *status, *fields;
		bool opens;
	} rows[] = {
	    {"101 Switching Protocols", UP ACCEPT, true},
	    {"101", UP ACCEPT "Sec-WebSocket-Protocol: chat\r\n", true},
	    {"101", UP ACCEPT "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n", true},
	    {"102", UP ACCEPT, false},
	    {"101", ACCEPT, false},
	    {"101", "Upgrade: websocket\r\n" ACCEPT, false},
	    {"101", "Connection: upgrade\r\nUpgrade: h2c\r\n" ACCEPT, false},
	    {"101", UP "Upgrade: websocket\r\n" ACCEPT, false},
	    {"101", UP, false},
	    {"101", UP ACCEPT ACCEPT, false},
	    {"101", UP "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n", false},
	    {"101", UP "Sec-WebSocket-Accept: S3PPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", false},
	    {"101", UP ACCEPT "Sec-WebSocket-Protocol: other\r\n", false},
	    {"101", UP ACCEPT "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n", false},
	    {"101", UP ACCEPT "Sec-WebSocket-Protocol: chat, superchat\r\n", false},
	    {"101", UP ACCEPT "Sec-WebSocket-Extensions: permessage-deflate, x-other\r\n", false},
	};
	char request_buf[1024];
	struct http_head request;
	parse_request("GET / HTTP/1.1", UP KEY VERSION "Sec-WebSocket-Protocol: chat, superchat\r\n"
		      "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n", request_buf, &request);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char buf[1024];
		struct http_head head;
		enum reason reason = REASON_UNSET;
		struct span evidence;
		int len = snprintf(buf, sizeof(buf), "HTTP/1.1 %s\r\n%s\r\n", rows[i].status, rows[i].fields);
		assert_int_equal(http_parse_response(buf, (size_t)len, 0, &limits, HTTP_GET, &head, &reason, &evidence),
				 HTTP_PARSE_DONE);
		assert_true(http_mark_hop_by_hop(&head, &reason));
		if (websocket_response(&request, &head) != rows[i].opens)
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_request_asks_exactly_or_not_at_all),
	    cmocka_unit_test(only_the_answer_to_this_very_request_opens_a_tunnel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The guard between a visitor and an origin that says anything: not one byte of a page that is not known
 * goes out, and a known copy stands in for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <zlib.h>

#include "gate.h"

#define HTML "Content-Type: text/html\r\n"

static const char good[] = "<html><title>Town library</title><body class=\"x>y\"><h1>Welcome</h1></body></html>\n";
static const char older[] = "<html><title>Town library</title><body><h1>Closed today</h1></body></html>\n";
static const char bad[] = "<html><title>Hacked</title><body><h1>POISON</h1></body></html>\n";
static char large[3 << 20];

static const struct gate_page pages[] = {
    {"/", HTML, good, sizeof(good) - 1},
    {"/", HTML, older, sizeof(older) - 1},
    {"/?q=1", HTML, older, sizeof(older) - 1},
    {"/empty", HTML, "", 0},
    {"/large", "Content-Type: image/png\r\n", large, sizeof(large)},
};

static struct gate *guarded(const char *guard, const char *more)
{
	struct gate *g = gate_new(guard, more);
	gate_know(g, pages, sizeof(pages) / sizeof(pages[0]));
	return g;
}

static char reply_text[64 << 10];

/* A whole response; the origin says it from now on. */
static void origin_replies(struct gate *g, const char *status, const char *fields, const char *content)
{
	int n = snprintf(reply_text, sizeof(reply_text), "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", status,
			 fields, strlen(content), content);
	gate_origin_says(g, reply_text, (size_t)n);
}

static void origin_says(struct gate *g, const char *reply)
{
	gate_origin_says(g, reply, strlen(reply));
}

static bool has(const struct gate_answer *answer, const char *text)
{
	return answer->text && memmem(answer->text, answer->len, text, strlen(text)) != NULL;
}

static bool is_page(const struct gate_answer *answer, const char *content)
{
	return answer->status == 200 && answer->is_whole && answer->body_len == strlen(content) &&
	       memcmp(answer->body, content, answer->body_len) == 0;
}

static void expect_log(const struct gate *g, enum verdict_action action, enum reason reason)
{
	assert_string_equal(reason_name((enum reason)g->record.reason), reason_name(reason));
	assert_int_equal(g->record.action, action);
}

/* What the origin says does not reach the visitor: he gets the copy. */
static void expect_copy(struct gate *g, enum reason reason)
{
	struct gate_answer answer = gate_ask(g, "GET", "/", "");
	assert_true(is_page(&answer, good));
	assert_true(has(&answer, "\r\nAge: ") && has(&answer, "\r\ncontent-type: text/html\r\n"));
	assert_false(has(&answer, "POISON"));
	expect_log(g, VERDICT_COPY, reason);
	gate_forget(&answer);
}

static void a_known_page_goes_out_as_it_came(void **state)
{
	struct gate *g = guarded("", "");
	(void)state;
	origin_replies(g, "200 OK", HTML "ETag: \"a\"\r\nSet-Cookie: x=y\r\n", good);
	struct gate_answer answer = gate_ask(g, "GET", "/", "");
	assert_true(is_page(&answer, good));
	assert_true(has(&answer, "\r\nETag: \"a\"\r\nSet-Cookie: x=y\r\n"));
	assert_false(has(&answer, "\r\nAge: "));
	expect_log(g, VERDICT_ALLOW, REASON_UNSET);
	gate_forget(&answer);
	origin_replies(g, "200 OK", HTML, older); /* another version that is known */
	answer = gate_ask(g, "GET", "/", "");
	assert_true(is_page(&answer, older));
	gate_forget(&answer);
	origin_replies(g, "200 OK", HTML, "");
	answer = gate_ask(g, "GET", "/empty", "");
	assert_int_equal(answer.status, 200);
	assert_int_equal(answer.body_len, 0);
	assert_true(answer.is_whole);
	assert_int_equal(g->events, 0);
	gate_forget(&answer);
	gate_free(g);
}

static void what_is_not_known_is_replaced_by_the_copy(void **state)
{
	static const struct {
		const char *status, *fields, *content;
		enum reason reason;
	} cases[] = {
	    {"200 OK", HTML, bad, REASON_GUARD_CHANGED},
	    {"200 OK", "Content-Type: text/plain\r\n", good, REASON_GUARD_CHANGED},
	    {"200 OK", "", good, REASON_GUARD_CHANGED},
	    {"200 OK", HTML "Refresh: 5\r\n", good, REASON_GUARD_CHANGED},
	    {"200 OK", HTML "Link: </poison.css>; rel=stylesheet\r\n", good, REASON_GUARD_CHANGED},
	    {"200 OK", HTML "Refresh: 0; url=http://evil.example/\r\n", good, REASON_GUARD_REDIRECT},
	    {"302 Found", "Location: https://evil.example/POISON\r\n", "", REASON_GUARD_REDIRECT},
	    {"302 Found", "Location: /\\evil.example/POISON\r\n", "", REASON_GUARD_REDIRECT},
	    {"302 Found", "Location: /elsewhere\r\n", "", REASON_GUARD_CHANGED},
	    {"302 Found", "Location: https://learned.example/\r\n", "", REASON_GUARD_CHANGED},
	    {"404 Not Found", HTML, good, REASON_GUARD_CHANGED},
	    {"200 OK", HTML, "", REASON_GUARD_CHANGED},
	    {"500 Broken", HTML, bad, REASON_GUARD_ORIGIN_ERROR},
	    {"503 Busy", HTML, good, REASON_GUARD_ORIGIN_ERROR},
	    {"200 OK", HTML "Content-Encoding: gzip\r\n", good, REASON_GUARD_CODING},
	    {"200 OK", HTML "Content-Encoding: rot13\r\n", good, REASON_GUARD_CODING},
	    {"200 OK", HTML "Content-Encoding: deflate\r\n", good, REASON_GUARD_CODING},
	};
	struct gate *g = guarded("", "");
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		origin_replies(g, cases[i].status, cases[i].fields, cases[i].content);
		expect_copy(g, cases[i].reason);
	}
	gate_free(g);
}

static void a_page_is_judged_however_it_is_cut_and_framed(void **state)
{
	static const char *const framings[] = {
	    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n",
	    "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n",
	    ("HTTP/1.1 103 Early Hints\r\nLink: </POISON.css>; rel=preload\r\n\r\n"
	     "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"),
	};
	struct gate *g = guarded("", "");
	char text[1024];
	(void)state;
	g->closes = true;
	for (size_t i = 0; i < sizeof(framings) / sizeof(framings[0]); i++) {
		for (int is_bad = 0; is_bad <= 1; is_bad++) {
			const char *content = is_bad ? bad : good;
			bool chunked = strstr(framings[i], "chunked") != NULL;
			int n = chunked ? snprintf(text, sizeof(text), "%s%zx\r\n%.10s\r\n%zx\r\n%s\r\n0\r\n\r\n",
						   framings[i], (size_t)10, content, strlen(content) - 10,
						   content + 10)
					: snprintf(text, sizeof(text), "%s%s", framings[i], content);
			gate_origin_says(g, text, (size_t)n);
			for (g->reply_limit = 0; g->reply_limit < 8; g->reply_limit += 7) {
				struct gate_answer answer = gate_ask(g, "GET", "/", "");
				assert_true(is_page(&answer, good));
				assert_false(has(&answer, "POISON"));
				assert_false(has(&answer, "chunked"));
				expect_log(g, is_bad ? VERDICT_COPY : VERDICT_ALLOW,
					   is_bad ? REASON_GUARD_CHANGED : REASON_UNSET);
				gate_forget(&answer);
			}
		}
	}
	gate_free(g);
}

static void a_page_is_whole_wherever_it_is_cut(void **state)
{
	struct gate *g = guarded("", "");
	(void)state;
	origin_replies(g, "200 OK", HTML, good);
	for (g->reply_limit = 1; g->reply_limit <= g->reply_len; g->reply_limit++) {
		struct gate_answer answer = gate_ask(g, "GET", "/", "");
		assert_true(is_page(&answer, good));
		expect_log(g, VERDICT_ALLOW, REASON_UNSET);
		gate_forget(&answer);
	}
	gate_free(g);
}

static size_t gzip(const char *content, size_t len, char *out, size_t room)
{
	z_stream z = {0};
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)content;
	z.avail_in = (uInt)len;
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return room - z.avail_out;
}

static size_t gzip_reply(const char *content, size_t len)
{
	static char coded[32 << 10];
	size_t coded_len = gzip(content, len, coded, sizeof(coded));
	size_t n = (size_t)snprintf(reply_text, sizeof(reply_text),
				    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n"
				    "Content-Length: %zu\r\n\r\n",
				    coded_len);
	memcpy(reply_text + n, coded, coded_len);
	return n + coded_len;
}

static void a_coded_page_is_judged_by_what_it_decodes_to(void **state)
{
	struct gate *g = guarded("", "");
	char bomb[64 << 10] = {0};
	(void)state;
	for (int again = 0; again < 3; again++) { /* the second time nothing is decoded */
		gate_origin_says(g, reply_text, gzip_reply(good, sizeof(good) - 1));
		struct gate_answer answer = gate_ask(g, "GET", "/", "Accept-Encoding: gzip, deflate, br;q=0, *;q=0\r\n");
		assert_int_equal(answer.status, 200);
		assert_true(has(&answer, "Content-Encoding: gzip"));
		assert_true(answer.is_whole && answer.body_len != sizeof(good) - 1);
		expect_log(g, VERDICT_ALLOW, REASON_UNSET);
		assert_non_null(strstr(g->request, "Accept-Encoding: gzip\r\n"));
		gate_forget(&answer);
		gate_origin_says(g, reply_text, gzip_reply(bad, sizeof(bad) - 1));
		expect_copy(g, REASON_GUARD_CHANGED);
		gate_origin_says(g, reply_text, gzip_reply(bomb, sizeof(bomb)));
		expect_copy(g, REASON_GUARD_CHANGED);
	}
	size_t n = gzip_reply(good, sizeof(good) - 1);
	gate_origin_says(g, reply_text, n - 1);
	g->closes = true;
	expect_copy(g, REASON_ORIGIN_TRUNCATED);
	gate_free(g);
}

static void an_origin_that_fails_is_replaced_by_the_copy(void **state)
{
	struct gate *g = guarded("", "timeouts = { first_byte = \"200 ms\"; connect = \"200 ms\"; };");
	(void)state;
	origin_says(g, "garbage\r\n\r\n");
	expect_copy(g, REASON_ORIGIN_STATUS_LINE);
	origin_says(g, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd");
	expect_copy(g, REASON_ORIGIN_FRAMING);
	origin_replies(g, "200 OK", HTML, good);
	g->closes = true;
	g->reply_len -= 5;
	expect_copy(g, REASON_ORIGIN_TRUNCATED);
	g->reply_len = 20;
	expect_copy(g, REASON_ORIGIN_CLOSED);
	g->closes = false;
	g->is_silent = true;
	expect_copy(g, REASON_ORIGIN_TIMEOUT);
	g->is_silent = false;
	origin_replies(g, "200 OK", HTML, good); /* half a page, and then nothing */
	g->reply_len -= 5;
	expect_copy(g, REASON_ORIGIN_TIMEOUT);
	close(g->origin_fd);
	for (unsigned i = 0; i < g->conn_count; i++) {
		if (g->conns[i] >= 0)
			close(g->conns[i]);
		g->conns[i] = -1;
	}
	for (int i = 0; i < 3; i++)
		expect_copy(g, REASON_ORIGIN_REFUSED);
	expect_copy(g, REASON_ORIGIN_DOWN);
	g->origin_fd = dup(0);
	gate_free(g);
}

static void a_request_for_a_known_page_asks_for_all_of_it(void **state)
{
	static const char *const gone[] = {"Range:", "If-Range:", "If-None-Match:", "If-Modified-Since:",
					   "If-Match:", "If-Unmodified-Since:"};
	struct gate *g = guarded("", "");
	const char *fields = "Range: bytes=0-1\r\nIf-Range: \"a\"\r\nIf-None-Match: \"a\"\r\nIf-Match: *\r\n"
			     "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
			     "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
	(void)state;
	origin_replies(g, "200 OK", HTML, good);
	struct gate_answer answer = gate_ask(g, "GET", "/", fields);
	assert_true(is_page(&answer, good));
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		assert_null(strstr(g->request, gone[i]));
	gate_forget(&answer);
	answer = gate_ask(g, "GET", "/unknown", fields); /* of which nothing is known: as ever */
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		assert_non_null(strstr(g->request, gone[i]));
	gate_forget(&answer);
	/* an answer to a condition that was not asked, and a part of a page, are no page */
	origin_says(g, "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n");
	expect_copy(g, REASON_GUARD_CHANGED);
	origin_replies(g, "206 Partial Content", HTML "Content-Range: bytes 0-80/81\r\n", good);
	expect_copy(g, REASON_GUARD_CHANGED);
	origin_says(g, "HTTP/1.1 204 No Content\r\n\r\n");
	expect_copy(g, REASON_GUARD_CHANGED);
	gate_free(g);
}

static void a_head_is_judged_by_status_and_fields(void **state)
{
	struct gate *g = guarded("", "");
	(void)state;
	origin_says(g, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 82\r\n\r\n");
	struct gate_answer answer = gate_ask(g, "HEAD", "/", "");
	assert_int_equal(answer.status, 200);
	assert_int_equal(answer.body_len, 0);
	assert_true(has(&answer, "Content-Length: 82"));
	expect_log(g, VERDICT_ALLOW, REASON_UNSET);
	gate_forget(&answer);
	origin_says(g, "HTTP/1.1 200 OK\r\nContent-Type: POISON\r\nContent-Length: 9\r\n\r\n");
	answer = gate_ask(g, "HEAD", "/", "");
	assert_int_equal(answer.status, 200);
	assert_int_equal(answer.body_len, 0);
	assert_true(has(&answer, "content-type: text/html"));
	assert_false(has(&answer, "POISON"));
	expect_log(g, VERDICT_COPY, REASON_GUARD_CHANGED);
	gate_forget(&answer);
	gate_free(g);
}

static void visitors_in_a_session_get_no_copy(void **state)
{
	struct gate *g = guarded("", "");
	(void)state;
	origin_replies(g, "200 OK", HTML, good);
	struct gate_answer answer = gate_ask(g, "GET", "/", "Cookie: PHPSESSID=1\r\n");
	assert_true(is_page(&answer, good));
	gate_forget(&answer);
	origin_replies(g, "200 OK", HTML, bad);
	answer = gate_ask(g, "GET", "/", "Cookie: PHPSESSID=1\r\n");
	assert_int_equal(answer.status, 503);
	assert_true(has(&answer, "Retry-After: "));
	assert_false(has(&answer, "POISON"));
	expect_log(g, VERDICT_ALLOW, REASON_GUARD_CHANGED);
	gate_forget(&answer);
	answer = gate_ask(g, "GET", "/", "Authorization: Basic eDp5\r\n");
	assert_int_equal(answer.status, 503);
	gate_forget(&answer);
	gate_free(g);
}

static void redirects_to_foreign_hosts_are_held_on_every_path(void **state)
{
	static const struct {
		const char *location;
		unsigned status;
	} cases[] = {
	    {"/login", 302},
	    {"https://site.example/", 302},
	    {"https://pay.example/x", 302},
	    {"https://learned.example/x", 302},
	    {"https://evil.example/", 503},
	    {"//evil.example/", 503},
	    {"javascript:alert(1)", 503},
	};
	struct gate *g = guarded("redirects = ( \"pay.example\" );", "");
	char fields[256];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(fields, sizeof(fields), "Location: %s\r\n", cases[i].location);
		origin_replies(g, "302 Found", fields, "");
		struct gate_answer answer = gate_ask(g, "GET", "/unknown", "");
		assert_int_equal(answer.status, cases[i].status);
		gate_forget(&answer);
		answer = gate_ask(g, "POST", "/form", "Content-Length: 0\r\n");
		assert_int_equal(answer.status, cases[i].status);
		if (cases[i].status == 503)
			expect_log(g, VERDICT_ALLOW, REASON_GUARD_REDIRECT);
		gate_forget(&answer);
	}
	assert_true(span_eq(g->texts[LOG_TEXT_EVIDENCE], SPAN("javascript:alert(1)")));
	gate_free(g);
}

static void a_sealed_site_asks_no_origin(void **state)
{
	struct gate *g = guarded("", "");
	(void)state;
	gate_seal(g, GUARD_SEALED);
	origin_replies(g, "200 OK", HTML, good);
	expect_copy(g, REASON_GUARD_SEALED);
	struct gate_answer answer = gate_ask(g, "POST", "/", "Content-Length: 3\r\n\r\na=b");
	assert_int_equal(answer.status, 503);
	expect_log(g, VERDICT_ALLOW, REASON_GUARD_SEALED);
	gate_forget(&answer);
	answer = gate_ask(g, "GET", "/unknown", "");
	assert_int_equal(answer.status, 503);
	gate_forget(&answer);
	answer = gate_ask(g, "GET", "/", "Cookie: JSESSIONID=1\r\n");
	assert_int_equal(answer.status, 503);
	gate_forget(&answer);
	assert_int_equal(g->asked, 0);
	gate_seal(g, GUARD_RECOVERING);
	answer = gate_ask(g, "GET", "/", "");
	assert_true(is_page(&answer, good));
	assert_int_equal(g->asked, 1);
	gate_forget(&answer);
	gate_free(g);
}

static void the_policy_decides_about_what_is_not_known(void **state)
{
	struct gate *g = guarded("unknown = \"hold\";", "");
	(void)state;
	origin_replies(g, "200 OK", HTML, bad);
	struct gate_answer answer = gate_ask(g, "GET", "/unknown", "");
	assert_int_equal(answer.status, 503);
	expect_log(g, VERDICT_ALLOW, REASON_GUARD_UNKNOWN);
	gate_forget(&answer);
	gate_free(g);
	g = gate_new("fail = \"closed\";", "");
	origin_replies(g, "200 OK", HTML, good);
	answer = gate_ask(g, "GET", "/", "");
	assert_int_equal(answer.status, 503);
	expect_log(g, VERDICT_ALLOW, REASON_GUARD_NO_BASELINE);
	gate_forget(&answer);
	answer = gate_ask(g, "POST", "/", "Content-Length: 0\r\n");
	assert_int_equal(answer.status, 200);
	gate_forget(&answer);
	gate_free(g);
	g = gate_new("", "");
	origin_replies(g, "200 OK", HTML, good);
	answer = gate_ask(g, "GET", "/", "");
	assert_true(is_page(&answer, good));
	gate_forget(&answer);
	gate_free(g);
}

static void who_only_watches_lets_it_pass_and_says_so(void **state)
{
	struct gate *g = guarded("", "");
	(void)state;
	for (int i = 0; i < SITE_STATES; i++)
		if (g->states->of[i].id == site_id("s"))
			g->states->of[i].paused_until_ms[LEG_GUARD] = UINT64_MAX;
	origin_replies(g, "200 OK", HTML, bad);
	struct gate_answer answer = gate_ask(g, "GET", "/", "");
	assert_true(is_page(&answer, bad));
	expect_log(g, VERDICT_COPY, REASON_GUARD_CHANGED);
	assert_false(g->record.enforced);
	assert_int_equal(g->events, 1);
	gate_forget(&answer);
	origin_replies(g, "302 Found", "Location: https://evil.example/\r\n", "");
	answer = gate_ask(g, "GET", "/", "");
	assert_int_equal(answer.status, 302);
	expect_log(g, VERDICT_COPY, REASON_GUARD_REDIRECT);
	gate_forget(&answer);
	gate_origin_says(g, reply_text, gzip_reply(good, sizeof(good) - 1));
	answer = gate_ask(g, "GET", "/", "");
	assert_int_equal(answer.status, 200);
	expect_log(g, VERDICT_ALLOW, REASON_UNSET);
	gate_forget(&answer);
	gate_free(g);
}

static void a_thousand_holds_are_one_event(void **state)
{
	struct gate *g = guarded("", "");
	(void)state;
	origin_replies(g, "200 OK", HTML, bad);
	for (int i = 0; i < 20; i++)
		expect_copy(g, REASON_GUARD_CHANGED);
	assert_int_equal(g->events, 1);
	gate_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_known_page_goes_out_as_it_came),
	    cmocka_unit_test(what_is_not_known_is_replaced_by_the_copy),
	    cmocka_unit_test(a_page_is_judged_however_it_is_cut_and_framed),
	    cmocka_unit_test(a_page_is_whole_wherever_it_is_cut),
	    cmocka_unit_test(a_coded_page_is_judged_by_what_it_decodes_to),
	    cmocka_unit_test(an_origin_that_fails_is_replaced_by_the_copy),
	    cmocka_unit_test(a_request_for_a_known_page_asks_for_all_of_it),
	    cmocka_unit_test(a_head_is_judged_by_status_and_fields),
	    cmocka_unit_test(visitors_in_a_session_get_no_copy),
	    cmocka_unit_test(redirects_to_foreign_hosts_are_held_on_every_path),
	    cmocka_unit_test(a_sealed_site_asks_no_origin),
	    cmocka_unit_test(the_policy_decides_about_what_is_not_known),
	    cmocka_unit_test(who_only_watches_lets_it_pass_and_says_so),
	    cmocka_unit_test(a_thousand_holds_are_one_event),
	};
	memset(large, 'L', sizeof(large));
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Lines of access logs: every dialect gives the request as it was sent, and whatever our own log
 * writes is read back to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "cli/replay_judge.h"
#include "guard_page.h"
#include "sallyport/http_head.h"
#include "sallyport/scribe.h"

static struct line_reader reader;
static struct logged logged;
static struct err err;
static char *kept;
static size_t kept_len;

static void forget(void)
{
	if (kept)
		guarded_free(kept, kept_len);
	kept = NULL;
	line_reader_release(&reader);
}

static enum line_kind read_bytes(enum log_dialect dialect, struct span line)
{
	forget();
	assert_true(line_reader_init(&reader, dialect));
	kept = guarded_copy(line.ptr, line.len);
	kept_len = line.len;
	err = (struct err){"(nothing was said)"};
	return line_read(&reader, kept, line.len, &logged, &err);
}

static void assert_span(struct span got, const char *want)
{
	if (!want) {
		assert_null(got.ptr);
		return;
	}
	if (!got.ptr || !span_eq(got, span_from_str(want)))
		fail_msg("got \"%.*s\", wanted \"%s\"", got.ptr ? (int)got.len : 6, got.ptr ? got.ptr : "(none)", want);
}

static const char *field(const char *name)
{
	static char text[1024];
	for (size_t i = 0; i < logged.field_count; i++) {
		if (!span_ieq(logged.fields[i].name, span_from_str(name)))
			continue;
		assert_true(logged.fields[i].value.len < sizeof(text));
		memcpy(text, logged.fields[i].value.ptr, logged.fields[i].value.len);
		text[logged.fields[i].value.len] = '\0';
		return text;
	}
	return NULL;
}

static const struct sample {
	const char *line;
	const char *method, *target, *version, *host, *client;
	unsigned status;
	const char *referer, *agent;
	bool is_tls;
} samples[] = {
    /* common */
    {"192.0.2.7 - - [23/Nov/2026:21:08:24 +0000] \"GET /a?b=c HTTP/1.1\" 200 512", "GET", "/a?b=c", "HTTP/1.1", NULL,
     "192.0.2.7", 200, NULL, NULL, false},
    {"in24.inetnebr.com - - [01/Aug/1995:00:00:01 -0400] \"GET /x\" 304 -", "GET", "/x", NULL, NULL, "in24.inetnebr.com",
     304, NULL, NULL, false},
    /* combined, of nginx: \xHH in capitals; of Apache: small ones, \" and \\ */
    {"::1 - joe [t] \"GET /\\x22\\x5C\\xC3\\xBC HTTP/1.1\" 404 0 \"-\" \"Mozilla/5.0 \\x22x\\x22\"", "GET", "/\"\\\xc3\xbc",
     "HTTP/1.1", NULL, "::1", 404, NULL, "Mozilla/5.0 \"x\"", false},
    {"::1 - - [t] \"GET /\\\"\\\\\\xc3\\xbc\\t\\v HTTP/1.1\" 404 0 \"http://x/\\\"\" \"\"", "GET", "/\"\\\xc3\xbc\t\v",
     "HTTP/1.1", NULL, "::1", 404, "http://x/\"", NULL, false},
    /* with a virtual host, a user with spaces and brackets, more behind it */
    {"www.shop.example:443 192.0.2.7 - - [t] \"GET / HTTP/2.0\" 200 1 \"-\" \"-\"", "GET", "/", "HTTP/2.0",
     "www.shop.example", "192.0.2.7", 200, NULL, NULL, true},
    {"192.0.2.7 - J. [x] Doe [t] \"POST /y HTTP/1.1\" 201 1 \"-\" \"curl\" \"10.0.0.1\" 0.003", "POST", "/y", "HTTP/1.1",
     NULL, "192.0.2.7", 201, NULL, "curl", false},
    /* quotes as they came */
    {"h - - [t] \"GET /movies/\"sts-71.mpg\" HTTP/1.0\" 200 7", "GET", "/movies/\"sts-71.mpg\"", "HTTP/1.0", NULL, "h", 200,
     NULL, NULL, false},
    /* no request line at all */
    {"h - - [t] \"\\x16\\x03\\x01\" 400 7 \"-\" \"-\"", "\x16\x03\x01", NULL, NULL, NULL, "h", 400, NULL, NULL, false},
    {"h - - [t] \"GET /a b\" 400 7 \"-\" \"-\"", "GET", "/a b", NULL, NULL, "h", 400, NULL, NULL, false},
    {"h - - [t] \"GET https://x.example/ HTTP/1.1\" 400 7 \"-\" \"-\"", "GET", "https://x.example/", "HTTP/1.1", NULL, "h",
     400, NULL, NULL, true},
    /* JSON of nginx, with its variables; with escape=default; with bytes that are no UTF-8 */
    {"{\"remote_addr\":\"192.0.2.7\",\"request\":\"GET /a?b HTTP/1.1\",\"status\":\"200\",\"http_host\":\"x.example\","
     "\"http_referer\":\"-\",\"http_user_agent\":\"curl/8\",\"scheme\":\"https\"}",
     "GET", "/a?b", "HTTP/1.1", "x.example", "192.0.2.7", 200, NULL, "curl/8", true},
    {"{\"request_method\":\"GET\",\"request_uri\":\"/\\x22\\xE4\\\\\",\"status\":200}", "GET", "/\"\xe4\\", "HTTP/1.1", NULL,
     NULL, 200, NULL, NULL, false},
    {"{\"method\":\"GET\",\"uri\":\"/\xe4\",\"args\":\"q=\xc3\xa4\",\"status\":200}", "GET", "/\xe4?q=\xc3\xa4", "HTTP/1.1",
     NULL, NULL, 200, NULL, NULL, false},
    /* of Apache: path and query apart */
    {"{\"requestMethod\":\"GET\",\"requestPath\":\"/a\",\"query\":\"?b=c\",\"protocol\":\"HTTP/1.0\",\"remoteIP\":\"::1\","
     "\"vhost\":\"v.example\",\"status\":\"404\",\"referer\":\"r\",\"userAgent\":\"u\"}",
     "GET", "/a?b=c", "HTTP/1.0", "v.example", "::1", 404, "r", "u", false},
    /* Logstash: the target is called request, and host is the machine that shipped the line */
    {"{\"verb\":\"GET\",\"request\":\"/l?x\",\"httpversion\":\"1.1\",\"response\":\"200\",\"clientip\":\"::1\",\"agent\":\"a\","
     "\"path\":\"/var/log/access.log\",\"host\":\"shipper\",\"http_host\":\"l.example\"}",
     "GET", "/l?x", "HTTP/1.1", "l.example", "::1", 200, NULL, "a", false},
    /* Caddy */
    {"{\"level\":\"info\",\"request\":{\"remote_ip\":\"192.0.2.7\",\"proto\":\"HTTP/2.0\",\"method\":\"GET\",\"host\":"
     "\"c.example\",\"uri\":\"/x?y\",\"headers\":{\"User-Agent\":[\"curl\"],\"Cookie\":[\"REDACTED\"],\"Host\":[\"no\"],"
     "\"Referer\":[\"z\"]},\"tls\":{\"version\":772}},\"status\":200}",
     "GET", "/x?y", "HTTP/2.0", "c.example", "192.0.2.7", 200, "z", "curl", true},
    /* Traefik */
    {"{\"ClientHost\":\"192.0.2.7\",\"DownstreamStatus\":302,\"RequestMethod\":\"GET\",\"RequestPath\":\"/t\","
     "\"RequestProtocol\":\"HTTP/1.1\",\"RequestHost\":\"t.example\",\"request_User-Agent\":\"a\",\"RequestScheme\":\"http\"}",
     "GET", "/t", "HTTP/1.1", "t.example", "192.0.2.7", 302, NULL, "a", false},
    /* the Elastic Common Schema, nested and flat */
    {"{\"http\":{\"request\":{\"method\":\"GET\",\"referrer\":\"r\"},\"response\":{\"status_code\":200}},\"url\":{\"original\":"
     "\"/e\",\"domain\":\"e.example\"},\"source\":{\"address\":\"::1\"},\"user_agent\":{\"original\":\"a\"}}",
     "GET", "/e", "HTTP/1.1", "e.example", "::1", 200, "r", "a", false},
    {"{\"http.request.method\":\"PUT\",\"url.original\":\"/f\",\"source.ip\":\"::1\"}", "PUT", "/f", "HTTP/1.1", NULL, "::1",
     0, NULL, NULL, false},
};

static void a_line_gives_what_was_sent(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct sample *s = &samples[i];
		if (read_bytes(DIALECT_AUTO, span_from_str(s->line)) != LINE_REQUEST)
			fail_msg("%s: %s", s->line, err.text);
		assert_span(logged.method, s->method);
		assert_span(logged.target, s->target);
		assert_span(logged.version, s->version);
		assert_span(logged.host, s->host);
		assert_span(logged.client, s->client);
		assert_int_equal(logged.status, s->status);
		assert_true(logged.is_tls == s->is_tls);
		assert_false(logged.is_ours || logged.is_cut || logged.is_egress);
		const char *referer = field("Referer");
		assert_true(s->referer ? referer && strcmp(referer, s->referer) == 0 : !referer);
		const char *agent = field("User-Agent");
		assert_true(s->agent ? agent && strcmp(agent, s->agent) == 0 : !agent);
	}
}

static void what_is_no_request_is_told_from_what_is_broken(void **state)
{
	static const struct {
		const char *line;
		enum line_kind kind;
	} lines[] = {
	    {"", LINE_OTHER},
	    {"#Fields: date time", LINE_OTHER},
	    {"192.0.2.7 - - [t] \"-\" 408 0 \"-\" \"-\"", LINE_OTHER},
	    {"2026-11-23T21:08:24.123Z reason=origin-down folded=41 event=\"origin is down\"", LINE_OTHER},
	    {"{\"time\":\"t\",\"kind\":\"event\",\"reason\":\"origin-down\",\"folded\":1,\"event\":\"x\"}", LINE_OTHER},
	    {"{\"level\":\"info\",\"msg\":\"server running\"}", LINE_OTHER},
	    {"no log at all", LINE_BAD},
	    {"192.0.2.7 - - [t] \"GET / HTTP", LINE_BAD},
	    {"192.0.2.7 - - [t] \"GET / HTTP/1.1\"", LINE_BAD},
	    {"192.0.2.7 - - [t] \"GET / HTTP/1.1\" abc 1", LINE_BAD},
	    {"192.0.2.7 - - [t] \"GET / HTTP/1.1\" 200 1 \"-\" \"Mozilla", LINE_BAD},
	    {"{\"request\":\"GET / HTTP/1.1\",\"sta", LINE_BAD},
	    {"{\"a\":[[[[", LINE_BAD},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		enum line_kind kind = read_bytes(DIALECT_AUTO, span_from_str(lines[i].line));
		if (kind != lines[i].kind)
			fail_msg("%s: %d", lines[i].line, (int)kind);
		assert_true(kind != LINE_BAD || strcmp(err.text, "(nothing was said)") != 0);
	}
}

static void a_dialect_that_is_named_is_the_only_one(void **state)
{
	static const char combined[] = "192.0.2.7 - - [t] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"";
	static const char json[] = "{\"request\":\"GET / HTTP/1.1\",\"status\":200}";
	(void)state;
	assert_int_equal(read_bytes(DIALECT_COMBINED, span_from_str(json)), LINE_BAD);
	assert_int_equal(read_bytes(DIALECT_JSON, span_from_str(combined)), LINE_BAD);
	assert_int_equal(read_bytes(DIALECT_SALLYPORT, span_from_str(combined)), LINE_BAD);
	assert_int_equal(read_bytes(DIALECT_SALLYPORT, span_from_str(json)), LINE_BAD);
	assert_int_equal(read_bytes(DIALECT_COMBINED, span_from_str(combined)), LINE_REQUEST);
	assert_int_equal(read_bytes(DIALECT_JSON, span_from_str(json)), LINE_REQUEST);
}

/* ---- our own ---- */

static char line[LOG_LINE_MAX];

static struct log_record record_of(enum verdict_action action, enum reason reason, bool enforced)
{
	struct log_record record = {.kind = LOG_RECORD_ACCESS, .version = HTTP_1_1, .action = (uint8_t)action,
				    .enforced = enforced, .status = 200, .reason = (uint16_t)reason};
	assert_true(addr_parse_ip(SPAN("192.0.2.7"), 0, &record.client));
	record.peer = record.client;
	return record;
}

typedef size_t format(const struct log_record *record, const struct span *texts, char *buf, size_t room);
static format *const formats[] = {log_format_combined, log_format_json};

static enum line_kind read_ours(format *write, const struct log_record *record, const struct span *texts)
{
	size_t len = write(record, texts, line, sizeof(line));
	assert_true(len > 1 && line[len - 1] == '\n');
	return read_bytes(DIALECT_SALLYPORT, span_of(line, len - 1));
}

/* Any bytes but the spaces that part a request line, and a "-" alone, which is none. */
static struct span random_text(char *buf, size_t max, bool has_spaces)
{
	size_t len = 1 + (size_t)rand() % max;
	for (size_t i = 0; i < len; i++) {
		buf[i] = (char)(rand() % 3 ? rand() % 256 : "\"\\x4\xc3\xa4\n\r{}:, "[rand() % 14]);
		if (!has_spaces && buf[i] == ' ')
			buf[i] = '/';
	}
	if (len == 1 && buf[0] == '-')
		buf[0] = '/';
	return span_of(buf, len);
}

static void what_our_log_writes_is_read_back(void **state)
{
	static char target[300], agent[300], host[60];
	(void)state;
	srand(7);
	for (int round = 0; round < 4000; round++) {
		struct log_record record = record_of(VERDICT_REJECT, REASON_RULE, round % 3 != 0);
		struct span texts[LOG_TEXT_COUNT] = {{0}};
		texts[LOG_TEXT_METHOD] = SPAN("GET");
		texts[LOG_TEXT_TARGET] = random_text(target, sizeof(target), false);
		texts[LOG_TEXT_USER_AGENT] = random_text(agent, sizeof(agent), true);
		texts[LOG_TEXT_HOST] = random_text(host, sizeof(host), true);
		texts[LOG_TEXT_RULE] = SPAN("sql.union");
		texts[LOG_TEXT_EVIDENCE] = texts[LOG_TEXT_TARGET];
		assert_int_equal(read_ours(formats[round % 2], &record, texts), LINE_REQUEST);
		assert_true(logged.is_ours && !logged.is_cut);
		assert_true(span_eq(logged.target, texts[LOG_TEXT_TARGET]));
		assert_true(span_eq(logged.host, texts[LOG_TEXT_HOST]));
		assert_int_equal(logged.field_count, 1);
		assert_true(span_eq(logged.fields[0].value, texts[LOG_TEXT_USER_AGENT]));
		assert_true(span_eq(logged.verdict.evidence, texts[LOG_TEXT_EVIDENCE]));
		assert_span(logged.verdict.rule, "sql.union");
		assert_span(logged.version, "HTTP/1.1");
		assert_true(logged.verdict.refused == (round % 3 != 0));
	}
}

/* "null" and "-" are how others write that there is none. */
static void words_for_none_are_texts_in_our_lines(void **state)
{
	struct log_record record = record_of(VERDICT_ALLOW, REASON_UNSET, true);
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct span texts[LOG_TEXT_COUNT] = {{0}};
		texts[LOG_TEXT_METHOD] = SPAN("GET");
		texts[LOG_TEXT_TARGET] = SPAN("null");
		texts[LOG_TEXT_USER_AGENT] = SPAN("null");
		assert_int_equal(read_ours(formats[i], &record, texts), LINE_REQUEST);
		assert_span(logged.target, "null");
		assert_string_equal(field("User-Agent"), "null");
	}
	assert_int_equal(read_bytes(DIALECT_AUTO, SPAN("{\"method\":\"GET\",\"uri\":\"/x\",\"user_agent\":\"null\"}")), LINE_REQUEST);
	assert_null(field("User-Agent"));
}

static void a_request_that_was_cut_is_told(void **state)
{
	struct log_record record = record_of(VERDICT_ALLOW, REASON_UNSET, true);
	struct span texts[LOG_TEXT_COUNT] = {{0}};
	(void)state;
	texts[LOG_TEXT_METHOD] = SPAN("GET");
	texts[LOG_TEXT_TARGET] = SPAN("/x");
	record.truncated = 1u << LOG_TEXT_TARGET;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(read_ours(formats[i], &record, texts), LINE_REQUEST);
		assert_true(logged.is_cut);
	}
}

static void requests_of_the_gate_are_told(void **state)
{
	struct log_record record = record_of(VERDICT_ALLOW, REASON_UNSET, true);
	struct span texts[LOG_TEXT_COUNT] = {{0}};
	(void)state;
	texts[LOG_TEXT_METHOD] = SPAN("CONNECT");
	texts[LOG_TEXT_TARGET] = SPAN("x.example:443");
	texts[LOG_TEXT_SITE] = SPAN("egress");
	texts[LOG_TEXT_EGRESS] = SPAN("10.0.0.5");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(read_ours(formats[i], &record, texts), LINE_REQUEST);
		assert_true(logged.is_egress);
	}
}

static void what_became_of_it_is_known_as_far_as_the_log_shows(void **state)
{
	static const struct {
		enum verdict_action action;
		enum reason reason;
		bool enforced;
		struct span evidence;
		enum then then;
	} cases[] = {
	    {VERDICT_ALLOW, REASON_UNSET, true, {0}, THEN_PASSED},
	    {VERDICT_COPY, REASON_GUARD_CHANGED, true, {0}, THEN_PASSED},
	    {VERDICT_REJECT, REASON_ORIGIN_TIMEOUT, true, {0}, THEN_PASSED},
	    {VERDICT_REJECT, REASON_RULE, false, {"q=1", 3}, THEN_PASSED},
	    {VERDICT_REJECT, REASON_RULE, true, {"q=1", 3}, THEN_REFUSED},
	    {VERDICT_TARPIT, REASON_ESCAPE_NUL, true, {"q", 1}, THEN_REFUSED},
	    {VERDICT_CLOSE, REASON_URL_TOO_LONG, true, {0}, THEN_REFUSED},
	    {VERDICT_REJECT, REASON_RULE, true, {"in the content", 14}, THEN_REFUSED_UNSEEN},
	    {VERDICT_REJECT, REASON_THROTTLED, true, {0}, THEN_REFUSED_UNSEEN},
	    {VERDICT_REJECT, REASON_BODY_MALFORMED, true, {0}, THEN_REFUSED_UNSEEN},
	    {VERDICT_REJECT, REASON_COOKIE_TOO_LARGE, true, {0}, THEN_REFUSED_UNSEEN},
	    {VERDICT_REJECT, REASON_FIELD_SPACE, true, {0}, THEN_REFUSED_UNSEEN},
	};
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		struct log_record record = record_of(cases[i / 2].action, cases[i / 2].reason, cases[i / 2].enforced);
		struct span texts[LOG_TEXT_COUNT] = {{0}};
		texts[LOG_TEXT_METHOD] = SPAN("GET");
		texts[LOG_TEXT_TARGET] = SPAN("/?q=1");
		texts[LOG_TEXT_EVIDENCE] = cases[i / 2].evidence;
		assert_int_equal(read_ours(formats[i % 2], &record, texts), LINE_REQUEST);
		if (replay_then(&logged) != cases[i / 2].then)
			fail_msg("case %zu: %d", i / 2, (int)replay_then(&logged));
	}
	assert_int_equal(read_bytes(DIALECT_AUTO, SPAN("h - - [t] \"GET / HTTP/1.1\" 403 1")), LINE_REQUEST);
	assert_int_equal(replay_then(&logged), THEN_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_gives_what_was_sent),
	    cmocka_unit_test(what_is_no_request_is_told_from_what_is_broken),
	    cmocka_unit_test(a_dialect_that_is_named_is_the_only_one),
	    cmocka_unit_test(what_our_log_writes_is_read_back),
	    cmocka_unit_test(words_for_none_are_texts_in_our_lines),
	    cmocka_unit_test(a_request_that_was_cut_is_told),
	    cmocka_unit_test(requests_of_the_gate_are_told),
	    cmocka_unit_test(what_became_of_it_is_known_as_far_as_the_log_shows),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	forget();
	return failed;
}

/* Fetches from a server in the same loop: what is asked, what comes of each way an origin may behave,
 * and that time and memory are bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "guard/fetch_server.h"
#include "sallyport/fetch.h"

enum { MIB = 1 << 20 };

static struct {
	struct loop *loop;
	struct resolver *resolver;
	struct fetcher *fetcher;
	struct server server;
} world;

struct got {
	bool done;
	enum sample_outcome outcome;
	char error[FETCH_ERROR_SIZE];
	unsigned status;
	size_t len;
	char content[64];
	uint64_t took_ms;
	bool starts_another;
};

static void begin(uint64_t memory_bytes)
{
	struct err err;
	world.loop = loop_new(&err);
	world.resolver = resolver_new(world.loop, &err);
	assert_non_null(world.resolver);
	struct fetcher_setup setup = {
	    .loop = world.loop, .resolver = world.resolver, .memory_bytes = memory_bytes};
	world.fetcher = fetcher_new(&setup, &err);
	assert_non_null(world.fetcher);
	server_start(&world.server, world.loop);
}

static void end(void)
{
	fetcher_free(world.fetcher);
	server_stop(&world.server);
	resolver_free(world.resolver);
	loop_free(world.loop);
}

static int setup(void **state)
{
	(void)state;
	begin(64 * MIB);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	end();
	return 0;
}

static struct fetch_request request_of(const char *target)
{
	return (struct fetch_request){.origin = "127.0.0.1", .port = world.server.port,
				      .host = "shop.example", .target = target, .agent = JOB_AGENT_OWN,
				      .referer = JOB_REFERER_NONE, .timeout_ms = 5000, .max_bytes = MIB};
}

static void on_done(void *context, const struct fetch_result *result)
{
	struct got *got = context;
	assert_false(got->done);
	got->done = true;
	got->outcome = result->outcome;
	snprintf(got->error, sizeof(got->error), "%s", result->error);
	got->took_ms = result->took_ms;
	if (result->outcome == SAMPLE_WHOLE) {
		got->status = result->page->head.status;
		got->len = result->content.len;
		if (got->len > 0)
			memcpy(got->content, result->content.ptr, got->len < 63 ? got->len : 63);
	}
	if (got->starts_another) {
		struct fetch_request request = request_of("/0");
		assert_non_null(fetch_start(world.fetcher, &request, on_done, got + 1));
	}
}

static void wait_for(struct got *got)
{
	struct err err;
	for (int i = 0; i < 100000 && !got->done; i++)
		assert_true(loop_once(world.loop, 1000, &err));
	assert_true(got->done);
}

static struct got fetch(const struct fetch_request *request)
{
	struct got got = {0};
	assert_non_null(fetch_start(world.fetcher, request, on_done, &got));
	assert_false(got.done);
	wait_for(&got);
	return got;
}

#define OK "HTTP/1.1 200 OK\r\n"

static void what_is_asked_is_a_strangers_request(void **state)
{
	(void)state;
	char expected[1024];
	world.server.answers[0] = SERVER_ANSWER(OK "Content-Length: 5\r\n\r\nhello");
	struct fetch_request request = request_of("/0/a/../b?c=\"d\"");
	struct got got = fetch(&request);
	assert_int_equal(got.outcome, SAMPLE_WHOLE);
	assert_string_equal(got.error, "");
	assert_string_equal(got.content, "hello");
	snprintf(expected, sizeof(expected), "%s",
		 "GET /0/a/../b?c=\"d\" HTTP/1.1\r\nHost: shop.example\r\n"
		 "User-Agent: sallyport-scout/" SALLYPORT_VERSION "\r\n"
		 "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
		 "Accept-Encoding: gzip, br, zstd\r\n\r\n");
	assert_string_equal(world.server.last, expected);
}

/* Everything but these two fields is the same. */
static void agents_and_referers_differ_in_their_own_fields_only(void **state)
{
	(void)state;
	static const char *const words[JOB_AGENT_COUNT] = {
	    NULL, "sallyport-scout/", "Chrome/", "Googlebot/", "iPhone"};
	world.server.answers[0] = SERVER_ANSWER(OK "Content-Length: 0\r\n\r\n");
	for (int agent = JOB_AGENT_OWN; agent < JOB_AGENT_COUNT; agent++) {
		for (int referer = JOB_REFERER_NONE; referer < JOB_REFERER_COUNT; referer++) {
			struct fetch_request request = request_of("/0");
			request.agent = (enum job_agent)agent;
			request.referer = (enum job_referer)referer;
			assert_int_equal(fetch(&request).outcome, SAMPLE_WHOLE);
			char *line = strstr(world.server.last, "User-Agent: ");
			assert_non_null(strstr(line, words[agent]));
			char *sent = strstr(world.server.last, "Referer: https://www.google.com/\r\n");
			assert_int_equal(sent != NULL, referer == JOB_REFERER_SEARCH);
			assert_null(strstr(world.server.last, "Cookie"));
			assert_null(strstr(world.server.last, "Authorization"));
		}
	}
}

static void environment_and_redirects_change_nothing(void **state)
{
	(void)state;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "socks5://127.0.0.1:1", 1);
	world.server.answers[0] = SERVER_ANSWER(
	    "HTTP/1.1 302 Found\r\nLocation: /1\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nno");
	struct fetch_request request = request_of("/0");
	struct got got = fetch(&request);
	assert_int_equal(got.outcome, SAMPLE_WHOLE);
	assert_int_equal(got.status, 302);
	assert_string_equal(got.content, "no");
	fetch(&request);
	assert_null(strstr(world.server.last, "a=b"));
	assert_int_equal(world.server.connections, 2);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
}

static void each_way_to_answer_has_its_outcome(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		enum sample_outcome outcome;
		const char *error;
	} rows[] = {
	    {OK "\r\nto the end", SAMPLE_WHOLE, ""},
	    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n", SAMPLE_WHOLE, ""},
	    {OK "Transfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\n\r\n", SAMPLE_BROKEN, "chunk-extension"},
	    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", SAMPLE_BROKEN, ""},
	    {OK "Content-Length: 10\r\n\r\nabc", SAMPLE_BROKEN, ""},
	    {OK "Content-Length: 3\r\n\r\nabcdef", SAMPLE_WHOLE, ""},
	    {OK "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", SAMPLE_BROKEN, "malformed"},
	    {"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 0\r\n\r\n", SAMPLE_WHOLE, ""},
	    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", SAMPLE_WHOLE, ""},
	    {"<html>no head", SAMPLE_BROKEN, ""},
	    {"", SAMPLE_BROKEN, ""},
	    {"SSH-2.0-OpenSSH_9.2\r\n", SAMPLE_BROKEN, ""},
	    {"HTTP/2 200\r\n\r\n", SAMPLE_BROKEN, ""},
	    {OK "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", SAMPLE_BROKEN, ""},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t step = 0; step < 2; step++) {
			world.server.answers[3] = (struct server_answer){
			    .bytes = rows[i].bytes, .len = strlen(rows[i].bytes), .step = step};
			struct fetch_request request = request_of("/3");
			struct got got = fetch(&request);
			if (got.outcome != rows[i].outcome || !strstr(got.error, rows[i].error) ||
			    (got.outcome != SAMPLE_WHOLE && !got.error[0]))
				fail_msg("%s gives %d '%s'", rows[i].bytes, (int)got.outcome, got.error);
		}
	}
}

static void who_cannot_be_reached_is_said_to_be(void **state)
{
	(void)state;
	struct fetch_request request = request_of("/0");
	request.port = 1; /* nobody listens there */
	struct got got = fetch(&request);
	assert_int_equal(got.outcome, SAMPLE_UNREACHED);
	assert_non_null(strstr(got.error, "connect"));
	/* plain HTTP where TLS is asked for */
	world.server.answers[0] = SERVER_ANSWER(OK "\r\n");
	request = request_of("/0");
	request.tls = true;
	request.timeout_ms = 300;
	got = fetch(&request);
	assert_true(got.outcome == SAMPLE_UNREACHED || got.outcome == SAMPLE_TIMEOUT);
}

static void a_name_is_resolved_by_our_own_resolver(void **state)
{
	(void)state;
	world.server.answers[0] = SERVER_ANSWER(OK "Content-Length: 2\r\n\r\nok");
	struct fetch_request request = request_of("/0");
	request.origin = "localhost"; /* from the hosts file: it may have ::1, too, where nobody listens */
	for (int i = 0; i < 3; i++)
		assert_int_equal(fetch(&request).outcome, SAMPLE_WHOLE);
	request.origin = "nobody.invalid";
	request.timeout_ms = 200;
	struct err err;
	struct got got = {0};
	assert_non_null(fetch_start(world.fetcher, &request, on_done, &got));
	for (int i = 0; i < 10000 && !got.done; i++)
		assert_true(loop_once(world.loop, 100, &err));
	assert_int_equal(got.outcome, SAMPLE_UNREACHED);
	assert_non_null(strstr(got.error, "nobody.invalid"));
}

static void silence_and_dripping_end_in_time(void **state)
{
	(void)state;
	world.server.answers[1] = SERVER_ANSWER(OK "Content-Length: 5\r\n\r\nhe");
	world.server.answers[1].stays_open = true;
	world.server.answers[2] = SERVER_ANSWER(OK "Content-Length: 500000\r\n\r\nx");
	world.server.answers[2].step = 1;
	world.server.answers[2].forever = true;
	static const char *const targets[] = {"/nothing", "/1", "/2"};
	for (unsigned i = 0; i < 3; i++) {
		struct fetch_request request = request_of(targets[i]);
		request.timeout_ms = 150;
		struct got got = fetch(&request);
		assert_int_equal(got.outcome, SAMPLE_TIMEOUT);
		assert_in_range(got.took_ms, 100, 2000);
	}
}

/* Endless heads, endless content: they end at their limit, and little more was read. */
static void what_has_no_end_is_ended(void **state)
{
	(void)state;
	static char line[1000], content[65536];
	memset(line, 'a', sizeof(line));
	memcpy(line, OK "X: ", 20);
	memcpy(line + 998, "\r\n", 2);
	memset(content, 'c', sizeof(content));
	memcpy(content, OK "\r\n", 19);
	world.server.answers[1] = (struct server_answer){.bytes = line, .len = sizeof(line), .forever = true};
	world.server.answers[2] =
	    (struct server_answer){.bytes = content, .len = sizeof(content), .forever = true};
	world.server.answers[4] = SERVER_ANSWER("HTTP/1.1 103 Early Hints\r\n\r\n");
	world.server.answers[4].forever = true;
	struct fetch_request request = request_of("/1");
	assert_int_equal(fetch(&request).outcome, SAMPLE_BROKEN);
	request = request_of("/4");
	assert_int_equal(fetch(&request).outcome, SAMPLE_BROKEN);
	world.server.sent = 0;
	request = request_of("/2");
	struct got got = fetch(&request);
	assert_int_equal(got.outcome, SAMPLE_TOO_LARGE);
	assert_non_null(strstr(got.error, "more than 1048576 bytes"));
	/* what the kernel's buffers hold besides */
	assert_true(world.server.sent < 16 * MIB);
}

static void contents_together_stay_within_their_memory(void **state)
{
	(void)state;
	enum { FETCHES = 12, SIZE = 600000 };
	static char content[SIZE];
	static struct got got[FETCHES];
	end();
	begin(SIZE);
	memset(content, 'c', sizeof(content));
	memcpy(content, OK "\r\n", 19);
	memset(got, 0, sizeof(got));
	for (unsigned i = 0; i < FETCHES; i++) {
		world.server.answers[i] =
		    (struct server_answer){.bytes = content, .len = SIZE, .step = i % 2 ? 50000 : 0};
		char target[8];
		snprintf(target, sizeof(target), "/%u", i);
		struct fetch_request request = request_of(target);
		assert_non_null(fetch_start(world.fetcher, &request, on_done, &got[i]));
	}
	struct err err;
	uint64_t most = 0;
	for (unsigned i = 0; i < FETCHES;) {
		assert_true(loop_once(world.loop, 1000, &err));
		uint64_t now = fetcher_memory(world.fetcher);
		most = now > most ? now : most;
		i += got[i].done;
	}
	assert_in_range(most, SIZE, SIZE + 2 * MIB);
	assert_int_equal(fetcher_memory(world.fetcher), 0);
	for (unsigned i = 0; i < FETCHES; i++) {
		assert_int_equal(got[i].outcome, SAMPLE_WHOLE);
		assert_int_equal(got[i].len, SIZE - 19);
	}
	assert_int_equal(world.server.most_open, FETCHES);
}

static void a_fetch_may_be_cancelled_and_start_another(void **state)
{
	(void)state;
	struct err err;
	struct got got[2] = {{.starts_another = true}}, never = {0};
	world.server.answers[0] = SERVER_ANSWER(OK "Content-Length: 2\r\n\r\nok");
	struct fetch_request request = request_of("/0");
	assert_non_null(fetch_start(world.fetcher, &request, on_done, &got[0]));
	wait_for(&got[1]);
	assert_int_equal(got[1].outcome, SAMPLE_WHOLE);
	struct fetch_request silent = request_of("/silent");
	struct fetch *fetch = fetch_start(world.fetcher, &silent, on_done, &never);
	fetch_cancel(fetch);
	fetch = fetch_start(world.fetcher, &silent, on_done, &never);
	for (int i = 0; i < 100 && world.server.connections < 3; i++)
		assert_true(loop_once(world.loop, 100, &err));
	fetch_cancel(fetch);
	for (int i = 0; i < 100 && world.server.open > 0; i++)
		assert_true(loop_once(world.loop, 100, &err));
	assert_int_equal(world.server.open, 0);
	assert_false(never.done);
	/* and what still runs ends with the fetcher, without a word: see teardown */
	assert_non_null(fetch_start(world.fetcher, &silent, on_done, &never));
	assert_true(loop_once(world.loop, 0, &err));
}

static void the_systems_authorities_are_read(void **state)
{
	(void)state;
	size_t len;
	char *text = fetch_read_authorities(&len);
	assert_true((text != NULL) == (len > 0));
	if (access("/etc/ssl/certs/ca-certificates.crt", R_OK) == 0) {
		assert_non_null(text);
		assert_memory_equal(text, "-----BEGIN CERTIFICATE-----", 27);
	}
	free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(what_is_asked_is_a_strangers_request),
	    TEST(agents_and_referers_differ_in_their_own_fields_only),
	    TEST(environment_and_redirects_change_nothing),
	    TEST(each_way_to_answer_has_its_outcome),
	    TEST(who_cannot_be_reached_is_said_to_be),
	    TEST(a_name_is_resolved_by_our_own_resolver),
	    TEST(silence_and_dripping_end_in_time),
	    TEST(what_has_no_end_is_ended),
	    TEST(contents_together_stay_within_their_memory),
	    TEST(a_fetch_may_be_cancelled_and_start_another),
	    TEST(the_systems_authorities_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The console: its API on both sockets, and what it does when the master is slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>

#include "sallyport/clock.h"
#include "sallyport/console.h"
#include "sallyport/json.h"
#include "sallyport/log.h"
#include "serve/console_report.h"
#include "serve/daemon.h"

enum behaviour { ANSWER_AT_ONCE, ANSWER_LATER, ANSWER_NEVER };

#define MASTER_STATUS                                                                              \
	"{\"generation\":3,\"ready\":true,\"uptime_s\":12,\"policy\":\"p.cfg\",\"workers\":2,"     \
	"\"processes\":[{\"role\":\"worker\",\"pid\":7,\"slot\":0,\"restarts\":0,\"state\":"       \
	"\"serving\"}]}"

/* The fake master lives in the loop's thread; a test sets it up before it asks. */
static struct {
	char dir[64], socket[96];
	unsigned port;
	struct loop *loop;
	struct stats *stats;
	struct console *console;
	struct daemon_thread daemon;
	struct timer later;
	_Atomic int behaviour;
	_Atomic bool ok;
	const char *_Atomic text;
	_Atomic int asked[CONSOLE_PAUSE + 1];
	struct pause_request paused;
	uint64_t tickets[128];
	size_t ticket_count;
} world;

static void answer_all(void)
{
	const char *text = world.text;
	for (size_t i = 0; i < world.ticket_count; i++)
		console_answer(world.console, world.tickets[i], world.ok, span_from_str(text));
	world.ticket_count = 0;
}

static void on_later(struct timer *timer)
{
	(void)timer;
	answer_all();
}

static void take_order(void *context, enum console_order order, uint64_t ticket,
		       const struct pause_request *pause)
{
	assert_int_equal(pause != NULL, order == CONSOLE_PAUSE);
	if (pause)
		world.paused = *pause;
	assert_ptr_equal(context, &world);
	world.asked[order]++;
	if (world.behaviour == ANSWER_NEVER)
		return;
	assert_true(world.ticket_count < 128);
	world.tickets[world.ticket_count++] = ticket;
	if (world.behaviour == ANSWER_AT_ONCE)
		answer_all();
	else
		loop_arm(world.loop, &world.later, loop_now_ms(world.loop) + 30);
}

static int setup(void **state)
{
	struct err err;
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	memset(&world, 0, sizeof(world));
	snprintf(world.dir, sizeof(world.dir), "/tmp/sallyport-console-XXXXXX");
	assert_non_null(mkdtemp(world.dir));
	snprintf(world.socket, sizeof(world.socket), "%s/c.sock", world.dir);
	world.loop = loop_new(&err);
	world.stats = calloc(1, sizeof(*world.stats));
	world.later.on_expiry = on_later;
	world.ok = true;
	world.text = MASTER_STATUS;
	world.behaviour = ANSWER_LATER;
	struct console_setup s = {.stats = world.stats,
				  .unix_fd = daemon_listen_unix(world.socket),
				  .tcp_fd = daemon_listen_tcp(&world.port),
				  .order = take_order,
				  .context = &world};
	world.console = console_new(world.loop, &s, &err);
	assert_non_null(world.console);
	daemon_start(&world.daemon, world.loop);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	daemon_stop(&world.daemon);
	console_free(world.console);
	loop_free(world.loop);
	free(world.stats);
	unlink(world.socket);
	return rmdir(world.dir);
}

static void ask(struct fetch *fetch, const char *method, const char *path)
{
	char url[256];
	fetch->socket = world.socket;
	fetch->method = method;
	snprintf(url, sizeof(url), "http://sallyport%s", path);
	fetch_run(fetch, url);
}

static void ask_tcp(struct fetch *fetch, const char *method, const char *path)
{
	char url[256];
	fetch->socket = NULL;
	fetch->method = method;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", world.port, path);
	fetch_run(fetch, url);
}

static void livez_answers_without_the_master(void **state)
{
	struct fetch fetch = {0};
	(void)state;
	world.behaviour = ANSWER_NEVER;
	ask(&fetch, "GET", "/livez");
	assert_int_equal(fetch.status, 200);
	ask_tcp(&fetch, "HEAD", "/livez");
	assert_int_equal(fetch.status, 200);
	fetch_release(&fetch);
}

static void readyz_says_what_the_master_says(void **state)
{
	struct fetch fetch = {0};
	(void)state;
	ask(&fetch, "GET", "/readyz");
	assert_int_equal(fetch.status, 200);
	world.text = "{\"ready\":false}";
	ask(&fetch, "GET", "/readyz");
	assert_int_equal(fetch.status, 503);
	world.text = "not json";
	ask(&fetch, "GET", "/readyz");
	assert_int_equal(fetch.status, 503);
	fetch_release(&fetch);
}

static void status_joins_the_master_and_the_counters(void **state)
{
	struct fetch fetch = {0};
	(void)state;
	atomic_store(&world.stats->slots[0].requests, 40);
	atomic_store(&world.stats->slots[63].requests, 2);
	atomic_store(&world.stats->slots[63].in_use, 1);
	atomic_store(&world.stats->slots[1].status_class[4], 3);
	atomic_store(&world.stats->slots[1].reasons[REASON_RULE], 5);
	for (int i = 0; i < 2; i++) {
		world.behaviour = i == 0 ? ANSWER_AT_ONCE : ANSWER_LATER;
		ask(&fetch, "GET", "/api/status");
		assert_int_equal(fetch.status, 200);
		assert_true(fetch_head_has(&fetch, "Content-Type: application/json"));
		struct json_value *said = json_read(strbuf_span(&fetch.body), NULL);
		assert_non_null(said);
		assert_int_equal(json_number(said, "generation"), 3);
		assert_true(json_bool(said, "ready"));
		assert_int_equal(json_number(said, "slots"), 1);
		assert_int_equal(json_count(json_member(said, "processes")), 1);
		assert_int_equal(json_number(json_member(said, "counters"), "requests"), 42);
		assert_int_equal(json_number(json_member(said, "responses"), "4xx"), 3);
		const struct json_value *reasons = json_member(said, "reasons");
		assert_int_equal(json_count(reasons), 1);
		assert_int_equal(json_number(json_element(reasons, 0), "count"), 5);
		json_free(said);
	}
	fetch_release(&fetch);
}

static void a_master_that_cannot_tell_is_a_503(void **state)
{
	static const char *const texts[] = {"", "{", "[1]", "\"text\""};
	struct fetch fetch = {0};
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		world.text = texts[i];
		ask(&fetch, "GET", "/api/status");
		assert_int_equal(fetch.status, 503);
	}
	world.text = MASTER_STATUS;
	world.ok = false;
	ask(&fetch, "GET", "/api/status");
	assert_int_equal(fetch.status, 503);
	fetch_release(&fetch);
}

static void a_master_that_does_not_answer_is_a_504(void **state)
{
	struct fetch fetch = {0};
	(void)state;
	world.behaviour = ANSWER_NEVER;
	uint64_t begin = clock_mono_ms();
	ask(&fetch, "GET", "/api/status");
	assert_int_equal(fetch.status, 504);
	assert_in_range(clock_mono_ms() - begin, 4900, 8000);
	fetch_release(&fetch);
}

static void reload_and_stop_are_passed_on(void **state)
{
	struct fetch fetch = {0};
	(void)state;
	world.text = "";
	ask(&fetch, "POST", "/api/reload");
	assert_int_equal(fetch.status, 200);
	assert_string_equal(fetch.body.data, "{\"ok\":true}");
	ask(&fetch, "POST", "/api/stop");
	assert_int_equal(fetch.status, 202);
	world.ok = false;
	world.text = "a.cfg:1: error: \"x\"\n";
	ask(&fetch, "POST", "/api/reload");
	assert_int_equal(fetch.status, 409);
	assert_string_equal(fetch.body.data,
			    "{\"ok\":false,\"errors\":\"a.cfg:1: error: \\\"x\\\"\\n\"}");
	assert_int_equal(world.asked[CONSOLE_RELOAD], 2);
	assert_int_equal(world.asked[CONSOLE_STOP], 1);
	fetch_release(&fetch);
}

static void an_order_over_tcp_needs_its_field(void **state)
{
	struct fetch fetch = {0};
	(void)state;
	ask_tcp(&fetch, "POST", "/api/stop");
	assert_int_equal(fetch.status, 403);
	fetch.fields[0] = "X-Sallyport-Order: 0";
	ask_tcp(&fetch, "POST", "/api/reload");
	assert_int_equal(fetch.status, 403);
	assert_int_equal(world.asked[CONSOLE_RELOAD] + world.asked[CONSOLE_STOP], 0);
	fetch.fields[0] = "X-Sallyport-Order: 1";
	ask_tcp(&fetch, "POST", "/api/reload");
	assert_int_equal(fetch.status, 200);
	fetch_release(&fetch);
}

static void a_pause_is_passed_on_with_its_site(void **state)
{
	static const char order[] = "{\"leg\":\"shield\",\"site\":\"shop\",\"duration_ms\":1800000}";
	struct fetch fetch = {.content = order};
	(void)state;
	world.text = "";
	ask(&fetch, "POST", "/api/pause");
	assert_int_equal(fetch.status, 200);
	assert_string_equal(fetch.body.data, "{\"ok\":true}");
	assert_int_equal(world.paused.leg, LEG_SHIELD);
	assert_int_equal(world.paused.duration_ms, 1800000);
	assert_string_equal(world.paused.site, "shop");
	world.ok = false;
	world.text = "there is no site \"shop\"";
	ask(&fetch, "POST", "/api/pause");
	assert_int_equal(fetch.status, 409);
	assert_true(fetch_body_has(&fetch, "there is no site"));
	assert_int_equal(world.asked[CONSOLE_PAUSE], 2);
	fetch_release(&fetch);
}

static void a_pause_that_is_none_goes_nowhere(void **state)
{
	struct fetch fetch = {.content = "{\"leg\":\"shield\",\"site\":\"shop\"}"};
	(void)state;
	ask(&fetch, "POST", "/api/pause");
	assert_int_equal(fetch.status, 400);
	assert_true(fetch_body_has(&fetch, "duration_ms"));
	fetch.content = "{\"leg\":\"shield\",\"site\":\"shop\",\"duration_ms\":1}";
	ask_tcp(&fetch, "POST", "/api/pause");
	assert_int_equal(fetch.status, 403);
	ask(&fetch, "GET", "/api/pause");
	assert_int_equal(fetch.status, 405);
	assert_int_equal(world.asked[CONSOLE_PAUSE], 0);
	fetch_release(&fetch);
}

static void a_foreign_host_is_refused_over_tcp(void **state)
{
	static const struct {
		const char *host;
		long status;
	} cases[] = {
	    {"Host: localhost", 200},
	    {"Host: LOCALHOST:8081", 200},
	    {"Host: 127.0.0.1", 200},
	    {"Host: 127.9.9.9:1", 200},
	    {"Host: [::1]:8081", 200},
	    {"Host: evil.example", 403},
	    {"Host: localhost.evil.example", 403},
	    {"Host: 192.0.2.1", 403},
	    {"Host: 127.0.0.1.evil.example", 403},
	    {"Host: user@localhost", 403},
	    {"Host: 2130706433", 403},
	    {"Host;", 403},
	};
	struct fetch fetch = {0};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fetch.fields[0] = cases[i].host;
		ask_tcp(&fetch, "GET", "/livez");
		assert_int_equal(fetch.status, cases[i].status);
	}
	fetch_release(&fetch);
}

static void wrong_paths_and_methods_are_refused(void **state)
{
	struct fetch fetch = {0};
	(void)state;
	ask(&fetch, "GET", "/api/reload");
	assert_int_equal(fetch.status, 405);
	assert_true(fetch_head_has(&fetch, "Allow: POST"));
	ask(&fetch, "POST", "/api/status");
	assert_int_equal(fetch.status, 405);
	ask(&fetch, "GET", "/api/status/");
	assert_int_equal(fetch.status, 404);
	ask(&fetch, "GET", "/%6civez");
	assert_int_equal(fetch.status, 404);
	ask(&fetch, "GET", "/../console.js");
	assert_int_equal(fetch.status, 404);
	assert_int_equal(world.asked[CONSOLE_RELOAD] + world.asked[CONSOLE_STATUS], 0);
	fetch_release(&fetch);
}

static void content_over_the_limit_ends_the_connection(void **state)
{
	static char content[100000];
	struct fetch fetch = {.fields = {"Expect:"}, .content = content};
	(void)state;
	memset(content, 'a', sizeof(content) - 1);
	ask(&fetch, "POST", "/api/stop");
	assert_int_equal(fetch.status, 0);
	assert_int_equal(world.asked[CONSOLE_STOP], 0);
	fetch_release(&fetch);
}

static void every_reply_forbids_caching_and_framing(void **state)
{
	static const char *const paths[] = {"/", "/livez", "/api/status", "/metrics", "/nothing"};
	struct fetch fetch = {0};
	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		ask_tcp(&fetch, "GET", paths[i]);
		assert_true(fetch_head_has(&fetch, "Cache-Control: no-store"));
		assert_true(fetch_head_has(&fetch, "X-Content-Type-Options: nosniff"));
		assert_true(fetch_head_has(&fetch, "default-src 'none'"));
		assert_true(fetch_head_has(&fetch, "frame-ancestors 'none'"));
	}
	fetch_release(&fetch);
}

static void the_page_and_its_files_are_served(void **state)
{
	struct fetch fetch = {0};
	(void)state;
	ask_tcp(&fetch, "GET", "/");
	assert_int_equal(fetch.status, 200);
	assert_true(fetch_head_has(&fetch, "text/html"));
	/* what the policy of content forbids must not be there */
	assert_false(fetch_body_has(&fetch, "style="));
	assert_false(fetch_body_has(&fetch, "onclick"));
	assert_false(fetch_body_has(&fetch, "<style"));
	assert_false(fetch_body_has(&fetch, "://"));
	ask_tcp(&fetch, "GET", "/console.js");
	assert_true(fetch_head_has(&fetch, "text/javascript"));
	assert_false(fetch_body_has(&fetch, "innerHTML"));
	ask_tcp(&fetch, "GET", "/console.css");
	assert_true(fetch_head_has(&fetch, "text/css"));
	ask_tcp(&fetch, "GET", "/icon.svg");
	assert_true(fetch_head_has(&fetch, "image/svg+xml"));
	ask_tcp(&fetch, "DELETE", "/");
	assert_int_equal(fetch.status, 405);
	fetch_release(&fetch);
}

static void metrics_have_every_counter_once(void **state)
{
	struct fetch fetch = {0};
	(void)state;
	atomic_store(&world.stats->slots[5].requests_rejected, 7);
	atomic_store(&world.stats->slots[5].connections, 9);
	atomic_store(&world.stats->slots[5].reasons[REASON_BARE_LF], 11);
	atomic_store(&world.stats->rules.pack_version, 12);
	atomic_store(&world.stats->rules.made_s, 1);
	ask(&fetch, "GET", "/metrics");
	assert_int_equal(fetch.status, 200);
	assert_true(fetch_head_has(&fetch, "text/plain; version=0.0.4"));
	assert_true(fetch_body_has(&fetch, "\nsallyport_requests_rejected_total 7\n"));
	assert_true(fetch_body_has(
	    &fetch, "# TYPE sallyport_connections gauge\nsallyport_connections 9\n"));
	assert_true(fetch_body_has(&fetch, "\nsallyport_reasons_total{reason=\"bare-lf\"} 11\n"));
	assert_true(fetch_body_has(&fetch, "\nsallyport_responses_total{class=\"5xx\"} 0\n"));
	assert_true(fetch_body_has(&fetch, "\nsallyport_rules_pack_version 12\n"));
	assert_true(fetch_body_has(&fetch, "# TYPE sallyport_rules_age_seconds gauge\n"));
	const size_t of_rules = 3 * 3;
	size_t lines = 0;
	for (size_t i = 0; i < fetch.body.len; i++)
		lines += fetch.body.data[i] == '\n';
	size_t stats = 0;
#define COUNT(name, help) stats++;
	STATS(COUNT, COUNT)
#undef COUNT
	assert_int_equal(lines, 6 + of_rules + 3 * stats + 2 + STATS_STATUS_CLASSES + 2 + REASON_COUNT - 1);
	fetch_release(&fetch);
}

enum { CALLERS = 16 };

static void *call_often(void *failures)
{
	for (int i = 0; i < 20; i++) {
		struct fetch fetch = {0};
		ask(&fetch, "GET", i % 2 ? "/api/status" : "/livez");
		if (fetch.status != 200)
			++*(_Atomic int *)failures;
		fetch_release(&fetch);
	}
	return NULL;
}

static void many_callers_at_once_are_all_answered(void **state)
{
	pthread_t threads[CALLERS];
	_Atomic int failures = 0;
	(void)state;
	for (int i = 0; i < CALLERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, call_often, &failures), 0);
	for (int i = 0; i < CALLERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(failures, 0);
}

static void *call_reload(void *argument)
{
	struct fetch *fetch = argument;
	ask(fetch, "POST", "/api/reload");
	return NULL;
}

static void it_ends_while_an_order_waits(void **state)
{
	struct fetch fetch = {0};
	pthread_t thread;
	(void)state;
	world.behaviour = ANSWER_NEVER;
	assert_int_equal(pthread_create(&thread, NULL, call_reload, &fetch), 0);
	while (world.asked[CONSOLE_RELOAD] == 0)
		usleep(1000);
	teardown(NULL);
	pthread_join(thread, NULL);
	assert_int_not_equal(fetch.status, 200);
	fetch_release(&fetch);
}

static void an_answer_nobody_waits_for_is_passed_over(void **state)
{
	struct fetch fetch = {0};
	(void)state;
	daemon_stop(&world.daemon);
	console_answer(world.console, 4711, true, SPAN("{}"));
	daemon_start(&world.daemon, world.loop);
	ask(&fetch, "GET", "/livez");
	assert_int_equal(fetch.status, 200);
	fetch_release(&fetch);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	log_init("test", LOG_LEVEL_WARNING);
	curl_global_init(CURL_GLOBAL_ALL);
	setenv("SALLYPORT_DATADIR", ".", 0); /* run from the checkout */
	const struct CMUnitTest tests[] = {
	    TEST(livez_answers_without_the_master),
	    TEST(readyz_says_what_the_master_says),
	    TEST(status_joins_the_master_and_the_counters),
	    TEST(a_master_that_cannot_tell_is_a_503),
	    TEST(a_master_that_does_not_answer_is_a_504),
	    TEST(reload_and_stop_are_passed_on),
	    TEST(an_order_over_tcp_needs_its_field),
	    TEST(a_pause_is_passed_on_with_its_site),
	    TEST(a_pause_that_is_none_goes_nowhere),
	    TEST(a_foreign_host_is_refused_over_tcp),
	    TEST(wrong_paths_and_methods_are_refused),
	    TEST(content_over_the_limit_ends_the_connection),
	    TEST(every_reply_forbids_caching_and_framing),
	    TEST(the_page_and_its_files_are_served),
	    TEST(metrics_have_every_counter_once),
	    TEST(many_callers_at_once_are_all_answered),
	    cmocka_unit_test_setup(it_ends_while_an_order_waits, setup),
	    TEST(an_answer_nobody_waits_for_is_passed_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

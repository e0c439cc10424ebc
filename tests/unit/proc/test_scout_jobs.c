/* The scout's work, with the test as keeper: jobs over a channel, samples and links back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <zlib.h>
#include <sys/mman.h>
#include "guard/fetch_server.h"
#include "proc/ipc.h"
#include "proc/orders.h"
#include "proc/scout_jobs.h"
#include "sallyport/shm.h"

static struct {
	struct loop *loop;
	struct resolver *resolver;
	struct fetcher *fetcher;
	struct server server;
	struct scout_jobs *jobs;
	int channel[2]; /* ours, the scout's */
	struct ipc_message message;
	struct scout_sample sample;
	char links[LINK_KINDS][1 << 16]; /* told so far, with spaces */
	uint32_t told;
	char content[1 << 20];
} world;

static int setup(void **state)
{
	struct err err;
	(void)state;
	memset(&world, 0, sizeof(world));
	world.loop = loop_new(&err);
	world.resolver = resolver_new(world.loop, &err);
	struct fetcher_setup setup = {
	    .loop = world.loop, .resolver = world.resolver, .memory_bytes = 1 << 24};
	world.fetcher = fetcher_new(&setup, &err);
	assert_true(ipc_pair(world.channel, &err));
	struct scout_jobs_setup jobs = {world.loop, world.fetcher, world.channel[1]};
	world.jobs = scout_jobs_new(&jobs, &err);
	server_start(&world.server, world.loop);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scout_jobs_free(world.jobs);
	fetcher_free(world.fetcher);
	server_stop(&world.server);
	resolver_free(world.resolver);
	loop_free(world.loop);
	close(world.channel[0]);
	close(world.channel[1]);
	return 0;
}

static struct scout_job job_of(uint64_t id, const char *target, enum job_links links)
{
	struct scout_job job = {.id = id, .timeout_ms = 5000, .max_bytes = 1 << 20, .agent = JOB_AGENT_OWN,
				.referer = JOB_REFERER_NONE, .links = links, .links_max = LINKS_MAX,
				.port = world.server.port};
	snprintf(job.origin, sizeof(job.origin), "127.0.0.1");
	snprintf(job.host, sizeof(job.host), "Shop.example");
	snprintf(job.hosts, sizeof(job.hosts), "shop.example, *.shop.example");
	snprintf(job.target, sizeof(job.target), "%s", target);
	return job;
}

static void note_links(const struct scout_links *links, size_t len)
{
	assert_true(links->kind > LINK_UNSET && links->kind < LINK_KINDS);
	assert_int_equal(len, offsetof(struct scout_links, text) + links->bytes);
	size_t at = 0;
	for (uint32_t i = 0; i < links->n; i++) {
		char *to = world.links[links->kind];
		size_t have = strlen(to);
		snprintf(to + have, sizeof(world.links[0]) - have, "%s%s", have ? " " : "", links->text + at);
		at += strlen(links->text + at) + 1;
	}
	assert_int_equal(at, links->bytes);
	world.told += links->n;
}

static void note_content(int fd)
{
	struct err err;
	size_t len = (size_t)world.sample.content_bytes;
	const void *content = shm_map_constant(fd, len, &err);
	assert_non_null(content);
	memcpy(world.content, content, len < sizeof(world.content) ? len : sizeof(world.content) - 1);
	munmap((void *)(uintptr_t)content, len);
	close(fd);
}

/* Everything up to the sample of that job. */
static const struct scout_sample *wait_for(uint64_t id)
{
	struct err err;
	memset(&world.sample, 0, sizeof(world.sample));
	for (int i = 0; i < 20000 && world.sample.id != id; i++) {
		enum ipc_result got = ipc_receive(world.channel[0], &world.message);
		if (got == IPC_NONE) {
			scout_jobs_send(world.jobs);
			assert_true(loop_once(world.loop, 10, &err));
			continue;
		}
		assert_int_equal(got, IPC_GOT);
		if (world.message.type == REPORT_LINKS) {
			note_links((const void *)world.message.payload, world.message.len);
			continue;
		}
		assert_int_equal(world.message.type, REPORT_SAMPLE);
		memcpy(&world.sample, ipc_payload(&world.message, sizeof(world.sample)), sizeof(world.sample));
		int fd = ipc_take_fd(&world.message, 0);
		assert_int_equal(fd >= 0, world.sample.outcome == SAMPLE_WHOLE && world.sample.content_bytes > 0);
		if (fd >= 0)
			note_content(fd);
	}
	assert_int_equal(world.sample.id, id);
	return &world.sample;
}

static const struct scout_sample *run(const struct scout_job *job)
{
	memset(world.links, 0, sizeof(world.links));
	world.told = 0;
	scout_jobs_take(world.jobs, job);
	return wait_for(job->id);
}

#define OK "HTTP/1.1 200 OK\r\n"
#define HTML OK "Content-Type: text/html; charset=utf-8\r\n\r\n"

static void a_sample_is_the_page_and_its_digest(void **state)
{
	(void)state;
	static const char page[] = "<h1>Welcome</h1>";
	world.server.answers[0] = SERVER_ANSWER(HTML "<h1>Welcome</h1>");
	struct scout_job job = job_of(7, "/0", JOB_LINKS_NONE);
	const struct scout_sample *sample = run(&job);
	assert_int_equal(sample->outcome, SAMPLE_WHOLE);
	assert_int_equal(sample->status, 200);
	assert_int_equal(sample->content_bytes, sizeof(page) - 1);
	assert_string_equal(world.content, page);
	assert_int_equal(sample->field_len[PAGE_FIELD_LOCATION], SAMPLE_NO_FIELD);
	assert_int_equal(sample->field_len[PAGE_FIELD_CONTENT_TYPE], 24);
	assert_memory_equal(sample->fields[PAGE_FIELD_CONTENT_TYPE], "text/html; charset=utf-8", 24);
	uint8_t content[DIGEST_SIZE], whole[DIGEST_SIZE];
	struct page_head head = {.status = 200, .fields[PAGE_FIELD_CONTENT_TYPE] = SPAN("text/html; charset=utf-8")};
	digest(page, sizeof(page) - 1, content);
	page_digest(&head, content, whole);
	assert_memory_equal(sample->content, content, DIGEST_SIZE);
	assert_memory_equal(sample->page, whole, DIGEST_SIZE);
	assert_int_equal(sample->links, 0);
	assert_string_equal(sample->error, "");
}

static void links_come_before_the_sample_by_kind_and_once(void **state)
{
	(void)state;
	world.server.answers[0] = SERVER_ANSWER(
	    HTML "<a href=a><a href=/a#x><a href='/b?c=&amp;d'><a href=https://www.shop.example/e>"
		 "<a href=//other.example/f><script src=//evil.example/x.js></script>"
		 "<iframe src=//evil.example/></iframe><script src=//evil.example/y.js></script>");
	struct scout_job job = job_of(8, "/0/page", JOB_LINKS_PAGE);
	const struct scout_sample *sample = run(&job);
	assert_int_equal(sample->outcome, SAMPLE_WHOLE);
	assert_string_equal(world.links[LINK_TO_PAGE], "/0/a /a /b?c=&d /e");
	assert_string_equal(world.links[LINK_TO_HOST], "script evil.example frame evil.example");
	assert_int_equal(sample->links, 6);
	assert_int_equal(world.told, 6);
	/* a style sheet, and what is neither */
	world.server.answers[1] = SERVER_ANSWER(OK "Content-Type: text/css\r\n\r\n@import 'x.css';a{b:url(/c.png)}");
	world.server.answers[2] = SERVER_ANSWER(OK "Content-Type: text/plain\r\n\r\n<a href=/x>");
	world.server.answers[3] = SERVER_ANSWER(OK "\r\n<a href=/x>");
	job = job_of(9, "/1", JOB_LINKS_PAGE);
	run(&job);
	assert_string_equal(world.links[LINK_TO_PAGE], "/x.css /c.png");
	job = job_of(10, "/2", JOB_LINKS_PAGE);
	assert_int_equal(run(&job)->links, 0);
	job = job_of(11, "/3", JOB_LINKS_PAGE);
	assert_int_equal(run(&job)->links, 1);
}

static void redirects_are_links_and_not_followed(void **state)
{
	(void)state;
	world.server.answers[0] =
	    SERVER_ANSWER("HTTP/1.1 301 Moved\r\nLocation: ../elsewhere\r\nContent-Length: 0\r\n\r\n");
	world.server.answers[1] = SERVER_ANSWER(
	    OK "Refresh: 0; url=http://evil.example/\r\nContent-Length: 0\r\n\r\n");
	struct scout_job job = job_of(12, "/0", JOB_LINKS_PAGE);
	assert_int_equal(run(&job)->status, 301);
	assert_string_equal(world.links[LINK_TO_PAGE], "/elsewhere");
	job = job_of(13, "/1", JOB_LINKS_PAGE);
	run(&job);
	assert_string_equal(world.links[LINK_TO_HOST], "refresh evil.example");
	assert_int_equal(world.server.connections, 2);
}

static void sitemaps_and_robots_name_pages_and_sitemaps(void **state)
{
	(void)state;
	static const char sitemap[] = "<urlset><url><loc>http://shop.example/a</loc></url>"
				      "<url><loc>http://shop.example/b</loc></url>"
				      "<url><loc>http://other.example/c</loc></url></urlset>";
	static char packed[1000];
	int head = snprintf(packed, sizeof(packed), OK "Content-Type: application/gzip\r\n\r\n");
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)sitemap, .avail_in = sizeof(sitemap) - 1,
		      .next_out = (uint8_t *)packed + head, .avail_out = 900};
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	world.server.answers[0] = (struct server_answer){.bytes = packed, .len = (size_t)head + z.total_out};
	world.server.answers[1] = SERVER_ANSWER(OK "\r\nUser-agent: *\nDisallow: /\nSitemap: /s.xml.gz\n");
	world.server.answers[2] = SERVER_ANSWER(
	    OK "\r\n<sitemapindex><sitemap><loc>http://shop.example/1.xml</loc></sitemap></sitemapindex>");
	world.server.answers[3] = SERVER_ANSWER(OK "\r\n<!DOCTYPE x><urlset><url><loc>/a</loc></url></urlset>");
	struct scout_job job = job_of(14, "/0", JOB_LINKS_SITEMAP);
	run(&job);
	assert_string_equal(world.links[LINK_TO_PAGE], "/a /b");
	job = job_of(15, "/1", JOB_LINKS_ROBOTS);
	run(&job);
	assert_string_equal(world.links[LINK_TO_SITEMAP], "/s.xml.gz");
	job = job_of(16, "/2", JOB_LINKS_SITEMAP);
	run(&job);
	assert_string_equal(world.links[LINK_TO_SITEMAP], "/1.xml");
	job = job_of(17, "/3", JOB_LINKS_SITEMAP);
	assert_int_equal(run(&job)->outcome, SAMPLE_WHOLE);
	assert_int_equal(world.told, 0);
}

static void a_page_of_ten_thousand_links_gives_as_many_as_are_wanted(void **state)
{
	(void)state;
	static char text[1 << 20];
	size_t at = (size_t)snprintf(text, sizeof(text), "%s", HTML);
	for (unsigned i = 0; i < 10000; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "<a href=/some/page/that/is/linked/%05u>",
				       i % 7000);
	world.server.answers[0] = (struct server_answer){.bytes = text, .len = at};
	struct scout_job job = job_of(18, "/0", JOB_LINKS_PAGE);
	assert_int_equal(run(&job)->links, LINKS_MAX);
	assert_int_equal(world.told, LINKS_MAX);
	job.links_max = 10;
	assert_int_equal(run(&job)->links, 10);
	/* and not without end where each is long */
	at = (size_t)snprintf(text, sizeof(text), "%s", HTML);
	while (at < sizeof(text) - 2100) {
		memcpy(text + at, "<a href=/", 9);
		memset(text + at + 9, 'a' + (int)(at % 26), 2000);
		at += 2009 + (size_t)snprintf(text + at + 2009, 40, "%zu>", at);
	}
	world.server.answers[0].len = at;
	job = job_of(19, "/0", JOB_LINKS_PAGE);
	assert_in_range(run(&job)->links, 200, 262);
}

/* What the keeper does not take at once waits, and comes whole. */
static void a_keeper_that_is_slow_gets_everything_in_the_end(void **state)
{
	(void)state;
	struct err err;
	world.server.answers[0] = SERVER_ANSWER(HTML "<a href=/a>");
	for (uint64_t id = 1; id <= JOBS_MAX; id++) {
		struct scout_job job = job_of(id, "/0", JOB_LINKS_PAGE);
		scout_jobs_take(world.jobs, &job);
	}
	struct scout_job more = job_of(99, "/0", JOB_LINKS_NONE);
	scout_jobs_take(world.jobs, &more); /* one too many */
	for (int i = 0; i < 1000; i++)
		assert_true(loop_once(world.loop, 1, &err));
	bool refused = false;
	unsigned whole = 0;
	for (unsigned i = 0; i <= JOBS_MAX; i++) {
		world.sample.id = 0;
		for (int j = 0; j < 1000 && world.sample.id == 0; j++) {
			enum ipc_result got = ipc_receive(world.channel[0], &world.message);
			if (got == IPC_GOT && world.message.type == REPORT_SAMPLE) {
				memcpy(&world.sample, world.message.payload, sizeof(world.sample));
				refused |= world.sample.id == 99 && world.sample.outcome == SAMPLE_REFUSED;
				whole += world.sample.outcome == SAMPLE_WHOLE;
			}
			ipc_release(&world.message);
			scout_jobs_send(world.jobs);
		}
	}
	assert_true(refused);
	assert_int_equal(whole, JOBS_MAX);
	struct scout_job again = job_of(100, "/0", JOB_LINKS_NONE);
	assert_int_equal(run(&again)->outcome, SAMPLE_WHOLE);
}

static void a_keeper_that_is_gone_costs_nothing(void **state)
{
	(void)state;
	struct err err;
	world.server.answers[0] = SERVER_ANSWER(HTML "<a href=/a>");
	close(world.channel[0]);
	for (uint64_t id = 1; id <= 3; id++) {
		struct scout_job job = job_of(id, "/0", JOB_LINKS_PAGE);
		scout_jobs_take(world.jobs, &job);
	}
	for (int i = 0; i < 200 && world.server.open + world.server.connections < 6; i++)
		assert_true(loop_once(world.loop, 10, &err));
	for (int i = 0; i < 20; i++)
		assert_true(loop_once(world.loop, 1, &err));
	world.channel[0] = dup(world.channel[1]); /* for teardown */
}

static void jobs_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	static const struct {
		size_t offset, size;
		const char *bytes;
	} faults[] = {
#define TEXT(member, text) {offsetof(struct scout_job, member), sizeof(text), text}
	    TEXT(target, ""), TEXT(target, "x"), TEXT(target, "*"), TEXT(target, "/a b"), TEXT(target, "/a\r\nX: y"),
	    TEXT(target, "/a/../b"), TEXT(target, "/%41"), TEXT(target, "http://shop.example/"), TEXT(target, "/a#b"),
	    TEXT(host, ""), TEXT(host, "a b"), TEXT(host, "a@b"), TEXT(host, "shop.example\r\nX: y"),
	    TEXT(origin, ""), TEXT(origin, "127.0.0.1:80"), TEXT(origin, "a/b"), TEXT(tls_name, "a b"),
	    TEXT(agent, "\0\0\0"), TEXT(agent, "\x7f"), TEXT(referer, "\x7f"), TEXT(links, "\0\0\0"),
	    TEXT(timeout_ms, "\0\0\0\0\0\0\0"), TEXT(timeout_ms, "\xff\xff\xff\xff\xff\xff\xff"),
	    TEXT(max_bytes, "\xff\xff\xff\xff\xff\xff\xff"), TEXT(links_max, "\xff\xff"), {offsetof(struct scout_job, port), 2, "\0\0"},
	};
	struct scout_job job;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		job = job_of(i + 1, "/0", JOB_LINKS_NONE);
		memcpy((char *)&job + faults[i].offset, faults[i].bytes, faults[i].size);
		const struct scout_sample *sample = run(&job);
		if (sample->outcome != SAMPLE_REFUSED || !sample->error[0])
			fail_msg("fault %zu is not refused: %u", i, sample->outcome);
	}
	job = job_of(1000, "/0", JOB_LINKS_NONE);
	memset(job.target, 'a', sizeof(job.target));
	assert_int_equal(run(&job)->outcome, SAMPLE_REFUSED);
	assert_int_equal(world.server.connections, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(a_sample_is_the_page_and_its_digest),
	    TEST(links_come_before_the_sample_by_kind_and_once),
	    TEST(redirects_are_links_and_not_followed),
	    TEST(sitemaps_and_robots_name_pages_and_sitemaps),
	    TEST(a_page_of_ten_thousand_links_gives_as_many_as_are_wanted),
	    TEST(a_keeper_that_is_slow_gets_everything_in_the_end),
	    TEST(a_keeper_that_is_gone_costs_nothing),
	    TEST(jobs_that_make_no_sense_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

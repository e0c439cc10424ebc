/* Copies: what of them a visitor gets, where they come from, and what happens where there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gate.h"

#define HTML "Content-Type: text/html\r\n"

enum { LARGE = 3 << 20, MIDDLE = 300 << 10 };

static const char good[] = "<html><title>Town library</title><body class=\"x>y\"><h1>Welcome</h1></body></html>\n";
static char large[LARGE], middle[MIDDLE];

static const struct gate_page pages[] = {
    {"/", HTML "Link: <a>\r\nLink: <b>\r\n", good, sizeof(good) - 1},
    {"/empty", HTML, "", 0},
    {"/large", "Content-Type: image/png\r\n", large, sizeof(large)},
    {"/middle", "Content-Type: image/png\r\n", middle, sizeof(middle)},
    {"/two", HTML, good, sizeof(good) - 1},
    {"/two", HTML, middle, sizeof(middle)},
};

/* A site whose origin is defaced, but for what a test makes it say. */
static struct gate *guarded(const char *guard, const char *more)
{
	static const char bad[] = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\nPOISON";
	struct gate *g = gate_new(guard, more);
	gate_know(g, pages, sizeof(pages) / sizeof(pages[0]));
	gate_origin_says(g, bad, sizeof(bad) - 1);
	return g;
}

static bool has(const struct gate_answer *answer, const char *text)
{
	return answer->text && memmem(answer->text, answer->len, text, strlen(text)) != NULL;
}

static bool is_content(const struct gate_answer *answer, const char *content, size_t len)
{
	return answer->is_whole && answer->body_len == len && memcmp(answer->body, content, len) == 0;
}

static void expect_status(struct gate *g, const char *target, const char *fields, unsigned status)
{
	struct gate_answer answer = gate_ask(g, "GET", target, fields);
	assert_int_equal(answer.status, status);
	assert_false(has(&answer, "POISON"));
	gate_forget(&answer);
}

static void a_copy_has_the_fields_of_its_page_and_an_age(void **state)
{
	struct gate *g = guarded("", "");
	(void)state;
	struct gate_answer answer = gate_ask(g, "GET", "/", "");
	assert_true(is_content(&answer, good, sizeof(good) - 1));
	assert_true(has(&answer, "\r\ncontent-type: text/html\r\n"));
	assert_true(has(&answer, "\r\nlink: <a>, <b>\r\n"));
	assert_true(has(&answer, "\r\nAge: ") && has(&answer, "\r\nCache-Control: max-age="));
	assert_true(has(&answer, "\r\nLast-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\n"));
	assert_true(has(&answer, "\r\nETag: \"") && has(&answer, "\r\nDate: "));
	gate_forget(&answer);
	answer = gate_ask(g, "GET", "/empty", "");
	assert_int_equal(answer.status, 200);
	assert_true(is_content(&answer, "", 0));
	gate_forget(&answer);
	gate_free(g);
}

static void etag_of(struct gate *g, const char *target, char out[128])
{
	struct gate_answer answer = gate_ask(g, "GET", target, "");
	const char *etag = strstr(answer.text, "\r\nETag: ");
	assert_non_null(etag);
	snprintf(out, 128, "%.*s", (int)strcspn(etag + 8, "\r"), etag + 8);
	gate_forget(&answer);
}

static void conditions_are_answered_by_the_copy(void **state)
{
	struct gate *g = guarded("", "");
	char etag[128], fields[256];
	(void)state;
	etag_of(g, "/", etag);
	snprintf(fields, sizeof(fields), "If-None-Match: \"x\", W/%s\r\n", etag);
	struct gate_answer answer = gate_ask(g, "GET", "/", fields);
	assert_int_equal(answer.status, 304);
	assert_int_equal(answer.body_len, 0);
	assert_false(has(&answer, "Content-Length"));
	gate_forget(&answer);
	expect_status(g, "/", "If-None-Match: *\r\n", 304);
	expect_status(g, "/", "If-None-Match: \"x\"\r\nIf-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n", 200);
	expect_status(g, "/", "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n", 304);
	expect_status(g, "/", "If-Modified-Since: Tue, 14 Nov 2023 22:13:19 GMT\r\n", 200);
	expect_status(g, "/large", "If-None-Match: *\r\n", 304);
	gate_free(g);
}

static void parts_are_taken_out_of_the_copy(void **state)
{
	static const struct {
		const char *range;
		unsigned status;
		size_t first, len;
	} cases[] = {
	    {"bytes=0-4", 206, 0, 5},
	    {"bytes=5-", 206, 5, 0},
	    {"bytes=-7", 206, SIZE_MAX, 7},
	    {"bytes=0-99999999", 206, 0, 0},
	    {"bytes=-99999999", 206, 0, 0},
	    {"bytes=99999999-", 416, 0, 0},
	    {"bytes=-0", 416, 0, 0},
	    {"bytes=9-4", 200, 0, 0},
	    {"bytes=0-1,3-4", 200, 0, 0},
	    {"lines=0-4", 200, 0, 0},
	    {"bytes=a-4", 200, 0, 0},
	    {"bytes=", 200, 0, 0},
	};
	static const struct {
		const char *target, *content;
		size_t size;
	} of[] = {{"/", good, sizeof(good) - 1}, {"/large", large, sizeof(large)}};
	struct gate *g = guarded("", "");
	char fields[128];
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		size_t c = i / 2, size = of[i % 2].size;
		snprintf(fields, sizeof(fields), "Range: %s\r\n", cases[c].range);
		struct gate_answer answer = gate_ask(g, "GET", of[i % 2].target, fields);
		size_t first = cases[c].first == SIZE_MAX ? size - cases[c].len : cases[c].first;
		size_t len = cases[c].status == 416 ? 0 : cases[c].len ? cases[c].len : size - first;
		if (answer.status != cases[c].status)
			fail_msg("%s of %s: %u", cases[c].range, of[i % 2].target, answer.status);
		assert_true(is_content(&answer, of[i % 2].content + first, len));
		assert_int_equal(has(&answer, "\r\nContent-Range: bytes "), answer.status != 200);
		gate_forget(&answer);
	}
	gate_free(g);
}

static void a_part_of_another_version_is_not_sent(void **state)
{
	struct gate *g = guarded("", "");
	char etag[128], fields[256];
	(void)state;
	etag_of(g, "/", etag);
	expect_status(g, "/", "Range: bytes=0-4\r\nIf-Range: \"x\"\r\n", 200);
	snprintf(fields, sizeof(fields), "Range: bytes=0-4\r\nIf-Range: %s\r\n", etag);
	expect_status(g, "/", fields, 206);
	gate_free(g);
}

static void head_gets_the_length_and_nothing_else(void **state)
{
	struct gate *g = guarded("", "");
	(void)state;
	gate_seal(g, GUARD_SEALED);
	struct gate_answer answer = gate_ask(g, "HEAD", "/large", "");
	assert_int_equal(answer.status, 200);
	assert_int_equal(answer.body_len, 0);
	assert_true(has(&answer, "Content-Length: 3145728\r\n"));
	gate_forget(&answer);
	answer = gate_ask(g, "HEAD", "/", "Range: bytes=0-1\r\n");
	assert_int_equal(answer.status, 200);
	assert_true(has(&answer, "Content-Length: 82\r\n"));
	gate_forget(&answer);
	gate_free(g);
}

static void a_large_page_comes_from_the_vault_and_not_from_the_origin(void **state)
{
	struct gate *g = guarded("", "quotas = { copies = \"1 MiB\"; };");
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct gate_answer answer = gate_ask(g, "GET", "/large", "");
		assert_int_equal(answer.status, 200);
		assert_true(is_content(&answer, large, sizeof(large)));
		gate_forget(&answer);
		answer = gate_ask(g, "GET", "/middle", ""); /* held, but too large to be kept at hand */
		assert_true(is_content(&answer, middle, sizeof(middle)));
		gate_forget(&answer);
	}
	assert_int_equal(g->asked, 2);
	gate_free(g);
}

static void damage(struct gate *g, const char *content, size_t len)
{
	char path[256];
	uint8_t sum[DIGEST_SIZE];
	digest(content, len, sum);
	gate_content_path(g, sum, path);
	int fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "POISON", 6, 10), 6);
	close(fd);
}

static void a_damaged_copy_counts_as_absent(void **state)
{
	static const char shows[] = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\nORIGIN";
	struct gate *g = guarded("", "");
	(void)state;
	damage(g, good, sizeof(good) - 1);
	expect_status(g, "/", "", 503);
	assert_string_equal(reason_name((enum reason)g->record.reason), "guard-changed");
	/* A large page that the vault has lost is streamed, looked at, and told of. */
	damage(g, large, sizeof(large));
	gate_origin_says(g, shows, sizeof(shows) - 1);
	g->closes = true;
	struct gate_answer answer = gate_ask(g, "GET", "/large", "");
	assert_true(has(&answer, "ORIGIN"));
	assert_string_equal(reason_name((enum reason)g->record.reason), "guard-changed");
	assert_false(g->record.enforced);
	gate_forget(&answer);
	gate_store(g, good, sizeof(good) - 1); /* mended */
	expect_status(g, "/", "", 200);
	gate_free(g);
}

static void a_copy_at_hand_needs_no_lifeboat(void **state)
{
	struct gate *g = guarded("", "");
	(void)state;
	expect_status(g, "/", "", 200);
	lifeboat_free(g->lifeboat);
	g->lifeboat = NULL;
	expect_status(g, "/", "", 200);
	gate_begin_lifeboat(g);
	expect_status(g, "/middle", "", 200); /* asked over a connection that has gone */
	gate_free(g);
}

static void without_a_lifeboat_a_held_page_is_refused(void **state)
{
	struct gate *g = guarded("", "");
	(void)state;
	lifeboat_free(g->lifeboat);
	g->lifeboat = NULL;
	close(g->channel[0]);
	g->channel[0] = dup(0);
	expect_status(g, "/", "", 503);
	expect_status(g, "/large", "", 503); /* a head like this the page never had */
	gate_free(g);
}

static void a_banner_stands_where_the_body_begins(void **state)
{
	static const char begin[] = "<html><title>Town library</title><body class=\"x>y\"><div role=\"status\"";
	struct gate *g = guarded("banner = true;", "");
	(void)state;
	struct gate_answer answer = gate_ask(g, "GET", "/", "");
	assert_int_equal(answer.status, 200);
	assert_true(answer.is_whole && answer.body_len > sizeof(good));
	assert_memory_equal(answer.body, begin, sizeof(begin) - 1);
	assert_true(has(&answer, "last known good copy") && has(&answer, "b\"\r\nLast-Modified"));
	gate_forget(&answer);
	answer = gate_ask(g, "GET", "/middle", ""); /* no HTML, no banner */
	assert_true(is_content(&answer, middle, sizeof(middle)));
	gate_forget(&answer);
	gate_free(g);
}

static void a_known_version_that_is_too_large_to_hold_is_replaced(void **state)
{
	static char reply[MIDDLE + 128];
	struct gate *g = guarded("max_page = \"100 KiB\";", "");
	(void)state;
	int n = snprintf(reply, sizeof(reply), "HTTP/1.1 200 OK\r\n" HTML "Content-Length: %d\r\n\r\n", MIDDLE);
	memcpy(reply + n, middle, MIDDLE);
	gate_origin_says(g, reply, (size_t)n + MIDDLE);
	struct gate_answer answer = gate_ask(g, "GET", "/two", "");
	assert_true(is_content(&answer, good, sizeof(good) - 1));
	assert_string_equal(reason_name((enum reason)g->record.reason), "guard-too-large");
	gate_forget(&answer);
	gate_free(g);
}

static unsigned open_all(struct gate *g, int *clients, unsigned n, const char *target)
{
	char request[128];
	int len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n",
			   target);
	for (unsigned i = 0; i < n; i++) {
		clients[i] = gate_connect(g);
		assert_int_equal(send(clients[i], request, (size_t)len, 0), len);
		gate_round(g);
	}
	for (int i = 0; i < 200; i++)
		gate_round(g);
	return g->asked;
}

static void pages_that_wait_are_bounded_in_all(void **state)
{
	static char reply[MIDDLE + 128];
	enum { CLIENTS = 20 };
	int clients[CLIENTS];
	struct gate *g = guarded("", "quotas = { held = \"1 MiB\"; };");
	(void)state;
	int n = snprintf(reply, sizeof(reply), "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n", MIDDLE);
	memcpy(reply + n, middle, MIDDLE);
	gate_origin_says(g, reply, (size_t)n + MIDDLE - 1); /* the last byte is still to come */
	open_all(g, clients, CLIENTS, "/middle");
	gate_read_log(g);
	struct stats_slot *stats = &g->setup.memory.stats->slots[0];
	assert_true(stats->held_bytes > 0 && stats->held_bytes <= 1 << 20);
	assert_true(stats->reasons[REASON_GUARD_FULL] > 0);
	assert_int_equal(stats->copies_served, stats->reasons[REASON_GUARD_FULL]);
	for (int i = 0; i < CLIENTS; i++)
		close(clients[i]);
	for (unsigned i = 0; i < g->conn_count; i++) {
		close(g->conns[i]);
		g->conns[i] = -1;
	}
	gate_free(g);
}

static void many_who_wait_for_a_copy_cause_one_load(void **state)
{
	enum { CLIENTS = 30 };
	int clients[CLIENTS];
	char text[4096];
	struct gate *g = guarded("", "");
	(void)state;
	gate_seal(g, GUARD_SEALED);
	lifeboat_free(g->lifeboat);
	g->lifeboat = NULL;
	open_all(g, clients, CLIENTS, "/");
	close(clients[0]); /* who asked first goes away */
	gate_begin_lifeboat(g);
	for (int i = 0; i < 200; i++)
		gate_round(g);
	for (int i = 1; i < CLIENTS; i++) {
		ssize_t n = recv(clients[i], text, sizeof(text), MSG_DONTWAIT);
		assert_true(n > 0 && memmem(text, (size_t)n, good, sizeof(good) - 1));
		close(clients[i]);
	}
	assert_int_equal(g->setup.memory.stats->slots[0].origin_connections, 1);
	gate_free(g);
}

static void the_copy_that_was_used_longest_ago_makes_room(void **state)
{
	enum { PAGES = 12, SIZE = 200 << 10 };
	static char contents[PAGES][SIZE];
	static char keys[PAGES][16];
	struct gate_page many[PAGES];
	struct gate *g = guarded("", "quotas = { copies = \"1 MiB\"; };");
	struct stats_slot *stats = &g->setup.memory.stats->slots[0];
	(void)state;
	for (int i = 0; i < PAGES; i++) {
		memset(contents[i], 'a' + i, SIZE);
		snprintf(keys[i], sizeof(keys[i]), "/%d", i);
		many[i] = (struct gate_page){keys[i], HTML, contents[i], SIZE};
	}
	gate_know(g, many, PAGES);
	gate_seal(g, GUARD_SEALED);
	for (int i = 0; i < 3 * PAGES; i++) {
		struct gate_answer answer = gate_ask(g, "GET", keys[i % PAGES], "");
		assert_true(is_content(&answer, contents[i % PAGES], SIZE));
		assert_true(stats->copies_bytes <= 1 << 20);
		gate_forget(&answer);
	}
	assert_true(stats->copies_bytes > 0);
	gate_free(g);
}

static void an_exchange_ends_under_the_baseline_it_began_with(void **state)
{
	static char reply[MIDDLE + 128];
	struct gate *g = guarded("", "");
	int client;
	char text[512];
	(void)state;
	int n = snprintf(reply, sizeof(reply), "HTTP/1.1 200 OK\r\n" HTML "Link: <a>, <b>\r\nContent-Length: %zu\r\n\r\n%s",
			 sizeof(good) - 1, good);
	gate_origin_says(g, reply, (size_t)n - 1);
	open_all(g, &client, 1, "/");
	gate_know(g, pages + 1, 1); /* in which the page is not known any more */
	gate_origin_says(g, reply, (size_t)n);
	for (unsigned i = 0; i < g->conn_count; i++)
		g->sent[i] = (size_t)n - 1;
	for (int i = 0; i < 50; i++)
		gate_round(g);
	ssize_t got = recv(client, text, sizeof(text), MSG_DONTWAIT);
	assert_true(got > 0 && memmem(text, (size_t)got, good, sizeof(good) - 1));
	close(client);
	gate_free(g);
}

static void a_forged_baseline_changes_nothing(void **state)
{
	struct gate *g = guarded("", "");
	uint8_t key[SIGN_PUBLIC_SIZE] = {1};
	struct err err;
	char junk[4096];
	(void)state;
	memset(junk, 'j', sizeof(junk));
	front_set_baseline(g->front, shm_constant("forged", junk, sizeof(junk), &err), sizeof(junk), key);
	front_set_baseline(g->front, shm_constant("short", junk, 10, &err), 4096, key);
	expect_status(g, "/", "", 200);
	assert_int_equal(g->record.action, VERDICT_COPY);
	gate_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_copy_has_the_fields_of_its_page_and_an_age),
	    cmocka_unit_test(conditions_are_answered_by_the_copy),
	    cmocka_unit_test(parts_are_taken_out_of_the_copy),
	    cmocka_unit_test(a_part_of_another_version_is_not_sent),
	    cmocka_unit_test(head_gets_the_length_and_nothing_else),
	    cmocka_unit_test(a_large_page_comes_from_the_vault_and_not_from_the_origin),
	    cmocka_unit_test(a_damaged_copy_counts_as_absent),
	    cmocka_unit_test(a_copy_at_hand_needs_no_lifeboat),
	    cmocka_unit_test(without_a_lifeboat_a_held_page_is_refused),
	    cmocka_unit_test(a_banner_stands_where_the_body_begins),
	    cmocka_unit_test(a_known_version_that_is_too_large_to_hold_is_replaced),
	    cmocka_unit_test(pages_that_wait_are_bounded_in_all),
	    cmocka_unit_test(many_who_wait_for_a_copy_cause_one_load),
	    cmocka_unit_test(the_copy_that_was_used_longest_ago_makes_room),
	    cmocka_unit_test(an_exchange_ends_under_the_baseline_it_began_with),
	    cmocka_unit_test(a_forged_baseline_changes_nothing),
	};
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (char)('a' + i % 23);
	for (size_t i = 0; i < sizeof(middle); i++)
		middle[i] = (char)('A' + i % 19);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

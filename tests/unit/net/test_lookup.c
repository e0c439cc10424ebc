/* Names that are asked for once: against a DNS server of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "net/dns_server.h"
#include "sallyport/lookup.h"

struct asker {
	struct lookup lookup; /* first: on_done gets the asker by it */
	unsigned done;
};

static struct lookup_asker account;
static struct memory memory;

static void on_done(struct lookup *lookup)
{
	((struct asker *)(void *)lookup)->done++;
}

static struct asker asker_of(void)
{
	return (struct asker){.lookup.on_done = on_done};
}

static struct lookups *begin(struct server *server)
{
	struct err err;
	memory = (struct memory){.limit = 1 << 24};
	account = (struct lookup_asker){0};
	struct lookups *lookups = lookups_new(server->loop, server->resolver, &memory, &err);
	assert_non_null(lookups);
	return lookups;
}

static void finish(struct server *server, struct lookups *lookups)
{
	resolver_free(server->resolver);
	server->resolver = NULL;
	lookups_free(lookups);
	assert_int_equal(memory.used, 0);
	server_free(server);
}

static enum lookup_result ask(struct lookups *lookups, struct asker *asker, const char *host, unsigned *count,
			      const char **problem)
{
	struct addr addrs[RESOLVE_MAX_ADDRS];
	return lookup_name(lookups, &asker->lookup, &account, span_from_str(host), addrs, count, problem);
}

static void wait_until_done(struct server *server, const struct asker *asker, unsigned done)
{
	uint64_t end = clock_mono_ms() + WAIT_MS;
	while (asker->done < done && clock_mono_ms() < end)
		assert_true(loop_once(server->loop, 50, NULL));
	assert_int_equal(asker->done, done);
}

static void a_name_is_asked_for_once_and_kept_for_its_ttl(void **state)
{
	(void)state;
	struct server *server = server_new();
	struct lookups *lookups = begin(server);
	struct asker first = asker_of(), second = asker_of();
	unsigned count;
	const char *problem;
	server->a_count = 2;
	server->aaaa_count = 1;
	assert_int_equal(ask(lookups, &first, "a.example", &count, &problem), LOOKUP_WAIT);
	assert_int_equal(ask(lookups, &second, "a.example", &count, &problem), LOOKUP_WAIT);
	wait_until_done(server, &first, 1);
	wait_until_done(server, &second, 1);
	assert_int_equal(ask(lookups, &first, "a.example", &count, &problem), LOOKUP_FOUND);
	assert_int_equal(count, 3);
	assert_int_equal(server->queries, 2); /* A and AAAA */
	assert_int_equal(account.questions, 0);
	uint64_t end = clock_mono_ms() + 100; /* longer than the longest TTL of these tests */
	while (clock_mono_ms() < end)
		assert_true(loop_once(server->loop, 10, NULL));
	assert_int_equal(ask(lookups, &first, "a.example", &count, &problem), LOOKUP_WAIT);
	wait_until_done(server, &first, 2);
	finish(server, lookups);
}

static void what_is_not_found_says_why(void **state)
{
	(void)state;
	struct server *server = server_new();
	struct lookups *lookups = begin(server);
	struct asker asker = asker_of();
	unsigned count;
	const char *problem;
	server->rcode = RCODE_NXDOMAIN;
	assert_int_equal(ask(lookups, &asker, "gone.example", &count, &problem), LOOKUP_WAIT);
	wait_until_done(server, &asker, 1);
	assert_int_equal(ask(lookups, &asker, "gone.example", &count, &problem), LOOKUP_FAILED);
	assert_string_equal(problem, "no such name (NXDOMAIN)");
	finish(server, lookups);
}

static void who_leaves_is_told_nothing(void **state)
{
	(void)state;
	struct server *server = server_new();
	struct lookups *lookups = begin(server);
	struct asker leaves = asker_of(), stays = asker_of();
	unsigned count;
	const char *problem;
	server->a_count = 1;
	assert_int_equal(ask(lookups, &leaves, "a.example", &count, &problem), LOOKUP_WAIT);
	assert_int_equal(ask(lookups, &stays, "a.example", &count, &problem), LOOKUP_WAIT);
	lookup_cancel(&leaves.lookup);
	lookup_cancel(&leaves.lookup);
	wait_until_done(server, &stays, 1);
	assert_int_equal(leaves.done, 0);
	finish(server, lookups);
}

static void questions_of_one_asker_are_bounded_also_when_nobody_waits(void **state)
{
	(void)state;
	struct server *server = server_new();
	struct lookups *lookups = begin(server);
	struct lookup_asker other = {0};
	struct asker asker = asker_of();
	struct addr addrs[RESOLVE_MAX_ADDRS];
	unsigned count, asked = 0;
	const char *problem;
	char host[32];
	server->silent = UINT32_MAX;
	for (unsigned i = 0; i < 200; i++) {
		snprintf(host, sizeof(host), "h%u.example", i);
		if (ask(lookups, &asker, host, &count, &problem) == LOOKUP_WAIT)
			asked++;
		lookup_cancel(&asker.lookup);
	}
	assert_int_equal(asked, 64);
	assert_string_equal(problem, "too many names are being looked up");
	assert_int_equal(lookup_name(lookups, &asker.lookup, &other, SPAN("x.example"), addrs, &count, &problem), LOOKUP_WAIT);
	lookup_cancel(&asker.lookup);
	finish(server, lookups);
}

static void any_number_of_names_takes_bounded_memory(void **state)
{
	(void)state;
	struct server *server = server_new();
	struct lookups *lookups = begin(server);
	struct asker asker = asker_of();
	unsigned count;
	const char *problem;
	for (unsigned i = 0; i < 6000; i++) { /* refused by c-ares at once: no label may be so long */
		char longest[80];
		memset(longest, 'x', 64);
		snprintf(longest + 64, sizeof(longest) - 64, "%u", i);
		assert_int_equal(ask(lookups, &asker, longest, &count, &problem), LOOKUP_FAILED);
	}
	assert_true(memory.used < 2048 * 400);
	finish(server, lookups);
}

static void the_hosts_file_comes_first(void **state)
{
	(void)state;
	struct server *server = server_new();
	struct lookups *lookups = begin(server);
	struct asker asker = asker_of();
	unsigned count;
	const char *problem;
	assert_int_equal(ask(lookups, &asker, "localhost", &count, &problem), LOOKUP_FOUND);
	assert_int_equal(server->queries, 0);
	finish(server, lookups);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_name_is_asked_for_once_and_kept_for_its_ttl),
	    cmocka_unit_test(what_is_not_found_says_why),
	    cmocka_unit_test(who_leaves_is_told_nothing),
	    cmocka_unit_test(questions_of_one_asker_are_bounded_also_when_nobody_waits),
	    cmocka_unit_test(any_number_of_names_takes_bounded_memory),
	    cmocka_unit_test(the_hosts_file_comes_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

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
	unsigned count; /* of the addresses it was told */
	const char *problem;
};

static struct server *server;
static struct lookups *lookups;
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

static int begin(void **state)
{
	struct err err;
	(void)state;
	server = server_new();
	memory = (struct memory){.limit = 1 << 24};
	account = (struct lookup_asker){0};
	lookups = lookups_new(server->loop, server->resolver, &memory, &err);
	assert_non_null(lookups);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	resolver_free(server->resolver);
	server->resolver = NULL;
	lookups_free(lookups);
	assert_int_equal(memory.used, 0);
	server_free(server);
	return 0;
}

static enum lookup_result ask(struct asker *asker, const char *host)
{
	struct addr addrs[RESOLVE_MAX_ADDRS];
	return lookup_name(lookups, &asker->lookup, &account, span_from_str(host), addrs, &asker->count, &asker->problem);
}

static void wait_until_done(const struct asker *asker, unsigned done)
{
	uint64_t end = clock_mono_ms() + WAIT_MS;
	while (asker->done < done && clock_mono_ms() < end)
		assert_true(loop_once(server->loop, 50, NULL));
	assert_int_equal(asker->done, done);
}

static void a_name_is_asked_for_once_and_kept_for_its_ttl(void **state)
{
	(void)state;
	struct asker first = asker_of(), second = asker_of();
	server->a_count = 2;
	server->aaaa_count = 1;
	assert_int_equal(ask(&first, "a.example"), LOOKUP_WAIT);
	assert_int_equal(ask(&second, "a.example"), LOOKUP_WAIT);
	wait_until_done(&first, 1);
	wait_until_done(&second, 1);
	assert_int_equal(ask(&first, "a.example"), LOOKUP_FOUND);
	assert_int_equal(first.count, 3);
	assert_int_equal(server->queries, 2); /* A and AAAA */
	assert_int_equal(account.questions, 0);
	uint64_t end = clock_mono_ms() + 100; /* longer than the longest TTL of these tests */
	while (clock_mono_ms() < end)
		assert_true(loop_once(server->loop, 10, NULL));
	assert_int_equal(ask(&first, "a.example"), LOOKUP_WAIT);
	wait_until_done(&first, 2);
}

static void what_is_not_found_says_why(void **state)
{
	(void)state;
	struct asker asker = asker_of();
	server->rcode = RCODE_NXDOMAIN;
	assert_int_equal(ask(&asker, "gone.example"), LOOKUP_WAIT);
	wait_until_done(&asker, 1);
	assert_int_equal(ask(&asker, "gone.example"), LOOKUP_FAILED);
	assert_string_equal(asker.problem, "no such name (NXDOMAIN)");
}

static void who_leaves_is_told_nothing(void **state)
{
	(void)state;
	struct asker leaves = asker_of(), stays = asker_of();
	server->a_count = 1;
	assert_int_equal(ask(&leaves, "a.example"), LOOKUP_WAIT);
	assert_int_equal(ask(&stays, "a.example"), LOOKUP_WAIT);
	lookup_cancel(&leaves.lookup);
	lookup_cancel(&leaves.lookup);
	wait_until_done(&stays, 1);
	assert_int_equal(leaves.done, 0);
}

static void questions_of_one_asker_are_bounded_also_when_nobody_waits(void **state)
{
	(void)state;
	struct lookup_asker other = {0};
	struct asker asker = asker_of();
	struct addr addrs[RESOLVE_MAX_ADDRS];
	unsigned asked = 0;
	char host[32];
	server->silent = UINT32_MAX;
	for (unsigned i = 0; i < 200; i++) {
		snprintf(host, sizeof(host), "h%u.example", i);
		if (ask(&asker, host) == LOOKUP_WAIT)
			asked++;
		lookup_cancel(&asker.lookup);
	}
	assert_int_equal(asked, 64);
	assert_string_equal(asker.problem, "too many names are being looked up");
	assert_int_equal(lookup_name(lookups, &asker.lookup, &other, SPAN("x.example"), addrs, &asker.count, &asker.problem), LOOKUP_WAIT);
	lookup_cancel(&asker.lookup);
}

static void any_number_of_names_takes_bounded_memory(void **state)
{
	(void)state;
	struct asker asker = asker_of();
	for (unsigned i = 0; i < 6000; i++) { /* refused by c-ares at once: no label may be so long */
		char longest[80];
		memset(longest, 'x', 64);
		snprintf(longest + 64, sizeof(longest) - 64, "%u", i);
		assert_int_equal(ask(&asker, longest), LOOKUP_FAILED);
	}
	assert_true(memory.used < 2048 * 400);
}

static void the_hosts_file_comes_first(void **state)
{
	(void)state;
	struct asker asker = asker_of();
	assert_int_equal(ask(&asker, "localhost"), LOOKUP_FOUND);
	assert_int_equal(server->queries, 0);
}

/* Whoever waits asks again when he is told: that must not ask the server again, as fast as it answers. */
static void an_answer_without_memory_for_it_is_not_asked_for_at_once(void **state)
{
	(void)state;
	struct asker asker = asker_of();
	server->a_count = 1;
	assert_int_equal(ask(&asker, "a.example"), LOOKUP_WAIT);
	memory.limit = memory.used;
	wait_until_done(&asker, 1);
	unsigned asked = server->queries;
	assert_int_equal(ask(&asker, "a.example"), LOOKUP_FAILED);
	assert_string_equal(asker.problem, "out of memory");
	assert_int_equal(server->queries, asked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_name_is_asked_for_once_and_kept_for_its_ttl, begin, finish),
	    cmocka_unit_test_setup_teardown(what_is_not_found_says_why, begin, finish),
	    cmocka_unit_test_setup_teardown(who_leaves_is_told_nothing, begin, finish),
	    cmocka_unit_test_setup_teardown(questions_of_one_asker_are_bounded_also_when_nobody_waits, begin, finish),
	    cmocka_unit_test_setup_teardown(any_number_of_names_takes_bounded_memory, begin, finish),
	    cmocka_unit_test_setup_teardown(the_hosts_file_comes_first, begin, finish),
	    cmocka_unit_test_setup_teardown(an_answer_without_memory_for_it_is_not_asked_for_at_once, begin, finish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

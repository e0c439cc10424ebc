/* The resolver against a DNS server of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "net/dns_server.h"

/* Until the name's number of addresses and problem are these, or far too long. */
static bool wait_for(struct server *server, struct resolver_name *name, unsigned count,
		     const char *problem)
{
	struct addr addrs[RESOLVE_MAX_ADDRS];
	uint64_t end = clock_mono_ms() + WAIT_MS;
	while (clock_mono_ms() < end) {
		if (resolver_addrs(name, addrs) == count &&
		    strcmp(resolver_problem(name), problem) == 0)
			return true;
		assert_true(loop_once(server->loop, 50, NULL));
	}
	print_error("%u addresses, '%s'\n", resolver_addrs(name, addrs), resolver_problem(name));
	return false;
}

static void resolver_gives_addresses_of_both_families(void **state)
{
	(void)state;
	struct server *server = server_new();
	server->a_count = 2;
	server->aaaa_count = 1;
	struct resolver_name *name = resolver_watch(server->resolver, "origin.example", 8080);
	assert_string_equal(resolver_problem(name), "not asked yet");
	assert_true(wait_for(server, name, 3, ""));
	struct addr addrs[RESOLVE_MAX_ADDRS];
	unsigned seen = 0;
	for (unsigned i = 0; i < resolver_addrs(name, addrs); i++) {
		char text[ADDR_TEXT_SIZE];
		addr_format(&addrs[i], text);
		seen |= strcmp(text, "10.0.0.1:8080") == 0 ? 1U : 0U;
		seen |= strcmp(text, "10.0.0.2:8080") == 0 ? 2U : 0U;
		seen |= strcmp(text, "[2001:db8::1]:8080") == 0 ? 4U : 0U;
	}
	assert_int_equal(seen, 7);
	server_free(server);
}

static void resolver_asks_again_when_the_ttl_ends(void **state)
{
	(void)state;
	struct server *server = server_new();
	server->a_count = 1;
	struct resolver_name *name = resolver_watch(server->resolver, "origin.example", 80);
	assert_true(wait_for(server, name, 1, ""));
	server->a_count = 2;
	uint64_t asked = clock_mono_ms();
	assert_true(wait_for(server, name, 2, ""));
	/* 60 s by the answer, bounded to 60 ms */
	assert_true(clock_mono_ms() - asked < WAIT_MS);
	server->ttl = 0; /* bounded to 30 ms: no more than two queries in that time */
	server->a_count = 3;
	assert_true(wait_for(server, name, 3, ""));
	unsigned before = server->queries;
	uint64_t start = clock_mono_ms();
	server->a_count = 4;
	assert_true(wait_for(server, name, 4, ""));
	assert_true(server->queries - before <= 2 * (1 + (clock_mono_ms() - start) / 30));
	server_free(server);
}

static void resolver_keeps_old_addresses_when_the_name_fails(void **state)
{
	(void)state;
	static const struct {
		unsigned rcode;
		bool is_garbage;
		const char *problem;
	} rows[] = {
	    {RCODE_NXDOMAIN, false, "no such name (NXDOMAIN)"},
	    {RCODE_SERVFAIL, false, NULL},
	    {0, true, NULL},
	    {0, false, "the name has no address"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct server *server = server_new();
		server->a_count = 1;
		struct resolver_name *name =
		    resolver_watch(server->resolver, "origin.example.", 80);
		assert_true(wait_for(server, name, 1, ""));
		server->rcode = rows[i].rcode;
		server->is_garbage = rows[i].is_garbage;
		server->a_count = 0;
		uint64_t end = clock_mono_ms() + WAIT_MS;
		while (resolver_problem(name)[0] == '\0' && clock_mono_ms() < end)
			assert_true(loop_once(server->loop, 50, NULL));
		assert_true(resolver_problem(name)[0] != '\0');
		if (rows[i].problem)
			assert_string_equal(resolver_problem(name), rows[i].problem);
		struct addr addrs[RESOLVE_MAX_ADDRS];
		assert_int_equal(resolver_addrs(name, addrs), 1);
		server->rcode = 0;
		server->is_garbage = false;
		server->a_count = 2;
		assert_true(wait_for(server, name, 2, ""));
		server_free(server);
	}
}

static void resolver_slows_down_while_a_name_fails(void **state)
{
	(void)state;
	struct server *server = server_new();
	server->rcode = RCODE_NXDOMAIN;
	struct resolver_name *name = resolver_watch(server->resolver, "gone.example.", 80);
	assert_true(wait_for(server, name, 0, "no such name (NXDOMAIN)"));
	uint64_t start = clock_mono_ms();
	while (clock_mono_ms() - start < 400)
		assert_true(loop_once(server->loop, 50, NULL));
	/* after 10, 20, 40, 40 … ms, two queries each: far from a busy loop */
	assert_true(server->queries > 4 && server->queries <= 2 * (4 + 400 / 40));
	server_free(server);
}

static void resolver_takes_no_more_than_it_has_room_for(void **state)
{
	(void)state;
	struct server *server = server_new();
	server->a_count = 28;
	server->aaaa_count = 3;
	struct resolver_name *name = resolver_watch(server->resolver, "many.example", 80);
	assert_true(wait_for(server, name, RESOLVE_MAX_ADDRS, ""));
	server_free(server);
}

static void resolver_asks_by_tcp_where_udp_is_too_short(void **state)
{
	(void)state;
	struct server *server = server_new();
	server->a_count = 12;
	server->udp_limit = 4;
	struct resolver_name *name = resolver_watch(server->resolver, "many.example", 80);
	assert_true(wait_for(server, name, 12, ""));
	assert_true(server->tcp_queries > 0);
	server->a_count = 9; /* and once more, the connection may be there or not */
	assert_true(wait_for(server, name, 9, ""));
	server_free(server);
}

static void resolver_asks_again_where_a_packet_was_lost(void **state)
{
	(void)state;
	struct server *server = server_new();
	server->a_count = 1;
	server->silent = 2;
	struct resolver_name *name = resolver_watch(server->resolver, "origin.example", 80);
	assert_true(wait_for(server, name, 1, ""));
	server_free(server);
}

static void resolver_says_that_no_server_is_there(void **state)
{
	(void)state;
	struct server *server = server_new();
	loop_unwatch(server->loop, &server->udp);
	close(server->udp.fd);
	struct resolver_name *name = resolver_watch(server->resolver, "origin.example.", 80);
	uint64_t end = clock_mono_ms() + WAIT_MS;
	while (strncmp(resolver_problem(name), "no DNS server", 13) != 0 && clock_mono_ms() < end)
		assert_true(loop_once(server->loop, 50, NULL));
	assert_memory_equal(resolver_problem(name), "no DNS server", 13);
	server_free(server);
}

static void resolver_takes_the_hosts_file_first_and_for_good(void **state)
{
	(void)state;
	if (access("/etc/hosts", R_OK) != 0)
		skip(); /* a bare root has none */
	struct server *server = server_new();
	struct resolver_name *name = resolver_watch(server->resolver, "localhost", 80);
	struct addr addrs[RESOLVE_MAX_ADDRS];
	assert_true(resolver_addrs(name, addrs) > 0);
	assert_string_equal(resolver_problem(name), "");
	char text[ADDR_TEXT_SIZE];
	addr_format(&addrs[0], text);
	assert_true(strcmp(text, "127.0.0.1:80") == 0 || strcmp(text, "[::1]:80") == 0);
	assert_true(loop_once(server->loop, 100, NULL));
	assert_int_equal(server->queries, 0);
	server_free(server);
}

static void resolver_ends_while_it_is_asking(void **state)
{
	(void)state;
	struct server *server = server_new();
	server->silent = 100;
	for (unsigned i = 0; i < 20; i++) {
		char host[32];
		snprintf(host, sizeof(host), "host%u.example", i);
		assert_non_null(resolver_watch(server->resolver, host, 80));
	}
	assert_true(loop_once(server->loop, 50, NULL));
	server_free(server);
	resolver_free(NULL);
}

static void resolver_refuses_wrong_servers_and_names(void **state)
{
	(void)state;
	struct server *server = server_new();
	struct err err;
	assert_false(resolver_set_servers(server->resolver, "not an address", &err));
	assert_non_null(strstr(err.text, "not an address"));
	char longest[300];
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	struct resolver_name *name = resolver_watch(server->resolver, longest, 80);
	struct addr addrs[RESOLVE_MAX_ADDRS];
	assert_int_equal(resolver_addrs(name, addrs), 0);
	assert_string_not_equal(resolver_problem(name), "");
	server_free(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(resolver_gives_addresses_of_both_families),
	    cmocka_unit_test(resolver_asks_again_when_the_ttl_ends),
	    cmocka_unit_test(resolver_keeps_old_addresses_when_the_name_fails),
	    cmocka_unit_test(resolver_slows_down_while_a_name_fails),
	    cmocka_unit_test(resolver_takes_no_more_than_it_has_room_for),
	    cmocka_unit_test(resolver_asks_by_tcp_where_udp_is_too_short),
	    cmocka_unit_test(resolver_asks_again_where_a_packet_was_lost),
	    cmocka_unit_test(resolver_says_that_no_server_is_there),
	    cmocka_unit_test(resolver_takes_the_hosts_file_first_and_for_good),
	    cmocka_unit_test(resolver_ends_while_it_is_asking),
	    cmocka_unit_test(resolver_refuses_wrong_servers_and_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

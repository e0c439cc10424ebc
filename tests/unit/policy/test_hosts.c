/* Hosts in a policy come to one spelling, or are reported. */

#include "sallyport/policy_hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void hosts_come_to_one_spelling(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
	    {"shop.example", "shop.example"},
	    {"Shop.EXAMPLE", "shop.example"},
	    {"shop.example.", "shop.example"},
	    {"*.Shop.example", "*.shop.example"},
	    {"192.0.2.7", "192.0.2.7"},
	    {"[2001:DB8::1]", "[2001:db8::1]"},
	    {"", NULL},
	    {"*.", NULL},
	    {"*", NULL},
	    {"*.[2001:db8::1]", NULL},
	    {"shop.example:80", NULL},
	    {"shop.example:", NULL},
	    {"shop.example.:", NULL},
	    {"shop..example", NULL},
	    {"a@shop.example", NULL},
	    {"http://shop.example", NULL},
	};
	struct arena *arena = arena_new(1 << 16);

	(void)state;
	assert_non_null(arena);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *host = policy_host(cases[i].text, arena);

		if (cases[i].expected)
			assert_string_equal(host, cases[i].expected);
		else
			assert_null(host);
	}
	arena_free(arena);
}

static void what_is_no_host_is_reported_and_left_out(void **state)
{
	const char *items[] = {"A.example", "b.example:80", "c.example", NULL};
	struct policy_strings hosts = {.items = items, .n = 3};
	struct policy_context context = {
	    .arena = arena_new(1 << 16), .errors = policy_errors_new(), .dir = ".", .path = "x"};
	struct policy_problem problem;

	(void)state;
	policy_hosts(&hosts, "hosts", "shop.example", &context);
	assert_int_equal(hosts.n, 2);
	assert_string_equal(hosts.items[0], "a.example");
	assert_string_equal(hosts.items[1], "c.example");
	assert_int_equal(policy_errors_count(context.errors), 1);
	assert_true(policy_errors_get(context.errors, 0, &problem));
	assert_string_equal(problem.text, "x.hosts: \"b.example:80\" is not a host without port, such as "
					  "\"shop.example\" or \"*.shop.example\"");
	policy_errors_free(context.errors);
	arena_free(context.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hosts_come_to_one_spelling),
	    cmocka_unit_test(what_is_no_host_is_reported_and_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

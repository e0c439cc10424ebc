/* Hosts to sites, paths to routes: which one wins, and that a look-up stays cheap. */

#include "sallyport/clock.h"
#include "sallyport/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "guard_page.h"

enum { SITES = 4 };

struct fixture {
	struct arena *arena;
	struct site_table *table;
	struct site sites[SITES]; /* exact, wildcard, longer wildcard, default */
};

static int set_up(void **state)
{
	static const char *const hosts[SITES] = {"shop.example", "*.example", "*.shop.example",
						 "[2001:db8::1]"};
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture)
		return -1;
	fixture->arena = arena_new(1 << 20);
	fixture->table = site_table_new(fixture->arena, SITES);
	if (!fixture->table)
		return -1;
	for (size_t i = 0; i < SITES; i++) {
		fixture->sites[i].name = hosts[i];
		if (site_table_add(fixture->table, hosts[i], &fixture->sites[i]))
			return -1;
	}
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	arena_free(fixture->arena);
	free(fixture);
	return 0;
}

/* Looks up a copy that ends at an unreadable page. */
static const char *found(const struct fixture *fixture, const char *host)
{
	const size_t len = strlen(host);
	char *copy = guarded_copy(host, len);
	const struct site *site = site_lookup(fixture->table, span_of(copy, len));

	guarded_free(copy, len);
	return site ? site->name : "none";
}

static void the_exact_host_goes_before_wildcards_and_the_longer_wildcard_first(void **state)
{
	static const struct {
		const char *host, *site;
	} cases[] = {
	    {"shop.example", "shop.example"},
	    {"SHOP.Example", "shop.example"},
	    {"a.example", "*.example"},
	    {"a.b.example", "*.example"},
	    {"www.shop.example", "*.shop.example"},
	    {"a.b.SHOP.example", "*.shop.example"},
	    {"xshop.example", "*.example"},
	    {"[2001:DB8::1]", "[2001:db8::1]"},
	    {"example", "none"},
	    {".example", "none"},
	    {".shop.example", "*.example"},
	    {"shop.example.org", "none"},
	    {"shop.exampl", "none"},
	    {"hop.example2", "none"},
	    {"*.example2", "none"},
	    {".", "none"},
	    {"", "none"},
	};
	const struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(found(fixture, cases[i].host), cases[i].site) != 0)
			fail_msg("%s: found %s", cases[i].host, found(fixture, cases[i].host));
	}
}

static void unknown_hosts_go_to_the_default_site_where_there_is_one(void **state)
{
	struct fixture *fixture = *state;

	assert_string_equal(found(fixture, "other.org"), "none");
	site_table_set_default(fixture->table, &fixture->sites[0]);
	assert_string_equal(found(fixture, "other.org"), "shop.example");
	assert_string_equal(found(fixture, ""), "shop.example");
	assert_string_equal(found(fixture, "a.example"), "*.example");
}

static void a_host_belongs_to_one_site(void **state)
{
	struct fixture *fixture = *state;

	assert_ptr_equal(site_table_add(fixture->table, "*.example", &fixture->sites[3]),
			 &fixture->sites[1]);
	assert_string_equal(found(fixture, "a.example"), "*.example");
}

static void a_thousand_hosts_are_told_apart(void **state)
{
	static struct site sites[1000];
	static char names[1000][32];
	struct arena *arena = arena_new(1 << 20);
	struct site_table *table = site_table_new(arena, 1000);

	(void)state;
	assert_non_null(table);
	for (size_t i = 0; i < 1000; i++) {
		snprintf(names[i], sizeof(names[i]), "%ssite%zu.example", i % 3 ? "" : "*.", i);
		assert_null(site_table_add(table, names[i], &sites[i]));
	}
	for (size_t i = 0; i < 1000; i++) {
		char host[32];

		snprintf(host, sizeof(host), "%ssite%zu.example", i % 3 ? "" : "www.", i);
		assert_ptr_equal(site_lookup(table, span_from_str(host)), &sites[i]);
	}
	arena_free(arena);
}

static void a_route_covers_whole_segments(void **state)
{
	struct route api = {.prefix = "/api", .prefix_len = 4};
	struct route v2 = {.prefix = "/api/v2", .prefix_len = 7};
	struct route files = {.prefix = "/files/", .prefix_len = 7};
	struct route root = {.prefix = "/", .prefix_len = 1};
	struct route *routes[] = {&v2, &files, &api, &root};
	const struct site site = {.routes = routes, .route_count = 4};
	const struct {
		const char *path;
		const struct route *route;
	} cases[] = {
	    {"/", &root},         {"/ap", &root},    {"/api", &api},       {"/api/", &api},
	    {"/apis", &root},     {"/api/v2", &v2},  {"/api/v2/x", &v2},   {"/api/v20", &api},
	    {"/api%2Fv2", &root}, {"/files", &root}, {"/files/x", &files}, {"/API", &root},
	    {"/x/api", &root},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const size_t len = strlen(cases[i].path);
		char *copy = guarded_copy(cases[i].path, len);

		if (site_route(&site, span_of(copy, len)) != cases[i].route)
			fail_msg("%s takes the wrong route", cases[i].path);
		guarded_free(copy, len);
	}
}

/* The aim is 100 ns; ten times that is no noise any more. Prints what it was. */
static void a_look_up_takes_less_than_a_microsecond(void **state)
{
	enum { ROUNDS = 200000 };
	const struct fixture *fixture = *state;
	const uint64_t start = clock_mono_us();
	size_t hits = 0;
	uint64_t ns;

	for (size_t i = 0; i < ROUNDS; i++)
		hits += site_lookup(fixture->table, SPAN("www.shop.example")) != NULL;
	ns = (clock_mono_us() - start) * 1000 / ROUNDS;
	print_message("site_lookup: %llu ns\n", (unsigned long long)ns);
	assert_int_equal(hits, ROUNDS);
#ifndef SALLYPORT_SANITIZED
	assert_true(ns < 1000);
#endif
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    WITH_FIXTURE(the_exact_host_goes_before_wildcards_and_the_longer_wildcard_first),
	    WITH_FIXTURE(unknown_hosts_go_to_the_default_site_where_there_is_one),
	    WITH_FIXTURE(a_host_belongs_to_one_site),
	    cmocka_unit_test(a_thousand_hosts_are_told_apart),
	    cmocka_unit_test(a_route_covers_whole_segments),
	    WITH_FIXTURE(a_look_up_takes_less_than_a_microsecond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

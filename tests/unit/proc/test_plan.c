/* A plan says what the policy says, and a keeper that reads one finds its way in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "proc/plan_write.h"
#include "sallyport/guard_plan.h"

static const char policy[] =
    "listen = ( { address = \":8080\"; } );"
    "default_site = \"rest\";"
    "vault = { size = \"5 MiB\"; versions = 7; };"
    "sites = ("
    " { name = \"off\"; hosts = ( \"off.example\" ); origins = ( \"http://10.0.0.1\" ); },"
    " { name = \"shop\"; hosts = ( \"*.shop.example\", \"Shop.example\" );"
    "   origins = ( \"http://10.0.0.5\", \"http://b.example:8080\" );"
    "   routes = ( { path = \"/api\"; origins = ( \"http://10.0.0.6:99\" ); host = \"api\"; } );"
    "   guard = { mode = \"enforce\"; seeds = ( \"/\", \"/a?b=%20\" ); exclude = ( \"/search\" );"
    "             rate = \"3/min\"; samples = 4; settle = \"1 h\"; confirm = true; sitemap = false;"
    "             redirects = ( \"Pay.example\", \"*.ok.example\" ); }; },"
    " { name = \"wild\"; hosts = ( \"*.wild.example\" ); origins = ( \"http://10.0.0.7\" );"
    "   guard = { mode = \"monitor\"; }; },"
    " { name = \"rest\"; origins = ( \"http://[::1]:81\" ); guard = { mode = \"monitor\"; }; }"
    ");";

static struct plan *plan_of(const char *text)
{
	struct policy_errors *errors = policy_errors_new();
	struct settings *settings = settings_load_text(text, NULL, errors);
	struct err err = {{0}};
	struct strbuf out;
	assert_non_null(settings);
	strbuf_init(&out, PLAN_BYTES_MAX);
	assert_true(plan_write(settings, &out));
	struct plan *plan = plan_read(strbuf_span(&out), &err);
	strbuf_release(&out);
	settings_free(settings);
	policy_errors_free(errors);
	return plan;
}

static void a_plan_says_what_the_policy_says(void **state)
{
	(void)state;
	struct plan *plan = plan_of(policy);
	assert_non_null(plan);
	assert_int_equal(plan->n, 3);
	assert_int_equal(plan->vault_bytes, 5 << 20);
	assert_int_equal(plan->vault_versions, 7);
	const struct plan_site *shop = &plan->sites[0];
	assert_string_equal(shop->name, "shop");
	assert_true(shop->id == site_id("shop"));
	assert_int_equal(shop->policy.mode, GUARD_ENFORCE);
	assert_int_equal(shop->policy.unknown, GUARD_UNKNOWN_PASS);
	assert_int_equal(shop->policy.fail, GUARD_FAIL_OPEN);
	assert_int_equal(shop->policy.rate.count, 3);
	assert_int_equal(shop->policy.rate.per_ms, 60000);
	assert_int_equal(shop->policy.samples, 4);
	assert_int_equal(shop->policy.settle_ms, 3600000);
	assert_true(shop->policy.confirm && !shop->policy.sitemap);
	assert_int_equal(shop->policy.seeds.n, 2);
	assert_string_equal(shop->policy.seeds.items[1], "/a?b=%20");
	plan_free(plan);
}

static void every_path_has_its_route_and_host(void **state)
{
	(void)state;
	struct plan *plan = plan_of(policy);
	const struct plan_site *shop = &plan->sites[0];
	const struct plan_route *api = plan_route(shop, SPAN("/api/x"));
	const struct plan_route *root = plan_route(shop, SPAN("/apis"));
	assert_string_equal(api->host, "api");
	assert_int_equal(api->origins[0].port, 99);
	assert_ptr_equal(plan_route(shop, SPAN("/api")), api);
	assert_string_equal(root->host, "shop.example");
	assert_int_equal(root->n, 2);
	assert_string_equal(root->origins[1].host, "b.example");
	assert_string_equal(root->origins[1].text, "b.example:8080");
	assert_string_equal(plan->sites[1].routes[0].host, "wild.example");
	assert_string_equal(plan->sites[2].routes[0].origins[0].host, "::1");
	plan_free(plan);
}

/* What a visitor's request goes to, and whether its page is judged, is said of each spelling alike. */
static void paths_are_read_as_the_origin_reads_them(void **state)
{
	static const struct {
		const char *kind, *excluded, *routed;
	} kinds[] = {{"unix", NULL, NULL}, {"iis", "/SEARCH/x", "/API/x"}, {"tomcat", "/search;a=1/x", "/api;a=1"}};
	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char text[1024];
		snprintf(text, sizeof(text),
			 "listen = ( { address = \":8080\"; } ); sites = ( { name = \"a\"; hosts = ( \"a.example\" ); "
			 "origins = ( \"http://10.0.0.5\" ); routes = ( { path = \"/api\"; origins = ( \"http://10.0.0.6\" ); } ); "
			 "shield = { origin_kind = \"%s\"; }; guard = { mode = \"monitor\"; exclude = ( \"/search\" ); }; } );",
			 kinds[i].kind);
		struct plan *plan = plan_of(text);
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			if (!kinds[k].excluded)
				continue;
			assert_int_equal(plan_excludes(&plan->sites[0], span_from_str(kinds[k].excluded)), k == i);
			assert_string_equal(plan_route(&plan->sites[0], span_from_str(kinds[k].routed))->origins[0].host,
					    k == i ? "10.0.0.6" : "10.0.0.5");
		}
		plan_free(plan);
	}
}

static void excluded_are_paths_and_what_is_under_them(void **state)
{
	(void)state;
	struct plan *plan = plan_of(policy);
	const struct plan_site *shop = &plan->sites[0];
	assert_true(plan_excludes(shop, SPAN("/search")));
	assert_true(plan_excludes(shop, SPAN("/search?q=/")));
	assert_true(plan_excludes(shop, SPAN("/search/x")));
	assert_false(plan_excludes(shop, SPAN("/searches")));
	assert_false(plan_excludes(shop, SPAN("/?/search")));
	plan_free(plan);
}

static void redirects_may_lead_to_own_and_listed_hosts(void **state)
{
	(void)state;
	struct plan *plan = plan_of(policy);
	const struct plan_site *shop = &plan->sites[0];
	static const char *const allowed[] = {"shop.example", "a.shop.example", "pay.example",
					      "x.ok.example"};
	static const char *const foreign[] = {"evil.example", "ok.example", "evilshop.example",
					      "pay.example.evil.example", ""};
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		assert_true(plan_allows_host(shop, span_from_str(allowed[i])));
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		assert_false(plan_allows_host(shop, span_from_str(foreign[i])));
	plan_free(plan);
}

static void what_is_missing_is_not_taken_for_zero(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "", "[]", "{}", "{\"vault_bytes\":1,\"vault_versions\":1,\"sites\":[{}]}",
	    "{\"vault_bytes\":-1,\"vault_versions\":1,\"sites\":[]}",
	    "{\"vault_bytes\":1,\"vault_versions\":1,\"sites\":[{\"name\":\"shop\"}]}",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct err err = {{0}};
		assert_null(plan_read(span_from_str(texts[i]), &err));
		assert_true(err.text[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_plan_says_what_the_policy_says),
	    cmocka_unit_test(every_path_has_its_route_and_host),
	    cmocka_unit_test(excluded_are_paths_and_what_is_under_them),
	    cmocka_unit_test(paths_are_read_as_the_origin_reads_them),
	    cmocka_unit_test(redirects_may_lead_to_own_and_listed_hosts),
	    cmocka_unit_test(what_is_missing_is_not_taken_for_zero),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

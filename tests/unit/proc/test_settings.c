/* A whole policy: defaults, what the command line changes, what is shared, and that the
 * documentation tells the truth. */

#include "sallyport/settings.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char smallest[] = "listen = ( { address = \":8080\"; } );\n"
			       "sites = ( { name = \"shop\"; hosts = ( \"shop.example\" );\n"
			       "  origins = ( \"http://10.0.0.5\" ); } );\n";

static struct settings *load(const char *text, const struct settings_overrides *overrides)
{
	struct policy_errors *errors = policy_errors_new();
	struct settings *settings = settings_load_text(text, overrides, errors);
	struct strbuf out;

	strbuf_init(&out, 1 << 16);
	policy_errors_print(errors, &out);
	if (out.data)
		print_error("%s", out.data);
	strbuf_release(&out);
	policy_errors_free(errors);
	return settings;
}

static void the_smallest_policy_has_safe_defaults(void **state)
{
	struct settings *settings = load(smallest, NULL);
	const struct site *site;
	const struct route *route;

	(void)state;
	assert_non_null(settings);
	assert_int_equal(settings->limits.head_bytes, 16384);
	assert_int_equal(settings->limits.fields, 100);
	assert_int_equal(settings->timeouts.head, 10000);
	assert_int_equal(settings->timeouts.min_rate, 500);
	assert_int_equal(settings->quotas.memory, 256 << 20);
	assert_int_equal(settings->process.sandbox, SANDBOX_BEST_EFFORT);
	assert_int_equal(settings->log.format, LOG_FORMAT_COMBINED);
	assert_string_equal(settings->log.access, "-");
	assert_null(settings->console.address);
	assert_int_equal(settings->trusted_count, 0);
	assert_int_equal(addr_port(&((struct listen_settings *)settings->listens.items)->addr),
			 8080);

	site = site_lookup(settings->table, SPAN("shop.example"));
	assert_non_null(site);
	assert_non_null(site->shield);
	assert_int_equal(site->shield_settings.mode, SHIELD_ENFORCE);
	assert_int_equal(site->shield_settings.limits.path, 2048);
	assert_string_equal(site->shield_settings.methods[6], "PATCH");
	assert_null(site->shield_settings.methods[7]);
	assert_null(site_lookup(settings->table, SPAN("other.example")));

	route = site_route(site, SPAN("/any/path"));
	assert_int_equal(route->origin_count, 1);
	assert_string_equal(route->origins[0].host, "10.0.0.5");
	assert_int_equal(route->origins[0].port, 80);
	assert_true(route->origins[0].is_literal);
	assert_int_equal(route->balance, BALANCE_ROUND_ROBIN);
	assert_int_equal(route->health.fall, 3);
	settings_free(settings);
}

static void the_command_line_replaces_listeners_and_sites(void **state)
{
	const struct settings_overrides overrides = {
	    .listen = ":81, 127.0.0.1:82",
	    .origin = "http://10.0.0.9:90,http://[::1]:91",
	    .console = "127.0.0.1:8081",
	    .log = "off",
	};
	struct settings *settings = load(smallest, &overrides);
	const struct site *site;

	(void)state;
	assert_non_null(settings);
	assert_int_equal(settings->listens.n, 2);
	assert_int_equal(settings->sites.n, 1);
	assert_string_equal(settings->log.access, "off");
	assert_int_equal(addr_port(&settings->console.addr), 8081);
	site = site_lookup(settings->table, SPAN("whatever.example"));
	assert_non_null(site);
	assert_string_equal(site->name, "default");
	assert_int_equal(site->root.origin_count, 2);
	assert_string_equal(site->root.origins[1].host, "::1");
	settings_free(settings);
}

static void the_command_line_is_a_policy_by_itself(void **state)
{
	const struct settings_overrides overrides = {.listen = ":81", .origin = "http://origin:90"};
	struct settings *settings = load(NULL, &overrides);

	(void)state;
	assert_non_null(settings);
	assert_false(site_lookup(settings->table, SPAN("a"))->root.origins[0].is_literal);
	settings_free(settings);
}

static void the_command_line_keeps_what_it_does_not_name(void **state)
{
	static const char text[] = "log = { access = \"/var/log/a\"; format = \"json\"; };\n"
				   "timeouts = { head = \"3 s\"; };\n"
				   "sites = ( { name = \"shop\"; hosts = ( \"shop.example\" );\n"
				   "  origins = ( \"http://10.0.0.5\" ); } );\n";
	const struct settings_overrides overrides = {.listen = ":81", .log = "-"};
	struct settings *settings = load(text, &overrides);

	(void)state;
	assert_non_null(settings);
	assert_string_equal(settings->log.access, "-");
	assert_int_equal(settings->log.format, LOG_FORMAT_JSON);
	assert_int_equal(settings->timeouts.head, 3000);
	settings_free(settings);
}

static void quotes_on_the_command_line_stay_data(void **state)
{
	const struct settings_overrides overrides = {
	    .listen = ":81", .origin = "http://a", .log = "/x\"; }; process = { user = \"root"};
	struct settings *settings = load(NULL, &overrides);

	(void)state;
	assert_non_null(settings);
	assert_string_equal(settings->log.access, overrides.log);
	assert_string_equal(settings->process.user, "nobody");
	settings_free(settings);
}

static void without_listener_or_site_nothing_loads(void **state)
{
	struct policy_errors *errors = policy_errors_new();

	(void)state;
	assert_null(settings_load_text(NULL, NULL, errors));
	assert_int_equal(policy_errors_count(errors), 2);
	policy_errors_free(errors);
}

static void sites_with_equal_settings_share_a_shield(void **state)
{
	static const char text[] =
	    "listen = ( { address = \":8080\"; } );\n"
	    "sites = (\n"
	    " { name = \"a\"; hosts = ( \"a\" ); origins = ( \"http://10.0.0.5\" ); },\n"
	    " { name = \"b\"; hosts = ( \"b\" ); origins = ( \"http://10.0.0.6\" ); },\n"
	    " { name = \"c\"; hosts = ( \"c\" ); origins = ( \"http://10.0.0.7\" );\n"
	    "   shield = { mode = \"monitor\"; }; } );\n";
	struct settings *settings = load(text, NULL);
	const struct site *sites;

	(void)state;
	assert_non_null(settings);
	sites = settings->sites.items;
	assert_ptr_equal(sites[0].shield, sites[1].shield);
	assert_ptr_not_equal(sites[0].shield, sites[2].shield);
	assert_int_equal(settings->shield_count, 2);
	assert_int_equal(settings->origin_count, 3);
	assert_int_equal(sites[2].root.origins[0].index, 2);
	assert_int_equal(sites[2].root.index, 2);
	settings_free(settings);
}

static void a_route_has_what_it_leaves_out_from_its_site(void **state)
{
	static const char text[] =
	    "listen = ( { address = \":8080\"; } );\n"
	    "sites = ( { name = \"a\"; hosts = ( \"a\" ); origins = ( \"http://10.0.0.5\" );\n"
	    "  balance = \"least-connections\"; host = \"inner\"; max_connections = 7;\n"
	    "  send_proxy = \"v2\";\n"
	    "  health = { path = \"/up?x\"; };\n"
	    "  routes = (\n"
	    "    { path = \"/api\"; origins = ( \"http://10.0.0.6\" ); },\n"
	    "    { path = \"/api/v2\"; origins = ( \"http://10.0.0.7\" );\n"
	    "      balance = \"round-robin\"; host = \"v2\"; health = { fall = 9; };\n"
	    "      send_proxy = \"off\"; } ); } );\n";
	struct settings *settings = load(text, NULL);
	const struct site *site;
	const struct route *route;

	(void)state;
	assert_non_null(settings);
	site = site_lookup(settings->table, SPAN("a"));
	route = site_route(site, SPAN("/api/x"));
	assert_int_equal(route->balance, BALANCE_LEAST_CONNECTIONS);
	assert_string_equal(route->host, "inner");
	assert_int_equal(route->max_connections, 7);
	assert_int_equal(route->send_proxy, PROXY_VERSION_2);
	assert_string_equal(route->health.path, "/up?x");
	route = site_route(site, SPAN("/api/v2/x"));
	assert_int_equal(route->balance, BALANCE_ROUND_ROBIN);
	assert_string_equal(route->host, "v2");
	assert_int_equal(route->send_proxy, PROXY_VERSION_NONE);
	assert_null(route->health.path);
	assert_int_equal(route->health.fall, 9);
	settings_free(settings);
}

static void a_listener_knows_its_balancers(void **state)
{
	static const char text[] =
	    "listen = ( { address = \":8080\"; },\n"
	    "           { address = \":8081\"; proxy_protocol = ( \"10.1.0.0/16\", \"::1\" ); } );\n"
	    "sites = ( { name = \"a\"; hosts = ( \"a\" ); origins = ( \"http://10.0.0.5\" ); } );\n";
	struct settings *settings = load(text, NULL);
	const struct listen_settings *listens;
	const struct site *sites;
	struct addr balancer;

	(void)state;
	assert_non_null(settings);
	listens = settings->listens.items;
	sites = settings->sites.items;
	assert_int_equal(listens[0].proxy_from_count, 0);
	assert_int_equal(listens[1].proxy_from_count, 2);
	assert_true(addr_parse_ip(SPAN("10.1.2.3"), 0, &balancer));
	assert_true(cidr_has(&listens[1].proxy_from[0], &balancer));
	assert_int_equal(sites[0].root.send_proxy, PROXY_VERSION_NONE);
	settings_free(settings);
}

static void a_webroot_makes_a_route_of_our_own_behind_all_others(void **state)
{
	static const char text[] =
	    "listen = ( { address = \":8080\"; } ); acme_webroot = \"/tmp\";\n"
	    "sites = ( { name = \"a\"; hosts = ( \"a\" ); origins = ( \"http://10.0.0.5\" ); },\n"
	    "          { name = \"b\"; hosts = ( \"b\" ); origins = ( \"http://10.0.0.6\" ); acme = false; } );\n";
	struct settings *settings = load(text, NULL);
	const struct site *sites;
	const struct route *route;

	(void)state;
	assert_non_null(settings);
	sites = settings->sites.items;
	route = settings->internals[INTERNAL_CHALLENGES];
	assert_true(sites[0].acme);
	assert_false(sites[1].acme);
	assert_int_equal(settings->internal_count, 1);
	assert_int_equal(settings->origin_count, 3);
	assert_int_equal(settings->route_count, 3);
	assert_int_equal(route->index, 2);
	assert_int_equal(route->origins[0].index, 2);
	assert_int_equal(route->origins[0].internal, INTERNAL_CHALLENGES);
	settings_free(settings);

	settings = load("listen = ( { address = \":8080\"; } );\n"
			"sites = ( { name = \"a\"; hosts = ( \"a\" ); origins = ( \"http://10.0.0.5\" ); } );", NULL);
	assert_non_null(settings);
	assert_null(settings->internals[INTERNAL_CHALLENGES]);
	assert_int_equal(settings->internal_count, 0);
	settings_free(settings);
}

static void the_built_in_rules_count_unless_others_are_set(void **state)
{
	const struct settings_overrides overrides = {.listen = ":81", .origin = "http://a"};
	struct policy_errors *errors = policy_errors_new();
	struct settings *settings = settings_load(NULL, &overrides, errors);

	(void)state;
	assert_non_null(settings);
	assert_true(settings->rule_count > 0);
	settings_free(settings);
	policy_errors_free(errors);

	settings = load("rules = ( );", &overrides);
	assert_non_null(settings);
	assert_int_equal(settings->rule_count, 0);
	settings_free(settings);
}

static void the_policy_that_comes_with_sallyport_loads_without_a_warning(void **state)
{
	struct policy_errors *errors = policy_errors_new();
	struct settings *settings = settings_load("conf/sallyport.cfg", NULL, errors);

	(void)state;
	assert_non_null(settings);
	assert_int_equal(policy_warnings_count(errors), 0);
	settings_free(settings);
	policy_errors_free(errors);
}

static void relative_paths_in_a_file_count_from_it(void **state)
{
	char path[] = "/tmp/sallyport-settings-XXXXXX";
	const int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");
	const struct settings_overrides overrides = {.log = "c.log"};
	struct policy_errors *errors = policy_errors_new();
	struct settings *settings;

	(void)state;
	assert_non_null(file);
	fprintf(file, "%s log = { access = \"a.log\"; events = \"/b.log\"; };\n", smallest);
	fclose(file);
	settings = settings_load(path, NULL, errors);
	assert_non_null(settings);
	assert_string_equal(settings->log.access, "/tmp/a.log");
	assert_string_equal(settings->log.events, "/b.log");
	settings_free(settings);

	settings = settings_load(path, &overrides, errors);
	assert_non_null(settings);
	assert_string_equal(settings->log.access, "c.log");
	settings_free(settings);
	policy_errors_free(errors);
	remove(path);
}

/* ---- conf/README.md ---- */

static void read_readme(struct strbuf *out)
{
	char buf[4096];
	FILE *file = fopen("conf/README.md", "r");
	size_t n;

	assert_non_null(file);
	strbuf_init(out, 1 << 20);
	while ((n = fread(buf, 1, sizeof(buf), file)) > 0)
		strbuf_add(out, buf, n);
	fclose(file);
}

static void assert_between_markers(const char *name, struct strbuf *expected)
{
	struct strbuf readme;
	char marker[64];
	const char *start;
	const char *end;

	read_readme(&readme);
	snprintf(marker, sizeof(marker), "<!-- %s: generated -->\n", name);
	start = strstr(readme.data, marker);
	assert_non_null(start);
	start += strlen(marker);
	snprintf(marker, sizeof(marker), "<!-- /%s -->", name);
	end = strstr(start, marker);
	assert_non_null(end);
	if ((size_t)(end - start) != expected->len ||
	    memcmp(start, expected->data, expected->len) != 0)
		fail_msg("conf/README.md is behind: put the output of `sallyport check --%s` "
			 "between its markers",
			 name);
	strbuf_release(&readme);
}

static void the_readme_has_every_setting(void **state)
{
	struct strbuf expected;

	(void)state;
	strbuf_init(&expected, 1 << 20);
	settings_document(&expected);
	assert_between_markers("settings", &expected);
	strbuf_release(&expected);
}

static void the_readme_has_every_reason(void **state)
{
	struct strbuf expected;

	(void)state;
	strbuf_init(&expected, 1 << 20);
	settings_document_reasons(&expected);
	assert_between_markers("reasons", &expected);
	strbuf_release(&expected);
}

static void the_readme_has_every_finding(void **state)
{
	struct strbuf expected;

	(void)state;
	strbuf_init(&expected, 1 << 20);
	shield_document_findings(&expected);
	assert_between_markers("findings", &expected);
	strbuf_release(&expected);
}

static void a_site_chooses_modes_of_rules(void **state)
{
	const struct settings_overrides none = {0};
	struct settings *settings =
	    load("listen = ( { address = \":81\"; } );"
		 "rules = ( { id = \"a.x\"; where = \"path\"; words = \"x\"; message = \"x\"; },"
		 "          { id = \"a.y\"; where = \"path\"; words = \"y\"; message = \"x\"; tags = \"t\"; mode = \"off\"; },"
		 "          { id = \"b\"; where = \"path\"; words = \"z\"; message = \"x\"; tags = ( \"s\", \"t\" ); } );"
		 "sites = ( { name = \"one\"; hosts = ( \"one.example\" ); origins = ( \"http://a\" );"
		 "            shield = { rules = ( { rules = \"a.*\"; mode = \"monitor\"; },"
		 "                                 { rules = ( \"tag:t\" ); mode = \"enforce\"; } ); }; },"
		 "          { name = \"two\"; hosts = ( \"two.example\" ); origins = ( \"http://b\" ); } );",
		 &none);
	(void)state;
	assert_non_null(settings);
	const struct site *sites = settings->sites.items;
	const uint8_t *modes = sites[0].shield_settings.rule_modes;
	assert_non_null(modes);
	assert_int_equal(modes[0], SHIELD_MONITOR);
	assert_int_equal(modes[1], SHIELD_ENFORCE);
	assert_int_equal(modes[2], SHIELD_ENFORCE);
	assert_null(sites[1].shield_settings.rule_modes);
	assert_ptr_not_equal(sites[0].shield, sites[1].shield);
	settings_free(settings);
}

static void the_readme_has_every_rule(void **state)
{
	struct strbuf expected;

	(void)state;
	strbuf_init(&expected, 1 << 20);
	settings_document_rules(&expected);
	assert_between_markers("rules", &expected);
	strbuf_release(&expected);
}

static int set_up(void **state)
{
	(void)state;
	return setenv("SALLYPORT_DATADIR", ".", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_smallest_policy_has_safe_defaults),
	    cmocka_unit_test(the_command_line_replaces_listeners_and_sites),
	    cmocka_unit_test(the_command_line_is_a_policy_by_itself),
	    cmocka_unit_test(the_command_line_keeps_what_it_does_not_name),
	    cmocka_unit_test(quotes_on_the_command_line_stay_data),
	    cmocka_unit_test(without_listener_or_site_nothing_loads),
	    cmocka_unit_test(sites_with_equal_settings_share_a_shield),
	    cmocka_unit_test(a_route_has_what_it_leaves_out_from_its_site),
	    cmocka_unit_test(a_listener_knows_its_balancers),
	    cmocka_unit_test(a_webroot_makes_a_route_of_our_own_behind_all_others),
	    cmocka_unit_test(the_built_in_rules_count_unless_others_are_set),
	    cmocka_unit_test(the_policy_that_comes_with_sallyport_loads_without_a_warning),
	    cmocka_unit_test(relative_paths_in_a_file_count_from_it),
	    cmocka_unit_test(the_readme_has_every_setting),
	    cmocka_unit_test(the_readme_has_every_reason),
	    cmocka_unit_test(the_readme_has_every_finding),
	    cmocka_unit_test(the_readme_has_every_rule),
	    cmocka_unit_test(a_site_chooses_modes_of_rules),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}

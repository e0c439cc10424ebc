/* What a policy says as a whole: the sites together, the listeners together.
 * Numbers everything that is counted, makes the table of hosts and the shields. */

#include "proc/settings_schema.h"
#include "sallyport/clock.h"
#include "sallyport/stats.h"
#include "sallyport/suggest.h"

/* Left out, or given and empty; not: given and wrong, which was reported. */
static bool is_empty(const struct policy_list *list)
{
	return list->n == 0 && (list->items || list->where.line == 0);
}

/* ---- listeners ---- */

static void check_listens(const struct settings *settings, struct policy_where where,
			  struct policy_context *context)
{
	const struct listen_settings *listens = settings->listens.items;

	if (is_empty(&settings->listens)) {
		policy_error(
		    context, where,
		    "no listener: give listen = ( { address = \":8080\"; } ); or --listen");
		return;
	}
	for (size_t i = 1; i < settings->listens.n; i++) {
		for (size_t j = 0; j < i; j++) {
			if (settings_overlap(&listens[i].addr, &listens[j].addr))
				policy_error(context, listens[i].where,
					     "listen[%zu].address: %s is taken by listen[%zu], %s",
					     i, listens[i].address, j, listens[j].address);
		}
	}
}

static void check_console(const struct settings *settings, struct policy_where where,
			  struct policy_context *context)
{
	const struct listen_settings *listens = settings->listens.items;

	for (size_t i = 0; settings->console.address && i < settings->listens.n; i++) {
		if (settings_overlap(&settings->console.addr, &listens[i].addr))
			policy_error_in(context, where, "console", "%s is taken by listen[%zu], %s",
					settings->console.address, i, listens[i].address);
	}
}

/* ---- origins ---- */

static bool is_self(const struct origin_spec *origin, const struct addr *listener)
{
	struct addr loopback;

	if (origin->is_literal)
		return settings_overlap(&origin->addr, listener) &&
		       (addr_eq(&origin->addr, listener) || addr_is_any(&origin->addr) ||
			settings_is_loopback(&origin->addr));
	return strcmp(origin->host, "localhost") == 0 &&
	       addr_parse_ip(SPAN("127.0.0.1"), origin->port, &loopback) &&
	       settings_overlap(&loopback, listener);
}

static void check_loop(const struct settings *settings, const struct site *site,
		       const struct route *route, const struct origin_spec *origin,
		       struct policy_context *context)
{
	const struct listen_settings *listens = settings->listens.items;

	for (size_t i = 0; i < settings->listens.n; i++) {
		if (is_self(origin, &listens[i].addr)) {
			policy_error(context, route->urls.where,
				     "sites[%u].origins: \"%s\" is sallyport itself (listen[%zu]), "
				     "requests would run in circles",
				     site->index, origin->url, i);
			return;
		}
	}
}

static void number_site(struct settings *settings, struct site *site,
			struct policy_context *context)
{
	for (size_t i = 0; i < site->route_count; i++) {
		struct route *route = site->routes[i];

		route->index = (uint32_t)settings->route_count++;
		for (size_t j = 0; j < route->origin_count; j++) {
			route->origins[j].index = (uint32_t)settings->origin_count++;
			check_loop(settings, site, route, &route->origins[j], context);
		}
	}
}

/* ---- sites ---- */

static const struct site *find_site(const struct settings *settings, const char *name, size_t n)
{
	const struct site *sites = settings->sites.items;

	for (size_t i = 0; i < n; i++) {
		if (sites[i].name && strcmp(sites[i].name, name) == 0)
			return &sites[i];
	}
	return NULL;
}

static void add_hosts(struct settings *settings, const struct site *site,
		      struct policy_context *context)
{
	for (size_t i = 0; i < site->hosts.n; i++) {
		const struct site *other =
		    site_table_add(settings->table, site->hosts.items[i], site);

		if (other == site)
			policy_error(context, site->hosts.where,
				     "sites[%u].hosts: \"%s\" is listed twice", site->index,
				     site->hosts.items[i]);
		else if (other)
			policy_error(context, site->hosts.where,
				     "sites[%u].hosts: \"%s\" belongs to sites[%u] already",
				     site->index, site->hosts.items[i], other->index);
	}
}

static void check_site(const struct settings *settings, const struct site *site,
		       struct policy_context *context)
{
	const struct site *twin = site->name ? find_site(settings, site->name, site->index) : NULL;
	const bool is_default =
	    site->name && settings->default_site && strcmp(site->name, settings->default_site) == 0;
	const struct shield_limits *limits = &site->shield_policy.limits.limits;

	if (twin)
		policy_error(context, site->where, "sites[%u].name: \"%s\" is sites[%u] already",
			     site->index, site->name, twin->index);
	if (site->name && !site->hosts.items && !is_default)
		policy_error(context, site->where,
			     "sites[%u]: never reached, it has no hosts: give it some, or "
			     "default_site = \"%s\"",
			     site->index, site->name);
	if (site->shield_policy.where.line > 0 && limits->url > settings->limits.target_bytes)
		policy_warning(context, site->shield_policy.where,
			       "sites[%u].shield.limits.url is larger than limits.url, which is "
			       "hit first",
			       site->index);
}

static void compile_default(struct settings *settings, struct policy_where where,
			    struct policy_context *context)
{
	const struct site *site, *sites = settings->sites.items;
	struct suggestion suggestion;
	char nearest[SUGGEST_TEXT_SIZE];

	if (!settings->default_site)
		return;
	site = find_site(settings, settings->default_site, settings->sites.n);
	if (site) {
		site_table_set_default(settings->table, site);
		return;
	}
	suggest_init(&suggestion, settings->default_site);
	for (size_t i = 0; i < settings->sites.n; i++)
		if (sites[i].name)
			suggest_offer(&suggestion, sites[i].name);
	policy_error_in(context, where, "default_site", "there is no site \"%s\"%s", settings->default_site,
			suggest_text(&suggestion, nearest));
}

static void compile_sites(struct settings *settings, struct policy_where where,
			  struct policy_context *context)
{
	struct site *sites = settings->sites.items;
	size_t hosts = 0;

	if (is_empty(&settings->sites)) {
		policy_error(context, where,
			     "no site: give sites = ( { name = \"shop\"; hosts = ( "
			     "\"shop.example\" ); origins = ( \"http://10.0.0.5:80\" ); } ); or "
			     "--origin");
		return;
	}
	for (size_t i = 0; i < settings->sites.n; i++)
		hosts += sites[i].hosts.n;
	settings->table = site_table_new(context->arena, hosts);
	if (!settings->table) {
		policy_error(context, where, "out of memory");
		return;
	}
	for (size_t i = 0; i < settings->sites.n; i++) {
		sites[i].index = (uint32_t)i;
		number_site(settings, &sites[i], context);
		add_hosts(settings, &sites[i], context);
		check_site(settings, &sites[i], context);
	}
	compile_default(settings, where, context);
	if (settings->origin_count > ORIGINS_MAX)
		policy_error(context, settings->sites.where,
			     "sites: %zu origins in all, at most %d are allowed",
			     settings->origin_count, ORIGINS_MAX);
}

static void link_addresses(struct settings *settings, struct policy_context *context)
{
	struct site *sites = settings->sites.items;

	address_sets_check(&settings->address_sets, context);
	for (size_t i = 0; i < settings->sites.n; i++)
		admission_link(&sites[i].shield_policy.addresses, &sites[i].shield_policy.throttle, (unsigned)i,
			       &settings->address_sets, context);
}

/* ---- shields ---- */

static bool compile_shield(struct settings *settings, struct site *site,
			   struct policy_context *context)
{
	const struct site *sites = settings->sites.items;
	struct err err = {0};

	shield_policy_settings(&site->shield_policy, settings->rule_set, &site->shield_settings);
	site->shield_settings.rule_modes =
	    shield_policy_rule_modes(&site->shield_policy, settings->rule_set, context);
	site->shield_settings.exceptions = exception_set_new(
	    &site->shield_policy.exceptions, settings->rule_set, clock_wall_us() / 1000000, context);
	for (uint32_t i = 0; i < site->index; i++) {
		if (shield_policy_eq(&sites[i].shield_policy, &site->shield_policy)) {
			site->shield = sites[i].shield;
			return true;
		}
	}
	site->shield = shield_new(&site->shield_settings, &err);
	if (!site->shield) {
		policy_error(context, site->where, "sites[%u].shield: %s", site->index, err.text);
		return false;
	}
	settings->shields[settings->shield_count++] = site->shield;
	return true;
}

static void compile_shields(struct settings *settings, struct policy_context *context)
{
	struct site *sites = settings->sites.items;
	const size_t n = settings->sites.n;

	settings->shields = arena_alloc(context->arena, (n + 1) * sizeof(settings->shields[0]));
	if (!settings->shields) {
		policy_error(context, settings->sites.where, "out of memory");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (!compile_shield(settings, &sites[i], context))
			return;
	}
}

/* ---- the whole ---- */

static void load_error_page(struct settings *settings, struct policy_where where,
			    struct policy_context *context)
{
	struct err err = {0};

	if (!error_page_load(&settings->error_page, settings->error_pages, context->arena, &err))
		policy_error_in(context, where, "error_pages", "%s", err.text);
}

/* The gate, where there is one, has a slot as a worker has. */
static void check_slots(const struct settings *settings, struct policy_where where,
			struct policy_context *context)
{
	const uint64_t each = settings->process.workers + (settings->egress_site ? 1 : 0);
	const uint64_t alive = each * (settings->quotas.generations + 1);

	if (alive > STATS_SLOTS)
		policy_warning(context, where,
			       "%s × (quotas.generations + 1) is %llu, there is room "
			       "for %d: fewer generations will drain at once",
			       settings->egress_site ? "(process.workers + 1 for the gate)" : "process.workers",
			       (unsigned long long)alive, STATS_SLOTS);
}

void settings_compile(void *structure, struct policy_where where, struct policy_context *context)
{
	struct settings *settings = structure;

	check_listens(settings, where, context);
	check_console(settings, where, context);
	settings->trusted = settings_networks(&settings->trusted_proxies, "trusted_proxies",
					      &settings->trusted_count, where, context);
	load_error_page(settings, where, context);
	compile_sites(settings, where, context);
	link_addresses(settings, context);
	settings_add_internals(settings, where, context);
	settings_add_gate(settings, context);
	check_slots(settings, where, context);
	if (policy_errors_count(context->errors) == 0)
		listen_tls_compile(settings, context);
	if (settings->rules_wanted == RULES_LEFT)
		return;
	settings_rules_compile(settings, context);
	if (settings->rules_wanted == RULES_COMPILED && policy_errors_count(context->errors) == 0)
		compile_shields(settings, context);
}

/* What a policy may say about a site and its routes, and what is made of it:
 * hosts in lower case, origins parsed, routes sorted. Resolves no name and opens nothing. */

#include "sallyport/policy_hosts.h"
#include "sallyport/site.h"
#include "sallyport/url.h"

#include <sys/param.h>

#define HEALTH(member) offsetof(struct health_settings, member)
#define ROUTE(member)  offsetof(struct route, member)
#define SITE(member)   offsetof(struct site, member)

enum { HTTP_PORT = 80, ROUTES_PER_SITE_MAX = 256, UPGRADES_MAX = 8, ROUTE_PATH_MAX = 1024, MINUTE_MS = 60000, HOUR_MS = 3600000 };

/* ---- health ---- */

static const struct setting health_rows[] = {
    {"path", SETTING_STRING, HEALTH(path), .example = "\"/health\"",
     .doc = "Asked of every origin with GET, at every interval. Without it there are no probes, "
	    "and an origin is judged by whether it takes connections."},
    {"interval", SETTING_TIME, HEALTH(interval_ms), .standard = "10 s", .min = 100, .max = HOUR_MS,
     .doc = "Time between two probes of an origin."},
    {"timeout", SETTING_TIME, HEALTH(timeout_ms), .standard = "2 s", .min = 10,
     .max = 5 * MINUTE_MS, .doc = "A probe that takes longer has failed."},
    {"rise", SETTING_COUNT, HEALTH(rise), .standard = "2", .min = 1, .max = 100,
     .doc = "Probes in a row that must succeed before an origin is used again."},
    {"fall", SETTING_COUNT, HEALTH(fall), .standard = "3", .min = 1, .max = 100,
     .doc = "Failures in a row, of probes or to connect, that mark an origin down."},
    {"down", SETTING_TIME, HEALTH(down_ms), .standard = "10 s", .min = 100, .max = HOUR_MS,
     .doc = "How long an origin that took no connections is left alone. Then one request finds out "
	    "whether it does again."},
    {"status_min", SETTING_COUNT, HEALTH(status_min), .standard = "200", .min = 100, .max = 599,
     .doc = "The lowest status of a probe's answer that means healthy."},
    {"status_max", SETTING_COUNT, HEALTH(status_max), .standard = "399", .min = 100, .max = 599,
     .doc = "The highest status of a probe's answer that means healthy."},
    {0},
};

static bool is_origin_form(const char *text)
{
	struct url_target target;
	enum reason reason;

	return url_split(span_from_str(text), &target, &reason) && target.form == URL_ORIGIN;
}

static void finish_health(void *structure, struct policy_where where,
			  struct policy_context *context)
{
	const struct health_settings *health = structure;

	if (health->path && !is_origin_form(health->path))
		policy_error_in(context, where, "path",
				"\"%s\" is not a path with an optional query", health->path);
	if (health->status_min > health->status_max)
		policy_error_in(context, where, "status_min", "it is above status_max");
	if (health->path && health->timeout_ms > health->interval_ms)
		policy_warning(context, where,
			       "timeout is longer than interval: probes will overlap");
}

static const struct schema health_schema = {
    .name = "health",
    .size = sizeof(struct health_settings),
    .settings = health_rows,
    .where_offset = HEALTH(where),
    .finish = finish_health,
};

/* ---- origins, of a site or a route ---- */

static const struct policy_choice balances[] = {{"round-robin", BALANCE_ROUND_ROBIN},
						{"least-connections", BALANCE_LEAST_CONNECTIONS},
						{NULL, 0}};

/* RFC 3986 section 3.2.2: an IPv6 address stands in brackets, or its colons are taken for a port's. */
static bool compile_authority(struct origin_spec *origin, struct arena *arena)
{
	bool is_ipv6 = strchr(origin->host, ':') != NULL;
	size_t host_len = strlen(origin->host) + (is_ipv6 ? 2 : 0), room = host_len + sizeof(":65535");
	char *authority = arena_alloc(arena, room), *host_field = arena_alloc(arena, room);

	if (!authority || !host_field)
		return false;
	snprintf(authority, room, is_ipv6 ? "[%s]:%u" : "%s:%u", origin->host, origin->port);
	snprintf(host_field, origin->port == HTTP_PORT ? host_len + 1 : room, "%s", authority);
	origin->authority = authority;
	origin->host_field = host_field;
	return true;
}

static const struct policy_choice proxy_versions[] = {{"off", PROXY_VERSION_NONE},
						      {"v1", PROXY_VERSION_1},
						      {"v2", PROXY_VERSION_2},
						      {NULL, 0}};

static bool compile_origin(const char *url, struct origin_spec *out, struct policy_context *context,
			   struct err *err)
{
	struct url_origin origin;
	struct span host;

	if (!url_parse_origin(span_from_str(url), &origin, err))
		return false;
	host = arena_span(context->arena, origin.host);
	*out = (struct origin_spec){.url = url, .host = host.ptr, .port = origin.port, .tls = origin.tls};
	out->is_literal = addr_parse_ip(origin.host, origin.port, &out->addr);
	if (!host.ptr || !compile_authority(out, context->arena))
		return err_set(err, "out of memory");
	return true;
}

static bool is_repeated(const struct route *route, const struct origin_spec *origin)
{
	for (size_t i = 0; i < route->origin_count; i++) {
		if (route->origins[i].port == origin->port &&
		    span_ieq(span_from_str(route->origins[i].host), span_from_str(origin->host)))
			return true;
	}
	return false;
}

static void compile_origins(struct route *route, const struct policy_strings *urls,
			    struct policy_context *context)
{
	if (!urls->items)
		return;
	if (urls->n == 0) {
		policy_error_in(context, urls->where, "origins", "at least one is needed");
		return;
	}
	route->origins = arena_alloc(context->arena, urls->n * sizeof(route->origins[0]));
	for (size_t i = 0; i < urls->n; i++) {
		struct origin_spec origin = {0};
		struct err err = {0};

		if (!route->origins || !compile_origin(urls->items[i], &origin, context, &err)) {
			policy_error_in(context, urls->where, "origins", "%s",
					route->origins ? err.text : "out of memory");
			continue;
		}
		if (is_repeated(route, &origin))
			policy_error_in(context, urls->where, "origins", "'%s' is listed twice",
					urls->items[i]);
		route->origins[route->origin_count++] = origin;
	}
}

static void check_origin_host(const struct route *route, struct policy_where where,
			      struct policy_context *context)
{
	struct url_host host;
	enum reason reason;

	if (route->host && !url_parse_host(span_from_str(route->host), &host, &reason))
		policy_error_in(context, where, "host",
				"\"%s\" is not a host with an optional port", route->host);
}

static void compile_upgrade(struct route *route, struct policy_context *context)
{
	for (size_t i = 0; i < route->upgrade.n; i++) {
		if (strcmp(route->upgrade.items[i], "websocket") == 0)
			route->websocket = true;
		else
			policy_error_in(context, route->upgrade.where, "upgrade",
					"\"%.64s\" is not one of: websocket", route->upgrade.items[i]);
	}
}

/* ---- routes ---- */

static const struct setting route_rows[] = {
    {"path", SETTING_STRING, ROUTE(prefix), .required = true, .example = "\"/api\"",
     .doc = "The path and everything under it, compared in canonical form, segment by segment. "
	    "The longest path that fits counts."},
    {"origins", SETTING_STRINGS, ROUTE(urls), .required = true, .max = 256,
     .example = "( \"http://10.0.0.6:8080\" )", .doc = "As the site's `origins`."},
    {"balance", SETTING_ENUM, ROUTE(balance), .choices = balances,
     .doc = "As the site's `balance`, which it has where this is left out."},
    {"host", SETTING_STRING, ROUTE(host), .example = "\"api.internal\"",
     .doc = "As the site's `host`, which it has where this is left out."},
    {"max_connections", SETTING_COUNT, ROUTE(max_connections), .max = 1000000, .example = "100",
     .doc = "As the site's `max_connections`, which it has where this is left out or 0."},
    {"send_proxy", SETTING_ENUM, ROUTE(send_proxy), .choices = proxy_versions,
     .doc = "As the site's `send_proxy`, which it has where this is left out."},
    {"upgrade", SETTING_STRINGS, ROUTE(upgrade), .max = UPGRADES_MAX, .example = "( \"websocket\" )",
     .doc = "As the site's `upgrade`, which it has where this is left out; `( )` is none."},
    {"health", SETTING_GROUP, ROUTE(health), .sub = &health_schema,
     .doc = "As the site's `health`, which it has where this is left out."},
    {"origin_tls", SETTING_GROUP, ROUTE(tls), .sub = &origin_tls_schema,
     .doc = "As the site's `origin_tls`, which it has where this is left out."},
    {0},
};

static void check_route_path(const char *path, struct policy_where where,
			     struct policy_context *context)
{
	char buf[URL_CANON_ROOM(ROUTE_PATH_MAX)];
	const struct span raw = span_from_str(path);
	struct url_canon canon;

	if (raw.ptr[0] != '/' || raw.len > ROUTE_PATH_MAX || strpbrk(path, "?#")) {
		policy_error_in(context, where, "path",
				"\"%.64s\" is not a path, such as \"/api\", of at most %d bytes",
				path, ROUTE_PATH_MAX);
		return;
	}
	if (raw.len == 1) {
		policy_error_in(context, where, "path",
				"\"/\" is what the site's own origins serve");
		return;
	}
	url_canon_path(raw, buf, &canon);
	if (canon.findings != URL_FINDING_NONE)
		policy_error_in(context, where, "path",
				"\"%s\" is never met, paths are compared in canonical form: "
				"\"%.*s\"",
				path, SPAN_ARG(canon.path));
}

static void finish_route(void *structure, struct policy_where where, struct policy_context *context)
{
	struct route *route = structure;

	if (route->prefix) {
		check_route_path(route->prefix, where, context);
		route->prefix_len = strlen(route->prefix);
	}
	compile_origins(route, &route->urls, context);
	check_origin_host(route, where, context);
	compile_upgrade(route, context);
}

static const struct schema route_schema = {
    .name = "routes",
    .size = sizeof(struct route),
    .settings = route_rows,
    .where_offset = ROUTE(where),
    .finish = finish_route,
};

static void inherit(struct route *route, const struct route *root)
{
	if (route->balance == BALANCE_UNSET)
		route->balance = root->balance;
	if (!route->host)
		route->host = root->host;
	if (route->max_connections == 0)
		route->max_connections = root->max_connections;
	if (route->send_proxy == PROXY_VERSION_UNSET)
		route->send_proxy = root->send_proxy;
	if (!route->upgrade.items)
		route->websocket = root->websocket;
	if (route->health.where.line == 0)
		route->health = root->health;
}

/* A route that says nothing of TLS has what its site has: loaded once, for whoever comes first. */
static void compile_origin_tls(struct route *route, struct route *root, struct policy_context *context)
{
	const bool is_inherited = route != root && route->tls.where.line == 0;
	struct origin_tls *tls = is_inherited ? &root->tls : &route->tls;
	bool is_needed = false;

	for (size_t i = 0; i < route->origin_count; i++)
		is_needed = is_needed || route->origins[i].tls;
	if (is_needed)
		origin_tls_load(tls, root->where, context);
	if (is_inherited)
		route->tls = *tls;
}

static int longest_first(const void *left, const void *right)
{
	const struct route *a = *(struct route *const *)left;
	const struct route *b = *(struct route *const *)right;

	if (a->prefix_len != b->prefix_len)
		return a->prefix_len > b->prefix_len ? -1 : 1;
	return strcmp(a->prefix, b->prefix);
}

/* Routes are sorted already. */
static void check_repeated_routes(const struct site *site, size_t n, struct policy_context *context)
{
	for (size_t i = 1; i < n; i++) {
		const struct route *list = site->route_list.items;
		const struct route *first = MIN(site->routes[i - 1], site->routes[i]);
		const struct route *second = MAX(site->routes[i - 1], site->routes[i]);

		char setting[48];

		if (strcmp(first->prefix, second->prefix) != 0)
			continue;
		snprintf(setting, sizeof(setting), "routes[%td].path", second - list);
		policy_error_in(context, second->where, setting, "\"%s\" is routes[%td] already",
				second->prefix, first - list);
	}
}

static void compile_routes(struct site *site, struct policy_context *context)
{
	struct route *list = site->route_list.items;
	size_t n = 0;

	site->routes =
	    arena_alloc(context->arena, (site->route_list.n + 1) * sizeof(site->routes[0]));
	if (!site->routes) {
		policy_error(context, site->where, "out of memory");
		return;
	}
	for (size_t i = 0; i < site->route_list.n; i++) {
		inherit(&list[i], &site->root);
		compile_origin_tls(&list[i], &site->root, context);
		if (list[i].prefix)
			site->routes[n++] = &list[i];
	}
	compile_origin_tls(&site->root, &site->root, context);
	qsort(site->routes, n, sizeof(site->routes[0]), longest_first);
	check_repeated_routes(site, n, context);
	site->routes[n++] = &site->root;
	site->route_count = n;
}

/* ---- sites ---- */

static const struct setting site_rows[] = {
    {"name", SETTING_STRING, SITE(name), .required = true, .example = "\"shop\"",
     .doc = "The site's name in logs and for `default_site`: lower-case letters, digits, `.`, "
	    "`-` and `_`, at most 64."},
    {"hosts", SETTING_STRINGS, SITE(hosts), .example = "( \"shop.example\", \"*.shop.example\" )",
     .doc = "The hosts that visitors ask for, without port. `*.` stands for one or more labels "
	    "and not for none. An exact name goes before a wildcard, a longer one before a "
	    "shorter."},
    {"origins", SETTING_STRINGS, SITE(origin_urls), .required = true, .max = 256,
     .example = "( \"http://10.0.0.5:80\" )",
     .doc = "The servers behind sallyport, as `http://` or `https://` with a name or an address "
	    "and an optional port. Names are resolved while running."},
    {"balance", SETTING_ENUM, SITE(root.balance), .standard = "round-robin", .choices = balances,
     .doc = "How requests are spread over several origins."},
    {"host", SETTING_STRING, SITE(root.host), .example = "\"shop.internal\"",
     .doc = "The Host that the origin is told; without it, the one that the visitor asked for."},
    {"max_connections", SETTING_COUNT, SITE(root.max_connections), .standard = "0", .max = 1000000,
     .doc = "Connections to each origin by each worker; more requests wait. 0: no limit."},
    {"upgrade", SETTING_STRINGS, SITE(root.upgrade), .max = UPGRADES_MAX, .example = "( \"websocket\" )",
     .doc = "Protocols that visitors may change to: `websocket`, or none, which is the default. What passes "
	    "afterwards is not looked at."},
    {"via", SETTING_BOOL, SITE(via), .standard = "true",
     .doc = "The origin is told by `Via` that a proxy asks. nginx and IIS do not compress what they send to "
	    "proxies, unless told to (`gzip_proxied any;`). With `false` requests carry no `Via`, but a `CDN-Loop` "
	    "(RFC 8586), so that loops still end."},
    {"send_proxy", SETTING_ENUM, SITE(root.send_proxy), .standard = "off", .choices = proxy_versions,
     .doc = "The PROXY protocol towards the origins: each connection begins with a header of that "
	    "version that names the visitor, and serves one request. Health checks say that they are "
	    "nobody's (`UNKNOWN`, `LOCAL`)."},
    {"health", SETTING_GROUP, SITE(root.health), .sub = &health_schema,
     .doc = "When an origin counts as down."},
    {"origin_tls", SETTING_GROUP, SITE(root.tls), .sub = &origin_tls_schema,
     .doc = "How origins with `https://` are spoken to."},
    {"routes", SETTING_LIST, SITE(route_list), .sub = &route_schema, .max = ROUTES_PER_SITE_MAX,
     .doc = "Paths that other origins serve."},
    {"shield", SETTING_GROUP, SITE(shield_policy), .sub = &shield_schema,
     .doc = "What is asked of this site's requests."},
    {"acme", SETTING_BOOL, SITE(acme), .standard = "true",
     .doc = "Whether ACME challenges for this site are answered from `acme_webroot`, where that is set. "
	    "`false`: they go to its origin, as other paths do."},
    {"response", SETTING_GROUP, SITE(response), .sub = &response_schema,
     .doc = "What becomes of the fields of this site's responses."},
    {"tls", SETTING_GROUP, SITE(tls), .sub = &site_tls_schema,
     .doc = "TLS with this site's visitors. Certificates are the listener's."},
    {"guard", SETTING_GROUP, SITE(guard), .sub = &guard_schema,
     .doc = "What is known to be good of this site, and what becomes of everything else."},
    {0},
};

static bool is_site_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_";

	return strspn(name, allowed) == strlen(name) && strlen(name) <= 64;
}

static void finish_site(void *structure, struct policy_where where, struct policy_context *context)
{
	struct site *site = structure;

	if (site->name && !is_site_name(site->name))
		policy_error_in(context, where, "name",
				"\"%.64s\" is not of at most 64 lower-case letters, digits, "
				"'.', '-' and '_'",
				site->name);
	policy_hosts(&site->hosts, "hosts", "shop.example", context);
	if (site->name)
		throttle_policy_name(&site->shield_policy.throttle, site->name);

	site->root.prefix = "/";
	site->root.prefix_len = 1;
	site->root.where = where;
	site->root.urls = site->origin_urls;
	compile_origins(&site->root, &site->origin_urls, context);
	check_origin_host(&site->root, where, context);
	compile_upgrade(&site->root, context);
	compile_routes(site, context);
	site->guard.reading = shield_reading(site->shield_policy.origin_kind);
}

const struct schema site_schema = {
    .name = "sites",
    .size = sizeof(struct site),
    .settings = site_rows,
    .where_offset = SITE(where),
    .finish = finish_site,
};

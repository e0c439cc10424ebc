/* Reading a plan. It comes from the process that compiled the policy, before that had any child, and
 * was checked there; here every member is checked for its type and range all the same, because what
 * is not there must not be taken for zero. */
#include "sallyport/guard_plan.h"

#include <string.h>

#include "sallyport/guard.h"
#include "sallyport/json.h"
#include "sallyport/url.h"

enum { PLAN_ARENA_MAX = 64 << 20 };

static const char *copy_text(struct arena *arena, const struct json_value *object, const char *key)
{
	struct span text = json_text(object, key, "");
	return text.len > 0 ? arena_span(arena, text).ptr : NULL;
}

static bool read_strings(struct arena *arena, const struct json_value *object, const char *key,
			 struct policy_strings *out)
{
	const struct json_value *list = json_member(object, key);
	size_t n = json_count(list);
	out->items = arena_alloc(arena, (n + 1) * sizeof(out->items[0]));
	if (!out->items)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct span text = json_text(json_element(list, i), "t", "");
		out->items[i] = arena_span(arena, text).ptr;
		if (text.len == 0 || !out->items[i])
			return false;
	}
	out->n = n;
	return true;
}

static bool read_origin(struct arena *arena, const struct json_value *said, struct plan_origin *out)
{
	uint64_t port = 0;
	out->host = copy_text(arena, said, "host");
	out->text = copy_text(arena, said, "text");
	out->tls = json_bool(said, "tls");
	bool ok = json_get_number(said, "port", &port) && port > 0 && port <= UINT16_MAX;
	out->port = (uint16_t)port;
	return ok && out->host && out->text;
}

static bool read_route(struct arena *arena, const struct json_value *said, struct plan_route *out)
{
	const struct json_value *origins = json_member(said, "origins");
	const char *prefix = copy_text(arena, said, "prefix");
	out->host = copy_text(arena, said, "host");
	out->tls_verify = json_bool(said, "tls_verify");
	out->tls_name = copy_text(arena, said, "tls_name");
	out->n = json_count(origins);
	out->origins = arena_alloc(arena, (out->n + 1) * sizeof(out->origins[0]));
	if (!prefix || prefix[0] != '/' || !out->host || !out->origins || out->n == 0)
		return false;
	out->prefix = span_from_str(prefix);
	for (size_t i = 0; i < out->n; i++)
		if (!read_origin(arena, json_element(origins, i), &out->origins[i]))
			return false;
	return true;
}

static bool read_routes(struct arena *arena, const struct json_value *said, struct plan_site *out)
{
	const struct json_value *routes = json_member(said, "routes");
	out->n = json_count(routes);
	out->routes = arena_alloc(arena, (out->n + 1) * sizeof(out->routes[0]));
	if (!out->routes || out->n == 0)
		return false;
	for (size_t i = 0; i < out->n; i++)
		if (!read_route(arena, json_element(routes, i), &out->routes[i]))
			return false;
	/* every path has a route */
	return out->routes[out->n - 1].prefix.len == 1;
}

static bool read_numbers(const struct json_value *said, struct guard_policy *out)
{
	uint64_t mode, unknown, fail, reading;
	bool ok = json_get_number(said, "mode", &mode) &&
		  json_get_number(said, "unknown", &unknown) &&
		  json_get_number(said, "fail", &fail) &&
		  json_get_number(said, "reading", &reading) &&
		  json_get_number(said, "max_pages", &out->max_pages) &&
		  json_get_number(said, "depth", &out->depth) &&
		  json_get_number(said, "max_page", &out->max_page) &&
		  json_get_number(said, "samples", &out->samples) &&
		  json_get_number(said, "sample_interval", &out->sample_interval_ms) &&
		  json_get_number(said, "settle", &out->settle_ms) &&
		  json_get_number(said, "probe_interval", &out->probe_interval_ms) &&
		  json_get_number(said, "recover", &out->recover) &&
		  json_get_number(said, "rate", &out->rate.count) &&
		  json_get_number(said, "rate_per", &out->rate.per_ms);
	if (!ok)
		return false;
	out->mode = (int)mode;
	out->unknown = (int)unknown;
	out->fail = (int)fail;
	out->reading = (unsigned)reading;
	out->confirm = json_bool(said, "confirm");
	out->sitemap = json_bool(said, "sitemap");
	out->banner = json_bool(said, "banner");
	return out->rate.count > 0 && out->rate.per_ms > 0 && out->samples > 0 &&
	       (mode == GUARD_MONITOR || mode == GUARD_ENFORCE);
}

static bool read_site(struct arena *arena, const struct json_value *said, struct plan_site *out)
{
	out->name = copy_text(arena, said, "name");
	if (!out->name || strlen(out->name) >= SITE_NAME_SIZE)
		return false;
	out->id = site_id(out->name);
	out->https = json_bool(said, "https");
	return read_numbers(said, &out->policy) &&
	       read_strings(arena, said, "seeds", &out->policy.seeds) &&
	       read_strings(arena, said, "exclude", &out->policy.exclude) &&
	       read_strings(arena, said, "ignore_query", &out->policy.ignore_query) &&
	       read_strings(arena, said, "redirects", &out->policy.redirects) &&
	       read_strings(arena, said, "hosts", &out->hosts) && read_routes(arena, said, out);
}

static bool read_plan(const struct json_value *said, struct plan *plan)
{
	const struct json_value *sites = json_member(said, "sites");
	plan->n = json_count(sites);
	plan->sites = arena_alloc(plan->arena, (plan->n + 1) * sizeof(plan->sites[0]));
	if (!plan->sites || !json_get_number(said, "vault_bytes", &plan->vault_bytes) ||
	    !json_get_number(said, "vault_versions", &plan->vault_versions))
		return false;
	for (size_t i = 0; i < plan->n; i++)
		if (!read_site(plan->arena, json_element(sites, i), &plan->sites[i]))
			return false;
	return true;
}

struct plan *plan_read(struct span text, struct err *err)
{
	struct json_value *said = json_read(text, err);
	struct arena *arena = said ? arena_new(PLAN_ARENA_MAX) : NULL;
	struct plan *plan = arena ? arena_alloc(arena, sizeof(*plan)) : NULL;
	if (plan)
		plan->arena = arena;
	if (plan && !read_plan(said, plan)) {
		err_set(err, "the plan makes no sense");
		plan = NULL;
	}
	json_free(said);
	if (!plan)
		arena_free(arena);
	return plan;
}

void plan_free(struct plan *plan)
{
	if (plan)
		arena_free(plan->arena);
}

/* ---- looking things up ---- */

const struct plan_route *plan_route(const struct plan_site *site, struct span path)
{
	for (size_t i = 0; i + 1 < site->n; i++)
		if (url_is_under(path, site->routes[i].prefix, site->policy.reading))
			return &site->routes[i];
	return &site->routes[site->n - 1];
}

bool plan_excludes(const struct plan_site *site, struct span key)
{
	return guard_is_excluded(&site->policy, span_of(key.ptr, span_find(key, '?')));
}

static bool is_in(const struct policy_strings *hosts, struct span host)
{
	for (size_t i = 0; i < hosts->n; i++) {
		struct span known = span_from_str(hosts->items[i]);
		bool is_wildcard = span_starts(known, SPAN("*."));
		if (is_wildcard ? host.len > known.len - 1 && span_ends(host, span_from(known, 1))
				: span_eq(host, known))
			return true;
	}
	return false;
}

bool plan_allows_host(const struct plan_site *site, struct span host)
{
	return is_in(&site->hosts, host) || is_in(&site->policy.redirects, host);
}

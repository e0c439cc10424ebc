/* Writes the plan of a policy: its guarded sites, their origins and how they are guarded. The
 * counterpart of guard/plan.c. */
#include "proc/plan_write.h"

#include "sallyport/json.h"

static bool is_guarded(const struct site *site)
{
	return site->guard.mode == GUARD_ENFORCE || site->guard.mode == GUARD_MONITOR;
}

uint32_t plan_count_guarded(const struct settings *settings)
{
	const struct site *sites = settings->sites.items;
	uint32_t n = 0;
	for (size_t i = 0; i < settings->sites.n; i++)
		n += is_guarded(&sites[i]);
	return n;
}

static void write_strings(struct json_writer *json, const char *key,
			  const struct policy_strings *strings)
{
	json_open_list(json, key);
	for (size_t i = 0; i < strings->n; i++) {
		json_open_object(json, NULL);
		json_add_text(json, "t", span_from_str(strings->items[i]));
		json_close(json);
	}
	json_close(json);
}

/* What an origin is asked for: as a visitor of the first host would. A site that is there for every
 * host is asked for by its origin's own name. */
static const char *host_to_ask(const struct site *site, const struct route *route)
{
	if (route->host)
		return route->host;
	for (size_t i = 0; i < site->hosts.n; i++)
		if (site->hosts.items[i][0] != '*')
			return site->hosts.items[i];
	if (site->hosts.n > 0)
		return site->hosts.items[0] + 2;
	return route->origins[0].authority;
}

static void write_route(struct json_writer *json, const struct site *site,
			const struct route *route)
{
	json_open_object(json, NULL);
	json_add_text(json, "prefix", span_from_str(route->prefix));
	json_add_text(json, "host", span_from_str(host_to_ask(site, route)));
	json_add_bool(json, "tls_verify", route->tls.verify);
	if (route->tls.name)
		json_add_text(json, "tls_name", span_from_str(route->tls.name));
	json_open_list(json, "origins");
	for (size_t i = 0; i < route->origin_count; i++) {
		const struct origin_spec *origin = &route->origins[i];
		json_open_object(json, NULL);
		json_add_text(json, "host", span_from_str(origin->host));
		json_add_number(json, "port", origin->port);
		json_add_bool(json, "tls", origin->tls);
		json_add_text(json, "text", span_from_str(origin->authority));
		json_close(json);
	}
	json_close(json);
	json_close(json);
}

static void write_guard(struct json_writer *json, const struct guard_policy *guard)
{
	json_add_number(json, "mode", (uint64_t)guard->mode);
	json_add_number(json, "unknown", (uint64_t)guard->unknown);
	json_add_number(json, "fail", (uint64_t)guard->fail);
	json_add_number(json, "reading", guard->reading);
	json_add_bool(json, "confirm", guard->confirm);
	json_add_bool(json, "sitemap", guard->sitemap);
	json_add_bool(json, "banner", guard->banner);
	json_add_number(json, "max_pages", guard->max_pages);
	json_add_number(json, "depth", guard->depth);
	json_add_number(json, "max_page", guard->max_page);
	json_add_number(json, "samples", guard->samples);
	json_add_number(json, "sample_interval", guard->sample_interval_ms);
	json_add_number(json, "settle", guard->settle_ms);
	json_add_number(json, "probe_interval", guard->probe_interval_ms);
	json_add_number(json, "recover", guard->recover);
	json_add_number(json, "rate", guard->rate.count);
	json_add_number(json, "rate_per", guard->rate.per_ms);
	write_strings(json, "seeds", &guard->seeds);
	write_strings(json, "exclude", &guard->exclude);
	write_strings(json, "ignore_query", &guard->ignore_query);
	write_strings(json, "redirects", &guard->redirects);
}

static bool has_tls(const struct settings *settings)
{
	const struct listen_settings *listens = settings->listens.items;
	for (size_t i = 0; i < settings->listens.n; i++)
		if (!listens[i].gate && listens[i].tls.first.certificate)
			return true;
	return false;
}

/* Origins are told how visitors come, and so is what they tell the scout. */
static bool is_https(const struct settings *settings, const struct site *site)
{
	return site->guard.scheme == GUARD_SCHEME_HTTPS ||
	       (site->guard.scheme == GUARD_SCHEME_AUTO && has_tls(settings));
}

static void write_site(struct json_writer *json, const struct settings *settings, const struct site *site)
{
	json_open_object(json, NULL);
	json_add_text(json, "name", span_from_str(site->name));
	json_add_bool(json, "https", is_https(settings, site));
	write_strings(json, "hosts", &site->hosts);
	write_guard(json, &site->guard);
	json_open_list(json, "routes");
	for (size_t i = 0; i < site->route_count; i++)
		write_route(json, site, site->routes[i]);
	json_close(json);
	json_close(json);
}

bool plan_write(const struct settings *settings, struct strbuf *out)
{
	const struct site *sites = settings->sites.items;
	struct json_writer json;
	json_begin(&json);
	json_add_number(&json, "vault_bytes", settings->vault.size_bytes);
	json_add_number(&json, "vault_versions", settings->vault.versions);
	json_open_list(&json, "sites");
	for (size_t i = 0; i < settings->sites.n; i++)
		if (is_guarded(&sites[i]))
			write_site(&json, settings, &sites[i]);
	json_close(&json);
	return json_end(&json, out) && !out->truncated;
}

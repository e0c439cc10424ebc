/* Routes to processes of our own, which no policy names: they are made where the policy asks for what they
 * do, and numbered behind those of the sites. */
#include "proc/settings_schema.h"

#include <errno.h>
#include <sys/stat.h>

/* What a stopped process costs: a few refusals a second, not a minute. */
enum { FALL = 3, DOWN_MS = 1000, CHALLENGE_CONNECTIONS = 16 };

static struct route *make_route(const char *url, enum internal_origin internal, struct arena *arena)
{
	struct route *route = arena_alloc(arena, sizeof(*route));
	struct origin_spec *origin = arena_alloc(arena, sizeof(*origin));

	if (!route || !origin)
		return NULL;
	*origin = (struct origin_spec){
	    .url = url,
	    .host = "localhost",
	    .authority = url,
	    .is_literal = true,
	    .internal = (int)internal,
	};
	*route = (struct route){
	    .prefix = "/",
	    .prefix_len = 1,
	    .origins = origin,
	    .origin_count = 1,
	    .balance = BALANCE_ROUND_ROBIN,
	    .send_proxy = PROXY_VERSION_NONE,
	    .host = "localhost",
	    .health = {.rise = 1, .fall = FALL, .down_ms = DOWN_MS},
	};
	return route;
}

/* Only what is certain: another user may see what this one can't. */
static void check_directory(const char *path, const char *setting, struct policy_where where,
			    struct policy_context *context)
{
	struct stat st;

	if (stat(path, &st) == 0 ? !S_ISDIR(st.st_mode) : errno == ENOENT || errno == ENOTDIR)
		policy_error_in(context, where, setting, "%s is not a directory", path);
}

static struct route *add(struct settings *settings, const char *url, enum internal_origin internal,
			 struct policy_where where, struct policy_context *context)
{
	struct route *route = make_route(url, internal, context->arena);

	if (!route) {
		policy_error(context, where, "out of memory");
		return NULL;
	}
	route->index = (uint32_t)settings->route_count++;
	route->origins[0].index = (uint32_t)settings->origin_count++;
	settings->internal_count++;
	settings->internals[internal] = route;
	return route;
}

static bool is_any_guarded(const struct settings *settings)
{
	const struct site *sites = settings->sites.items;

	for (size_t i = 0; i < settings->sites.n; i++) {
		if (sites[i].guard.mode == GUARD_MONITOR || sites[i].guard.mode == GUARD_ENFORCE)
			return true;
	}
	return false;
}

void settings_add_internals(struct settings *settings, struct policy_where where,
			    struct policy_context *context)
{
	struct route *route;

	if (is_any_guarded(settings))
		add(settings, "internal:lifeboat", INTERNAL_LIFEBOAT, where, context);
	if (!settings->acme_webroot)
		return;
	check_directory(settings->acme_webroot, "acme_webroot", where, context);
	route = add(settings, "internal:acme", INTERNAL_CHALLENGES, where, context);
	if (route)
		route->max_connections = CHALLENGE_CONNECTIONS;
}

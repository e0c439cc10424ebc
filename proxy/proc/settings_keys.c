/* Letting go of what is secret in a policy. */
#include "sallyport/settings.h"

static void forget_listener(struct listen_settings *listen)
{
	struct certificate_settings *more = listen->tls.more.items;
	tls_server_free(listen->tls.server);
	listen->tls.server = NULL;
	if (listen->tls.first.loaded)
		tls_certificate_free(listen->tls.first.loaded);
	listen->tls.first.loaded = NULL;
	for (size_t i = 0; i < listen->tls.more.n; i++) {
		if (more[i].loaded)
			tls_certificate_free(more[i].loaded);
		more[i].loaded = NULL;
	}
}

/* Routes that say the same share one. */
static void forget_everywhere(struct settings *settings, const struct tls_origin *origin)
{
	struct site *sites = settings->sites.items;
	for (size_t s = 0; s < settings->sites.n; s++) {
		for (size_t r = 0; r < sites[s].route_count; r++) {
			if (sites[s].routes[r]->tls.loaded == origin)
				sites[s].routes[r]->tls.loaded = NULL;
		}
	}
}

static void forget_site(struct settings *settings, struct site *site)
{
	for (size_t r = 0; r < site->route_count; r++) {
		struct tls_origin *origin = site->routes[r]->tls.loaded;
		if (!origin)
			continue;
		forget_everywhere(settings, origin);
		tls_origin_free(origin);
	}
}

void settings_forget_keys(struct settings *settings)
{
	struct listen_settings *listens = settings->listens.items;
	struct site *sites = settings->sites.items;
	for (size_t i = 0; i < settings->listens.n; i++)
		forget_listener(&listens[i]);
	for (size_t i = 0; i < settings->sites.n; i++)
		forget_site(settings, &sites[i]);
	if (settings->alerts.secret)
		explicit_bzero((char *)settings->alerts.secret, strlen(settings->alerts.secret));
	settings->alerts.secret = NULL;
}

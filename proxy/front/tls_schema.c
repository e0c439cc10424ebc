/* What a policy may say about a site's TLS, with its visitors and with its origins. */
#include "sallyport/site.h"

#include <stdio.h>

#define TLS(member)    offsetof(struct site_tls, member)
#define ORIGIN(member) offsetof(struct origin_tls, member)

enum { HSTS_LINE_BYTES = 96, DAY_MS = 86400000, HTTPS_PORT = 443 };

const struct policy_choice tls_demands[] = {{"off", TLS_DEMAND_OFF},
					    {"optional", TLS_DEMAND_OPTIONAL},
					    {"required", TLS_DEMAND_REQUIRED},
					    {NULL, 0}};

void tls_report_problem(void *context, const char *setting, bool is_warning, const char *text)
{
	const struct tls_report_place *place = context;
	char name[64];
	snprintf(name, sizeof(name), "%s%s", place->group, setting);
	if (is_warning)
		policy_warning(place->context, policy_where_of(place->context, name, place->where), "%s: %s", name, text);
	else
		policy_error_in(place->context, place->where, name, "%s", text);
}

void tls_demand_load(struct tls_demand_settings *demand, struct policy_where where, struct policy_context *context)
{
	struct err err = {0};
	bool is_asked = demand->demand == TLS_DEMAND_OPTIONAL || demand->demand == TLS_DEMAND_REQUIRED;
	if (is_asked && !demand->ca)
		policy_error_in(context, where, "client_certificate",
				"client_ca is needed: the CAs whose certificates count");
	if (!is_asked && demand->ca)
		policy_error_in(context, where, "client_ca",
				"nothing is asked of clients: client_certificate = \"optional\" or \"required\" does");
	policy_resolve_path(&demand->ca, "client_ca", where, context);
	if (!is_asked || !demand->ca || context->leaves_files)
		return;
	demand->loaded = tls_clients_load((enum tls_demand)demand->demand, demand->ca, &err);
	if (!demand->loaded || !arena_own(context->arena, tls_clients_free, demand->loaded))
		policy_error_in(context, where, "client_ca", "%s", demand->loaded ? "out of memory" : err.text);
}

/* ---- sites[].tls ---- */

static const struct setting site_rows[] = {
    {"redirect", SETTING_BOOL, TLS(redirect), .standard = "false",
     .doc = "Requests that come without TLS are sent to the same URL with `https` (301, or 308 where the method is "
	    "not GET or HEAD). One from a trusted proxy counts by its X-Forwarded-Proto."},
    {"port", SETTING_COUNT, TLS(port), .standard = "443", .min = 1, .max = 65535,
     .doc = "The port that they are sent to."},
    {"hsts", SETTING_TIME, TLS(hsts_ms), .standard = "0 s", .max = UINT64_C(3650) * DAY_MS, .example = "\"365 d\"",
     .doc = "For how long browsers are told to use nothing but `https` for this host (Strict-Transport-Security, "
	    "in responses over TLS that do not have it). It can't be taken back before. `0 s`: they are not."},
    {"hsts_subdomains", SETTING_BOOL, TLS(hsts_subdomains), .standard = "false",
     .doc = "The same for all hosts below."},
    {"client_certificate", SETTING_ENUM, TLS(clients.demand), .choices = tls_demands,
     .doc = "Whether visitors of this site are asked for a certificate: `off`, `optional` or `required`. It counts "
	    "before a listener's. A request over a connection that was asked for something else is refused "
	    "(`tls-misdirected`), also one without TLS where it is required."},
    {"client_ca", SETTING_STRING, TLS(clients.ca), .example = "\"clients-ca.pem\"",
     .doc = "PEM: the CAs whose client certificates count for this site."},
    {0},
};

static void write_hsts(struct site_tls *tls, struct policy_where where, struct policy_context *context)
{
	char *line = arena_alloc(context->arena, HSTS_LINE_BYTES);
	if (!line) {
		policy_error(context, where, "out of memory");
		return;
	}
	int n = snprintf(line, HSTS_LINE_BYTES, "Strict-Transport-Security: max-age=%llu%s\r\n",
			 (unsigned long long)(tls->hsts_ms / 1000), tls->hsts_subdomains ? "; includeSubDomains" : "");
	tls->hsts = (struct http_added_field){SPAN("Strict-Transport-Security"), span_of(line, (size_t)n)};
}

static void finish_site(void *structure, struct policy_where where, struct policy_context *context)
{
	struct site_tls *tls = structure;
	if (tls->hsts_ms > 0)
		write_hsts(tls, where, context);
	else if (tls->hsts_subdomains)
		policy_warning(context, where, "hsts_subdomains does nothing without hsts");
	tls_demand_load(&tls->clients, where, context);
}

const struct schema site_tls_schema = {
    .name = "tls",
    .size = sizeof(struct site_tls),
    .settings = site_rows,
    .where_offset = TLS(where),
    .finish = finish_site,
};

/* ---- sites[].origin_tls ---- */

static const struct setting origin_rows[] = {
    {"verify", SETTING_BOOL, ORIGIN(verify), .standard = "true",
     .doc = "An origin has to prove by its certificate that it is the one named. `false` takes whoever answers."},
    {"ca", SETTING_STRING, ORIGIN(ca), .example = "\"origin-ca.pem\"",
     .doc = "PEM: the CAs that count for origins. Without it, those that the system trusts."},
    {"name", SETTING_STRING, ORIGIN(name), .example = "\"shop.internal\"",
     .doc = "The name that the certificate has to have, and that the origin is asked for (SNI). Without it, the "
	    "host of the origin's URL."},
    {"certificate", SETTING_STRING, ORIGIN(certificate), .example = "\"sallyport.pem\"",
     .doc = "PEM: our own certificate, for origins that ask for one."},
    {"key", SETTING_STRING, ORIGIN(key), .example = "\"sallyport.key\"", .doc = "Its private key."},
    {0},
};

static void check_files(struct origin_tls *tls, struct policy_where where, struct policy_context *context)
{
	policy_resolve_path(&tls->ca, "ca", where, context);
	policy_resolve_path(&tls->certificate, "certificate", where, context);
	policy_resolve_path(&tls->key, "key", where, context);
	if (tls->certificate && !tls->key)
		policy_error_in(context, where, "certificate", "its key is needed");
	if (tls->key && !tls->certificate)
		policy_error_in(context, where, "key", "its certificate is needed");
}

static void finish_origin(void *structure, struct policy_where where, struct policy_context *context)
{
	struct origin_tls *tls = structure;
	if (!tls->verify && tls->where.line > 0)
		policy_warning(context, policy_where_of(context, "verify", where),
			       "verify is false: whoever answers at an origin's address is believed");
	if (tls->ca && !tls->verify)
		policy_error_in(context, where, "ca", "nothing is verified: verify is false");
	check_files(tls, where, context);
}

const struct schema origin_tls_schema = {
    .name = "origin_tls",
    .size = sizeof(struct origin_tls),
    .settings = origin_rows,
    .where_offset = ORIGIN(where),
    .finish = finish_origin,
};

void origin_tls_load(struct origin_tls *tls, struct policy_where where, struct policy_context *context)
{
	struct tls_report_place place = {.context = context, .where = where, .group = "origin_tls."};
	const struct tls_reporter reporter = {tls_report_problem, &place};
	const struct tls_origin_setup setup = {
	    .ca = tls->ca, .certificate = tls->certificate, .key = tls->key, .verify = tls->verify};
	if (tls->loaded || context->leaves_files || !tls->certificate != !tls->key)
		return;
	if (tls->where.line > 0)
		place.where = tls->where;
	tls->loaded = tls_origin_new(&setup, &reporter);
	if (tls->loaded && !arena_own(context->arena, tls_origin_free, tls->loaded)) {
		tls->loaded = NULL;
		policy_error(context, where, "out of memory");
	}
}

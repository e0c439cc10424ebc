/* What a policy may say about TLS on a listener, and what is made of it: certificates and keys are
 * read while the policy is compiled, with the rights of whoever compiles it, and never again. */
#include "proc/settings_schema.h"

#define CERTIFICATE(member) offsetof(struct certificate_settings, member)
#define TLS(member)         offsetof(struct listen_tls, member)

enum { CERTIFICATES_MAX = 1024 };

#define CERTIFICATE_DOC                                                                            \
	"PEM: the certificate, then those that signed it. Its subject alternative names say for which "    \
	"hosts it is."
#define KEY_DOC  "The certificate's private key, PEM, not encrypted."
#define OCSP_DOC                                                                                   \
	"An OCSP response (DER) that is stapled to the handshake as long as it is valid. Whoever renews the " \
	"file reloads."

static const struct setting certificate_rows[] = {
    {"certificate", SETTING_STRING, CERTIFICATE(certificate), .required = true, .example = "\"site.pem\"",
     .doc = CERTIFICATE_DOC},
    {"key", SETTING_STRING, CERTIFICATE(key), .required = true, .example = "\"site.key\"", .doc = KEY_DOC},
    {"ocsp", SETTING_STRING, CERTIFICATE(ocsp), .example = "\"site.ocsp\"", .doc = OCSP_DOC},
    {0},
};

static void load_certificate(struct certificate_settings *c, struct policy_where where,
			     struct policy_context *context)
{
	struct tls_report_place place = {.context = context, .where = where, .group = ""};
	const struct tls_reporter reporter = {tls_report_problem, &place};
	policy_resolve_path(&c->certificate, "certificate", where, context);
	policy_resolve_path(&c->key, "key", where, context);
	policy_resolve_path(&c->ocsp, "ocsp", where, context);
	if (!c->certificate || !c->key || context->leaves_files)
		return;
	c->loaded = tls_certificate_load(c->certificate, c->key, c->ocsp, &reporter);
	if (c->loaded && !arena_own(context->arena, tls_certificate_free, c->loaded)) {
		c->loaded = NULL;
		policy_error(context, where, "out of memory");
	}
}

static void finish_certificate(void *structure, struct policy_where where, struct policy_context *context)
{
	load_certificate(structure, where, context);
}

static const struct schema certificate_schema = {
    .name = "certificates",
    .size = sizeof(struct certificate_settings),
    .settings = certificate_rows,
    .where_offset = CERTIFICATE(where),
    .finish = finish_certificate,
};

static const struct policy_choice profiles[] = {
    {"intermediate", TLS_PROFILE_INTERMEDIATE}, {"modern", TLS_PROFILE_MODERN}, {NULL, 0}};

static const struct setting tls_rows[] = {
    {"certificate", SETTING_STRING, TLS(first.certificate), .example = "\"site.pem\"",
     .doc = CERTIFICATE_DOC " Needed. This one is also for clients that ask for no name, or for one that no "
			    "certificate has."},
    {"key", SETTING_STRING, TLS(first.key), .example = "\"site.key\"", .doc = KEY_DOC " Needed."},
    {"ocsp", SETTING_STRING, TLS(first.ocsp), .example = "\"site.ocsp\"", .doc = OCSP_DOC},
    {"certificates", SETTING_LIST, TLS(more), .sub = &certificate_schema, .max = CERTIFICATES_MAX,
     .doc = "Further certificates, for other names, or for the same with a key of another kind (RSA, ECDSA): then "
	    "each client gets the one that it can verify."},
    {"profile", SETTING_ENUM, TLS(profile), .standard = "intermediate", .choices = profiles,
     .doc = "Mozilla's recommendations: `intermediate` is TLS 1.2 and 1.3, `modern` 1.3 only."},
    {"refuse_unknown_names", SETTING_BOOL, TLS(refuse_unknown_names), .standard = "false",
     .doc = "A client that asks (SNI) for a name that no certificate has is refused by the alert "
	    "`unrecognized_name`, instead of being shown the first certificate."},
    {"client_certificate", SETTING_ENUM, TLS(clients.demand), .choices = tls_demands,
     .doc = "Whether clients are asked for a certificate: `off`, `optional` or `required`. A site's own setting "
	    "goes before it."},
    {"client_ca", SETTING_STRING, TLS(clients.ca), .example = "\"clients-ca.pem\"",
     .doc = "PEM: the CAs whose client certificates count."},
    {0},
};

static void finish_tls(void *structure, struct policy_where where, struct policy_context *context)
{
	struct listen_tls *tls = structure;
	if (tls->where.line == 0)
		return;
	if (!tls->first.certificate)
		policy_error_in(context, where, "certificate", "it is needed");
	if (!tls->first.key)
		policy_error_in(context, where, "key", "it is needed");
	load_certificate(&tls->first, where, context);
	tls_demand_load(&tls->clients, where, context);
}

const struct schema listen_tls_schema = {
    .name = "tls",
    .size = sizeof(struct listen_tls),
    .settings = tls_rows,
    .where_offset = TLS(where),
    .finish = finish_tls,
};

struct listener_context {
	const struct settings *settings;
	const struct listen_tls *tls;
};

/* The site's demand, or else the listener's: called with each ClientHello. */
static const struct tls_clients *clients_of(const void *context, struct span name)
{
	const struct listener_context *of = context;
	const struct site *site = site_lookup(of->settings->table, name);
	const struct tls_demand_settings *said =
	    site && site->tls.clients.demand != TLS_DEMAND_UNSET ? &site->tls.clients : &of->tls->clients;
	return said->loaded;
}

static void compile_server(const struct settings *settings, struct listen_tls *tls, struct policy_context *context)
{
	const struct certificate_settings *more = tls->more.items;
	struct tls_certificate **all = arena_alloc(context->arena, (tls->more.n + 1) * sizeof(struct tls_certificate *));
	struct listener_context *of = arena_alloc(context->arena, sizeof(*of));
	struct err err = {"out of memory"};
	if (all && of) {
		*of = (struct listener_context){settings, tls};
		all[0] = tls->first.loaded;
		for (size_t i = 0; i < tls->more.n; i++)
			all[i + 1] = more[i].loaded;
		const struct tls_server_setup setup = {
		    .certificates = all,
		    .certificate_count = tls->more.n + 1,
		    .profile = (enum tls_profile)tls->profile,
		    .refuse_unknown_names = tls->refuse_unknown_names,
		    .clients_of = clients_of,
		    .context = of,
		};
		tls->server = tls_server_new(&setup, &err);
	}
	if (!tls->server || !arena_own(context->arena, tls_server_free, tls->server))
		policy_error(context, tls->where, "tls: %s", err.text);
}

static bool has_no_tls(const struct settings *settings)
{
	const struct listen_settings *listens = settings->listens.items;
	for (size_t i = 0; i < settings->listens.n; i++)
		if (listens[i].tls.where.line > 0)
			return false;
	return true;
}

/* A demand that no listener can make shuts a site for everybody: worth a word. */
static void check_demands(const struct settings *settings, struct policy_context *context)
{
	const struct site *sites = settings->sites.items;
	for (size_t i = 0; i < settings->sites.n; i++)
		if (sites[i].tls.clients.demand == TLS_DEMAND_REQUIRED && has_no_tls(settings))
			policy_warning(context, sites[i].tls.where,
				       "sites[%zu].tls: client certificates are required, but no listener has tls: "
				       "every request will be refused", i);
}

void listen_tls_compile(struct settings *settings, struct policy_context *context)
{
	struct listen_settings *listens = settings->listens.items;
	check_demands(settings, context);
	for (size_t i = 0; !context->leaves_files && i < settings->listens.n; i++)
		if (listens[i].tls.where.line > 0)
			compile_server(settings, &listens[i].tls, context);
}

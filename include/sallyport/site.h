#ifndef SALLYPORT_SITE_H
#define SALLYPORT_SITE_H

#include "sallyport/addr.h"
#include "sallyport/guard_schema.h"
#include "sallyport/policy.h"
#include "sallyport/proxy_header.h"
#include "sallyport/response_policy.h"
#include "sallyport/shield_schema.h"
#include "sallyport/tls.h"

/* Sites as compiled from a policy: immutable, shared copy-on-write by workers. */

enum balance { BALANCE_UNSET = 0, BALANCE_ROUND_ROBIN, BALANCE_LEAST_CONNECTIONS };

/* Active and passive health checks of the origins of a route. */
struct health_settings {
	const char *path;        /* active probe: GET path; NULL: no active probes */
	uint64_t interval_ms;
	uint64_t timeout_ms;
	uint64_t rise, fall;     /* successes to be up again, failures to be down */
	uint64_t down_ms;        /* how long a passively failed origin is left alone */
	uint64_t status_min, status_max; /* what counts as healthy */
	struct policy_where where;
};

/* Origins that are processes of our own, without a name or an address: a worker sends them one end of
 * a socket pair, over a channel that it was born with. So nobody else reaches them, and a worker needs
 * no right to a file to do so. */
enum internal_origin {
	INTERNAL_NONE = 0,
	INTERNAL_CHALLENGES, /* answers ACME challenges */
	INTERNAL_LIFEBOAT,   /* has the contents of the vault */
	INTERNAL_COUNT,
};

/* Client certificates: what is asked for. */
struct tls_demand_settings {
	int demand;      /* enum tls_demand; UNSET: nothing is said */
	const char *ca;
	struct tls_clients *loaded; /* NULL: off */
};

/* What a site says of TLS with its visitors. */
struct site_tls {
	bool redirect;           /* plain requests go to https */
	uint64_t port;           /* … there */
	uint64_t hsts_ms;        /* Strict-Transport-Security; 0: none */
	bool hsts_subdomains;
	struct http_added_field hsts; /* line.len 0: none */
	struct tls_demand_settings clients;
	struct policy_where where;
};

/* … and of TLS with its origins. */
struct origin_tls {
	bool verify;
	const char *ca;          /* NULL: the system's */
	const char *name;        /* NULL: the origin's host */
	const char *certificate, *key;
	struct tls_origin *loaded; /* NULL: no origin of the route has https */
	struct policy_where where;
};

/* One origin server. Its index is its place in the shared health table. */
struct origin_spec {
	const char *url;   /* as written */
	const char *host;  /* name or literal, without brackets */
	const char *authority; /* "host:port", for logs; IPv6 in brackets */
	const char *host_field; /* Host where neither visitor nor policy has one: the authority, without port 80 */
	uint16_t port;
	bool tls;
	bool is_literal;   /* addr is set; else the name is resolved */
	struct addr addr;
	int internal;      /* enum internal_origin; then it has no addr */
	uint32_t index;    /* of all origins of the policy, 0 to ORIGIN_SLOTS - 1 */
};

enum { ORIGINS_MAX = 1024, SITES_MAX = 1024, ORIGIN_SLOTS = ORIGINS_MAX + INTERNAL_COUNT - 1 };

/* Requests of a site whose path starts with prefix (on a segment boundary) go to these origins. */
struct route {
	const char *prefix;      /* canonical; "/" for the site's own origins. Longest first */
	size_t prefix_len;
	struct policy_strings urls;
	struct origin_spec *origins;
	size_t origin_count;
	int balance;             /* enum balance */
	uint64_t max_connections; /* to each origin by each worker; 0: no limit */
	int send_proxy;          /* enum proxy_version */
	const char *host;        /* Host sent to the origin; NULL: the visitor's */
	struct policy_strings upgrade; /* protocols that may be changed to */
	bool websocket;          /* "websocket" is one of them */
	struct health_settings health;
	struct origin_tls tls;
	struct policy_where where;
	uint32_t index;          /* of all routes of the policy */
};

struct site {
	const char *name;
	struct policy_strings hosts; /* exact names and "*.example" */
	struct policy_strings origin_urls;
	struct policy_list route_list;
	struct route root;       /* what the site itself says; its prefix is "/" */
	struct route **routes;   /* route_count of them, longest prefix first, root last */
	size_t route_count;
	struct shield_policy shield_policy;     /* as it was read */
	struct shield_settings shield_settings; /* the same as shield_new took it */
	struct shield *shield;                  /* sites with equal settings share one */
	struct response_policy response;
	struct guard_policy guard;
	bool via;                /* requests carry Via */
	bool acme;               /* its ACME challenges are ours to answer */
	struct site_tls tls;
	struct policy_where where;
	uint32_t index;
};

/* One of `sites`. Its finish checks and compiles everything that concerns this site
 * alone; indices, the shield and the table are made where all sites are known. */
extern const struct schema site_schema;

/* Rows that a listener and a site have in common. */
extern const struct policy_choice tls_demands[];
/* Loads the CAs of a demand; reports by context. */
void tls_demand_load(struct tls_demand_settings *demand, struct policy_where where, struct policy_context *context);
/* Tells context what is wrong with files of TLS: struct tls_reporter's context. */
struct tls_report_place {
	struct policy_context *context;
	struct policy_where where;
	const char *group; /* "" or "origin_tls.": what the setting stands in, seen from the group in hand */
};
extern const struct schema site_tls_schema, origin_tls_schema;
/* Loads what the https origins of a route need, once for all routes that say the same. */
void origin_tls_load(struct origin_tls *tls, struct policy_where where, struct policy_context *context);
void tls_report_problem(void *place, const char *setting, bool is_warning, const char *text);

struct site_table;

/* An empty table for that many hosts, in the arena; NULL without memory. */
struct site_table *site_table_new(struct arena *arena, size_t host_count);
/* Adds a host as site.hosts has it after its finish, in lower case. NULL: done; else the site that
 * has it already. */
const struct site *site_table_add(struct site_table *table, const char *host,
				  const struct site *site);
/* The site of hosts that no site has. */
void site_table_set_default(struct site_table *table, const struct site *site);

/* The site of a host (already checked by url_parse_host, case ignored, without port),
 * exact before wildcard (longest first) before the default; NULL: none. */
const struct site *site_lookup(const struct site_table *table, struct span host);
/* The route of a canonical path. Never NULL. */
const struct route *site_route(const struct site *site, struct span path);

#endif

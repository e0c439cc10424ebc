#ifndef SALLYPORT_GUARD_PLAN_H
#define SALLYPORT_GUARD_PLAN_H

#include "sallyport/arena.h"
#include "sallyport/guard_schema.h"
#include "sallyport/site_state.h"
#include "sallyport/span.h"

/* A plan: what the keeper has to know of a policy. The generation that compiled the policy writes it,
 * as JSON in constant memory; the master hands it on unread. So the keeper reads no policy,
 * and always has the one that is in force. */

struct plan_origin {
	const char *host; /* name or literal, without brackets */
	uint16_t port;
	bool tls;
	const char *text; /* "host:port", for people */
};

/* Paths and the origins that serve them. */
struct plan_route {
	struct span prefix; /* "/" for the site's own; the longest first */
	const char *host;   /* Host to ask with */
	bool tls_verify;    /* as origin_tls says, where an origin has TLS */
	const char *tls_name; /* whom a certificate has to name; NULL: the origin */
	struct plan_origin *origins;
	size_t n;
};

struct plan_site {
	const char *name;
	uint64_t id;                 /* site_id() */
	struct policy_strings hosts; /* its own, "*.x" too, in lower case */
	struct guard_policy policy;  /* without session_cookies, sessions, patience, scheme and where */
	bool https;                  /* visitors come by it */
	struct plan_route *routes;
	size_t n;
};

struct plan {
	struct arena *arena;
	struct plan_site *sites; /* whose guard is not off */
	size_t n;
	uint64_t vault_bytes;    /* of vault.size */
	uint64_t vault_versions;
};

/* NULL: it makes no sense, or memory is exhausted. */
struct plan *plan_read(struct span text, struct err *err);
void plan_free(struct plan *plan);

/* The route of a canonical path. Never NULL. */
const struct plan_route *plan_route(const struct plan_site *site, struct span path);
/* The path of a key is under one of guard.exclude. */
bool plan_excludes(const struct plan_site *site, struct span key);
/* A host (lower case, no port) that redirects may always lead to: the site's own and those of
 * guard.redirects. */
bool plan_allows_host(const struct plan_site *site, struct span host);

#endif

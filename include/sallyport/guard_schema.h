#ifndef SALLYPORT_GUARD_SCHEMA_H
#define SALLYPORT_GUARD_SCHEMA_H

#include "sallyport/policy.h"

/* What a policy may say about the guard of a site, and about the vault. Plain data, immutable
 * once read. */

enum guard_mode { GUARD_MODE_UNSET = 0, GUARD_OFF, GUARD_MONITOR, GUARD_ENFORCE };
enum guard_scheme { GUARD_SCHEME_UNSET = 0, GUARD_SCHEME_AUTO, GUARD_SCHEME_HTTP, GUARD_SCHEME_HTTPS };
enum guard_sessions { GUARD_SESSIONS_UNSET = 0, GUARD_SESSIONS_HOLD, GUARD_SESSIONS_PASS };
/* Pages of which nothing is known yet. */
enum guard_unknown { GUARD_UNKNOWN_UNSET = 0, GUARD_UNKNOWN_PASS, GUARD_UNKNOWN_HOLD };
/* While there is no readable vault. */
enum guard_fail { GUARD_FAIL_UNSET = 0, GUARD_FAIL_OPEN, GUARD_FAIL_CLOSED };

struct guard_policy {
	int mode;                 /* enum guard_mode */
	int unknown;              /* enum guard_unknown */
	int sessions;             /* enum guard_sessions */
	int scheme;               /* enum guard_scheme; of visitors */
	int fail;                 /* enum guard_fail */
	bool confirm;             /* the first baseline waits for the operator */
	bool sitemap;             /* read /sitemap.xml and what robots.txt names */
	struct policy_strings seeds;     /* paths where enrolment begins */
	struct policy_strings exclude;   /* canonical path prefixes that are not guarded */
	struct policy_strings ignore_query; /* arguments that belong to no page, "*" at the end: any */
	struct policy_strings redirects; /* hosts that Location and Refresh may lead to, "*.x" too */
	struct policy_strings session_cookies; /* names, "*" at the end: any; their visitors get no copy */
	uint64_t max_pages, depth;
	uint64_t max_page;        /* bytes that are held whole */
	uint64_t patience_ms;     /* with the origin of a page that has a copy */
	uint64_t samples;         /* equal ones until a static file is known */
	uint64_t sample_interval_ms;
	uint64_t settle_ms;       /* how long HTML has to stay the same */
	uint64_t probe_interval_ms;
	uint64_t recover;         /* good rounds of probes that end a seal */
	struct policy_rate rate;  /* the scout's requests to this site */
	bool banner;              /* a sentence in copies of HTML */
	unsigned reading;         /* enum url_reading, of exclude: by the site's origin_kind */
	struct policy_where where;
};

struct vault_settings {
	const char *directory;    /* NULL: see conf/README.md */
	uint64_t size_bytes;
	uint64_t versions;        /* kept of each page */
	struct policy_where where;
};

extern const struct schema guard_schema; /* struct guard_policy: `guard` of a site */
extern const struct schema vault_schema; /* struct vault_settings: `vault` */

#endif

#ifndef SALLYPORT_ADMISSION_H
#define SALLYPORT_ADMISSION_H

#include "sallyport/address_set.h"
#include "sallyport/login.h"
#include "sallyport/policy.h"
#include "sallyport/shield.h"
#include "sallyport/throttle.h"
#include "sallyport/throttle_session.h"

/* Whether a client may ask this site at all, and how often: the first thing that is judged once the
 * site is known, since it costs least. Pure, but for the throttle's shared memory.
 *
 * In this order, the first that objects gives the verdict:
 *
 *   what                                  reason               setting of shield
 *   in deny_addresses                     address-denied       deny_addresses
 *   not in allow_addresses, if it is set  address-not-allowed  allow_addresses
 *   (in throttle.allow: passes, uncounted)
 *   banned                                banned               throttle.strikes, .ban
 *   over the client's rate                throttled            throttle.per_client
 *   over the rate of a path               throttled            throttle.paths[].per_client
 *   over the rate of a session            session-throttled    throttle.sessions.per_session
 *   over the rate of a login page         login-throttled      throttle.logins[].per_client
 *
 * A path's rate counts each client by itself too. A request passes where both rates let it; one
 * that only its path refuses has counted against the client. Each refusal is a strike; the one that
 * makes them too many is answered as banned. */

/* One of throttle.paths, as it was read. */
struct throttle_path {
	const char *path;
	size_t path_len;
	struct policy_rate per_client; /* count 0: no rate */
	uint64_t burst;
	uint64_t concurrent; /* 0: any */
	struct throttle_rate rate;
	struct policy_where where;
};

/* The group shield.throttle, as it was read, and behind it what its finish made of that. */
struct throttle_policy {
	struct policy_rate per_client; /* count 0: no rate */
	uint64_t burst;
	uint64_t concurrent; /* requests of a client at once; 0: any. Counted by the worker, see front/concurrency.c */
	struct policy_list path_list; /* of struct throttle_path */
	struct policy_list logins;    /* of struct login_rule */
	struct throttle_sessions sessions;
	uint64_t reply_rate;  /* bytes a second; 0: any */
	uint64_t reply_burst; /* bytes; 0: the usual */
	struct address_list allow;
	uint64_t strikes; /* 0: no bans */
	uint64_t strike_window_ms;
	uint64_t ban_ms;
	int ban_action; /* enum verdict_action */
	bool dry_run;
	struct policy_where where;

	bool is_on;
	bool has_rate; /* for the client on every path */
	bool has_concurrent; /* here, or for a path */
	struct throttle_rate rate, strike_rate;
	struct throttle_byte_rate reply; /* per_s 0: none */
	struct throttle_path **paths; /* path_count of them, longest first */
	size_t path_count;
	unsigned reading; /* enum url_reading, for paths */
	uint64_t site; /* throttle_id() of the site's name, apart in a dry run */
};

/* allow_addresses and deny_addresses of a site. */
struct address_policy {
	struct address_list allow, deny;
};

extern const struct schema throttle_schema;

/* Compiles the lists; reports by the names of the settings. Called by the shield's finish. */
void address_policy_compile(struct address_policy *addresses, struct policy_where where,
			    struct policy_context *context);
/* Finds the sets that the lists of a site name, once all are read. */
void admission_link(struct address_policy *addresses, struct throttle_policy *policy, unsigned site_index,
		    const struct policy_list *sets, struct policy_context *context);
/* Once the site's name is known. */
void throttle_policy_name(struct throttle_policy *policy, const char *site_name);

/* The longest of its paths that a canonical path is under; NULL: none. */
const struct throttle_path *throttle_path_of(const struct throttle_policy *policy, struct span path);

struct admission_request {
	const struct addr *visitor;
	struct span path; /* canonical */
	uint64_t now_us;  /* monotonic */
	int mode;         /* enum shield_mode of the site */
	struct span method;
	const struct http_head *head; /* for its cookies; NULL: none */
};

struct admission_notes {
	bool crowded; /* the table was full there */
	bool newly_banned;
	const struct login_rule *login; /* what passed is an attempt to log in; NULL: it is none */
};

/* The rate that replies to this visitor are held to; NULL: none. */
const struct throttle_byte_rate *admission_reply_rate(const struct throttle_policy *policy,
						      const struct addr *visitor, int mode);

/* False: the site leaves all that unset, and there is nothing to judge. */
static inline bool admission_is_on(const struct address_policy *addresses,
				   const struct throttle_policy *policy)
{
	return policy->is_on || address_list_is_set(&addresses->deny) || address_list_is_set(&addresses->allow);
}

/* ALLOW or REJECT (for a ban also CLOSE or TARPIT, where the policy says so), with verdict.retry_after_s
 * where waiting helps. */
void admission_judge(const struct address_policy *addresses, const struct throttle_policy *policy,
		     struct throttle_table *table, const struct admission_request *request,
		     struct verdict *verdict, struct admission_notes *notes);

#endif

#ifndef SALLYPORT_LOGIN_H
#define SALLYPORT_LOGIN_H

#include "sallyport/policy.h"
#include "sallyport/throttle.h"

/* Pages where passwords are asked for: how often a client may try, and how often a user may be tried, from wherever.
 * Pure, but for the throttle's shared memory, which has hashes of names, keyed as all its keys are.
 *
 *   what                       is counted by          held
 *   one client, many users     client (per_client)    spraying
 *   many clients, one user     user (per_user)        stuffing, guessing from a botnet
 *
 * An attempt is counted before it is known how it ends, so that a hundred at once are a hundred; one that ends
 * well, where `failed` says how others do, is taken back, unless it names several users. Who got in as a user is known for a while at that address: he is
 * counted by himself then, so that whoever attacks his name from elsewhere does not keep him out. Nobody is
 * banned for a name. */

/* One of throttle.logins. */
struct login_rule {
	const char *path;
	size_t path_len;
	struct policy_strings methods;
	const char *field;              /* NULL: users are not told apart */
	struct policy_rate per_client, per_user; /* count 0: none */
	uint64_t burst, user_burst;
	struct policy_strings failed;   /* "401", "302 /login"; none: every attempt counts */
	struct policy_where where;

	struct throttle_rate client_rate, user_rate;
	uint64_t id; /* of its users, the same after a reload */
};

extern const struct schema login_schema;

/* The longest path of `n` rules that this request is under, with its method; NULL: none. */
const struct login_rule *login_rule_of(const struct login_rule *rules, size_t n, struct span method, struct span path,
				       unsigned reading);

enum { LOGIN_USERS_MAX = 4 }; /* one is usual; more values of the field are refused */

/* One attempt on its way. Zeroed: none. */
struct login_attempt {
	const struct login_rule *rule;
	struct throttle_table *table;
	uint64_t site, client_key;      /* throttle_policy.site, addr_client_key() */
	struct throttle_client users[LOGIN_USERS_MAX]; /* where each was counted */
	uint64_t keys[LOGIN_USERS_MAX];
	uint8_t user_count;
	bool is_refused, is_crowded;    /* by a user; by too many of them */
	uint32_t wait_s;
};

/* Is it the field, as the most lenient of origins read names? The rule has a field. */
bool login_is_field(const struct login_rule *rule, struct span name);
/* A value of the field was found: counts it. */
void login_add_user(struct login_attempt *attempt, struct span name, uint64_t now_us);
/* A reply with this status and Location (ptr NULL: none). */
void login_replied(struct login_attempt *attempt, unsigned status, struct span location, uint64_t now_us);

#endif

#ifndef SALLYPORT_SHIELD_SCHEMA_H
#define SALLYPORT_SHIELD_SCHEMA_H

#include "sallyport/admission.h"
#include "sallyport/policy.h"
#include "sallyport/shield.h"

/* The shield's part of a policy, as it is read; shield.h says what becomes of it. */

struct shield_limits {
	uint64_t url, path, query; /* bytes, 8 KiB, 4 KiB, 8 KiB; at most HTTP_HEAD_MAX */
	uint64_t body;             /* bytes, 100 MiB; 0: no limit */
};

/* The group `shield` of a site. */
struct shield_policy {
	int mode; /* enum shield_mode; enforce */
	struct shield_limits limits;
	struct policy_list paths; /* of struct shield_path */
	struct policy_strings methods; /* GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH */
	struct address_policy addresses; /* who may ask at all, and how often: admission.h */
	struct throttle_policy throttle;
	struct policy_where where;
};

/* One of `rules`. */
struct rule_settings {
	struct rule_spec spec;
	int place; /* as read; spec.where is made of it */
	struct policy_where where;
};

extern const struct schema shield_schema;
extern const struct schema rule_schema;

/* The same as shield_new takes it. The result borrows the methods and the rules. */
void shield_policy_settings(const struct shield_policy *policy, const struct rule_spec *rules,
			    size_t rule_count, struct shield_settings *out);
/* Two sites of one policy may share a shield: all but where they stand is equal. */
bool shield_policy_eq(const struct shield_policy *a, const struct shield_policy *b);

#endif

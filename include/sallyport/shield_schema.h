#ifndef SALLYPORT_SHIELD_SCHEMA_H
#define SALLYPORT_SHIELD_SCHEMA_H

#include "sallyport/admission.h"
#include "sallyport/policy.h"
#include "sallyport/shield.h"

/* The shield's part of a policy, as it is read; shield.h says what becomes of it. */

/* Limits, and which of them the policy sets itself: the others follow the profile. */
struct shield_policy_limits {
	struct shield_limits limits;
	uint32_t set; /* 1 << enum shield_limit */
};

/* The group `findings`, `query_findings`, `cookie_findings` or `field_findings`: enum finding_action, UNSET where not set. */
struct shield_policy_findings {
#define FINDING(id, member, ...) int member;
#include "sallyport/findings.def"
	uint8_t actions[URL_FINDING_KINDS]; /* the same by rank */
};

struct shield_policy_deny {
	struct policy_strings hosts, methods, extensions, content_types, fields, url, query;
};

struct shield_policy_allow {
	struct policy_strings extensions, content_types, urls, queries;
};

/* The group `bodies`. */
struct shield_policy_bodies {
	struct policy_strings inspect, skip_paths, skip_types;
	struct shield_bodies bodies; /* its lists point to those above */
	struct policy_where where;
};

/* One of `fields`. */
struct shield_policy_field {
	const char *name;
	uint64_t max;
	struct policy_strings deny;
	struct policy_where where;
};

/* One of `answers`. */
struct shield_policy_answer {
	struct policy_strings reasons;
	struct verdict_answer answer;
	struct policy_where where;
};

/* One of `rules` of a site. */
struct shield_policy_rule_mode {
	struct policy_strings rules;
	int mode; /* enum shield_mode */
	struct policy_where where;
};

/* The group `shield` of a site. */
struct shield_policy {
	int mode; /* enum shield_mode; enforce */
	struct policy_list paths; /* of struct shield_path */
	int profile, origin_kind, cookie_syntax;
	struct shield_policy_limits limits;
	struct shield_policy_bodies bodies;
	struct shield_policy_findings findings, query_findings, cookie_findings, field_findings;
	struct policy_strings methods; /* GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH */
	struct address_policy addresses; /* who may ask at all, and how often: admission.h */
	struct throttle_policy throttle;
	struct shield_policy_deny deny;
	struct shield_policy_allow allow;
	struct policy_list rule_modes; /* struct shield_policy_rule_mode */
	struct policy_list exceptions; /* struct exception */
	struct policy_list fields; /* struct shield_policy_field */
	struct field_rule *field_rules; /* the same as the shield takes them */
	struct policy_list answers; /* struct shield_policy_answer */
	struct reason_answer *reason_answers; /* the same by reason */
	size_t reason_answer_count;
	struct policy_where where;
};

/* What a rule, or one of its `also`, looks for where. */
struct rule_condition_settings {
	struct policy_strings places, transform, contains, words, prefix, suffix, equals, networks;
	const char *pattern, *outside;
	uint64_t longer_than;
	bool negated, cased;
	struct rule_condition compiled;
	struct policy_where where;
};

/* One of `rules`. */
struct rule_settings {
	struct rule_spec spec;
	struct rule_condition_settings first;
	struct policy_list also; /* struct rule_condition_settings */
	struct policy_strings tags;
	uint64_t score;
	size_t index; /* in its list */
	struct policy_where where;
};

extern const struct schema shield_schema;
extern const struct schema rule_schema;

/* The same as shield_new takes it. The result borrows the methods and the rules. */
void shield_policy_settings(const struct shield_policy *policy, const struct rule_set *rules,
			    struct shield_settings *out);
/* By rule; NULL: as the rules say, or memory was short, which was reported. A name of no rule is reported. */
const uint8_t *shield_policy_rule_modes(const struct shield_policy *policy, const struct rule_set *rules,
					struct policy_context *context);
/* Two sites of one policy may share a shield: all but where they stand is equal. */
bool shield_policy_eq(const struct shield_policy *a, const struct shield_policy *b);

#endif

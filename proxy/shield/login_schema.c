/* What a policy may say about pages where passwords are asked for. */
#include "sallyport/admission.h"

#include <string.h>

#include "sallyport/url.h"
#include "shield/body_schema.h"
#include "shield/rate_schema.h"

#define LOGIN(member) offsetof(struct login_rule, member)

enum { RATE_MAX = 100000, BURST_MAX = 100000, METHODS_MAX = 8, FAILED_MAX = 16 };

static const struct setting login_rows[] = {
    {"path", SETTING_STRING, LOGIN(path), .required = true, .example = "\"/login\"",
     .doc = "Where the password goes to: that path and everything under it, compared in canonical form."},
    {"methods", SETTING_STRINGS, LOGIN(methods), .standard = "POST", .max = METHODS_MAX,
     .doc = "The methods that try a password."},
    {"field", SETTING_STRING, LOGIN(field), .example = "\"username\"",
     .doc = "The argument that has the user's name, in a form, in the query, or as a key of JSON (`user.name` for one within another)."},
    {"per_client", SETTING_RATE, LOGIN(per_client), .min = 1, .max = RATE_MAX, .example = "\"20/h\"",
     .doc = "How often one client may try, whatever the user. It or `per_user` is needed."},
    {"burst", SETTING_COUNT, LOGIN(burst), .standard = "10", .min = 1, .max = BURST_MAX, .doc = "How often at once."},
    {"per_user", SETTING_RATE, LOGIN(per_user), .min = 1, .max = RATE_MAX, .example = "\"10/h\"",
     .doc = "How often one user may be tried, by all clients together. Needs `field`."},
    {"user_burst", SETTING_COUNT, LOGIN(user_burst), .standard = "5", .min = 1, .max = BURST_MAX,
     .doc = "How often at once."},
    {"failed", SETTING_STRINGS, LOGIN(failed), .max = FAILED_MAX, .example = "( \"401\", \"302 /login\" )",
     .doc = "How replies to wrong passwords look: a status, also with how the path in Location begins. Any other reply below 400 is a "
	    "success, which is not counted. Without it every attempt counts."},
    {0},
};

static bool is_failure(const char *text)
{
	return strspn(text, "0123456789") == 3 && text[0] >= '2' && text[0] <= '4' &&
	       (text[3] == '\0' || (text[3] == ' ' && text[4] == '/'));
}

static void check_rates(const struct login_rule *rule, struct policy_where where, struct policy_context *context)
{
	const struct policy_where nowhere = {0};
	if (policy_where_of(context, "per_client", nowhere).line == 0 &&
	    policy_where_of(context, "per_user", nowhere).line == 0)
		policy_error(context, where, "neither per_client nor per_user is set");
	if (rule->per_user.count > 0 && !rule->field)
		policy_error_in(context, where, "per_user", "field is not set, which would say who the user is");
	if (rule->field && policy_where_of(context, "per_user", nowhere).line == 0)
		policy_warning(context, where, "field has no effect: per_user is not set");
}

static void finish_login(void *structure, struct policy_where where, struct policy_context *context)
{
	struct login_rule *rule = structure;
	if (!rule->path)
		return;
	check_policy_path(rule->path, "path", where, context);
	check_methods_case(&rule->methods, "methods", context);
	check_rates(rule, where, context);
	rule->path_len = strlen(rule->path);
	rule->id = throttle_id(rule->path) ^ throttle_id("login");
	rate_compile(&rule->per_client, rule->burst, "burst", rule->id, &rule->client_rate, where, context);
	rate_compile(&rule->per_user, rule->user_burst, "user_burst", rule->id, &rule->user_rate, where, context);
	for (size_t i = 0; i < rule->failed.n; i++) {
		if (!is_failure(rule->failed.items[i]))
			policy_error_in(context, where, "failed",
					"\"%.64s\" is no status below 500, such as \"401\" or \"302 /login\"",
					rule->failed.items[i]);
	}
}

static bool is_read(const struct login_rule *rule, const struct shield_bodies *bodies, unsigned reading)
{
	const unsigned kinds = 1u << BODY_FORM | 1u << BODY_JSON;
	for (const char **path = bodies->skip_paths; path && *path; path++) {
		if (url_is_under(span_from_str(rule->path), span_from_str(*path), reading))
			return false;
	}
	return bodies->kinds & kinds;
}

void logins_check_bodies(const struct policy_list *logins, const struct shield_bodies *bodies, unsigned reading,
			 struct policy_context *context)
{
	const struct login_rule *rules = logins->items;
	for (size_t i = 0; i < logins->n; i++) {
		if (rules[i].path && rules[i].per_user.count > 0 && !is_read(&rules[i], bodies, reading))
			policy_warning(context, rules[i].where,
				       "throttle.logins: per_user sees no user in content, since shield.bodies looks into none there "
				       "(inspect, skip_paths)");
	}
}

const struct schema login_schema = {
    .name = "logins",
    .size = sizeof(struct login_rule),
    .settings = login_rows,
    .where_offset = LOGIN(where),
    .finish = finish_login,
};

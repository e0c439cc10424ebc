/* What a policy may say about rules. Whether their patterns compile, shield_new finds out. */
#include "shield/answers_schema.h"
#include "shield/rules.h"

#define RULE(member) offsetof(struct rule_settings, member)

static const struct policy_choice places[] = {
    {"path", RULE_PATH}, {"query", RULE_QUERY}, {"url", RULE_URL}, {NULL, 0}};

static const struct setting rule_rows[] = {
    {"id", SETTING_STRING, RULE(spec.id), .required = true, .example = "\"worm.code-red\"",
     .doc = "The rule's name in logs: lower-case letters, digits, `.`, `-` and `_`."},
    {"where", SETTING_ENUM, RULE(place), .required = true, .choices = places,
     .doc = "What is searched: the canonical path, decoded; the query, decoded; or the whole "
	    "request-target as it was sent."},
    {"pattern", SETTING_STRING, RULE(spec.pattern), .required = true,
     .example = "\"/default\\\\.ida$\"",
     .doc = "A regular expression in the form of vectorscan, case ignored, found anywhere. "
	    "A backslash is written twice."},
    {"message", SETTING_STRING, RULE(spec.message), .required = true,
     .example = "\"Code Red: the .ida overflow\"", .doc = "What a match means, for the operator."},
    {"cve", SETTING_STRING, RULE(spec.cve), .example = "\"CVE-2001-0500\"",
     .doc = "The vulnerability that is tried."},
    {"action", SETTING_ENUM, RULE(spec.answer.action), .choices = answer_actions,
     .doc = ANSWER_ACTION_DOC " Without it, what the site answers to the reason `rule`."},
    {"status", SETTING_COUNT, RULE(spec.answer.status), .min = ANSWER_STATUS_MIN,
     .max = ANSWER_STATUS_MAX, .example = "404",
     .doc = ANSWER_STATUS_DOC " Without it, what the site answers to the reason `rule`."},
    {0},
};

static bool is_rule_id(const char *id)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_";

	return strspn(id, allowed) == strlen(id) && strlen(id) <= 64;
}

static void finish_rule(void *structure, struct policy_where where, struct policy_context *context)
{
	struct rule_settings *rule = structure;

	for (const struct policy_choice *place = places; place->name; place++) {
		if (place->value == rule->place)
			rule->spec.where = place->name;
	}
	if (rule->spec.id && !is_rule_id(rule->spec.id))
		policy_error_in(context, where, "id",
				"\"%s\" is not of at most 64 lower-case letters, digits, '.', "
				"'-' and '_'",
				rule->spec.id);
	answer_check(&rule->spec.answer, where, context);
}

const struct schema rule_schema = {
    .name = "rules",
    .size = sizeof(struct rule_settings),
    .settings = rule_rows,
    .where_offset = RULE(where),
    .finish = finish_rule,
};

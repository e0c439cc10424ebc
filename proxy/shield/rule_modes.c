/* Which mode a rule has at a site that says something else than the rule: by its id, the beginning of
 * ids, or a tag. Of several entries that name a rule the last counts. */
#include "shield/rule_modes.h"

#include "sallyport/exception.h"
#include "sallyport/suggest.h"

#define ENTRY(member) offsetof(struct shield_policy_rule_mode, member)

static const struct policy_choice modes[] = {
    {"enforce", SHIELD_ENFORCE}, {"monitor", SHIELD_MONITOR}, {"off", SHIELD_OFF}, {NULL, 0}};

static const struct setting entry_rows[] = {
    {"rules", SETTING_STRINGS, ENTRY(rules), .required = true, .or_one = true,
     .example = "( \"sql.union\", \"xss.*\", \"tag:java\" )",
     .doc = "Rules by id, by the beginning of ids, or by a tag of theirs."},
    {"mode", SETTING_ENUM, ENTRY(mode), .required = true, .choices = modes,
     .doc = "Their mode at this site. Of several entries that name a rule the last counts."},
    {0},
};

const struct schema rule_mode_schema = {
    .name = "rules",
    .size = sizeof(struct shield_policy_rule_mode),
    .settings = entry_rows,
    .where_offset = ENTRY(where),
};

static void apply(const struct shield_policy_rule_mode *entry, const char *name,
		  const struct rule_set *rules, uint8_t *out, struct policy_context *context)
{
	bool found = false;
	struct suggestion suggestion;
	char nearest[SUGGEST_TEXT_SIZE];
	suggest_init(&suggestion, name);
	for (size_t i = 0; i < rule_set_count(rules); i++) {
		const struct rule_spec *rule = rule_set_get(rules, i);
		suggest_offer(&suggestion, rule->id);
		if (!rule_is_named(rule, span_from_str(name)))
			continue;
		out[i] = (uint8_t)entry->mode;
		found = true;
	}
	if (!found)
		policy_error(context, entry->where, "shield.rules: no rule is \"%.64s\"%s", name,
			     suggest_text(&suggestion, nearest));
}

const uint8_t *shield_policy_rule_modes(const struct shield_policy *policy, const struct rule_set *rules,
					struct policy_context *context)
{
	const struct shield_policy_rule_mode *entries = policy->rule_modes.items;
	size_t n = rule_set_count(rules);
	if (policy->rule_modes.n == 0)
		return NULL;
	uint8_t *out = arena_alloc(context->arena, n + 1);
	if (!out) {
		policy_error(context, policy->rule_modes.where, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)rule_set_get(rules, i)->mode;
	for (size_t i = 0; i < policy->rule_modes.n; i++) {
		for (size_t j = 0; j < entries[i].rules.n; j++)
			apply(&entries[i], entries[i].rules.items[j], rules, out, context);
	}
	return out;
}

static bool entry_eq(const struct shield_policy_rule_mode *a, const struct shield_policy_rule_mode *b)
{
	if (a->mode != b->mode || a->rules.n != b->rules.n)
		return false;
	for (size_t i = 0; i < a->rules.n; i++) {
		if (strcmp(a->rules.items[i], b->rules.items[i]) != 0)
			return false;
	}
	return true;
}

bool rule_modes_eq(const struct policy_list *a, const struct policy_list *b)
{
	const struct shield_policy_rule_mode *left = a->items, *right = b->items;
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!entry_eq(&left[i], &right[i]))
			return false;
	}
	return true;
}

#ifndef TESTS_SHIELD_RULE_SETS_H
#define TESTS_SHIELD_RULE_SETS_H

#include "sallyport/rule.h"

/* Rules for tests, made without a policy. After cmocka.h. What the macros make lives as
 * long as the block they stand in. */

#define RULE_LOOKS_FOR(target_, op_, ...)                                                          \
	{.selectors = (const struct rule_selector[]){{.target = (target_)}},                       \
	 .selector_count = 1,                                                                      \
	 .op = (op_),                                                                              \
	 .texts = (const char *const[]){__VA_ARGS__, NULL}}

#define RULE_OF(id_, target_, pattern_)                                                            \
	{.id = (id_), .message = "", .condition_count = 1,                                         \
	 .conditions = (const struct rule_condition[]){                                            \
	     RULE_LOOKS_FOR((target_), OPERATOR_PATTERN, (pattern_))}}

struct rule_complaints {
	size_t n, rules[16];
	char texts[16][256];
};

static inline void note_complaint(void *context, size_t rule, const char *text)
{
	struct rule_complaints *complaints = context;
	if (complaints->n == 16)
		return;
	complaints->rules[complaints->n] = rule;
	snprintf(complaints->texts[complaints->n++], sizeof(complaints->texts[0]), "%s", text);
}

static inline struct rule_set *rules_compiled(const struct rule_spec *rules, size_t n)
{
	struct rule_complaints complaints = {0};
	struct rule_set *set = rule_set_new(rules, n, NULL, note_complaint, &complaints);
	if (!set)
		fail_msg("%s", complaints.texts[0]);
	return set;
}

#endif

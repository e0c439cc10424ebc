#ifndef SALLYPORT_SHIELD_RULES_EXPRESSION_H
#define SALLYPORT_SHIELD_RULES_EXPRESSION_H

#include "sallyport/rule.h"
#include "sallyport/strbuf.h"
#include "shield/rules_patterns.h"

/* What a condition looks for, as regular expressions. */

struct expressions {
	struct pattern_source *sources;
	size_t n, room;
	bool failed; /* no memory */
};

/* Adds one source for each text of the condition; id is what a match is told by. */
void expressions_add(struct expressions *expressions, const struct rule_condition *condition, unsigned id,
		     enum pattern_kind kind, enum pattern_form form);
void expressions_release(struct expressions *expressions);

/* Could its pattern match one value by itself, and not the same value as one line of several? */
bool expression_minds_lines(const struct rule_condition *condition);

#endif

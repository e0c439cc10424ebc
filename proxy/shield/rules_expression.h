#ifndef SALLYPORT_SHIELD_RULES_EXPRESSION_H
#define SALLYPORT_SHIELD_RULES_EXPRESSION_H

#include "sallyport/rule.h"
#include "sallyport/strbuf.h"
#include "shield/rules_confirm.h"
#include "shield/rules_patterns.h"
#include "shield/transform.h"

/* What a condition looks for, as regular expressions. */

struct expressions {
	struct pattern_source *sources;
	size_t n, room;
	bool failed; /* no memory */
};

/* Adds one source for each text of the condition; id is what a match is told by. marks: for values that
 * have none of these (rules_needs.h), and what can't match them is left out; 0: for all values. */
void expressions_add(struct expressions *expressions, const struct rule_condition *condition, unsigned id,
		     enum pattern_kind kind, enum byte_kind marks);
void expressions_release(struct expressions *expressions);

/* Is what is found among others surely there? */
bool expression_is_sure(const struct rule_condition *condition);
/* The same expression for one value alone. NULL: err says why. */
struct confirm *expression_confirm(const struct rule_condition *condition, struct err *err);

#endif

#ifndef SALLYPORT_RULE_TRACE_H
#define SALLYPORT_RULE_TRACE_H

#include "sallyport/rule.h"

/* How a value came to match a condition, step by step: for people, never for a verdict. */

struct rule_trace_step {
	enum rule_transform transform;
	struct span text; /* the value behind it */
};

struct rule_trace {
	struct rule_trace_step steps[RULE_CHAIN_MAX]; /* those that changed it */
	size_t step_count;
	struct span seen;  /* what was compared; borrowed where nothing changed the value */
	bool is_found;     /* where it matched can be told */
	size_t begin, end; /* in `seen` */
	char *room;        /* owned: the texts of the steps */
};

/* False: no memory. */
MUST_CHECK bool rule_trace_init(struct rule_trace *trace, const struct rule_condition *condition, struct span value);
void rule_trace_release(struct rule_trace *trace);

#endif

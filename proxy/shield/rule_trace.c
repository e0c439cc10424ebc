/* How a value came to match, step by step: the same transformations, and PCRE2 for where it is, since
 * many patterns at once tell only where a match ends. Slow, and asked by people alone. */
#include "sallyport/rule_trace.h"

#include "shield/rules_expression.h"
#include "shield/transform.h"

static bool is_outside(const struct rule_condition *condition, char c)
{
	unsigned char byte = (unsigned char)c;
	return !(condition->bytes[byte / 8] >> byte % 8 & 1);
}

static bool find_pattern(struct rule_trace *trace, const struct rule_condition *condition)
{
	struct err err;
	struct confirm *confirm = expression_confirm(condition, &err);
	struct confirm_scratch *scratch = confirm_scratch_new();
	bool found = confirm && scratch && confirm_find(confirm, scratch, trace->seen, &trace->begin, &trace->end);
	confirm_scratch_free(scratch);
	confirm_free(confirm);
	return found;
}

static bool find(struct rule_trace *trace, const struct rule_condition *condition)
{
	const struct span seen = trace->seen;
	if (condition->negated)
		return false;
	switch (condition->op) {
	case OPERATOR_LONGER:
		trace->begin = condition->number < seen.len ? (size_t)condition->number : seen.len;
		trace->end = seen.len;
		return true;
	case OPERATOR_BYTES:
		while (trace->begin < seen.len && !is_outside(condition, seen.ptr[trace->begin]))
			trace->begin++;
		trace->end = trace->begin + (trace->begin < seen.len);
		return trace->begin < seen.len;
	case OPERATOR_NETWORK:
	case OPERATOR_UNSET: return false;
	default: return find_pattern(trace, condition);
	}
}

bool rule_trace_init(struct rule_trace *trace, const struct rule_condition *condition, struct span value)
{
	*trace = (struct rule_trace){.seen = value, .room = malloc(RULE_CHAIN_MAX * value.len + 1)};
	if (!trace->room)
		return false;
	for (size_t i = 0; i < RULE_CHAIN_MAX && condition->chain[i] != TRANSFORM_UNSET; i++) {
		enum rule_transform transform = (enum rule_transform)condition->chain[i];
		struct span out = transform_apply(transform, trace->seen, trace->room + i * value.len);
		if (span_eq(out, trace->seen))
			continue;
		trace->seen = out;
		trace->steps[trace->step_count++] = (struct rule_trace_step){transform, out};
	}
	trace->is_found = find(trace, condition);
	return true;
}

void rule_trace_release(struct rule_trace *trace)
{
	free(trace->room);
	trace->room = NULL;
}

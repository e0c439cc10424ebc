/* Which rules differ between two policies: by id, and those that both have by their text. */
#include <stdlib.h>

#include "cli/rules.h"
#include "sallyport/shield.h"

enum { TEXT_MAX = 8 << 20 };

struct sorted {
	const struct rule_spec **rules;
	size_t n;
};

static int by_id(const void *a, const void *b)
{
	const struct rule_spec *const *left = a, *const *right = b;
	return strcmp((*left)->id, (*right)->id);
}

static bool sort(const struct settings *settings, struct sorted *out)
{
	out->n = settings ? settings->rule_count : 0;
	out->rules = calloc(out->n + 1, sizeof(out->rules[0]));
	if (!out->rules)
		return false;
	for (size_t i = 0; i < out->n; i++)
		out->rules[i] = &settings->rule_specs[i];
	qsort(out->rules, out->n, sizeof(out->rules[0]), by_id);
	return true;
}

static bool is_equal(const struct rule_spec *a, const struct rule_spec *b)
{
	struct strbuf left, right;
	strbuf_init(&left, TEXT_MAX);
	strbuf_init(&right, TEXT_MAX);
	rule_write(a, &left);
	rule_write(b, &right);
	bool equal = !left.truncated && span_eq(strbuf_span(&left), strbuf_span(&right));
	strbuf_release(&left);
	strbuf_release(&right);
	return equal;
}

static void merge(const struct sorted *before, const struct sorted *after, rules_on_change *on_change, void *context)
{
	size_t i = 0, j = 0;
	while (i < before->n || j < after->n) {
		int order = i == before->n ? 1 : j == after->n ? -1 : by_id(&before->rules[i], &after->rules[j]);
		if (order < 0)
			on_change(context, RULES_REMOVED, before->rules[i++]);
		else if (order > 0)
			on_change(context, RULES_ADDED, after->rules[j++]);
		else if (!is_equal(before->rules[i++], after->rules[j++]))
			on_change(context, RULES_CHANGED, after->rules[j - 1]);
	}
}

bool rules_diff(const struct settings *before, const struct settings *after, rules_on_change *on_change, void *context)
{
	struct sorted left = {0}, right = {0};
	bool ok = sort(before, &left) && sort(after, &right);
	if (ok)
		merge(&left, &right, on_change, context);
	free(left.rules);
	free(right.rules);
	return ok;
}

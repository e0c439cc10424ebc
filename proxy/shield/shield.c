/* Makes a shield out of what the policy says, and the scratch that a worker needs to
 * use it. Everything that can fail or allocate happens here, before a request is seen.
 * Trusts the settings to be checked for sense by the policy; not the patterns. */
#include "shield/compiled.h"

/* Methods that are no one's to allow; see judge.c. */
static bool is_never_allowed(enum http_method method)
{
	return method == HTTP_CONNECT || method == HTTP_TRACE;
}

static uint32_t compile_methods(const char **methods)
{
	uint32_t mask = 0;
	if (!methods)
		return UINT32_MAX;
	for (; *methods; methods++) {
		enum http_method method = http_method_lookup(span_from_str(*methods));
		if (method != HTTP_METHOD_OTHER && !is_never_allowed(method))
			mask |= UINT32_C(1) << method;
	}
	return mask;
}

struct shield *shield_new(const struct shield_settings *settings, struct err *err)
{
	struct shield *shield = calloc(1, sizeof(*shield));
	if (!shield) {
		err_set(err, "no memory for a shield");
		return NULL;
	}
	shield->settings = *settings;
	shield->methods = compile_methods(settings->methods);
	findings_compile(shield);
	answers_compile(shield);
	return shield;
}

void shield_free(struct shield *shield)
{
	free(shield);
}

const struct url_canon_options *shield_canon_options(const struct shield *shield)
{
	return &shield->canon;
}

struct shield_scratch *shield_scratch_new(const struct shield *const *shields, size_t n,
					  struct err *err)
{
	struct shield_scratch *scratch = calloc(1, sizeof(*scratch));
	bool ok = scratch && (scratch->text = malloc(HTTP_HEAD_MAX)) != NULL &&
		  (scratch->rules = rule_scratch_new()) != NULL;
	const struct rule_set *last = NULL;
	if (!ok)
		err_set(err, "no memory to match rules in");
	for (size_t i = 0; i < n && ok; i++) {
		const struct rule_set *rules = shields[i]->settings.rules;
		if (rules && rules != last)
			ok = rule_scratch_fit(scratch->rules, rules, err);
		last = rules;
	}
	if (ok)
		return scratch;
	shield_scratch_free(scratch);
	return NULL;
}

void shield_scratch_free(struct shield_scratch *scratch)
{
	if (!scratch)
		return;
	rule_scratch_free(scratch->rules);
	free(scratch->text);
	free(scratch);
}

void shield_watch(struct shield_scratch *scratch, const struct rule_watch *watch)
{
	scratch->watch = watch;
}

const struct rule_tally *shield_tally(const struct shield_scratch *scratch)
{
	return &scratch->tally;
}

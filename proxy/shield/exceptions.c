/* Exceptions of a site: which ones are there for a rule, and whether one is for this request and this value.
 * Where more than one reading of a request is possible, one that takes it out of an exception
 * counts. Pure; only what is compiled allocates, in the policy's arena. */
#include "sallyport/clock.h"
#include "sallyport/shield.h"
#include "sallyport/suggest.h"
#include "shield/exception_words.h"

enum { DAY_S = 86400, SOON_DAYS = 14 };

struct exception_set {
	const struct exception *of;
	size_t n;
	unsigned found;        /* findings that one of them names */
	uint32_t *first;       /* by rule: where its exceptions begin in `listed`; one more than there are rules */
	const uint16_t *listed;
};

/* ---- compiling ---- */

bool rule_is_named(const struct rule_spec *rule, struct span name)
{
	if (span_ends(name, SPAN("*")))
		return span_starts(span_from_str(rule->id), span_of(name.ptr, name.len - 1));
	if (!span_starts(name, SPAN("tag:")))
		return span_eq(span_from_str(rule->id), name);
	for (const char *const *tag = rule->tags; tag && *tag; tag++) {
		if (span_eq(span_from_str(*tag), span_from(name, 4)))
			return true;
	}
	return false;
}

static bool has_tag(const struct rule_spec *rule, const char *tag)
{
	const char *const *tags = rule->tags;
	while (tags && *tags && strcmp(*tags, tag) != 0)
		tags++;
	return tags && *tags;
}

static bool is_for(const struct exception *exception, const struct rule_spec *rule)
{
	if (exception->rule)
		return rule_is_named(rule, span_from_str(exception->rule));
	return exception->tag && has_tag(rule, exception->tag);
}

static void report_unknown(const struct exception *exception, const struct rule_set *rules,
			   struct policy_context *context)
{
	const char *wanted = exception->rule ? exception->rule : exception->tag;
	struct suggestion suggestion;
	char nearest[SUGGEST_TEXT_SIZE];
	suggest_init(&suggestion, wanted);
	for (size_t i = 0; i < rule_set_count(rules); i++) {
		const struct rule_spec *rule = rule_set_get(rules, i);
		const char *const *tag = rule->tags;
		if (exception->rule)
			suggest_offer(&suggestion, rule->id);
		for (; exception->tag && tag && *tag; tag++)
			suggest_offer(&suggestion, *tag);
	}
	policy_warning(context, exception->place, "shield.exceptions: no rule %s \"%.64s\"%s",
		       exception->rule ? "is" : "has the tag", wanted, suggest_text(&suggestion, nearest));
}

static void report_end(const struct exception *exception, uint64_t now_s, struct policy_context *context)
{
	const char *what = exception->rule  ? exception->rule
			   : exception->tag ? exception->tag
					    : exception->finding;
	if (exception->ends_s <= now_s)
		policy_warning(context, exception->place,
			       "shield.exceptions: \"%.64s\" has ended on %s and counts no more (%.64s: %.128s)", what,
			       exception->expires, exception->owner, exception->reason);
	else if (exception->ends_s - now_s <= SOON_DAYS * DAY_S)
		policy_warning(context, exception->place, "shield.exceptions: \"%.64s\" ends on %s (%.64s: %.128s)",
			       what, exception->expires, exception->owner, exception->reason);
}

/* Those of each rule, one rule behind the other; without `listed` they are counted only. */
static size_t list_by_rule(struct exception_set *set, const struct rule_set *rules, uint16_t *listed,
			   struct policy_context *context)
{
	bool is_used[EXCEPTIONS_MAX] = {false};
	size_t at = 0;
	for (size_t rule = 0; rule < rule_set_count(rules); rule++) {
		set->first[rule] = (uint32_t)at;
		for (size_t i = 0; i < set->n; i++) {
			if (!is_for(&set->of[i], rule_set_get(rules, rule)))
				continue;
			is_used[i] = true;
			if (listed)
				listed[at] = (uint16_t)i;
			at++;
		}
	}
	set->first[rule_set_count(rules)] = (uint32_t)at;
	for (size_t i = 0; i < set->n && listed; i++) {
		if (!is_used[i] && !set->of[i].finding)
			report_unknown(&set->of[i], rules, context);
	}
	return at;
}

const struct exception_set *exception_set_new(const struct policy_list *list, const struct rule_set *rules,
					      uint64_t now_s, struct policy_context *context)
{
	if (list->n == 0)
		return NULL;
	struct exception_set *set = arena_alloc(context->arena, sizeof(*set));
	uint32_t *first = arena_alloc(context->arena, (rule_set_count(rules) + 1) * sizeof(*first));
	if (set && first) {
		*set = (struct exception_set){.of = list->items, .n = list->n, .first = first};
		size_t n = list_by_rule(set, rules, NULL, context);
		uint16_t *listed = arena_alloc(context->arena, (n + 1) * sizeof(*listed));
		set->listed = listed;
		if (listed)
			list_by_rule(set, rules, listed, context);
	}
	if (!set || !first || !set->listed) {
		policy_error(context, list->where, "shield.exceptions: out of memory");
		return NULL;
	}
	for (size_t i = 0; i < set->n; i++) {
		set->found |= set->of[i].found;
		report_end(&set->of[i], now_s, context);
	}
	return set;
}

static bool text_eq(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool exception_eq(const struct exception *a, const struct exception *b)
{
	return text_eq(a->rule, b->rule) && text_eq(a->tag, b->tag) && a->found == b->found &&
	       text_eq(a->path, b->path) && a->exact == b->exact && text_eq(a->method, b->method) &&
	       a->target == b->target && span_eq(a->name, b->name) && a->ends_s == b->ends_s &&
	       text_eq(a->owner, b->owner) && text_eq(a->reason, b->reason);
}

bool exceptions_eq(const struct policy_list *a, const struct policy_list *b)
{
	const struct exception *left = a->items, *right = b->items;
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!exception_eq(&left[i], &right[i]))
			return false;
	}
	return true;
}

/* ---- asking ---- */

static bool is_at(struct span path, const struct exception *exception, unsigned reading)
{
	struct span wanted = span_from_str(exception->path);
	return url_is_under(path, wanted, reading) &&
	       (!exception->exact || url_is_under(wanted, path, reading));
}

static bool is_path(const struct exception *exception, const struct exception_asked *asked)
{
	const unsigned reading = shield_reading(asked->origin_kind);
	if (!exception->path)
		return true;
	return asked->is_clear && is_at(asked->path, exception, reading) &&
	       is_at(asked->forward_path, exception, reading);
}

static bool is_for_request(const struct exception *exception, const struct exception_asked *asked)
{
	return asked->now_s < exception->ends_s &&
	       (!exception->method ||
		(!asked->is_overridden && span_eq(asked->method, span_from_str(exception->method)))) &&
	       is_path(exception, asked);
}

static bool applies(struct exception_asked *asked, size_t index)
{
	for (size_t i = 0; i < asked->set->n && !asked->is_known; i++) {
		if (is_for_request(&asked->set->of[i], asked))
			asked->applies[i / 64] |= UINT64_C(1) << i % 64;
	}
	asked->is_known = true;
	return asked->applies[index / 64] >> index % 64 & 1;
}

static bool is_name(const struct exception *exception, struct span name)
{
	return target_is_caseless(exception->target) ? span_ieq(exception->name, name)
						     : span_eq(exception->name, name);
}

/* Who splits arguments at ";", too, reads other names behind it. */
bool exception_is_possible(const struct exception_asked *asked, const struct rule_value *value)
{
	if (asked->origin_kind > ORIGIN_UNIX)
		return true;
	if (value->target == TARGET_FORM)
		return !value->is_split;
	return value->target != TARGET_ARG || span_find(value->raw, ';') == value->raw.len;
}

static bool is_value(const struct exception *exception, const struct exception_asked *asked,
		     const struct rule_value *value)
{
	return exception->target == TARGET_UNSET ||
	       (exception->target == value->target && is_name(exception, value->name) &&
		exception_is_possible(asked, value));
}

const struct exception *exception_for_rule(struct exception_asked *asked, uint32_t rule,
					   const struct rule_value *value)
{
	const struct exception_set *set = asked->set;
	for (uint32_t i = set ? set->first[rule] : 0; set && i < set->first[rule + 1]; i++) {
		const struct exception *exception = &set->of[set->listed[i]];
		if (is_value(exception, asked, value) && applies(asked, set->listed[i]))
			return exception;
	}
	return NULL;
}

unsigned exception_findings(struct exception_asked *asked, unsigned found, enum rule_target target,
			    struct span name, const struct exception **by)
{
	const struct exception_set *set = asked->set;
	unsigned excepted = 0;
	for (size_t i = 0; set && set->found & found && i < set->n; i++) {
		const struct exception *exception = &set->of[i];
		if (!(exception->found & found) || exception->target != target || !is_name(exception, name) ||
		    !applies(asked, i))
			continue;
		*by = excepted ? *by : exception;
		excepted |= exception->found;
	}
	return excepted & found;
}

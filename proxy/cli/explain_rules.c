/* Which rules matched: each with the values that it matched in, from the bytes as they were sent over every
 * transformation to the part that matched, the exception that let it pass, or the narrowest one that would. */
#include "cli/explain.h"

#include <stdlib.h>

#include "sallyport/clock.h"
#include "sallyport/rule_trace.h"

enum { MATCHES_MAX = 128, MATCHES_SHOWN = 8 };

/* A match with bytes of its own: those it was told with are gone by the time it is shown. */
struct kept_match {
	uint32_t rule;
	uint16_t condition;
	enum rule_target target;
	const struct exception *by;
	struct span name, value, raw; /* ptr NULL of raw: it is not known */
	bool has_name, is_split;
	char *bytes; /* owned */
};

struct explain_matches {
	struct rule_watch watch;
	struct kept_match of[MATCHES_MAX];
	size_t n;
	bool failed; /* no memory */
};

static struct span put(char **at, struct span s)
{
	struct span kept = span_of(*at, s.len);
	if (s.len > 0)
		memcpy(*at, s.ptr, s.len);
	*at += s.len;
	return kept;
}

static bool is_kept(const struct explain_matches *matches, const struct rule_match *match)
{
	for (size_t i = 0; i < matches->n; i++) {
		const struct kept_match *kept = &matches->of[i];
		if (kept->rule == match->rule && kept->condition == match->condition &&
		    kept->target == match->value->target && span_eq(kept->name, match->value->name) &&
		    span_eq(kept->value, match->value->value))
			return true;
	}
	return false;
}

static void keep(void *context, const struct rule_match *match)
{
	struct explain_matches *matches = context;
	const struct rule_value *value = match->value;
	if (matches->n == MATCHES_MAX || is_kept(matches, match))
		return;
	char *bytes = malloc(value->name.len + value->value.len + value->raw.len + 1), *at = bytes;
	if (!bytes) {
		matches->failed = true;
		return;
	}
	struct kept_match *kept = &matches->of[matches->n++];
	*kept = (struct kept_match){.rule = match->rule, .condition = match->condition, .target = value->target,
				    .by = match->by, .has_name = value->name.ptr, .is_split = value->is_split, .bytes = bytes};
	kept->name = put(&at, value->name);
	kept->value = put(&at, value->value);
	if (value->raw.ptr && value->target != TARGET_CLIENT && value->target != TARGET_PATH)
		kept->raw = put(&at, value->raw);
}

struct explain_matches *explain_watch(struct shield_scratch *scratch)
{
	struct explain_matches *matches = calloc(1, sizeof(*matches));
	if (!matches)
		return NULL;
	matches->watch = (struct rule_watch){keep, matches};
	shield_watch(scratch, &matches->watch);
	return matches;
}

bool explain_watch_end(struct explain_matches *matches)
{
	bool ok = matches && !matches->failed;
	for (size_t i = 0; matches && i < matches->n; i++)
		free(matches->of[i].bytes);
	free(matches);
	return ok;
}

/* ---- one match ---- */

static void say_bytes(struct explain *e, const char *step, const char *what, struct span bytes)
{
	struct strbuf text;
	strbuf_init(&text, 4 * SHOWN_MAX + 1024);
	strbuf_addf(&text, "%s: ", what);
	explain_add_shown(&text, bytes);
	explain_say(e, step, NULL, &text);
	strbuf_release(&text);
}

static void say_found(struct explain *e, const struct rule_condition *condition, const struct rule_trace *trace)
{
	char what[64];
	if (trace->is_found) {
		snprintf(what, sizeof(what), "bytes %zu to %zu", trace->begin, trace->end);
		say_bytes(e, "  matched", what, span_of(trace->seen.ptr + trace->begin, trace->end - trace->begin));
	} else {
		explain_sayf(e, "  matched", NULL, "%s",
			     condition->negated ? "what is looked for is not there" : "as a whole");
	}
}

static void say_value(struct explain *e, const struct rule_condition *condition, const struct kept_match *match)
{
	char what[64];
	struct rule_trace trace;
	if (match->raw.ptr && !span_eq(match->raw, match->value))
		say_bytes(e, "  value", "as sent", match->raw);
	say_bytes(e, "  value", match->raw.ptr && span_eq(match->raw, match->value) ? "as sent" : "decoded", match->value);
	if (!rule_trace_init(&trace, condition, match->value)) {
		e->out.truncated = true;
		return;
	}
	for (size_t i = 0; i < trace.step_count; i++) {
		snprintf(what, sizeof(what), "through %s", rule_transform_word(trace.steps[i].transform));
		say_bytes(e, "  value", what, trace.steps[i].text);
	}
	say_found(e, condition, &trace);
	rule_trace_release(&trace);
}

/* ---- exceptions ---- */

void explain_ask_exceptions(const struct http_head *head, const struct subject *s, struct exception_asked *asked)
{
	const struct shield_request request = {
	    .head = head, .canon = &s->canon, .forward_path = s->forward_path, .wall_us = s->wall_us};
	shield_ask_exceptions(s->site->shield, &request, asked);
}

void explain_exception(struct explain *e, const struct exception *by)
{
	explain_sayf(e, "  excepted", "sites[].shield.exceptions", "%s answers for it: %s; %s %s; %s:%u", by->owner, by->reason,
		     by->ends_s == UINT64_MAX ? "ends" : "until", by->expires, by->place.file ? by->place.file : "-",
		     by->place.line);
}

void explain_suggest(struct explain *e, const struct subject *s, const struct exception_asked *asked,
		     struct exception_place *place)
{
	struct strbuf text;
	if (!asked->is_overridden)
		place->method = asked->method;
	place->path = asked->is_clear ? s->forward_path : (struct span){0};
	place->now_us = s->wall_us;
	strbuf_init(&text, 8 * SHOWN_MAX);
	exception_suggest(place, &text);
	if (text.truncated) {
		strbuf_reset(&text);
		strbuf_add_str(&text, "none: the name is too long to be written");
	}
	explain_say(e, "  except", NULL, &text);
	strbuf_release(&text);
	if (!asked->is_clear)
		explain_sayf(e, "  except", NULL, "at every path: others may read this one as another");
}

static void say_exception(struct explain *e, const struct subject *s, const struct exception_asked *asked,
			  const struct kept_match *match)
{
	const struct rule_value value = {.target = match->target, .name = match->name, .raw = match->raw,
					 .is_split = match->is_split};
	struct exception_place place = {
	    .rule = rule_set_get(e->settings->rule_set, match->rule)->id,
	    .target = match->target,
	    .name = match->has_name ? match->name : (struct span){0},
	};
	if (match->by)
		explain_exception(e, match->by);
	else if (exception_is_possible(asked, &value))
		explain_suggest(e, s, asked, &place);
	else
		explain_sayf(e, "  except", "sites[].shield.origin_kind",
			     "none for this value: it holds a \";\", at which some origins split");
}

/* ---- one rule ---- */

static const char *mode_text(const struct subject *s, const struct rule_spec *rule, uint32_t index)
{
	const uint8_t *modes = s->site->shield_settings.rule_modes;
	int mode = modes ? modes[index] : rule->mode;
	return mode == SHIELD_MONITOR ? "only watched" : rule->score > 0 ? "score" : "refuses";
}

static void say_place(struct explain *e, const struct rule_spec *rule, const struct kept_match *match)
{
	struct strbuf text;
	strbuf_init(&text, 4 * SHOWN_MAX + 1024);
	if (rule->condition_count > 1)
		strbuf_addf(&text, "condition %u of %zu in ", match->condition + 1u, rule->condition_count);
	else
		strbuf_add_str(&text, "in ");
	strbuf_addf(&text, "%s ", rule_target_word(match->target));
	explain_add_shown(&text, match->name);
	explain_say(e, "  where", NULL, &text);
	strbuf_release(&text);
}

/* hit: by whose condition it matched, for whose values exceptions are said; NULL: it matched in
 * excepted values alone. */
static void say_rule(struct explain *e, const struct subject *s, const struct rule_story *story, uint32_t index,
		     const struct rule_hit *hit)
{
	const struct explain_matches *matches = story->matches;
	const struct rule_spec *rule = rule_set_get(e->settings->rule_set, index);
	unsigned shown = 0;
	struct strbuf text;
	strbuf_init(&text, 4096);
	strbuf_addf(&text, "%s (%s, %s", rule->id, rule_severity_word((enum rule_severity)rule->severity),
		    hit ? mode_text(s, rule, index) : "excepted");
	if (hit && rule->score > 0)
		strbuf_addf(&text, " %u", rule->score);
	strbuf_addf(&text, "): %s", rule->message);
	if (rule->where.file)
		strbuf_addf(&text, "; %s:%u", rule->where.file, rule->where.line);
	explain_say(e, "rule", NULL, &text);
	strbuf_release(&text);
	for (size_t i = 0; i < matches->n; i++) {
		const struct kept_match *match = &matches->of[i];
		if (match->rule != index || shown++ >= MATCHES_SHOWN)
			continue;
		say_place(e, rule, match);
		say_value(e, &rule->conditions[match->condition], match);
		if (match->by || (hit && hit->condition == match->condition))
			say_exception(e, s, &story->asked, match);
	}
	if (shown > MATCHES_SHOWN)
		explain_sayf(e, "  where", NULL, "… and %u others", shown - MATCHES_SHOWN);
}

void explain_rules(struct explain *e, const struct subject *s, struct rule_story *story,
		   const struct rule_tally *tally)
{
	for (; story->hits < tally->hit_count; story->hits++)
		say_rule(e, s, story, tally->hits[story->hits].rule, &tally->hits[story->hits]);
	for (; story->waivers < tally->waiver_count; story->waivers++) {
		if (!rule_tally_has(tally, tally->waivers[story->waivers].rule))
			say_rule(e, s, story, tally->waivers[story->waivers].rule, NULL);
	}
}

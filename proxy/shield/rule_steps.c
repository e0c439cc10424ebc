/* Rules over a request's head: which values there are for them, and what a match leads to.
 *
 * First the line (method, target, path, query), then the values in it and in the fields: a
 * worm is known by its path, and its name says more than the odd bytes of its payload, which the
 * findings between the two steps are about. */
#include "shield/arguments.h"
#include "shield/judging.h"

#include "sallyport/verdict_answer.h"

static const struct rule_set *rules_of(const struct judging *judging)
{
	return judging->always_allowed ? NULL : judging->shield->settings.rules;
}

/* Content is judged when the head is no longer at hand. */
static struct span target_of(const struct judging *judging)
{
	return judging->request ? http_target(judging->request->head) : (struct span){0};
}

static void begin(const struct judging *judging, struct rule_scan *scan)
{
	rule_scan_begin(scan, judging->shield->settings.rules, judging->scratch->rules,
			judging->tally, judging->shield->settings.rule_modes);
	scan->asked = &judging->scratch->asked;
	scan->watch = judging->scratch->watch;
}

/* ---- what matched ---- */

static int mode_at(const struct shield *shield, uint32_t rule)
{
	const struct shield_settings *settings = &shield->settings;
	int mode = settings->rule_modes ? settings->rule_modes[rule]
					: rule_set_get(settings->rules, rule)->mode;
	return mode ? mode : SHIELD_ENFORCE;
}

static bool refuse_by_hit(struct judging *judging, const struct rule_hit *hit)
{
	const struct rule_spec *rule = rule_set_get(judging->shield->settings.rules, hit->rule);
	refuse(judging, REASON_RULE, hit->evidence);
	judging->verdict->rule = rule->id;
	judging->verdict->name = hit->name;
	answer_give(&rule->answer, judging->verdict);
	return true;
}

/* The first in the policy's order that refuses by itself, or that is only watched. */
static const struct rule_hit *first_hit(const struct judging *judging, int mode)
{
	const struct rule_tally *tally = judging->tally;
	const struct rule_hit *first = NULL;
	for (uint32_t i = 0; i < tally->hit_count; i++) {
		const struct rule_hit *hit = &tally->hits[i];
		bool counts = mode == SHIELD_MONITOR ||
			      rule_set_get(judging->shield->settings.rules, hit->rule)->score == 0;
		if (mode_at(judging->shield, hit->rule) == mode && counts && (!first || hit->rule < first->rule))
			first = hit;
	}
	return first;
}

bool judge_hits(struct judging *judging)
{
	const struct rule_hit *hit = first_hit(judging, SHIELD_ENFORCE);
	if (judging->tally->broken) { /* unjudged is not allowed */
		refuse(judging, REASON_RULE, target_of(judging));
		judging->verdict->rule = SHIELD_RULE_BROKEN;
		return true;
	}
	return hit && refuse_by_hit(judging, hit);
}

/* ---- the line ---- */

static void add_line(struct rule_scan *scan, enum rule_target target, struct span value, struct span raw)
{
	const struct rule_value line = {.target = target, .value = value, .raw = raw};
	if (value.ptr)
		rule_scan_add(scan, &line);
}

bool judge_rules(struct judging *judging)
{
	const struct rule_set *rules = rules_of(judging);
	const struct shield_request *request = judging->request;
	struct span target = http_target(request->head), query = request->target->query;
	struct rule_scan scan;
	if (!rules)
		return false;
	begin(judging, &scan);
	add_line(&scan, TARGET_METHOD, http_method(request->head), http_method(request->head));
	add_line(&scan, TARGET_URL, target, target);
	add_line(&scan, TARGET_PATH, request->canon->decoded, request->canon->decoded);
	add_line(&scan, TARGET_CLIENT, request->client, SPAN("")); /* it does not outlive the verdict */
	if (query.ptr && rule_set_wants(rules, TARGET_QUERY))
		add_line(&scan, TARGET_QUERY, url_decode_query(query, request->buf), query);
	rule_scan_run(&scan);
	return judge_hits(judging);
}

/* ---- values ---- */

/* Decodes into *room, which it shortens, where there is something to decode. */
static struct span decode(struct span raw, char **room)
{
	struct span decoded = url_decode_query(raw, *room);
	if (decoded.ptr == *room)
		*room += decoded.len;
	return decoded;
}

static void add_pair(struct rule_scan *scan, enum rule_target name_target, enum rule_target target,
		     const struct rule_value *pair)
{
	struct rule_value name = {.target = name_target,
				  .name = pair->name,
				  .value = pair->name,
				  .raw_name = pair->raw_name,
				  .raw = pair->raw_name};
	struct rule_value value = *pair;
	value.target = target;
	rule_scan_add(scan, &name);
	rule_scan_add(scan, &value);
}

/* Split at "&" alone, as most origins do; a value that others end at ";" is a part of one here.
 * What all arguments decode to is never longer than the query, for which buf has room. */
static void add_arguments(const struct judging *judging, struct rule_scan *scan)
{
	char *room = judging->request->buf;
	struct arguments arguments = {
	    .kind = ORIGIN_PHP,
	    .rest = judging->request->target->query,
	};
	while (next_argument(&arguments)) {
		const struct rule_value pair = {
		    .name = decode(arguments.name, &room),
		    .value = decode(arguments.value, &room),
		    .raw_name = arguments.name,
		    .raw = arguments.value,
		};
		add_pair(scan, TARGET_ARG_NAME, TARGET_ARG, &pair);
	}
}

/* Many frameworks encode cookies; "+" is one only where there is an escape. */
static struct span decode_cookie(struct span raw, char **room)
{
	return span_find(raw, '%') < raw.len ? decode(raw, room) : raw;
}

static void add_cookie(const struct shield_text *text, struct rule_scan *scan, char **room)
{
	size_t equals = span_find(text->text, '=');
	struct span value = span_trim_ows(span_from(text->text, equals + 1));
	const struct rule_value pair = {
	    .name = text->name,
	    .value = decode_cookie(value, room),
	    .raw_name = text->name,
	    .raw = value,
	};
	add_pair(scan, TARGET_COOKIE_NAME, TARGET_COOKIE, &pair);
}

static void add_fields(const struct judging *judging, struct rule_scan *scan)
{
	struct shield_texts texts = {.head = judging->request->head};
	struct shield_text text;
	char *room = judging->scratch->text;
	while (shield_next_text(&texts, &text)) {
		if (text.place == PLACE_COOKIE) {
			add_cookie(&text, scan, &room);
			continue;
		}
		const struct rule_value pair = {
		    .name = text.name, .value = text.text, .raw_name = text.name, .raw = text.text};
		add_pair(scan, TARGET_FIELD_NAME, TARGET_FIELD, &pair);
	}
}

bool judge_values(struct judging *judging)
{
	struct rule_scan scan;
	if (!rules_of(judging))
		return false;
	begin(judging, &scan);
	add_arguments(judging, &scan);
	add_fields(judging, &scan);
	rule_scan_run(&scan);
	return judge_hits(judging);
}

/* ---- the score ---- */

static uint32_t score_of(const struct shield *shield, const struct rule_hit *hit)
{
	return mode_at(shield, hit->rule) == SHIELD_ENFORCE
		   ? rule_set_get(shield->settings.rules, hit->rule)->score
		   : 0;
}

uint32_t tally_score(const struct shield *shield, const struct rule_tally *tally)
{
	uint32_t score = 0;
	for (uint32_t i = 0; i < tally->hit_count; i++)
		score += score_of(shield, &tally->hits[i]);
	return score;
}

/* NULL: none weighs anything. */
static const struct rule_hit *heaviest_hit(const struct judging *judging)
{
	const struct rule_hit *heaviest = NULL;
	uint32_t most = 0;
	for (uint32_t i = 0; i < judging->tally->hit_count; i++) {
		uint32_t score = score_of(judging->shield, &judging->tally->hits[i]);
		if (score > most)
			heaviest = &judging->tally->hits[i];
		most = score > most ? score : most;
	}
	return heaviest;
}

bool judge_score(struct judging *judging)
{
	if (judging->name_control & judging->shield->found[PLACE_QUERY].scored)
		judging->verdict->score += findings_weight(URL_NAME_CONTROL);
	const struct rule_hit *hit = heaviest_hit(judging);
	judging->verdict->score += tally_score(judging->shield, judging->tally);
	if (!refuse_over(judging, LIMIT_score, judging->verdict->score,
			 hit ? hit->evidence : target_of(judging)))
		return false;
	if (hit) {
		judging->verdict->rule = rule_set_get(judging->shield->settings.rules, hit->rule)->id;
		judging->verdict->name = hit->name;
	}
	return true;
}

/* ---- what was excepted ---- */

/* The first that refuses by itself, else the first whose score would be too much with that of the others. */
static const struct rule_waiver *deciding_waiver(const struct judging *judging)
{
	const struct shield *shield = judging->shield;
	const struct rule_tally *tally = judging->tally;
	const struct rule_waiver *scored = NULL;
	uint64_t score = judging->verdict->score;
	for (uint32_t i = 0; i < tally->waiver_count; i++) {
		const struct rule_waiver *waiver = &tally->waivers[i];
		const uint32_t weight = rule_set_get(shield->settings.rules, waiver->rule)->score;
		if (mode_at(shield, waiver->rule) != SHIELD_ENFORCE || rule_tally_has(tally, waiver->rule))
			continue;
		if (weight == 0)
			return waiver;
		scored = scored ? scored : waiver;
		score += weight;
	}
	const uint64_t most = shield->settings.limits.score;
	return most > 0 && score > most ? scored : NULL;
}

bool judge_excepted(struct judging *judging)
{
	const struct rule_waiver *waiver = judging->tally->waiver_count > 0 ? deciding_waiver(judging) : NULL;
	judging->verdict->excepted = waiver ? waiver->by : judging->excepted;
	if (waiver)
		judging->verdict->excepted_rule = rule_set_get(judging->shield->settings.rules, waiver->rule)->id;
	return false;
}

/* A rule that is only watched is told of where nothing else refuses. */
bool judge_watched(struct judging *judging)
{
	const struct rule_hit *hit = first_hit(judging, SHIELD_MONITOR);
	if (!hit)
		return false;
	refuse_by_hit(judging, hit);
	judging->verdict->enforced = false;
	return true;
}

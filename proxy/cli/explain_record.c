/* How explain says what was kept of one request: the request with its secrets masked, each rule that matched, the bytes
 * and what they were seen through, the verdict, and the exceptions that would have let it pass.
 *
 * Rules are those of the policy in hand: what a rule looks like now is asked by its id. */
#include "cli/explain_stored.h"

#include <stdio.h>

#include "sallyport/clock.h"
#include "sallyport/exception.h"

/* ---- the request ---- */

static void say_piece(struct explain *e, const char *step, const struct evidence_piece *piece)
{
	struct strbuf text;
	strbuf_init(&text, 8 * STORED_TEXT_MAX);
	if (piece->name.len > 0) {
		explain_add_shown(&text, piece->name);
		strbuf_add_str(&text, ": ");
	}
	explain_add_shown(&text, piece->text);
	explain_say(e, step, NULL, &text);
	strbuf_release(&text);
}

bool has_address(const struct kept *kept)
{
	sa_family_t family = kept->head.client.u.sa.sa_family;
	return family == AF_INET || family == AF_INET6;
}

static void say_when(struct explain *e, const struct kept *kept)
{
	char when[CLOCK_ISO_SIZE], client[ADDR_TEXT_SIZE] = "-";
	clock_format_iso(kept->head.wall_us, when);
	if (has_address(kept))
		addr_format_ip(&kept->head.client, client);
	explain_sayf(e, "when", NULL, "%s, from %s%s", when, client, kept->head.is_tls ? ", by TLS" : "");
}

static void say_request(struct explain *e, const struct kept *kept)
{
	struct evidence_reader reader = kept->reader;
	struct evidence_piece piece;
	struct span method = evidence_find(reader, EVIDENCE_METHOD).text;
	struct span target = evidence_find(reader, EVIDENCE_TARGET).text;
	struct strbuf line;
	strbuf_init(&line, 8 * STORED_TEXT_MAX);
	explain_add_shown(&line, method);
	strbuf_add_char(&line, ' ');
	explain_add_shown(&line, target);
	if (kept->head.version != HTTP_VERSION_UNSET)
		strbuf_addf(&line, " HTTP/1.%d", kept->head.version == HTTP_1_0 ? 0 : 1);
	if (target.len == 0) {
		strbuf_reset(&line);
		strbuf_add_str(&line, "no request line that was understood");
	}
	explain_say(e, "request", NULL, &line);
	strbuf_release(&line);
	say_when(e, kept);
	while (evidence_next(&reader, &piece))
		if (piece.kind == EVIDENCE_FIELD)
			say_piece(e, "field", &piece);
	piece = evidence_find(kept->reader, EVIDENCE_SITE);
	if (piece.text.len > 0)
		say_piece(e, "site", &piece);
}

/* ---- the rules ---- */

static const struct rule_spec *rule_of(const struct explain *e, struct span id)
{
	const struct rule_set *set = e->settings->rule_set;
	for (size_t i = 0; set && i < rule_set_count(set); i++)
		if (span_eq(span_from_str(rule_set_get(set, i)->id), id))
			return rule_set_get(set, i);
	return NULL;
}

static const char *target_word(uint8_t target)
{
	return target > TARGET_UNSET && target < TARGET_COUNT ? rule_target_word((enum rule_target)target) : "-";
}

static void say_seen(struct explain *e, const char *through, struct span value)
{
	struct strbuf text;
	strbuf_init(&text, 8 * STORED_TEXT_MAX);
	strbuf_addf(&text, "%s: ", through);
	explain_add_shown(&text, value);
	explain_say(e, "seen", NULL, &text);
	strbuf_release(&text);
}

/* As the rules get it. */
static struct span decoded(const struct evidence_piece *hit, char *room)
{
	bool is_query = hit->target == TARGET_QUERY || hit->target == TARGET_ARG || hit->target == TARGET_ARG_NAME;
	bool is_cookie = hit->target == TARGET_COOKIE && span_find(hit->text, '%') < hit->text.len;
	return is_query || is_cookie ? url_decode_query(hit->text, room) : hit->text;
}

/* Each step that changed the value, as far as its bytes are there. */
static void say_steps(struct explain *e, const struct evidence_piece *hit, const uint8_t *chain)
{
	char rooms[2][STORED_TEXT_MAX];
	struct span value = decoded(hit, rooms[0]);
	unsigned next = 1;
	if (value.ptr != hit->text.ptr)
		say_seen(e, "decoded", value);
	for (size_t i = 0; i < RULE_CHAIN_MAX && chain[i]; i++) {
		struct span out = rule_transform_apply((enum rule_transform)chain[i], value, rooms[next]);
		if (out.ptr == value.ptr && out.len == value.len)
			continue;
		say_seen(e, rule_transform_word((enum rule_transform)chain[i]), out);
		value = out;
		next = 1 - next;
	}
}

static void add_chain(struct strbuf *text, const uint8_t *chain)
{
	for (size_t i = 0; i < RULE_CHAIN_MAX && chain[i]; i++)
		strbuf_addf(text, "%s %s", i == 0 ? "; seen through" : ",", rule_transform_word((enum rule_transform)chain[i]));
}

static void add_weight(struct strbuf *text, const struct rule_spec *rule)
{
	strbuf_addf(text, " (%s, ", rule_severity_word((enum rule_severity)rule->severity));
	if (rule->mode == SHIELD_MONITOR)
		strbuf_add_str(text, "only watched)");
	else if (rule->score > 0)
		strbuf_addf(text, "score %u)", rule->score);
	else
		strbuf_add_str(text, "refuses)");
}

static void add_place(struct strbuf *text, const struct evidence_piece *hit)
{
	strbuf_addf(text, " in %s ", target_word(hit->target));
	explain_add_shown(text, hit->name);
}

static void add_bytes(struct strbuf *text, const struct evidence_piece *hit)
{
	strbuf_add_str(text, hit->flags & EVIDENCE_CONTENT ? "; an excerpt, up to the match: " : "; evidence ");
	explain_add_shown(text, hit->text);
	strbuf_addf(text, " (%u bytes)", hit->bytes);
}

static void say_hit(struct explain *e, const struct evidence_piece *hit)
{
	const struct rule_spec *rule = rule_of(e, hit->id);
	const uint8_t *chain = rule && hit->condition < rule->condition_count ? rule->conditions[hit->condition].chain : NULL;
	struct strbuf text;
	strbuf_init(&text, 8 * STORED_TEXT_MAX);
	explain_add_shown(&text, hit->id);
	if (rule)
		add_weight(&text, rule);
	add_place(&text, hit);
	strbuf_addf(&text, ": %s", rule ? rule->message : "the policy has no such rule any more");
	add_bytes(&text, hit);
	if (chain)
		add_chain(&text, chain);
	if (rule && rule->where.file)
		strbuf_addf(&text, "; %s:%u", rule->where.file, rule->where.line);
	explain_say(e, "rule", NULL, &text);
	strbuf_release(&text);
	if (chain && !(hit->flags & (EVIDENCE_MASKED | EVIDENCE_CUT | EVIDENCE_CONTENT)))
		say_steps(e, hit, chain);
}

/* ---- the verdict ---- */

/* Its texts are the record's; `rule` needs a string. */
static struct verdict verdict_of(const struct kept *kept, char rule[], size_t room)
{
	const struct evidence_head *head = &kept->head;
	struct span id = evidence_find(kept->reader, EVIDENCE_RULE).text;
	struct verdict verdict = {
	    .action = head->action == VERDICT_UNSET || head->action > VERDICT_COPY ? VERDICT_REJECT
										   : (enum verdict_action)head->action,
	    .reason = (enum reason)head->reason,
	    .status = head->status,
	    .enforced = head->enforced != 0,
	    .limit = head->limit,
	    .value = head->value,
	    .score = head->score,
	};
	snprintf(rule, room, "%.*s", (int)id.len, id.len > 0 ? id.ptr : "");
	ascii_replace_controls(rule, strlen(rule));
	verdict.rule = rule[0] ? rule : NULL;
	verdict.name = evidence_find(kept->reader, EVIDENCE_PLACE).text;
	verdict.evidence = evidence_find(kept->reader, EVIDENCE_SEEN).text;
	if (verdict.name.len == 0)
		verdict.name.ptr = NULL;
	if (verdict.evidence.len == 0)
		verdict.evidence.ptr = NULL;
	return verdict;
}

/* An answer that is no refusal (an origin that failed) would read as if it had been allowed. */
static void say_answer(struct explain *e, const struct kept *kept, struct verdict *verdict, explain_verdict *say)
{
	struct span setting = evidence_find(kept->reader, EVIDENCE_SETTING).text;
	char text[128];
	snprintf(text, sizeof(text), "%.*s", (int)setting.len, setting.len > 0 ? setting.ptr : "");
	ascii_replace_controls(text, strlen(text));
	verdict->setting = text[0] ? text : NULL;
	if (verdict->action == VERDICT_ALLOW && verdict->status > 0)
		explain_sayf(e, "answer", verdict->setting, "%u, reason %s: %s", verdict->status, reason_name(verdict->reason),
			     reason_text(verdict->reason));
	else
		say(e, verdict);
	verdict->setting = NULL;
}

/* ---- exceptions ---- */

/* A name as the rules see it. */
static struct span seen_name(const struct evidence_piece *hit, char *room)
{
	bool is_query = hit->target == TARGET_ARG || hit->target == TARGET_ARG_NAME;
	return is_query ? url_decode_query(hit->name, room) : hit->name;
}

static void say_exception(struct explain *e, const struct kept *kept, const struct evidence_piece *hit, struct span path)
{
	char id[128], room[STORED_TEXT_MAX];
	struct strbuf text;
	snprintf(id, sizeof(id), "%.*s", (int)hit->id.len, hit->id.ptr);
	const struct exception_place place = {
	    .rule = id,
	    .path = path,
	    .method = evidence_find(kept->reader, EVIDENCE_METHOD).text,
	    .target = hit->target < TARGET_COUNT ? (enum rule_target)hit->target : TARGET_UNSET,
	    .name = seen_name(hit, room),
	    .now_us = clock_wall_us(),
	};
	strbuf_init(&text, 8 * STORED_TEXT_MAX);
	exception_suggest(&place, &text);
	explain_say(e, "exception", "sites[].shield.exceptions", &text);
	strbuf_release(&text);
}

/* The canonical path; ptr NULL where it was not kept whole, or has a secret in it. target: unmasked. */
static struct span path_of(struct span target, const struct evidence_piece *piece, char *room)
{
	struct url_target split;
	struct url_canon canon;
	enum reason reason = REASON_UNSET;
	struct span shown = span_of(piece->text.ptr, span_find(piece->text, '?'));
	if (piece->flags & EVIDENCE_CUT || target.len > STORED_TEXT_MAX || !span_starts(target, shown) ||
	    !url_split(target, &split, &reason) || !split.path.ptr)
		return (struct span){0};
	url_canon_path(split.path, room, &canon);
	return canon.path;
}

static const struct site *site_of(const struct explain *e, struct span name)
{
	const struct site *sites = e->settings->sites.items;
	for (size_t i = 0; i < e->settings->sites.n; i++)
		if (span_eq(span_from_str(sites[i].name), name))
			return &sites[i];
	return NULL;
}

/* Would the scores alone refuse it? */
static bool score_matters(const struct explain *e, const struct kept *kept)
{
	const struct site *site = site_of(e, evidence_find(kept->reader, EVIDENCE_SITE).text);
	struct evidence_reader reader = kept->reader;
	struct evidence_piece hit;
	uint64_t score = 0;
	while (evidence_next(&reader, &hit)) {
		const struct rule_spec *rule = hit.kind == EVIDENCE_HIT ? rule_of(e, hit.id) : NULL;
		score += rule ? rule->score : 0;
	}
	return kept->head.reason == REASON_SCORE ||
	       (site && site->shield_settings.limits.score > 0 && score > site->shield_settings.limits.score);
}

/* Is it one of those for which the request did not pass? */
static bool stands_in_the_way(const struct rule_spec *rule, const struct kept *kept, bool score_counts)
{
	if (rule->mode == SHIELD_MONITOR)
		return !kept->head.enforced;
	return rule->score == 0 || score_counts;
}

/* One for each rule that had to be away for the request to pass. */
static void say_exceptions(struct explain *e, const struct kept *kept)
{
	struct evidence_reader reader = kept->reader;
	struct evidence_piece target = evidence_find(kept->reader, EVIDENCE_TARGET), hit;
	bool score_counts = score_matters(e, kept);
	char room[URL_CANON_ROOM(STORED_TEXT_MAX)];
	struct strbuf unmasked;
	strbuf_init(&unmasked, HTTP_HEAD_MAX);
	kept_unmask(&unmasked, &target);
	struct span path = path_of(strbuf_span(&unmasked), &target, room);
	while (evidence_next(&reader, &hit)) {
		const struct rule_spec *rule = hit.kind == EVIDENCE_HIT ? rule_of(e, hit.id) : NULL;
		if (rule && path.ptr && !(hit.flags & EVIDENCE_NAME_CUT) && stands_in_the_way(rule, kept, score_counts))
			say_exception(e, kept, &hit, path);
	}
	strbuf_release(&unmasked);
}

void explain_record(struct explain *e, const struct kept *kept, explain_verdict *say, explain_judge *judge,
		    struct verdict *verdict)
{
	static char rule[128]; /* outlives the answer */
	struct evidence_reader reader = kept->reader;
	struct evidence_piece piece;
	*verdict = verdict_of(kept, rule, sizeof(rule));
	say_request(e, kept);
	while (evidence_next(&reader, &piece))
		if (piece.kind == EVIDENCE_HIT)
			say_hit(e, &piece);
	if (kept->head.left_out > 0)
		explain_sayf(e, "kept", NULL, "%u more fields or rules found no room in the record", kept->head.left_out);
	say_answer(e, kept, verdict, say);
	if (kept->head.skipped > 0)
		explain_sayf(e, "kept", "evidence.per_second", "%u alike ones before it were only counted", kept->head.skipped);
	explain_again(e, kept, verdict, judge);
	say_exceptions(e, kept);
}

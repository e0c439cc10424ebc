/* Rules over content: what its values are to them, and the verdict on the whole request as they come. What files
 * hold, and content that has no syntax, says anything by chance: only rules that name these look there.
 *
 * Cost is linear in bytes: a value is added once, and of its name, which in JSON and XML is a path that may be far
 * longer than the value, what was not told by the value before, and at most NAME_BEFORE + NAME_MAX bytes more. */
#include "shield/judging.h"

enum {
	NAME_BEFORE = 64, /* what of a path was told before is seen again, so that "class.module" is found */
	NAME_MAX = 512,   /* what a value's own name is compared with, from its end */
};

static const struct {
	enum rule_target name, value;
} targets[BODY_PLACES] = {
    [BODY_ARGUMENT] = {TARGET_FORM_NAME, TARGET_FORM},
    [BODY_FILE_NAME] = {TARGET_UNSET, TARGET_FILE_NAME},
    [BODY_FILE_TYPE] = {TARGET_UNSET, TARGET_FILE_TYPE},
    [BODY_FILE_CONTENT] = {TARGET_UNSET, TARGET_FILE},
    [BODY_JSON_VALUE] = {TARGET_JSON_NAME, TARGET_JSON},
    [BODY_XML_TEXT] = {TARGET_XML_NAME, TARGET_XML},
    [BODY_XML_ATTRIBUTE] = {TARGET_XML_NAME, TARGET_XML},
    [BODY_RAW_PIECE] = {TARGET_UNSET, TARGET_CONTENT},
};

static struct span end_of(struct span name)
{
	return name.len > NAME_MAX ? span_from(name, name.len - NAME_MAX) : name;
}

/* From the step of the path in which the bytes before its new end begin. */
static struct span news_of(const struct body_value *value)
{
	struct span name = value->name;
	size_t from = value->told > NAME_BEFORE ? value->told - NAME_BEFORE : 0;
	while (from > 0 && from < value->told && name.ptr[from - 1] != '.' && name.ptr[from - 1] != '/')
		from++;
	return span_from(name, from);
}

static bool is_piece(enum body_place place)
{
	return place == BODY_FILE_CONTENT || place == BODY_RAW_PIECE;
}

static void look_into_window(struct shield_content *content, struct rule_scan *scan, const struct body_value *value)
{
	const struct rule_value text = {.target = targets[value->place].value,
					.name = end_of(value->name),
					.value = span_of(content->window, content->window_len)};
	size_t keep = content->window_len < SHIELD_WINDOW_OVERLAP ? content->window_len : SHIELD_WINDOW_OVERLAP;
	rule_scan_add(scan, &text);
	memmove(content->window, content->window + content->window_len - keep, keep);
	content->window_len = content->window_seen = keep;
}

static void add_piece(struct shield_content *content, struct rule_scan *scan, const struct body_value *value)
{
	struct span rest = value->value;
	while (rest.len > 0) {
		size_t room = SHIELD_WINDOW - content->window_len, n = rest.len < room ? rest.len : room;
		memcpy(content->window + content->window_len, rest.ptr, n);
		content->window_len += n;
		rest = span_from(rest, n);
		if (n == room)
			look_into_window(content, scan, value);
	}
	if (value->more)
		return;
	if (content->window_len > content->window_seen)
		look_into_window(content, scan, value);
	content->window_len = content->window_seen = 0;
}

/* A form has the same name again and again where a list is chosen from. The whole name counts: what is new of a path
 * may be new of another one, too, for which an exception is not. */
static bool is_told(struct shield_content *content, struct span name)
{
	struct span last = span_of(content->last_name, content->last_name_len);
	if (span_eq(last, name))
		return true;
	content->last_name_len = name.len <= sizeof(content->last_name) ? (uint8_t)name.len : 0;
	memcpy(content->last_name, name.ptr, content->last_name_len);
	return false;
}

static void add_name(struct shield_content *content, struct rule_scan *scan, const struct body_value *value)
{
	if (is_told(content, value->name))
		return;
	const struct rule_value name = {
	    .target = targets[value->place].name, .name = end_of(value->name), .value = news_of(value)};
	if (name.value.len > 0)
		rule_scan_add(scan, &name);
}

static void add_value(struct shield_content *content, struct rule_scan *scan, const struct body_value *value)
{
	if (targets[value->place].name != TARGET_UNSET)
		add_name(content, scan, value);
	const struct rule_value text = {.target = targets[value->place].value,
					.name = end_of(value->name),
					.value = value->value,
					.is_split = value->is_split};
	rule_scan_add(scan, &text);
}

/* Nothing that comes later makes it pass. */
static bool is_refused(struct shield_content *content)
{
	if (content->mode != SHIELD_ENFORCE || (content->tally.hit_count == 0 && !content->tally.broken))
		return false;
	struct verdict verdict = {0};
	struct judging judging = {
	    .shield = content->shield, .tally = &content->tally, .verdict = &verdict, .mode = content->mode};
	return judge_hits(&judging);
}

bool shield_content_add(struct shield_content *content, struct rule_scan *scan, const struct body_value *value)
{
	if (!is_piece(value->place))
		add_value(content, scan, value);
	else if (content->window)
		add_piece(content, scan, value);
	return !is_refused(content);
}

void shield_content_begin(struct shield_content *content, const struct shield *shield,
			  const struct shield_scratch *scratch, enum shield_mode mode, uint32_t score)
{
	uint32_t of_rules = tally_score(shield, &scratch->tally);
	content->shield = shield;
	content->mode = mode;
	content->asks = shield->settings.rules && !scratch->skips_rules;
	content->score = score - (of_rules < score ? of_rules : score);
	content->findings = 0;
	content->asked = scratch->asked;
	content->last_name_len = 0;
	content->window = NULL;
	content->window_len = content->window_seen = 0;
	rule_tally_carry(&content->tally, &scratch->tally);
}

bool shield_content_needs_window(const struct shield_content *content, enum body_kind kind)
{
	const struct rule_set *rules = content->shield->settings.rules;
	return content->asks && ((kind == BODY_RAW && rule_set_wants(rules, TARGET_CONTENT)) ||
				 (kind == BODY_MULTIPART && rule_set_wants(rules, TARGET_FILE)));
}

void shield_content_scan(struct shield_content *content, struct shield_scratch *scratch,
			 struct rule_scan *scan)
{
	const struct shield_settings *settings = &content->shield->settings;
	rule_scan_begin(scan, settings->rules, scratch->rules, &content->tally, settings->rule_modes);
	scan->asked = &content->asked;
	scan->watch = scratch->watch;
}

bool shield_content_judge(struct shield_content *content, struct verdict *verdict)
{
	struct judging judging = {.shield = content->shield,
				  .tally = &content->tally,
				  .verdict = verdict,
				  .mode = content->mode};
	*verdict = (struct verdict){.action = VERDICT_ALLOW,
				    .enforced = true,
				    .score = content->score + findings_weight(content->findings)};
	return judge_hits(&judging) || judge_score(&judging) || judge_excepted(&judging) ||
	       judge_watched(&judging);
}

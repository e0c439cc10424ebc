/* Rules over content: what its values are to them, and the verdict on the whole request as they come. Files
 * and content that is no text are not looked into: their bytes say anything by chance. */
#include "shield/judging.h"

static const struct {
	enum rule_target name, value;
} targets[BODY_PLACES] = {
    [BODY_ARGUMENT] = {TARGET_FORM_NAME, TARGET_FORM},
    [BODY_FILE_NAME] = {TARGET_UNSET, TARGET_FILE_NAME},
    [BODY_JSON_VALUE] = {TARGET_JSON_NAME, TARGET_JSON},
    [BODY_XML_TEXT] = {TARGET_XML_NAME, TARGET_XML},
    [BODY_XML_ATTRIBUTE] = {TARGET_XML_NAME, TARGET_XML},
};

void shield_content_add(struct rule_scan *scan, const struct body_value *value)
{
	struct rule_value name = {
	    .target = targets[value->place].name, .name = value->name, .value = value->name};
	struct rule_value text = {
	    .target = targets[value->place].value, .name = value->name, .value = value->value};
	if (name.target != TARGET_UNSET && value->name.len > 0)
		rule_scan_add(scan, &name);
	if (text.target != TARGET_UNSET)
		rule_scan_add(scan, &text);
}

bool shield_content_begin(struct shield_content *content, const struct shield *shield,
			  const struct shield_scratch *scratch, enum shield_mode mode, uint32_t score)
{
	uint32_t of_rules = tally_score(shield, &scratch->tally);
	if (!shield->settings.rules || scratch->skips_rules)
		return false;
	content->shield = shield;
	content->mode = mode;
	content->score = score - (of_rules < score ? of_rules : score);
	content->tally = scratch->tally;
	return true;
}

void shield_content_scan(struct shield_content *content, struct shield_scratch *scratch,
			 struct rule_scan *scan)
{
	const struct shield_settings *settings = &content->shield->settings;
	rule_scan_begin(scan, settings->rules, scratch->rules, &content->tally, settings->rule_modes);
}

bool shield_content_judge(struct shield_content *content, struct verdict *verdict)
{
	struct judging judging = {.shield = content->shield,
				  .tally = &content->tally,
				  .verdict = verdict,
				  .mode = content->mode};
	*verdict = (struct verdict){
	    .action = VERDICT_ALLOW, .enforced = true, .score = content->score};
	return judge_hits(&judging) || judge_score(&judging) || judge_watched(&judging);
}

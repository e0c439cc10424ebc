/* A rule as libconfig text: one way to write each, so that two rules are equal where their texts are, and what is
 * printed can be pasted into a policy. Words for several targets ("values") come out as what they stand for. */
#include <inttypes.h>

#include "sallyport/shield.h"

static void write_string(struct strbuf *out, const char *text)
{
	strbuf_add_char(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			strbuf_add_char(out, '\\');
		strbuf_add_char(out, *text);
	}
	strbuf_add_char(out, '"');
}

static void write_setting(struct strbuf *out, const char *indent, const char *name, const char *text)
{
	if (!text)
		return;
	strbuf_addf(out, "%s%s = ", indent, name);
	write_string(out, text);
	strbuf_add_str(out, ";\n");
}

static void write_list(struct strbuf *out, const char *indent, const char *name, const char *const *texts)
{
	if (!texts || !texts[0])
		return;
	strbuf_addf(out, "%s%s = ( ", indent, name);
	for (size_t i = 0; texts[i]; i++) {
		strbuf_add_str(out, i > 0 ? ", " : "");
		write_string(out, texts[i]);
	}
	strbuf_add_str(out, " );\n");
}

static void write_places(struct strbuf *out, const char *indent, const struct rule_condition *condition)
{
	strbuf_addf(out, "%swhere = ( ", indent);
	for (size_t i = 0; i < condition->selector_count; i++) {
		const struct rule_selector *selector = &condition->selectors[i];
		struct strbuf place;
		strbuf_init(&place, 1024);
		strbuf_addf(&place, "%s%s%s%s", selector->excludes ? "!" : "", rule_target_word(selector->target),
			    selector->name ? ":" : "", selector->name ? selector->name : "");
		strbuf_add_str(out, i > 0 ? ", " : "");
		write_string(out, place.data ? place.data : "");
		strbuf_release(&place);
	}
	strbuf_add_str(out, " );\n");
}

static bool has_byte(const uint8_t set[32], unsigned byte)
{
	return byte < 256 && (set[byte / 8] >> byte % 8 & 1);
}

/* "9,10,32-126" */
static void write_bytes(struct strbuf *out, const char *indent, const uint8_t set[32])
{
	bool first = true;
	strbuf_addf(out, "%soutside = \"", indent);
	for (unsigned from = 0, to; from < 256; from = to + 1) {
		to = from;
		if (!has_byte(set, from))
			continue;
		while (has_byte(set, to + 1))
			to++;
		strbuf_addf(out, "%s%u", first ? "" : ",", from);
		if (to > from)
			strbuf_addf(out, "-%u", to);
		first = false;
	}
	strbuf_add_str(out, "\";\n");
}

static void write_operator(struct strbuf *out, const char *indent, const struct rule_condition *condition)
{
	static const char *const words[] = {
	    [OPERATOR_CONTAINS] = "contains", [OPERATOR_WORD] = "words",     [OPERATOR_PREFIX] = "prefix",
	    [OPERATOR_SUFFIX] = "suffix",     [OPERATOR_EQUALS] = "equals",
	};
	switch (condition->op) {
	case OPERATOR_PATTERN: write_setting(out, indent, "pattern", condition->texts[0]); break;
	case OPERATOR_LONGER: strbuf_addf(out, "%slonger_than = %" PRIu64 ";\n", indent, condition->number); break;
	case OPERATOR_BYTES: write_bytes(out, indent, condition->bytes); break;
	case OPERATOR_NETWORK: write_list(out, indent, "networks", condition->network_texts); break;
	default: write_list(out, indent, words[condition->op], condition->texts); break;
	}
}

static void write_condition(struct strbuf *out, const char *indent, const struct rule_condition *condition)
{
	const char *chain[RULE_CHAIN_MAX + 1] = {NULL};
	for (size_t i = 0; i < RULE_CHAIN_MAX && condition->chain[i]; i++)
		chain[i] = rule_transform_word((enum rule_transform)condition->chain[i]);
	write_places(out, indent, condition);
	write_operator(out, indent, condition);
	if (condition->negated)
		strbuf_addf(out, "%snegated = true;\n", indent);
	if (condition->cased)
		strbuf_addf(out, "%scase_sensitive = true;\n", indent);
	write_list(out, indent, "transform", chain);
}

static void write_also(struct strbuf *out, const struct rule_spec *rule)
{
	if (rule->condition_count < 2)
		return;
	strbuf_add_str(out, "\talso = (\n");
	for (size_t i = 1; i < rule->condition_count; i++) {
		strbuf_add_str(out, "\t\t{\n");
		write_condition(out, "\t\t\t", &rule->conditions[i]);
		strbuf_add_str(out, i + 1 < rule->condition_count ? "\t\t},\n" : "\t\t}\n");
	}
	strbuf_add_str(out, "\t);\n");
}

const char *rule_mode_word(const struct rule_spec *rule)
{
	switch (rule->mode) {
	case SHIELD_MONITOR: return "monitor";
	case SHIELD_OFF: return "off";
	default: return "enforce";
	}
}

void rule_write(const struct rule_spec *rule, struct strbuf *out)
{
	static const char *const actions[] = {
	    [VERDICT_REJECT] = "reject", [VERDICT_CLOSE] = "close", [VERDICT_TARPIT] = "tarpit"};
	const size_t known = sizeof(actions) / sizeof(actions[0]);
	const int action = rule->answer.action;
	strbuf_add_str(out, "{\n");
	write_setting(out, "\t", "id", rule->id);
	write_condition(out, "\t", &rule->conditions[0]);
	write_also(out, rule);
	write_setting(out, "\t", "message", rule->message);
	write_setting(out, "\t", "cve", rule->cve);
	write_list(out, "\t", "tags", rule->tags);
	write_setting(out, "\t", "severity", rule_severity_word((enum rule_severity)rule->severity));
	strbuf_addf(out, "\tscore = %u;\n", rule->score);
	write_setting(out, "\t", "mode", rule_mode_word(rule));
	write_setting(out, "\t", "action", action > 0 && (size_t)action < known ? actions[action] : NULL);
	if (rule->answer.status > 0)
		strbuf_addf(out, "\tstatus = %" PRIu64 ";\n", rule->answer.status);
	strbuf_add_str(out, "}\n");
}

/* sallyport rules list and show: the rules that count by a policy, with where each comes from. */
#include <inttypes.h>

#include "cli/rules.h"
#include "sallyport/cli.h"
#include "sallyport/shield.h"

enum { SHOWN_MAX = 1 << 20, SOURCE_SIZE = 512 };

static const char *source_of(const struct rule_spec *rule, char out[SOURCE_SIZE])
{
	snprintf(out, SOURCE_SIZE, "%s:%u", rule->where.file ? rule->where.file : "command line", rule->where.line);
	return out;
}

static void add_rule(const struct rule_spec *rule, struct json_writer *json)
{
	json_add_text(json, "id", span_from_str(rule->id));
	json_add_text(json, "mode", span_from_str(rule_mode_word(rule)));
	json_add_text(json, "severity", span_from_str(rule_severity_word((enum rule_severity)rule->severity)));
	json_add_number(json, "score", rule->score);
	json_add_text(json, "file", span_from_str(rule->where.file ? rule->where.file : ""));
	json_add_number(json, "line", rule->where.line);
	json_add_text(json, "message", span_from_str(rule->message));
	json_add_text(json, "cve", span_from_str(rule->cve ? rule->cve : ""));
	json_open_list(json, "tags");
	for (const char *const *tag = rule->tags; tag && *tag; tag++)
		json_add_text(json, NULL, span_from_str(*tag));
	json_close(json);
}

static int list_as_json(const struct rules_use *use, const struct settings *settings)
{
	struct json_writer json;
	json_begin(&json);
	json_open_list(&json, "rules");
	for (size_t i = 0; i < settings->rule_count; i++) {
		json_open_object(&json, NULL);
		add_rule(&settings->rule_specs[i], &json);
		json_close(&json);
	}
	json_close(&json);
	return rules_cli_print_json(use, &json);
}

static void print_row(const struct rule_spec *rule)
{
	char score[16] = "refuses", source[SOURCE_SIZE];
	if (rule->score > 0)
		snprintf(score, sizeof(score), "%u", rule->score);
	printf("%-28s %-8s %-9s %-8s ", rule->id, rule_mode_word(rule),
	       rule_severity_word((enum rule_severity)rule->severity), score);
	control_print(stdout, span_from_str(source_of(rule, source)));
	fputs("  ", stdout);
	control_print(stdout, span_from_str(rule->message));
	puts("");
}

int rules_cli_list(struct rules_use *use)
{
	int status = CLI_DONE;
	struct settings *settings = rules_cli_load(use, RULES_READ, NULL, false);
	if (!settings)
		return CLI_NO;
	if (use->as_json) {
		status = list_as_json(use, settings);
	} else {
		printf("%-28s %-8s %-9s %-8s %s\n", "ID", "MODE", "SEVERITY", "SCORE", "SOURCE AND MEANING");
		for (size_t i = 0; i < settings->rule_count; i++)
			print_row(&settings->rule_specs[i]);
	}
	settings_free(settings);
	return status;
}

static int show(const struct rules_use *use, const struct rule_spec *rule)
{
	struct json_writer json;
	struct strbuf text;
	char source[SOURCE_SIZE];
	int status = CLI_DONE;
	strbuf_init(&text, SHOWN_MAX);
	rule_write(rule, &text);
	if (use->as_json) {
		json_begin(&json);
		add_rule(rule, &json);
		json_add_text(&json, "text", strbuf_span(&text));
		status = rules_cli_print_json(use, &json);
	} else {
		printf("# %s\n", source_of(rule, source));
		fwrite(text.data, 1, text.len, stdout);
	}
	strbuf_release(&text);
	return status;
}

int rules_cli_show(struct rules_use *use)
{
	struct err err;
	struct settings *settings = rules_cli_load(use, RULES_READ, NULL, false);
	const struct rule_spec *found = NULL;
	if (!settings)
		return CLI_NO;
	for (size_t i = 0; !found && i < settings->rule_count; i++)
		if (strcmp(settings->rule_specs[i].id, use->operand) == 0)
			found = &settings->rule_specs[i];
	err_set(&err, "no rule of the policy is \"%.64s\": see 'sallyport rules list'", use->operand);
	int status = found ? show(use, found) : rules_cli_fail(use, &err);
	settings_free(settings);
	return status;
}

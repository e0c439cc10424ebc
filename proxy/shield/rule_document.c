/* The tables of conf/README.md about rules: what they may look at, through what, and those of a set. */
#include "sallyport/shield.h"

static void write_words(struct strbuf *out)
{
	static const struct {
		const char *word, *doc;
	} targets[] = {
#define RULE_TARGET(id, word, doc) {word, doc},
#include "sallyport/rule_words.def"
	}, transforms[] = {
#define RULE_TRANSFORM(id, word, doc) {word, doc},
#include "sallyport/rule_words.def"
	};
	strbuf_add_str(out, "| `where` | is |\n|---|---|\n");
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		strbuf_addf(out, "| `%s` | %s |\n", targets[i].word, targets[i].doc);
	strbuf_add_str(out, "| `values` | `argument`, `cookie`, `form`, `json` and `xml` |\n"
			    "| `names` | `argument-name`, `cookie-name`, `form-name` and `json-name` |\n"
			    "\n| `transform` | what becomes of a value |\n|---|---|\n");
	for (size_t i = 0; i < sizeof(transforms) / sizeof(transforms[0]); i++)
		strbuf_addf(out, "| `%s` | %s |\n", transforms[i].word, transforms[i].doc);
}

/* Each word once, in the order of the table. */
static void write_targets(const struct rule_spec *rule, struct strbuf *out)
{
	uint32_t targets = 0;
	bool first = true;
	for (size_t i = 0; i < rule->conditions[0].selector_count; i++)
		targets |= UINT32_C(1) << rule->conditions[0].selectors[i].target;
	for (int target = TARGET_UNSET + 1; target < TARGET_COUNT; target++) {
		if (!(targets >> target & 1))
			continue;
		strbuf_addf(out, "%s%s", first ? "" : ", ", rule_target_word((enum rule_target)target));
		first = false;
	}
}

void rule_document(const struct rule_spec *rules, size_t n, struct strbuf *out)
{
	write_words(out);
	strbuf_add_str(out, "\n| rule | score | looks at | what a match means | CVE |\n|---|---|---|---|---|\n");
	for (size_t i = 0; i < n; i++) {
		strbuf_addf(out, "| `%s` | ", rules[i].id);
		if (rules[i].score > 0)
			strbuf_addf(out, "%u | ", rules[i].score);
		else
			strbuf_add_str(out, "**refuses** | ");
		write_targets(&rules[i], out);
		strbuf_addf(out, " | %s | %s |\n", rules[i].message, rules[i].cve ? rules[i].cve : "");
	}
}

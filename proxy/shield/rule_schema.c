/* What a policy may say about rules: its rows, and the form in which rules are compiled. Whether
 * their patterns compile, rule_set_new finds out. */
#include "sallyport/suggest.h"
#include "shield/answers_schema.h"
#include "shield/networks.h"

#define RULE(member)      offsetof(struct rule_settings, member)
#define CONDITION(member) offsetof(struct rule_condition_settings, member)

enum { TEXTS_MAX = 4096, PLACES_MAX = 64, CONDITIONS_MAX = 8, SCORE_MAX = 1000 };

/* What is looked for where; at: where the condition begins in the structure. */
#define CONDITION_ROWS(at)                                                                         \
	{"where", SETTING_STRINGS, at(places), .required = true, .max = PLACES_MAX,                \
	 .or_one = true, .example = "( \"argument\", \"cookie:lang\", \"!field:Referer\" )",       \
	 .doc = "What is looked at: see the table of targets. `:NAME` behind a word is only the "  \
		"value of that name, `!` before it excludes."},                                    \
	{"pattern", SETTING_STRING, at(pattern), .example = "\"/default\\\\.ida$\"",               \
	 .doc = "A regular expression (PCRE), found anywhere; `.` is any byte. A backslash is "    \
		"written twice."},                                                                 \
	{"contains", SETTING_STRINGS, at(contains), .max = TEXTS_MAX, .or_one = true,              \
	 .example = "( \"/etc/passwd\", \"/etc/shadow\" )", .doc = "Texts, any of which is found."}, \
	{"words", SETTING_STRINGS, at(words), .max = TEXTS_MAX, .or_one = true,                    \
	 .example = "( \"xp_cmdshell\" )",                                                         \
	 .doc = "The same, with no letter, digit or `_` beside it."},                              \
	{"prefix", SETTING_STRINGS, at(prefix), .max = TEXTS_MAX, .or_one = true,                  \
	 .example = "( \"/.git/\" )", .doc = "Texts, any of which it begins with."},               \
	{"suffix", SETTING_STRINGS, at(suffix), .max = TEXTS_MAX, .or_one = true,                  \
	 .example = "( \".bak\" )", .doc = "Texts, any of which it ends in."},                     \
	{"equals", SETTING_STRINGS, at(equals), .max = TEXTS_MAX, .or_one = true,                  \
	 .example = "( \"/.env\" )", .doc = "Texts, one of which it is."},                         \
	{"longer_than", SETTING_BYTES, at(longer_than), .example = "\"1 KiB\"",                    \
	 .doc = "It has more bytes."},                                                             \
	{"outside", SETTING_STRING, at(outside), .example = "\"9,10,32-126\"",                     \
	 .doc = "It has a byte outside of these, by their numbers."},                              \
	{"networks", SETTING_STRINGS, at(networks), .max = TEXTS_MAX, .or_one = true,              \
	 .example = "( \"192.0.2.0/24\" )", .doc = "It is an address in one of these."},           \
	{"negated", SETTING_BOOL, at(negated), .standard = "false",                                \
	 .doc = "A value is meant of which all this is not so."},                                  \
	{"case_sensitive", SETTING_BOOL, at(cased), .standard = "false",                           \
	 .doc = "Letters must have the same case."},                                               \
	{"transform", SETTING_STRINGS, at(transform), .max = RULE_CHAIN_MAX, .or_one = true,       \
	 .example = "( \"url\", \"html\" )",                                                       \
	 .doc = "What the value is seen through, one after the other: see the table of "           \
		"transformations."}

#define FIRST(member) RULE(first.member)

static const struct policy_choice severities[] = {{"notice", RULE_SEVERITY_NOTICE},
						  {"warning", RULE_SEVERITY_WARNING},
						  {"error", RULE_SEVERITY_ERROR},
						  {"critical", RULE_SEVERITY_CRITICAL},
						  {NULL, 0}};
static const struct policy_choice modes[] = {
    {"enforce", SHIELD_ENFORCE}, {"monitor", SHIELD_MONITOR}, {"off", SHIELD_OFF}, {NULL, 0}};

/* ---- one condition ---- */

struct place_word {
	const char *word;
	enum rule_target targets[8]; /* UNSET ends it */
};

/* Words for several targets. */
static const struct place_word place_words[] = {
    {"values", {TARGET_ARG, TARGET_COOKIE, TARGET_FORM, TARGET_JSON, TARGET_XML}},
    {"names", {TARGET_ARG_NAME, TARGET_COOKIE_NAME, TARGET_FORM_NAME, TARGET_JSON_NAME}},
};

static void report_place(const char *text, struct policy_where where, struct policy_context *context)
{
	struct suggestion suggestion;
	struct strbuf known;
	char nearest[SUGGEST_TEXT_SIZE];
	suggest_init(&suggestion, text);
	strbuf_init(&known, 1024);
	for (int target = TARGET_UNSET + 1; target < TARGET_COUNT; target++) {
		const char *word = rule_target_word((enum rule_target)target);
		suggest_offer(&suggestion, word);
		strbuf_addf(&known, "%s, ", word);
	}
	strbuf_add_str(&known, "values, names");
	policy_error_in(context, where, "where", "\"%.64s\" is none of %s%s", text,
			known.data ? known.data : "", suggest_text(&suggestion, nearest));
	strbuf_release(&known);
}

static const enum rule_target *targets_of(struct span word, enum rule_target one[2])
{
	for (size_t i = 0; i < sizeof(place_words) / sizeof(place_words[0]); i++) {
		if (span_eq(word, span_from_str(place_words[i].word)))
			return place_words[i].targets;
	}
	one[0] = rule_target_of(word);
	one[1] = TARGET_UNSET;
	return one;
}

/* "!field:Referer" */
static size_t read_place(const char *text, struct rule_selector *out, struct policy_where where,
			 struct policy_context *context)
{
	bool excludes = text[0] == '!';
	struct span word = span_from_str(text + excludes);
	size_t colon = span_find(word, ':'), n = 0;
	const char *name = colon < word.len && word.ptr[colon + 1] ? word.ptr + colon + 1 : NULL;
	enum rule_target one[2];
	word.len = colon;
	for (const enum rule_target *target = targets_of(word, one); *target; target++)
		out[n++] = (struct rule_selector){*target, name, excludes};
	if (n == 0)
		report_place(text, where, context);
	return n;
}

static void read_places(struct rule_condition_settings *settings, struct policy_where where,
			struct policy_context *context)
{
	const size_t each = sizeof(place_words[0].targets) / sizeof(place_words[0].targets[0]);
	struct rule_selector *selectors =
	    arena_alloc(context->arena, (settings->places.n * each + 1) * sizeof(*selectors));
	if (!selectors) {
		policy_error(context, where, "out of memory");
		return;
	}
	settings->compiled.selectors = selectors;
	for (size_t i = 0; i < settings->places.n; i++)
		settings->compiled.selector_count +=
		    read_place(settings->places.items[i],
			       selectors + settings->compiled.selector_count, where, context);
}

static void read_chain(struct rule_condition_settings *settings, struct policy_where where,
		       struct policy_context *context)
{
	for (size_t i = 0; i < settings->transform.n; i++) {
		const char *word = settings->transform.items[i];
		settings->compiled.chain[i] = (uint8_t)rule_transform_of(span_from_str(word));
		if (settings->compiled.chain[i] == TRANSFORM_UNSET)
			policy_error_in(context, where, "transform",
					"\"%.64s\" is no transformation: see the table of them", word);
	}
}

/* "9,10,32-126" */
static void read_bytes(struct rule_condition_settings *settings, struct policy_where where,
		       struct policy_context *context)
{
	struct span list = span_from_str(settings->outside), item;
	while (span_next_element(&list, &item)) {
		size_t dash = span_find(item, '-');
		uint64_t first = 0, last = 0;
		bool ok = span_to_u64(span_of(item.ptr, dash), 255, &first);
		last = first;
		if (ok && dash < item.len)
			ok = span_to_u64(span_from(item, dash + 1), 255, &last);
		if (!ok || last < first)
			policy_error_in(context, where, "outside", "\"%.*s\" is no byte, nor a range",
					SPAN_ARG(item));
		for (uint64_t byte = first; ok && byte <= last; byte++)
			settings->compiled.bytes[byte / 8] |= (uint8_t)(1u << byte % 8);
	}
}

static void read_networks(struct rule_condition_settings *settings, struct policy_where where,
			  struct policy_context *context)
{
	struct cidr_set *set = arena_alloc(context->arena, sizeof(*set));
	if (!set) {
		policy_error(context, where, "out of memory");
		return;
	}
	*set = networks_compile(&settings->networks, "networks", where, context);
	settings->compiled.networks = set;
	settings->compiled.network_texts = (const char *const *)settings->networks.items;
}

/* What the condition asks: *n counts how many such settings there are. */
static void take_texts(struct rule_condition *condition, enum rule_operator op,
		       const struct policy_strings *texts, unsigned *n)
{
	if (!texts->items)
		return;
	condition->op = op;
	condition->texts = (const char *const *)texts->items;
	(*n)++;
}

static unsigned take_operator(struct rule_condition_settings *settings, struct policy_where where,
			      struct policy_context *context)
{
	struct rule_condition *condition = &settings->compiled;
	const struct policy_where nowhere = {0};
	struct policy_where longer = policy_where_of(context, "longer_than", nowhere);
	unsigned n = 0;
	if (settings->pattern) {
		const char **texts = arena_alloc(context->arena, 2 * sizeof(*texts));
		struct policy_strings one = {.items = texts, .n = 1};
		if (texts)
			texts[0] = settings->pattern;
		take_texts(condition, OPERATOR_PATTERN, &one, &n);
	}
	take_texts(condition, OPERATOR_CONTAINS, &settings->contains, &n);
	take_texts(condition, OPERATOR_WORD, &settings->words, &n);
	take_texts(condition, OPERATOR_PREFIX, &settings->prefix, &n);
	take_texts(condition, OPERATOR_SUFFIX, &settings->suffix, &n);
	take_texts(condition, OPERATOR_EQUALS, &settings->equals, &n);
	if (longer.file || longer.line > 0) {
		condition->op = OPERATOR_LONGER;
		condition->number = settings->longer_than;
		n++;
	}
	if (settings->outside) {
		condition->op = OPERATOR_BYTES;
		read_bytes(settings, where, context);
		n++;
	}
	if (settings->networks.items) {
		condition->op = OPERATOR_NETWORK;
		read_networks(settings, where, context);
		n++;
	}
	return n;
}

static void finish_condition(struct rule_condition_settings *settings, struct policy_where where,
			     struct policy_context *context)
{
	read_places(settings, where, context);
	read_chain(settings, where, context);
	settings->compiled.negated = settings->negated;
	settings->compiled.cased = settings->cased;
	if (take_operator(settings, where, context) != 1)
		policy_error(context, where,
			     "one of pattern, contains, words, prefix, suffix, equals, longer_than, "
			     "outside and networks is needed, and no more");
}

static void finish_also(void *structure, struct policy_where where, struct policy_context *context)
{
	finish_condition(structure, where, context);
}

static const struct setting also_rows[] = {CONDITION_ROWS(CONDITION), {0}};

static const struct schema also_schema = {
    .name = "also",
    .size = sizeof(struct rule_condition_settings),
    .settings = also_rows,
    .where_offset = CONDITION(where),
    .finish = finish_also,
};

/* ---- a rule ---- */

static const struct setting rule_rows[] = {
    {"id", SETTING_STRING, RULE(spec.id), .required = true, .example = "\"worm.code-red\"",
     .doc = "The rule's name in logs: lower-case letters, digits, `.`, `-` and `_`."},
    CONDITION_ROWS(FIRST),
    {"also", SETTING_LIST, RULE(also), .sub = &also_schema, .max = CONDITIONS_MAX,
     .doc = "What must be so as well, somewhere in the same request."},
    {"message", SETTING_STRING, RULE(spec.message), .required = true,
     .example = "\"Code Red: the .ida overflow\"", .doc = "What a match means, for the operator."},
    {"cve", SETTING_STRING, RULE(spec.cve), .example = "\"CVE-2001-0500\"",
     .doc = "The vulnerability that is tried."},
    {"tags", SETTING_STRINGS, RULE(tags), .max = 32, .or_one = true, .example = "( \"sql\" )",
     .doc = "Words by which several rules are named at once."},
    {"severity", SETTING_ENUM, RULE(spec.severity), .standard = "critical", .choices = severities,
     .doc = "How much a match says about the client; for people, nothing hangs on it."},
    {"score", SETTING_COUNT, RULE(score), .standard = "0", .max = SCORE_MAX,
     .doc = "What a match adds to the score of the request, which `shield.limits.score` bounds. "
	    "0: a match refuses by itself."},
    {"mode", SETTING_ENUM, RULE(spec.mode), .standard = "enforce", .choices = modes,
     .doc = "`monitor` only logs a match that nothing else refuses, `off` looks for none."},
    {"action", SETTING_ENUM, RULE(spec.answer.action), .choices = answer_actions,
     .doc = ANSWER_ACTION_DOC " Without it, what the site answers to the reason `rule`."},
    {"status", SETTING_COUNT, RULE(spec.answer.status), .min = ANSWER_STATUS_MIN,
     .max = ANSWER_STATUS_MAX, .example = "404",
     .doc = ANSWER_STATUS_DOC " Without it, what the site answers to the reason `rule`."},
    {0},
};

static bool is_rule_id(const char *id)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_";

	return strspn(id, allowed) == strlen(id) && strlen(id) <= 64;
}

static void join_conditions(struct rule_settings *rule, struct policy_where where,
			    struct policy_context *context)
{
	const struct rule_condition_settings *also = rule->also.items;
	struct rule_condition *conditions =
	    arena_alloc(context->arena, (rule->also.n + 1) * sizeof(*conditions));
	if (!conditions) {
		policy_error(context, where, "out of memory");
		return;
	}
	conditions[0] = rule->first.compiled;
	for (size_t i = 0; i < rule->also.n; i++)
		conditions[i + 1] = also[i].compiled;
	rule->spec.conditions = conditions;
	rule->spec.condition_count = rule->also.n + 1;
}

static void finish_rule(void *structure, struct policy_where where, struct policy_context *context)
{
	struct rule_settings *rule = structure;

	finish_condition(&rule->first, where, context);
	join_conditions(rule, where, context);
	rule->spec.tags = (const char *const *)rule->tags.items;
	rule->spec.score = (uint32_t)rule->score;
	rule->spec.where = where;
	if (rule->spec.id && !is_rule_id(rule->spec.id))
		policy_error_in(context, where, "id",
				"\"%s\" is not of at most 64 lower-case letters, digits, '.', "
				"'-' and '_'",
				rule->spec.id);
	if (rule->spec.score > 0 && (rule->spec.answer.action || rule->spec.answer.status))
		policy_error_in(context, where, "score",
				"a rule that only scores refuses nothing, so it has no action or status");
	answer_check(&rule->spec.answer, where, context);
}

const struct schema rule_schema = {
    .name = "rules",
    .size = sizeof(struct rule_settings),
    .settings = rule_rows,
    .where_offset = RULE(where),
    .finish = finish_rule,
};

/* Compiles rules: every condition is put into the lane of its group and chain, and its
 * patterns go into the filters of its group. Reports all that is wrong at once.
 * Trusts the operator's patterns no further than the libraries compile them. */
#include "shield/rules.h"

#include "shield/rules_expression.h"
#include "shield/rules_needs.h"

struct builder {
	struct rule_set *set;
	const struct rule_cache *cache;
	rule_report *report;
	void *context;
	bool failed;
	enum pattern_kind *kinds; /* by condition */
};

__attribute__((format(printf, 3, 4))) static void complain(struct builder *builder, size_t rule,
							    const char *fmt, ...)
{
	struct strbuf text;
	va_list arguments;
	builder->failed = true;
	strbuf_init(&text, 1024);
	va_start(arguments, fmt);
	if (rule < builder->set->n)
		strbuf_addf(&text, "rule '%s': ", builder->set->specs[rule].id);
	strbuf_vaddf(&text, fmt, arguments);
	va_end(arguments);
	builder->report(builder->context, rule, text.data ? text.data : "out of memory");
	strbuf_release(&text);
}

enum rule_group rule_group_of(enum rule_target target)
{
	switch (target) {
	case TARGET_METHOD:
	case TARGET_URL:
	case TARGET_PATH:
	case TARGET_CLIENT:
	case TARGET_QUERY: return GROUP_LINE;
	case TARGET_FIELD:
	case TARGET_FIELD_NAME: return GROUP_FIELD;
	case TARGET_FILE:
	case TARGET_CONTENT: return GROUP_CONTENT;
	default: return GROUP_VALUE;
	}
}

/* ---- conditions ---- */

static void take_selectors(struct condition *condition)
{
	const struct rule_condition *spec = condition->spec;
	for (size_t i = 0; i < spec->selector_count; i++) {
		const struct rule_selector *selector = &spec->selectors[i];
		if (!selector->excludes && selector->target != TARGET_UNSET)
			condition->targets |= UINT32_C(1) << selector->target;
		condition->is_named |= selector->excludes || selector->name;
	}
}

static bool is_pattern(enum rule_operator op)
{
	return op >= OPERATOR_PATTERN && op <= OPERATOR_EQUALS;
}

/* What PCRE2 has to confirm is one pattern. */
static void check_texts(struct builder *builder, struct condition *condition, enum pattern_kind *kind)
{
	const struct rule_condition *spec = condition->spec;
	struct err err = {""};
	bool is_empty = !spec->texts || !spec->texts[0];
	for (const char *const *text = spec->texts; !is_empty && *text; text++)
		is_empty = (*text)[0] == '\0';
	if (is_empty) {
		complain(builder, condition->rule, "it has nothing to look for");
		return;
	}
	*kind = spec->op == OPERATOR_PATTERN ? pattern_check(spec->texts[0], spec->cased, &err)
					     : PATTERN_WHOLE;
	if (*kind != PATTERN_BAD && !expression_is_sure(spec)) {
		condition->confirm = expression_confirm(spec, &err);
		*kind = condition->confirm ? *kind : PATTERN_BAD;
	}
	if (*kind == PATTERN_BAD)
		complain(builder, condition->rule, "%s", err.text);
}

static unsigned needs_of(const struct rule_condition *condition)
{
	return (condition_needs_marks(condition, KIND_MARK) ? KIND_MARK : 0u) |
	       (condition_needs_marks(condition, KIND_ODD) ? KIND_ODD : 0u);
}

static void take_condition(struct builder *builder, size_t rule, size_t index, size_t *met)
{
	struct rule_set *set = builder->set;
	const struct rule_spec *spec = &set->specs[rule];
	size_t at = set->condition_count++;
	struct condition *condition = &set->conditions[at];
	*condition = (struct condition){
	    .spec = &spec->conditions[index],
	    .rule = (uint32_t)rule,
	    .index = (uint16_t)index,
	    .met = NOT_MET,
	};
	take_selectors(condition);
	if (condition->targets == 0)
		complain(builder, rule, "it looks nowhere");
	if (spec->condition_count > 1)
		condition->met = (uint16_t)(*met)++;
	condition->is_direct = !is_pattern(condition->spec->op);
	set->targets |= condition->targets;
	if (!condition->is_direct)
		check_texts(builder, condition, &builder->kinds[at]);
	condition->needs = builder->kinds[at] == PATTERN_WHOLE ? needs_of(condition->spec) : 0;
}

static void take_conditions(struct builder *builder)
{
	const struct rule_set *set = builder->set;
	size_t met = 0;
	for (size_t rule = 0; rule < set->n; rule++) {
		for (size_t i = 0; i < set->specs[rule].condition_count; i++)
			take_condition(builder, rule, i, &met);
	}
	if (met > RULE_MET_WORDS * 64)
		complain(builder, set->n,
			 "%zu conditions of rules with several; there may be %d", met,
			 RULE_MET_WORDS * 64);
}

/* ---- lanes ---- */

static unsigned kinds_of_chain(const uint8_t chain[RULE_CHAIN_MAX])
{
	unsigned kinds = 0;
	for (size_t i = 0; i < RULE_CHAIN_MAX && chain[i] != TRANSFORM_UNSET; i++)
		kinds |= transform_kinds((enum rule_transform)chain[i]);
	return kinds;
}

/* The lane of that chain; LANES_MAX: there is no room for another. */
static size_t find_lane(struct group *group, const uint8_t chain[RULE_CHAIN_MAX])
{
	size_t i = 0;
	while (i < group->lane_count && memcmp(group->lanes[i].chain, chain, RULE_CHAIN_MAX) != 0)
		i++;
	if (i == group->lane_count && i < LANES_MAX) {
		memcpy(group->lanes[i].chain, chain, RULE_CHAIN_MAX);
		group->lanes[i].kinds = kinds_of_chain(chain);
		group->lane_count++;
	}
	return i;
}

static uint32_t targets_of_group(enum rule_group group)
{
	uint32_t targets = 0;
	for (int target = TARGET_UNSET + 1; target < TARGET_COUNT; target++) {
		if (rule_group_of((enum rule_target)target) == group)
			targets |= UINT32_C(1) << target;
	}
	return targets;
}

static void add_direct(struct builder *builder, struct lane *lane, size_t index)
{
	uint32_t *grown = realloc(lane->direct, (lane->direct_count + 1) * sizeof(*grown));
	if (!grown) {
		complain(builder, builder->set->n, "no memory for rules");
		return;
	}
	lane->direct = grown;
	lane->direct[lane->direct_count++] = (uint32_t)index;
}

static void enter_lane(struct builder *builder, enum rule_group g, size_t index)
{
	struct condition *condition = &builder->set->conditions[index];
	struct group *group = &builder->set->groups[g];
	uint32_t targets = condition->targets & targets_of_group(g);
	condition->lanes[g] = LANES_MAX;
	if (targets == 0)
		return;
	size_t at = find_lane(group, condition->spec->chain);
	if (at == LANES_MAX) {
		complain(builder, condition->rule, "more than %d chains of transformations",
			 LANES_MAX);
		return;
	}
	struct lane *lane = &group->lanes[at];
	bool direct = condition->is_direct || condition->spec->negated;
	condition->lanes[g] = (uint8_t)at;
	lane->targets |= targets;
	lane->always |= condition->spec->negated;
	if (direct)
		add_direct(builder, lane, index);
}

static void fill_lanes(struct builder *builder)
{
	for (int g = 0; g < GROUP_COUNT; g++) {
		struct group *group = &builder->set->groups[g];
		for (size_t i = 0; i < builder->set->condition_count; i++)
			enter_lane(builder, (enum rule_group)g, i);
		for (size_t i = 0; i < group->lane_count; i++) {
			group->kinds |= group->lanes[i].kinds;
			group->always |= group->lanes[i].always;
			group->has_direct |= group->lanes[i].direct_count > 0;
		}
	}
}

/* ---- databases ---- */

static enum byte_kind marks_of(const struct group *group, int filter)
{
	return filter == PLAIN ? group->marks : 0;
}

static bool belongs(const struct condition *condition, enum rule_group g, enum byte_kind marks)
{
	return condition->lanes[g] != LANES_MAX && !(condition->needs & marks);
}

/* NULL: no memory, or none. */
static struct pattern_source *sources_of(struct builder *builder, enum rule_group g, int filter,
					 struct expressions *texts, size_t *n)
{
	const struct rule_set *set = builder->set;
	const enum byte_kind marks = marks_of(&set->groups[g], filter);
	*n = 0;
	for (size_t i = 0; i < set->condition_count; i++) {
		const struct condition *condition = &set->conditions[i];
		if (belongs(condition, g, marks) && builder->kinds[i] != PATTERN_BAD)
			expressions_add(texts, condition->spec, (unsigned)i, builder->kinds[i], marks);
	}
	if (texts->failed)
		complain(builder, set->n, "no memory for the patterns of rules");
	*n = texts->n;
	return texts->failed ? NULL : texts->sources;
}

/* A pattern that the library can't take with the others is told of and left out, to find all such. */
static struct patterns *compile(struct builder *builder, enum rule_group g, int filter)
{
	struct patterns *patterns = NULL;
	struct expressions texts = {0};
	size_t n, bad;
	struct err err;
	struct pattern_source *sources = sources_of(builder, g, filter, &texts, &n);
	while (sources && n > 0 && !patterns) {
		patterns = patterns_new(sources, n, builder->cache, &bad, &err);
		if (patterns)
			break;
		if (bad >= n) {
			complain(builder, builder->set->n, "the rules do not compile: %s", err.text);
			break;
		}
		struct condition *condition = &builder->set->conditions[sources[bad].id];
		if (builder->kinds[sources[bad].id] != PATTERN_BAD)
			complain(builder, condition->rule, "%s", err.text);
		builder->kinds[sources[bad].id] = PATTERN_BAD;
		struct pattern_source last = sources[--n];
		sources[n] = sources[bad];
		sources[bad] = last;
	}
	expressions_release(&texts);
	return patterns;
}

/* By what values are told apart, so that most need fewer patterns. A target has marks, yet hardly ever an odd one: as a
 * rule its group is looked at in one scan. Elsewhere both kinds are usual, and where most patterns may match either, two
 * scans cost more than they save. */
static enum byte_kind marks_worth_a_scan(const struct rule_set *set, enum rule_group g)
{
	const enum byte_kind marks = g == GROUP_LINE ? KIND_ODD : KIND_MARK;
	size_t plain = 0, marked = 0;
	for (size_t i = 0; i < set->condition_count; i++) {
		const struct condition *condition = &set->conditions[i];
		size_t texts = 0;
		while (condition->lanes[g] != LANES_MAX && !condition->is_direct &&
		       condition->spec->texts[texts])
			texts++;
		*(condition->needs & marks ? &marked : &plain) += texts;
	}
	return g == GROUP_LINE || plain < marked ? marks : 0;
}

static void compile_all(struct builder *builder)
{
	for (int g = 0; g < GROUP_COUNT; g++) {
		struct group *group = &builder->set->groups[g];
		group->marks = marks_worth_a_scan(builder->set, (enum rule_group)g);
		if (group->marks)
			group->filter[PLAIN] = compile(builder, (enum rule_group)g, PLAIN);
		group->filter[MARKED] = compile(builder, (enum rule_group)g, MARKED);
	}
}

/* ---- the whole ---- */

/* What no policy says, but a caller might. */
static bool check_specs(struct builder *builder)
{
	const struct rule_set *set = builder->set;
	if (set->n > RULES_MAX)
		complain(builder, set->n, "%zu rules; there may be %d", set->n, RULES_MAX);
	else if (set->n > 0 && !patterns_are_possible())
		complain(builder, set->n, "rules need a CPU with SSSE3 (x86) or NEON (ARM)");
	for (size_t i = 0; i < set->n && !builder->failed; i++) {
		if (!set->specs[i].id || set->specs[i].condition_count == 0 ||
		    set->specs[i].condition_count > RULE_CONDITIONS_MAX)
			complain(builder, set->n, "rule %zu has no id, or not 1 to %d conditions", i,
				 RULE_CONDITIONS_MAX);
	}
	return !builder->failed;
}

static bool make_room(struct builder *builder)
{
	struct rule_set *set = builder->set;
	size_t n = 1;
	for (size_t i = 0; i < set->n; i++)
		n += set->specs[i].condition_count;
	set->conditions = calloc(n, sizeof(*set->conditions));
	builder->kinds = calloc(n, sizeof(*builder->kinds));
	if (!set->conditions || !builder->kinds)
		complain(builder, set->n, "no memory for %zu rules", set->n);
	return !builder->failed;
}

/* compiles: false where only what is wrong with them is to be told, which takes no time. */
static struct rule_set *build(const struct rule_spec *specs, size_t n, const struct rule_cache *cache,
			      rule_report *report, void *context, bool compiles)
{
	struct rule_set *set = calloc(1, sizeof(*set));
	struct builder builder = {.set = set, .cache = cache, .report = report, .context = context};
	if (!set) {
		report(context, n, "no memory for rules");
		return NULL;
	}
	set->specs = specs;
	set->n = n;
	if (check_specs(&builder) && make_room(&builder)) {
		take_conditions(&builder);
		fill_lanes(&builder);
		if (!builder.failed && compiles)
			compile_all(&builder);
	}
	free(builder.kinds);
	if (!builder.failed && compiles)
		return set;
	rule_set_free(set);
	return NULL;
}

struct rule_set *rule_set_new(const struct rule_spec *specs, size_t n, const struct rule_cache *cache,
			      rule_report *report, void *context)
{
	static const struct rule_cache none;
	return build(specs, n, cache ? cache : &none, report, context, true);
}

void rule_set_check(const struct rule_spec *specs, size_t n, rule_report *report, void *context)
{
	static const struct rule_cache none;
	(void)build(specs, n, &none, report, context, false);
}

static void release_group(struct group *group)
{
	patterns_free(group->filter[PLAIN]);
	patterns_free(group->filter[MARKED]);
	for (size_t i = 0; i < group->lane_count; i++)
		free(group->lanes[i].direct);
}

void rule_set_free(struct rule_set *set)
{
	if (!set)
		return;
	for (int g = 0; g < GROUP_COUNT; g++)
		release_group(&set->groups[g]);
	for (size_t i = 0; i < set->condition_count; i++)
		confirm_free(set->conditions[i].confirm);
	free(set->conditions);
	free(set);
}

bool rule_matching_is_sound(struct err *err)
{
	return patterns_are_sound() ||
	       err_set(err, "the vectorscan of this machine misses matches in long texts; Hyperscan (libhyperscan5) "
			    "does not");
}

size_t rule_set_count(const struct rule_set *set)
{
	return set->n;
}

const struct rule_spec *rule_set_get(const struct rule_set *set, size_t index)
{
	return &set->specs[index];
}

bool rule_set_wants(const struct rule_set *set, enum rule_target target)
{
	return set->targets >> target & 1;
}

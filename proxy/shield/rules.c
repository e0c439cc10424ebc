/* Rules: all patterns that look at the same text are one database, and one scan of
 * the text finds which of them match (vectorscan; the only file that includes it).
 *
 * Trusts the operator's patterns no further than the library compiles them; they run in
 * linear time whatever they say. Compiling allocates; scanning allocates nothing and
 * makes no system call, so it may run inside the sandbox. */
#include "shield/rules.h"

#include <hs.h>

struct rules {
	const struct rule_spec *specs;
	size_t n;
	hs_database_t *databases[RULE_WHERE_COUNT]; /* NULL: no rule looks there */
};

struct shield_scratch {
	hs_scratch_t *memory;
};

enum { RULES_MAX = 100000 };

static enum rule_where where_of(const char *name)
{
	static const char *const names[RULE_WHERE_COUNT] = {
	    [RULE_PATH] = "path", [RULE_QUERY] = "query", [RULE_URL] = "url"};
	for (int where = RULE_PATH; where < RULE_WHERE_COUNT; where++) {
		if (name && span_eq(span_from_str(name), span_from_str(names[where])))
			return (enum rule_where)where;
	}
	return RULE_WHERE_UNSET;
}

/* The patterns of one database, as the library wants them. */
struct batch {
	const char **patterns;
	unsigned *flags;
	unsigned *ids; /* index of the rule */
	unsigned n;
};

static void batch_release(struct batch *batch)
{
	free(batch->patterns);
	free(batch->flags);
	free(batch->ids);
}

static bool batch_init(struct batch *batch, size_t room)
{
	*batch = (struct batch){.patterns = calloc(room, sizeof(*batch->patterns)),
				.flags = calloc(room, sizeof(*batch->flags)),
				.ids = calloc(room, sizeof(*batch->ids))};
	return batch->patterns && batch->flags && batch->ids;
}

static void batch_fill(struct batch *batch, const struct rules *rules, enum rule_where where)
{
	batch->n = 0;
	for (size_t i = 0; i < rules->n; i++) {
		if (where_of(rules->specs[i].where) != where)
			continue;
		batch->patterns[batch->n] = rules->specs[i].pattern;
		batch->flags[batch->n] = HS_FLAG_CASELESS | HS_FLAG_SINGLEMATCH | HS_FLAG_DOTALL;
		batch->ids[batch->n++] = (unsigned)i;
	}
}

static bool compile(struct rules *rules, enum rule_where where, struct batch *batch,
		    size_t *bad_rule, struct err *err)
{
	hs_compile_error_t *error = NULL;
	batch_fill(batch, rules, where);
	if (batch->n == 0)
		return true;
	if (hs_compile_multi(batch->patterns, batch->flags, batch->ids, batch->n, HS_MODE_BLOCK,
			     NULL, &rules->databases[where], &error) == HS_SUCCESS)
		return true;
	if (error->expression >= 0) {
		*bad_rule = batch->ids[error->expression];
		err_set(err, "rule '%s': %s", rules->specs[*bad_rule].id, error->message);
	} else {
		err_set(err, "the rules do not compile: %s", error->message);
	}
	hs_free_compile_error(error);
	return false;
}

/* What the library would not say, or not say well. */
static bool check_specs(const struct rules *rules, size_t *bad_rule, struct err *err)
{
	if (rules->n > RULES_MAX)
		return err_set(err, "%zu rules; there may be %d", rules->n, RULES_MAX);
	for (size_t i = 0; i < rules->n; i++) {
		const struct rule_spec *spec = &rules->specs[i];
		*bad_rule = i;
		if (!spec->id || !spec->pattern)
			return err_set(err, "rule %zu has no %s", i, spec->id ? "pattern" : "id");
		if (where_of(spec->where) == RULE_WHERE_UNSET)
			return err_set(err, "rule '%s': where is \"path\", \"query\" or \"url\"",
				       spec->id);
	}
	*bad_rule = rules->n;
	if (rules->n > 0 && hs_valid_platform() != HS_SUCCESS)
		return err_set(err, "rules need a CPU with SSSE3 (x86) or NEON (ARM)");
	return true;
}

/* Tries every database also where one has failed, so that the rule told of is the first
 * bad one in the policy's order. */
static bool compile_all(struct rules *rules, size_t *bad_rule, struct err *err)
{
	struct batch batch;
	bool done = true;
	if (!batch_init(&batch, rules->n)) {
		batch_release(&batch);
		return err_set(err, "no memory for %zu rules", rules->n);
	}
	for (int where = RULE_PATH; where < RULE_WHERE_COUNT; where++) {
		size_t bad = rules->n;
		struct err why;
		if (compile(rules, (enum rule_where)where, &batch, &bad, &why))
			continue;
		if (done || bad < *bad_rule) {
			*bad_rule = bad;
			err_set(err, "%s", why.text);
		}
		done = false;
	}
	batch_release(&batch);
	return done;
}

struct rules *rules_new(const struct rule_spec *specs, size_t n, size_t *bad_rule, struct err *err)
{
	struct rules *rules = calloc(1, sizeof(*rules));
	*bad_rule = n;
	if (!rules) {
		err_set(err, "no memory for %zu rules", n);
		return NULL;
	}
	rules->specs = specs;
	rules->n = n;
	if (check_specs(rules, bad_rule, err) && (n == 0 || compile_all(rules, bad_rule, err)))
		return rules;
	rules_free(rules);
	return NULL;
}

void rules_free(struct rules *rules)
{
	if (!rules)
		return;
	for (int where = RULE_PATH; where < RULE_WHERE_COUNT; where++)
		hs_free_database(rules->databases[where]);
	free(rules);
}

struct shield_scratch *rules_scratch_new(void)
{
	return calloc(1, sizeof(struct shield_scratch));
}

void rules_scratch_free(struct shield_scratch *scratch)
{
	if (!scratch)
		return;
	hs_free_scratch(scratch->memory);
	free(scratch);
}

bool rules_scratch_fit(struct shield_scratch *scratch, const struct rules *rules, struct err *err)
{
	for (int where = RULE_PATH; where < RULE_WHERE_COUNT; where++) {
		if (rules->databases[where] &&
		    hs_alloc_scratch(rules->databases[where], &scratch->memory) != HS_SUCCESS)
			return err_set(err, "no memory to match rules in");
	}
	return true;
}

bool rules_want(const struct rules *rules, enum rule_where where)
{
	return rules->databases[where] != NULL;
}

struct match {
	unsigned rule;
	unsigned long long end;
	bool found;
};

static int on_match(unsigned rule, unsigned long long from, unsigned long long to, unsigned flags,
		    void *context)
{
	struct match *match = context;
	(void)from;
	(void)flags;
	if (!match->found || rule < match->rule)
		*match = (struct match){.rule = rule, .end = to, .found = true};
	return rule == 0; /* no other comes before it */
}

static bool scan(const hs_database_t *database, struct span text, hs_scratch_t *memory,
		 struct match *match)
{
	hs_error_t error =
	    hs_scan(database, text.ptr, (unsigned)text.len, 0, memory, on_match, match);
	return error == HS_SUCCESS || error == HS_SCAN_TERMINATED;
}

enum rules_result rules_scan(const struct rules *rules, struct shield_scratch *scratch,
			     const struct rule_texts *texts, struct rule_hit *hit)
{
	struct match first = {0};
	for (int where = RULE_PATH; where < RULE_WHERE_COUNT; where++) {
		struct span text = texts->text[where];
		struct match match = {0};
		if (!rules->databases[where] || !text.ptr)
			continue;
		if (!scan(rules->databases[where], text, scratch->memory, &match))
			return RULES_BROKEN;
		if (match.found && (!first.found || match.rule < first.rule)) {
			first = match;
			hit->where = (enum rule_where)where;
		}
	}
	if (!first.found)
		return RULES_NONE;
	hit->rule = &rules->specs[first.rule];
	hit->end = (size_t)first.end;
	return RULES_MATCH;
}

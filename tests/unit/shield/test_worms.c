/* The rules of conf/policy.d/worms.cfg against tests/vectors/worms.txt. The file is read
 * by libconfig alone here: what is tested is the data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <libconfig.h>
#include "shield/requests.h"
#include "vectors.h"

enum { RULES_ROOM = 64 };

static config_t config;
static struct rule_spec rules[RULES_ROOM];
static unsigned tripped[RULES_ROOM];
static size_t rule_count;

static const char *lookup(const config_setting_t *setting, const char *name)
{
	const char *value = NULL;
	if (!config_setting_lookup_string(setting, name, &value))
		fail_msg("line %u: no %s", config_setting_source_line(setting), name);
	return value;
}

static int read_rules(void **state)
{
	(void)state;
	config_init(&config);
	assert_true(config_read_file(&config, "conf/policy.d/worms.cfg"));
	const config_setting_t *list = config_lookup(&config, "rules");
	assert_non_null(list);
	rule_count = (size_t)config_setting_length(list);
	assert_in_range(rule_count, 1, RULES_ROOM);
	for (size_t i = 0; i < rule_count; i++) {
		const config_setting_t *rule = config_setting_get_elem(list, (unsigned)i);
		rules[i] = (struct rule_spec){lookup(rule, "id"), lookup(rule, "where"),
					      lookup(rule, "pattern"), lookup(rule, "message"),
					      lookup(rule, "cve"), {0}};
	}
	return 0;
}

static int release_rules(void **state)
{
	(void)state;
	config_destroy(&config);
	return 0;
}

static void note_tripped(const char *id)
{
	for (size_t i = 0; i < rule_count; i++)
		tripped[i] += strcmp(rules[i].id, id) == 0;
}

/* What the table calls it: a rule's id, a reason's name, or "pass". */
static const char *result_of(const struct verdict *verdict)
{
	if (verdict->action == VERDICT_ALLOW)
		return "pass";
	if (!verdict->rule)
		return reason_name(verdict->reason);
	note_tripped(verdict->rule);
	return verdict->rule;
}

static unsigned judge_table(const struct shield *shield, struct shield_scratch *scratch)
{
	static struct vector_file row;
	static struct test_request made;
	unsigned wrong = 0;
	vectors_open(&row, "tests/vectors/worms.txt");
	while (vectors_next(&row)) {
		struct verdict verdict;
		assert_int_equal(row.n, 3);
		request_make(shield, &made, row.columns[1], row.columns[2]);
		shield_judge(shield, scratch, &made.request, &verdict);
		const char *result = result_of(&verdict);
		if (!span_eq(span_from_str(result), row.columns[0])) {
			print_error("%s:%u: %s\n", row.path, row.line, result);
			wrong++;
		}
	}
	return wrong;
}

static void worms_are_refused_and_near_misses_pass(void **state)
{
	(void)state;
	struct shield_settings settings = {
	    .mode = SHIELD_ENFORCE, .rules = rules, .rule_count = rule_count};
	struct err err;
	size_t bad;
	struct shield *shield = shield_new(&settings, &bad, &err);
	if (!shield)
		fail_msg("%s", err.text);
	const struct shield *const shields[] = {shield};
	struct shield_scratch *scratch = shield_scratch_new(shields, 1, &err);
	assert_non_null(scratch);
	assert_int_equal(judge_table(shield, scratch), 0);
	for (size_t i = 0; i < rule_count; i++) {
		if (tripped[i] == 0)
			fail_msg("%s is tripped by no row", rules[i].id);
	}
	shield_scratch_free(scratch);
	shield_free(shield);
}

static void rule_ids_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < rule_count; i++) {
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(rules[i].id, rules[j].id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(worms_are_refused_and_near_misses_pass),
	    cmocka_unit_test(rule_ids_are_unique),
	};
	return cmocka_run_group_tests(tests, read_rules, release_rules);
}

/* Rules: what they look at, which of several is named, and what is said of a bad one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "shield/requests.h"
#include "shield/rule_sets.h"

/* A set, its shield, and scratch for both. */
struct bench {
	struct rule_set *set;
	struct shield *shield;
	struct shield_scratch *scratch;
};

static struct bench bench_new(const struct rule_spec *rules, size_t n)
{
	struct bench bench = {.set = rules_compiled(rules, n)};
	struct shield_settings settings = {.mode = SHIELD_ENFORCE, .rules = bench.set, .limits = {.score = 4}};
	struct err err;
	bench.shield = shield_new(&settings, &err);
	assert_non_null(bench.shield);
	const struct shield *const shields[] = {bench.shield};
	bench.scratch = shield_scratch_new(shields, 1, &err);
	assert_non_null(bench.scratch);
	return bench;
}

static void bench_free(struct bench *bench)
{
	shield_scratch_free(bench->scratch);
	shield_free(bench->shield);
	rule_set_free(bench->set);
}

static void rule_sees_what_its_where_says(void **state)
{
	(void)state;
	const struct rule_spec rules[] = {
	    RULE_OF("path", TARGET_PATH, "/b/x y$"),
	    RULE_OF("query", TARGET_QUERY, "^q=x y&$"),
	    RULE_OF("url", TARGET_URL, "^/a/\\.\\./b/%78\\?q=%78$"),
	};
	static const struct {
		const char *target, *rule;
	} rows[] = {
	    {"/a/../b/x%20%79?q=1", "path"},
	    {"/b/X%20Y", "path"},
	    {"/z?q=%78+y%26", "query"},
	    {"/z?Q=x%20Y%26", "query"},
	    {"/a/../b/%78?q=%78", "url"},
	    {"/b/%78?q=%78", NULL},
	    {"/q=x%20y&", NULL},
	    {"/z?/b/x%20y", NULL},
	    {"/z?", NULL},
	    {"/", NULL},
	};
	struct bench bench = bench_new(rules, 3);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verdict verdict = request_judge(bench.shield, bench.scratch, "GET", rows[i].target);
		const char *rule = verdict.rule ? verdict.rule : "-";
		if (strcmp(rule, rows[i].rule ? rows[i].rule : "-") != 0)
			fail_msg("%s: %s", rows[i].target, rule);
		assert_int_equal(verdict.reason, rows[i].rule ? REASON_RULE : REASON_UNSET);
	}
	bench_free(&bench);
}

static void rule_that_comes_first_is_named(void **state)
{
	(void)state;
	const struct rule_spec rules[] = {
	    RULE_OF("0", TARGET_QUERY, "zero"), RULE_OF("1", TARGET_PATH, "o.*e"),
	    RULE_OF("2", TARGET_URL, "one"),    RULE_OF("3", TARGET_PATH, "one"),
	    RULE_OF("4", TARGET_QUERY, "four"),
	};
	static const struct {
		const char *target, *rule;
	} rows[] = {
	    {"/one?zero", "0"},  {"/one", "1"},   {"/xone?four", "1"},
	    {"/?one+four", "2"}, {"/?four", "4"}, {"/on?four+zero", "0"},
	};
	struct bench bench = bench_new(rules, 5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verdict verdict = request_judge(bench.shield, bench.scratch, "GET", rows[i].target);
		assert_non_null(verdict.rule);
		assert_string_equal(verdict.rule, rows[i].rule);
	}
	bench_free(&bench);
}

static void rule_shows_what_it_saw_up_to_the_match(void **state)
{
	(void)state;
	const struct rule_spec rules[] = {RULE_OF("path", TARGET_PATH, "cmd\\.exe"),
						 RULE_OF("query", TARGET_QUERY, "a b&"),
						 RULE_OF("url", TARGET_URL, "%7a")};
	static const struct {
		const char *target, *evidence;
	} rows[] = {
	    {"/a/%63md.exe/tail?x", "/a/cmd.exe"},
	    {"/?q=100%%20x%61+b%26c=d", "q=100%%20x%61+b%26"},
	    {"/x%7Ay?z", "/x%7A"},
	};
	struct bench bench = bench_new(rules, 3);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verdict verdict = request_judge(bench.shield, bench.scratch, "GET", rows[i].target);
		assert_int_equal(verdict.status, 403);
		if (!span_eq(verdict.evidence, span_from_str(rows[i].evidence)))
			fail_msg("%s: '%.*s'", rows[i].target, SPAN_ARG(verdict.evidence));
	}
	bench_free(&bench);
}

static void bad_rule_is_named_with_what_is_wrong(void **state)
{
	(void)state;
	const struct {
		struct rule_spec rule;
		const char *says;
	} rows[] = {
	    {RULE_OF("x", TARGET_PATH, "("), "rule 'x'"},
	    {RULE_OF("x", TARGET_PATH, "a*"), "rule 'x'"}, /* matches anything */
	    {RULE_OF("x", TARGET_ARG, "(?<=a*)b"), "rule 'x'"},
	    {RULE_OF("x", TARGET_PATH, ""), "nothing to look for"},
	    {RULE_OF("x", TARGET_PATH, NULL), "nothing to look for"},
	    {RULE_OF("x", TARGET_UNSET, "a"), "looks nowhere"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct rule_spec rules[] = {
		    RULE_OF("good", TARGET_PATH, "a"), RULE_OF("fine", TARGET_URL, "b"), rows[i].rule};
		struct rule_complaints complaints = {0};
		if (rule_set_new(rules, 3, NULL, note_complaint, &complaints))
			fail_msg("row %zu compiles", i);
		assert_int_equal(complaints.n, 1);
		assert_int_equal(complaints.rules[0], 2);
		if (!strstr(complaints.texts[0], rows[i].says))
			fail_msg("row %zu: %s", i, complaints.texts[0]);
	}
}

static void all_bad_rules_are_named_at_once(void **state)
{
	(void)state;
	const struct rule_spec rules[] = {RULE_OF("0", TARGET_PATH, "a"), RULE_OF("1", TARGET_URL, "("),
					  RULE_OF("2", TARGET_QUERY, "["), RULE_OF("3", TARGET_PATH, "b"),
					  RULE_OF("4", TARGET_FIELD, ")")};
	struct rule_complaints complaints = {0};
	assert_null(rule_set_new(rules, 5, NULL, note_complaint, &complaints));
	assert_int_equal(complaints.n, 3);
	assert_int_equal(complaints.rules[0], 1);
	assert_int_equal(complaints.rules[1], 2);
	assert_int_equal(complaints.rules[2], 4);
}

static void scratch_serves_many_shields(void **state)
{
	(void)state;
	const struct rule_spec small[] = {RULE_OF("small", TARGET_PATH, "one")};
	const struct rule_spec large[] = {RULE_OF("a", TARGET_QUERY, "a.{100}b"),
					  RULE_OF("b", TARGET_URL, "x[0-9]{1,50}y"),
					  RULE_OF("c", TARGET_PATH, "(?:one|two|three)+four.*five")};
	struct err err;
	struct bench benches[] = {bench_new(NULL, 0), bench_new(large, 3), bench_new(small, 1)};
	const struct shield *const all[] = {benches[0].shield, benches[1].shield, benches[2].shield};
	struct shield_scratch *scratch = shield_scratch_new(all, 3, &err);
	assert_non_null(scratch);
	assert_null(request_judge(benches[0].shield, scratch, "GET", "/one").rule);
	assert_string_equal(request_judge(benches[1].shield, scratch, "GET", "/x12y").rule, "b");
	assert_string_equal(request_judge(benches[2].shield, scratch, "GET", "/one").rule, "small");
	shield_scratch_free(scratch);
	for (size_t i = 0; i < 3; i++)
		bench_free(&benches[i]);
}

static void rules_that_cannot_be_matched_refuse(void **state)
{
	(void)state;
	const struct rule_spec rules[] = {RULE_OF("r", TARGET_PATH, "one")};
	struct err err;
	struct bench bench = bench_new(rules, 1);
	struct shield_scratch *scratch = shield_scratch_new(NULL, 0, &err);
	struct verdict verdict = request_judge(bench.shield, scratch, "GET", "/");
	assert_int_equal(verdict.action, VERDICT_REJECT);
	assert_string_equal(verdict.rule, SHIELD_RULE_BROKEN);
	shield_scratch_free(scratch);
	bench_free(&bench);
}

/* ---- what a condition may ask ---- */

struct value_row {
	enum rule_target target;
	const char *name, *value;
	const char *rule; /* that matches; NULL: none */
};

/* Each value by itself, and then all of them at once: the same rules must match. */
static void expect_matches(const struct rule_spec *rules, size_t n, const struct value_row *rows, size_t row_count)
{
	struct bench bench = bench_new(rules, n);
	struct rule_scratch *scratch = rule_scratch_new();
	struct rule_tally tally;
	struct rule_scan scan;
	struct err err;
	uint64_t alone = 0, together = 0;
	assert_true(rule_scratch_fit(scratch, bench.set, &err));
	for (size_t i = 0; i <= row_count; i++) {
		rule_tally_begin(&tally);
		rule_scan_begin(&scan, bench.set, scratch, &tally, NULL);
		for (size_t j = 0; j < row_count; j++) {
			const struct rule_value value = {.target = rows[j].target,
							 .name = span_from_str(rows[j].name),
							 .value = span_from_str(rows[j].value),
							 .raw = span_from_str(rows[j].value)};
			if (i == row_count || i == j)
				rule_scan_add(&scan, &value);
		}
		rule_scan_run(&scan);
		for (uint32_t hit = 0; hit < tally.hit_count; hit++)
			*(i == row_count ? &together : &alone) |= UINT64_C(1) << tally.hits[hit].rule;
		const char *got = tally.hit_count > 0 ? rules[tally.hits[0].rule].id : "-";
		if (i < row_count && strcmp(got, rows[i].rule ? rows[i].rule : "-") != 0)
			fail_msg("row %zu, '%s': %s", i, rows[i].value, got);
	}
	assert_int_equal(alone, together);
	rule_scratch_free(scratch);
	bench_free(&bench);
}

#define ONE(id_, ...) {.id = (id_), .message = "", .condition_count = 1, .conditions = (const struct rule_condition[]){__VA_ARGS__}}

static void each_operator_asks_what_it_says(void **state)
{
	(void)state;
	const struct rule_spec rules[] = {
	    ONE("contains", RULE_LOOKS_FOR(TARGET_ARG, OPERATOR_CONTAINS, "a.b", "c+d")),
	    ONE("word", RULE_LOOKS_FOR(TARGET_COOKIE, OPERATOR_WORD, "cat")),
	    ONE("prefix", RULE_LOOKS_FOR(TARGET_FORM, OPERATOR_PREFIX, "/x")),
	    ONE("suffix", RULE_LOOKS_FOR(TARGET_JSON, OPERATOR_SUFFIX, ".y")),
	    ONE("equals", RULE_LOOKS_FOR(TARGET_XML, OPERATOR_EQUALS, "z")),
	    ONE("longer", {.selectors = (const struct rule_selector[]){{TARGET_FILE_NAME, NULL, false}},
			   .selector_count = 1, .op = OPERATOR_LONGER, .number = 3}),
	    ONE("bytes", {.selectors = (const struct rule_selector[]){{TARGET_METHOD, NULL, false}},
			  .selector_count = 1, .op = OPERATOR_BYTES, .bytes = {[8] = 0xfe, [9] = 0xff, [10] = 0xff, [11] = 0x07}}),
	    ONE("ahead", RULE_LOOKS_FOR(TARGET_FIELD, OPERATOR_PATTERN, "a(?=b)")),
	    ONE("again", RULE_LOOKS_FOR(TARGET_FIELD_NAME, OPERATOR_PATTERN, "(x.)\\1")),
	};
	static const struct value_row rows[] = {
	    {TARGET_ARG, "q", "xxA.Bxx", "contains"}, {TARGET_ARG, "q", "axb", NULL}, {TARGET_ARG, "q", "c+d", "contains"},
	    {TARGET_COOKIE, "q", "a cat.", "word"},   {TARGET_COOKIE, "q", "concat", NULL}, {TARGET_COOKIE, "q", "cat_", NULL},
	    {TARGET_FORM, "q", "/xy", "prefix"},      {TARGET_FORM, "q", "a/x", NULL},      {TARGET_FORM, "q", "a\n/x", NULL},
	    {TARGET_JSON, "q", "x.Y", "suffix"},      {TARGET_JSON, "q", "x.y\n", NULL},    {TARGET_JSON, "q", "x.y\nz", NULL},
	    {TARGET_XML, "q", "Z", "equals"},         {TARGET_XML, "q", "zz", NULL},        {TARGET_XML, "q", "z\n", NULL},
	    {TARGET_FILE_NAME, "q", "1234", "longer"}, {TARGET_FILE_NAME, "q", "123", NULL},
	    {TARGET_METHOD, "", "GET", NULL},         {TARGET_METHOD, "", "GeT", "bytes"},
	    {TARGET_FIELD, "A", "xab", "ahead"},      {TARGET_FIELD, "A", "xac", NULL},
	    {TARGET_FIELD_NAME, "", "x1x1", "again"}, {TARGET_FIELD_NAME, "", "x1x2", NULL},
	};
	expect_matches(rules, sizeof(rules) / sizeof(rules[0]), rows, sizeof(rows) / sizeof(rows[0]));
}

static void ends_are_those_of_a_value_and_not_of_its_lines(void **state)
{
	(void)state;
	const struct rule_spec rules[] = {RULE_OF("both", TARGET_ARG, "^a$"), RULE_OF("begin", TARGET_ARG, "\\Ab"),
					  RULE_OF("end", TARGET_ARG, "c\\z"), RULE_OF("across", TARGET_ARG, "d.e")};
	static const struct value_row rows[] = {
	    {TARGET_ARG, "q", "a", "both"},   {TARGET_ARG, "q", "x\na", NULL}, {TARGET_ARG, "q", "a\nx", NULL},
	    {TARGET_ARG, "q", "bx", "begin"}, {TARGET_ARG, "q", "x\nb", NULL}, {TARGET_ARG, "q", "xc", "end"},
	    {TARGET_ARG, "q", "c\nx", NULL},  {TARGET_ARG, "q", "d", NULL},    {TARGET_ARG, "q", "e", NULL},
	    {TARGET_ARG, "q", "d\ne", "across"},
	};
	expect_matches(rules, 4, rows, sizeof(rows) / sizeof(rows[0]));
}

static void selectors_choose_by_name(void **state)
{
	(void)state;
	static const struct rule_selector chosen[] = {
	    {TARGET_ARG, "id", false}, {TARGET_FIELD, NULL, false}, {TARGET_FIELD, "Referer", true}};
	const char *const texts[] = {"<", NULL};
	const struct rule_condition condition = {.selectors = chosen, .selector_count = 3, .op = OPERATOR_CONTAINS, .texts = texts};
	const struct rule_spec rules[] = {{.id = "r", .message = "", .conditions = &condition, .condition_count = 1}};
	static const struct value_row rows[] = {
	    {TARGET_ARG, "ID", "<", "r"},   {TARGET_ARG, "x", "<", NULL},        {TARGET_FIELD, "A", "<", "r"},
	    {TARGET_FIELD, "referer", "<", NULL}, {TARGET_COOKIE, "id", "<", NULL},
	};
	expect_matches(rules, 1, rows, 5);
}

static void negated_condition_means_a_value_of_which_it_is_not_so(void **state)
{
	(void)state;
	const struct rule_condition condition = {
	    .selectors = (const struct rule_selector[]){{TARGET_ARG, "n", false}}, .selector_count = 1,
	    .op = OPERATOR_PATTERN, .negated = true, .texts = (const char *const[]){"^[0-9]+$", NULL}};
	const struct rule_spec rules[] = {{.id = "r", .message = "", .conditions = &condition, .condition_count = 1}};
	static const struct value_row rows[] = {
	    {TARGET_ARG, "n", "12", NULL}, {TARGET_ARG, "n", "12x", "r"}, {TARGET_ARG, "m", "x", NULL}};
	expect_matches(rules, 1, rows, 3);
}

static void transformations_apply_to_the_rules_that_ask_for_them(void **state)
{
	(void)state;
	struct rule_condition conditions[] = {RULE_LOOKS_FOR(TARGET_ARG, OPERATOR_CONTAINS, "<b>"),
					      RULE_LOOKS_FOR(TARGET_ARG, OPERATOR_CONTAINS, "%3ci%3e")};
	conditions[0].chain[0] = TRANSFORM_URL;
	conditions[0].chain[1] = TRANSFORM_HTML;
	const struct rule_spec rules[] = {{.id = "seen", .message = "", .conditions = &conditions[0], .condition_count = 1},
					  {.id = "raw", .message = "", .conditions = &conditions[1], .condition_count = 1}};
	static const struct value_row rows[] = {
	    {TARGET_ARG, "q", "<b>", "seen"},       {TARGET_ARG, "q", "%3cb%3e", "seen"}, {TARGET_ARG, "q", "%26lt;b&gt;", "seen"},
	    {TARGET_ARG, "q", "%3ci%3e", "raw"},    {TARGET_ARG, "q", "<i>", NULL},
	};
	expect_matches(rules, 2, rows, 5);
}

/* ---- what a match leads to ---- */

static void all_conditions_of_a_rule_must_hold_in_one_request(void **state)
{
	(void)state;
	const struct rule_spec rules[] = {
	    {.id = "r", .message = "", .condition_count = 2,
	     .conditions = (const struct rule_condition[]){RULE_LOOKS_FOR(TARGET_FIELD, OPERATOR_EQUALS, "x"),
							   RULE_LOOKS_FOR(TARGET_PATH, OPERATOR_PREFIX, "/a")}}};
	struct bench bench = bench_new(rules, 1);
	assert_string_equal(request_judge_with(bench.shield, bench.scratch, "GET", "/ab", "A: x\r\n").rule, "r");
	assert_null(request_judge_with(bench.shield, bench.scratch, "GET", "/b", "A: x\r\n").rule);
	assert_null(request_judge_with(bench.shield, bench.scratch, "GET", "/ab", "A: y\r\n").rule);
	bench_free(&bench);
}

static void scores_add_up_and_only_watched_rules_do_not_count(void **state)
{
	(void)state;
	struct rule_spec rules[] = {RULE_OF("a", TARGET_ARG, "a"), RULE_OF("b", TARGET_ARG, "b"),
				    RULE_OF("w", TARGET_ARG, "w"), RULE_OF("o", TARGET_ARG, "o")};
	rules[0].score = 3;
	rules[1].score = 2;
	rules[2].mode = SHIELD_MONITOR;
	rules[3].mode = SHIELD_OFF;
	struct bench bench = bench_new(rules, 4);
	struct verdict v = request_judge(bench.shield, bench.scratch, "GET", "/?q=aaa&r=a");
	assert_int_equal(v.action, VERDICT_ALLOW);
	assert_int_equal(v.score, 3);
	v = request_judge(bench.shield, bench.scratch, "GET", "/?q=a&r=xb");
	assert_int_equal(v.reason, REASON_SCORE);
	assert_int_equal(v.score, 5);
	assert_string_equal(v.rule, "a");
	assert_true(span_eq(v.evidence, SPAN("a")));
	v = request_judge(bench.shield, bench.scratch, "GET", "/?q=aw");
	assert_string_equal(v.rule, "w");
	assert_false(v.enforced);
	assert_int_equal(v.score, 3);
	assert_null(request_judge(bench.shield, bench.scratch, "GET", "/?q=o").rule);
	bench_free(&bench);
}

/* Values of content are gathered, and their names are gone before they are looked at. */
static void names_of_content_need_not_stay(void **state)
{
	(void)state;
	struct rule_selector place = {.target = TARGET_FORM, .name = "voucher"};
	struct rule_spec rules[] = {RULE_OF("v", TARGET_FORM, "evil")};
	struct rule_condition condition = rules[0].conditions[0];
	condition.selectors = &place;
	rules[0].conditions = &condition;
	struct rule_set *set = rules_compiled(rules, 1);
	struct rule_scratch *memory = rule_scratch_new();
	static struct rule_tally tally;
	static char name[40000];
	struct rule_scan scan;
	struct err err;
	assert_true(rule_scratch_fit(memory, set, &err));
	rule_tally_begin(&tally);
	rule_scan_begin(&scan, set, memory, &tally, NULL);
	const size_t lengths[] = {3, 7, 40000, 30000, 7};
	for (size_t i = 0; i < 5; i++) {
		memset(name, 'n', sizeof(name));
		memcpy(name, "voucher", 7);
		const struct rule_value value = {.target = TARGET_FORM,
						 .name = span_of(name, lengths[i]),
						 .value = i == 4 ? SPAN("evil 2") : lengths[i] == 7 ? SPAN("good") : SPAN("evil 1")};
		rule_scan_add(&scan, &value);
	}
	memset(name, '-', sizeof(name));
	rule_scan_run(&scan);
	assert_int_equal(tally.hit_count, 1);
	assert_true(span_eq(tally.hits[0].name, SPAN("voucher")));
	assert_true(span_eq(tally.hits[0].evidence, SPAN("evil")));
	rule_scratch_free(memory);
	rule_set_free(set);
}

static void content_goes_on_where_the_head_ended(void **state)
{
	(void)state;
	struct rule_spec rules[] = {RULE_OF("a", TARGET_ARG, "a"), RULE_OF("j", TARGET_JSON, "x+"),
				    RULE_OF("k", TARGET_JSON, "kill")};
	rules[0].score = rules[1].score = 3;
	struct bench bench = bench_new(rules, 3);
	struct shield_content content;
	struct rule_scan scan;
	struct verdict v = request_judge(bench.shield, bench.scratch, "GET", "/?q=a");
	char gone[] = "some xx and kill", name[] = "order.sku";
	struct rule_value value = {
	    .target = TARGET_JSON, .name = span_from_str(name), .value = SPAN("nothing")};
	shield_content_begin(&content, bench.shield, bench.scratch, SHIELD_ENFORCE, v.score);
	assert_true(content.asks);
	shield_content_scan(&content, bench.scratch, &scan);
	rule_scan_add(&scan, &value);
	rule_scan_run(&scan);
	assert_false(shield_content_judge(&content, &v));
	assert_int_equal(v.score, 3);
	value.value = span_of(gone, 7);
	shield_content_scan(&content, bench.scratch, &scan);
	rule_scan_add(&scan, &value);
	rule_scan_run(&scan);
	assert_true(shield_content_judge(&content, &v));
	assert_int_equal(v.reason, REASON_SCORE);
	value.value = span_from_str(gone);
	shield_content_scan(&content, bench.scratch, &scan);
	rule_scan_add(&scan, &value);
	rule_scan_run(&scan);
	memset(gone, '-', sizeof(gone));
	memset(name, '-', sizeof(name));
	assert_true(shield_content_judge(&content, &v));
	assert_string_equal(v.rule, "k");
	assert_true(span_eq(v.evidence, SPAN("some xx and kill")));
	assert_true(span_eq(v.name, SPAN("order.sku")));
	bench_free(&bench);
}

/* As parsers of content do: the memory of one name is that of the next one. */
static void names_of_content_are_those_that_came_with_their_values(void **state)
{
	(void)state;
	static const struct rule_selector named[] = {{.target = TARGET_FORM, .name = "evil"}};
	const struct rule_condition condition = {.selectors = named, .selector_count = 1,
						 .op = OPERATOR_CONTAINS, .texts = (const char *const[]){"<x>", NULL}};
	const struct rule_spec rules[] = {
	    {.id = "named", .message = "", .conditions = &condition, .condition_count = 1}};
	struct bench bench = bench_new(rules, 1);
	struct rule_scratch *scratch = rule_scratch_new();
	char *name = malloc(70000);
	struct err err;
	assert_non_null(name);
	assert_true(rule_scratch_fit(scratch, bench.set, &err));
	for (size_t len = 4; len < 70000; len = len * 4 + 1) {
		struct rule_tally tally;
		struct rule_scan scan;
		struct rule_value value = {.target = TARGET_FORM, .name = span_of(name, 4), .value = SPAN("<x>")};
		rule_tally_begin(&tally);
		rule_scan_begin(&scan, bench.set, scratch, &tally, NULL);
		for (unsigned i = 0; i < 300; i++) {
			memset(name, 'e', len);
			memcpy(name, i == 200 ? "evil" : "good", 4);
			value.name.len = i == 200 ? 4 : len;
			rule_scan_add(&scan, &value);
		}
		memset(name, '-', len);
		rule_scan_run(&scan);
		assert_int_equal(tally.hit_count, 1);
		assert_true(span_eq(tally.hits[0].name, SPAN("evil")));
	}
	free(name);
	rule_scratch_free(scratch);
	bench_free(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rule_sees_what_its_where_says),
	    cmocka_unit_test(rule_that_comes_first_is_named),
	    cmocka_unit_test(rule_shows_what_it_saw_up_to_the_match),
	    cmocka_unit_test(bad_rule_is_named_with_what_is_wrong),
	    cmocka_unit_test(all_bad_rules_are_named_at_once),
	    cmocka_unit_test(scratch_serves_many_shields),
	    cmocka_unit_test(rules_that_cannot_be_matched_refuse),
	    cmocka_unit_test(each_operator_asks_what_it_says),
	    cmocka_unit_test(ends_are_those_of_a_value_and_not_of_its_lines),
	    cmocka_unit_test(selectors_choose_by_name),
	    cmocka_unit_test(negated_condition_means_a_value_of_which_it_is_not_so),
	    cmocka_unit_test(transformations_apply_to_the_rules_that_ask_for_them),
	    cmocka_unit_test(all_conditions_of_a_rule_must_hold_in_one_request),
	    cmocka_unit_test(scores_add_up_and_only_watched_rules_do_not_count),
	    cmocka_unit_test(names_of_content_need_not_stay),
	    cmocka_unit_test(content_goes_on_where_the_head_ended),
	    cmocka_unit_test(names_of_content_are_those_that_came_with_their_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

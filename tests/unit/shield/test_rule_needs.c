/* Patterns and plain values: which patterns need a mark, and what is left of the others, is the same to each plain text
 * as the whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "dice.h"
#include "shield/rules_confirm.h"
#include "shield/rules_needs.h"

static void patterns_that_need_marks_are_told(void **state)
{
	(void)state;
	static const struct {
		const char *pattern;
		bool needs;
	} patterns[] = {
	    {"<script", true},        {"a<", true},          {"a<?b", false},      {"a<*", false},
	    {"a<+", true},            {"a(?:<|>)b", true},   {"a(?:<|b)", false},  {"[<>]x", true},
	    {"[<a]x", false},         {"[^a]", false},       {"[!-/]", false},     {"\\(x", true},
	    {"\\x3c", true},          {"\\x41", false},      {"\\bx\\b", false},   {"\\s<", true},
	    {"x{0,3}", false},        {"<{0,3}a", false},    {"<{2}", true},       {"(?=<)a", false},
	    {"(?i)<", false},         {"(<)\\1", false},     {"a|<", false},       {"<|>", true},
	    {"(?:a<)?b", false},      {"(?:a<){1,2}b", true}, {"\\Q<\\E", false},  {"\\n", true},
	    {"[]<]", true},           {"[\\]<]", true},      {"<", true},          {"a.b", false},
	    {"\\xe5", false},         {"^[\\w.]*$", false},  {"(*ANY)<", false},   {"<{,3}", false},
	};
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		const char *texts[] = {patterns[i].pattern, NULL};
		struct rule_condition condition = {.op = OPERATOR_PATTERN, .texts = texts};
		if (condition_needs_marks(&condition, KIND_MARK) != patterns[i].needs)
			fail_msg("%s", patterns[i].pattern);
	}
}

static void what_needs_marks_is_left_out(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *plain;
	} rows[] = {
	    {"abc", "abc"},
	    {"a|<", "a"},
	    {"<|a", "a"},
	    {"<|a|>|b", "a|b"},
	    {"x(?:a<|b|c>)y", "x(?:b)y"},
	    {"x(?:<b>)?y", "xy"},
	    {"x<*y?z", "xy?z"},
	    {"x(?:<|a)+y", "x(?:a)+y"},
	    {"x(a(?:<|b){2,3}|>)y", "x(a(?:b){2,3})y"},
	    {"x[<>]{0,3}y", "xy"},
	    {"x[<a]y\\s\\(?", "x[<a]y\\s"},
	    {"\\bsp_(?:run|\\(x)\\b|exec\\s*\\(", "\\bsp_(?:run)\\b"},
	    {"a(?:|<)b", "a(?:)b"},
	    {"a<{01}|b", "b"},
	    {"(?=<)a|<", "(?=<)a|<"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct strbuf out;
		strbuf_init(&out, 256);
		assert_true(pattern_write_plain(rows[i].pattern, KIND_MARK, &out));
		assert_string_equal(out.data, rows[i].plain);
		strbuf_release(&out);
	}
	struct strbuf out;
	strbuf_init(&out, 256);
	assert_false(pattern_write_plain("a<|(?:b|c)>", KIND_MARK, &out));
	strbuf_release(&out);
}

/* ---- any pattern, any plain text ---- */

static uint64_t seed = 3;

static void write_alternatives(struct strbuf *out, int depth);

static void write_element(struct strbuf *out, int depth)
{
	static const char *const singles[] = {"a", "b", "<", "-", "\\(", "[<>]", "[a<]", "[^b]", "\\s", "\\x3c", "/", "[/<]", ".", "\\b", "^", "$"};
	/* of a group the first only, lest a match takes more steps than it may */
	static const char *const repeats[] = {"", "", "", "?", "{0,2}", "{2}", "*", "+", "{1,2}", "*?"};
	size_t sides = sizeof(repeats) / sizeof(repeats[0]);
	if (depth > 0 && dice_below(&seed, 3) == 0) {
		strbuf_add_str(out, dice_below(&seed, 2) ? "(?:" : "(");
		write_alternatives(out, depth - 1);
		strbuf_add_char(out, ')');
		sides = 6;
	} else {
		size_t single = dice_below(&seed, sizeof(singles) / sizeof(singles[0]));
		strbuf_add_str(out, singles[single]);
		if (single > 12)
			return; /* nothing to repeat */
	}
	strbuf_add_str(out, repeats[dice_below(&seed, sides)]);
}

static void write_alternatives(struct strbuf *out, int depth)
{
	for (size_t alternatives = 1 + dice_below(&seed, 3); alternatives > 0; alternatives--) {
		for (size_t elements = dice_below(&seed, 4); elements > 0; elements--)
			write_element(out, depth);
		if (alternatives > 1)
			strbuf_add_char(out, '|');
	}
}

static struct confirm *compiled(const char *pattern)
{
	struct err err = {""};
	struct confirm *confirm = confirm_new(pattern, false, &err);
	if (!confirm)
		fail_msg("%s: %s", pattern, err.text);
	return confirm;
}

enum answer { NO, YES, TOO_LONG };

static enum answer ask(const struct confirm *confirm, struct confirm_scratch *scratch, struct span text)
{
	size_t begin, end;
	if (!confirm || !confirm_match(confirm, scratch, text, &end))
		return NO;
	return confirm_find(confirm, scratch, text, &begin, &end) ? YES : TOO_LONG;
}

static void compare(const char *pattern, const struct strbuf *plain, bool may_match, enum byte_kind marks,
		    struct confirm_scratch *scratch)
{
	const char *const bytes = marks == KIND_MARK ? "ab -" : "ab/=";
	struct confirm *whole = compiled(pattern), *rest = may_match ? compiled(plain->data) : NULL;
	for (int i = 0; i < 12; i++) {
		char text[8];
		size_t len = dice_below(&seed, sizeof(text));
		for (size_t j = 0; j < len; j++)
			text[j] = bytes[dice_below(&seed, 4)];
		const enum answer matches = ask(whole, scratch, span_of(text, len));
		if (matches != TOO_LONG && matches != ask(rest, scratch, span_of(text, len)))
			fail_msg("%s, %s: '%.*s'", pattern, may_match ? plain->data : "(none)", (int)len, text);
	}
	confirm_free(whole);
	confirm_free(rest);
}

static void what_is_left_matches_the_same_plain_texts(void **state)
{
	(void)state;
	struct confirm_scratch *scratch = confirm_scratch_new();
	struct strbuf pattern, plain;
	strbuf_init(&pattern, 4096);
	strbuf_init(&plain, 4096);
	unsigned shorter = 0, none = 0;
	for (int round = 0; round < 6000; round++) {
		strbuf_reset(&pattern);
		strbuf_reset(&plain);
		strbuf_add_str(&pattern, "");
		write_alternatives(&pattern, 3);
		const enum byte_kind marks = round % 2 ? KIND_MARK : KIND_ODD;
		bool may_match = pattern_write_plain(pattern.data, marks, &plain);
		strbuf_add_str(&plain, "");
		compare(pattern.data, &plain, may_match, marks, scratch);
		shorter += may_match && plain.len < pattern.len;
		none += !may_match;
	}
	assert_true(shorter > 500 && none > 100);
	strbuf_release(&pattern);
	strbuf_release(&plain);
	confirm_scratch_free(scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(patterns_that_need_marks_are_told),
	    cmocka_unit_test(what_needs_marks_is_left_out),
	    cmocka_unit_test(what_is_left_matches_the_same_plain_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

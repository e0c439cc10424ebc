/* No value costs the rules that come with sallyport more than time in proportion to its bytes, whatever is
 * in it: the worst that was thought of or found by fuzzing. Measured in time of this thread and beside a
 * yardstick, so that neither the machine nor its load matters much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "cost.h"
#include "vectors.h"

enum { SMALL = 16 << 10, LARGE = 256 << 10 };

#ifdef SALLYPORT_SANITIZED
enum { NS_PER_BYTE_MAX = 40000 };
#else
enum { NS_PER_BYTE_MAX = 1200 }; /* near twice the worst: what grows faster than its bytes is far above */
#endif

static struct cost cost;
static char text[LARGE];

static const char *const pieces[] = {
    "'", "\"", "<", "<a ", "<a b=c ", "${", "{{", "/*", "*/", "/*!50000", "%25", "%u00", "&#", "&#x3c;", "&lt",
    "\\", "\\x3c", "\\u003", "(", ")", "((((a", "../", "..\\", "./", "union select ", "select from ", " or ", "' or '",
    "1 and ", ";", "|", "$(", "$IFS", "${IFS}", "`", "on", " onload", "\nx", "\r\n", "a", "0", "-", "--", "=", "a=",
    "script", "javascript:", "javascript:a.", "data:", "http://", "http://a.", "O:1:\"", "__class__", "${lower:", "${${",
    "{{a", "#{", "<?", "<!", "<!--", "\xe5\x98", "\xc4", "\xad", "-d ", ".php", "/x", "//", "%", "&", "*", ")(", "*)(",
    "::", "child::", "$ne", "[$", "[", "]", "a[", "char(1)+", "concat(", "sleep(", "and sleep", "x' and (", "exec ",
    "/bin/", "cat /", ";cat ", "ping -", "select a ", "w3af", "sqlmap ", "a.b.", "1.1.1.", "::ffff:", "\"'\"'", "<img src=",
};

static bool is_too_slow(uint64_t ns, size_t len)
{
	return ns > (uint64_t)len * NS_PER_BYTE_MAX;
}

/* The best of several where the first is near the bound: what else the machine does is not meant. */
static uint64_t best_of(enum rule_target target, size_t len)
{
	uint64_t best = cost_of_value(&cost, target, span_of(text, len));
	for (int again = 0; again < 3 && is_too_slow(best, len / 4); again++) {
		uint64_t ns = paced_ns(cost_of_value(&cost, target, span_of(text, len)));
		best = ns < best ? ns : best;
	}
	return best;
}

static void check(enum rule_target target, struct span before, struct span unit, struct span behind)
{
	cost_fill(text, SMALL, before, unit, behind);
	uint64_t small = best_of(target, SMALL);
	cost_fill(text, LARGE, before, unit, behind);
	uint64_t large = best_of(target, LARGE);
	if (is_too_slow(large, LARGE) || is_too_slow(small, SMALL) || large > 64 * small + 50000000)
		fail_msg("'%.*s' '%.*s' '%.*s' as %s: %llu ns for %d bytes, %llu for %d", SPAN_ARG(before), SPAN_ARG(unit),
			 SPAN_ARG(behind), rule_target_word(target), (unsigned long long)small, SMALL,
			 (unsigned long long)large, LARGE);
	if (getenv("SHOW"))
		print_message("%6.1f ns/byte %s '%.*s' '%.*s' '%.*s'\n", (double)large / LARGE, rule_target_word(target),
			      SPAN_ARG(before), SPAN_ARG(unit), SPAN_ARG(behind));
}

static void check_in_turn(const char *a, const char *b, enum rule_target target)
{
	char both[64];
	int len = snprintf(both, sizeof(both), "%s%s", a, a == b ? "" : b);
	check(target, SPAN(""), span_of(both, (size_t)len), SPAN(""));
}

static int open_rules(void **state)
{
	(void)state;
	return cost_open(&cost) ? 0 : -1;
}

static int close_rules(void **state)
{
	(void)state;
	cost_close(&cost);
	return 0;
}

static void a_piece_over_and_over_costs_linear_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		check_in_turn(pieces[i], pieces[i], TARGET_ARG);
		check_in_turn(pieces[i], pieces[i], TARGET_URL);
		check_in_turn(pieces[i], pieces[i], TARGET_FIELD);
	}
}

static void two_pieces_in_turn_cost_linear_time(void **state)
{
	(void)state;
	const size_t n = sizeof(pieces) / sizeof(pieces[0]);
	for (size_t i = 0; i < n; i++)
		check_in_turn(pieces[i], pieces[(i * 7 + 13) % n], TARGET_ARG);
}

/* ---- the words of every pattern ---- */

enum { WORD_MAX = 24 };

/* The next run of bytes in a pattern that stand for themselves; 0: there is no other. */
static size_t next_word(const char **at, char word[WORD_MAX])
{
	size_t len = 0;
	for (; **at && len < WORD_MAX; (*at)++) {
		bool is_escape = (*at)[0] == '\\' && (*at)[1] != '\0', is_mark = strchr("()[]{}|?*+^$.", **at) != NULL;
		if (is_escape)
			(*at)++;
		if (is_escape ? !strchr("wWdDsSbBxAzZ", **at) : !is_mark)
			word[len++] = is_escape && **at == 'n' ? '\n' : **at;
		else if (len > 0)
			return len;
	}
	return len;
}

/* Short: over all words of all patterns. What is slow in a long value is slow in this, too. */
static void check_words(enum rule_target target, struct span before, struct span unit, unsigned *tried)
{
	enum { LEN = 4 << 10 };
	cost_fill(text, LEN, before, unit, SPAN(""));
	uint64_t ns = best_of(target, LEN);
	if (is_too_slow(ns, LEN))
		fail_msg("'%.*s' '%.*s' as %s: %llu ns for %d bytes", SPAN_ARG(before), SPAN_ARG(unit),
			 rule_target_word(target), (unsigned long long)ns, LEN);
	++*tried;
}

static void check_pattern(const struct rule_condition *condition, unsigned *tried)
{
	char words[2][WORD_MAX], both[2 * WORD_MAX];
	size_t last = 0, len;
	for (const char *const *pattern = condition->texts; pattern && *pattern; pattern++) {
		const char *at = *pattern;
		for (int i = 0; (len = next_word(&at, words[i])) > 0; i = !i, last = len) {
			const char *other = words[!i];
			memcpy(both, other, last);
			memcpy(both + last, words[i], len);
			check_words(condition->selectors[0].target, span_of(other, last), span_of(words[i], len), tried);
			check_words(condition->selectors[0].target, SPAN(""), span_of(both, last + len), tried);
		}
	}
}

static void no_pattern_is_slow_on_its_own_words(void **state)
{
	(void)state;
	unsigned tried = 0;
	for (size_t i = 0; i < cost.settings->rule_count; i++) {
		const struct rule_spec *rule = &cost.settings->rule_specs[i];
		for (size_t j = 0; j < rule->condition_count; j++)
			check_pattern(&rule->conditions[j], &tried);
	}
	assert_true(tried > 2000);
}

/* tests/bench/slow found them. */
static void the_worst_that_was_found_costs_linear_time(void **state)
{
	(void)state;
	static struct vector_file row;
	unsigned rows = 0;
	vectors_open(&row, "tests/vectors/slow.txt");
	for (; vectors_next(&row); rows++) {
		assert_true(row.n >= 4 && row.columns[2].len > 1);
		enum rule_target target = rule_target_of(row.columns[0]);
		assert_int_not_equal(target, TARGET_UNSET);
		check(target, span_from(row.columns[1], 1), span_from(row.columns[2], 1), span_from(row.columns[3], 1));
	}
	assert_true(rows >= 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_piece_over_and_over_costs_linear_time),
	    cmocka_unit_test(two_pieces_in_turn_cost_linear_time),
	    cmocka_unit_test(no_pattern_is_slow_on_its_own_words),
	    cmocka_unit_test(the_worst_that_was_found_costs_linear_time),
	};
	return cmocka_run_group_tests(tests, open_rules, close_rules);
}

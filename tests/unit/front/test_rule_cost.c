/* No value costs the rules that come with sallyport more than time in proportion to its bytes, whatever is
 * in it: the worst that was thought of or found by fuzzing. Measured in time of this thread, so that
 * the load of the machine does not matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>
#include "sallyport/settings.h"

enum { SMALL = 16 << 10, LARGE = 256 << 10 };

#ifdef SALLYPORT_SANITIZED
enum { NS_PER_BYTE_MAX = 40000 };
#else
enum { NS_PER_BYTE_MAX = 800 };
#endif

static struct settings *settings;
static struct rule_scratch *scratch;
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

static uint64_t cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t cost_of(enum rule_target target, size_t len)
{
	static struct rule_tally tally;
	struct rule_scan scan;
	const struct rule_value value = {
	    .target = target, .name = SPAN("q"), .value = span_of(text, len), .raw = span_of(text, len)};
	uint64_t begin = cpu_ns();
	rule_tally_begin(&tally);
	rule_scan_begin(&scan, settings->rule_set, scratch, &tally, NULL);
	rule_scan_add(&scan, &value);
	rule_scan_run(&scan);
	assert_false(tally.broken);
	return cpu_ns() - begin;
}

static void fill(const char *a, const char *b)
{
	size_t n = 0;
	for (const char *p = a; n < LARGE; p = p == a ? b : a) {
		for (const char *c = p; *c && n < LARGE; c++)
			text[n++] = *c;
	}
}

static void check(const char *a, const char *b, enum rule_target target)
{
	fill(a, b);
	uint64_t small = cost_of(target, SMALL), large = cost_of(target, LARGE);
	uint64_t most = large;
	for (int again = 0; again < 3 && most > (uint64_t)LARGE * NS_PER_BYTE_MAX / 4; again++) {
		large = cost_of(target, LARGE);
		most = large < most ? large : most;
	}
	if (most > (uint64_t)LARGE * NS_PER_BYTE_MAX || most > 64 * small + 50000000)
		fail_msg("'%s' with '%s' as %s: %llu ns for %d bytes, %llu for %d", a, b,
			 rule_target_word(target), (unsigned long long)small, SMALL,
			 (unsigned long long)most, LARGE);
	if (getenv("SHOW"))
		print_message("%6.1f ns/byte %s '%s' '%s'\n", (double)most / LARGE, rule_target_word(target), a, b);
}

static int open_rules(void **state)
{
	(void)state;
	const struct settings_overrides overrides = {.listen = ":8080", .origin = "http://192.0.2.1"};
	struct policy_errors *errors = policy_errors_new();
	struct err err;
	setenv("SALLYPORT_DATADIR", ".", 1);
	settings = settings_load(NULL, &overrides, errors);
	policy_errors_free(errors);
	scratch = rule_scratch_new();
	assert_non_null(settings);
	assert_non_null(scratch);
	return rule_scratch_fit(scratch, settings->rule_set, &err) ? 0 : -1;
}

static int close_rules(void **state)
{
	(void)state;
	rule_scratch_free(scratch);
	settings_free(settings);
	return 0;
}

static void a_piece_over_and_over_costs_linear_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		check(pieces[i], pieces[i], TARGET_ARG);
		check(pieces[i], pieces[i], TARGET_URL);
		check(pieces[i], pieces[i], TARGET_FIELD);
	}
}

static void two_pieces_in_turn_cost_linear_time(void **state)
{
	(void)state;
	const size_t n = sizeof(pieces) / sizeof(pieces[0]);
	for (size_t i = 0; i < n; i++)
		check(pieces[i], pieces[(i * 7 + 13) % n], TARGET_ARG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_piece_over_and_over_costs_linear_time),
	    cmocka_unit_test(two_pieces_in_turn_cost_linear_time),
	};
	return cmocka_run_group_tests(tests, open_rules, close_rules);
}

/* The rules that come with sallyport, against requests that they must refuse and near misses that
 * they must not. Every rule has both: tests/vectors/worms.txt and rules.txt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sallyport/judge.h"
#include "vectors.h"

enum { RULES_ROOM = 1024 };

static struct settings *settings;
static struct shield_scratch *scratch;
static unsigned tripped[RULES_ROOM], missed[RULES_ROOM];

static int open_gate(void **state)
{
	(void)state;
	struct settings_overrides overrides = {.listen = ":8080", .origin = "http://192.0.2.1"};
	struct policy_errors *errors = policy_errors_new();
	struct err err;
	setenv("SALLYPORT_DATADIR", ".", 1);
	settings = settings_load(NULL, &overrides, errors);
	assert_non_null(settings);
	assert_int_equal(policy_warnings_count(errors), 0);
	policy_errors_free(errors);
	const struct shield *shield = ((const struct site *)settings->sites.items)->shield;
	scratch = shield_scratch_new(&shield, 1, &err);
	assert_non_null(scratch);
	assert_in_range(settings->rule_count, 1, RULES_ROOM);
	return 0;
}

static int close_gate(void **state)
{
	(void)state;
	shield_scratch_free(scratch);
	settings_free(settings);
	return 0;
}

/* Columns from the third on are the target and then names and values of fields. */
static size_t write_head(const struct vector_file *row, char *text, size_t room)
{
	struct span target = row->columns[2], host = SPAN("shop.example");
	if (span_starts(target, SPAN("http://"))) {
		host = span_from(target, 7);
		host.len = span_find(host, '/');
	}
	size_t len = (size_t)snprintf(text, room, "%.*s %.*s HTTP/1.1\r\nHost: %.*s\r\n",
				      SPAN_ARG(row->columns[1]), SPAN_ARG(target), SPAN_ARG(host));
	for (size_t i = 3; i + 1 < row->n; i += 2)
		len += (size_t)snprintf(text + len, room - len, "%.*s: %.*s\r\n",
					SPAN_ARG(row->columns[i]), SPAN_ARG(row->columns[i + 1]));
	return len + (size_t)snprintf(text + len, room - len, "\r\n");
}

/* A value that no head has: its target's word with "=", and the value. */
static bool is_content(const struct vector_file *row)
{
	return row->n > 4 && span_ends(row->columns[3], SPAN("="));
}

/* Of the row that was judged last. */
static const struct rule_tally *found;

static const char *judge_content(const struct vector_file *row)
{
	struct rule_scratch *memory = rule_scratch_new();
	static struct rule_tally tally;
	struct rule_scan scan;
	struct err err;
	struct span word = row->columns[3];
	word.len--;
	const struct rule_value value = {
	    .target = rule_target_of(word), .value = row->columns[4], .raw = row->columns[4]};
	assert_int_not_equal(value.target, TARGET_UNSET);
	assert_true(rule_scratch_fit(memory, settings->rule_set, &err));
	found = &tally;
	rule_tally_begin(&tally);
	rule_scan_begin(&scan, settings->rule_set, memory, &tally, NULL);
	rule_scan_add(&scan, &value);
	rule_scan_run(&scan);
	rule_scratch_free(memory);
	assert_false(tally.broken);
	return tally.hit_count > 0 ? settings->rule_specs[tally.hits[0].rule].id : "pass";
}

/* What the table calls it: a rule's id, a reason's name, or "pass". */
static const char *judge_row(const struct vector_file *row, struct verdict *verdict)
{
	static const struct http_limits limits = {65000, 16384, 100, 16384};
	static char text[65536], room[JUDGE_ROOM(16384)], buf[16385];
	static struct http_head head;
	struct subject subject;
	struct span evidence;
	enum reason reason = REASON_UNSET;
	if (is_content(row))
		return judge_content(row);
	size_t len = write_head(row, text, sizeof(text));
	found = shield_tally(scratch);
	rule_tally_begin((struct rule_tally *)(uintptr_t)found);
	if (http_parse_request(text, len, 0, &limits, &head, &reason, &evidence) != HTTP_PARSE_DONE)
		return reason_name(reason);
	reason = judge_locate(settings, &head, false, room, &subject);
	if (reason != REASON_UNSET)
		return reason_name(reason);
	judge_verdict(&head, &subject, scratch, buf, verdict);
	if (verdict->action == VERDICT_ALLOW)
		return "pass";
	return verdict->reason == REASON_RULE ? verdict->rule : reason_name(verdict->reason);
}

static bool has_hit(struct span id)
{
	for (uint32_t i = 0; i < found->hit_count; i++) {
		if (span_eq(span_from_str(settings->rule_specs[found->hits[i].rule].id), id))
			return true;
	}
	return false;
}

/* "+id": that rule matches, whatever the verdict; "!id": it does not, and the request passes. */
static bool is_as_it_should(const struct vector_file *row, const char *result)
{
	struct span wanted = row->columns[0];
	if (wanted.ptr[0] == '+')
		return has_hit(span_from(wanted, 1));
	if (wanted.ptr[0] == '!')
		return strcmp(result, "pass") == 0 && !has_hit(span_from(wanted, 1));
	return span_eq(span_from_str(result), wanted);
}

static void count_row(const struct vector_file *row)
{
	struct span wanted = row->columns[0];
	bool misses = wanted.ptr[0] == '!';
	struct span id = wanted.ptr[0] == '+' || misses ? span_from(wanted, 1) : wanted;
	for (size_t i = 0; i < settings->rule_count; i++) {
		if (span_eq(span_from_str(settings->rule_specs[i].id), id))
			(misses ? missed : tripped)[i]++;
	}
}

static unsigned judge_table(const char *path)
{
	static struct vector_file row;
	unsigned wrong = 0;
	vectors_open(&row, path);
	while (vectors_next(&row)) {
		struct verdict verdict = {0};
		assert_true(row.n >= 3 && row.n % 2 == 1);
		const char *result = judge_row(&row, &verdict);
		count_row(&row);
		if (is_as_it_should(&row, result))
			continue;
		print_error("%s:%u: %s\n", row.path, row.line, result);
		wrong++;
	}
	return wrong;
}

static void hostile_requests_are_refused_and_near_misses_pass(void **state)
{
	(void)state;
	unsigned wrong = judge_table("tests/vectors/worms.txt");
	wrong += judge_table("tests/vectors/rules.txt");
	assert_int_equal(wrong, 0);
}

static void every_rule_has_both(void **state)
{
	(void)state;
	unsigned lacking = 0;
	for (size_t i = 0; i < settings->rule_count; i++) {
		const char *id = settings->rule_specs[i].id;
		bool is_worm = strncmp(id, "worm.", 5) == 0; /* their near misses are "pass" */
		if (tripped[i] > 0 && (missed[i] > 0 || is_worm))
			continue;
		print_error("%s: no request that %s it\n", id, tripped[i] ? "just misses" : "trips");
		lacking++;
	}
	assert_int_equal(lacking, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hostile_requests_are_refused_and_near_misses_pass),
	    cmocka_unit_test(every_rule_has_both),
	};
	return cmocka_run_group_tests(tests, open_gate, close_gate);
}

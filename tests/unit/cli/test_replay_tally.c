/* What a replay counts, and that neither rows, clients nor examples grow without bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "cli/replay_tally.h"

static struct tally tally;
static struct logged request;
static struct opinion opinion;

static struct row *add(const char *rule, const char *client, unsigned status)
{
	request = (struct logged){.method = SPAN("GET"), .target = SPAN("/x?q=evidence"), .client = span_from_str(client),
				  .status = status};
	opinion = (struct opinion){.refused = true, .reason = REASON_RULE, .rule = rule, .evidence = SPAN("evidence")};
	struct tally_entry entry = {ROW_REJECTED, &request, &opinion, "access.log", 7};
	struct row *row = tally_add(&tally, &entry);
	assert_non_null(row);
	return row;
}

static void begin(size_t show)
{
	assert_true(tally_init(&tally, show));
}

static void each_row_counts_requests_successes_and_clients(void **state)
{
	(void)state;
	begin(2);
	add("a", "192.0.2.1", 200);
	add("a", "192.0.2.1", 404);
	struct row *row = add("a", "192.0.2.2", 304);
	add("b", "192.0.2.1", 403);
	assert_int_equal(row->count, 3);
	assert_int_equal(row->succeeded, 2);
	assert_int_equal(row->clients, 2);
	assert_int_equal(tally.totals[ROW_REJECTED].count, 4);
	assert_int_equal(tally.totals[ROW_REJECTED].clients, 2);
	tally_sort(&tally);
	assert_string_equal(tally.rows->name, "a");
	tally_release(&tally);
}

static void an_example_that_succeeded_takes_the_place_of_one_that_did_not(void **state)
{
	(void)state;
	begin(2);
	add("a", "x", 404);
	add("a", "x", 404);
	struct row *row = add("a", "x", 200);
	assert_int_equal(row->example_count, 2);
	assert_int_equal(row->examples[0]->status, 200);
	assert_int_equal(row->examples[1]->status, 404);
	add("a", "x", 301);
	add("a", "x", 204);
	assert_int_equal(row->examples[0]->status, 200);
	assert_int_equal(row->examples[1]->status, 301);
	assert_true(span_eq(row->examples[1]->request, SPAN("GET /x?q=evidence")));
	assert_true(span_eq(row->examples[1]->evidence, SPAN("evidence")));
	tally_release(&tally);
}

static void rows_beyond_the_bound_share_one(void **state)
{
	char rule[32];
	(void)state;
	begin(0);
	for (int i = 0; i < TALLY_ROWS_MAX + 100; i++) {
		snprintf(rule, sizeof(rule), "rule-%d", i);
		add(rule, "x", 200);
	}
	assert_int_equal(tally.row_count, TALLY_ROWS_MAX + 1);
	struct row *row = add("one-more", "x", 200);
	assert_string_equal(row->name, "(others)");
	assert_int_equal(row->count, 101);
	assert_int_equal(add("rule-5", "x", 200)->count, 2);
	tally_release(&tally);
}

static void clients_beyond_the_bound_are_told_as_such(void **state)
{
	char client[32];
	(void)state;
	begin(0);
	for (int i = 0; i < TALLY_CLIENTS_MAX + 100; i++) {
		snprintf(client, sizeof(client), "%d", i);
		add("a", client, 200);
		assert_true(tally.client_room <= 2 * TALLY_CLIENTS_MAX);
	}
	assert_true(tally.clients_full);
	assert_int_equal(tally.rows->count, TALLY_CLIENTS_MAX + 100);
	assert_int_equal(tally.rows->clients, TALLY_CLIENTS_MAX / 2);
	tally_release(&tally);
}

static void long_texts_are_cut_around_what_decided(void **state)
{
	static char target[3 * TALLY_EXAMPLE_MAX];
	(void)state;
	begin(1);
	memset(target, 'x', sizeof(target));
	memcpy(target + 2 * TALLY_EXAMPLE_MAX, "<evidence>", 10);
	request = (struct logged){.method = SPAN("GET"), .target = span_of(target, sizeof(target)), .status = 200};
	opinion = (struct opinion){.refused = true, .reason = REASON_RULE, .rule = "a", .evidence = SPAN("<evidence>")};
	struct tally_entry entry = {ROW_REJECTED, &request, &opinion, "access.log", 7};
	struct row *row = tally_add(&tally, &entry);
	assert_non_null(row);
	const struct example *example = row->examples[0];
	assert_true(example->is_cut && example->request.len <= TALLY_EXAMPLE_MAX);
	assert_non_null(memmem(example->request.ptr, example->request.len, "<evidence>", 10));
	tally_release(&tally);
}

static void lines_that_could_not_be_read_are_noted_as_far_as_there_is_room(void **state)
{
	(void)state;
	begin(0);
	for (int i = 1; i <= 5; i++)
		tally_bad(&tally, "/a/very/long/name/of/a/log/in/some/folder/that/nobody/should/have/access.log", (uint64_t)i, "why");
	assert_int_equal(tally.bad, 5);
	assert_int_equal(tally.notes[TALLY_NOTES_MAX - 1].line, TALLY_NOTES_MAX);
	assert_true(span_ends(span_from_str(tally.notes[0].log), SPAN("/access.log")));
	tally_release(&tally);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_row_counts_requests_successes_and_clients),
	    cmocka_unit_test(an_example_that_succeeded_takes_the_place_of_one_that_did_not),
	    cmocka_unit_test(rows_beyond_the_bound_share_one),
	    cmocka_unit_test(clients_beyond_the_bound_are_told_as_such),
	    cmocka_unit_test(long_texts_are_cut_around_what_decided),
	    cmocka_unit_test(lines_that_could_not_be_read_are_noted_as_far_as_there_is_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

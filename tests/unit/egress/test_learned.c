/* What an origin teaches: from when on it counts, what wipes it, how much of it there is, and what it opens. */
#include "egress_policy.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/egress_learned.h"

enum { SEED = 7, EPOCH = 3 };
#define HOUR_MS UINT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)
#define T       (100 * DAY_MS + 5 * HOUR_MS)

static struct egress_learned learned;
static const struct span A = {.ptr = "a.example:8080", .len = 14}, B = {.ptr = "b.example:8080", .len = 14};

static int reset(void **state)
{
	(void)state;
	learned = (struct egress_learned){0};
	return 0;
}

static void use_in(uint32_t epoch, struct span destination, uint64_t now_ms)
{
	const struct egress_lesson_use use = {.epoch = epoch, .now_ms = now_ms, .may_enter = true, .may_count = true};
	egress_learned_use(&learned, SEED, destination, &use);
}

static void use(struct span destination, uint64_t now_ms)
{
	use_in(EPOCH, destination, now_ms);
}

static enum egress_standing standing(struct span destination, uint64_t now_ms)
{
	return egress_learned_standing(&learned, SEED, destination, EPOCH, now_ms);
}

static bool approve(struct span destination, uint64_t now_ms)
{
	return egress_learned_approve(&learned, SEED, destination, EPOCH, now_ms);
}

static struct span name_of(unsigned i)
{
	static char text[32];
	int n = snprintf(text, sizeof(text), "h%u.example:8080", i);
	return span_of(text, (size_t)n);
}

static unsigned count(uint64_t now_ms)
{
	struct egress_lesson_shown shown;
	unsigned n = 0;
	for (unsigned i = 0; i < EGRESS_LESSONS; i++)
		n += egress_learned_show(&learned, i, EPOCH, now_ms, &shown);
	return n;
}

/* ---- from when on it counts ---- */

static void uses_of_one_day_make_a_candidate(void **state)
{
	(void)state;
	assert_int_equal(standing(A, T), EGRESS_STANDING_UNSET);
	for (unsigned i = 0; i < 1000; i++)
		use(A, T + i * (DAY_MS - 1000) / 999);
	assert_int_equal(standing(A, T + DAY_MS - 1000), EGRESS_CANDIDATE);
	assert_int_equal(standing(B, T), EGRESS_STANDING_UNSET);
}

static void time_alone_makes_nothing_count(void **state)
{
	(void)state;
	use(A, T);
	assert_int_equal(standing(A, T + 2 * DAY_MS), EGRESS_CANDIDATE);
}

static void another_use_a_day_later_counts(void **state)
{
	(void)state;
	use(A, T);
	use(A, T + DAY_MS);
	assert_int_equal(standing(A, T + DAY_MS), EGRESS_COUNTS_AS_LISTED);
	use(A, T + DAY_MS + 1000);
	assert_int_equal(standing(A, T + DAY_MS + 1000), EGRESS_COUNTS_AS_LISTED);
}

static void a_day_is_a_whole_one(void **state)
{
	(void)state;
	use(A, T + 1);
	use(A, T + DAY_MS);
	assert_int_equal(standing(A, T + DAY_MS), EGRESS_CANDIDATE);
	use(A, T + DAY_MS + 1000);
	assert_int_equal(standing(A, T + DAY_MS + 1000), EGRESS_COUNTS_AS_LISTED);
}

static void what_was_only_asked_for_never_counts(void **state)
{
	(void)state;
	const struct egress_lesson_use first = {.epoch = EPOCH, .now_ms = T, .may_enter = true};
	egress_learned_use(&learned, SEED, A, &first);
	for (unsigned day = 1; day < 20; day++) {
		const struct egress_lesson_use asked = {.epoch = EPOCH, .now_ms = T + day * DAY_MS, .may_enter = true};
		egress_learned_use(&learned, SEED, A, &asked);
		assert_int_equal(standing(A, asked.now_ms), EGRESS_CANDIDATE);
	}
	assert_true(approve(A, T + 19 * DAY_MS));
	assert_int_equal(standing(A, T + 19 * DAY_MS), EGRESS_APPROVED);
}

static void an_origin_that_may_not_teach_enters_nothing(void **state)
{
	(void)state;
	const struct egress_lesson_use struck = {.epoch = EPOCH, .now_ms = T, .may_count = true};
	egress_learned_use(&learned, SEED, A, &struck);
	assert_int_equal(count(T), 0);
	use(A, T);
	egress_learned_use(&learned, SEED, A, &struck);
	assert_int_equal(count(T), 1);
}

/* ---- what ends it ---- */

static void a_conviction_wipes_what_was_not_approved(void **state)
{
	(void)state;
	use(A, T);
	use(A, T + DAY_MS);
	use(B, T);
	use(name_of(1), T);
	assert_true(approve(B, T));
	const uint64_t now_ms = T + DAY_MS;
	assert_int_equal(egress_learned_standing(&learned, SEED, A, EPOCH + 1, now_ms), EGRESS_STANDING_UNSET);
	assert_int_equal(egress_learned_standing(&learned, SEED, name_of(1), EPOCH + 1, now_ms), EGRESS_STANDING_UNSET);
	assert_int_equal(egress_learned_standing(&learned, SEED, B, EPOCH + 1, now_ms), EGRESS_APPROVED);
	use_in(EPOCH + 1, A, now_ms);
	assert_int_equal(egress_learned_standing(&learned, SEED, A, EPOCH + 1, now_ms), EGRESS_CANDIDATE);
	use_in(EPOCH + 1, A, now_ms + HOUR_MS);
	assert_int_equal(egress_learned_standing(&learned, SEED, A, EPOCH + 1, now_ms + HOUR_MS), EGRESS_CANDIDATE);
}

static void convictions_and_quarantines_raise_the_epoch_and_strikes_do_not(void **unused)
{
	(void)unused;
	const struct egress_law law = {.strikes = 3, .strike_window_ms = 60000, .quarantine_ms = 1000};
	struct egress_state state = {0};
	(void)egress_strike(&state, &law, EGRESS_OFFENCE_SCAN, T, 1);
	(void)egress_strike(&state, &law, EGRESS_OFFENCE_SCAN, T, 1);
	assert_int_equal(state.epoch, 0);
	assert_true(egress_strike(&state, &law, EGRESS_OFFENCE_SCAN, T, 1).is_new);
	assert_int_equal(state.epoch, 1);
	egress_release(&state);
	assert_int_equal(state.epoch, 1);
	egress_quarantine(&state, EGRESS_LISTED_ONLY, 0, T, 1);
	assert_int_equal(state.epoch, 2);
}

static void a_slot_that_another_origin_gets_has_no_lessons(void **unused)
{
	(void)unused;
	struct egress_states *states = calloc(1, sizeof(*states));
	const uint64_t kept[EGRESS_STATES / 64] = {0};
	char name[16];
	assert_non_null(states);
	const int slot = egress_states_claim(states, "first", kept);
	const struct egress_lesson_use taught = {.now_ms = T, .may_enter = true};
	egress_learned_use(&states->learned[slot], egress_learned_seed(states, &states->of[slot]), A, &taught);
	assert_true(egress_learned_approve(&states->learned[slot], egress_learned_seed(states, &states->of[slot]), A, 0, T));
	uint64_t others[EGRESS_STATES / 64];
	memset(others, 0xff, sizeof(others));
	others[slot / 64] &= ~(UINT64_C(1) << slot % 64);
	for (unsigned i = 1; i < EGRESS_STATES; i++) {
		snprintf(name, sizeof(name), "other%u", i);
		assert_true(egress_states_claim(states, name, kept) != slot);
	}
	struct egress_lesson_shown shown;
	assert_int_equal(egress_states_claim(states, "next", others), slot);
	for (unsigned i = 0; i < EGRESS_LESSONS; i++)
		assert_false(egress_learned_show(&states->learned[slot], i, 0, T, &shown));
	free(states);
}

static void it_is_forgotten_without_use_unless_it_was_approved(void **state)
{
	(void)state;
	use(A, T);
	use(B, T);
	use(B, T + DAY_MS);
	use(name_of(1), T);
	assert_true(approve(name_of(1), T));
	assert_int_equal(standing(A, T + EGRESS_CANDIDATE_DAYS * DAY_MS - 1000), EGRESS_CANDIDATE);
	assert_int_equal(standing(A, T + EGRESS_CANDIDATE_DAYS * DAY_MS), EGRESS_STANDING_UNSET);
	assert_int_equal(standing(B, T + EGRESS_COUNTS_DAYS * DAY_MS), EGRESS_COUNTS_AS_LISTED);
	assert_int_equal(standing(B, T + (EGRESS_COUNTS_DAYS + 1) * DAY_MS), EGRESS_STANDING_UNSET);
	assert_int_equal(standing(name_of(1), T + 1000 * DAY_MS), EGRESS_APPROVED);
	/* it is a new one when it comes again: a day's rest is no way to count */
	use(A, T + EGRESS_CANDIDATE_DAYS * DAY_MS);
	assert_int_equal(standing(A, T + EGRESS_CANDIDATE_DAYS * DAY_MS), EGRESS_CANDIDATE);
}

static void an_operator_forgets(void **state)
{
	(void)state;
	use(A, T);
	assert_false(approve(B, T));
	assert_false(egress_learned_forget(&learned, SEED, B));
	assert_true(approve(A, T));
	assert_true(egress_learned_forget(&learned, SEED, A));
	assert_false(egress_learned_forget(&learned, SEED, A));
	assert_int_equal(standing(A, T), EGRESS_STANDING_UNSET);
	assert_int_equal(count(T), 0);
	assert_false(approve(A, T));
}

/* ---- how much ---- */

static void a_day_has_so_many_new_ones(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		use(name_of(i), T + i);
	assert_int_equal(count(T), EGRESS_LESSONS_A_DAY);
	use(A, T + DAY_MS);
	assert_int_equal(standing(A, T + DAY_MS), EGRESS_CANDIDATE);
}

static void a_flood_over_months_pushes_out_nothing_that_counts(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++)
		use(name_of(i), T);
	use(A, T);
	assert_true(approve(A, T));
	for (unsigned day = 1; day < 100; day++) {
		const uint64_t now_ms = T + day * DAY_MS;
		for (unsigned i = 0; i < 20; i++)
			use(name_of(i), now_ms);
		for (unsigned i = 0; i < 200; i++)
			use(name_of(1000 * day + i), now_ms);
		for (unsigned i = 0; i < 20; i++)
			assert_int_equal(standing(name_of(i), now_ms), EGRESS_COUNTS_AS_LISTED);
		assert_true(count(now_ms) <= EGRESS_LESSONS);
	}
	assert_int_equal(standing(A, T + 99 * DAY_MS), EGRESS_APPROVED);
}

static void a_table_of_what_counts_takes_no_more(void **state)
{
	(void)state;
	uint64_t now_ms = T;
	for (unsigned i = 0; i < EGRESS_LESSONS; i++) {
		now_ms = T + i / EGRESS_LESSONS_A_DAY * DAY_MS;
		use(name_of(i), now_ms);
		assert_true(approve(name_of(i), now_ms));
	}
	use(A, now_ms + DAY_MS);
	assert_int_equal(standing(A, now_ms + DAY_MS), EGRESS_STANDING_UNSET);
	assert_int_equal(count(now_ms), EGRESS_LESSONS);
}

static void the_longest_destination_fits_and_a_longer_one_is_not_learned(void **state)
{
	(void)state;
	char text[EGRESS_LESSON_SIZE + 1];
	memset(text, 'a', sizeof(text));
	use(span_of(text, EGRESS_LESSON_SIZE - 1), T);
	assert_int_equal(standing(span_of(text, EGRESS_LESSON_SIZE - 1), T), EGRESS_CANDIDATE);
	assert_int_equal(standing(span_of(text, EGRESS_LESSON_SIZE - 2), T), EGRESS_STANDING_UNSET);
	use(span_of(text, EGRESS_LESSON_SIZE), T);
	use(span_of(text, 0), T);
	assert_int_equal(count(T), 1);
}

static void what_is_learned_is_shown(void **state)
{
	(void)state;
	struct egress_lesson_shown shown;
	use(A, T);
	use(A, T + DAY_MS);
	unsigned at = 0;
	while (!egress_learned_show(&learned, at, EPOCH, T + DAY_MS, &shown))
		at++;
	assert_string_equal(shown.destination, "a.example:8080");
	assert_int_equal(shown.uses, 2);
	assert_int_equal(shown.first_ms, T);
	assert_int_equal(shown.last_ms, T + DAY_MS);
	assert_string_equal(egress_standing_name(shown.standing), "counts");
	assert_string_equal(egress_standing_name(99), "-");
}

static void nonsense_in_the_memory_harms_nobody(void **state)
{
	(void)state;
	struct egress_lesson_shown shown;
	memset(&learned, 0xff, sizeof(learned));
	use(A, T);
	assert_true(standing(A, T) <= EGRESS_CANDIDATE);
	for (unsigned i = 0; i < EGRESS_LESSONS; i++) {
		atomic_store(&learned.of[i].word, UINT64_MAX - 0xff + EGRESS_APPROVED);
		assert_true(egress_learned_show(&learned, i, EPOCH, T, &shown));
		assert_int_equal(shown.destination[EGRESS_LESSON_SIZE - 1], '\0');
	}
}

/* Whatever is done in whatever order: what counts was used twice, a day apart, in this epoch; a day brings no
 * more than its share; what is approved stays. */
static void nothing_counts_that_was_not_used_on_two_days(void **unused)
{
	(void)unused;
	enum { NAMES = 40, STEPS = 200000 };
	uint64_t random = 11, first_ms[NAMES] = {0}, now_ms = T;
	bool may[NAMES] = {false}, approved[NAMES] = {false};
	uint32_t epoch = 0, counted = 0;
	for (unsigned step = 0; step < STEPS; step++) {
		random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		const unsigned what = (unsigned)(random >> 33) % 50000, i = (unsigned)(random >> 43) % NAMES;
		now_ms += (random >> 50) % HOUR_MS;
		const enum egress_standing before =
		    egress_learned_standing(&learned, SEED, name_of(i), epoch, now_ms);
		if (what == 0) {
			epoch++;
			memset(may, 0, sizeof(may));
			continue;
		}
		if (what < 5) {
			approved[i] |= egress_learned_approve(&learned, SEED, name_of(i), epoch, now_ms);
			continue;
		}
		if (what < 50) {
			(void)egress_learned_forget(&learned, SEED, name_of(i));
			approved[i] = may[i] = false;
			continue;
		}
		if (before == EGRESS_STANDING_UNSET) {
			first_ms[i] = now_ms;
			may[i] = false;
		} else if (now_ms - first_ms[i] >= DAY_MS) {
			may[i] = true;
		}
		use_in(epoch, name_of(i), now_ms);
		const enum egress_standing after =
		    egress_learned_standing(&learned, SEED, name_of(i), epoch, now_ms);
		assert_true(after != EGRESS_COUNTS_AS_LISTED || may[i]);
		counted += after == EGRESS_COUNTS_AS_LISTED && before == EGRESS_CANDIDATE;
		assert_true(approved[i] == (after == EGRESS_APPROVED));
		assert_true((learned.today & UINT32_MAX) <= EGRESS_LESSONS_A_DAY);
	}
	assert_true(counted > NAMES && epoch > 0);
}

/* ---- what it opens ---- */

static const char policy_text[] = "origins = ( \"10.0.0.5\" ); allow = ( \"listed.example\" ); deny = ( \"denied.example\" );";

static struct egress_verdict judged(const struct section *section, const char *host, uint16_t port,
				    enum egress_standing of, enum egress_stage stage)
{
	const struct egress_verdict named = ask(section, host, port, stage);
	return egress_judge_learned(&section->egress, &named, port, of, stage);
}

static void what_counts_is_listed_but_at_strict_ports(void **state)
{
	(void)state;
	struct section *section = section_of(policy_text);
	static const struct {
		const char *host;
		uint16_t port;
		enum egress_standing standing;
		enum egress_stage stage;
		enum egress_verdict_kind kind;
	} rows[] = {
	    {"x.example", 8080, EGRESS_CANDIDATE, EGRESS_FREE, EGRESS_VERDICT_UNLISTED},
	    {"x.example", 8080, EGRESS_COUNTS_AS_LISTED, EGRESS_FREE, EGRESS_VERDICT_LISTED},
	    {"x.example", 8080, EGRESS_APPROVED, EGRESS_FREE, EGRESS_VERDICT_LISTED},
	    {"x.example", 443, EGRESS_COUNTS_AS_LISTED, EGRESS_FREE, EGRESS_VERDICT_REFUSED},
	    {"x.example", 443, EGRESS_APPROVED, EGRESS_FREE, EGRESS_VERDICT_LISTED},
	    {"x.example", 8080, EGRESS_COUNTS_AS_LISTED, EGRESS_LISTED_ONLY, EGRESS_VERDICT_REFUSED},
	    {"x.example", 443, EGRESS_APPROVED, EGRESS_LISTED_ONLY, EGRESS_VERDICT_LISTED},
	    {"x.example", 443, EGRESS_APPROVED, EGRESS_REPLIES_ONLY, EGRESS_VERDICT_REFUSED},
	    {"denied.example", 8080, EGRESS_APPROVED, EGRESS_FREE, EGRESS_VERDICT_REFUSED},
	    {"10.0.0.1", 8080, EGRESS_APPROVED, EGRESS_FREE, EGRESS_VERDICT_REFUSED},
	    {"169.254.169.254", 80, EGRESS_APPROVED, EGRESS_FREE, EGRESS_VERDICT_REFUSED},
	    {"64:ff9b::909:909", 8080, EGRESS_APPROVED, EGRESS_FREE, EGRESS_VERDICT_REFUSED},
	    {"9.9.9.9", 8080, EGRESS_COUNTS_AS_LISTED, EGRESS_FREE, EGRESS_VERDICT_LISTED},
	    {"listed.example", 443, EGRESS_STANDING_UNSET, EGRESS_FREE, EGRESS_VERDICT_LISTED},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (judged(section, rows[i].host, rows[i].port, rows[i].standing, rows[i].stage).kind != rows[i].kind)
			fail_msg("row %zu: %s:%u", i, rows[i].host, rows[i].port);
	section_free(section);
}

static void a_name_that_was_learned_leads_to_nothing_private_or_denied(void **state)
{
	(void)state;
	struct section *section =
	    section_of("origins = ( \"10.0.0.5\" ); allow = ( \"listed.example\" ); deny = ( \"192.88.98.0/24\" );");
	const struct egress_verdict named = judged(section, "x.example", 443, EGRESS_APPROVED, EGRESS_FREE);
	const struct addr private = address("10.0.0.1", 443), denied = address("192.88.98.1", 443),
			  public = address("9.9.9.9", 443);
	assert_true(egress_was_learned(&named));
	assert_string_equal(named.setting, "egress.learning");
	assert_int_equal(egress_judge_address(&section->egress, &named, &private, EGRESS_FREE).reason, REASON_EGRESS_PRIVATE);
	assert_int_equal(egress_judge_address(&section->egress, &named, &denied, EGRESS_FREE).reason, REASON_EGRESS_DENIED);
	assert_int_equal(egress_judge_address(&section->egress, &named, &public, EGRESS_FREE).kind, EGRESS_VERDICT_LISTED);
	const struct egress_verdict listed = ask(section, "listed.example", 443, EGRESS_FREE);
	assert_false(egress_was_learned(&listed));
	section_free(section);
}

static void learning_is_off_unless_it_is_on(void **state)
{
	(void)state;
	struct section *section = section_of(policy_text);
	assert_int_equal(section->egress.learning, EGRESS_LEARNING_OFF);
	section_free(section);
	section = section_of("origins = ( \"10.0.0.5\" ); learning = \"on\"; allow = ( \"a.example\" );");
	assert_int_equal(section->egress.learning, EGRESS_LEARNING_ON);
	section_free(section);
}

/* ---- how it is written ---- */

static void a_destination_has_one_spelling(void **state)
{
	(void)state;
	static const struct {
		const char *text, *read;
	} rows[] = {
	    {"Packages.Example:443", "packages.example:443"}, {"packages.example.:443", "packages.example:443"},
	    {"9.9.9.9:80", "9.9.9.9:80"},	   {"[2A00:0:0::1]:443", "[2a00::1]:443"},
	    {"packages.example", NULL},		   {"packages.example:", NULL},
	    {"2a00::1", NULL},			   {"*.example:443", NULL},
	    {"http://a.example:80", NULL},	   {"a.example:0", NULL},
	    {"a.example:65536", NULL},		   {"", NULL},
	    {":443", NULL},			   {"127.1:80", NULL},
	    {"9.9.9.0/24:80", NULL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[EGRESS_DESTINATION_SIZE];
		struct err err = {{0}};
		const bool is_read = egress_destination_read(span_from_str(rows[i].text), out, &err);
		if (is_read != (rows[i].read != NULL))
			fail_msg("%s", rows[i].text);
		if (is_read)
			assert_string_equal(out, rows[i].read);
		else
			assert_true(err.text[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(uses_of_one_day_make_a_candidate, reset),
	    cmocka_unit_test_setup(time_alone_makes_nothing_count, reset),
	    cmocka_unit_test_setup(another_use_a_day_later_counts, reset),
	    cmocka_unit_test_setup(a_day_is_a_whole_one, reset),
	    cmocka_unit_test_setup(what_was_only_asked_for_never_counts, reset),
	    cmocka_unit_test_setup(an_origin_that_may_not_teach_enters_nothing, reset),
	    cmocka_unit_test_setup(a_conviction_wipes_what_was_not_approved, reset),
	    cmocka_unit_test(convictions_and_quarantines_raise_the_epoch_and_strikes_do_not),
	    cmocka_unit_test(a_slot_that_another_origin_gets_has_no_lessons),
	    cmocka_unit_test_setup(it_is_forgotten_without_use_unless_it_was_approved, reset),
	    cmocka_unit_test_setup(an_operator_forgets, reset),
	    cmocka_unit_test_setup(a_day_has_so_many_new_ones, reset),
	    cmocka_unit_test_setup(a_flood_over_months_pushes_out_nothing_that_counts, reset),
	    cmocka_unit_test_setup(a_table_of_what_counts_takes_no_more, reset),
	    cmocka_unit_test_setup(the_longest_destination_fits_and_a_longer_one_is_not_learned, reset),
	    cmocka_unit_test_setup(what_is_learned_is_shown, reset),
	    cmocka_unit_test_setup(nonsense_in_the_memory_harms_nobody, reset),
	    cmocka_unit_test_setup(nothing_counts_that_was_not_used_on_two_days, reset),
	    cmocka_unit_test(what_counts_is_listed_but_at_strict_ports),
	    cmocka_unit_test(a_name_that_was_learned_leads_to_nothing_private_or_denied),
	    cmocka_unit_test(learning_is_off_unless_it_is_on),
	    cmocka_unit_test(a_destination_has_one_spelling),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

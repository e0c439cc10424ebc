/* How a site as a whole is: what seals it, what does not, and how it is opened again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guard/brain.h"

static struct page *known(struct ledger_site *site, const char *key)
{
	struct page *page = ledger_add(site, span_from_str(key), SOURCE_SEED, 0);
	assert_non_null(page);
	page->policy = BASELINE_EXACT;
	page->looked_s = 100;
	return page;
}

static struct ledger_site *guarded(unsigned origins)
{
	struct ledger_site *site = brain_begin(origins);
	known(site, "/");
	assert_int_equal(seal_judge(site, 100, 0), SEAL_CHANGED);
	assert_int_equal(site->seal.state, GUARD_GUARDED);
	return site;
}

static void make_severe(struct page *page, uint64_t now_s)
{
	page->look = LOOK_SEVERE;
	page->looked_s = page->changed_s = now_s;
}

static void a_site_is_learning_until_a_page_is_known_and_confirmed(void **state)
{
	(void)state;
	struct ledger_site *site = brain_begin(1);
	site->confirmed = false;
	assert_int_equal(seal_judge(site, 1, 0), SEAL_NOTHING);
	known(site, "/");
	assert_int_equal(seal_judge(site, 1, 0), SEAL_NOTHING);
	site->confirmed = true;
	assert_int_equal(seal_judge(site, 1, 0), SEAL_CHANGED);
	assert_int_equal(site->seal.state, GUARD_GUARDED);
	assert_int_equal(seal_judge(site, 2, 0), SEAL_NOTHING);
}

static void one_severe_page_seals_nothing_two_do(void **state)
{
	(void)state;
	struct ledger_site *site = guarded(1);
	make_severe(known(site, "/a"), 200);
	assert_int_equal(seal_judge(site, 200, 0), SEAL_NOTHING);
	make_severe(known(site, "/b"), 200);
	assert_int_equal(seal_judge(site, 200, 0), SEAL_CHANGED);
	assert_int_equal(site->seal.state, GUARD_SEALED);
	assert_non_null(strstr(site->seal.why, "2 pages are bad"));
}

static void what_was_severe_long_ago_counts_no_more(void **state)
{
	(void)state;
	struct ledger_site *site = guarded(1);
	make_severe(known(site, "/a"), 200);
	make_severe(known(site, "/b"), 200 + SEVERE_LASTS_S + 1);
	assert_int_equal(seal_judge(site, 200 + SEVERE_LASTS_S + 1, 0), SEAL_NOTHING);
}

static void what_is_severe_counts_though_the_clock_was_set_back(void **state)
{
	(void)state;
	struct ledger_site *site = guarded(1);
	make_severe(known(site, "/a"), 200);
	make_severe(known(site, "/b"), 200);
	assert_int_equal(seal_judge(site, 150, 0), SEAL_CHANGED);
	assert_int_equal(site->seal.state, GUARD_SEALED);
}

static void changes_and_dead_origins_seal_nothing(void **state)
{
	(void)state;
	struct ledger_site *site = guarded(1);
	for (int i = 0; i < MASS_CHANGE_MIN - 1; i++) {
		char key[16];
		snprintf(key, sizeof(key), "/%d", i);
		struct page *page = known(site, key);
		page->look = i % 2 ? LOOK_CHANGED : LOOK_FAILED;
		page->changed_s = 200;
	}
	assert_int_equal(seal_judge(site, 200, 0), SEAL_NOTHING);
}

static void a_change_of_nearly_everything_seals(void **state)
{
	(void)state;
	struct ledger_site *site = guarded(1);
	for (int i = 0; i < MASS_CHANGE_MIN; i++) {
		char key[16];
		snprintf(key, sizeof(key), "/%d", i);
		struct page *page = known(site, key);
		page->look = LOOK_CHANGED;
		page->changed_s = 200;
	}
	assert_int_equal(seal_judge(site, 200, 0), SEAL_CHANGED);
	assert_int_equal(site->seal.state, GUARD_SEALED);
}

/* One whole round: every look is_good. Gives how many looks it was. */
static unsigned round_of(struct ledger_site *site, uint64_t now_ms, bool is_good)
{
	const struct plan_origin *origin;
	struct page *page;
	unsigned n = 0;
	while (seal_next_look(site, now_ms, &page, &origin)) {
		const struct plan_origin *other;
		struct page *same;
		assert_false(seal_next_look(site, now_ms, &same, &other));
		n++;
		(void)seal_looked(site, is_good, now_ms / 1000, now_ms);
	}
	return n;
}

static struct ledger_site *sealed(unsigned origins)
{
	struct ledger_site *site = guarded(origins);
	make_severe(known(site, "/a"), 200);
	make_severe(known(site, "/b"), 200);
	assert_int_equal(seal_judge(site, 200, 200000), SEAL_CHANGED);
	return site;
}

static void good_rounds_of_every_origin_open_it_again(void **state)
{
	(void)state;
	struct ledger_site *site = sealed(3);
	uint64_t now_ms = 200000;
	assert_int_equal(round_of(site, now_ms, true), 0); /* not yet */
	assert_int_equal(round_of(site, now_ms += 5000, true), 9);
	assert_int_equal(site->seal.state, GUARD_SEALED);
	assert_int_equal(round_of(site, now_ms += 5000, false), 9);
	assert_int_equal(round_of(site, now_ms += 5000, true), 9);
	assert_int_equal(site->seal.state, GUARD_SEALED);
	assert_int_equal(round_of(site, now_ms += 5000, true), 9);
	assert_int_equal(site->seal.state, GUARD_RECOVERING);
	assert_int_equal(seal_judge(site, now_ms / 1000, now_ms), SEAL_NOTHING);
	(void)round_of(site, now_ms += 5000, true);
	(void)round_of(site, now_ms += 5000, true);
	assert_int_equal(site->seal.state, GUARD_GUARDED);
	assert_true(seal_next_ms(site) == UINT64_MAX);
}

static void one_severe_page_seals_a_recovering_site_again(void **state)
{
	(void)state;
	struct ledger_site *site = sealed(1);
	(void)round_of(site, 205000, true);
	(void)round_of(site, 210000, true);
	assert_int_equal(site->seal.state, GUARD_RECOVERING);
	make_severe(ledger_find(&brain, site, SPAN("/a")), 211);
	assert_int_equal(seal_judge(site, 211, 211000), SEAL_CHANGED);
	assert_int_equal(site->seal.state, GUARD_SEALED);
}

static void what_an_operator_sealed_only_an_operator_opens(void **state)
{
	(void)state;
	struct ledger_site *site = guarded(1);
	assert_int_equal(seal_close(site, "drill", 200, 200000), SEAL_CHANGED);
	assert_string_equal(site->seal.why, "sealed by order: drill");
	assert_int_equal(round_of(site, 900000, true), 0);
	assert_int_equal(seal_open(site, NULL, 901), SEAL_CHANGED);
	assert_int_equal(site->seal.state, GUARD_GUARDED);
	assert_int_equal(seal_open(site, NULL, 902), SEAL_NOTHING);
}

static void an_opened_site_is_not_sealed_by_what_was_before(void **state)
{
	(void)state;
	struct ledger_site *site = sealed(1);
	assert_int_equal(seal_open(site, NULL, 201), SEAL_CHANGED);
	assert_int_equal(seal_judge(site, 202, 202000), SEAL_NOTHING);
}

static void a_seal_outlasts_a_restart(void **state)
{
	(void)state;
	struct ledger_site *site = brain_begin(1);
	site->confirmed = true;
	known(site, "/");
	seal_restore(site, GUARD_SEALED, "2 pages are bad", 50, 1000);
	assert_int_equal(seal_judge(site, 60, 1000), SEAL_NOTHING);
	(void)round_of(site, 6000, true);
	(void)round_of(site, 11000, true);
	assert_int_equal(site->seal.state, GUARD_RECOVERING);
	seal_restore(site, GUARD_SEALED, "sealed by order", 50, 1000);
	assert_int_equal(round_of(site, 90000, true), 0);
}

static void a_page_that_is_forgotten_leaves_the_panel(void **state)
{
	(void)state;
	struct ledger_site *site = sealed(1);
	const struct plan_origin *origin;
	struct page *page;
	assert_true(seal_next_look(site, 205000, &page, &origin));
	ledger_forget(page);
	(void)seal_looked(site, true, 205, 205000);
	assert_int_equal(site->seal.n_panel, 2);
	(void)round_of(site, 205000, true);
	(void)round_of(site, 215000, true);
	assert_int_equal(site->seal.state, GUARD_RECOVERING);
}

static void suspects_are_those_looked_at_longest_ago(void **state)
{
	(void)state;
	struct ledger_site *site = guarded(1);
	struct page *out[3];
	for (int i = 0; i < 10; i++) {
		char key[16];
		snprintf(key, sizeof(key), "/%d", i);
		known(site, key)->looked_s = (uint64_t)(1000 + i * 7 % 10);
	}
	ledger_find(&brain, site, SPAN("/"))->looked_s = 5000;
	assert_int_equal(seal_suspects(site, out, 3), 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(out[i]->looked_s, 1000 + i);
}

int main(void)
{
#define BRAIN_TEST(name) cmocka_unit_test_teardown(name, brain_end)
	const struct CMUnitTest tests[] = {
	    BRAIN_TEST(a_site_is_learning_until_a_page_is_known_and_confirmed),
	    BRAIN_TEST(one_severe_page_seals_nothing_two_do),
	    BRAIN_TEST(what_was_severe_long_ago_counts_no_more),
	    BRAIN_TEST(what_is_severe_counts_though_the_clock_was_set_back),
	    BRAIN_TEST(changes_and_dead_origins_seal_nothing),
	    BRAIN_TEST(a_change_of_nearly_everything_seals),
	    BRAIN_TEST(good_rounds_of_every_origin_open_it_again),
	    BRAIN_TEST(one_severe_page_seals_a_recovering_site_again),
	    BRAIN_TEST(what_an_operator_sealed_only_an_operator_opens),
	    BRAIN_TEST(an_opened_site_is_not_sealed_by_what_was_before),
	    BRAIN_TEST(a_seal_outlasts_a_restart),
	    BRAIN_TEST(a_page_that_is_forgotten_leaves_the_panel),
	    BRAIN_TEST(suspects_are_those_looked_at_longest_ago),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

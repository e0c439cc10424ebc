/* What is fetched next: in turns, within each site's rate, everything once and then again and again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guard/brain.h"

static bool next(uint64_t now_ms, struct fetch *out)
{
	uint64_t next_ms;
	bool given = schedule_next(&brain, now_ms, out, &next_ms);
	assert_true(given || next_ms > now_ms);
	return given;
}

/* Fetches all that is due until then; each answers at once. Gives how many. */
static unsigned run(uint64_t from_ms, uint64_t until_ms, uint64_t wait_ms)
{
	unsigned n = 0;
	uint64_t now_ms = from_ms, next_ms;
	struct fetch fetch;
	while (now_ms < until_ms) {
		if (!schedule_next(&brain, now_ms, &fetch, &next_ms)) {
			now_ms = next_ms;
			continue;
		}
		n++;
		if (fetch.purpose == FETCH_SITEMAP) {
			schedule_sitemap_done(fetch.site, fetch.index, true, now_ms);
			continue;
		}
		fetch.page->looks++;
		fetch.page->looked_s = 1;
		schedule_page_done(fetch.page, now_ms, wait_ms);
	}
	return n;
}

static struct page *add(struct ledger_site *site, const char *key, uint64_t due_ms)
{
	struct page *page = ledger_add(site, span_from_str(key), SOURCE_LINK, 1);
	assert_non_null(page);
	ledger_due(page, due_ms);
	return page;
}

static void enrolment_begins_with_seeds_robots_and_sitemap(void **state)
{
	(void)state;
	struct ledger_site *site = brain_begin(1);
	static const char *const expected[] = {"/robots.txt", "/sitemap.xml", "/"};
	struct fetch fetch;
	schedule_enrol(site, 1000);
	schedule_enrol(site, 1000);
	for (size_t i = 0; i < 3; i++) {
		assert_false(schedule_is_enrolled(site));
		assert_true(next(1000 + i * 200, &fetch));
		assert_string_equal(fetch.target, expected[i]);
		if (fetch.purpose == FETCH_SITEMAP) {
			assert_int_equal(fetch.agent, JOB_AGENT_OWN);
			schedule_sitemap_done(site, fetch.index, true, 1000);
		}
	}
	assert_int_equal(fetch.links, JOB_LINKS_PAGE);
	fetch.page->looked_s = 1;
	schedule_page_done(fetch.page, 1600, 5000);
	assert_true(schedule_is_enrolled(site));
	assert_false(next(2000, &fetch));
	assert_true(next(6600, &fetch));
}

static void no_site_is_asked_more_often_than_its_rate(void **state)
{
	(void)state;
	struct ledger_site *site = brain_begin(1);
	for (int i = 0; i < 50; i++) {
		char key[16];
		snprintf(key, sizeof(key), "/%d", i);
		add(site, key, 0);
	}
	assert_in_range(run(0, 10000, 100), 49, 51); /* 5/s */
}

static void all_pages_have_their_turn(void **state)
{
	(void)state;
	struct ledger_site *site = brain_begin(1);
	struct page *pages[40];
	for (int i = 0; i < 40; i++) {
		char key[16];
		snprintf(key, sizeof(key), "/%d", i);
		pages[i] = add(site, key, (uint64_t)i);
	}
	(void)run(0, 40 * 200 * 3, 10); /* three rounds, though each would be due at once */
	for (int i = 0; i < 40; i++)
		assert_in_range(pages[i]->looks, 2, 4);
}

static void sites_take_turns(void **state)
{
	(void)state;
	brain_begin(1);
	brain_plan.n = 2;
	assert_true(ledger_take_plan(&brain, &brain_plan));
	for (int i = 0; i < 20; i++) {
		char key[16];
		snprintf(key, sizeof(key), "/%d", i);
		add(brain.sites[0], key, 0);
	}
	struct page *alone = add(brain.sites[1], "/alone", 0);
	struct fetch fetch;
	assert_true(next(0, &fetch));
	assert_true(next(0, &fetch));
	assert_ptr_equal(fetch.page, alone);
}

static void a_slow_site_has_few_under_way(void **state)
{
	(void)state;
	struct ledger_site *site = brain_begin(1);
	struct fetch fetch;
	for (int i = 0; i < 20; i++) {
		char key[16];
		snprintf(key, sizeof(key), "/%d", i);
		add(site, key, 0);
	}
	for (uint64_t i = 0; i < FETCHES_PER_SITE; i++)
		assert_true(next(i * 1000, &fetch));
	assert_false(next(100000, &fetch));
	schedule_page_done(fetch.page, 100000, 1000);
	assert_true(next(100000, &fetch));
}

static void what_is_urgent_goes_first_and_again_where_it_is_under_way(void **state)
{
	(void)state;
	struct ledger_site *site = brain_begin(1);
	struct fetch fetch;
	add(site, "/old", 1);
	struct page *page = add(site, "/now", 90000);
	schedule_urgent(page);
	assert_true(next(1000, &fetch));
	assert_ptr_equal(fetch.page, page);
	schedule_urgent(page);
	assert_true(next(2000, &fetch));
	assert_string_equal(fetch.target, "/old");
	schedule_page_done(page, 2500, 60000);
	assert_true(next(3000, &fetch));
	assert_ptr_equal(fetch.page, page);
}

static void samples_come_from_every_origin_and_as_every_agent(void **state)
{
	(void)state;
	struct ledger_site *site = brain_begin(3);
	struct page *page = add(site, "/x", 0);
	unsigned seen = 0;
	for (uint64_t i = 0; i < 9; i++) {
		struct fetch fetch;
		assert_true(next(i * 1000, &fetch));
		seen |= 1U << ((fetch.origin - brain_origins) * 3 +
			       (fetch.agent - JOB_AGENT_BROWSER));
		page->looks++;
		schedule_page_done(page, i * 1000, 0);
	}
	assert_int_equal(seen, (1 << 9) - 1);
}

static void what_visitors_make_up_is_bounded(void **state)
{
	(void)state;
	struct ledger_site *site = brain_begin(1);
	char key[32];
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), i % 2 ? "/?q=%d" : "/made/up/%d", i);
		(void)ledger_add(site, span_from_str(key), SOURCE_NOMINATED, 1);
	}
	assert_int_equal(site->n_pages, 50);
	/* the site leads to some of them: they make room */
	assert_non_null(ledger_add(site, SPAN("/made/up/0"), SOURCE_LINK, 1));
	assert_non_null(ledger_add(site, SPAN("/made/up/0"), SOURCE_LINK, 1));
	assert_non_null(ledger_add(site, SPAN("/one/more"), SOURCE_NOMINATED, 1));
	assert_null(ledger_add(site, SPAN("/two/more"), SOURCE_NOMINATED, 1));
	ledger_forget(ledger_find(site->ledger, site, SPAN("/one/more")));
	ledger_forget(ledger_find(site->ledger, site, SPAN("/made/up/0")));
	assert_non_null(ledger_add(site, SPAN("/two/more"), SOURCE_NOMINATED, 1));
	assert_null(ledger_add(site, SPAN("/three/more"), SOURCE_NOMINATED, 1));
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "/p%d", i);
		(void)ledger_add(site, span_from_str(key), SOURCE_LINK, 1);
	}
	assert_int_equal(site->n_pages, 100);
	assert_int_equal(site->refused, 950 + 950 + 2);
	assert_null(ledger_add(site, SPAN("no path"), SOURCE_LINK, 1));
	assert_null(ledger_add(site, SPAN("/a b"), SOURCE_LINK, 1));
}

static void a_plan_that_changes_forgets_only_what_it_has_no_more(void **state)
{
	(void)state;
	static const char *exclude[] = {"/private", NULL};
	struct ledger_site *site = brain_begin(1);
	add(site, "/kept", 0);
	add(site, "/private/x", 0);
	brain_sites[0].policy.exclude = (struct policy_strings){.items = exclude, .n = 1};
	brain_plan.n = 2;
	assert_true(ledger_take_plan(&brain, &brain_plan));
	assert_int_equal(brain.n, 2);
	assert_ptr_equal(ledger_site_named(&brain, "shop"), site);
	assert_non_null(ledger_find(&brain, site, SPAN("/kept")));
	assert_null(ledger_find(&brain, site, SPAN("/private/x")));
	add(brain.sites[1], "/blog", 0);
	brain_plan.n = 1;
	assert_true(ledger_take_plan(&brain, &brain_plan));
	assert_int_equal(brain.n_pages, 1);
	assert_null(ledger_site_named(&brain, "blog"));
}

/* Looks at the page when it is due, and gives what is wanted of its links. */
static enum job_links links_asked_for(struct page *page, uint64_t now_ms)
{
	struct fetch fetch;
	ledger_due(page, now_ms);
	assert_true(next(now_ms, &fetch));
	assert_ptr_equal(fetch.page, page);
	schedule_page_done(page, now_ms, 5000);
	return fetch.links;
}

static void by_another_plan_a_known_page_is_asked_for_its_links_once_more(void **state)
{
	(void)state;
	struct ledger_site *site = brain_begin(1);
	struct page *page = add(site, "/known", 0);
	page->policy = BASELINE_EXACT;
	page->look = LOOK_GOOD;
	page->links_plan = brain.plans;
	assert_int_equal(links_asked_for(page, 1000), JOB_LINKS_NONE);
	assert_true(ledger_take_plan(&brain, &brain_plan));
	page->look = LOOK_CHANGED; /* what a defacement leads to is no page of the site */
	assert_int_equal(links_asked_for(page, 10000), JOB_LINKS_NONE);
	page->look = LOOK_GOOD;
	assert_int_equal(links_asked_for(page, 20000), JOB_LINKS_PAGE);
	page->links_plan = brain.plans;
	assert_int_equal(links_asked_for(page, 30000), JOB_LINKS_NONE);
	/* another edition has other links */
	const struct page_mark mark = {.digest = {1}};
	uint8_t retired[PAGE_GOOD_MAX][DIGEST_SIZE];
	(void)learn_approve(page, &mark, retired);
	assert_int_equal(links_asked_for(page, 40000), JOB_LINKS_PAGE);
}

static void another_plan_names_seeds_and_has_sitemaps_read_again(void **state)
{
	(void)state;
	static const char *seeds[] = {"/", "/new", NULL};
	struct ledger_site *site = brain_begin(1);
	struct fetch fetch;
	schedule_enrol(site, 1000);
	assert_int_equal(run(1000, 5000, 60000), 3);
	site->enrolled = true;
	schedule_new_plan(site, 5000);
	assert_true(site->enrolled); /* nothing that was never fetched */
	assert_true(next(5000, &fetch));
	assert_string_equal(fetch.target, "/robots.txt");
	brain_sites[0].policy.seeds = (struct policy_strings){.items = seeds, .n = 2};
	schedule_new_plan(site, 5200);
	assert_false(site->enrolled);
	schedule_sitemap_done(site, fetch.index, true, 5300); /* it was asked for by the plan before */
	assert_int_equal(run(5400, 9000, 60000), 3);
	assert_non_null(ledger_find(&brain, site, SPAN("/new")));
	assert_true(schedule_is_enrolled(site));
}

static void thousands_of_pages_are_found_and_forgotten(void **state)
{
	(void)state;
	struct ledger_site *site = brain_begin(1);
	char key[32];
	brain_sites[0].policy.max_pages = 20000;
	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "/page/%d", i);
		add(site, key, (uint64_t)(i * 7919 % 20000));
	}
	uint64_t last = 0;
	for (int i = 0; i < 10000; i++) {
		struct page *first = ledger_first(site);
		assert_true(first->due_ms >= last);
		last = first->due_ms;
		ledger_forget(first);
	}
	assert_int_equal(site->n_pages, 10000);
	snprintf(key, sizeof(key), "/page/%d", 1);
	assert_null(ledger_find(&brain, site, span_from_str(key))); /* due at 7919 */
	snprintf(key, sizeof(key), "/page/%d", 2);
	assert_non_null(ledger_find(&brain, site, span_from_str(key))); /* due at 15838 */
}

int main(void)
{
#define BRAIN_TEST(name) cmocka_unit_test_teardown(name, brain_end)
	const struct CMUnitTest tests[] = {
	    BRAIN_TEST(enrolment_begins_with_seeds_robots_and_sitemap),
	    BRAIN_TEST(no_site_is_asked_more_often_than_its_rate),
	    BRAIN_TEST(all_pages_have_their_turn),
	    BRAIN_TEST(sites_take_turns),
	    BRAIN_TEST(a_slow_site_has_few_under_way),
	    BRAIN_TEST(what_is_urgent_goes_first_and_again_where_it_is_under_way),
	    BRAIN_TEST(samples_come_from_every_origin_and_as_every_agent),
	    BRAIN_TEST(what_visitors_make_up_is_bounded),
	    BRAIN_TEST(a_plan_that_changes_forgets_only_what_it_has_no_more),
	    BRAIN_TEST(by_another_plan_a_known_page_is_asked_for_its_links_once_more),
	    BRAIN_TEST(another_plan_names_seeds_and_has_sitemaps_read_again),
	    BRAIN_TEST(thousands_of_pages_are_found_and_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

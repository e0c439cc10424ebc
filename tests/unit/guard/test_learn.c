/* When a page is known to be good: histories of looks, and what has to come of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guard/brain.h"

static struct page *begin(unsigned origins)
{
	struct ledger_site *site = brain_begin(origins);
	struct page *page = ledger_add(site, SPAN("/x"), SOURCE_LINK, 1);
	assert_non_null(page);
	return page;
}

static struct look look_of(char letter, uint64_t now_s, unsigned origins, bool is_text)
{
	struct look look = {.now_s = now_s, .digest = brain_digest(letter), .status = 200,
			    .is_text = is_text, .origins = origins};
	return look;
}

static enum learn_step see(struct page *page, char letter, uint64_t now_s, bool is_text)
{
	const struct look look = look_of(letter, now_s, (unsigned)page_route(page)->n, is_text);
	enum learn_step step = learn_look(page, &page->site->plan->policy, &look);
	if (step == LEARN_ACCEPT)
		learn_accept(page);
	return step;
}

/* letters: one look each, so many seconds apart. Result: the last step. */
static const struct history {
	const char *name, *letters;
	unsigned origins, apart_s;
	bool is_text;
	enum learn_step last;
	unsigned good;
} histories[] = {
    {"three equal ones make an image known", "aaa", 1, 1, false, LEARN_ACCEPT, 1},
    {"two do not", "aa", 1, 1, false, LEARN_SAMPLE, 0},
    {"a new one begins anew", "aab", 1, 1, false, LEARN_SAMPLE, 0},
    {"every origin has to agree: five samples would do for one", "aa", 3, 1, false, LEARN_SAMPLE, 0},
    {"HTML has to stay the same for a while", "aaaaa", 1, 20, true, LEARN_SAMPLE, 0},
    {"and is known then", "aaaaaa", 1, 20, true, LEARN_ACCEPT, 1},
    {"what changes begins its time anew", "aaaaab", 1, 20, true, LEARN_SAMPLE, 0},
    {"two that alternate are known as two", "ababababab", 1, 1, false, LEARN_ACCEPT, 2},
    {"but not as fast", "ababababa", 1, 1, false, LEARN_SAMPLE, 0},
    {"two that alternate in HTML settle, too", "ababababababab", 1, 20, true, LEARN_KNOWN, 2},
    {"what was seen once and never again, was an accident", "aabaaaaaaaaaaaa", 1, 20, true, LEARN_KNOWN, 1},
    {"so was what an edit replaced before the page settled", "aaabbbbbbbbbbbb", 1, 20, true, LEARN_KNOWN, 1},
    {"an image that is seldom another has two forms", "aabaaaaaaaa", 1, 1, false, LEARN_ACCEPT, 2},
    {"five that differ vary", "abcde", 1, 1, false, LEARN_VARIES, 0},
    {"what varied is learned anew", "abcdefff", 1, 1, false, LEARN_ACCEPT, 1},
    {"what is known and comes back is good", "aaaa", 1, 1, false, LEARN_KNOWN, 1},
    {"what is known and changes is held", "aaab", 1, 1, false, LEARN_HOLD, 1},
    {"and never learned", "aaabbbbbbbbbbbbbbb", 1, 100, true, LEARN_HOLD, 1},
};

static void histories_lead_where_they_must(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(histories) / sizeof(histories[0]); i++) {
		const struct history *h = &histories[i];
		struct page *page = begin(h->origins);
		enum learn_step last = LEARN_UNSET;
		uint64_t now_s = 1000000;
		for (const char *letter = h->letters; *letter; letter++, now_s += h->apart_s)
			last = see(page, *letter, now_s, h->is_text);
		if (last != h->last || page->n_good != h->good)
			fail_msg("%s: step %d, %u good", h->name, last, page->n_good);
		brain_end(NULL);
	}
}

static void a_known_page_that_is_another_each_time_seems_to_vary(void **state)
{
	(void)state;
	static const struct {
		const char *letters;
		bool varies;
	} cases[] = {{"aaa", false}, {"aaabbbbbbbb", false}, {"aaabcde", false}, {"aaabcdef", true},
		     {"aaabcdefa", false}, {"aaabcdeabcde", false}, {"bcdef", false}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct page *page = begin(1);
		for (const char *letter = cases[i].letters; *letter; letter++)
			(void)see(page, *letter, 100, false);
		if (learn_seems_to_vary(page) != cases[i].varies)
			fail_msg("%s", cases[i].letters);
		brain_end(NULL);
	}
}

static void an_error_is_no_page(void **state)
{
	(void)state;
	static const unsigned statuses[] = {204, 206, 304, 400, 401, 403, 404, 410, 500, 503};
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		struct page *page = begin(1);
		struct look look = look_of('e', 10, 1, true);
		look.status = (uint16_t)statuses[i];
		assert_int_equal(learn_look(page, &page->site->plan->policy, &look), LEARN_ERROR);
		brain_end(NULL);
	}
	assert_true(look_is_page(200) && look_is_page(301) && look_is_page(308));
}

static void what_leads_to_a_foreign_host_is_never_learned(void **state)
{
	(void)state;
	struct page *page = begin(1);
	struct look look = look_of('r', 10, 1, true);
	look.status = 302;
	look.is_severe = true;
	for (int i = 0; i < 20; i++, look.now_s += 1000)
		assert_int_equal(learn_look(page, &page->site->plan->policy, &look), LEARN_HOLD);
	look.is_published = true;
	assert_int_equal(learn_look(page, &page->site->plan->policy, &look), LEARN_HOLD);
	assert_int_equal(page->look, LOOK_ASTRAY);
	assert_int_equal(page->n_good + page->n_seen, 0);
}

static void only_what_was_a_page_has_turned(void **state)
{
	(void)state;
	static const struct {
		const char *before;
		enum page_look look;
	} cases[] = {{"", LOOK_ASTRAY}, {"aa", LOOK_ASTRAY}, {"aaaa", LOOK_SEVERE}, {"abcde", LOOK_SEVERE}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct page *page = begin(1);
		for (const char *letter = cases[i].before; *letter; letter++)
			(void)see(page, *letter, 100, true);
		assert_int_not_equal(page->policy, BASELINE_EXACT);
		struct look look = look_of('r', 200, 1, true);
		look.status = 302;
		look.is_severe = true;
		for (int turn = 0; turn < 3; turn++)
			assert_int_equal(learn_look(page, &page->site->plan->policy, &look), LEARN_HOLD);
		if (page->look != cases[i].look)
			fail_msg("after \"%s\": look %d", cases[i].before, page->look);
		brain_end(NULL);
	}
}

static void a_window_spares_the_time_to_settle_not_the_samples(void **state)
{
	(void)state;
	static const struct {
		const char *letters;
		enum learn_step last;
	} cases[] = {{"a", LEARN_SAMPLE}, {"aaa", LEARN_ACCEPT}, {"abcde", LEARN_VARIES}, {"aab", LEARN_SAMPLE}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct page *page = begin(1);
		enum learn_step last = LEARN_UNSET;
		for (const char *letter = cases[i].letters; *letter; letter++) {
			struct look look = look_of(*letter, 100, 1, true);
			look.is_published = true;
			last = learn_look(page, &page->site->plan->policy, &look);
		}
		if (last != cases[i].last)
			fail_msg("%s: step %d", cases[i].letters, last);
		brain_end(NULL);
	}
}

static void one_look_does_not_tell_what_is_constant(void **state)
{
	(void)state;
	static const struct {
		const char *letters;
		bool constant;
	} cases[] = {{"", false}, {"a", false}, {"aa", false}, {"aaa", true},
		     {"ab", false}, {"aaab", false}, {"aaabbb", false}, {"abcde", false}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct page *page = begin(1);
		for (const char *letter = cases[i].letters; *letter; letter++)
			(void)see(page, *letter, 100, true);
		if (learn_looks_constant(page, &page->site->plan->policy) != cases[i].constant)
			fail_msg("%s", cases[i].letters);
		brain_end(NULL);
	}
}

static void know(struct page *page, char letter, uint64_t now_s)
{
	for (int i = 0; i < 3; i++)
		(void)see(page, letter, now_s, false);
	assert_int_equal(page->policy, BASELINE_EXACT);
}

static struct page_mark mark_of(char letter, uint64_t first_s, uint64_t last_s)
{
	struct page_mark mark = {.first_s = first_s, .last_s = last_s};
	memcpy(mark.digest, brain_digest(letter), DIGEST_SIZE);
	return mark;
}

static void an_approved_version_replaces_what_is_seen_no_more(void **state)
{
	(void)state;
	struct page *page = begin(1);
	uint8_t retired[PAGE_GOOD_MAX][DIGEST_SIZE];
	know(page, 'a', 100);
	struct page_mark b = mark_of('b', 200, 300);
	assert_int_equal(learn_approve(page, &b, retired), 1);
	assert_memory_equal(retired[0], brain_digest('a'), DIGEST_SIZE);
	assert_int_equal(see(page, 'b', 301, false), LEARN_KNOWN);
	assert_int_equal(see(page, 'a', 302, false), LEARN_HOLD);
	/* c comes beside b, which is seen all the time: both stay */
	(void)see(page, 'b', 410, false);
	struct page_mark c = mark_of('c', 400, 405);
	assert_int_equal(learn_approve(page, &c, retired), 0);
	assert_int_equal(page->n_good, 2);
	assert_memory_equal(page->good[0].digest, brain_digest('c'), DIGEST_SIZE);
}

static void a_pinned_version_stays(void **state)
{
	(void)state;
	struct page *page = begin(1);
	uint8_t retired[PAGE_GOOD_MAX][DIGEST_SIZE];
	know(page, 'a', 100);
	page->good[0].pinned = true;
	for (int i = 0; i < 20; i++) {
		struct page_mark mark = mark_of((char)('b' + i), 200 + (uint64_t)i, 900);
		(void)learn_publish(page, &mark, retired);
	}
	assert_int_equal(page->n_good, PAGE_GOOD_MAX);
	assert_non_null(page_good(page, brain_digest('a')));
	/* and no window changes it */
	struct look look = look_of('z', 1000, 1, true);
	look.is_published = true;
	assert_int_equal(learn_look(page, &page->site->plan->policy, &look), LEARN_HOLD);
}

static void a_window_takes_what_comes_and_drops_what_went(void **state)
{
	(void)state;
	struct page *page = begin(2);
	uint8_t retired[PAGE_GOOD_MAX][DIGEST_SIZE];
	know(page, 'a', 100);
	struct look look = look_of('b', 200, 2, true);
	look.is_published = true;
	assert_int_equal(learn_look(page, &page->site->plan->policy, &look), LEARN_PUBLISH);
	struct page_mark b = mark_of('b', 200, 200);
	assert_int_equal(learn_publish(page, &b, retired), 0);
	/* the other origin still has the old edition */
	assert_int_equal(see(page, 'a', 190, false), LEARN_KNOWN);
	assert_int_equal(see(page, 'b', 210, false), LEARN_KNOWN);
	assert_int_equal(learn_close_window(page, retired), 1);
	assert_memory_equal(retired[0], brain_digest('a'), DIGEST_SIZE);
	assert_int_equal(learn_close_window(page, retired), 0);
	assert_int_equal(see(page, 'a', 300, false), LEARN_HOLD);
}

static void a_page_that_only_others_see_changed_is_cloaked(void **state)
{
	(void)state;
	struct page *page = begin(1);
	know(page, 'a', 100);
	struct look bot = look_of('s', 200, 1, true);
	bot.is_variant = true;
	assert_int_equal(learn_look(page, &page->site->plan->policy, &bot), LEARN_HOLD);
	assert_int_equal(page->look, LOOK_CLOAKED);
	assert_int_equal(see(page, 'a', 201, true), LEARN_KNOWN);
	assert_int_equal(page->look, LOOK_GOOD);
}

static void a_page_that_is_gone_everywhere_for_long_is_told_once(void **state)
{
	(void)state;
	struct page *page = begin(2);
	const struct guard_policy *policy = &page->site->plan->policy;
	know(page, 'a', 100);
	struct look look = look_of('n', 1000, 2, true);
	look.status = 404;
	assert_int_equal(learn_look(page, policy, &look), LEARN_GONE);
	assert_int_equal(page->look, LOOK_GONE);
	assert_false(learn_is_gone(page, policy, 1000 + 2 * GONE_MIN_S, 2)); /* one origin only */
	look.now_s += 10;
	(void)learn_look(page, policy, &look);
	assert_false(learn_is_gone(page, policy, 1000 + GONE_MIN_S - 1, 2));
	assert_true(learn_is_gone(page, policy, 1000 + GONE_MIN_S, 2));
	assert_false(learn_is_gone(page, policy, 1000 + GONE_MIN_S, 2));
	assert_int_equal(see(page, 'a', 5000, true), LEARN_KNOWN);
	assert_int_equal(page->gone_s, 0);
}

static void a_clock_that_is_set_back_settles_nothing(void **state)
{
	(void)state;
	struct page *page = begin(1);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(see(page, 'a', 1000 + i, true), LEARN_SAMPLE);
	assert_int_equal(see(page, 'a', 900, true), LEARN_SAMPLE);
	/* its time begins anew, and not where the clock was wrong */
	assert_int_equal(see(page, 'a', 999, true), LEARN_SAMPLE);
	assert_int_equal(see(page, 'a', 1000, true), LEARN_ACCEPT);
}

static void a_page_is_not_gone_for_long_because_the_clock_was_set_back(void **state)
{
	(void)state;
	struct page *page = begin(1);
	const struct guard_policy *policy = &page->site->plan->policy;
	know(page, 'a', 100);
	struct look look = look_of('n', 5000, 1, true);
	look.status = 404;
	assert_int_equal(learn_look(page, policy, &look), LEARN_GONE);
	assert_false(learn_is_gone(page, policy, 2000, 1));
	assert_false(learn_is_gone(page, policy, 2000 + GONE_MIN_S - 1, 1));
	assert_true(learn_is_gone(page, policy, 2000 + GONE_MIN_S, 1));
}

static void types_say_what_has_to_settle(void **state)
{
	(void)state;
	static const char *const texts[] = {"text/html; charset=utf-8", "TEXT/HTML", "application/json",
					    "application/ld+json", "application/rss+xml", "text/plain", ""};
	static const char *const files[] = {"image/png", "image/svg+xml", "text/css", "font/woff2",
					    "application/pdf", "text/javascript", "application/octet-stream"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_true(look_is_text(200, span_from_str(texts[i])));
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		assert_false(look_is_text(200, span_from_str(files[i])));
	assert_true(look_is_text(301, SPAN("image/png")));
}

static void what_is_learned_is_asked_often_what_settles_seldom(void **state)
{
	(void)state;
	struct page *page = begin(1);
	struct guard_policy policy = page->site->plan->policy;
	policy.settle_ms = 24 * 3600 * 1000;
	assert_int_equal(learn_wait_ms(page, &policy), policy.sample_interval_ms);
	page->is_text = true;
	page->quiet = 3;
	assert_int_equal(learn_wait_ms(page, &policy), 600000);
	page->policy = BASELINE_EXACT;
	assert_int_equal(learn_wait_ms(page, &policy), policy.probe_interval_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(histories_lead_where_they_must),
	    cmocka_unit_test(a_known_page_that_is_another_each_time_seems_to_vary),
	    cmocka_unit_test(an_error_is_no_page),
	    cmocka_unit_test_teardown(what_leads_to_a_foreign_host_is_never_learned, brain_end),
	    cmocka_unit_test_teardown(only_what_was_a_page_has_turned, brain_end),
	    cmocka_unit_test_teardown(a_window_spares_the_time_to_settle_not_the_samples, brain_end),
	    cmocka_unit_test_teardown(one_look_does_not_tell_what_is_constant, brain_end),
	    cmocka_unit_test_teardown(an_approved_version_replaces_what_is_seen_no_more, brain_end),
	    cmocka_unit_test_teardown(a_pinned_version_stays, brain_end),
	    cmocka_unit_test_teardown(a_window_takes_what_comes_and_drops_what_went, brain_end),
	    cmocka_unit_test_teardown(a_page_that_only_others_see_changed_is_cloaked, brain_end),
	    cmocka_unit_test_teardown(a_page_that_is_gone_everywhere_for_long_is_told_once, brain_end),
	    cmocka_unit_test_teardown(a_clock_that_is_set_back_settles_nothing, brain_end),
	    cmocka_unit_test_teardown(a_page_is_not_gone_for_long_because_the_clock_was_set_back, brain_end),
	    cmocka_unit_test(types_say_what_has_to_settle),
	    cmocka_unit_test_teardown(what_is_learned_is_asked_often_what_settles_seldom, brain_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

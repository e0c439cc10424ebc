/* Alerts on their way: told once, folded, tried again, given up, and always counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "proc/alert_queue.h"
#include "sallyport/egress_tell.h"

enum { WINDOW = 10000 };

static struct alert_queue queue;

static int setup(void **state)
{
	(void)state;
	alert_queue_init(&queue, WINDOW, 1000);
	return 0;
}

static struct alert alert_of(enum alert_kind kind, const char *site, const char *url, const char *text)
{
	struct alert alert;
	alert_fill(&alert, kind, span_from_str(site), span_from_str(url), "guard-changed", span_from_str(text));
	return alert;
}

static void add(const char *url, uint64_t now_ms)
{
	struct alert alert = alert_of(ALERT_HELD, "shop", url, "held");
	alert_queue_add(&queue, &alert, now_ms);
}

static const struct queued_alert *take(uint64_t now_ms)
{
	static struct queued_alert copy;
	const struct queued_alert *due = alert_queue_due(&queue, now_ms);
	if (!due)
		return NULL;
	copy = *due;
	alert_queue_delivered(&queue);
	return &copy;
}

static void the_first_is_told_at_once_and_the_like_when_its_window_ends(void **state)
{
	(void)state;
	add("/a", 100);
	assert_int_equal(alert_queue_next_ms(&queue), 0);
	const struct queued_alert *told = take(100);
	assert_non_null(told);
	assert_int_equal(told->number, 1000);
	assert_int_equal(told->alert.folded, 0);
	add("/a", 200);
	add("/a", 300);
	add("/a", 9000);
	assert_null(take(9000));
	assert_int_equal(alert_queue_next_ms(&queue), 100 + WINDOW);
	assert_null(take(100 + WINDOW - 1));
	told = take(100 + WINDOW);
	assert_non_null(told);
	assert_int_equal(told->alert.folded, 2);
	assert_int_equal(told->number, 1001);
	assert_int_equal(alert_queue_next_ms(&queue), UINT64_MAX);
	/* and the next is a first one again */
	add("/a", 30000);
	assert_int_equal(take(30000)->alert.folded, 0);
	assert_null(take(60000));
}

static void others_are_told_by_themselves(void **state)
{
	(void)state;
	struct alert alerts[] = {
	    alert_of(ALERT_HELD, "shop", "/a", "x"), alert_of(ALERT_HELD, "shop", "/b", "x"),
	    alert_of(ALERT_HELD, "news", "/a", "x"), alert_of(ALERT_FAILED, "shop", "/a", "x"),
	    alert_of(ALERT_ORIGIN, "", "", "one is down"), alert_of(ALERT_ORIGIN, "", "", "two is down"),
	};
	for (unsigned i = 0; i < 6; i++)
		alert_queue_add(&queue, &alerts[i], 5);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(take(5)->alert.kind, alerts[i].kind);
	assert_null(take(5));
	/* the text alone makes no difference where there is a URL */
	struct alert again = alert_of(ALERT_HELD, "shop", "/a", "another sentence");
	alert_queue_add(&queue, &again, 6);
	assert_null(take(6));
	assert_string_equal(take(5 + WINDOW)->alert.text, "another sentence");
}

static void what_its_sender_had_folded_adds_up(void **state)
{
	(void)state;
	struct alert alert = alert_of(ALERT_HELD, "shop", "/a", "x");
	alert.folded = 4;
	alert_queue_add(&queue, &alert, 0);
	assert_int_equal(take(0)->alert.folded, 4);
	alert_queue_add(&queue, &alert, 1);
	alert_queue_add(&queue, &alert, 2);
	/* two more, and what each stood for: 2 + 4 + 4, the one told not counted */
	assert_int_equal(take(WINDOW)->alert.folded, 9);
}

static void a_failure_is_tried_again_later_and_later(void **state)
{
	(void)state;
	uint64_t now_ms = 0, wait_ms = ALERT_RETRY_MIN_MS;
	alert_queue_init(&queue, 24 * 3600 * 1000, 1000); /* no window ends */
	add("/a", now_ms);
	add("/b", now_ms);
	uint64_t number = alert_queue_due(&queue, 0)->number;
	for (unsigned i = 0; i < 12; i++) {
		alert_queue_failed(&queue, now_ms);
		assert_int_equal(alert_queue_next_ms(&queue) - now_ms, wait_ms);
		assert_null(alert_queue_due(&queue, now_ms + wait_ms - 1));
		now_ms += wait_ms;
		assert_int_equal(alert_queue_due(&queue, now_ms)->number, number);
		wait_ms = wait_ms * 2 < ALERT_RETRY_MAX_MS ? wait_ms * 2 : ALERT_RETRY_MAX_MS;
	}
	alert_queue_delivered(&queue);
	assert_int_equal(alert_queue_due(&queue, now_ms)->number, number + 1);
	alert_queue_failed(&queue, now_ms);
	assert_null(alert_queue_due(&queue, now_ms + ALERT_RETRY_MIN_MS - 1));
	assert_non_null(alert_queue_due(&queue, now_ms + ALERT_RETRY_MIN_MS));
	assert_int_equal(queue.dropped, 0);
}

static void what_nobody_took_is_given_up_and_counted(void **state)
{
	(void)state;
	add("/a", 0);
	alert_queue_failed(&queue, ALERT_GIVE_UP_MS - 5);
	assert_null(alert_queue_due(&queue, ALERT_GIVE_UP_MS - 1));
	assert_null(alert_queue_due(&queue, ALERT_GIVE_UP_MS));
	assert_int_equal(queue.dropped, 1);
	assert_int_equal(queue.count, 0);
}

/* A defacement of a hundred thousand pages, and a receiver that is gone. */
static void a_flood_costs_no_more_and_loses_nothing_uncounted(void **state)
{
	(void)state;
	char url[32];
	uint64_t told = 0, folded = 0;
	enum { FLOOD = 100000 };
	for (unsigned i = 0; i < FLOOD; i++) {
		snprintf(url, sizeof(url), "/%u", i % 1000);
		add(url, i / 100);
	}
	assert_int_equal(queue.count, ALERT_QUEUE_MAX);
	for (const struct queued_alert *due; (due = take(2000)) != NULL; told++)
		folded += due->alert.folded;
	for (const struct queued_alert *due; (due = take(WINDOW * 2)) != NULL; told++)
		folded += due->alert.folded;
	assert_true(told >= ALERT_QUEUE_MAX);
	assert_true(queue.dropped > 0);
	assert_true(told + folded + queue.dropped <= FLOOD);
}

static void alerts_are_cut_cleaned_and_checked(void **state)
{
	(void)state;
	char text[3000];
	struct alert alert;
	memset(text, 'x', sizeof(text));
	text[5] = '\n';
	alert_fill(&alert, ALERT_VAULT, span_of(text, 3000), span_of(text, 3000), "a-reason", span_of(text, 3000));
	assert_true(alert_is_sound(&alert));
	assert_int_equal(strlen(alert.text), ALERT_TEXT_SIZE - 1);
	assert_int_equal(alert.text[5], '?');
	assert_string_equal(alert_kind_name(alert.kind), "vault");
	alert.kind = ALERT_KINDS;
	assert_false(alert_is_sound(&alert));
	assert_string_equal(alert_kind_name(alert.kind), "-");
	alert.kind = ALERT_UNSET;
	assert_false(alert_is_sound(&alert));
	alert.kind = ALERT_HELD;
	memset(alert.url, 'x', sizeof(alert.url));
	assert_false(alert_is_sound(&alert));
	assert_true(alert_send(-1, &alert));
}

static void add_news(const char *egress, uint32_t news, const char *reason, const char *text, uint64_t now_ms)
{
	struct alert alert;
	alert_fill(&alert, ALERT_ORIGIN, SPAN(""), SPAN(""), reason, span_from_str(text));
	alert_about_egress(&alert, span_from_str(egress), news);
	assert_true(alert_is_sound(&alert));
	alert_queue_add(&queue, &alert, now_ms);
}

/* A scan is refused thousands of destinations, each with a sentence of its own. */
static void refusals_of_an_egress_origin_are_one_and_its_quarantines_are_not(void **state)
{
	(void)state;
	char text[64];
	unsigned told = 0;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "origin 10.0.0.5 was refused 192.0.2.%u:445", i % 250);
		add_news("10.0.0.5", EGRESS_NEWS_REFUSED, "egress-not-allowed", text, 100 + i);
	}
	add_news("10.0.0.6", EGRESS_NEWS_REFUSED, "egress-not-allowed", text, 1200);
	add_news("10.0.0.5", EGRESS_NEWS_REFUSED, "egress-private", text, 1200);
	add_news("10.0.0.5", EGRESS_NEWS_QUARANTINE, "egress-quarantined", "it is in quarantine (listed-only)", 1200);
	add_news("10.0.0.5", EGRESS_NEWS_QUARANTINE, "egress-quarantined", "it is in quarantine (replies-only)", 1200);
	add_news("10.0.0.5", EGRESS_NEWS_RELEASE, "-", "it is released", 1200);
	for (const struct queued_alert *alert; (alert = take(1300)) != NULL; told++)
		assert_int_equal(alert->alert.kind, told < 3 ? ALERT_EGRESS : ALERT_QUARANTINE);
	assert_int_equal(told, 6);
	const struct queued_alert *rest = take(100 + WINDOW);
	assert_non_null(rest);
	assert_int_equal(rest->alert.folded, 998);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
	    TEST(the_first_is_told_at_once_and_the_like_when_its_window_ends),
	    TEST(others_are_told_by_themselves),
	    TEST(what_its_sender_had_folded_adds_up),
	    TEST(a_failure_is_tried_again_later_and_later),
	    TEST(what_nobody_took_is_given_up_and_counted),
	    TEST(a_flood_costs_no_more_and_loses_nothing_uncounted),
	    TEST(alerts_are_cut_cleaned_and_checked),
	    TEST(refusals_of_an_egress_origin_are_one_and_its_quarantines_are_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

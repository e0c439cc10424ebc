/* What is told of egress origins: the sentences, and that what is alike is folded and none of it lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sallyport/egress_tell.h"

struct fixture {
	struct log_ring *ring;
	struct egress_teller teller;
	char buf[LOG_RECORD_MAX];
	struct log_record record;
	struct span texts[LOG_TEXT_COUNT];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;
	f->ring = calloc(1, sizeof(*f->ring));
	assert_true(egress_teller_init(&f->teller, f->ring, eventfd(0, EFD_NONBLOCK), LOG_RING_MASTER, &err));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	close(f->teller.event_fd);
	egress_teller_release(&f->teller);
	free(f->ring);
	free(f);
	return 0;
}

/* The next record; false: none. */
static bool take(struct fixture *f)
{
	bool damaged = false;
	size_t len = log_ring_take(f->ring, f->buf, &damaged);
	assert_false(damaged);
	if (len == 0)
		return false;
	assert_true(log_record_unpack(f->buf, len, &f->record, f->texts));
	return true;
}

static struct egress_event conviction(void)
{
	return (struct egress_event){
	    .news = EGRESS_NEWS_QUARANTINE,
	    .origin = "10.0.0.5",
	    .offence = EGRESS_OFFENCE_SCAN,
	    .stage = EGRESS_LISTED_ONLY,
	    .length_ms = 600000,
	    .count = 12,
	    .counted = "new destinations",
	    .within_ms = 2000,
	    .last = "203.0.113.9:445",
	    .setting = "egress.new_destinations",
	};
}

static void assert_sentence(const struct egress_event *event, const char *expected)
{
	char out[EGRESS_SENTENCE_SIZE];
	egress_sentence_of(event, out);
	assert_string_equal(out, expected);
}

static void a_conviction_says_how_long_and_why(void **state)
{
	(void)state;
	struct egress_event event = conviction();
	assert_sentence(&event, "origin 10.0.0.5 is in quarantine (listed-only) for 10 min: scan, "
				"12 new destinations in 2 s, last 203.0.113.9:445");
	event.count = 1;
	assert_sentence(&event, "origin 10.0.0.5 is in quarantine (listed-only) for 10 min: scan, "
				"1 new destination in 2 s, last 203.0.113.9:445");
	event = conviction();
	event.only_reports = true;
	assert_sentence(&event, "origin 10.0.0.5 would be in quarantine (listed-only) for 10 min: scan, "
				"12 new destinations in 2 s, last 203.0.113.9:445");
	event = (struct egress_event){.news = EGRESS_NEWS_QUARANTINE,
				      .origin = "fd00::7",
				      .offence = EGRESS_OFFENCE_ORDERED,
				      .stage = EGRESS_REPLIES_ONLY};
	assert_sentence(&event, "origin fd00::7 is in quarantine (replies-only) until it is released: ordered");
}

static void other_news_are_one_sentence_each(void **state)
{
	(void)state;
	struct egress_event event = {.news = EGRESS_NEWS_REFUSED,
				     .origin = "10.0.0.5",
				     .reason = REASON_EGRESS_DENIED,
				     .last = "evil.example:443"};
	assert_sentence(&event, "origin 10.0.0.5 was refused evil.example:443: the destination is in egress.deny");
	event.only_reports = true;
	event.last = NULL;
	assert_sentence(&event, "origin 10.0.0.5 would have been refused a packet: the destination is in egress.deny");
	event = (struct egress_event){.news = EGRESS_NEWS_STRIKE, .origin = "10.0.0.5", .offence = EGRESS_OFFENCE_FLOOD,
				      .last = "198.51.100.1"};
	assert_sentence(&event, "origin 10.0.0.5 has a strike: flood, last 198.51.100.1");
	event = (struct egress_event){.news = EGRESS_NEWS_RELEASE, .origin = "10.0.0.5"};
	assert_sentence(&event, "origin 10.0.0.5 is released from quarantine by order");
	event = (struct egress_event){.news = EGRESS_NEWS_END, .origin = "10.0.0.5", .stage = EGRESS_LISTED_ONLY};
	assert_sentence(&event, "origin 10.0.0.5 is free again: its time in quarantine (listed-only) is over");
}

static void a_sentence_that_is_too_long_is_cut(void **state)
{
	(void)state;
	char last[4096], out[EGRESS_SENTENCE_SIZE];
	memset(last, 'x', sizeof(last) - 1);
	last[sizeof(last) - 1] = '\0';
	struct egress_event event = conviction();
	event.origin = last;
	event.last = last;
	egress_sentence_of(&event, out);
	assert_true(strlen(out) <= EGRESS_SENTENCE_SIZE - 1 && strlen(out) > 300);
}

static void a_record_names_origin_news_and_destination(void **state)
{
	struct fixture *f = *state;
	struct egress_event event = conviction();
	egress_tell(&f->teller, &event, 5000);
	assert_true(take(f));
	assert_int_equal(f->record.kind, LOG_RECORD_EVENT);
	assert_int_equal(f->record.news, EGRESS_NEWS_QUARANTINE);
	assert_int_equal(f->record.reason, REASON_EGRESS_QUARANTINED);
	assert_int_equal(f->record.folded, 0);
	assert_true(span_eq(f->texts[LOG_TEXT_EGRESS], SPAN("10.0.0.5")));
	assert_true(span_eq(f->texts[LOG_TEXT_RULE], SPAN("scan")));
	assert_true(span_eq(f->texts[LOG_TEXT_EVIDENCE], SPAN("203.0.113.9:445")));
	assert_true(span_eq(f->texts[LOG_TEXT_SETTING], SPAN("egress.new_destinations")));
	assert_false(take(f));
}

static struct egress_event refusal(const char *origin, const char *last)
{
	return (struct egress_event){.news = EGRESS_NEWS_REFUSED,
				     .origin = origin,
				     .reason = REASON_EGRESS_DENIED,
				     .last = last};
}

static void what_is_alike_is_told_once_a_second_with_its_number(void **state)
{
	struct fixture *f = *state;
	struct egress_event event = refusal("10.0.0.5", "192.0.2.1:25");
	for (uint64_t now_ms = 1000; now_ms < 4000; now_ms++) {
		event.last = now_ms == 3999 ? "192.0.2.99:25" : "192.0.2.1:25";
		egress_tell(&f->teller, &event, now_ms);
	}
	unsigned told = 0, in_all = 0;
	while (take(f)) {
		told++;
		in_all += f->record.folded + 1;
	}
	assert_int_equal(told, 3);
	assert_int_equal(egress_teller_flush(&f->teller, 3999), 4000);
	assert_false(take(f));
	assert_int_equal(egress_teller_flush(&f->teller, 4000), 5000);
	assert_true(take(f));
	in_all += f->record.folded + 1;
	assert_true(span_eq(f->texts[LOG_TEXT_EVIDENCE], SPAN("192.0.2.99:25")));
	assert_int_equal(in_all, 3000);
	assert_true(egress_teller_flush(&f->teller, 5000) == UINT64_MAX);
	assert_false(take(f));
}

static void what_is_not_alike_is_told_at_once(void **state)
{
	struct fixture *f = *state;
	struct egress_event one = refusal("10.0.0.5", "192.0.2.1:25"), other = refusal("10.0.0.6", "192.0.2.1:25");
	egress_tell(&f->teller, &one, 1000);
	egress_tell(&f->teller, &other, 1000);
	one.reason = REASON_EGRESS_PRIVATE;
	egress_tell(&f->teller, &one, 1000);
	struct egress_event sentence = conviction();
	egress_tell(&f->teller, &sentence, 1000);
	for (int i = 0; i < 4; i++) {
		assert_true(take(f));
		assert_int_equal(f->record.folded, 0);
	}
	assert_false(take(f));
}

/* As many as there are places in the table, several times over: no number gets lost. */
static void many_origins_lose_no_number(void **state)
{
	struct fixture *f = *state;
	char name[16];
	unsigned in_all = 0;
	for (unsigned round = 0; round < 5; round++)
		for (unsigned i = 0; i < 2 * EGRESS_LIKES; i++) {
			snprintf(name, sizeof(name), "10.0.%u.%u", i / 256, i % 256);
			struct egress_event event = refusal(name, "192.0.2.1:25");
			egress_tell(&f->teller, &event, 1000);
		}
	egress_teller_flush(&f->teller, 3000);
	while (take(f))
		in_all += f->record.folded + 1;
	assert_int_equal(in_all, 5 * 2 * EGRESS_LIKES);
}

static void a_full_ring_is_counted(void **state)
{
	struct fixture *f = *state;
	char name[32];
	for (unsigned i = 0; i < 100000 && f->teller.lost == 0; i++) {
		snprintf(name, sizeof(name), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		struct egress_event event = refusal(name, "192.0.2.1:25");
		egress_tell(&f->teller, &event, 1000);
	}
	assert_true(f->teller.lost > 0);
	assert_true(take(f));
}

static void news_have_names(void **state)
{
	(void)state;
	assert_string_equal(egress_news_name(EGRESS_NEWS_QUARANTINE), "quarantine");
	assert_string_equal(egress_news_name(EGRESS_NEWS_END), "end");
	assert_string_equal(egress_news_name(EGRESS_NEWS_UNSET), "-");
	assert_string_equal(egress_news_name(4711), "-");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_conviction_says_how_long_and_why),
	    TEST(other_news_are_one_sentence_each),
	    TEST(a_sentence_that_is_too_long_is_cut),
	    TEST(a_record_names_origin_news_and_destination),
	    TEST(what_is_alike_is_told_once_a_second_with_its_number),
	    TEST(what_is_not_alike_is_told_at_once),
	    TEST(many_origins_lose_no_number),
	    TEST(a_full_ring_is_counted),
	    TEST(news_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which deadline an exchange waits for, and how a slow peer earns its time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "front/front.h"

static const struct timeout_settings timeouts = {
    .body_grace = 5000,
    .min_rate = 500,
    .stall = 30000,
    .connect = 3000,
    .first_byte = 60000,
    .between_bytes = 40000,
};

static struct patience waited(uint64_t since_ms, uint64_t bytes, uint64_t until_ms)
{
	struct patience p = {0};
	patience_begin(&p, since_ms);
	patience_end(&p, &timeouts, bytes, until_ms);
	patience_begin(&p, until_ms);
	return p;
}

static void sender_has_its_grace_and_what_its_bytes_earn(void **state)
{
	(void)state;
	struct patience p = waited(1000, 0, 1000);
	assert_int_equal(patience_deadline(&p, &timeouts), 1000 + 5000);
	p = waited(1000, 500, 1000);
	assert_int_equal(patience_deadline(&p, &timeouts), 1000 + 6000);
	/* 4 s were waited already: 2 s are left */
	p = waited(1000, 500, 5000);
	assert_int_equal(patience_deadline(&p, &timeouts), 5000 + 2000);
	/* nothing is left */
	p = waited(1000, 500, 10000);
	assert_int_equal(patience_deadline(&p, &timeouts), 10000);
}

static void waiting_on_does_not_renew_the_deadline(void **state)
{
	(void)state;
	struct patience p = {0};
	patience_begin(&p, 1000);
	patience_begin(&p, 3000);
	assert_int_equal(patience_deadline(&p, &timeouts), 1000 + 5000);
}

static void earned_time_is_no_licence_to_stall(void **state)
{
	(void)state;
	struct patience p = waited(1000, UINT64_MAX / 2000, 1000);
	assert_int_equal(patience_deadline(&p, &timeouts), 1000 + 30000);
}

/* Who took much at once may not trickle for hours: a byte now and then earns next to nothing. */
static void much_at_once_buys_a_minute_and_no_more(void **state)
{
	(void)state;
	uint64_t now = 1000, bytes = 100 << 20;
	struct patience p = waited(now, bytes, now);
	for (int i = 0; i < 3; i++) {
		assert_true(patience_deadline(&p, &timeouts) > now + 20000 - 1 || i == 2);
		now += 20000;
		patience_end(&p, &timeouts, ++bytes, now);
		patience_begin(&p, now);
	}
	assert_true(patience_deadline(&p, &timeouts) <= now + 10);
}

static void steady_peer_at_the_rate_goes_on_for_ever(void **state)
{
	(void)state;
	struct patience p = {0};
	uint64_t now = 1000;
	for (int i = 1; i <= 10000; i++) {
		patience_begin(&p, now);
		now += 1000;
		assert_true(patience_deadline(&p, &timeouts) >= now);
		patience_end(&p, &timeouts, (uint64_t)i * 500, now);
	}
}

static void no_minimum_rate_leaves_the_stall(void **state)
{
	(void)state;
	struct timeout_settings none = timeouts;
	none.min_rate = 0;
	struct patience p = {0};
	patience_begin(&p, 1000);
	patience_end(&p, &none, 1, 101000);
	patience_begin(&p, 101000);
	assert_int_equal(patience_deadline(&p, &none), 101000 + 30000);
}

static struct exchange *relaying(void)
{
	static struct settings settings;
	static struct front *front;
	static struct exchange x;
	settings.timeouts = timeouts;
	if (!front)
		front = calloc(1, sizeof(*front));
	assert_non_null(front);
	front->settings = &settings;
	x = (struct exchange){.front = front, .step = STEP_RELAY, .origin_moved_ms = 10000};
	return &x;
}

static void expect(const struct exchange *x, uint64_t at_ms, enum reason reason)
{
	struct deadline deadline = exchange_deadline(x);
	assert_int_equal(deadline.at_ms, at_ms);
	assert_int_equal(deadline.reason, reason);
}

static void origin_is_to_blame_only_where_nobody_else_waits(void **state)
{
	(void)state;
	struct exchange *x = relaying();
	expect(x, 10000 + 60000, REASON_ORIGIN_TIMEOUT);
	x->head_read = true;
	expect(x, 10000 + 40000, REASON_ORIGIN_STALLED);
	x->down_patience.since_ms = 11000;
	expect(x, 11000 + 5000, REASON_SEND_TIMEOUT);
	x->down_patience.since_ms = 0;
	x->up_patience.since_ms = 12000;
	expect(x, 12000 + 5000, REASON_BODY_TIMEOUT);
}

static void an_attempt_to_connect_may_end_before_connecting_has_to(void **state)
{
	(void)state;
	struct exchange *x = relaying();
	x->connect_until_ms = 777;
	x->attempt_until_ms = 555;
	x->step = STEP_CONNECT;
	expect(x, 555, REASON_ORIGIN_CONNECT_TIMEOUT);
	x->step = STEP_QUEUE;
	expect(x, 777, REASON_ORIGIN_BUSY);
}

static void collecting_ends_without_blame(void **state)
{
	(void)state;
	struct exchange *x = relaying();
	x->step = STEP_COLLECT;
	x->up_patience.since_ms = 10000;
	x->collect_until_ms = 11000;
	expect(x, 11000, REASON_UNSET);
	x->collect_until_ms = 90000;
	expect(x, 15000, REASON_BODY_TIMEOUT);
}

/* What we don't read, or pass on, for a rate's sake is nobody's fault; and all else is as it was afterwards. */
static void nobody_is_to_blame_for_what_is_held(void **state)
{
	(void)state;
	struct err err;
	static struct settings settings;
	static struct front front;
	settings.timeouts = timeouts;
	front.settings = &settings;
	front.loop = loop_new(&err);
	assert_non_null(front.loop);
	uint64_t now_ms = loop_now_ms(front.loop);
	for (int way = 0; way < GATE_WAYS; way++) {
		struct exchange x = {.front = &front, .step = STEP_RELAY, .head_read = true, .origin_moved_ms = now_ms};
		assert_int_equal(exchange_deadline(&x).at_ms, now_ms + 40000);
		assert_int_equal(exchange_deadline(&x).reason, REASON_ORIGIN_STALLED);
		assert_int_equal(flow_hold(&x, (enum gate_way)way, (now_ms + 50000) * 1000), 0);
		assert_int_equal(exchange_deadline(&x).reason, REASON_UNSET);
		assert_in_range(exchange_deadline(&x).at_ms, now_ms + 50001, now_ms + 50016);
	}
	loop_free(front.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nobody_is_to_blame_for_what_is_held),
	    cmocka_unit_test(sender_has_its_grace_and_what_its_bytes_earn),
	    cmocka_unit_test(waiting_on_does_not_renew_the_deadline),
	    cmocka_unit_test(earned_time_is_no_licence_to_stall),
	    cmocka_unit_test(much_at_once_buys_a_minute_and_no_more),
	    cmocka_unit_test(steady_peer_at_the_rate_goes_on_for_ever),
	    cmocka_unit_test(no_minimum_rate_leaves_the_stall),
	    cmocka_unit_test(origin_is_to_blame_only_where_nobody_else_waits),
	    cmocka_unit_test(an_attempt_to_connect_may_end_before_connecting_has_to),
	    cmocka_unit_test(collecting_ends_without_blame),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The event loop: events, timers, deferred tasks, and removal at awkward times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sallyport/loop.h"

struct probe {
	struct watch watch;
	struct timer timer;
	struct task task;
	struct loop *loop;
	struct probe *other;
	unsigned events;
	int fired, order;
};

static int order_counter;

static struct loop *new_loop(void)
{
	struct err err;
	struct loop *loop = loop_new(&err);
	assert_non_null(loop);
	return loop;
}

static void round_of(struct loop *loop, int wait_ms)
{
	struct err err;
	assert_true(loop_once(loop, wait_ms, &err));
}

static void on_event(struct watch *watch, unsigned events)
{
	struct probe *p = (struct probe *)(void *)watch;
	p->events |= events;
	p->fired++;
	if (p->other)
		loop_unwatch(p->loop, &p->other->watch);
}

static void on_expiry(struct timer *timer)
{
	struct probe *p = (struct probe *)(void *)((char *)timer - offsetof(struct probe, timer));
	p->fired++;
	p->order = ++order_counter;
}

static void on_task(struct task *task)
{
	struct probe *p = (struct probe *)(void *)((char *)task - offsetof(struct probe, task));
	p->fired++;
	if (p->other)
		loop_cancel(&p->other->task);
	else
		loop_defer(p->loop, task);
}

static void watch_pair(struct loop *loop, struct probe probes[2], int fds[2])
{
	struct err err;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	for (int i = 0; i < 2; i++) {
		probes[i] = (struct probe){.loop = loop, .watch = {.on_event = on_event, .fd = fds[i]}};
		assert_true(loop_watch(loop, &probes[i].watch, &err));
	}
}

static void events_come_once_per_edge(void **state)
{
	(void)state;
	struct loop *loop = new_loop();
	struct probe probes[2];
	int fds[2];
	watch_pair(loop, probes, fds);
	round_of(loop, 0);
	assert_int_equal(probes[0].events, LOOP_WRITABLE);
	assert_int_equal(write(fds[1], "x", 1), 1);
	round_of(loop, 0);
	assert_true(probes[0].events & LOOP_READABLE);
	int fired = probes[0].fired;
	round_of(loop, 0);
	assert_int_equal(probes[0].fired, fired);
	shutdown(fds[1], SHUT_WR);
	round_of(loop, 0);
	assert_true(probes[0].events & LOOP_PEER_CLOSED);
	close(fds[1]);
	round_of(loop, 0);
	assert_true(probes[0].events & LOOP_ERROR);
	close(fds[0]);
	loop_free(loop);
}

static void removed_watch_gets_no_event_already_harvested(void **state)
{
	(void)state;
	struct loop *loop = new_loop();
	struct probe probes[2];
	int fds[2];
	watch_pair(loop, probes, fds);
	/* Both are writable in the first round; whichever comes first removes the other. */
	probes[0].other = &probes[1];
	probes[1].other = &probes[0];
	round_of(loop, 0);
	assert_int_equal(probes[0].fired + probes[1].fired, 1);
	close(fds[0]);
	close(fds[1]);
	loop_free(loop);
}

static void urgent_events_come_first(void **state)
{
	(void)state;
	for (int urgent = 0; urgent < 2; urgent++) {
		struct loop *loop = new_loop();
		struct probe probes[2];
		int fds[2];
		watch_pair(loop, probes, fds);
		/* Both are writable at once. The urgent one removes the other, which must not come first. */
		probes[urgent].watch.urgent = true;
		probes[urgent].other = &probes[!urgent];
		round_of(loop, 0);
		assert_int_equal(probes[urgent].fired, 1);
		assert_int_equal(probes[!urgent].fired, 0);
		close(fds[0]);
		close(fds[1]);
		loop_free(loop);
	}
}

static void many_watches_reuse_slots(void **state)
{
	(void)state;
	struct loop *loop = new_loop();
	for (int i = 0; i < 500; i++) {
		struct probe probes[2];
		int fds[2];
		watch_pair(loop, probes, fds);
		assert_true(probes[0].watch.slot <= 64 && probes[1].watch.slot <= 64);
		loop_unwatch(loop, &probes[0].watch);
		loop_unwatch(loop, &probes[1].watch);
		loop_unwatch(loop, &probes[1].watch);
		close(fds[0]);
		close(fds[1]);
	}
	loop_free(loop);
}

static void timers_fire_in_order_of_their_deadlines(void **state)
{
	(void)state;
	enum { N = 200 };
	struct loop *loop = new_loop();
	static struct probe probes[N];
	uint64_t now = loop_now_ms(loop);
	srand(7);
	order_counter = 0;
	for (int i = 0; i < N; i++) {
		probes[i] = (struct probe){.timer.on_expiry = on_expiry};
		loop_arm(loop, &probes[i].timer, now + (uint64_t)(rand() % 20));
	}
	/* Some move earlier, some later, some are stopped. */
	for (int i = 0; i < N; i += 3)
		loop_arm(loop, &probes[i].timer, now + (uint64_t)(rand() % 40));
	for (int i = 0; i < N; i += 7)
		loop_disarm(loop, &probes[i].timer);
	while (loop_now_ms(loop) < now + 60)
		round_of(loop, 5);
	for (int i = 0; i < N; i++) {
		assert_int_equal(probes[i].fired, i % 7 ? 1 : 0);
		for (int j = 0; j < N; j++) {
			if (i % 7 && j % 7 && probes[i].order < probes[j].order)
				assert_true(probes[i].timer.deadline_ms <= probes[j].timer.deadline_ms);
		}
	}
	loop_free(loop);
}

static void deadline_moved_later_does_not_fire_early(void **state)
{
	(void)state;
	struct loop *loop = new_loop();
	struct probe p = {.timer.on_expiry = on_expiry};
	uint64_t start = loop_now_ms(loop);
	loop_arm(loop, &p.timer, start + 5);
	loop_arm(loop, &p.timer, start + 30);
	while (!p.fired && loop_now_ms(loop) < start + 1000)
		round_of(loop, 5);
	assert_int_equal(p.fired, 1);
	assert_true(loop_now_ms(loop) >= start + 30);
	loop_free(loop);
}

static void task_that_queues_itself_waits_for_the_next_round(void **state)
{
	(void)state;
	struct loop *loop = new_loop();
	struct probe p = {.loop = loop, .task.run = on_task};
	loop_defer(loop, &p.task);
	loop_defer(loop, &p.task);
	round_of(loop, -1);
	assert_int_equal(p.fired, 1);
	round_of(loop, -1);
	assert_int_equal(p.fired, 2);
	loop_cancel(&p.task);
	loop_free(loop);
}

static void task_cancelled_by_another_in_the_same_round_does_not_run(void **state)
{
	(void)state;
	struct loop *loop = new_loop();
	struct probe victim = {.loop = loop, .task.run = on_task};
	struct probe killer = {.loop = loop, .task.run = on_task, .other = &victim};
	loop_defer(loop, &killer.task);
	loop_defer(loop, &victim.task);
	round_of(loop, 0);
	assert_int_equal(killer.fired, 1);
	assert_int_equal(victim.fired, 0);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(events_come_once_per_edge),
	    cmocka_unit_test(removed_watch_gets_no_event_already_harvested),
	    cmocka_unit_test(urgent_events_come_first),
	    cmocka_unit_test(many_watches_reuse_slots),
	    cmocka_unit_test(timers_fire_in_order_of_their_deadlines),
	    cmocka_unit_test(deadline_moved_later_does_not_fire_early),
	    cmocka_unit_test(task_that_queues_itself_waits_for_the_next_round),
	    cmocka_unit_test(task_cancelled_by_another_in_the_same_round_does_not_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

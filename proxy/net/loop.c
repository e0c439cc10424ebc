/* The event loop: epoll and a heap of timers.
 *
 * Watches live in a table of slots, and epoll is given slot and generation
 * instead of a pointer: an event that was harvested before its watch was removed
 * no longer matches, so callbacks may remove anything at any time.
 *
 *   epoll data:  [ generation : 32 ][ slot : 32 ]
 *
 * Timers keep the deadline they want apart from the key they are sorted by.
 * A deadline that moves later only changes the former; the heap corrects itself
 * when the old time comes. Requests move deadlines all the time and almost none
 * is ever reached. */
#include "sallyport/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "sallyport/clock.h"

enum { EVENTS_PER_ROUND = 256, SLOTS_FIRST = 64, HEAP_FIRST = 64, TIMER_UNARMED = 0 };

struct slot {
	struct watch *watch; /* NULL: free */
	uint32_t generation;
	int next_free;
};

struct heap_entry {
	uint64_t key_ms;
	struct timer *timer;
};

struct loop {
	int epoll_fd;
	bool stopped;
	uint64_t now_us;
	struct slot *slots;
	int slot_count;
	int free_slot; /* -1: none */
	/* heap[1] is the earliest; heap[0] is unused, so that position 0 means unarmed. */
	struct heap_entry *heap;
	uint32_t heap_len, heap_room;
	struct task tasks;   /* ring: those for the end of this round */
	struct task running; /* ring: those that the end of this round has come to */
	int round_events;
	struct epoll_event events[EVENTS_PER_ROUND];
};

static void ring_init(struct task *ring)
{
	ring->next = ring->prev = ring;
}

struct loop *loop_new(struct err *err)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	if (!loop) {
		err_set(err, "out of memory");
		return NULL;
	}
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		err_set(err, "epoll_create1: %s", strerror(errno));
		free(loop);
		return NULL;
	}
	loop->free_slot = -1;
	ring_init(&loop->tasks);
	ring_init(&loop->running);
	loop->now_us = clock_mono_us();
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	close(loop->epoll_fd);
	free(loop->slots);
	free(loop->heap);
	free(loop);
}

static bool grow_slots(struct loop *loop)
{
	int count = loop->slot_count ? loop->slot_count * 2 : SLOTS_FIRST;
	struct slot *slots = realloc(loop->slots, (size_t)count * sizeof(*slots));
	if (!slots)
		return false;
	for (int i = loop->slot_count; i < count; i++)
		slots[i] = (struct slot){.next_free = i + 1 < count ? i + 1 : -1, .generation = 1};
	loop->free_slot = loop->slot_count;
	loop->slots = slots;
	loop->slot_count = count;
	return true;
}

static bool watch_with(struct loop *loop, struct watch *watch, uint32_t flags, struct err *err)
{
	if (loop->free_slot < 0 && !grow_slots(loop))
		return err_set(err, "out of memory");
	int index = loop->free_slot;
	struct slot *slot = &loop->slots[index];
	struct epoll_event event = {
	    .events = flags,
	    .data.u64 = (uint64_t)slot->generation << 32 | (uint32_t)index,
	};
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) < 0)
		return err_set(err, "epoll_ctl: %s", strerror(errno));
	loop->free_slot = slot->next_free;
	slot->watch = watch;
	watch->slot = index + 1;
	return true;
}

bool loop_watch(struct loop *loop, struct watch *watch, struct err *err)
{
	return watch_with(loop, watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, err);
}

bool loop_watch_listener(struct loop *loop, struct watch *watch, struct err *err)
{
	return watch_with(loop, watch, EPOLLIN | EPOLLEXCLUSIVE, err);
}

bool loop_watch_input(struct loop *loop, struct watch *watch, struct err *err)
{
	return watch_with(loop, watch, EPOLLIN, err);
}

void loop_forget(struct loop *loop, struct watch *watch)
{
	if (watch->slot == 0)
		return;
	int index = watch->slot - 1;
	struct slot *slot = &loop->slots[index];
	slot->watch = NULL;
	slot->generation++;
	slot->next_free = loop->free_slot;
	loop->free_slot = index;
	watch->slot = 0;
}

void loop_unwatch(struct loop *loop, struct watch *watch)
{
	if (watch->slot == 0)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	loop_forget(loop, watch);
}

static void heap_put(struct loop *loop, uint32_t pos, struct heap_entry entry)
{
	loop->heap[pos] = entry;
	entry.timer->heap_pos = pos;
	entry.timer->heap_key_ms = entry.key_ms;
}

static void heap_up(struct loop *loop, uint32_t pos, struct heap_entry entry)
{
	while (pos > 1 && loop->heap[pos / 2].key_ms > entry.key_ms) {
		heap_put(loop, pos, loop->heap[pos / 2]);
		pos /= 2;
	}
	heap_put(loop, pos, entry);
}

static void heap_down(struct loop *loop, uint32_t pos, struct heap_entry entry)
{
	for (;;) {
		uint32_t child = pos * 2;
		if (child > loop->heap_len)
			break;
		if (child < loop->heap_len && loop->heap[child + 1].key_ms < loop->heap[child].key_ms)
			child++;
		if (loop->heap[child].key_ms >= entry.key_ms)
			break;
		heap_put(loop, pos, loop->heap[child]);
		pos = child;
	}
	heap_put(loop, pos, entry);
}

static void heap_fix(struct loop *loop, uint32_t pos, struct heap_entry entry)
{
	if (pos > 1 && loop->heap[pos / 2].key_ms > entry.key_ms)
		heap_up(loop, pos, entry);
	else
		heap_down(loop, pos, entry);
}

static void heap_remove(struct loop *loop, uint32_t pos)
{
	loop->heap[pos].timer->heap_pos = TIMER_UNARMED;
	struct heap_entry last = loop->heap[loop->heap_len--];
	if (pos <= loop->heap_len)
		heap_fix(loop, pos, last);
}

void loop_arm(struct loop *loop, struct timer *timer, uint64_t deadline_ms)
{
	timer->deadline_ms = deadline_ms;
	if (timer->heap_pos != TIMER_UNARMED) {
		if (deadline_ms < timer->heap_key_ms)
			heap_up(loop, timer->heap_pos, (struct heap_entry){deadline_ms, timer});
		return;
	}
	if (loop->heap_len + 1 >= loop->heap_room) {
		uint32_t room = loop->heap_room ? loop->heap_room * 2 : HEAP_FIRST;
		struct heap_entry *heap = realloc(loop->heap, room * sizeof(*heap));
		/* A deadline that cannot be kept is a promise broken: better to end,
		 * and be started anew, than to hold connections without a bound. */
		if (!heap)
			abort();
		loop->heap = heap;
		loop->heap_room = room;
	}
	heap_up(loop, ++loop->heap_len, (struct heap_entry){deadline_ms, timer});
}

void loop_disarm(struct loop *loop, struct timer *timer)
{
	if (timer->heap_pos != TIMER_UNARMED)
		heap_remove(loop, timer->heap_pos);
}

void loop_defer(struct loop *loop, struct task *task)
{
	if (task->next)
		return;
	task->next = &loop->tasks;
	task->prev = loop->tasks.prev;
	task->prev->next = task;
	loop->tasks.prev = task;
}

void loop_cancel(struct task *task)
{
	if (!task->next)
		return;
	task->prev->next = task->next;
	task->next->prev = task->prev;
	task->next = task->prev = NULL;
}

int loop_round_events(const struct loop *loop)
{
	return loop->round_events;
}

uint64_t loop_now_ms(const struct loop *loop)
{
	return loop->now_us / 1000;
}

uint64_t loop_now_us(const struct loop *loop)
{
	return loop->now_us;
}

static void run_timers(struct loop *loop)
{
	uint64_t now_ms = loop_now_ms(loop);
	while (loop->heap_len > 0 && loop->heap[1].key_ms <= now_ms) {
		struct timer *timer = loop->heap[1].timer;
		if (timer->deadline_ms > loop->heap[1].key_ms) {
			heap_down(loop, 1, (struct heap_entry){timer->deadline_ms, timer});
		} else {
			heap_remove(loop, 1);
			timer->on_expiry(timer);
		}
	}
}

/* Those that are queued meanwhile wait for the next round, so that a task which
 * queues itself again does not keep events from being seen. */
static void run_tasks(struct loop *loop)
{
	if (loop->tasks.next == &loop->tasks)
		return;
	loop->running = loop->tasks;
	loop->running.next->prev = &loop->running;
	loop->running.prev->next = &loop->running;
	ring_init(&loop->tasks);
	while (loop->running.next != &loop->running) {
		struct task *task = loop->running.next;
		loop_cancel(task);
		task->run(task);
	}
}

static unsigned events_of(uint32_t epoll_events)
{
	unsigned events = 0;
	if (epoll_events & EPOLLIN)
		events |= LOOP_READABLE;
	if (epoll_events & EPOLLOUT)
		events |= LOOP_WRITABLE;
	if (epoll_events & EPOLLRDHUP)
		events |= LOOP_PEER_CLOSED;
	if (epoll_events & (EPOLLERR | EPOLLHUP))
		events |= LOOP_ERROR;
	return events;
}

/* NULL: it was removed meanwhile. */
static struct watch *watch_of(const struct loop *loop, const struct epoll_event *event)
{
	const struct slot *slot = &loop->slots[(uint32_t)event->data.u64];
	return slot->generation == (uint32_t)(event->data.u64 >> 32) ? slot->watch : NULL;
}

/* The urgent ones first; what was dispatched is marked by no events. */
static void dispatch(struct loop *loop, bool urgent_only)
{
	for (int i = 0; i < loop->round_events; i++) {
		struct epoll_event *event = &loop->events[i];
		struct watch *watch = event->events ? watch_of(loop, event) : NULL;
		if (!watch || (urgent_only && !watch->urgent))
			continue;
		unsigned events = events_of(event->events);
		event->events = 0;
		watch->on_event(watch, events);
	}
}

static int wait_ms(const struct loop *loop, int max_wait_ms)
{
	if (loop->tasks.next != &loop->tasks)
		return 0;
	if (loop->heap_len == 0)
		return max_wait_ms;
	uint64_t now_ms = loop_now_ms(loop), key_ms = loop->heap[1].key_ms;
	uint64_t wait = key_ms > now_ms ? key_ms - now_ms : 0;
	if (wait > 3600 * 1000)
		wait = 3600 * 1000;
	return max_wait_ms >= 0 && (uint64_t)max_wait_ms < wait ? max_wait_ms : (int)wait;
}

bool loop_once(struct loop *loop, int max_wait_ms, struct err *err)
{
	int n = epoll_wait(loop->epoll_fd, loop->events, EVENTS_PER_ROUND, wait_ms(loop, max_wait_ms));
	if (n < 0 && errno != EINTR)
		return err_set(err, "epoll_wait: %s", strerror(errno));
	loop->now_us = clock_mono_us();
	loop->round_events = n > 0 ? n : 0;
	dispatch(loop, true);
	dispatch(loop, false);
	run_timers(loop);
	run_tasks(loop);
	return true;
}

bool loop_run(struct loop *loop, struct err *err)
{
	loop->stopped = false;
	while (!loop->stopped) {
		if (!loop_once(loop, -1, err))
			return false;
	}
	return true;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

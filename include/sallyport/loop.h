#ifndef SALLYPORT_LOOP_H
#define SALLYPORT_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include "sallyport/err.h"

/* One event loop per process: epoll, edge-triggered, and a heap of timers.
 * Descriptors are registered once and never modified, so that a request costs
 * no epoll_ctl. A callback may remove any watch and stop any timer, its own
 * and others', at any time. */
struct loop;

enum loop_events {
	LOOP_READABLE = 1,
	LOOP_WRITABLE = 2,
	LOOP_PEER_CLOSED = 4, /* the peer will send no more (EPOLLRDHUP) */
	LOOP_ERROR = 8,       /* EPOLLERR or EPOLLHUP: nothing more both ways */
};

/* Embedded in its owner; zeroed is "not watched". */
struct watch {
	void (*on_event)(struct watch *watch, unsigned events);
	int fd;
	int slot;    /* the loop's */
	bool urgent; /* its events come before those of others in the same round; may change at any time */
};

/* Embedded in its owner; zeroed is "not armed". Moving a deadline later costs
 * one store: the heap learns of it when the earlier time comes. */
struct timer {
	void (*on_expiry)(struct timer *timer);
	uint64_t deadline_ms;
	uint64_t heap_key_ms; /* the loop's */
	uint32_t heap_pos;    /* the loop's; 0 = not armed */
};

/* Runs once after the callbacks of the current round; queued from a task, after
 * those of the next. Embedded in its owner; zeroed is "not queued". */
struct task {
	void (*run)(struct task *task);
	struct task *next, *prev; /* the loop's; NULL = not queued */
};

struct loop *loop_new(struct err *err);
void loop_free(struct loop *loop);

/* Edge-triggered on reading, writing and the peer's close. on_event and fd are set by the caller. */
MUST_CHECK bool loop_watch(struct loop *loop, struct watch *watch, struct err *err);
/* The same for a listening socket shared by processes (EPOLLEXCLUSIVE, level-triggered, reading only). */
MUST_CHECK bool loop_watch_listener(struct loop *loop, struct watch *watch, struct err *err);
/* Level-triggered, reading only: signalfd, ipc, event descriptors. */
MUST_CHECK bool loop_watch_input(struct loop *loop, struct watch *watch, struct err *err);
/* No callback comes after this, not even one already harvested. Does not close fd. */
void loop_unwatch(struct loop *loop, struct watch *watch);
/* The same where the caller closes the only descriptor of that socket right
 * away: the kernel then removes it from epoll itself, and a system call is saved. */
void loop_forget(struct loop *loop, struct watch *watch);

/* deadline_ms on the clock of loop_now_ms(). Armed again: moved. */
void loop_arm(struct loop *loop, struct timer *timer, uint64_t deadline_ms);
void loop_disarm(struct loop *loop, struct timer *timer);
void loop_defer(struct loop *loop, struct task *task);
void loop_cancel(struct task *task);

/* How many events came with the current round: a measure of how old they may be. */
int loop_round_events(const struct loop *loop);

/* Time of the current round: monotonic, read once per round. */
uint64_t loop_now_ms(const struct loop *loop);
uint64_t loop_now_us(const struct loop *loop);

/* Until loop_stop(). */
MUST_CHECK bool loop_run(struct loop *loop, struct err *err);
/* One round, waiting at most max_wait_ms (-1: until something happens). For tests. */
MUST_CHECK bool loop_once(struct loop *loop, int max_wait_ms, struct err *err);
void loop_stop(struct loop *loop);

#endif

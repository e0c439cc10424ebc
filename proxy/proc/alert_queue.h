#ifndef PROC_ALERT_QUEUE_H
#define PROC_ALERT_QUEUE_H

#include "proc/alert.h"

/* Alerts on their way: told once, folded while they repeat, tried again while nobody takes them. Pure
 * but for its storage: time is passed in.
 *
 *   alert ─► like one of lately? ── no ──► queue ─► front ─► delivered
 *                └ yes: counted                       ▲ │
 *                     └─ at its window's end ─► queue  └─┘ failed: after 1, 2, 4 … 60 s, for 15 min
 */

enum {
	ALERT_QUEUE_MAX = 128,
	ALERT_WINDOWS = 256,       /* alike ones that are remembered; the oldest makes room */
	ALERT_RETRY_MIN_MS = 1000,
	ALERT_RETRY_MAX_MS = 60000,
	ALERT_GIVE_UP_MS = 15 * 60000,
};

struct queued_alert {
	struct alert alert;
	uint64_t number;    /* of this alert, for receivers that get it twice */
	uint64_t since_ms;  /* queued */
};

struct alert_window {
	uint64_t key;       /* 0: free */
	uint64_t until_ms;
	struct alert last;  /* of those folded */
	uint32_t folded;
};

struct alert_queue {
	uint64_t window_ms;
	uint64_t next_number;
	uint64_t dropped;      /* in all */
	uint64_t dropped_told; /* of these, told with an alert that was delivered */
	uint64_t retry_ms;     /* the present wait; 0: the last try went well */
	uint64_t not_before_ms;
	unsigned first, count;
	struct queued_alert items[ALERT_QUEUE_MAX];
	struct alert_window windows[ALERT_WINDOWS];
};

/* zeroed before. first_number: so that numbers of one run and the next differ. */
void alert_queue_init(struct alert_queue *queue, uint64_t window_ms, uint64_t first_number);
void alert_queue_add(struct alert_queue *queue, const struct alert *alert, uint64_t now_ms);
/* The one to try now; NULL: none is due. What is too old by now is dropped. */
const struct queued_alert *alert_queue_due(struct alert_queue *queue, uint64_t now_ms);
/* What became of it. */
void alert_queue_delivered(struct alert_queue *queue);
void alert_queue_failed(struct alert_queue *queue, uint64_t now_ms);
/* When to look again; UINT64_MAX: when the next alert comes. */
uint64_t alert_queue_next_ms(const struct alert_queue *queue);

#endif

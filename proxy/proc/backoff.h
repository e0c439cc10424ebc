#ifndef PROC_BACKOFF_H
#define PROC_BACKOFF_H

#include <stdint.h>

/* How long to wait before a dead process is started again: not at all the first
 * time, then 100 ms, doubling to 10 s. A process that lived for a minute starts
 * anew. Pure: time is passed in. */
struct backoff {
	uint32_t deaths; /* in a row */
};

enum { BACKOFF_FIRST_MS = 100, BACKOFF_LAST_MS = 10000, BACKOFF_FORGET_MS = 60000 };

/* The process lived from started_ms to now_ms. Returns milliseconds to wait. */
uint64_t backoff_next(struct backoff *backoff, uint64_t started_ms, uint64_t now_ms);

#endif

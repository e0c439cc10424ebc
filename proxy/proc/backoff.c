/* See backoff.h. Bounds what a process that dies at once can cost: at most ten
 * starts in the first 30 seconds, then one in ten seconds. */
#include "proc/backoff.h"

uint64_t backoff_next(struct backoff *backoff, uint64_t started_ms, uint64_t now_ms)
{
	if (now_ms > started_ms && now_ms - started_ms >= BACKOFF_FORGET_MS)
		backoff->deaths = 0;
	uint32_t deaths = backoff->deaths;
	if (deaths < 32)
		backoff->deaths++;
	if (deaths == 0)
		return 0;
	uint32_t doublings = deaths - 1;
	if (doublings > 7)
		return BACKOFF_LAST_MS;
	uint64_t delay = (uint64_t)BACKOFF_FIRST_MS << doublings;
	return delay < BACKOFF_LAST_MS ? delay : BACKOFF_LAST_MS;
}

/* Counters in shared memory: what needs more than an inline function. */
#include "sallyport/stats.h"

#define NOTHING(name, help)
#define RESET(name, help) atomic_store_explicit(&slot->name, 0, memory_order_relaxed);

void stats_slot_reset_gauges(struct stats_slot *slot)
{
	STATS(NOTHING, RESET)
}

/* How long the origin of a known page is waited for, where its copy can stand in. An origin that hangs takes
 * connections and says nothing, so nobody counts it as down; and without this each visitor would wait for as
 * long as the slowest page may take. Once it has let one wait, the next are patient for a moment only, until it is in time again. */
#include "front/guard.h"

enum { SLOW_LASTS_MS = 30000, MOMENT_MS = 1000 };

static uint64_t *slow_until_ms(const struct exchange *x)
{
	return &x->front->guard->slow_until_ms[x->subject.site->index];
}

static bool has_copy(const struct exchange *x)
{
	const struct page *page = x->page;
	return page && page->plan.action == GUARD_HOLD && page->plan.has_copy && !page->copy_tried;
}

uint64_t guard_waits_ms(const struct exchange *x, uint64_t most_ms)
{
	if (!has_copy(x))
		return most_ms;
	uint64_t wait_ms = x->subject.site->guard.patience_ms;
	if (loop_now_ms(x->front->loop) < *slow_until_ms(x) && wait_ms > MOMENT_MS)
		wait_ms = MOMENT_MS;
	return wait_ms < most_ms ? wait_ms : most_ms;
}

void guard_was_slow(const struct exchange *x)
{
	*slow_until_ms(x) = loop_now_ms(x->front->loop) + SLOW_LASTS_MS;
}

void guard_was_in_time(const struct exchange *x)
{
	*slow_until_ms(x) = 0;
}

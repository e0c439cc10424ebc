/* Health of origins, in memory that all workers share. Passive: connections that
 * fail in a row take an origin out for a while. What happens after a connection
 * stands does not count, because a visitor may be able to cause it: a request that
 * an origin drops or ponders over for long must not close the site for all others.
 * Active: probes decide. Either is told once when it turns, never once per request. */
#include <stdio.h>

#include "origin/origins.h"

enum { TRY_EVERY_MS = 1000, EVENT_EVERY_MS = 1000 };

static uint64_t now_ms(const struct origin *origin)
{
	return loop_now_ms(origin->origins->setup.loop);
}

static uint64_t load(const _Atomic uint64_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

/* Moves *at from a time that has come to `next`; true for the one who did it. */
static bool claim_time(_Atomic uint64_t *at, uint64_t now, uint64_t next)
{
	uint64_t due = load(at);
	return due <= now && atomic_compare_exchange_strong(at, &due, next);
}

enum standing health_standing(const struct origin *origin)
{
	if (atomic_load_explicit(&origin->health->is_down, memory_order_relaxed))
		return STANDING_DOWN;
	uint64_t until = load(&origin->health->down_until_ms);
	if (until == 0)
		return STANDING_UP;
	return until <= now_ms(origin) ? STANDING_PROBATION : STANDING_DOWN;
}

bool health_may_try(struct origin *origin)
{
	uint64_t now = now_ms(origin);
	return claim_time(&origin->health->next_try_ms, now, now + TRY_EVERY_MS);
}

static void tell(struct origin *origin, bool is_down, const char *sentence)
{
	struct origin_health *health = origin->health;
	uint64_t now = now_ms(origin);
	if (atomic_exchange(&health->told_down, is_down) == (uint32_t)is_down)
		return;
	/* Its state flaps: what was told last stays true of the event log. */
	if (!claim_time(&health->next_event_ms, now, now + EVENT_EVERY_MS)) {
		atomic_store(&health->told_down, !is_down);
		atomic_fetch_add(&health->folded, 1);
		return;
	}
	const struct origins_setup *setup = &origin->origins->setup;
	setup->on_change(setup->context, origin->spec, is_down, sentence,
			 atomic_exchange(&health->folded, 0));
}

void origin_succeeded(struct origin *origin)
{
	struct origin_health *health = origin->health;
	if (!health)
		return;
	if (atomic_load_explicit(&health->failures, memory_order_relaxed) != 0)
		atomic_store(&health->failures, 0);
	if (load(&health->down_until_ms) != 0)
		atomic_store(&health->down_until_ms, 0);
	if (atomic_load_explicit(&health->told_down, memory_order_relaxed) &&
	    !atomic_load_explicit(&health->is_down, memory_order_relaxed))
		tell(origin, false, "answers again");
}

static bool is_no_connection(enum reason reason)
{
	return reason == REASON_ORIGIN_REFUSED || reason == REASON_ORIGIN_CONNECT_TIMEOUT ||
	       reason == REASON_ORIGIN_UNRESOLVED || reason == REASON_ORIGIN_TLS ||
	       reason == REASON_ORIGIN_CERTIFICATE;
}

void origin_failed(struct origin *origin, enum reason reason)
{
	struct origin_health *health = origin->health;
	const struct health_settings *settings = &origin->route->route->health;
	stat_add(&origin->origins->setup.stats->origin_failures, 1);
	if (!health || !is_no_connection(reason))
		return;
	uint32_t failures = atomic_fetch_add(&health->failures, 1) + 1;
	if (failures < settings->fall)
		return;
	uint64_t now = now_ms(origin);
	atomic_store(&health->next_try_ms,
		     now + (settings->down_ms < TRY_EVERY_MS ? settings->down_ms : TRY_EVERY_MS));
	atomic_store(&health->down_until_ms, now + settings->down_ms);
	tell(origin, true, reason == REASON_ORIGIN_UNRESOLVED && origin->name
			       ? resolver_problem(origin->name)
			       : reason_text(reason));
}

void health_probe_result(struct origin *origin, bool healthy, const char *why)
{
	struct origin_health *health = origin->health;
	const struct health_settings *settings = &origin->route->route->health;
	if (healthy) {
		atomic_store(&health->probe_failures, 0);
		if (atomic_fetch_add(&health->probe_successes, 1) + 1 < settings->rise)
			return;
		atomic_store(&health->is_down, 0);
		atomic_store(&health->down_until_ms, 0);
		atomic_store(&health->failures, 0);
		tell(origin, false, "passes its health check");
	} else {
		atomic_store(&health->probe_successes, 0);
		if (atomic_fetch_add(&health->probe_failures, 1) + 1 < settings->fall)
			return;
		atomic_store(&health->is_down, 1);
		char sentence[160];
		snprintf(sentence, sizeof(sentence), "fails its health check: %s", why);
		tell(origin, true, sentence);
	}
}

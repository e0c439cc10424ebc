/* Which origin answers the next request: those that are up, in turn or by the
 * fewest requests under way, and none over its limit. Where all are down, one
 * request a second is let through to find out whether they still are. */
#include "origin/origins.h"

static bool is_full(const struct origin *origin)
{
	uint64_t limit = origin->route->route->max_connections;
	return limit > 0 && origin->claimed >= limit;
}

static bool is_better(const struct origin *a, const struct origin *b)
{
	return a->route->route->balance == BALANCE_LEAST_CONNECTIONS && a->claimed < b->claimed;
}

/* Among those in the wanted state, from the one whose turn it is. */
static struct origin *best_of(struct origin_route *route, const struct origin *avoided, bool up,
			      bool *some_full)
{
	size_t count = route->route->origin_count;
	struct origin *best = NULL;
	for (size_t i = 0; i < count; i++) {
		struct origin *origin = &route->origins[(route->turn + i) % count];
		if (origin == avoided || health_is_up(origin) != up)
			continue;
		if (is_full(origin))
			*some_full = true;
		else if (!up && !health_may_try(origin))
			continue;
		else if (!best || is_better(origin, best))
			best = origin;
		if (best && !up)
			break;
	}
	return best;
}

struct origin *origin_choose(struct origin_route *route, const struct origin_claim *claim,
			     enum reason *reason)
{
	bool some_full = false;
	struct origin *best = best_of(route, claim->failed, true, &some_full);
	if (!best && claim->failed && !some_full && health_is_up(claim->failed))
		best = best_of(route, NULL, true, &some_full);
	if (!best && !some_full)
		best = best_of(route, NULL, false, &some_full);
	if (best) {
		route->turn = (unsigned)(best - route->origins) + 1;
		return best;
	}
	*reason = some_full ? REASON_ORIGIN_BUSY : REASON_ORIGIN_DOWN;
	return NULL;
}

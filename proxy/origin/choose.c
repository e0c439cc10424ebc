/* Which origin answers the next request: those that are up, in turn or by the
 * fewest requests under way, and none over its limit. One that was left alone for long
 * enough gets one request to prove itself with, not its share of all of them. Where all are
 * down, one request a second is let through to find out whether they still are. */
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

/* Not up, but a request may find out whether it is. On probation nobody better was found. */
static bool may_be_tried(struct origin *origin)
{
	return health_standing(origin) == STANDING_PROBATION || health_may_try(origin);
}

/* Among those that are up, or those that are not, from the one whose turn it is. */
static struct origin *best_of(struct origin_route *route, const struct origin *avoided, bool up,
			      bool *some_full)
{
	size_t count = route->route->origin_count;
	struct origin *best = NULL;
	for (size_t i = 0; i < count; i++) {
		struct origin *origin = &route->origins[(route->turn + i) % count];
		if (origin == avoided || (health_standing(origin) == STANDING_UP) != up)
			continue;
		if (is_full(origin))
			*some_full = true;
		else if (!up && !may_be_tried(origin))
			continue;
		else if (!best || is_better(origin, best))
			best = origin;
		if (best && !up)
			break;
	}
	return best;
}

/* Where it fails, the request goes to one of the others. */
static struct origin *on_trial(struct origin_route *route, const struct origin *avoided)
{
	size_t count = route->route->origin_count;
	for (size_t i = 0; count > 1 && i < count; i++) {
		struct origin *origin = &route->origins[i];
		if (origin != avoided && health_standing(origin) == STANDING_PROBATION && !is_full(origin) &&
		    health_may_try(origin))
			return origin;
	}
	return NULL;
}

struct origin *origin_choose(struct origin_route *route, const struct origin_claim *claim,
			     enum reason *reason)
{
	bool some_full = false;
	struct origin *best = on_trial(route, claim->failed);
	if (best)
		return best;
	best = best_of(route, claim->failed, true, &some_full);
	if (!best && claim->failed && !some_full && health_standing(claim->failed) == STANDING_UP)
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

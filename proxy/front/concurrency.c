/* How many requests one client has in work at a site (shield.throttle.concurrent), over all connections and workers: counted
 * in the census from the verdict until the exchange is over, each worker's share by itself, so that what a worker had
 * in work when it died is forgotten with it. A connection whose protocol was changed does not count any
 * longer: it may stay for hours, and quotas.per_client limits it. */
#include "front/front.h"

/* Of no client's connections: those are counted by addresses, whose upper bits these have too, but hashed. */
static uint64_t key_of(const struct exchange *x, const char *path)
{
	const struct throttle_policy *policy = &x->subject.site->shield_policy.throttle;
	const uint64_t site = policy->site ^ throttle_id("concurrent") ^ (path ? throttle_id(path) : 0);
	const struct throttle_client who =
	    throttle_client_of(x->front->throttle, site, addr_client_key(&x->visitor), loop_now_us(x->front->loop));
	return who.hash ? who.hash : 1;
}

static bool refuse(struct exchange *x, const char *setting, uint64_t limit, bool is_enforced)
{
	x->verdict.action = VERDICT_REJECT;
	x->verdict.reason = REASON_CONCURRENCY;
	x->verdict.status = (uint16_t)reason_status(REASON_CONCURRENCY);
	x->verdict.setting = setting;
	x->verdict.limit = limit;
	x->verdict.retry_after_s = 1;
	x->verdict.enforced = is_enforced;
	return false;
}

static bool enter(struct exchange *x, uint64_t *counted, const char *path, uint64_t limit)
{
	const uint64_t key = key_of(x, path);
	if (!census_begin(x->front->census, key, (uint32_t)limit))
		return false;
	*counted = key;
	return true;
}

bool concurrency_begin(struct exchange *x)
{
	const struct throttle_policy *policy = &x->subject.site->shield_policy.throttle;
	const struct throttle_path *path = throttle_path_of(policy, x->subject.canon.path);
	const bool is_enforced = x->subject.mode == SHIELD_ENFORCE && !policy->dry_run;
	if (x->subject.mode == SHIELD_OFF || address_list_has(&policy->allow, &x->visitor))
		return true;
	if (policy->concurrent > 0 && !enter(x, &x->in_work[0], NULL, policy->concurrent))
		return refuse(x, "sites[].shield.throttle.concurrent", policy->concurrent, is_enforced);
	if (!path || path->concurrent == 0 || enter(x, &x->in_work[1], path->path, path->concurrent))
		return true;
	refuse(x, "sites[].shield.throttle.paths[].concurrent", path->concurrent, is_enforced);
	x->verdict.evidence = span_of(path->path, path->path_len);
	return false;
}

void concurrency_end(struct exchange *x)
{
	for (unsigned i = 0; i < sizeof(x->in_work) / sizeof(x->in_work[0]); i++) {
		if (x->in_work[i])
			census_end(x->front->census, x->in_work[i]);
		x->in_work[i] = 0;
	}
}

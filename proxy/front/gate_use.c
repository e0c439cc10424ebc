/* How much of its limits an origin has used, in all and with each host: requests by GCRA, visits by
 * counting. The table of hosts is each origin's own and of fixed size, so that none can push out what another
 * has used; a host that was pushed out by others of the same origin has its burst once more, within the
 * origin's own limit. */
#include "front/gate.h"

#include <string.h>

enum { HOSTS_MAX = 1024 };

static struct gate_host *host_of(struct lru_entry *entry)
{
	return (struct gate_host *)(void *)entry;
}

static bool is_it(const struct lru_entry *entry, const void *key)
{
	const struct gate_host *host = (const struct gate_host *)(const void *)entry;
	return span_eq(span_of(host->name, host->len), *(const struct span *)key);
}

static size_t size_of(size_t len)
{
	return sizeof(struct gate_host) + len;
}

static struct gate_host *find(const struct visit *visit, uint64_t *hash)
{
	const struct lru *hosts = &visit->origin->hosts;
	const struct span *name = &visit->destination.host;
	*hash = lru_hash(hosts->seed, name->ptr, name->len);
	struct lru_entry *entry = lru_find(hosts, *hash, is_it, name);
	return entry ? host_of(entry) : NULL;
}

static void drop(struct gate_origin *origin, struct gate_host *host)
{
	lru_remove(&origin->hosts, &host->entry);
	memory_give(&origin->gate->front->memory, host, size_of(host->len));
}

void gate_forget_hosts(struct gate_origin *origin)
{
	while (origin->hosts.oldest)
		drop(origin, host_of(origin->hosts.oldest));
	lru_release(&origin->hosts);
}

static bool make_room(struct gate_origin *origin)
{
	struct lru_entry *entry = origin->hosts.oldest;
	if (origin->hosts.count < HOSTS_MAX)
		return true;
	while (entry && host_of(entry)->use.visits > 0)
		entry = entry->newer;
	if (entry)
		drop(origin, host_of(entry));
	return entry != NULL;
}

static struct gate_host *make(struct visit *visit, uint64_t hash)
{
	struct gate_origin *origin = visit->origin;
	struct span name = visit->destination.host;
	struct gate_host *host =
	    make_room(origin) ? memory_take(&origin->gate->front->memory, size_of(name.len)) : NULL;
	if (!host)
		return NULL;
	*host = (struct gate_host){.len = (uint16_t)name.len};
	egress_rate_use(&origin->gate->policy->host_requests, &host->use.requests_tat_us, 1,
			loop_now_us(visit->x->front->loop));
	memcpy(host->name, name.ptr, name.len);
	lru_add(&origin->hosts, &host->entry, hash);
	return host;
}

/* ---- limits ---- */

static bool is_over(struct visit *visit, enum reason reason, const char *setting, uint64_t limit, uint64_t retry_us)
{
	if (!gate_objects(visit, reason, setting, NULL))
		return false;
	struct verdict *verdict = &visit->x->verdict;
	verdict->limit = limit;
	verdict->retry_after_s = (uint32_t)(retry_us / 1000000 + 1);
	return true;
}

static bool has_room(struct visit *visit, const struct gate_use *use, uint64_t limit, const char *setting)
{
	return !use || limit == 0 || use->visits < limit ||
	       !is_over(visit, REASON_EGRESS_CONNECTIONS, setting, limit, 0);
}

static bool is_in_time(struct visit *visit, const struct gate_use *use, const struct egress_rate *rate,
		       const char *setting, uint64_t now_us)
{
	uint64_t wait = use ? egress_rate_wait_us(rate, use->requests_tat_us, now_us) : 0;
	return wait == 0 || !is_over(visit, REASON_EGRESS_RATE, setting, rate->setting.count, wait);
}

bool gate_takes_request(struct visit *visit, enum reason *reason)
{
	const struct egress_policy *policy = visit->origin->gate->policy;
	uint64_t hash, now_us = loop_now_us(visit->x->front->loop);
	struct gate_host *host = find(visit, &hash);
	struct gate_use *of_host = host ? &host->use : NULL, *of_origin = &visit->origin->use;
	*reason = REASON_EGRESS_CONNECTIONS;
	if (!has_room(visit, of_origin, policy->origin_connections, "egress.limits.connections") ||
	    !has_room(visit, of_host, policy->host_connections, "egress.limits.host_connections"))
		return false;
	*reason = REASON_EGRESS_RATE;
	if (!is_in_time(visit, of_origin, &policy->origin_requests, "egress.limits.requests", now_us) ||
	    !is_in_time(visit, of_host, &policy->host_requests, "egress.limits.host_requests", now_us))
		return false;
	egress_rate_use(&policy->origin_requests, &of_origin->requests_tat_us, 1, now_us);
	if (host)
		egress_rate_use(&policy->host_requests, &of_host->requests_tat_us, 1, now_us);
	of_origin->visits++;
	visit->is_counted = true;
	return true;
}

bool gate_enter_host(struct visit *visit, enum reason *reason)
{
	const struct egress_policy *policy = visit->origin->gate->policy;
	uint64_t hash;
	if (visit->host)
		return true;
	struct gate_host *host = find(visit, &hash);
	*reason = REASON_OVERLOAD;
	if (host)
		lru_touch(&visit->origin->hosts, &host->entry);
	else
		host = make(visit, hash);
	if (!host)
		return false;
	*reason = REASON_EGRESS_CONNECTIONS;
	if (!has_room(visit, &host->use, policy->host_connections, "egress.limits.host_connections"))
		return false;
	visit->host = host;
	host->use.visits++;
	return true;
}

void gate_leave_hosts(struct visit *visit)
{
	if (visit->host)
		visit->host->use.visits--;
	if (visit->is_counted)
		visit->origin->use.visits--;
	visit->host = NULL;
	visit->is_counted = false;
}

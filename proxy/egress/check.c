/* What a section says that contradicts itself, or does nothing: told while the policy is read, not found out
 * by an origin. */
#include "egress/check.h"

#include "egress/list.h"
#include "egress/special.h"

#include <stdio.h>
#include <string.h>

enum { HOST_SIZE = 256 };

struct checking {
	const struct egress_policy *policy;
	struct policy_where where;
	struct policy_context *context;
};

static struct policy_where place_of(const struct checking *c, const char *setting)
{
	return policy_where_of(c->context, setting, c->where);
}

/* ---- entries that others make needless ---- */

static bool has_ports(const struct egress_entry *entry, const struct egress_entry *of)
{
	return entry->ports.min <= of->ports.min && entry->ports.max >= of->ports.max;
}

static const struct egress_entry *covering_network(const struct egress_list *list, const struct egress_entry *of)
{
	const struct egress_network *at = egress_networks_find_around(&list->networks, &of->network);
	for (; at; at = egress_networks_outer(&list->networks, at)) {
		if (&list->entries[at->value] != of && has_ports(&list->entries[at->value], of))
			return &list->entries[at->value];
	}
	return NULL;
}

static const struct egress_entry *covering_name(const struct egress_list *list, const struct egress_entry *of)
{
	char host[HOST_SIZE];
	int len = snprintf(host, sizeof(host), of->kind == EGRESS_ENTRY_BELOW ? "*.%.*s" : "%.*s", SPAN_ARG(of->host));
	const struct egress_entry *found = egress_list_find_name(list, span_of(host, (size_t)len), of->ports.min);
	return found && has_ports(found, of) ? found : NULL;
}

/* One of the list that says all that `of` says; NULL: none. */
static const struct egress_entry *covering(const struct egress_list *list, const struct egress_entry *of)
{
	const struct egress_entry *found = egress_list_find_any(list, of->ports.min);
	if (found && has_ports(found, of))
		return found;
	if (of->kind == EGRESS_ENTRY_NETWORK)
		return covering_network(list, of);
	return of->kind == EGRESS_ENTRY_ANY ? NULL : covering_name(list, of);
}

static bool is_same(const struct egress_entry *a, const struct egress_entry *b)
{
	return a->kind == b->kind && has_ports(a, b) && has_ports(b, a) && span_eq(a->host, b->host) &&
	       memcmp(&a->network, &b->network, sizeof(a->network)) == 0;
}

static const struct egress_entry *twin_of(const struct egress_list *list, const struct egress_entry *of)
{
	const struct egress_entry *other = NULL;
	if (of->kind == EGRESS_ENTRY_NETWORK)
		other = covering_network(list, of);
	for (uint32_t at = of->next; at && !other; at = list->entries[at - 1].next) {
		if (is_same(&list->entries[at - 1], of))
			other = &list->entries[at - 1];
	}
	return other && other < of && is_same(other, of) ? other : NULL;
}

static void check_twins(const struct checking *c, const struct egress_list *list, const char *setting)
{
	for (size_t i = 0; i < list->n; i++) {
		if (twin_of(list, &list->entries[i]))
			policy_warning(c->context, place_of(c, setting), "%s: \"%s\" is listed twice", setting,
				       list->entries[i].text);
	}
}

static void check_shadows(const struct checking *c)
{
	const struct egress_list *allow = c->policy->allow;
	for (size_t i = 0; i < allow->n; i++) {
		const struct egress_entry *denied = covering(c->policy->deny, &allow->entries[i]);
		if (denied)
			policy_warning(c->context, place_of(c, "allow"),
				       "allow: \"%s\" allows nothing: deny has \"%s\", and goes before it",
				       allow->entries[i].text, denied->text);
	}
}

static void check_relays(const struct checking *c)
{
	const struct egress_list *relays = c->policy->relays;
	for (size_t i = 0; i < relays->n; i++) {
		if (!covering(c->policy->allow, &relays->entries[i]))
			policy_warning(c->context, place_of(c, "relays"), "relays: \"%s\" is not in allow: only what is there has limits "
				       "of its own", relays->entries[i].text);
	}
}

/* ---- networks that are larger than what they open ---- */

static bool has_block(const struct cidr *network)
{
	size_t n;
	const struct egress_special *blocks = egress_special_blocks(&n);
	for (size_t i = 0; i < n; i++) {
		struct addr first = {.u.in6 = {.sin6_family = AF_INET6}};
		memcpy(&first.u.in6.sin6_addr, blocks[i].network.bytes, 16);
		if (blocks[i].name && blocks[i].network.prefix >= network->prefix && cidr_has(network, &first))
			return true;
	}
	return false;
}

static void check_breadth(const struct checking *c)
{
	const struct egress_list *allow = c->policy->allow;
	for (size_t i = 0; i < allow->n; i++) {
		const struct egress_entry *entry = &allow->entries[i];
		if (entry->kind == EGRESS_ENTRY_ANY && entry->ports.min == 0)
			policy_warning(c->context, place_of(c, "allow"), "allow: \"%s\" is every host: no new destination is counted",
				       entry->text);
		if (entry->kind == EGRESS_ENTRY_NETWORK && !egress_special_around(&entry->network) && has_block(&entry->network))
			policy_warning(c->context, place_of(c, "allow"),
				       "allow: what is not public in \"%s\" stays closed: name such networks by themselves", entry->text);
	}
}

/* ---- the rest ---- */

static void check_legs(const struct checking *c)
{
	const struct egress_policy *p = c->policy;
	const bool is_kernel_off = p->kernel == EGRESS_KERNEL_OFF;
	if (is_kernel_off && p->transparent)
		policy_error_in(c->context, c->where, "transparent", "nothing is redirected there with kernel = \"off\"");
	if (is_kernel_off && !p->proxy && !p->dns && p->mode != EGRESS_OFF)
		policy_warning(c->context, c->where, "neither proxy nor dns is set, and kernel is \"off\": nothing is guarded");
}

static void check_limits(const struct checking *c)
{
	const struct egress_policy *p = c->policy;
	if (p->host_connections > p->origin_connections)
		policy_warning(c->context, place_of(c, "limits"), "limits: host_connections is larger than connections, which is hit first");
	if (p->origin_bytes_per_s > 0 && p->host_bytes_per_s > p->origin_bytes_per_s)
		policy_warning(c->context, place_of(c, "limits"), "limits: host_bytes is larger than bytes, which is hit first");
	if (p->origin_requests.interval_us > p->host_requests.interval_us && p->host_requests.interval_us > 0)
		policy_warning(c->context, place_of(c, "limits"), "limits: host_requests is more than requests, which is hit first");
	if (p->flow_bytes_per_s > 0 && p->target_bytes_per_s > p->flow_bytes_per_s)
		policy_warning(c->context, place_of(c, "flows"), "flows: target_bytes is larger than bytes, which is hit first");
	if (p->quarantine_ms > p->quarantine_max_ms)
		policy_error_in(c->context, c->where, "quarantine", "it is longer than quarantine_max");
}

/* In a network of origins sallyport may have an address, too. */
static bool is_named(const struct egress_origin *origin, const struct addr *addr)
{
	for (size_t i = 0; i < origin->network_count; i++) {
		if (origin->networks[i].prefix == 128 && cidr_has(&origin->networks[i], addr))
			return true;
	}
	return false;
}

static void check_own(const struct checking *c, const char *setting, const char *text, const struct addr *addr)
{
	const struct egress_origin *origin = text ? egress_origin_of(c->policy, addr) : NULL;
	if (origin && is_named(origin, addr))
		policy_error_in(c->context, c->where, setting, "%s is an address of the origin \"%s\": an origin is another machine",
				text, origin->name);
}

void egress_check(const struct egress_policy *policy, struct policy_where where, struct policy_context *context)
{
	const struct checking c = {policy, where, context};
	check_twins(&c, policy->allow, "allow");
	check_twins(&c, policy->deny, "deny");
	check_shadows(&c);
	check_relays(&c);
	check_breadth(&c);
	check_legs(&c);
	check_limits(&c);
	check_own(&c, "proxy", policy->proxy, &policy->proxy_addr);
	check_own(&c, "transparent", policy->transparent, &policy->transparent_addr);
	check_own(&c, "dns", policy->dns, &policy->dns_addr);
}

/* Which names the DNS listener looks up, and which addresses it tells. */
#include "egress/list.h"
#include "egress/special.h"
#include "sallyport/egress_dns.h"

enum egress_naming egress_judge_name(const struct egress_policy *policy, struct span host, enum egress_stage stage)
{
	const struct egress_entry *entry = egress_list_find_name_at_some_port(policy->allow, host);
	if (stage == EGRESS_REPLIES_ONLY || !entry || egress_list_find_name_at_every_port(policy->deny, host))
		return EGRESS_NAMING_REFUSED;
	return entry->kind == EGRESS_ENTRY_NAME ? EGRESS_NAMING_LISTED : EGRESS_NAMING_COVERED;
}

static bool may_be_at(const struct egress_policy *policy, const struct addr *addr, uint16_t port)
{
	const struct egress_verdict named = {.kind = EGRESS_VERDICT_LISTED};
	struct addr at = *addr;
	addr_set_port(&at, port);
	return egress_judge_address(policy, &named, &at, EGRESS_FREE).kind != EGRESS_VERDICT_REFUSED;
}

/* At a port that the name has, and an entry by address, too. */
static bool is_opened(const struct egress_policy *policy, const struct egress_entry *name, const struct addr *addr)
{
	const struct egress_networks *networks = &policy->allow->networks;
	struct addr ipv4;
	const struct egress_network *network = egress_networks_find(networks, egress_embedded(addr, &ipv4) ? &ipv4 : addr);
	for (; network; network = egress_networks_outer(networks, network)) {
		const struct egress_ports *ports = &policy->allow->entries[network->value].ports;
		const uint16_t port = ports->min > name->ports.min ? ports->min : name->ports.min;
		if (port <= ports->max && port <= name->ports.max && may_be_at(policy, addr, port))
			return true;
	}
	return false;
}

bool egress_may_name(const struct egress_policy *policy, struct span host, const struct addr *addr)
{
	const struct egress_list *allow = policy->allow;
	const struct egress_entry *name = egress_list_find_name_at_some_port(allow, host);
	for (; name; name = name->next ? &allow->entries[name->next - 1] : NULL)
		if (may_be_at(policy, addr, name->ports.min) || is_opened(policy, name, addr))
			return true;
	return false;
}

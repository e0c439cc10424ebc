/* Which names the DNS listener looks up, and which addresses it tells. */
#include "egress/list.h"
#include "sallyport/egress_dns.h"

enum egress_naming egress_judge_name(const struct egress_policy *policy, struct span host, enum egress_stage stage,
				     uint16_t *port)
{
	const struct egress_entry *entry = egress_list_find_name_at_some_port(policy->allow, host);
	*port = entry ? entry->ports.min : 0;
	if (stage == EGRESS_REPLIES_ONLY || !entry || egress_list_find_name_at_every_port(policy->deny, host))
		return EGRESS_NAMING_REFUSED;
	return entry->kind == EGRESS_ENTRY_NAME ? EGRESS_NAMING_LISTED : EGRESS_NAMING_COVERED;
}

bool egress_may_name(const struct egress_policy *policy, const struct addr *addr, uint16_t port, enum egress_stage stage)
{
	const struct egress_verdict named = {.kind = EGRESS_VERDICT_LISTED};
	struct addr at = *addr;
	addr_set_port(&at, port);
	return egress_judge_address(policy, &named, &at, stage).kind != EGRESS_VERDICT_REFUSED;
}

/* What the policy says of a destination: first by its name, then by each address that it leads to. Deny
 * beats allow; what is not the public internet is closed but to those who named it by address. */
#include "egress/list.h"
#include "egress/special.h"

#include <string.h>

static struct egress_verdict refuse(enum reason reason, const char *setting, const struct egress_entry *entry)
{
	return (struct egress_verdict){EGRESS_VERDICT_REFUSED, reason, setting, entry ? entry->text : NULL};
}

static struct egress_verdict listed(const struct egress_entry *entry)
{
	return (struct egress_verdict){EGRESS_VERDICT_LISTED, REASON_UNSET, "egress.allow", entry->text};
}

static struct egress_verdict unlisted(void)
{
	return (struct egress_verdict){EGRESS_VERDICT_UNLISTED, REASON_UNSET, "egress.new_destinations", NULL};
}

static struct egress_verdict quarantined(void)
{
	return refuse(REASON_EGRESS_QUARANTINED, "egress.quarantine", NULL);
}

bool egress_is_strict_port(const struct egress_policy *policy, uint16_t port)
{
	for (size_t i = 0; i < policy->strict_port_count; i++) {
		if (port >= policy->strict_ports[i].min && port <= policy->strict_ports[i].max)
			return true;
	}
	return false;
}

/* What is not in `allow`. */
static struct egress_verdict judge_unlisted(const struct egress_policy *policy, uint16_t port, enum egress_stage stage)
{
	if (stage == EGRESS_LISTED_ONLY)
		return quarantined();
	if (egress_is_strict_port(policy, port))
		return refuse(REASON_EGRESS_NOT_ALLOWED, "egress.strict_ports", NULL);
	return unlisted();
}

/* ---- by address ---- */

/* The address as it is dialled and, where it leads to an IPv4 address, that one. */
struct forms {
	struct addr addr[2];
	size_t n;
};

static struct forms forms_of(const struct addr *addr)
{
	struct forms forms = {.addr = {*addr}, .n = 1};
	if (egress_embedded(addr, &forms.addr[1]))
		forms.n = 2;
	return forms;
}

static const struct egress_entry *find_network(const struct egress_list *list, const struct forms *forms, unsigned prefix)
{
	const struct egress_entry *entry = NULL;
	for (size_t i = 0; i < forms->n && !entry; i++)
		entry = egress_list_find_network(list, &forms->addr[i], addr_port(&forms->addr[i]), prefix);
	return entry;
}

/* The entry by address that opens the special-purpose block; what leads to an IPv4 address is as special as that. */
static struct egress_verdict judge_special(const struct egress_policy *policy, const struct forms *forms,
					   const struct egress_special *block)
{
	const struct addr *addr = &forms->addr[forms->n - 1];
	const struct egress_entry *entry =
	    egress_list_find_network(policy->allow, addr, addr_port(addr), block->network.prefix);
	return entry ? listed(entry) : refuse(REASON_EGRESS_PRIVATE, "egress.allow", NULL);
}

static struct egress_verdict judge_public(const struct egress_policy *policy, const struct egress_verdict *named,
					  const struct forms *forms, enum egress_stage stage)
{
	uint16_t port = addr_port(&forms->addr[0]);
	if (named->kind == EGRESS_VERDICT_LISTED)
		return *named;
	const struct egress_entry *entry = find_network(policy->allow, forms, 0);
	if (!entry)
		entry = egress_list_find_any(policy->allow, port);
	return entry ? listed(entry) : judge_unlisted(policy, port, stage);
}

static struct egress_verdict judge_forms(const struct egress_policy *policy, const struct egress_verdict *named,
					 const struct forms *forms, enum egress_stage stage)
{
	const struct egress_entry *entry = find_network(policy->deny, forms, 0);
	if (!entry)
		entry = egress_list_find_any(policy->deny, addr_port(&forms->addr[0]));
	if (entry)
		return refuse(REASON_EGRESS_DENIED, "egress.deny", entry);
	const struct egress_special *block = egress_special_of(&forms->addr[forms->n - 1]);
	return block ? judge_special(policy, forms, block) : judge_public(policy, named, forms, stage);
}

struct egress_verdict egress_judge_address(const struct egress_policy *policy, const struct egress_verdict *named,
					   const struct addr *addr, enum egress_stage stage)
{
	if (named->kind == EGRESS_VERDICT_REFUSED)
		return *named;
	if (stage == EGRESS_REPLIES_ONLY)
		return quarantined();
	const struct forms forms = forms_of(addr);
	return judge_forms(policy, named, &forms, stage);
}

/* ---- by name ---- */

static struct egress_verdict judge_literal(const struct egress_policy *policy, const struct addr *addr,
					   enum egress_stage stage)
{
	const struct egress_verdict nameless = unlisted();
	const struct forms forms = forms_of(addr);
	const struct egress_verdict verdict = judge_forms(policy, &nameless, &forms, stage);
	if (verdict.kind == EGRESS_VERDICT_UNLISTED && forms.n > 1)
		return refuse(REASON_EGRESS_PRIVATE, "egress.allow", NULL);
	return verdict;
}

static struct egress_verdict judge_name(const struct egress_policy *policy, struct span host, uint16_t port,
					enum egress_stage stage)
{
	const struct egress_entry *entry = egress_list_find_name(policy->deny, host, port);
	if (entry)
		return refuse(REASON_EGRESS_DENIED, "egress.deny", entry);
	entry = egress_list_find_name(policy->allow, host, port);
	if (entry)
		return listed(entry);
	if (egress_list_has_network_at(policy->allow, port))
		return unlisted(); /* its address may be listed */
	return judge_unlisted(policy, port, stage);
}

struct egress_verdict egress_judge(const struct egress_policy *policy, const struct egress_destination *destination,
				   enum egress_stage stage)
{
	struct addr addr = destination->addr;
	if (stage == EGRESS_REPLIES_ONLY)
		return quarantined();
	if (!destination->is_literal)
		return judge_name(policy, destination->host, destination->port, stage);
	addr_set_port(&addr, destination->port);
	return judge_literal(policy, &addr, stage);
}

/* ---- what was learned ---- */

static const char learning[] = "egress.learning";

static bool may_open(const struct egress_verdict *named, enum egress_stage stage)
{
	return named->kind == EGRESS_VERDICT_UNLISTED || named->reason == REASON_EGRESS_NOT_ALLOWED ||
	       (named->reason == REASON_EGRESS_QUARANTINED && stage == EGRESS_LISTED_ONLY);
}

struct egress_verdict egress_judge_learned(const struct egress_policy *policy, const struct egress_verdict *named,
					   uint16_t port, enum egress_standing standing, enum egress_stage stage)
{
	const bool counts = standing == EGRESS_COUNTS_AS_LISTED && stage == EGRESS_FREE && !egress_is_strict_port(policy, port);
	if (!may_open(named, stage) || !(counts || standing == EGRESS_APPROVED))
		return *named;
	return (struct egress_verdict){EGRESS_VERDICT_LISTED, REASON_UNSET, learning, NULL};
}

bool egress_was_learned(const struct egress_verdict *verdict)
{
	return verdict->kind == EGRESS_VERDICT_LISTED && verdict->setting == learning;
}

bool egress_is_relay(const struct egress_policy *policy, const struct egress_destination *destination)
{
	if (!destination->is_literal)
		return egress_list_find_name(policy->relays, destination->host, destination->port) != NULL;
	return egress_list_find_network(policy->relays, &destination->addr, destination->port, 0) != NULL;
}

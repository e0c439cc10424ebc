/* From a compiled policy to flat memory, and back: see warden_plan.h. */
#include "sallyport/warden_plan.h"

#include <stdlib.h>
#include <string.h>

static struct warden_rate rate_of(const struct egress_rate *rate)
{
	return (struct warden_rate){rate->setting.count, rate->setting.per_ms, rate->burst};
}

/* ---- lists ---- */

/* The first call counts, the second one fills. */
struct filling {
	struct warden_entry *out; /* NULL: only counted */
	uint32_t n;
	uint8_t network_list, name_list;
};

static void take_entry(void *context, const struct egress_listed *listed)
{
	struct filling *filling = context;
	if (!listed->network && filling->name_list == WARDEN_LIST_UNSET)
		return;
	if (filling->out && filling->n < WARDEN_ENTRIES_MAX) {
		struct warden_entry *entry = &filling->out[filling->n];
		*entry = (struct warden_entry){.port_min = listed->port_min, .port_max = listed->port_max};
		entry->list = listed->network ? filling->network_list : filling->name_list;
		if (listed->network)
			entry->network = *listed->network;
		if (entry->list == WARDEN_LISTED && listed->opens)
			entry->list = WARDEN_LISTED_SPECIAL;
	}
	filling->n++;
}

static void take_lists(const struct egress_policy *policy, struct filling *filling)
{
	filling->network_list = WARDEN_DENIED;
	filling->name_list = WARDEN_LIST_UNSET;
	egress_each_listed(policy->deny, take_entry, filling);
	filling->network_list = WARDEN_LISTED;
	filling->name_list = WARDEN_LISTED_NAME;
	egress_each_listed(policy->allow, take_entry, filling);
	filling->network_list = WARDEN_RELAY;
	filling->name_list = WARDEN_RELAY_NAME;
	egress_each_listed(policy->relays, take_entry, filling);
}

static int by_group(const void *a, const void *b)
{
	const struct warden_entry *x = a, *y = b;
	if (x->list != y->list)
		return x->list < y->list ? -1 : 1;
	if (x->port_min != y->port_min)
		return x->port_min < y->port_min ? -1 : 1;
	return (x->port_max > y->port_max) - (x->port_max < y->port_max);
}

/* ---- origins ---- */

static bool overlap(const struct cidr *a, const struct cidr *b)
{
	unsigned bits = a->prefix < b->prefix ? a->prefix : b->prefix;
	unsigned whole = bits / 8, rest = bits % 8;
	return memcmp(a->bytes, b->bytes, whole) == 0 &&
	       (rest == 0 || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0);
}

static bool take_network(struct warden_origin *out, const struct cidr *network)
{
	for (uint32_t i = 0; i < out->network_count; i++)
		if (overlap(&out->networks[i], network))
			return true; /* one is within the other; the policy says both */
	if (out->network_count == EGRESS_ADDRESSES_MAX)
		return false;
	out->networks[out->network_count++] = *network;
	return true;
}

static bool take_origin(const struct egress_origin *origin, struct warden_origin *out, struct err *err)
{
	*out = (struct warden_origin){.id = egress_id(origin->name), .has_mac = origin->has_mac};
	if (strlen(origin->name) >= sizeof(out->name) ||
	    (origin->interface && strlen(origin->interface) >= sizeof(out->interface)))
		return err_set(err, "egress: the name of an origin or of its interface is too long: %s", origin->name);
	memcpy(out->name, origin->name, strlen(origin->name) + 1);
	if (origin->interface)
		memcpy(out->interface, origin->interface, strlen(origin->interface) + 1);
	memcpy(out->mac, origin->mac, sizeof(out->mac));
	for (size_t i = 0; i < origin->network_count; i++)
		if (!take_network(out, &origin->networks[i]))
			return err_set(err, "egress: the origin %s has more than %d addresses", origin->name,
				       EGRESS_ADDRESSES_MAX);
	return true;
}

static bool are_apart(const struct warden_origin *a, const struct warden_origin *b)
{
	for (uint32_t i = 0; i < a->network_count; i++)
		for (uint32_t k = 0; k < b->network_count; k++)
			if (overlap(&a->networks[i], &b->networks[k]))
				return false;
	return true;
}

/* Whoever sends from a card has to be one origin. */
static bool have_own_cards(const struct warden_origin *a, const struct warden_origin *b)
{
	return !a->has_mac || !b->has_mac || memcmp(a->mac, b->mac, sizeof(a->mac)) != 0;
}

static bool take_origins(const struct egress_policy *policy, struct warden_plan *out, struct err *err)
{
	if (policy->origin_count > EGRESS_ORIGINS_MAX)
		return err_set(err, "egress: more than %d origins", EGRESS_ORIGINS_MAX);
	for (size_t i = 0; i < policy->origin_count; i++) {
		if (!take_origin(&policy->origins[i], &out->origins[i], err))
			return false;
		for (size_t k = 0; k < i; k++)
			if (!are_apart(&out->origins[k], &out->origins[i]))
				return err_set(err, "egress: the origins %s and %s have addresses in common",
					       out->origins[k].name, out->origins[i].name);
			else if (!have_own_cards(&out->origins[k], &out->origins[i]))
				return err_set(err, "egress.bindings: the origins %s and %s have the same mac: they are one origin, "
						    "with two addresses", out->origins[k].name, out->origins[i].name);
		out->origin_count++;
	}
	return true;
}

/* ---- the whole ---- */

static int by_first_port(const void *a, const void *b)
{
	return (int)((const struct egress_ports *)a)->min - (int)((const struct egress_ports *)b)->min;
}

/* Ranges that overlap, or touch, as one: the kernel takes no others. */
static void take_strict_ports(const struct egress_policy *policy, struct warden_plan *out)
{
	struct egress_ports ports[EGRESS_STRICT_PORTS_MAX];
	size_t n = policy->strict_port_count < EGRESS_STRICT_PORTS_MAX ? policy->strict_port_count : EGRESS_STRICT_PORTS_MAX;
	memcpy(ports, policy->strict_ports, n * sizeof(ports[0]));
	qsort(ports, n, sizeof(ports[0]), by_first_port);
	for (size_t i = 0; i < n; i++) {
		struct egress_ports *last = out->strict_port_count > 0 ? &out->strict_ports[out->strict_port_count - 1] : NULL;
		if (last && ports[i].min <= last->max + 1)
			last->max = ports[i].max > last->max ? ports[i].max : last->max;
		else
			out->strict_ports[out->strict_port_count++] = ports[i];
	}
}

static void take_numbers(const struct egress_policy *policy, struct warden_plan *out)
{
	out->mode = (uint32_t)policy->mode;
	out->kernel = (uint32_t)policy->kernel;
	out->proxy = policy->proxy_addr;
	out->transparent = policy->transparent_addr;
	out->dns = policy->dns_addr;
	out->new_destinations = rate_of(&policy->new_destinations);
	out->new_connections = rate_of(&policy->new_connections);
	out->relay_connections = rate_of(&policy->relay_connections);
	out->listed_packets = rate_of(&policy->listed_packets);
	out->target_packets = rate_of(&policy->target_packets);
	out->datagram_packets = rate_of(&policy->datagram_packets);
	out->remember_ms = policy->remember_ms;
	out->listed_bytes_per_s = policy->listed_bytes_per_s;
	out->target_bytes_per_s = policy->target_bytes_per_s;
	out->datagram_bytes_per_s = policy->datagram_bytes_per_s;
	out->bytes_per_s = policy->flow_bytes_per_s;
	out->hourly_bytes = policy->hourly_bytes;
	out->law = egress_law_of(policy);
	take_strict_ports(policy, out);
}

static void fill(const struct egress_policy *policy, uint32_t entries, struct warden_plan *out)
{
	struct filling filling = {.out = out->entries};
	take_numbers(policy, out);
	take_lists(policy, &filling);
	out->entry_count = filling.n < entries ? filling.n : entries;
	qsort(out->entries, out->entry_count, sizeof(out->entries[0]), by_group);
}

bool warden_plan_write(const struct egress_policy *policy, struct strbuf *out, struct err *err)
{
	struct filling counted = {0};
	take_lists(policy, &counted);
	if (counted.n > WARDEN_ENTRIES_MAX)
		return err_set(err, "egress: the lists have more than %d entries", WARDEN_ENTRIES_MAX);
	size_t size = sizeof(struct warden_plan) + counted.n * sizeof(struct warden_entry);
	struct warden_plan *plan = calloc(1, size);
	if (!plan)
		return err_set(err, "out of memory");
	fill(policy, counted.n, plan);
	bool is_good = take_origins(policy, plan, err);
	if (is_good)
		strbuf_add(out, plan, size);
	free(plan);
	return is_good && (!out->truncated || err_set(err, "out of memory"));
}

/* ---- reading ---- */

static bool is_rate(const struct warden_rate *rate)
{
	return rate->count == 0 || (rate->per_ms > 0 && rate->count < UINT32_MAX && rate->burst < UINT32_MAX);
}

static bool is_prefix(const struct cidr *network)
{
	return network->prefix <= 128;
}

static bool is_origin(const struct warden_origin *origin)
{
	if (origin->network_count > EGRESS_ADDRESSES_MAX || !memchr(origin->name, '\0', sizeof(origin->name)) ||
	    !memchr(origin->interface, '\0', sizeof(origin->interface)) || strpbrk(origin->interface, "\"\n\\"))
		return false;
	for (uint32_t i = 0; i < origin->network_count; i++)
		if (!is_prefix(&origin->networks[i]))
			return false;
	return true;
}

static bool is_sound(const struct warden_plan *plan)
{
	const struct warden_rate *const rates[] = {&plan->new_destinations, &plan->new_connections, &plan->listed_packets,
						   &plan->target_packets, &plan->datagram_packets, &plan->relay_connections};
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		if (!is_rate(rates[i]))
			return false;
	if (plan->origin_count > EGRESS_ORIGINS_MAX || plan->strict_port_count > EGRESS_STRICT_PORTS_MAX ||
	    plan->law.strikes == 0 || plan->law.strikes >= UINT32_MAX || plan->law.strike_window_ms == 0)
		return false;
	for (uint32_t i = 0; i < plan->origin_count; i++)
		if (!is_origin(&plan->origins[i]))
			return false;
	for (uint32_t i = 0; i < plan->entry_count; i++)
		if (plan->entries[i].list == WARDEN_LIST_UNSET || plan->entries[i].list >= WARDEN_LISTS ||
		    !is_prefix(&plan->entries[i].network))
			return false;
	return true;
}

const struct warden_plan *warden_plan_read(const void *bytes, size_t len)
{
	const struct warden_plan *plan = bytes;
	if (!bytes || len < sizeof(*plan) || plan->entry_count > WARDEN_ENTRIES_MAX ||
	    len != sizeof(*plan) + plan->entry_count * sizeof(plan->entries[0]))
		return NULL;
	return is_sound(plan) ? plan : NULL;
}

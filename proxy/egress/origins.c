/* The machines that egress is about: their addresses, and what is known of their cards. */
#include "egress/origins.h"

#include "egress/networks.h"

#include <string.h>

enum { MAC_TEXT_BYTES = 17, INTERFACE_BYTES_MAX = 15 };

/* ---- origins ---- */

static bool next_word(struct span *text, struct span *word)
{
	size_t skipped = 0, len = 0;
	while (skipped < text->len && text->ptr[skipped] == ' ')
		skipped++;
	*text = span_from(*text, skipped);
	while (len < text->len && text->ptr[len] != ' ')
		len++;
	*word = span_of(text->ptr, len);
	*text = span_from(*text, len);
	return len > 0;
}

static bool add_network(struct egress_origin *origin, struct span word, struct err *err)
{
	struct err inner = {0};
	if (origin->network_count == EGRESS_ADDRESSES_MAX)
		return err_set(err, "'%s' has more than %d addresses: give the network they are in", origin->name,
			       EGRESS_ADDRESSES_MAX);
	if (!cidr_parse(word, &origin->networks[origin->network_count], &inner))
		return err_set(err, "%s", inner.text);
	origin->network_count++;
	return true;
}

static bool parse_origin(const char *text, struct egress_origin *out, struct arena *arena, struct err *err)
{
	struct span rest = span_from_str(text), word;
	out->networks = arena_alloc(arena, EGRESS_ADDRESSES_MAX * sizeof(out->networks[0]));
	while (next_word(&rest, &word)) {
		if (!out->name)
			out->name = arena_span(arena, word).ptr;
		if (!out->networks || !out->name)
			return err_set(err, "out of memory");
		if (!add_network(out, word, err))
			return false;
	}
	return out->network_count > 0 || err_set(err, "'%s' names no address", text);
}

/* ---- which is whose ---- */

static const struct egress_origin *owner_of(const struct egress_policy *policy, const struct egress_network *network)
{
	return network ? &policy->origins[network->value] : NULL;
}

const struct egress_origin *egress_origin_of(const struct egress_policy *policy, const struct addr *addr)
{
	return policy->networks ? owner_of(policy, egress_networks_find(policy->networks, addr)) : NULL;
}

static void check_overlap(const struct egress_policy *policy, const struct egress_network *network,
			  struct policy_context *context)
{
	const struct egress_origin *inner = owner_of(policy, network);
	const struct egress_origin *outer = owner_of(policy, egress_networks_outer(policy->networks, network));
	if (outer == inner)
		policy_error_in(context, policy->origin_texts.where, "origins", "\"%s\" names an address twice", inner->name);
	else if (outer)
		policy_error_in(context, policy->origin_texts.where, "origins",
				"\"%s\" and \"%s\" have addresses in common: each belongs to one origin, which has its own budgets",
				outer->name, inner->name);
}

static bool index_networks(struct egress_policy *policy, struct arena *arena)
{
	struct egress_networks *networks = arena_alloc(arena, sizeof(*networks));
	size_t n = 0;
	for (size_t i = 0; i < policy->origin_count; i++)
		n += policy->origins[i].network_count;
	if (!networks || !egress_networks_init(networks, n, arena))
		return false;
	for (size_t i = 0; i < policy->origin_count; i++) {
		for (size_t j = 0; j < policy->origins[i].network_count; j++)
			egress_networks_add(networks, &policy->origins[i].networks[j], (uint32_t)i);
	}
	egress_networks_sort(networks);
	policy->networks = networks;
	return true;
}

/* ---- bindings ---- */

static bool parse_mac(const char *text, uint8_t mac[6])
{
	if (strlen(text) != MAC_TEXT_BYTES)
		return false;
	for (size_t i = 0; i < 6; i++) {
		const char *at = text + 3 * i;
		int high = ascii_hex(at[0]), low = ascii_hex(at[1]);
		if (high < 0 || low < 0 || (i < 5 && at[2] != ':'))
			return false;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return (mac[0] & 1) == 0; /* a group's address is nobody's own */
}

static struct egress_origin *find_bound(const struct egress_policy *policy, const char *address)
{
	struct addr addr;
	const struct egress_origin *origin = NULL;
	if (address && addr_parse_ip(span_from_str(address), 0, &addr))
		origin = egress_origin_of(policy, &addr);
	return origin ? &policy->origins[origin->index] : NULL;
}

static void take_binding(struct egress_policy *policy, const struct egress_binding *binding, struct policy_context *context)
{
	struct egress_origin *origin = find_bound(policy, binding->address);
	uint8_t mac[6];
	if (!binding->address)
		return;
	if (!origin) {
		policy_error(context, binding->where, "bindings: address: \"%s\" is no address of egress.origins", binding->address);
		return;
	}
	if (binding->mac && !parse_mac(binding->mac, mac))
		policy_error(context, binding->where, "bindings: mac: \"%s\" is not a card's address, such as 02:00:5e:10:00:01",
			     binding->mac);
	else if (binding->mac && origin->has_mac && memcmp(origin->mac, mac, sizeof(mac)) != 0)
		policy_error(context, binding->where, "bindings: mac: \"%s\" has another one already", origin->name);
	else if (binding->mac) {
		memcpy(origin->mac, mac, sizeof(mac));
		origin->has_mac = true;
	}
	if (binding->interface)
		origin->interface = binding->interface;
}

static void check_interface(const struct egress_binding *binding, struct policy_context *context)
{
	const char *name = binding->interface;
	if (!name)
		return;
	size_t len = strlen(name);
	if (len > INTERFACE_BYTES_MAX || strcspn(name, " /\"*{}\\") != len)
		policy_error(context, binding->where, "bindings: interface: \"%.64s\" is no name of an interface", name);
}

/* ---- the whole ---- */

static void compile_each(struct egress_policy *policy, struct policy_where where, struct policy_context *context)
{
	const struct policy_strings *texts = &policy->origin_texts;
	for (size_t i = 0; i < texts->n; i++) {
		struct egress_origin origin = {.index = (uint32_t)policy->origin_count};
		struct err err = {0};
		if (parse_origin(texts->items[i], &origin, context->arena, &err))
			policy->origins[policy->origin_count++] = origin;
		else
			policy_error_in(context, where, "origins", "%s", err.text);
	}
}

void egress_origins_compile(struct egress_policy *policy, struct policy_where where, struct policy_context *context)
{
	const struct egress_binding *bindings = policy->bindings.items;
	policy->origins = arena_alloc(context->arena, (policy->origin_texts.n + 1) * sizeof(policy->origins[0]));
	if (policy->origins)
		compile_each(policy, where, context);
	if (!policy->origins || !index_networks(policy, context->arena)) {
		policy_error_in(context, where, "origins", "out of memory");
		return;
	}
	for (size_t i = 0; i < policy->networks->n; i++)
		check_overlap(policy, &policy->networks->items[i], context);
	for (size_t i = 0; i < policy->bindings.n; i++) {
		check_interface(&bindings[i], context);
		take_binding(policy, &bindings[i], context);
	}
}

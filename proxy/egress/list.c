/* A compiled list of destinations: names in a hash table, networks sorted. Immutable once compiled; a lookup
 * costs the same for ten entries as for ten thousand. */
#include "egress/list.h"

#include "egress/special.h"

#include <string.h>

/* ---- names ---- */

enum { HASH_PRIME = 0x01000193 };

static uint32_t hash_start(void)
{
	return 0x811c9dc5u; /* FNV-1a */
}

static uint32_t hash_next(uint32_t hash, char c)
{
	return (hash ^ (unsigned char)c) * HASH_PRIME;
}

static size_t slot_of(const struct egress_names *names, uint32_t hash)
{
	return (hash ^ hash >> 15) & names->mask;
}

static uint32_t hash_of(struct span name)
{
	uint32_t hash = hash_start();
	for (size_t i = name.len; i > 0; i--)
		hash = hash_next(hash, name.ptr[i - 1]);
	return hash;
}

/* The slot that has the name, or the empty one where it would go. */
static uint32_t *find_slot(const struct egress_list *list, enum egress_entry_kind kind, struct span name, uint32_t hash)
{
	const struct egress_names *names = &list->names;
	size_t at = slot_of(names, hash + kind);
	for (; names->slots[at]; at = (at + 1) & names->mask) {
		const struct egress_entry *entry = &list->entries[names->slots[at] - 1];
		if (entry->kind == kind && span_eq(entry->host, name))
			break;
	}
	return &names->slots[at];
}

/* Of those for one host, the first that has all the ports from `min` to `max`; min over max: the first. */
static const struct egress_entry *entry_at(const struct egress_list *list, uint32_t index, struct egress_ports ports)
{
	while (index) {
		const struct egress_entry *entry = &list->entries[index - 1];
		if (ports.min > ports.max || (ports.min >= entry->ports.min && ports.max <= entry->ports.max))
			return entry;
		index = entry->next;
	}
	return NULL;
}

static const struct egress_entry *find_host(const struct egress_list *list, enum egress_entry_kind kind, struct span name,
					    uint32_t hash, struct egress_ports ports)
{
	return entry_at(list, *find_slot(list, kind, name, hash), ports);
}

const struct egress_entry *egress_list_find_any(const struct egress_list *list, uint16_t port)
{
	return entry_at(list, list->any, (struct egress_ports){port, port});
}

static const struct egress_entry *find_name(const struct egress_list *list, struct span host, struct egress_ports ports)
{
	const struct egress_entry *found = entry_at(list, list->any, ports), *more;
	uint32_t hash = hash_start();
	for (size_t i = host.len; i > 0; i--) {
		if (host.ptr[i - 1] == '.') {
			more = find_host(list, EGRESS_ENTRY_BELOW, span_from(host, i), hash, ports);
			found = more ? more : found;
		}
		hash = hash_next(hash, host.ptr[i - 1]);
	}
	more = find_host(list, EGRESS_ENTRY_NAME, host, hash, ports);
	return more ? more : found;
}

const struct egress_entry *egress_list_find_name(const struct egress_list *list, struct span host, uint16_t port)
{
	return find_name(list, host, (struct egress_ports){port, port});
}

const struct egress_entry *egress_list_find_name_at_some_port(const struct egress_list *list, struct span host)
{
	return find_name(list, host, (struct egress_ports){1, 0});
}

const struct egress_entry *egress_list_find_name_at_every_port(const struct egress_list *list, struct span host)
{
	return find_name(list, host, (struct egress_ports){0, UINT16_MAX});
}

/* ---- networks ---- */

const struct egress_entry *egress_list_find_network(const struct egress_list *list, const struct addr *addr, uint16_t port,
						    unsigned prefix)
{
	const struct egress_network *network = egress_networks_find(&list->networks, addr);
	for (; network && network->prefix >= prefix; network = egress_networks_outer(&list->networks, network)) {
		const struct egress_entry *entry = &list->entries[network->value];
		if (port >= entry->ports.min && port <= entry->ports.max)
			return entry;
	}
	return NULL;
}

bool egress_list_has_network_at(const struct egress_list *list, uint16_t port)
{
	return list->network_ports[port / 64] >> port % 64 & 1;
}

/* ---- compiling ---- */

/* By words: most networks have all ports, and there may be thousands of them. */
static void add_ports(struct egress_list *list, struct egress_ports ports)
{
	const unsigned first = ports.min / 64, last = ports.max / 64;
	for (unsigned word = first; word <= last; word++) {
		uint64_t bits = UINT64_MAX;
		if (word == first)
			bits &= UINT64_MAX << ports.min % 64;
		if (word == last)
			bits &= UINT64_MAX >> (63 - ports.max % 64);
		list->network_ports[word] |= bits;
	}
}

static void add_network(struct egress_list *list, const struct egress_entry *entry, uint32_t index)
{
	egress_networks_add(&list->networks, &entry->network, index);
	add_ports(list, entry->ports);
}

static void add(struct egress_list *list, uint32_t index)
{
	struct egress_entry *entry = &list->entries[index];
	uint32_t *slot = &list->any;
	if (entry->kind == EGRESS_ENTRY_NETWORK) {
		add_network(list, entry, index);
		return;
	}
	if (entry->kind != EGRESS_ENTRY_ANY)
		slot = find_slot(list, entry->kind, entry->host, hash_of(entry->host));
	entry->next = *slot;
	*slot = index + 1;
}

static struct egress_list *new_list(size_t n, struct arena *arena)
{
	struct egress_list *list = arena_alloc(arena, sizeof(*list));
	size_t slots = 4;
	while (slots < 2 * n)
		slots *= 2;
	if (!list || !egress_networks_init(&list->networks, n, arena))
		return NULL;
	list->entries = arena_alloc(arena, (n + 1) * sizeof(list->entries[0]));
	list->names = (struct egress_names){arena_alloc(arena, slots * sizeof(uint32_t)), slots - 1};
	return list->entries && list->names.slots ? list : NULL;
}

struct egress_list *egress_list_compile(const struct policy_strings *texts, const char *setting, struct policy_where where,
					struct policy_context *context)
{
	struct egress_list *list = new_list(texts->n, context->arena);
	if (!list) {
		policy_error_in(context, where, setting, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < texts->n; i++) {
		struct err err = {"out of memory"};
		if (egress_entry_parse(texts->items[i], &list->entries[list->n], context->arena, &err))
			add(list, (uint32_t)list->n++);
		else
			policy_error_in(context, where, setting, "%s", err.text);
	}
	egress_networks_sort(&list->networks);
	return list;
}

size_t egress_list_count(const struct egress_list *list)
{
	return list ? list->n : 0;
}

/* ---- for the kernel leg ---- */

static void tell_network(const struct egress_entry *entry, const struct cidr *network,
			 void (*each)(void *context, const struct egress_listed *listed), void *context)
{
	const struct egress_special *block = egress_special_around(network);
	const struct egress_listed listed = {
	    .network = network,
	    .port_min = entry->ports.min,
	    .port_max = entry->ports.max,
	    .opens = block ? block->name : NULL,
	};
	each(context, &listed);
}

void egress_each_listed(const struct egress_list *list, void (*each)(void *context, const struct egress_listed *listed),
			void *context)
{
	static const struct cidr all_ipv4 = {.bytes = {[10] = 0xff, [11] = 0xff}, .prefix = 96}, all_ipv6;
	for (size_t i = 0; i < egress_list_count(list); i++) {
		const struct egress_entry *entry = &list->entries[i];
		const struct egress_listed named = {
		    .name = entry->host.ptr, .port_min = entry->ports.min, .port_max = entry->ports.max};
		if (entry->kind == EGRESS_ENTRY_NETWORK)
			tell_network(entry, &entry->network, each, context);
		if (entry->kind == EGRESS_ENTRY_NAME)
			each(context, &named);
		if (entry->kind != EGRESS_ENTRY_ANY)
			continue;
		tell_network(entry, &all_ipv4, each, context);
		tell_network(entry, &all_ipv6, each, context);
	}
}

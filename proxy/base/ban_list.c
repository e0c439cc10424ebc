/* The list of bans by order. Trusts that one process writes; readers touch nothing but the list, whatever stands in it. */
#include "sallyport/ban_list.h"

#include "sallyport/big_endian.h"

struct network {
	uint64_t high, low;
	uint32_t prefix;
};

static struct network network_of(const struct cidr *cidr)
{
	return (struct network){big64_at(cidr->bytes), big64_at(cidr->bytes + 8), cidr->prefix};
}

static uint64_t load(const _Atomic uint64_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static struct network load_network(const struct ban_entry *entry)
{
	return (struct network){load(&entry->high), load(&entry->low),
				atomic_load_explicit(&entry->prefix, memory_order_relaxed)};
}

static bool is_live(uint64_t until_ms, uint64_t now_ms)
{
	return until_ms > now_ms;
}

static unsigned count_of(const struct ban_list *list)
{
	unsigned n = atomic_load_explicit(&list->n, memory_order_acquire);
	return n < BANS_MAX ? n : BANS_MAX;
}

static bool is_same(const struct network *a, const struct network *b)
{
	return a->high == b->high && a->low == b->low && a->prefix == b->prefix;
}

static struct ban_entry *find_entry(struct ban_list *list, const struct network *network, uint64_t now_ms)
{
	for (unsigned i = 0; i < count_of(list); i++) {
		struct ban_entry *entry = &list->of[i];
		const struct network held = load_network(entry);
		if (is_live(load(&entry->until_ms), now_ms) && is_same(&held, network))
			return entry;
	}
	return NULL;
}

static struct ban_entry *find_free(struct ban_list *list, uint64_t now_ms)
{
	unsigned n = count_of(list);
	for (unsigned i = 0; i < n; i++) {
		if (!is_live(load(&list->of[i].until_ms), now_ms))
			return &list->of[i];
	}
	return n < BANS_MAX ? &list->of[n] : NULL;
}

bool ban_list_add(struct ban_list *list, const struct cidr *cidr, uint64_t until_ms, uint64_t now_ms)
{
	const struct network network = network_of(cidr);
	struct ban_entry *entry = find_entry(list, &network, now_ms);
	if (!entry)
		entry = find_free(list, now_ms);
	if (!entry)
		return false;
	atomic_store_explicit(&entry->until_ms, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&entry->high, network.high, memory_order_relaxed);
	atomic_store_explicit(&entry->low, network.low, memory_order_relaxed);
	atomic_store_explicit(&entry->prefix, network.prefix, memory_order_relaxed);
	atomic_store_explicit(&entry->until_ms, until_ms, memory_order_release);
	unsigned used = (unsigned)(entry - list->of) + 1;
	if (used > count_of(list))
		atomic_store_explicit(&list->n, used, memory_order_release);
	return true;
}

bool ban_list_lift(struct ban_list *list, const struct cidr *cidr, uint64_t now_ms)
{
	const struct network network = network_of(cidr);
	struct ban_entry *entry = find_entry(list, &network, now_ms);
	if (entry)
		atomic_store_explicit(&entry->until_ms, 0, memory_order_release);
	return entry != NULL;
}

static uint64_t high_bits(unsigned bits)
{
	return bits == 0 ? 0 : bits >= 64 ? UINT64_MAX : ~(UINT64_MAX >> bits);
}

static bool has(const struct network *network, uint64_t high, uint64_t low)
{
	uint64_t high_mask = high_bits(network->prefix);
	uint64_t low_mask = network->prefix > 64 ? high_bits(network->prefix - 64) : 0;
	return ((network->high ^ high) & high_mask) == 0 && ((network->low ^ low) & low_mask) == 0;
}

uint64_t ban_list_find(const struct ban_list *list, const struct addr *addr, uint64_t now_ms)
{
	const unsigned n = list ? count_of(list) : 0;
	uint8_t bytes[16];
	uint64_t longest_ms = 0;
	if (n == 0 || !addr_mapped_bytes(addr, bytes))
		return 0;
	const uint64_t high = big64_at(bytes), low = big64_at(bytes + 8);
	for (unsigned i = 0; i < n; i++) {
		const struct ban_entry *entry = &list->of[i];
		uint64_t until_ms = atomic_load_explicit(&entry->until_ms, memory_order_acquire);
		if (!is_live(until_ms, now_ms) || until_ms <= longest_ms)
			continue;
		const struct network network = load_network(entry);
		atomic_thread_fence(memory_order_acquire);
		if (has(&network, high, low) && load(&entry->until_ms) == until_ms)
			longest_ms = until_ms;
	}
	return longest_ms;
}

bool ban_list_get(const struct ban_list *list, unsigned i, uint64_t now_ms, struct cidr *cidr, uint64_t *until_ms)
{
	if (i >= count_of(list) || !is_live(load(&list->of[i].until_ms), now_ms))
		return false;
	const struct network network = load_network(&list->of[i]);
	big64_put(cidr->bytes, network.high);
	big64_put(cidr->bytes + 8, network.low);
	cidr->prefix = (uint8_t)network.prefix;
	*until_ms = load(&list->of[i].until_ms);
	return true;
}

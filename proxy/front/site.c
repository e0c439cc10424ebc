/* Which site a host belongs to, and which route a path takes. On the way of
 * every request: one pass over the host, no allocation.
 *
 * One open-addressed hash table holds exact names ("shop.example") and wildcards as
 * the suffix they stand for (".shop.example"): no host starts with a dot, so the two can't be
 * confused. The hash runs from the last byte to the first, so that it has the
 * hash of every suffix on its way. The names in the table are the operator's: a
 * client can't fill it with collisions. */

#include "sallyport/site.h"

#include "sallyport/hash.h"

struct slot {
	uint64_t hash;
	const char *name; /* NULL: free */
	size_t len;
	const struct site *site;
};

struct site_table {
	struct slot *slots;
	size_t mask;
	bool has_wildcards;
	const struct site *fallback;
};

static uint64_t hash_step(uint64_t hash, char c)
{
	return hash_add(hash, (unsigned char)ascii_lower(c));
}

static uint64_t hash_host(const char *name, size_t len)
{
	uint64_t hash = HASH_START;

	while (len > 0)
		hash = hash_step(hash, name[--len]);
	return hash;
}

static size_t hash_index(const struct site_table *table, uint64_t hash)
{
	return (size_t)(hash ^ (hash >> 32)) & table->mask;
}

struct site_table *site_table_new(struct arena *arena, size_t host_count)
{
	struct site_table *table = arena_alloc(arena, sizeof(*table));
	size_t room = 8;

	while (room < 2 * host_count)
		room *= 2;
	if (!table)
		return NULL;
	table->mask = room - 1;
	table->slots = arena_alloc(arena, room * sizeof(table->slots[0]));
	return table->slots ? table : NULL;
}

const struct site *site_table_add(struct site_table *table, const char *host,
				  const struct site *site)
{
	const bool is_wildcard = host[0] == '*';
	const char *name = is_wildcard ? host + 1 : host;
	const size_t len = strlen(name);
	const uint64_t hash = hash_host(name, len);
	size_t i = hash_index(table, hash);

	for (; table->slots[i].name; i = (i + 1) & table->mask) {
		if (strcmp(table->slots[i].name, name) == 0)
			return table->slots[i].site;
	}
	table->slots[i] = (struct slot){hash, name, len, site};
	table->has_wildcards |= is_wildcard;
	return NULL;
}

void site_table_set_default(struct site_table *table, const struct site *site)
{
	table->fallback = site;
}

static const struct site *find(const struct site_table *table, uint64_t hash, const char *name,
			       size_t len)
{
	for (size_t i = hash_index(table, hash); table->slots[i].name; i = (i + 1) & table->mask) {
		const struct slot *slot = &table->slots[i];

		if (slot->hash == hash &&
		    span_ieq(span_of(slot->name, slot->len), span_of(name, len)))
			return slot->site;
	}
	return NULL;
}

const struct site *site_lookup(const struct site_table *table, struct span host)
{
	const struct site *best = table->fallback;
	const struct site *found;
	uint64_t hash = HASH_START;

	/* The later a wildcard is found, the longer it is. */
	for (size_t i = host.len; i-- > 0;) {
		hash = hash_step(hash, host.ptr[i]);
		if (host.ptr[i] != '.' || i == 0 || !table->has_wildcards)
			continue;
		found = find(table, hash, host.ptr + i, host.len - i);
		if (found)
			best = found;
	}
	found = host.len > 0 && host.ptr[0] != '.' ? find(table, hash, host.ptr, host.len) : NULL;
	return found ? found : best;
}

const struct route *site_route(const struct site *site, struct span path)
{
	const unsigned reading = shield_reading(site->shield_policy.origin_kind);
	for (size_t i = 0; i + 1 < site->route_count; i++) {
		const struct route *route = site->routes[i];

		if (url_is_under(path, span_of(route->prefix, route->prefix_len), reading))
			return route;
	}
	return site->routes[site->route_count - 1];
}

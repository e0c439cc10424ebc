/* Where origins are, as this machine's routes have it: over which interfaces they are reached. */
#include <string.h>

#include "proc/warden.h"
#include "sallyport/kernel_route.h"

/* The ways to the internet are everybody's: whoever comes from there may have any address. */
struct ways_out {
	char of[2][KERNEL_INTERFACE_SIZE];
};

static void find_ways_out(struct ways_out *out)
{
	static const char *const far[] = {"198.41.0.4", "2001:503:ba3e::2:30"}; /* a.root-servers.net */
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < 2; i++) {
		struct addr addr;
		if (!addr_parse_ip(span_from_str(far[i]), 0, &addr) || !kernel_route_to(warden.routes_fd, &addr, out->of[i]))
			out->of[i][0] = '\0';
	}
}

static bool leads_out(const struct ways_out *ways, const char *interface)
{
	return strcmp(ways->of[0], interface) == 0 || strcmp(ways->of[1], interface) == 0;
}

/* ---- an address ---- */

static void address_in(const struct cidr *network, uint8_t number, struct addr *out)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	*out = (struct addr){0};
	if (memcmp(network->bytes, mapped, sizeof(mapped)) == 0) {
		out->u.in4.sin_family = AF_INET;
		memcpy(&out->u.in4.sin_addr, network->bytes + 12, 4);
		((uint8_t *)&out->u.in4.sin_addr)[3] |= number;
	} else {
		out->u.in6.sin6_family = AF_INET6;
		memcpy(&out->u.in6.sin6_addr, network->bytes, 16);
		out->u.in6.sin6_addr.s6_addr[15] |= number;
	}
}

/* Of a whole network, the first addresses are this machine's own, and nobody's. One that is link-local is on every
 * interface, so its route says nothing. */
static bool is_reached_by(const struct cidr *network, char out[KERNEL_INTERFACE_SIZE])
{
	struct addr addr;
	address_in(network, 0, &addr);
	if (addr.u.sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&addr.u.in6.sin6_addr))
		return false;
	for (uint8_t number = 0; number < (network->prefix <= 126 ? 4 : 1); number++) {
		address_in(network, number, &addr);
		if (kernel_route_direct(warden.routes_fd, &addr, out) && !strpbrk(out, "\"\n\\"))
			return true;
	}
	return false;
}

/* ---- an origin ---- */

static void add_near(struct ruleset_facts *facts, const char *interface)
{
	for (unsigned i = 0; i < facts->near_count; i++)
		if (strcmp(facts->near[i], interface) == 0)
			return;
	if (facts->near_count < RULESET_NEAR_MAX)
		memcpy(facts->near[facts->near_count++], interface, WARDEN_INTERFACE_SIZE);
}

static void find_near(const struct warden_origin *origin, const struct ways_out *ways, struct ruleset_facts *facts)
{
	char interface[KERNEL_INTERFACE_SIZE] = "";
	for (uint32_t i = 0; i < origin->network_count; i++)
		if (is_reached_by(&origin->networks[i], interface) && !leads_out(ways, interface))
			add_near(facts, interface);
}

static void find_slot(const struct warden_origin *origin, struct ruleset_origin *out)
{
	const struct egress_state *state = egress_states_find(warden.states, origin->name);
	*out = (struct ruleset_origin){.slot = state ? (unsigned)(state - warden.states->of) : EGRESS_STATES};
}

/* The first one counts that says anything. */
static void find_route(const struct warden_origin *origin, const struct ways_out *ways, char out[KERNEL_INTERFACE_SIZE])
{
	uint32_t i = 0;
	while (i < origin->network_count && !is_reached_by(&origin->networks[i], out))
		i++;
	if (i == origin->network_count || leads_out(ways, out))
		memset(out, 0, KERNEL_INTERFACE_SIZE);
}

static void find_place(const struct warden_origin *origin, const struct ways_out *ways, struct ruleset_facts *facts,
		       struct ruleset_origin *out)
{
	find_slot(origin, out);
	find_near(origin, ways, facts);
	if (origin->interface[0] != '\0') {
		out->is_bridged = kernel_route_is_bridged(warden.routes_fd, origin->interface);
		if (!out->is_bridged)
			add_near(facts, origin->interface);
	} else {
		find_route(origin, ways, out->route);
	}
}

void places_find(const struct warden_plan *plan, struct ruleset_facts *facts)
{
	struct ways_out ways;
	find_ways_out(&ways);
	memset(facts->origins, 0, sizeof(facts->origins));
	memset(facts->near, 0, sizeof(facts->near));
	facts->near_count = 0;
	for (uint32_t i = 0; i < plan->origin_count; i++)
		find_place(&plan->origins[i], &ways, facts, &facts->origins[i]);
}

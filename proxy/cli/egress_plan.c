/* Which tries are made. Without an operator's word only addresses are tried that nobody on the internet has
 * (documentation: RFC 5737, RFC 3849; benchmarks: RFC 2544) and such of the machine's own surroundings
 * as no origin has business with: metadata services and the usual first addresses of private networks. What is on
 * this machine's own networks is left out: sallyport does not stand between neighbours of one network. */
#include "cli/egress_plan.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/span.h"

enum { PORT_DNS = 53, PORT_NTP = 123, BURST_PORT = 4444, NAME_SIZE = 256 };

/* egress.strict_ports where nothing sets it; the others are those that worms like. */
static const uint16_t strict_ports[] = {80, 443, 25};
static const uint16_t other_ports[] = {22, 445};

static const char *const nobodies[] = {"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1"};
static const char *const surroundings[] = {"169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.0.1", "192.168.1.1",
					   "fd00::1"};
/* Other spellings of loopback, private and link-local addresses: a gate has to know them all. */
static const char *const odd_literals[] = {
    "127.0.0.1:80",	    "localhost:80",	   "[::1]:80",		     "0.0.0.0:80",	   "[::]:80",
    "0x7f000001:80",	    "0177.0.0.1:80",	   "2130706433:80",	     "127.1:80",	   "127.0.0.1.:80",
    "[::ffff:127.0.0.1]:80", "[::127.0.0.1]:80",   "[64:ff9b::7f00:1]:80",   "[2002:7f00:1::]:80", "169.254.169.254:80",
    "[fd00:ec2::254]:80",   "[fe80::1]:80",	   "10.0.0.1:80",	     "172.16.0.1:80",	   "192.168.0.1:80",
    "100.64.0.1:80",	    "224.0.0.1:80",	   "255.255.255.255:80",
};

/* ---- places ---- */

static bool is_of_interface(const struct ifaddrs *interface, const struct addr *addr)
{
	uint8_t ours[16], mask[16], theirs[16];
	struct addr name, netmask;
	socklen_t len = sizeof(struct sockaddr_in6);
	if (!interface->ifa_addr || !interface->ifa_netmask || !addr_from_sockaddr(interface->ifa_addr, len, &name) ||
	    interface->ifa_addr->sa_family != addr->u.sa.sa_family)
		return false;
	interface->ifa_netmask->sa_family = interface->ifa_addr->sa_family;
	if (!addr_from_sockaddr(interface->ifa_netmask, len, &netmask) || !addr_mapped_bytes(&name, ours) ||
	    !addr_mapped_bytes(&netmask, mask) || !addr_mapped_bytes(addr, theirs))
		return false;
	for (size_t i = addr->u.sa.sa_family == AF_INET ? 12 : 0; i < sizeof(ours); i++)
		if ((ours[i] ^ theirs[i]) & mask[i])
			return false;
	return true;
}

static bool is_neighbour(const struct addr *addr)
{
	struct ifaddrs *all, *one;
	bool found = false;
	if (getifaddrs(&all) != 0)
		return false;
	for (one = all; one && !found; one = one->ifa_next)
		found = is_of_interface(one, addr);
	freeifaddrs(all);
	return found;
}

static bool is_nobody(const struct addr *addr)
{
	static const char *const networks[] = {"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15",
					       "2001:db8::/32"};
	struct cidr network;
	for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++)
		if (cidr_parse(span_from_str(networks[i]), &network, NULL) && cidr_has(&network, addr))
			return true;
	return false;
}

/* "HOST", "HOST:PORT", "[V6]:PORT"; port 0: none is said. */
static bool split(const char *text, char host[NAME_SIZE], uint16_t *port, struct err *err)
{
	struct span all = span_from_str(text), name = all;
	struct addr addr;
	uint64_t number = 0;
	const char *colon = strrchr(text, ':');
	bool is_bare = addr_parse_ip(all, 0, &addr) || !colon || text[all.len - 1] == ']';
	if (!is_bare)
		name = span_of(text, (size_t)(colon - text));
	if (!is_bare && (!span_to_u64(span_from_str(colon + 1), UINT16_MAX, &number) || number == 0))
		return err_set(err, "\"%.64s\" has no port from 1 to 65535", text);
	if (name.len > 1 && name.ptr[0] == '[')
		name = span_of(name.ptr + 1, name.len - 2);
	if (name.len == 0 || name.len >= NAME_SIZE)
		return err_set(err, "\"%.64s\" is no host", text);
	memcpy(host, name.ptr, name.len);
	host[name.len] = '\0';
	*port = (uint16_t)number;
	return true;
}

static bool resolve(const char *host, uint16_t port, struct addr *out, struct err *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	int status = getaddrinfo(host, NULL, &hints, &found);
	if (status != 0)
		return err_set(err, "%.64s cannot be resolved here (%s): give its address", host, gai_strerror(status));
	bool ok = addr_from_sockaddr(found->ai_addr, found->ai_addrlen, out);
	addr_set_port(out, port);
	freeaddrinfo(found);
	return ok || err_set(err, "%.64s has no address that can be used", host);
}

bool egress_plan_gate(struct egress_plan *plan, const char *url, struct err *err)
{
	char text[NAME_SIZE], host[NAME_SIZE];
	uint16_t port;
	struct span rest = span_from_str(url);
	if (span_istarts(rest, SPAN("http://")))
		rest = span_from(rest, 7);
	else if (span_find(rest, '/') < rest.len)
		return err_set(err, "\"%.64s\" is no gate: http://HOST:PORT is", url);
	rest.len = span_find(rest, '/');
	if (rest.len == 0 || rest.len >= sizeof(text))
		return err_set(err, "\"%.64s\" is no gate: http://HOST:PORT is", url);
	memcpy(text, rest.ptr, rest.len);
	text[rest.len] = '\0';
	if (!split(text, host, &port, err) || !resolve(host, port ? port : 80, &plan->gate, err))
		return false;
	plan->has_gate = true;
	return true;
}

/* ---- tries ---- */

/* NULL: there is no more room, which a plan of this size has. */
static struct egress_try *add(struct egress_plan *plan, enum egress_try_kind kind, enum egress_wanted wanted)
{
	if (plan->n == EGRESS_TRIES_MAX)
		return NULL;
	struct egress_try *try = &plan->tries[plan->n++];
	*try = (struct egress_try){.kind = kind, .wanted = wanted};
	return try;
}

static void add_direct(struct egress_plan *plan, enum egress_try_kind kind, const struct addr *addr, uint16_t port,
		       enum egress_wanted wanted)
{
	char text[ADDR_TEXT_SIZE];
	struct egress_try *try = add(plan, kind, plan->is_isolated && wanted == WANTED_BUDGET ? WANTED_NOTHING : wanted);
	if (!try)
		return;
	try->addr = *addr;
	addr_set_port(&try->addr, port);
	try->is_nobody = is_nobody(addr);
	if (port == 0)
		addr_format_ip(&try->addr, text);
	else
		addr_format(&try->addr, text);
	snprintf(try->target, sizeof(try->target), "%s", text);
}

static void add_gated(struct egress_plan *plan, enum egress_try_kind kind, const char *target, enum egress_wanted wanted)
{
	struct egress_try *try = plan->has_gate ? add(plan, kind, wanted) : NULL;
	if (!try)
		return;
	try->addr = plan->gate;
	snprintf(try->target, sizeof(try->target), "%s", target);
}

/* One address, in every way. port 0: on all ports that there are to be tried. */
static void add_address(struct egress_plan *plan, const struct addr *addr, uint16_t port, enum egress_wanted strict,
			enum egress_wanted other)
{
	char text[ADDR_TEXT_SIZE];
	struct addr named = *addr;
	if (port != 0) {
		add_direct(plan, TRY_TCP, addr, port, strict);
	} else {
		for (size_t i = 0; i < sizeof(strict_ports) / sizeof(strict_ports[0]); i++)
			add_direct(plan, TRY_TCP, addr, strict_ports[i], strict);
		for (size_t i = 0; i < sizeof(other_ports) / sizeof(other_ports[0]); i++)
			add_direct(plan, TRY_TCP, addr, other_ports[i], other);
		add_direct(plan, TRY_DNS, addr, PORT_DNS, other);
		add_direct(plan, TRY_NTP, addr, PORT_NTP, other);
		add_direct(plan, TRY_PING, addr, 0, other);
	}
	addr_set_port(&named, port ? port : 443);
	addr_format(&named, text);
	add_gated(plan, TRY_CONNECT, text, strict);
	addr_set_port(&named, port ? port : 80);
	addr_format(&named, text);
	add_gated(plan, TRY_GET, text, strict);
}

static bool is_network(const char *text, struct cidr *out)
{
	return strchr(text, '/') && cidr_parse(span_from_str(text), out, NULL);
}

static bool add_target(struct egress_plan *plan, const char *text, struct err *err)
{
	char host[NAME_SIZE];
	uint16_t port;
	struct addr addr;
	if (!split(text, host, &port, err) || !resolve(host, port, &addr, err))
		return false;
	bool is_strict = port == 0;
	for (size_t i = 0; i < sizeof(strict_ports) / sizeof(strict_ports[0]); i++)
		is_strict = is_strict || port == strict_ports[i];
	add_address(plan, &addr, port, is_strict ? WANTED_NOTHING : WANTED_BUDGET, WANTED_BUDGET);
	return true;
}

static void add_literal(struct egress_plan *plan, const char *text, enum egress_wanted strict)
{
	struct addr addr;
	if (addr_parse_ip(span_from_str(text), 0, &addr) && !is_neighbour(&addr))
		add_address(plan, &addr, 0, strict, strict == WANTED_NOTHING ? WANTED_NOTHING : WANTED_BUDGET);
}

void egress_plan_reach(struct egress_plan *plan)
{
	plan->n = 0;
	add_direct(plan, TRY_TCP, &plan->gate, addr_port(&plan->gate), WANTED_THROUGH);
}

void egress_plan_tries(struct egress_plan *plan)
{
	plan->n = 0;
	for (size_t i = 0; i < sizeof(nobodies) / sizeof(nobodies[0]); i++)
		add_literal(plan, nobodies[i], WANTED_NOTHING);
	for (size_t i = 0; i < sizeof(surroundings) / sizeof(surroundings[0]); i++) {
		struct addr addr;
		if (!addr_parse_ip(span_from_str(surroundings[i]), 0, &addr) || is_neighbour(&addr))
			continue;
		add_direct(plan, TRY_TCP, &addr, 80, WANTED_NOTHING);
		add_direct(plan, TRY_TCP, &addr, 22, WANTED_NOTHING);
	}
	for (size_t i = 0; i < sizeof(odd_literals) / sizeof(odd_literals[0]); i++) {
		add_gated(plan, TRY_CONNECT, odd_literals[i], WANTED_NOTHING);
		add_gated(plan, TRY_GET, odd_literals[i], WANTED_NOTHING);
	}
}

bool egress_plan_targets(struct egress_plan *plan, struct err *err)
{
	struct cidr network;
	plan->n = 0;
	for (size_t i = 0; i < plan->target_count; i++)
		if (!is_network(plan->targets[i], &network) && !add_target(plan, plan->targets[i], err))
			return false;
	return true;
}

bool egress_plan_allowed(struct egress_plan *plan, struct err *err)
{
	char host[NAME_SIZE];
	uint16_t port;
	struct addr addr;
	plan->n = 0;
	for (size_t i = 0; i < plan->allowed_count; i++) {
		if (!split(plan->allowed[i], host, &port, err))
			return false;
		if (port == 0)
			return err_set(err, "--allowed: \"%.64s\" needs a port, such as packages.example:443",
				       plan->allowed[i]);
		if (plan->has_gate)
			add_gated(plan, TRY_CONNECT, plan->allowed[i], WANTED_THROUGH);
		else if (resolve(host, port, &addr, err))
			add_direct(plan, TRY_TCP, &addr, port, WANTED_THROUGH);
		else
			return false;
	}
	return true;
}

void egress_plan_init(struct egress_plan *plan)
{
	if (!cidr_parse(SPAN("198.18.0.0/15"), &plan->burst_network, NULL))
		plan->burst = 0;
	for (size_t i = 0; i < plan->target_count; i++)
		is_network(plan->targets[i], &plan->burst_network);
}

/* The nth address of the network, from 1; false: it has none. */
static bool nth_address(const struct cidr *network, unsigned n, struct addr *out)
{
	struct sockaddr_in6 name = {.sin6_family = AF_INET6};
	memcpy(&name.sin6_addr, network->bytes, sizeof(network->bytes));
	name.sin6_addr.s6_addr[15] = (uint8_t)(name.sin6_addr.s6_addr[15] | (n & 255));
	name.sin6_addr.s6_addr[14] = (uint8_t)(name.sin6_addr.s6_addr[14] | n >> 8);
	return addr_from_sockaddr((struct sockaddr *)&name, sizeof(name), out) && cidr_has(network, out);
}

void egress_plan_burst(struct egress_plan *plan)
{
	struct addr addr;
	plan->n = 0;
	for (unsigned i = 1; i <= plan->burst && nth_address(&plan->burst_network, i, &addr); i++)
		add_direct(plan, TRY_TCP, &addr, BURST_PORT, WANTED_BUDGET);
}

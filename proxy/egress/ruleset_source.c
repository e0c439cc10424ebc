/* Whose packets these are. What comes with a source that is not its own is dropped before it costs an entry in
 * the table of connections, and counts against the owner of the interface or MAC address it came from; never
 * against the one whose address it bears. Where neither is known, it counts against nobody.
 *
 *   prerouting ─┬─ by MAC ───── its own source? ─ no ─► spoof of the owner
 *               ├─ by interface ─ one of those there? ─ no ─► spoof of the only owner, else stranger
 *               ├─ an interface that an origin is routed to: is this the way back? ─ no ─► stranger
 *               └─ an origin's source from elsewhere ─► stranger
 *
 * On a bridge the same is asked of each port, of ARP too, before the bridge passes anything on. */
#include "egress/ruleset_text.h"

static const char families[] = {'4', '6'};

#define RULE "add rule inet " RULESET_TABLE " "

static const char *ip_of(char family)
{
	return family == '4' ? "ip" : "ip6";
}

static const struct warden_origin *origin_at(const struct ruleset_writer *w, unsigned i)
{
	return &w->plan->origins[i];
}

bool ruleset_is_bridged(const struct ruleset_writer *w, unsigned i)
{
	return w->facts->has_bridge && w->facts->origins[i].is_bridged;
}

static bool same_interface(const struct warden_origin *a, const struct warden_origin *b)
{
	return strncmp(a->interface, b->interface, WARDEN_INTERFACE_SIZE) == 0;
}

unsigned ruleset_count_there(const struct ruleset_writer *w, unsigned i)
{
	unsigned n = 0;
	for (unsigned k = 0; k < w->plan->origin_count; k++)
		n += same_interface(origin_at(w, k), origin_at(w, i));
	return n;
}

bool ruleset_has_owner(const struct ruleset_writer *w, unsigned i)
{
	const struct warden_origin *origin = origin_at(w, i);
	return origin->has_mac ||
	       (origin->interface[0] != '\0' && !ruleset_is_bridged(w, i) && ruleset_count_there(w, i) == 1);
}

/* ---- declaring ---- */

static void declare(const struct ruleset_writer *w, const char *name, const char *hook)
{
	strbuf_addf(w->out, "add chain inet " RULESET_TABLE " %s%s\nflush chain inet " RULESET_TABLE " %s\n", name, hook,
		    name);
}

void ruleset_declare_sources(const struct ruleset_writer *w)
{
	static const char *const plain[] = {"stranger", NULL};
	for (const char *const *name = plain; *name; name++)
		declare(w, *name, "");
	declare(w, "prerouting", " { type filter hook prerouting priority raw - 10 ; policy accept ; }");
	declare(w, "forward", " { type filter hook forward priority filter - 10 ; policy accept ; }");
	declare(w, "input", " { type filter hook input priority filter - 10 ; policy accept ; }");
	declare(w, "output", " { type filter hook output priority filter - 10 ; policy accept ; }");
	if (w->plan->transparent.u.sa.sa_family != AF_UNSPEC)
		declare(w, "togate", " { type nat hook prerouting priority dstnat - 10 ; policy accept ; }");
	strbuf_add_str(w->out, "add counter inet " RULESET_TABLE " strangers\n");
	ruleset_declare_near(w);
	for (unsigned i = 0; i < w->plan->origin_count; i++) {
		if (!ruleset_has_owner(w, i))
			continue;
		strbuf_add_str(w->out, "add chain inet " RULESET_TABLE " ");
		ruleset_add_prefix(w->out, origin_at(w, i));
		strbuf_add_str(w->out, "source\nflush chain inet " RULESET_TABLE " ");
		ruleset_add_prefix(w->out, origin_at(w, i));
		strbuf_add_str(w->out, "source\n");
	}
}

/* ---- verdict maps ---- */

/* "ip saddr vmap { networks : goto prefix chain, … }"; nothing where no origin has that family. */
static void add_dispatch(const struct ruleset_writer *w, const char *hook, const char *chain, char family)
{
	const char *before = " vmap { ";
	for (unsigned i = 0; i < w->plan->origin_count; i++) {
		const struct warden_origin *origin = origin_at(w, i);
		for (uint32_t n = 0; n < origin->network_count; n++) {
			if (!ruleset_has_family(&origin->networks[n], family))
				continue;
			if (before[0] == ' ')
				strbuf_addf(w->out, RULE "%s %s saddr", hook, ip_of(family));
			strbuf_add_str(w->out, before);
			ruleset_add_network(w->out, &origin->networks[n]);
			strbuf_add_str(w->out, " : goto ");
			ruleset_add_prefix(w->out, origin);
			strbuf_addf(w->out, "%s%c", chain, family);
			before = ", ";
		}
	}
	if (before[0] == ',')
		strbuf_add_str(w->out, " }\n");
}

/* Goes on with a list of networks; returns what goes before the next one. */
static const char *add_list(struct strbuf *out, const struct warden_origin *origin, char family, const char *before)
{
	for (uint32_t n = 0; n < origin->network_count; n++) {
		if (!ruleset_has_family(&origin->networks[n], family))
			continue;
		strbuf_add_str(out, before);
		ruleset_add_network(out, &origin->networks[n]);
		before = ", ";
	}
	return before;
}

static void add_tokens(const struct ruleset_writer *w)
{
	const char *before = " { ";
	for (unsigned i = 0; i < w->plan->origin_count; i++) {
		unsigned slot = w->facts->origins[i].slot;
		if (slot >= EGRESS_STATES)
			continue;
		if (before[1] == '{')
			strbuf_add_str(w->out, RULE "output ip daddr 127.83.0.0/16 udp dport 9 ip daddr vmap");
		strbuf_addf(w->out, "%s127.83.%u.%u : goto ", before, slot / 256, slot % 256 + 1);
		ruleset_add_prefix(w->out, origin_at(w, i));
		strbuf_add_str(w->out, "token");
		before = ", ";
	}
	if (before[0] == ',')
		strbuf_add_str(w->out, " }\n" RULE "input iifname \"lo\" ip daddr 127.83.0.0/16 udp dport 9 drop\n");
}

/* ---- sources ---- */

#define SOURCE_NEEDED ", fe80::/10, ::"

/* What an origin says with its own sources, from where it is. */
static void fill_source(const struct ruleset_writer *w)
{
	ruleset_line(w, RULE "$Osource meta protocol != ip meta protocol != ip6 return");
	ruleset_line(w, RULE "$Osource ip saddr 0.0.0.0 return");
	ruleset_line(w, RULE "$Osource ip6 saddr @nameless6 return");
	for (uint32_t i = 0; i < w->origin->network_count; i++) {
		const struct cidr *own = &w->origin->networks[i];
		ruleset_words(w, RULE "$Osource ");
		strbuf_addf(w->out, "%s saddr ", ip_of(ruleset_has_family(own, '4') ? '4' : '6'));
		ruleset_add_network(w->out, own);
		strbuf_add_str(w->out, " return\n");
	}
	ruleset_line(w, RULE "$Osource goto $Ospoof");
}

void ruleset_add_mac(struct strbuf *out, const struct warden_origin *origin)
{
	const uint8_t *m = origin->mac;
	strbuf_addf(out, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

/* Its own address from elsewhere. */
static void refuse_elsewhere(const struct ruleset_writer *w, const char *elsewhere)
{
	for (size_t f = 0; f < sizeof(families); f++) {
		if (!ruleset_origin_has(w->origin, families[f]))
			continue;
		strbuf_addf(w->out, RULE "prerouting %s saddr ", ip_of(families[f]));
		ruleset_add_own(w->out, w->origin, families[f], "");
		strbuf_addf(w->out, " %s goto stranger\n", elsewhere);
	}
}

static void bind_mac(const struct ruleset_writer *w)
{
	struct strbuf elsewhere;
	strbuf_init(&elsewhere, 64);
	strbuf_add_str(w->out, RULE "prerouting ether saddr ");
	ruleset_add_mac(w->out, w->origin);
	ruleset_line(w, " jump $Osource");
	strbuf_add_str(&elsewhere, "ether saddr != ");
	ruleset_add_mac(&elsewhere, w->origin);
	refuse_elsewhere(w, elsewhere.data);
	strbuf_release(&elsewhere);
}

/* One interface, several origins: any of their sources, and it is nobody's fault. */
static void bind_shared(const struct ruleset_writer *w)
{
	for (size_t f = 0; f < sizeof(families); f++) {
		bool v6 = families[f] == '6';
		const char *before = "{ ";
		strbuf_addf(w->out, RULE "prerouting iifname \"%s\" meta protocol %s %s saddr != ", w->origin->interface,
			    ip_of(families[f]), ip_of(families[f]));
		for (unsigned i = 0; i < w->plan->origin_count; i++)
			if (same_interface(origin_at(w, i), w->origin))
				before = add_list(w->out, origin_at(w, i), families[f], before);
		strbuf_addf(w->out, "%s%s } goto stranger\n", before, v6 ? "fe80::/10, ::" : "0.0.0.0");
	}
}

static void bind_interface(const struct ruleset_writer *w)
{
	struct strbuf elsewhere;
	strbuf_init(&elsewhere, 64);
	if (ruleset_count_there(w, w->index) == 1) {
		strbuf_addf(w->out, RULE "prerouting iifname \"%s\"", w->origin->interface);
		ruleset_line(w, " jump $Osource");
	} else {
		bind_shared(w);
	}
	strbuf_addf(&elsewhere, "iifname != { \"lo\", \"%s\" }", w->origin->interface);
	refuse_elsewhere(w, elsewhere.data);
	strbuf_release(&elsewhere);
}

/* ---- where nobody said what it is bound to ---- */

static bool is_routed(const struct ruleset_writer *w, unsigned i)
{
	const struct warden_origin *origin = origin_at(w, i);
	return !origin->has_mac && (origin->interface[0] == '\0' || ruleset_is_bridged(w, i));
}

/* "{ "eth1", "eth2" }": interfaces that such origins are routed to; false: there is none. */
static bool add_routes(const struct ruleset_writer *w, struct strbuf *out)
{
	const char *before = "{ ";
	for (unsigned i = 0; i < w->plan->origin_count; i++) {
		const char *route = w->facts->origins[i].route;
		bool is_new = is_routed(w, i) && route[0] != '\0';
		for (unsigned k = 0; k < i && is_new; k++)
			is_new = strcmp(w->facts->origins[k].route, route) != 0;
		if (!is_new)
			continue;
		strbuf_addf(out, "%s\"%s\"", before, route);
		before = ", ";
	}
	strbuf_add_str(out, before[0] == ',' ? " }" : "");
	return before[0] == ',';
}

static bool add_routed(const struct ruleset_writer *w, char family, struct strbuf *out)
{
	const char *before = "{ ";
	for (unsigned i = 0; i < w->plan->origin_count; i++)
		if (is_routed(w, i))
			before = add_list(out, origin_at(w, i), family, before);
	strbuf_add_str(out, before[0] == ',' ? " }" : "");
	return before[0] == ',';
}

/* The way back to a source must be the way that it came: of all that comes by such an interface, and of such a
 * source from anywhere else. One look-up for each packet, however many origins there are. */
static void bind_routes(const struct ruleset_writer *w)
{
	static const char *const needed[] = {"0.0.0.0", "{ fe80::/10, :: }"};
	struct strbuf routes, sources;
	strbuf_init(&routes, 4096);
	strbuf_init(&sources, 65536);
	bool has_routes = add_routes(w, &routes);
	for (size_t f = 0; f < sizeof(families); f++) {
		const char *ip = ip_of(families[f]);
		if (has_routes)
			strbuf_addf(w->out, RULE "prerouting iifname %s %s saddr != %s fib saddr . iif oif missing goto stranger\n",
				    routes.data, ip, needed[f]);
		strbuf_reset(&sources);
		if (!add_routed(w, families[f], &sources))
			continue;
		strbuf_addf(w->out, RULE "prerouting %s%s%s%s saddr %s fib saddr . iif oif missing goto stranger\n",
			    has_routes ? "iifname != " : "", has_routes ? routes.data : "", has_routes ? " " : "", ip,
			    sources.data);
	}
	strbuf_release(&routes);
	strbuf_release(&sources);
}

static const char *place_of(const struct ruleset_writer *w, unsigned i)
{
	const char *bound = origin_at(w, i)->interface;
	return bound[0] == '\0' ? w->facts->origins[i].route : ruleset_is_bridged(w, i) ? "" : bound;
}

static bool is_first_there(const struct ruleset_writer *w, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (strcmp(place_of(w, k), place_of(w, i)) == 0)
			return false;
	return place_of(w, i)[0] != '\0';
}

/* Nobody leaves by an origin's interface who is none: else an origin would take another address, and be free.
 * Whoever else is there may still speak with this machine, and answer visitors. */
static void keep_others_in(const struct ruleset_writer *w)
{
	for (unsigned i = 0; i < w->plan->origin_count; i++) {
		if (!is_first_there(w, i))
			continue;
		for (size_t f = 0; f < sizeof(families); f++) {
			const char *before = "{ ";
			strbuf_addf(w->out, RULE "forward iifname \"%s\" ct direction original %s saddr != ", place_of(w, i),
				    ip_of(families[f]));
			for (unsigned k = 0; k < w->plan->origin_count; k++)
				if (strcmp(place_of(w, k), place_of(w, i)) == 0)
					before = add_list(w->out, origin_at(w, k), families[f], before);
			strbuf_addf(w->out, "%s%s } goto stranger\n", before, families[f] == '4' ? "0.0.0.0" : "::");
		}
	}
}

static void fill_prerouting(struct ruleset_writer *w)
{
	strbuf_add_str(w->out, RULE "prerouting iifname \"lo\" accept\n");
	for (w->index = 0; w->index < w->plan->origin_count; w->index++) {
		w->origin = origin_at(w, w->index);
		if (ruleset_has_owner(w, w->index))
			fill_source(w);
		if (w->origin->has_mac)
			bind_mac(w);
		if (w->origin->interface[0] != '\0' && !ruleset_is_bridged(w, w->index))
			bind_interface(w);
	}
	w->origin = NULL;
	bind_routes(w);
}

/* ---- the way into the gate ---- */

static void redirect_family(const struct ruleset_writer *w, char family)
{
	const struct addr *to = &w->plan->transparent;
	char host[ADDR_TEXT_SIZE];
	const char *before = "{ ";
	bool any = addr_is_any(to), has_any = false;
	if (!any && family != (to->u.sa.sa_family == AF_INET ? '4' : '6'))
		return;
	for (unsigned i = 0; i < w->plan->origin_count; i++)
		has_any = has_any || ruleset_origin_has(origin_at(w, i), family);
	if (!has_any)
		return;
	addr_format_ip(to, host);
	strbuf_addf(w->out, RULE "togate %s saddr ", ip_of(family));
	for (unsigned i = 0; i < w->plan->origin_count; i++)
		before = add_list(w->out, origin_at(w, i), family, before);
	strbuf_add_str(w->out, " } tcp dport { 80, 443 } fib daddr type != local ");
	if (any)
		strbuf_addf(w->out, "redirect to :%u\n", addr_port(to));
	else
		strbuf_addf(w->out, family == '4' ? "dnat ip to %s:%u\n" : "dnat ip6 to [%s]:%u\n", host, addr_port(to));
}

void ruleset_fill_sources(struct ruleset_writer *w)
{
	ruleset_line(w, RULE "stranger counter name strangers");
	if (w->facts->has_log)
		ruleset_line(w, RULE "stranger limit rate 4/second burst 8 packets log group 8355 snaplen 96 prefix \"stranger - - \"");
	ruleset_line(w, RULE "stranger $D");
	fill_prerouting(w);
	keep_others_in(w);
	for (size_t f = 0; f < sizeof(families); f++)
		add_dispatch(w, "forward", "out", families[f]);
	add_tokens(w);
	strbuf_add_str(w->out, RULE "input iifname \"lo\" accept\n");
	for (size_t f = 0; f < sizeof(families); f++)
		add_dispatch(w, "input", "in", families[f]);
	ruleset_fill_near(w);
	if (w->plan->transparent.u.sa.sa_family != AF_UNSPEC)
		for (size_t f = 0; f < sizeof(families); f++)
			redirect_family(w, families[f]);
}

/* ---- bridges ---- */

#define BRIDGE "add rule bridge " RULESET_TABLE " prerouting "

static void log_bridge(const struct ruleset_writer *w)
{
	if (w->facts->has_log)
		ruleset_line(w, "add rule bridge " RULESET_TABLE
				" $Ospoof limit rate 4/second burst 8 packets log group 8355 snaplen 96 prefix \"strike spoof $X \"");
	ruleset_line(w, "add rule bridge " RULESET_TABLE " $Ospoof counter $D");
}

/* What a port, or who has that MAC address, may say that it is. */
static void bind_bridged(const struct ruleset_writer *w)
{
	struct strbuf who;
	strbuf_init(&who, 96);
	if (w->origin->interface[0] != '\0' && ruleset_is_bridged(w, w->index))
		strbuf_addf(&who, "iifname \"%s\"", w->origin->interface);
	else
		strbuf_addf(&who, "ether saddr %02x:%02x:%02x:%02x:%02x:%02x", w->origin->mac[0], w->origin->mac[1],
			    w->origin->mac[2], w->origin->mac[3], w->origin->mac[4], w->origin->mac[5]);
	if (w->origin->has_mac && who.data[0] == 'i') {
		strbuf_addf(w->out, BRIDGE "%s ether saddr != ", who.data);
		ruleset_add_mac(w->out, w->origin);
		ruleset_line(w, " goto $Ospoof");
	}
	for (size_t f = 0; f < sizeof(families); f++) {
		bool v6 = families[f] == '6';
		strbuf_addf(w->out, BRIDGE "%s %s saddr != ", who.data, ip_of(families[f]));
		if (!ruleset_add_own(w->out, w->origin, families[f], v6 ? SOURCE_NEEDED : ", 0.0.0.0"))
			strbuf_add_str(w->out, v6 ? "{ fe80::/10, :: }" : "0.0.0.0");
		ruleset_line(w, " goto $Ospoof");
	}
	strbuf_addf(w->out, BRIDGE "%s arp saddr ip != ", who.data);
	if (!ruleset_add_own(w->out, w->origin, '4', ", 0.0.0.0"))
		strbuf_add_str(w->out, "0.0.0.0");
	ruleset_line(w, " goto $Ospoof");
	strbuf_release(&who);
}

/* Its addresses from another port or MAC address. */
static void keep_elsewhere(const struct ruleset_writer *w)
{
	static const char *const claims[] = {"ip saddr ", "arp saddr ip ", "ip6 saddr "};
	struct strbuf not;
	strbuf_init(&not, 96);
	if (w->origin->interface[0] != '\0' && ruleset_is_bridged(w, w->index))
		strbuf_addf(&not, " iifname != \"%s\"", w->origin->interface);
	else
		strbuf_addf(&not, " ether saddr != %02x:%02x:%02x:%02x:%02x:%02x", w->origin->mac[0], w->origin->mac[1],
			    w->origin->mac[2], w->origin->mac[3], w->origin->mac[4], w->origin->mac[5]);
	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		char family = i == 2 ? '6' : '4';
		if (!ruleset_origin_has(w->origin, family))
			continue;
		strbuf_addf(w->out, BRIDGE "%s", claims[i]);
		ruleset_add_own(w->out, w->origin, family, "");
		strbuf_addf(w->out, "%s counter", not.data);
		ruleset_line(w, " $D");
	}
	strbuf_release(&not);
}

static bool is_bound_on_bridge(const struct ruleset_writer *w, unsigned i)
{
	return origin_at(w, i)->has_mac || ruleset_is_bridged(w, i);
}

void ruleset_write_bridge(struct ruleset_writer *w)
{
	unsigned n = 0;
	for (unsigned i = 0; i < w->plan->origin_count; i++)
		n += is_bound_on_bridge(w, i);
	if (n == 0 || !w->facts->has_bridge)
		return;
	strbuf_add_str(w->out, "add table bridge " RULESET_TABLE "\nadd chain bridge " RULESET_TABLE
			       " prerouting { type filter hook prerouting priority -310 ; policy accept ; }\n"
			       "flush chain bridge " RULESET_TABLE " prerouting\n");
	for (int pass = 0; pass < 3; pass++)
		for (w->index = 0; w->index < w->plan->origin_count; w->index++) {
			w->origin = origin_at(w, w->index);
			if (!is_bound_on_bridge(w, w->index))
				continue;
			if (pass == 0)
				ruleset_line(w, "add chain bridge " RULESET_TABLE " $Ospoof\nflush chain bridge " RULESET_TABLE " $Ospoof");
			else if (pass == 1)
				bind_bridged(w), log_bridge(w);
			else
				keep_elsewhere(w);
		}
	w->origin = NULL;
}

/* What comes to this machine from a source that names nobody: link-local, or none at all. Neighbour discovery and
 * DHCP need such sources, so they are forged by nobody; but an origin has them besides its own, and what it sends from
 * there must not go around its chains. Nothing of it is ever forwarded, so this is about this machine alone.
 *
 *   input ─► nameless ─┬─ the card, or the interface, of one origin ─► its own chain near
 *                      └─ an interface that origins are reached over ─► near: whoever is there gets what a network needs
 *
 * Where the way to the internet is the same interface, its router speaks from such an address, too: there, only
 * cards are known. */
#include "egress/ruleset_text.h"

#define RULE "add rule inet " RULESET_TABLE " "

/* For each interface apart, so that a flood by one uses up nothing of another's; for all machines there together. A full
 * set lets nothing pass. */
static const struct {
	const char *set, *match, *rate;
} needs[] = {
    {"near_neighbours", RULESET_NEIGHBOURS, "500/second burst 1000 packets"},
    /* a router's own word, and that of a DHCP server: what becomes of it is for this machine to say (accept_ra) */
    {"near_neighbours", "icmpv6 type nd-router-advert", "500/second burst 1000 packets"},
    {"near_pings", "icmpv6 type echo-request", "20/second burst 40 packets"},
    {"near_dhcp", RULESET_DHCP6, "20/second burst 40 packets"},
    {"near_dhcp", "udp sport 547 udp dport 546", "20/second burst 40 packets"},
    {"near_dhcp", RULESET_DHCP4, "20/second burst 40 packets"},
};

void ruleset_declare_near(const struct ruleset_writer *w)
{
	static const char *const chains[] = {"near", "nameless"};
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++)
		strbuf_addf(w->out, "add chain inet " RULESET_TABLE " %s\nflush chain inet " RULESET_TABLE " %s\n", chains[i], chains[i]);
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) /* twice is once */
		strbuf_addf(w->out, "add set inet " RULESET_TABLE " %s { type ifname ; flags dynamic,timeout ; size %d ; }\n",
			    needs[i].set, RULESET_NEAR_MAX);
}

/* ---- where they may come from ---- */

static bool is_card(const struct ruleset_writer *w, unsigned i)
{
	return w->plan->origins[i].has_mac;
}

/* Its interface, and nobody else's. */
static bool is_alone(const struct ruleset_writer *w, unsigned i)
{
	return w->plan->origins[i].interface[0] != '\0' && !ruleset_is_bridged(w, i) && ruleset_count_there(w, i) == 1;
}

static void add_card(const struct ruleset_writer *w, const struct warden_origin *origin)
{
	ruleset_add_mac(w->out, origin);
}

static void add_interface(const struct ruleset_writer *w, const struct warden_origin *origin)
{
	strbuf_addf(w->out, "\"%s\"", origin->interface);
}

/* One look-up, however many origins there are. */
static void lead_to_owners(const struct ruleset_writer *w, const char *key, bool (*is_known)(const struct ruleset_writer *w, unsigned i),
			   void (*add)(const struct ruleset_writer *w, const struct warden_origin *origin))
{
	const char *before = " vmap { ";
	for (unsigned i = 0; i < w->plan->origin_count; i++) {
		const struct warden_origin *origin = &w->plan->origins[i];
		if (!is_known(w, i))
			continue;
		if (before[0] == ' ')
			strbuf_addf(w->out, RULE "nameless %s", key);
		strbuf_add_str(w->out, before);
		add(w, origin);
		strbuf_add_str(w->out, " : goto ");
		ruleset_add_prefix(w->out, origin);
		strbuf_add_str(w->out, "near");
		before = ", ";
	}
	if (before[0] == ',')
		strbuf_add_str(w->out, " }\n");
}

static void lead_to_near(const struct ruleset_writer *w)
{
	const char *before = RULE "nameless iifname { ";
	for (unsigned i = 0; i < w->facts->near_count; i++) {
		strbuf_addf(w->out, "%s\"%s\"", before, w->facts->near[i]);
		before = ", ";
	}
	if (before[0] == ',')
		strbuf_add_str(w->out, " } goto near\n");
}

static void fill_near(const struct ruleset_writer *w)
{
	ruleset_line(w, RULE "near " RULESET_ANSWERS);
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		strbuf_addf(w->out, RULE "near %s update @%s { iifname timeout 10s limit rate %s } accept\n", needs[i].match,
			    needs[i].set, needs[i].rate);
	ruleset_line(w, RULE "near counter name strangers");
	/* what is said to everybody is no attempt at anything */
	ruleset_line(w, RULE "near meta pkttype != host $D");
	if (w->facts->has_log)
		ruleset_line(w, RULE "near limit rate 4/second burst 8 packets log group 8355 snaplen 96 prefix \"stranger forbidden - \"");
	ruleset_line(w, RULE "near $D");
}

void ruleset_fill_near(const struct ruleset_writer *w)
{
	fill_near(w);
	lead_to_owners(w, "ether saddr", is_card, add_card);
	lead_to_owners(w, "iifname", is_alone, add_interface);
	lead_to_near(w);
	strbuf_add_str(w->out, RULE "input ip6 saddr @nameless6 goto nameless\n" RULE "input ip saddr 0.0.0.0 goto nameless\n");
}

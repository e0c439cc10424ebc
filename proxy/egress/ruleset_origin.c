/* The chains of one origin. Everything in here is its own: it can neither fill nor spend what is another's.
 *
 *   forward ─► out ─┬─ a reply to a visitor ───────────────────────────────────► accept
 *                   ├─ in stage 2 ─────────────────────────────────────────────► off
 *                   ├─ denied ─────────────────────────────────► forbid
 *                   ├─ listed, itself special ─► listed
 *                   ├─ special addresses ──────────────────────► forbid
 *                   ├─ listed ─► listed ──► budget: within it ─────────────────► accept
 *                   │               └► mail ┘  └ over it ─► lover ─ by far ─► deep
 *                   ├─ in stage 1, invalid, cut off ───────────────────────────► off
 *                   ├─ strict ports ───────────────────────────► forbid
 *                   ├─ over its hourly bytes ──────────────────► volume
 *                   ├─ too many new connections ───────────────► connections
 *                   ├─ established, or known ─┐
 *                   ├─ new, within the limit ─┴► target ── within its budget ──► sum ── within that of all ──► accept
 *                   └─ new, over it ───────────► scan       └─ over ─► over, or flood  └─ over ─► over, or off
 *   output  ─► token: new, within the same limit ──────────────────────────────► accept
 *   input   ─► in: replies, the gate, its DNS, what a network needs; denied, listed and special addresses as
 *              in out, of what stands already, too; else ────────────────────────► forbid
 *           ─► near: what it sends from an address that names nobody (ruleset_near.c)
 *
 * Where a set is full, adding to it fails, and the line ends without its verdict: so what may pass stands
 * in the line that adds, and what refuses in the line after it. */
#include "egress/ruleset_text.h"

enum when {
	ALWAYS = 0,
	ENFORCES,     /* something is dropped */
	LOGS,
	IS_4, IS_6,
	LIMITS_NEW, LIMITS_NOTHING_NEW,
	LIMITS_CONNECTIONS,
	LIMITS_RELAYS,
	LIMITS_VOLUME,
	LIMITS_SUM,
	LIMITS_DATAGRAMS,
	HAS_STRICT,
	HAS_OWNER,
	GIVES_CHANCES, /* more than one strike */
};

static bool holds(const struct ruleset_writer *w, enum when when)
{
	const struct warden_plan *plan = w->plan;
	switch (when) {
	case ALWAYS: return true;
	case ENFORCES: return !w->facts->reports_only;
	case LOGS: return w->facts->has_log;
	case IS_4: return w->family == '4';
	case IS_6: return w->family == '6';
	case LIMITS_NEW: return plan->new_destinations.count > 0;
	case LIMITS_NOTHING_NEW: return plan->new_destinations.count == 0;
	case LIMITS_CONNECTIONS: return plan->new_connections.count > 0;
	case LIMITS_RELAYS: return plan->relay_connections.count > 0;
	case LIMITS_VOLUME: return plan->hourly_bytes > 0;
	case LIMITS_SUM: return plan->bytes_per_s > 0;
	case LIMITS_DATAGRAMS: return plan->datagram_packets.count > 0 || plan->datagram_bytes_per_s > 0;
	case HAS_OWNER: return ruleset_has_owner(w, w->index);
	case HAS_STRICT: return plan->strict_port_count > 0;
	case GIVES_CHANCES: return plan->law.strikes > 1;
	}
	return false;
}

struct line {
	enum when when;
	const char *chain; /* without the origin's prefix; NULL ends them */
	const char *text;
};

#define LOG(what) "limit rate 4/second burst 8 packets log group 8355 snaplen 96 prefix \"" what " $X \""
_Static_assert(RULESET_LOG_GROUP == 8355, "the number above");

/* An offence: told, counted, and, where it is one too many, its origin is in stage 1. */
#define STRIKE(chain, count)                                                                       \
	{ALWAYS, chain, "counter name $O" count},                                                  \
	{LOGS, chain, LOG("strike " chain)},                                                       \
	{GIVES_CHANCES, chain, "limit name $S $D"},                                                \
	{ALWAYS, chain, "add @stage1 { $K $Q }"},                                                  \
	{LOGS, chain, LOG("stage1 " chain)},                                                       \
	{ALWAYS, chain, "$D"}
/* One that convicts at once. */
#define CONVICT(chain, count)                                                                      \
	{ALWAYS, chain, "counter name $O" count},                                                  \
	{ALWAYS, chain, "add @stage1 { $K $Q }"},                                                  \
	{LOGS, chain, LOG("stage1 " chain)},                                                       \
	{ALWAYS, chain, "$D"}

static const struct line common_lines[] = {
    STRIKE("scan", "dropped"),
    STRIKE("forbidden", "dropped"),
    STRIKE("flood", "dropped"),
    STRIKE("connections", "dropped"),
    STRIKE("relay", "dropped"),
    STRIKE("spoof", "spoofed"),
    CONVICT("volume", "dropped"),
    /* far over the budget of what is listed: from stage 1 it goes on to stage 2 */
    {ALWAYS, "deep", "$K @stage1 goto $Odeeper"},
    {ALWAYS, "deep", "goto $Oflood"},
    {ALWAYS, "deeper", "counter name $Odropped"},
    {GIVES_CHANCES, "deeper", "limit name $M $D"},
    {ALWAYS, "deeper", "add @stage2 { $K $Q }"},
    {LOGS, "deeper", LOG("stage2 flood")},
    {ALWAYS, "deeper", "$D"},
    {LIMITS_CONNECTIONS, "rate", "limit name $C return"},
    {LIMITS_CONNECTIONS, "rate", "goto $Oconnections"},
    {LIMITS_NEW, "token", "limit name $N counter name $Oadmitted accept"},
    {LIMITS_NOTHING_NEW, "token", "accept"},
    {ALWAYS, "token", "$D"},
    {ALWAYS, "off", "counter name $Odropped $D"},

    {HAS_OWNER, "near", RULESET_ANSWERS},
    {HAS_OWNER, "near", RULESET_NEIGHBOURS " limit rate " RULESET_NEIGHBOURS_RATE " accept"},
    {HAS_OWNER, "near", "icmpv6 type echo-request limit rate " RULESET_PING_RATE " accept"},
    {HAS_OWNER, "near", RULESET_DHCP6 " limit rate " RULESET_DHCP_RATE " accept"},
    {HAS_OWNER, "near", RULESET_DHCP4 " limit rate " RULESET_DHCP_RATE " accept"},
    /* what is said to everybody is no attempt at anything */
    {HAS_OWNER, "near", "meta pkttype != host goto $Ooff"},
    {HAS_OWNER, "near", "limit rate 1/minute burst 1 packets goto $Oforbidden"},
    {HAS_OWNER, "near", "goto $Ooff"},
    {ALWAYS, NULL, NULL},
};

static const struct line listed_lines[] = {
    {ALWAYS, "listed", "goto $Obudget$F"},
    {ALWAYS, "mail", "ct state established goto $Obudget$F"},
    {LIMITS_RELAYS, "mail", "limit name $Y goto $Obudget$F"},
    {LIMITS_RELAYS, "mail", "goto $Orelay"},
    {ALWAYS, "mail", "goto $Obudget$F"},
    {ALWAYS, "budget", "$P counter name $Olisted accept"},
    {ALWAYS, "budget", "goto $Olover$F"},
    {ALWAYS, "lover", "$H goto $Odeep"},
    {ALWAYS, "lover", "goto $Ooff"},
    {ALWAYS, NULL, NULL},
};

static const struct line reply_lines[] = {
    {ALWAYS, "out", "ct direction reply ct state established,related counter name $Oreplies accept"},
    {ENFORCES, "out", "$K @stage2 goto $Ooff"},
    {ALWAYS, NULL, NULL},
};

static const struct line special_lines[] = {
    {ALWAYS, "out", "$I daddr @special$F goto $Oforbid$F"},
    {ALWAYS, NULL, NULL},
};

static const struct line out_lines[] = {
    {ENFORCES, "out", "$K @stage1 goto $Ooff"},
    {ALWAYS, "out", "ct state invalid goto $Ooff"},
    {HAS_STRICT, "out", "meta l4proto @transport th dport @strict goto $Oforbid$F"},
    {ALWAYS, "out", "$I daddr @$Ocut$F goto $Ooff"},
    {LIMITS_VOLUME, "out", "quota name $Ohour goto $Ovolume"},
    {ALWAYS, "out", "ct state established goto $Otarget$F"},
    {LIMITS_CONNECTIONS, "out", "jump $Orate"},
    {ALWAYS, "out", "$I daddr @$Oknown$F update @$Oknown$F { $I daddr $R } goto $Otarget$F"},
    {LIMITS_NEW, "out", "limit name $N add @$Oknown$F { $I daddr $R } counter name $Oadmitted $A goto $Otarget$F"},
    {LIMITS_NOTHING_NEW, "out", "add @$Oknown$F { $I daddr $R } counter name $Oadmitted $A goto $Otarget$F"},
    {ALWAYS, "out", "$I daddr @$Ostruck$F goto $Ooff"},
    {ALWAYS, "out", "add @$Ostruck$F { $I daddr timeout 60s }"},
    {ALWAYS, "out", "goto $Oscan"},

    {ALWAYS, "target", "meta l4proto != 6 goto $Oother$F"},
    {ALWAYS, "target", "$T goto $Osum$F"},
    {ALWAYS, "target", "goto $Oover$F"},
    {ALWAYS, "other", "$U goto $Osum$F"},
    {LIMITS_DATAGRAMS, "other", "goto $Oflood"},

    /* all targets together: many of them get no more out than a few do */
    {ALWAYS, "sum", "$B counter name $Oother accept"},
    {LIMITS_SUM, "sum", "meta l4proto 6 goto $Oover$F"},
    {LIMITS_SUM, "sum", "goto $Ooff"},

    /* TCP gives way to loss: only who is at the limit second after second is cut off, and struck once */
    {ENFORCES, "over", "update @$Osec$F { $I daddr timeout 60s limit rate 1/second burst 1 packets } "
		       "update @$Olong$F { $I daddr timeout 60s limit rate over 3/minute burst 3 packets } "
		       "add @$Ocut$F { $I daddr timeout 600s } goto $Oflood"},
    {ALWAYS, "over", "goto $Ooff"},

    /* who tries the same again is refused again, and struck once a minute */
    {ALWAYS, "forbid", "$I daddr @$Ostruck$F goto $Ooff"},
    {ALWAYS, "forbid", "add @$Ostruck$F { $I daddr timeout 60s }"},
    {ALWAYS, "forbid", "goto $Oforbidden"},
    {ALWAYS, NULL, NULL},
};
_Static_assert(RULESET_SATURATED_S == 3 && RULESET_CUT_S == 600, "the numbers above");

static const struct line in_first_lines[] = {
    {ALWAYS, "in", RULESET_ANSWERS},
    {ALWAYS, "in", "ct state invalid goto $Ooff"},
    /* errors of what it has begun itself: that our packets are too big, that it is not there any more */
    {ALWAYS, "in", "ct state related limit rate 100/second burst 200 packets accept"},
    {ALWAYS, NULL, NULL},
};

/* What a network needs, and no more of it than that. */
static const struct line in_lines[] = {
    {IS_4, "in", "icmp type echo-request limit rate " RULESET_PING_RATE " accept"},
    {IS_4, "in", RULESET_DHCP4 " limit rate " RULESET_DHCP_RATE " accept"},
    {IS_6, "in", "icmpv6 type echo-request limit rate " RULESET_PING_RATE " accept"},
    {IS_6, "in", RULESET_NEIGHBOURS " limit rate " RULESET_NEIGHBOURS_RATE " accept"},
    {IS_6, "in", RULESET_DHCP6 " limit rate " RULESET_DHCP_RATE " accept"},
    {ENFORCES, "in", "$K @stage2 goto $Ooff"},
    {ALWAYS, NULL, NULL},
};

static const struct line in_special_lines[] = {
    {ALWAYS, "in", "meta pkttype != host goto $Ooff"},
    {ALWAYS, "in", "$I daddr @special$F goto $Oforbid$F"},
    {ALWAYS, NULL, NULL},
};

static const struct line in_last_lines[] = {
    {ALWAYS, "in", "goto $Oforbid$F"},
    {ALWAYS, NULL, NULL},
};

static const char *const common_chains[] = {"scan", "forbidden", "flood", "connections", "relay", "spoof", "volume", "deep",
					    "deeper", "rate", "token", "off", "near", NULL};
static const char *const family_chains[] = {"out", "listed", "mail", "budget", "lover", "target", "other", "sum", "over", "forbid",
					    "in", NULL};
static const char *const counters[] = {"replies", "listed", "other", "admitted", "dropped", "spoofed", NULL};
static const struct {
	const char *name;
	int size;
} sets[] = {{"known", RULESET_KNOWN_MAX}, {"struck", RULESET_STRUCK_MAX}, {"cut", RULESET_OVER_MAX},
	    {"sec", RULESET_OVER_MAX},    {"long", RULESET_OVER_MAX}};

static const char families[] = {'4', '6'};

/* ---- declaring ---- */

static void declare_chain(const struct ruleset_writer *w, const char *name)
{
	static const char *const verbs[] = {"add", "flush"};
	for (size_t i = 0; i < 2; i++) {
		strbuf_addf(w->out, "%s chain inet " RULESET_TABLE " ", verbs[i]);
		ruleset_add_prefix(w->out, w->origin);
		strbuf_add_str(w->out, name);
		if (w->family)
			strbuf_add_char(w->out, w->family);
		strbuf_add_char(w->out, '\n');
	}
}

static void declare_sets(const struct ruleset_writer *w)
{
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		strbuf_add_str(w->out, "add set inet " RULESET_TABLE " ");
		ruleset_add_prefix(w->out, w->origin);
		strbuf_addf(w->out, "%s%c { type ipv%c_addr ; flags dynamic,timeout ; size %d ; }\n", sets[i].name,
			    w->family, w->family, sets[i].size);
	}
}

void ruleset_declare_origin(struct ruleset_writer *w)
{
	w->family = 0;
	for (const char *const *name = common_chains; *name; name++)
		declare_chain(w, *name);
	for (const char *const *name = counters; *name; name++) {
		strbuf_add_str(w->out, "add counter inet " RULESET_TABLE " ");
		ruleset_add_prefix(w->out, w->origin);
		strbuf_addf(w->out, "%s\n", *name);
	}
	if (w->plan->hourly_bytes > 0)
		ruleset_line(w, "add quota inet " RULESET_TABLE " $Ohour { over $V bytes ; }");
	ruleset_declare_limits(w);
	for (size_t f = 0; f < sizeof(families); f++) {
		w->family = families[f];
		if (!ruleset_origin_has(w->origin, w->family))
			continue;
		for (const char *const *name = family_chains; *name; name++)
			declare_chain(w, *name);
		declare_sets(w);
		ruleset_declare_meters(w);
	}
	w->family = 0;
}

/* ---- rules ---- */

static void add_lines(const struct ruleset_writer *w, const struct line *lines)
{
	for (const struct line *line = lines; line->chain; line++) {
		if (!holds(w, line->when))
			continue;
		strbuf_add_str(w->out, "add rule inet " RULESET_TABLE " ");
		ruleset_add_prefix(w->out, w->origin);
		strbuf_add_str(w->out, line->chain);
		if (w->family)
			strbuf_add_char(w->out, w->family);
		strbuf_add_char(w->out, ' ');
		ruleset_line(w, line->text);
	}
}

#define GATE_LIMIT "limit rate 500/second burst 1000 packets accept"
_Static_assert(RULESET_GATE_PER_S == 500, "the numbers above");

/* Each way to what is ours, with its own limit; over it, nothing is struck. What stands by TCP is held to by whoever
 * listens there, by not reading; who asks by UDP begins anew each time. */
static void open_listener(const struct ruleset_writer *w, const struct addr *listener, const char *protocol)
{
	static const char *const verdicts[] = {"ct state established accept", GATE_LIMIT, "goto $Ooff"};
	char host[ADDR_TEXT_SIZE];
	char family = listener->u.sa.sa_family == AF_INET ? '4' : '6';
	bool any = addr_is_any(listener);
	if (listener->u.sa.sa_family == AF_UNSPEC || (!any && family != w->family))
		return;
	addr_format_ip(listener, host);
	for (size_t i = strcmp(protocol, "tcp") == 0 ? 0 : 1; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		strbuf_add_str(w->out, "add rule inet " RULESET_TABLE " ");
		ruleset_add_prefix(w->out, w->origin);
		strbuf_addf(w->out, "in%c ", w->family);
		if (!any)
			strbuf_addf(w->out, "%s daddr %s ", w->family == '4' ? "ip" : "ip6", host);
		strbuf_addf(w->out, "%s dport %u ", protocol, addr_port(listener));
		ruleset_line(w, verdicts[i]);
	}
}

static void fill_family(const struct ruleset_writer *w)
{
	add_lines(w, reply_lines);
	ruleset_match_lists(w, "out", WARDEN_DENIED, "forbid");
	ruleset_match_lists(w, "out", WARDEN_LISTED_SPECIAL, "listed");
	add_lines(w, special_lines);
	ruleset_match_lists(w, "out", WARDEN_LISTED, "listed");
	ruleset_match_lists(w, "out", WARDEN_LISTED_NAME, "listed");
	add_lines(w, out_lines);
	ruleset_match_lists(w, "listed", WARDEN_RELAY, "mail");
	ruleset_match_lists(w, "listed", WARDEN_RELAY_NAME, "mail");
	add_lines(w, listed_lines);
	add_lines(w, in_first_lines);
	open_listener(w, &w->plan->proxy, "tcp");
	open_listener(w, &w->plan->transparent, "tcp");
	open_listener(w, &w->plan->dns, "tcp");
	open_listener(w, &w->plan->dns, "udp");
	add_lines(w, in_lines);
	ruleset_match_lists(w, "in", WARDEN_DENIED, "forbid");
	ruleset_match_lists(w, "in", WARDEN_LISTED_SPECIAL, "listed");
	add_lines(w, in_special_lines);
	ruleset_match_lists(w, "in", WARDEN_LISTED, "listed");
	add_lines(w, in_last_lines);
}

void ruleset_fill_origin(struct ruleset_writer *w)
{
	w->family = 0;
	add_lines(w, common_lines);
	for (size_t f = 0; f < sizeof(families); f++) {
		w->family = families[f];
		if (ruleset_origin_has(w->origin, w->family))
			fill_family(w);
	}
	w->family = 0;
}

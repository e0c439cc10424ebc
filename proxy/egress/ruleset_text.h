#ifndef EGRESS_RULESET_TEXT_H
#define EGRESS_RULESET_TEXT_H

#include "sallyport/ruleset.h"

/* What the parts of the ruleset's text share. */

/* Whom and what a line is for. */
struct ruleset_writer {
	const struct warden_plan *plan;
	const struct ruleset_facts *facts;
	struct strbuf *out;
	const struct warden_origin *origin; /* NULL: of no one origin */
	unsigned index;                     /* its own */
	char family;                        /* '4', '6', 0: of neither */
};

/* Appends text, one line, with these in place of
 *   $O the origin's prefix         $F 4 or 6                 $I ip or ip6          $X the origin's id
 *   $K what is always its key      $D drop, or accept where nothing is dropped
 *   $Q how long quarantine lasts   $R how long a destination is remembered
 *   $B the budget of all others together
 *   $N $C $Y $S $M names of limits: new destinations, new connections, those to relays, strikes, more strikes
 *   $P $T the budgets of a listed destination and of another one, by TCP; $U of another one by all else
 *   $H asks whether so many packets are over its budget that it is a flood to a listed destination
 *   $V hourly bytes                $A a log of what is admitted */
void ruleset_line(const struct ruleset_writer *w, const char *text);
/* The same without an end of line. */
void ruleset_words(const struct ruleset_writer *w, const char *text);

/* "1.2.3.0/24", or "1.2.3.4": of one family, '4' or '6'. */
bool ruleset_has_family(const struct cidr *network, char family);
void ruleset_add_network(struct strbuf *out, const struct cidr *network);
/* "{ a, b }" of the origin's own networks in this family; false: there is none, nothing is added. */
bool ruleset_add_own(struct strbuf *out, const struct warden_origin *origin, char family, const char *more);
bool ruleset_origin_has(const struct warden_origin *origin, char family);
void ruleset_add_prefix(struct strbuf *out, const struct warden_origin *origin);

/* Limits that are kept by name, and sets of them, of one family. */
void ruleset_declare_limits(const struct ruleset_writer *w);
void ruleset_declare_meters(const struct ruleset_writer *w);

/* What a network needs to be asked of this machine, and how often: neighbour discovery, and who listens to which group
 * (asked by a switch, too); addresses by DHCP. Answers to what this machine has begun. */
#define RULESET_ANSWERS "ct direction reply ct state established,related accept"
#define RULESET_NEIGHBOURS "icmpv6 type @neighbours"
#define RULESET_DHCP4 "udp sport 68 udp dport 67"
#define RULESET_DHCP6 "udp sport 546 udp dport 547"
#define RULESET_NEIGHBOURS_RATE "100/second burst 200 packets"
#define RULESET_PING_RATE "10/second burst 20 packets"
#define RULESET_DHCP_RATE "5/second burst 10 packets"

/* ruleset_shared.c: sets that every origin's rules ask. */
void ruleset_declare_shared(const struct ruleset_writer *w);
/* ruleset_origin.c: chains, sets and limits of one origin. */
void ruleset_declare_origin(struct ruleset_writer *w);
void ruleset_fill_origin(struct ruleset_writer *w);
/* ruleset_lists.c: what is listed, denied and special. */
void ruleset_declare_lists(const struct ruleset_writer *w);
/* Appends rules to a chain that go to `target` for what is on that list, enum warden_list. */
void ruleset_match_lists(const struct ruleset_writer *w, const char *chain, unsigned list, const char *target);
/* ruleset_source.c: whose packets these are, and sources that are not their own. */
void ruleset_declare_sources(const struct ruleset_writer *w);
void ruleset_fill_sources(struct ruleset_writer *w);
void ruleset_write_bridge(struct ruleset_writer *w);
/* Is it known, by card or interface, which packets are this origin's? */
bool ruleset_has_owner(const struct ruleset_writer *w, unsigned i);
/* Is the origin's interface a port of a bridge that we see into? */
bool ruleset_is_bridged(const struct ruleset_writer *w, unsigned i);
/* How many origins are bound to the interface that this one is bound to, itself among them. */
unsigned ruleset_count_there(const struct ruleset_writer *w, unsigned i);
void ruleset_add_mac(struct strbuf *out, const struct warden_origin *origin);
/* ruleset_near.c: sources that name nobody. */
void ruleset_declare_near(const struct ruleset_writer *w);
void ruleset_fill_near(const struct ruleset_writer *w);

#endif

#ifndef SALLYPORT_RULESET_H
#define SALLYPORT_RULESET_H

#include "sallyport/strbuf.h"
#include "sallyport/warden_plan.h"

/* The text of the kernel leg's table, for nftables. Pure: a plan and what was found out about this machine
 * go in. The picture of its chains stands in ruleset.c.
 *
 * All of it is one transaction that can follow on itself: chains are emptied and filled anew, sets,
 * limits, quotas and counters that are there already stay as they are. So a reload forgets neither a
 * quarantine nor a known destination. */

#define RULESET_TABLE "sallyport"

enum {
	RULESET_BYTES_MAX = 16 << 20,
	RULESET_LOG_GROUP = 8355,      /* of NFLOG */
	RULESET_KNOWN_MAX = 4096,      /* destinations of one origin at a time, IPv4 and IPv6 each */
	RULESET_STRUCK_MAX = 512,      /* destinations of it that count as one offence each within a minute */
	RULESET_BUSY_MAX = 1024,       /* destinations of it with a budget in use; the kernel keeps room for each set in advance */
	RULESET_OVER_MAX = 256,        /* destinations of it that are over a budget */
	RULESET_SATURATED_S = 3,       /* a pair at the limit of its bytes for longer than this, of late, is cut off */
	RULESET_CUT_S = 600,           /* for so long */
	RULESET_NEAR_MAX = EGRESS_ORIGINS_MAX * (EGRESS_ADDRESSES_MAX + 1), /* interfaces that they are reached over */
	RULESET_GATE_PER_S = 500,      /* new connections of one origin to the gate, and questions to its DNS */
};

/* What no policy says. */
struct ruleset_origin {
	unsigned slot;      /* in struct egress_states; EGRESS_STATES: it has none */
	bool is_bridged;    /* its interface is a port of a bridge */
	char route[WARDEN_INTERFACE_SIZE]; /* the interface that its address is reached by directly; empty: none */
};
struct ruleset_facts {
	bool reports_only;  /* nothing is dropped */
	bool has_log;       /* NFLOG is there */
	bool has_bridge;    /* the bridge family is there */
	struct ruleset_origin origins[EGRESS_ORIGINS_MAX];
	/* all interfaces over which origins are reached, each once; none that leads to the internet as well */
	char near[RULESET_NEAR_MAX][WARDEN_INTERFACE_SIZE];
	unsigned near_count;
};

/* The element of "stage1" and "stage2" that stands for an origin. */
uint32_t ruleset_key(uint64_t id);
/* Appends the name of the set for entries like this one, family '4' or '6'. */
void ruleset_add_group(struct strbuf *out, const struct warden_entry *of, char family);
/* Appends the text. */
void ruleset_write(const struct warden_plan *plan, const struct ruleset_facts *facts, struct strbuf *out);
/* Something in our table as the kernel lists it: kind is "chain", "set", "limit", "quota" or "counter". */
struct ruleset_object {
	char family[8], kind[8], name[64];
};
/* What a text of ruleset_write declares, sorted: for thousands of questions. The text stays where it is meanwhile. */
struct ruleset_declared {
	struct span *of; /* owned */
	size_t n;
};
/* False: no memory. */
MUST_CHECK bool ruleset_declared_init(struct ruleset_declared *declared, struct span text);
void ruleset_declared_release(struct ruleset_declared *declared);
bool ruleset_declares(const struct ruleset_declared *declared, const struct ruleset_object *object);
/* Appends what takes our whole table away. */
void ruleset_write_removal(bool has_bridge, struct strbuf *out);
/* Does the origin have sets and chains of this family, '4' or '6'? */
bool ruleset_has_sets(const struct warden_origin *origin, char family);

#endif

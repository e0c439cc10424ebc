#ifndef SALLYPORT_EGRESS_STATE_H
#define SALLYPORT_EGRESS_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sallyport/egress_found.h"
#include "sallyport/egress_known.h"
#include "sallyport/egress_learned.h"

/* How each egress origin stands: shared memory that outlives generations. The master claims the slots and
 * writes what an operator orders; gate and warden convict; all of them and the console read.
 *
 *   FREE ──strikes──► LISTED_ONLY ──more──► REPLIES_ONLY
 *    ▲                    │                     │
 *    └────── its time is over, or an operator releases it
 *
 * All writes are single atomic words, so that gate and warden may convict at the same moment. Pure: time is
 * passed in, in milliseconds (_ms) or microseconds (_us) of CLOCK_MONOTONIC. */

enum egress_stage {
	EGRESS_STAGE_UNSET = 0,
	EGRESS_FREE,
	EGRESS_LISTED_ONLY,  /* stage 1: what is in `allow`, and replies to visitors */
	EGRESS_REPLIES_ONLY, /* stage 2: replies to visitors */
	EGRESS_STAGE_COUNT
};

/* What an origin is struck for. OFFENCE(id, "name", weight, counts_in_quarantine): weight in strikes. What an
 * origin in stage 1 tries and does not get, as an infected one will, is no reason for stage 2, which would
 * take its listed destinations away, too; flooding one of these is. */
#define EGRESS_OFFENCES(OFFENCE)                                                                          \
	OFFENCE(SCAN, "scan", 1, false)             /* more new destinations than egress.new_destinations */ \
	OFFENCE(SLOW_SCAN, "slow-scan", 255, false) /* TRW: convicts at once */                              \
	OFFENCE(FLOOD, "flood", 1, true)            /* over the packets or bytes to one target */            \
	OFFENCE(CONNECTIONS, "connections", 1, false) /* more new connections than it may make */            \
	OFFENCE(VOLUME, "volume", 255, false)       /* over egress.flows.hourly_bytes */                     \
	OFFENCE(SPOOF, "spoof", 1, false)           /* a source address that is not its own */               \
	OFFENCE(FORBIDDEN, "forbidden", 1, false)   /* private addresses, denied hosts, strict ports */      \
	OFFENCE(RELAY, "relay", 1, false)           /* more mail than it may send */                         \
	OFFENCE(DNS, "dns", 1, false)               /* more names than it may ask for */

/* So much weight convicts at once. */
enum { EGRESS_OFFENCE_CONVICTS = 255 };

enum egress_offence {
	EGRESS_OFFENCE_UNSET = 0,
#define EGRESS_OFFENCE_MEMBER(id, name, weight, counts) EGRESS_OFFENCE_##id,
	EGRESS_OFFENCES(EGRESS_OFFENCE_MEMBER)
#undef EGRESS_OFFENCE_MEMBER
	EGRESS_OFFENCE_ORDERED, /* an operator's quarantine */
	EGRESS_OFFENCE_COUNT
};

/* Counters: COUNT(name, "help"). Each has one writer: gate_ the gate, kernel_ the warden. */
#define EGRESS_COUNTS(COUNT)                                                                       \
	COUNT(gate_requests, "requests and tunnels through the gate")                              \
	COUNT(gate_refused, "refused by the gate")                                                 \
	COUNT(gate_new, "new destinations that the gate let pass")                                 \
	COUNT(gate_bytes_out, "bytes the origin sent through the gate")                            \
	COUNT(gate_bytes_in, "bytes it received through the gate")                                 \
	COUNT(dns_queries, "names it asked for")                                                   \
	COUNT(dns_refused, "names it did not get")                                                 \
	COUNT(kernel_listed_packets, "packets to listed destinations")                             \
	COUNT(kernel_listed_bytes, "bytes to listed destinations")                                 \
	COUNT(kernel_packets, "packets to other destinations")                                     \
	COUNT(kernel_bytes, "bytes to other destinations")                                         \
	COUNT(kernel_new, "new destinations that the kernel let pass")                             \
	COUNT(kernel_dropped, "packets dropped")                                                   \
	COUNT(kernel_spoofed, "packets with a source that is not its own")

enum { EGRESS_STATES = 128, EGRESS_NAME_SIZE = 64 };

struct egress_state {
	_Alignas(64) _Atomic uint64_t id;   /* egress_id() of the name; 0: free */
	_Atomic uint64_t sentence;          /* stage (8 bits), offence (8), until_ms (48; all ones: until released) */
	_Atomic uint64_t strikes_until_ms;  /* GCRA of offences: when all are forgotten */
	_Atomic uint32_t convictions;       /* so far, not yet forgiven: each doubles the next sentence */
	_Atomic uint64_t forgive_ms;        /* when one is */
	_Atomic uint64_t since_ms;          /* of the last conviction: what follows at once is the same deed */
	_Atomic uint64_t since_wall_ms;     /* of the sentence */
	_Atomic uint64_t new_tat_us;        /* GCRA of new destinations, where the kernel does not keep it */
	_Atomic uint64_t last_offence_wall_ms;
	_Atomic uint32_t last_offence;      /* enum egress_offence */
	_Atomic uint32_t epoch;             /* raised by each conviction and quarantine: of what was learned */
	_Atomic uint32_t in_force;          /* 1: an origin of the policy that serves; the master's business */
#define EGRESS_COUNT_MEMBER(name, help) _Atomic uint64_t name;
	EGRESS_COUNTS(EGRESS_COUNT_MEMBER)
#undef EGRESS_COUNT_MEMBER
	char name[EGRESS_NAME_SIZE];        /* the master's business */
};

/* Why the kernel leg is not on. WHY(id, "sentence"). */
#define EGRESS_KERNEL_WHYS(WHY)                                                                    \
	WHY(STARTING, "it is being started")                                                       \
	WHY(NO_RIGHT, "there is no CAP_NET_ADMIN: see conf/README.md for how to give it")          \
	WHY(NO_SUPPORT, "this kernel has no nf_tables, or a container keeps it away")              \
	WHY(REFUSED, "the kernel refused its rules: the log has the kernel's words")

enum egress_kernel_why {
	EGRESS_KERNEL_WHY_UNSET = 0,
#define EGRESS_KERNEL_WHY_MEMBER(id, text) EGRESS_KERNEL_WHY_##id,
	EGRESS_KERNEL_WHYS(EGRESS_KERNEL_WHY_MEMBER)
#undef EGRESS_KERNEL_WHY_MEMBER
	EGRESS_KERNEL_WHY_COUNT
};

struct egress_states {
	_Atomic uint64_t paused_until_ms;   /* `pause egress`: everything only reports; 0: not paused */
	_Atomic uint32_t kernel_active;     /* 1: the warden's table stands, and keeps the budget of new destinations */
	/* Of the policy that serves, by the master. */
	_Atomic uint32_t mode;              /* enum egress_mode; 0: it has no section `egress` */
	_Atomic uint32_t kernel;            /* enum egress_kernel */
	_Atomic uint32_t has_gate;          /* 1: egress.proxy is set */
	_Atomic uint32_t learning;          /* enum egress_learning */
	_Atomic uint32_t kernel_why;        /* enum egress_kernel_why; where kernel_active is 0 and the policy wants it */
	_Atomic uint64_t seed;              /* of `known`: random, by the master; never 0 */
	struct egress_state of[EGRESS_STATES];
	struct egress_found found;          /* what listed names lead to: the gate's */
	struct egress_known known[EGRESS_STATES]; /* what the gate let them to: by the same index, the gate's */
	struct egress_learned learned[EGRESS_STATES]; /* what they taught: by the same index */
};

/* 64-bit FNV-1a of the name, never 0: the same over reloads and on every machine. */
uint64_t egress_id(const char *name);
const char *egress_stage_name(uint32_t stage);     /* "free", "listed-only", "replies-only"; "-" */
enum egress_stage egress_stage_lookup(const char *name);
/* Of the table of what it taught. */
uint64_t egress_learned_seed(const struct egress_states *states, const struct egress_state *state);
const char *egress_kernel_why_text(uint32_t why);   /* "-" */
const char *egress_offence_name(uint32_t offence); /* "scan"; "-" */

/* The slot of that origin, claimed where it has none; one that `kept` does not hold gives way. -1: there is
 * none, or the name is too long. Only the master calls it. kept: a bit per slot. */
int egress_states_claim(struct egress_states *states, const char *name, const uint64_t kept[EGRESS_STATES / 64]);
/* NULL: it has none. states may be NULL. */
struct egress_state *egress_states_find(struct egress_states *states, const char *name);

/* state NULL: EGRESS_FREE. */
enum egress_stage egress_stage_now(const struct egress_state *state, uint64_t now_ms);
/* Of the sentence that holds now; UNSET: none does. *until_ms: UINT64_MAX: until released; 0: none holds. */
enum egress_offence egress_sentence_now(const struct egress_state *state, uint64_t now_ms, uint64_t *until_ms);

/* How a sentence is found, out of the policy. */
struct egress_law {
	uint64_t strikes, strike_window_ms;
	uint64_t quarantine_ms, quarantine_max_ms; /* 0: until released */
};
struct egress_sentence {
	enum egress_stage stage;
	enum egress_offence offence;
	uint64_t until_ms; /* UINT64_MAX: until released */
	bool is_new;       /* this offence brought it: tell of it */
};
/* One offence more. From FREE enough strikes lead to stage 1, from there to stage 2, each by a conviction that doubles
 * the next sentence; one conviction is forgiven for each quarantine_max_ms (0: a day) that passes after a
 * sentence's end. Within EGRESS_SAME_DEED_MS of a conviction nothing counts. Any number of writers. */
enum { EGRESS_SAME_DEED_MS = 1000 };
struct egress_sentence egress_strike(struct egress_state *state, const struct egress_law *law, enum egress_offence offence,
				     uint64_t now_ms, uint64_t wall_ms);
/* An operator's orders. duration_ms 0: until released. */
void egress_quarantine(struct egress_state *state, enum egress_stage stage, uint64_t duration_ms, uint64_t now_ms,
		       uint64_t wall_ms);
void egress_release(struct egress_state *state);

/* The budget of new destinations where no kernel leg keeps it. True: it passes and is counted. Else *wait_us. */
bool egress_new_destination(struct egress_state *state, uint64_t interval_us, uint64_t tolerance_us, uint64_t now_us,
			    uint64_t *wait_us);

#endif

#ifndef SALLYPORT_STATS_H
#define SALLYPORT_STATS_H

#include <stdatomic.h>
#include <stdint.h>
#include "sallyport/reason.h"

/* Counters in shared memory. Every worker writes its own slot and nobody else's;
 * readers add the slots up. They outlive generations. */

/* STAT(name, "help") monotonic; GAUGE(name, "help") goes up and down. */
#define STATS(STAT, GAUGE)                                                                         \
	STAT(connections_accepted, "client connections accepted")                                  \
	STAT(requests, "requests answered or refused")                                             \
	STAT(requests_rejected, "requests refused by the shield or the framing")                   \
	STAT(requests_excepted, "requests that would have been refused but for an exception")      \
	STAT(bytes_in, "content bytes received from clients")                                      \
	STAT(bytes_out, "content bytes sent to clients")                                           \
	STAT(origin_connections, "connections opened to origins")                                  \
	STAT(origin_reused, "requests sent on a pooled connection")                                \
	STAT(origin_retries, "requests sent again on a fresh connection")                          \
	STAT(origin_failures, "requests that an origin failed")                                    \
	STAT(shed, "slow connections ended because memory was short")                              \
	STAT(tarpitted, "refused connections that were held without a word")                       \
	STAT(log_dropped, "log records dropped because the ring was full")                         \
	STAT(evidence_skipped, "refusals whose evidence was not kept, there being many alike")     \
	STAT(evidence_dropped, "refusals whose evidence found no room in the ring")                \
	STAT(pages_judged, "pages held until they were known to be good, or not")                  \
	STAT(copies_served, "known-good copies in place of an origin's answer")                    \
	STAT(nominations_dropped, "pages the keeper was not told of because the ring was full")    \
	STAT(clients_banned, "clients banned for a time, or that a dry run would have")            \
	STAT(throttle_crowded, "requests throttled together with others, the table being full")    \
	STAT(tls_handshakes, "TLS handshakes with clients, without resumed ones")                  \
	STAT(tls_resumed, "TLS handshakes with clients that resumed a session")                    \
	STAT(tls_failed, "TLS handshakes with clients that failed")                                \
	STAT(handed_over, "idle connections given to the next generation")                         \
	STAT(adopted, "idle connections taken over from the last generation")                      \
	STAT(tunnels, "connections that became WebSockets, or tunnels of the egress proxy")                                        \
	GAUGE(connections, "client connections open")                                              \
	GAUGE(connections_idle, "client connections between requests")                             \
	GAUGE(connections_tarpit, "refused connections that are held without a word")              \
	GAUGE(exchanges, "requests under way")                                                     \
	GAUGE(origin_open, "origin connections open")                                              \
	GAUGE(origin_idle, "origin connections in the pool")                                       \
	GAUGE(memory_bytes, "bytes held for connections and requests")                             \
	GAUGE(held_bytes, "bytes of pages that wait for their verdict")                            \
	GAUGE(copies_bytes, "bytes of known-good copies at hand")

enum {
	STATS_SLOTS = 64,           /* workers of all generations alive at once */
	STATS_STATUS_CLASSES = 6,   /* by status / 100 */
	STATS_CENSUS_ENTRIES = 65536, /* what one worker can count, clients and their requests; a power of two */
};

/* The log's rings: one per slot, and those of processes that tell news and have no counters here. */
enum log_ring_of { LOG_RING_WARDEN = STATS_SLOTS, LOG_RING_MASTER, LOG_RINGS };

struct stats_slot {
#define STAT_MEMBER(name, help) _Atomic uint64_t name;
	STATS(STAT_MEMBER, STAT_MEMBER)
#undef STAT_MEMBER
	_Atomic uint64_t status_class[STATS_STATUS_CLASSES];
	_Atomic uint64_t reasons[REASON_COUNT];
	_Atomic uint32_t in_use; /* a worker lives here */
	char pad[60];
};

/* The rules of the policy in force: the master writes it, once for each generation. */
struct stats_rules {
	_Atomic uint64_t count;
	_Atomic uint64_t made_s;       /* since 1970; 0: nobody said */
	_Atomic uint64_t pack_version; /* 0: there is no pack */
};

struct stats {
	struct stats_slot slots[STATS_SLOTS];
	struct stats_rules rules;
};

/* Only the slot's worker adds, so no locked instruction is needed. */
static inline void stat_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}
static inline void stat_sub(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) - n,
			      memory_order_relaxed);
}
/* Zeroes the gauges: the slot's worker died or is new. */
void stats_slot_reset_gauges(struct stats_slot *slot);

#endif

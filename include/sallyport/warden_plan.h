#ifndef SALLYPORT_WARDEN_PLAN_H
#define SALLYPORT_WARDEN_PLAN_H

#include "sallyport/egress.h"
#include "sallyport/strbuf.h"

/* What the kernel leg has to know of a policy: flat memory without a pointer, so that the process that
 * compiled the policy can hand it to the one that speaks with the kernel. What comes out of such memory
 * is checked before it is used. */

enum {
	WARDEN_INTERFACE_SIZE = 16, /* IFNAMSIZ */
	WARDEN_ENTRIES_MAX = 65536, /* of all lists together */
	WARDEN_PLAN_BYTES_MAX = 4 << 20,
};

struct warden_origin {
	char name[EGRESS_NAME_SIZE];
	uint64_t id; /* egress_id(name) */
	struct cidr networks[EGRESS_ADDRESSES_MAX];
	uint32_t network_count;
	uint32_t has_mac;
	uint8_t mac[6];
	uint8_t pad[2];
	char interface[WARDEN_INTERFACE_SIZE]; /* empty: not bound to one */
};

/* count units in per_ms, so many at once; count 0: no limit. */
struct warden_rate {
	uint64_t count, per_ms, burst;
};

enum warden_list {
	WARDEN_LIST_UNSET = 0,
	WARDEN_DENIED,
	WARDEN_LISTED_SPECIAL, /* opens what of a special-purpose block lies in it */
	WARDEN_LISTED,
	WARDEN_LISTED_NAME,
	WARDEN_RELAY, /* of those that are listed */
	WARDEN_RELAY_NAME,
	WARDEN_LISTS
};

/* A network with its ports. A name comes without its addresses, which are found later: its ports only. */
struct warden_entry {
	struct cidr network;
	uint8_t list; /* enum warden_list */
	uint8_t pad[2];
	uint16_t port_min, port_max; /* 0 to 65535: any, and what has no ports */
};

struct warden_plan {
	uint32_t mode;   /* enum egress_mode: MONITOR or ENFORCE */
	uint32_t kernel; /* enum egress_kernel: AUTO or REQUIRED */
	struct addr proxy, transparent, dns; /* family 0: none */
	struct warden_rate new_destinations, new_connections, relay_connections;
	struct warden_rate listed_packets, target_packets, datagram_packets;
	uint64_t remember_ms;
	uint64_t listed_bytes_per_s, target_bytes_per_s, datagram_bytes_per_s; /* 0: no limit */
	uint64_t bytes_per_s, hourly_bytes; /* to all that is not listed; 0: no limit */
	struct egress_law law;
	struct egress_ports strict_ports[EGRESS_STRICT_PORTS_MAX];
	uint32_t strict_port_count;
	uint32_t origin_count;
	struct warden_origin origins[EGRESS_ORIGINS_MAX];
	uint32_t entry_count;
	uint32_t pad;
	struct warden_entry entries[]; /* entry_count of them, those of one list with the same ports together */
};

/* Appends the plan's bytes. False: err says why the kernel leg cannot serve this policy. */
MUST_CHECK bool warden_plan_write(const struct egress_policy *policy, struct strbuf *out, struct err *err);
/* The plan in these bytes; NULL where they are none. */
const struct warden_plan *warden_plan_read(const void *bytes, size_t len);

#endif

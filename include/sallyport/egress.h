#ifndef SALLYPORT_EGRESS_H
#define SALLYPORT_EGRESS_H

#include "sallyport/addr.h"
#include "sallyport/egress_state.h"
#include "sallyport/policy.h"
#include "sallyport/reason.h"
#include "sallyport/span.h"

/* What may leave: the `egress` section of a policy, compiled, and what it says of a destination.
 * Pure: names, addresses and the policy go in, a verdict comes out.
 *
 * An egress origin is a machine (one or more addresses) behind sallyport that may be infected.
 * Each has budgets of its own, so that one cannot use up another's. */

enum egress_mode { EGRESS_UNSET = 0, EGRESS_OFF, EGRESS_MONITOR, EGRESS_ENFORCE };
enum egress_learning { EGRESS_LEARNING_UNSET = 0, EGRESS_LEARNING_OFF, EGRESS_LEARNING_ON };
enum egress_kernel { EGRESS_KERNEL_UNSET = 0, EGRESS_KERNEL_OFF, EGRESS_KERNEL_AUTO, EGRESS_KERNEL_REQUIRED };

enum {
	EGRESS_ORIGINS_MAX = 64,
	EGRESS_ADDRESSES_MAX = 8, /* of one origin */
	EGRESS_STRICT_PORTS_MAX = 64,
};

/* Which address comes from which card, where the operator knows: against forged neighbours. */
struct egress_binding {
	const char *address, *mac, *interface; /* mac, interface NULL: not said */
	struct policy_where where;
};

struct egress_origin {
	const char *name;             /* its first address as written */
	struct cidr *networks;        /* network_count of them */
	size_t network_count;
	const char *interface;        /* that it is reached by; NULL: any */
	bool has_mac;
	uint8_t mac[6];
	uint32_t index;               /* 0 to EGRESS_ORIGINS_MAX - 1, in this policy */
};

/* A rate with a burst, in microseconds between two units: GCRA. interval_us 0: no limit. */
struct egress_rate {
	struct policy_rate setting;   /* as the policy has it; count 0: no limit */
	uint64_t burst;               /* at once; where no setting says it, twice setting.count */
	uint64_t interval_us, tolerance_us;
};

/* How long until one more passes; 0: now. tat_us: what egress_rate_use has kept, 0 at first. */
uint64_t egress_rate_wait_us(const struct egress_rate *rate, uint64_t tat_us, uint64_t now_us);
/* n have passed, whether they had to wait or not. */
void egress_rate_use(const struct egress_rate *rate, uint64_t *tat_us, uint64_t n, uint64_t now_us);

/* Both belong to it. 0 to 65535: any. */
struct egress_ports {
	uint16_t min, max;
};

/* Hosts, wildcards, networks, each with ports: opaque, compiled from the texts. */
struct egress_list;
struct egress_networks;

struct egress_policy {
	int mode;                     /* enum egress_mode; UNSET: there is no such section */
	const char *proxy;            /* the gate's listener; NULL: no gate */
	struct addr proxy_addr;
	const char *transparent;      /* where the kernel leg redirects 80 and 443 to; NULL: nowhere */
	struct addr transparent_addr;
	const char *dns;              /* the DNS listener; NULL: none */
	struct addr dns_addr;
	int kernel;                   /* enum egress_kernel */

	struct policy_strings origin_texts;
	struct egress_origin *origins; /* origin_count of them */
	size_t origin_count;

	struct policy_list bindings;   /* of struct egress_binding */
	struct egress_networks *networks; /* of all origins */

	struct policy_strings allow_texts, deny_texts, strict_texts, relay_texts;
	struct egress_list *allow, *deny, *relays; /* never NULL in a compiled policy with such a section */
	struct egress_ports strict_ports[EGRESS_STRICT_PORTS_MAX]; /* only what is in `allow` may be reached there */
	size_t strict_port_count;

	/* new destinations, of gate and kernel together */
	struct egress_rate new_destinations;
	uint64_t wait_ms;             /* how long the gate lets a new destination wait for its turn */
	uint64_t remember_ms;         /* a destination that was not used so long is new again */

	/* through the gate; each origin, and each origin with one host */
	struct egress_rate origin_requests, host_requests;
	uint64_t origin_connections, host_connections; /* at once */
	uint64_t origin_bytes_per_s, host_bytes_per_s; /* each way; 0: no limit; tunnels are not read faster */

	/* the kernel leg; each origin with one destination: a listed one, TCP to another, all else (UDP, ICMP) to another */
	struct egress_rate listed_packets, target_packets, datagram_packets;
	uint64_t listed_bytes_per_s, target_bytes_per_s, datagram_bytes_per_s; /* 0: no limit */
	uint64_t flow_bytes_per_s;                     /* of one origin to all that is not listed; 0: no limit */
	struct egress_rate new_connections;            /* of one origin */
	uint64_t hourly_bytes;                         /* of one origin to what is not listed; 0: no limit */
	struct egress_rate relay_connections, relay_messages; /* of one origin to listed mail relays */

	struct egress_rate dns_names;                  /* names below wildcards that one origin may ask for */

	int learning;                 /* enum egress_learning */

	uint64_t strikes;             /* so many offences within strike_window_ms are a conviction */
	uint64_t strike_window_ms;
	uint64_t quarantine_ms;       /* the first one's length; each further one is twice as long; 0: until released */
	uint64_t quarantine_max_ms;
	struct policy_where where;
};

/* How its sentences are found. */
struct egress_law egress_law_of(const struct egress_policy *policy);
/* Nothing is refused for what it is, nor convicted: monitor mode (enum egress_mode), or an operator's pause. states NULL:
 * nobody pauses. */
bool egress_only_reports(int mode, const struct egress_states *states, uint64_t now_ms);

/* The rows of `egress`. Its finish compiles. */
extern const struct schema egress_schema;

/* NULL: it is none of ours. */
const struct egress_origin *egress_origin_of(const struct egress_policy *policy, const struct addr *addr);

/* What is asked for: a name in lower case without a final dot, or a literal address, and a port. */
struct egress_destination {
	struct span host;
	struct addr addr;   /* where is_literal */
	bool is_literal;
	uint16_t port;
};

enum egress_verdict_kind {
	EGRESS_VERDICT_UNSET = 0,
	EGRESS_VERDICT_LISTED,   /* in `allow`: its own budget, no new-destination throttle */
	EGRESS_VERDICT_UNLISTED, /* may be reached, by the new-destination throttle */
	EGRESS_VERDICT_REFUSED,
};

struct egress_verdict {
	enum egress_verdict_kind kind;
	enum reason reason;      /* REFUSED: EGRESS_DENIED, EGRESS_NOT_ALLOWED, EGRESS_PRIVATE, EGRESS_QUARANTINED */
	const char *setting;     /* that decided: "egress.deny" */
	const char *entry;       /* as the policy has it; NULL: none */
};

/* Before a name is resolved. Deny beats allow. A literal address is judged as one (egress_judge_address);
 * one that hides an IPv4 address in an IPv6 one (NAT64) is refused unless it is listed by address. A name on a strict
 * port, or of an origin in quarantine, that `allow` has not by name is UNLISTED only where it may turn out
 * to have an address that `allow` has for this port: egress_judge_address has the last word. */
struct egress_verdict egress_judge(const struct egress_policy *policy, const struct egress_destination *destination,
				   enum egress_stage stage);
/* The very address (with its port) that is about to be dialled, or was: `named` is what egress_judge said of its
 * name. deny and allow by network count here; what is private (below) only where `allow` has it by address or
 * by a network that lies within the same special-purpose block; a listed name that leads to a private address
 * is refused. An address in a NAT64 form is also looked up as the IPv4 address that it leads to. */
struct egress_verdict egress_judge_address(const struct egress_policy *policy, const struct egress_verdict *named,
					   const struct addr *addr, enum egress_stage stage);
/* What egress_judge said, with what the origin taught: what was approved counts as listed; what counts by itself does so
 * but at strict ports and in quarantine. It opens nothing that is denied, and no special-purpose address. */
struct egress_verdict egress_judge_learned(const struct egress_policy *policy, const struct egress_verdict *named,
					   uint16_t port, enum egress_standing standing, enum egress_stage stage);
/* Is it LISTED because of that? */
bool egress_was_learned(const struct egress_verdict *verdict);
/* A destination as it is told, and learned: "packages.example:443", "[2001:db8::7]:443". */
enum { EGRESS_DESTINATION_SIZE = EGRESS_LESSON_SIZE };
void egress_destination_text(const struct egress_destination *destination, char out[EGRESS_DESTINATION_SIZE]);
/* The same of what somebody wrote, with a port: in lower case, without a final dot. */
MUST_CHECK bool egress_destination_read(struct span text, char out[EGRESS_DESTINATION_SIZE], struct err *err);
bool egress_is_strict_port(const struct egress_policy *policy, uint16_t port);
/* Is it one of egress.relays? */
bool egress_is_relay(const struct egress_policy *policy, const struct egress_destination *destination);

/* Not the public internet (IANA special-purpose registries: RFC 6890 and its updates): private, loopback,
 * link-local, shared, multicast, documentation, benchmarking, unspecified, broadcast, metadata services, IPv6
 * outside of 2000::/3; and IPv6 forms that lead to such IPv4 addresses (mapped, NAT64 RFC 6052) or to
 * any (compatible, 6to4, Teredo). Returns what it is, "private (RFC 1918)"; NULL: it is public. */
const char *egress_special_purpose(const struct addr *addr);

/* The blocks behind it, the most specific first: the first that has an address decides. name NULL: what lies
 * here leads to the IPv4 address in its last four bytes (NAT64). An entry of `allow` opens
 * what of a block lies within the entry, if the entry lies within the block: "0.0.0.0/0" opens none of them, and
 * "169.254.0.0/16" not the metadata service in it. */
struct egress_special {
	struct cidr network;
	const char *name;
};
const struct egress_special *egress_special_blocks(size_t *n);

/* Literal addresses and networks of `allow`, with ports, for the kernel leg; names of `allow` that
 * are no wildcards, to be resolved. Calls each with the entry; an entry for any host is one for 0.0.0.0/0 and
 * one for ::/0. Wildcards are the gate's and the DNS listener's affair, since the kernel sees no names. */
struct egress_listed {
	const struct cidr *network; /* NULL: a name */
	const char *name;
	uint16_t port_min, port_max; /* 0 and 65535: any port */
	const char *opens;           /* name of the special-purpose block that the network lies in; NULL: none */
};
void egress_each_listed(const struct egress_list *list, void (*each)(void *context, const struct egress_listed *listed),
			void *context);
size_t egress_list_count(const struct egress_list *list);

#endif

#ifndef SALLYPORT_EGRESS_LIST_H
#define SALLYPORT_EGRESS_LIST_H

#include "egress/networks.h"
#include "sallyport/egress.h"

/* What one text of a list says:
 *
 *   host              "packages.example"
 *   names below it    "*.example"       not example itself
 *   any host          "*"
 *   address, network  "192.0.2.7", "2001:db8::1", "192.0.2.0/24"
 *
 * each with ":443" or ":8000-8080" behind it, or any port. IPv6 with ports: "[2001:db8::/32]:443". */
enum egress_entry_kind { EGRESS_ENTRY_UNSET = 0, EGRESS_ENTRY_ANY, EGRESS_ENTRY_NAME, EGRESS_ENTRY_BELOW, EGRESS_ENTRY_NETWORK };

struct egress_entry {
	const char *text;            /* as the policy has it */
	enum egress_entry_kind kind;
	struct egress_ports ports;
	struct cidr network;         /* NETWORK */
	struct span host;            /* NAME, BELOW: in lower case, without "*." */
	uint32_t next;               /* index plus 1 of another for the same host; 0: none */
};

/* Lower-case copies come from the arena. */
MUST_CHECK bool egress_entry_parse(const char *text, struct egress_entry *out, struct arena *arena, struct err *err);
/* "443" or "8000-8080". */
MUST_CHECK bool egress_ports_parse(struct span text, struct egress_ports *out, struct err *err);

/* Names by their hash, which is that of their bytes from the last to the first: so one walk along a
 * host meets all the suffixes that it has. */
struct egress_names {
	uint32_t *slots; /* index of an entry plus 1; 0: empty. A power of two, at most half full */
	size_t mask;
};

struct egress_list {
	struct egress_entry *entries;
	size_t n;
	struct egress_names names;
	struct egress_networks networks; /* values are indexes of entries */
	uint32_t any;                    /* first of those for any host, plus 1 */
	uint64_t network_ports[65536 / 64]; /* that any of its networks has */
};

/* NULL: no memory. Texts that are wrong are reported and left out. */
struct egress_list *egress_list_compile(const struct policy_strings *texts, const char *setting, struct policy_where where,
					struct policy_context *context);

/* The narrowest entry that has the host, which is no address; NULL: none. */
const struct egress_entry *egress_list_find_name(const struct egress_list *list, struct span host, uint16_t port);
/* The narrowest network with at least `prefix` bits (of 128) that has the address; NULL: none. */
const struct egress_entry *egress_list_find_network(const struct egress_list *list, const struct addr *addr, uint16_t port,
						    unsigned prefix);
/* The same, whatever the port: the narrowest that has the host at some port; one that has it at every port. */
const struct egress_entry *egress_list_find_name_at_some_port(const struct egress_list *list, struct span host);
const struct egress_entry *egress_list_find_name_at_every_port(const struct egress_list *list, struct span host);
/* The one for any host. */
const struct egress_entry *egress_list_find_any(const struct egress_list *list, uint16_t port);
/* Could some address be in it at that port? */
bool egress_list_has_network_at(const struct egress_list *list, uint16_t port);

#endif

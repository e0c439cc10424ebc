#ifndef SALLYPORT_BAN_LIST_H
#define SALLYPORT_BAN_LIST_H

#include <stdatomic.h>
#include "sallyport/addr.h"

/* Networks that an operator has banned while the server runs, for a time or until they are lifted: shared memory that only the master
 * writes and workers read, beside the states of sites. It outlives generations; a restart of the master forgets
 * it. Bans that the throttle gives by itself are in its own table; those for good belong into the policy.
 *
 * An entry is written in this order: until_ms 0, the network, until_ms; a reader takes it only where until_ms is the
 * same before and after, so it never sees half of one. */
enum { BANS_MAX = 128, BAN_TEXT_SIZE = 64 };

#define BAN_FOR_EVER UINT64_MAX
#define BAN_MAX_MS   (UINT64_C(365) * 24 * 3600 * 1000)

struct ban_entry {
	_Atomic uint64_t until_ms; /* of CLOCK_MONOTONIC; 0: free */
	_Atomic uint64_t high, low; /* the network, as struct cidr has it */
	_Atomic uint32_t prefix;
	uint32_t pad;
};

struct ban_list {
	_Atomic uint32_t n; /* entries that were ever used: those behind are free */
	uint32_t pad;
	struct ban_entry of[BANS_MAX];
};

/* What an operator asks for. */
enum ban_verb { BAN_UNSET = 0, BAN_ADD, BAN_LIFT };
struct ban_request {
	uint32_t verb; /* enum ban_verb */
	uint32_t pad;
	uint64_t duration_ms;        /* ADD; 0: until it is lifted */
	char network[BAN_TEXT_SIZE]; /* as cidr_parse takes it */
};

/* Adds it, or changes its end. False: there is no room. */
MUST_CHECK bool ban_list_add(struct ban_list *list, const struct cidr *network, uint64_t until_ms, uint64_t now_ms);
/* False: it was not banned as such. */
bool ban_list_lift(struct ban_list *list, const struct cidr *network, uint64_t now_ms);
/* When the longest ban of this address ends; 0: there is none. */
uint64_t ban_list_find(const struct ban_list *list, const struct addr *addr, uint64_t now_ms);
/* For who writes: the entry at i, where it holds one. */
bool ban_list_get(const struct ban_list *list, unsigned i, uint64_t now_ms, struct cidr *network, uint64_t *until_ms);

#endif

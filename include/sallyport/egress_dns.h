#ifndef SALLYPORT_EGRESS_DNS_H
#define SALLYPORT_EGRESS_DNS_H

#include "sallyport/egress.h"

/* What the DNS listener says to an origin. Pure.
 *
 * A name carries what whoever asks for it likes: a tunnel asks for a new name below a domain of its own for each
 * 150 bytes. A name that stands in `allow` letter by letter can carry nothing, so it is free; one below a wildcard
 * costs a turn where it is new to us. */

enum egress_naming {
	EGRESS_NAMING_UNSET = 0,
	EGRESS_NAMING_LISTED,  /* answered */
	EGRESS_NAMING_COVERED, /* answered where egress_asked_admit has it */
	EGRESS_NAMING_REFUSED,
};

/* host: in lower case, no final dot. Answered is what an entry of `allow` has at some port, unless one of `deny` has
 * it at every port. */
enum egress_naming egress_judge_name(const struct egress_policy *policy, struct span host, enum egress_stage stage);
/* May an origin be told that a name of `allow` has this address? Where it may reach it at a port that the name is listed
 * with: what is not public, if `allow` has the address, too, at such a port. */
bool egress_may_name(const struct egress_policy *policy, struct span host, const struct addr *addr);

/* Of one origin: the names it had lately. Zeroed is none. */
enum { EGRESS_ASKED_KEPT = 512 };
struct egress_asked {
	uint64_t tat_us; /* GCRA */
	uint32_t next;
	uint64_t names[EGRESS_ASKED_KEPT];
};

/* hash: of the name, by a secret. True: it is one of the last, or has its turn. An origin in quarantine has no turns, so
 * a tunnel ends there, and what the origin needed before still has its addresses. */
bool egress_asked_admit(struct egress_asked *asked, const struct egress_rate *rate, enum egress_stage stage, uint64_t hash,
			uint64_t now_us);

#endif

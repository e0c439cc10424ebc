#ifndef SALLYPORT_LOOKUP_H
#define SALLYPORT_LOOKUP_H

#include "sallyport/hold.h"
#include "sallyport/resolve.h"

/* Names that somebody else chooses, looked up when they are asked for. What was found holds for its
 * TTL (at least 5 s, at most 5 min), what was not found for 5 s. The table has a fixed number of names: the
 * one used longest ago gives way; and so many questions are under way at most, of all and of each asker. Whoever
 * asks for a name that is being asked for waits for the same answer. */
struct lookups;

/* On whose account questions go. Embedded, zeroed; it lives as long as the table. */
struct lookup_asker {
	unsigned questions; /* under way, also where nobody waits any more */
};

/* Who waits. Embedded; zeroed is "not waiting". */
struct lookup {
	void (*on_done)(struct lookup *lookup); /* ask again: the answer is there */
	struct lookup_name *waits_for;          /* NULL: it does not */
	struct lookup *prev, *next;
};

struct lookups *lookups_new(struct loop *loop, struct resolver *resolver, struct memory *memory,
			    struct err *err);
/* After the resolver. Nobody may wait any more. */
void lookups_free(struct lookups *lookups);

enum lookup_result { LOOKUP_UNSET = 0, LOOKUP_FOUND, LOOKUP_WAIT, LOOKUP_FAILED };

/* host: in lower case, at most 255 bytes. FOUND: *count addresses (port 0) in out. FAILED: *problem, a
 * literal. WAIT: on_done comes, unless lookup_cancel is called. */
enum lookup_result lookup_name(struct lookups *lookups, struct lookup *lookup, struct lookup_asker *asker,
			       struct span host, struct addr out[RESOLVE_MAX_ADDRS], unsigned *count, const char **problem);
void lookup_cancel(struct lookup *lookup);

#endif

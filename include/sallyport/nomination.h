#ifndef SALLYPORT_NOMINATION_H
#define SALLYPORT_NOMINATION_H

#include "sallyport/crypto.h"
#include "sallyport/log_ring.h"
#include "sallyport/reason.h"
#include "sallyport/span.h"

/* What a worker tells the keeper about a page that a visitor asked for: that it is there, that
 * it was held, that an origin failed. Never what was in it: what is known to be good is fetched by
 * the scout, anonymously. One ring (log_ring.h) per worker slot, and one event descriptor. */

enum nomination_kind {
	NOMINATION_UNSET = 0,
	NOMINATION_SEEN,   /* passed, and not in the baseline: to be learned */
	NOMINATION_HELD,   /* was held, or would have been in monitor mode */
	NOMINATION_FAILED, /* an origin failed, a copy was served or missing */
	NOMINATION_KINDS
};

enum nomination_severity { SEVERITY_UNSET = 0, SEVERITY_NOTE, SEVERITY_CHANGED, SEVERITY_SEVERE, SEVERITIES };

enum { NOMINATION_KEY_MAX = 4096, NOMINATION_HOST_MAX = 255 };

struct nomination {
	uint64_t site;     /* site_id() */
	uint8_t kind;      /* enum nomination_kind */
	uint8_t severity;  /* enum nomination_severity */
	uint16_t reason;   /* enum reason; REASON_UNSET: none */
	uint16_t status;   /* the origin's, 0: none */
	uint16_t key_len, host_len;
	uint8_t pad[6];
	uint8_t page[DIGEST_SIZE]; /* page_digest() of what came; zero: not known */
};

/* The ring of each worker slot: RINGS in one piece of shared memory. */
enum { NOMINATION_RINGS = 64 };

/* Worker. key: canonical path with "?" and query; host: where a held redirect leads, else empty.
 * False: no room, counted in the ring. *wake: write to the event descriptor. */
bool nomination_put(struct log_ring *ring, const struct nomination *nomination, struct span key,
		    struct span host, bool *wake);
/* Keeper. buf: LOG_RECORD_MAX bytes; key and host point into it. False: none now. What makes no sense
 * is passed over. */
bool nomination_take(struct log_ring *ring, void *buf, struct nomination *out, struct span *key,
		     struct span *host);

#endif

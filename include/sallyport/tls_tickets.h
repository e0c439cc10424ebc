#ifndef SALLYPORT_TLS_TICKETS_H
#define SALLYPORT_TLS_TICKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The keys of session tickets (RFC 5077, RFC 8446 section 4.6.1), in memory that all workers of
 * all generations share. The master makes the memory and never maps it; the workers make the
 * keys. Time is passed in, in milliseconds of CLOCK_MONOTONIC.
 *
 * A key seals tickets for TLS_TICKET_PERIOD_MS from when it was made, opens them for as long
 * again, and is wiped then. Whoever first needs a key that is not there makes it; all others go
 * on with the last one meanwhile. No lock: a worker that dies while it makes one leaves a
 * cell that nobody reads and the next period takes again. */
struct tls_tickets;

enum { TLS_TICKET_PERIOD_MS = 3600 * 1000, TLS_TICKET_NAME_BYTES = 16, TLS_TICKET_KEY_BYTES = 32 };

struct tls_ticket_key {
	unsigned char name[TLS_TICKET_NAME_BYTES];
	unsigned char cipher[TLS_TICKET_KEY_BYTES];
	unsigned char mac[TLS_TICKET_KEY_BYTES];
};

size_t tls_tickets_bytes(void);
/* memory: zeroed by who made it, tls_tickets_bytes() long. */
struct tls_tickets *tls_tickets_of(void *memory);
/* Makes the key that is due and wipes those that are over. To be called now and then. */
void tls_tickets_tend(struct tls_tickets *tickets, uint64_t now_ms);
/* The key to seal with. False: there is none, and no ticket is given. */
bool tls_tickets_seal(struct tls_tickets *tickets, uint64_t now_ms, struct tls_ticket_key *out);
/* The key of that name. False: unknown, or over. *renew: it does not seal any more. */
bool tls_tickets_open(const struct tls_tickets *tickets, const unsigned char name[TLS_TICKET_NAME_BYTES],
		      uint64_t now_ms, struct tls_ticket_key *out, bool *renew);

#endif

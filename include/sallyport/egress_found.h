#ifndef SALLYPORT_EGRESS_FOUND_H
#define SALLYPORT_EGRESS_FOUND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Addresses of names that a policy lists, for the kernel leg, which sees no names: the gate looks them up and enters
 * them here; the warden reads them, and judges them again. Shared memory of fixed size that outlives both.
 *
 * A sequence lock: odd while somebody writes. There is one gate that writes, and for a moment of a reload two. */
enum { EGRESS_FOUND_MAX = 1024, EGRESS_FOUND_STUCK_MS = 1000 };

struct egress_found_cell {
	_Atomic uint64_t address[2]; /* its 16 bytes, IPv4 as ::ffff:a.b.c.d */
	_Atomic uint64_t what;       /* egress_found_what(); 0: free */
	_Atomic uint64_t until_ms;   /* CLOCK_MONOTONIC */
};

struct egress_found {
	_Atomic uint32_t sequence;
	_Atomic uint64_t since_ms;   /* when it became odd: a writer that died holds nobody up for long */
	struct egress_found_cell of[EGRESS_FOUND_MAX];
};

/* One of them, read. */
struct egress_found_address {
	uint8_t bytes[16];
	uint8_t list;                /* enum warden_list: a name that is listed, or one of a relay */
	uint16_t port_min, port_max;
	uint64_t until_ms;
};

/* False: there is no room, or another one writes: try again later. One that is there is entered anew only where
 * that makes it last a minute longer. */
bool egress_found_add(struct egress_found *found, const struct egress_found_address *address, uint64_t now_ms);
/* True where something has changed since *sequence, which is brought up to date; then *n of them in out, those that
 * are still good. */
bool egress_found_read(const struct egress_found *found, uint32_t *sequence, uint64_t now_ms,
		       struct egress_found_address out[EGRESS_FOUND_MAX], unsigned *n);

#endif

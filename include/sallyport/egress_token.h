#ifndef SALLYPORT_EGRESS_TOKEN_H
#define SALLYPORT_EGRESS_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

/* One budget of new destinations for the gate and the kernel leg, where both are on: the gate asks the
 * kernel for a token by sending one UDP packet to an address of 127.0.0.0/8 that stands for the origin.
 * The warden's output chain takes the token from the very limit that guards forwarded packets, and drops the
 * packet where there is none: then sending fails with EPERM, at once. No capability, no message between
 * processes, no second count. */
enum egress_token { EGRESS_TOKEN_UNSET = 0, EGRESS_TOKEN_GRANTED, EGRESS_TOKEN_REFUSED, EGRESS_TOKEN_NO_KERNEL };

/* A socket for it, to be made once; -1 without one. */
int egress_token_socket(void);
/* slot: of the origin in struct egress_states. */
enum egress_token egress_token_ask(int fd, unsigned slot);

#endif

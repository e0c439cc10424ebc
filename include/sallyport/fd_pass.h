#ifndef SALLYPORT_FD_PASS_H
#define SALLYPORT_FD_PASS_H

#include <stddef.h>
#include "sallyport/err.h"

/* One descriptor with a short message, over a SOCK_SEQPACKET socket between processes of
 * ours. Neither side waits, and the receiver trusts nothing of what it gets. */

/* Sends it whole or not at all. The descriptor stays the caller's. */
MUST_CHECK bool fd_send(int channel, int fd, const void *message, size_t len);

enum { FD_NONE = -1, FD_BAD = -2 };

/* The descriptor of the next message, owned by the caller, close-on-exec. NONE: there is no
 * message now. BAD: one of another length, or without a descriptor; it is gone. */
int fd_receive(int channel, void *message, size_t len);

#endif

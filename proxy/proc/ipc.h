#ifndef PROC_IPC_H
#define PROC_IPC_H

#include <stddef.h>
#include <stdint.h>
#include "sallyport/err.h"

/* Messages between our own processes: SOCK_SEQPACKET socket pairs, one message a
 * packet, descriptors by SCM_RIGHTS. Bounded and checked at the receiving end, which
 * trusts nothing: the peer may have been captured. */

enum {
	IPC_PAYLOAD_MAX = 32768,
	IPC_FDS_MAX = 80,
	IPC_BURST = 64, /* messages to take from a peer before others have their turn */
};

struct ipc_message {
	uint32_t type;
	uint32_t len;
	unsigned n_fds;
	int fds[IPC_FDS_MAX]; /* owned by the message until taken; -1 once taken */
	_Alignas(16) char payload[IPC_PAYLOAD_MAX + 1]; /* a NUL follows the last byte */
};

enum ipc_result {
	IPC_UNSET = 0,
	IPC_GOT,    /* a message */
	IPC_NONE,   /* none now */
	IPC_EOF,    /* the peer is gone */
	IPC_BROKEN, /* not a message of ours: have nothing more to do with the peer */
};

/* Both ends non-blocking and close-on-exec. */
MUST_CHECK bool ipc_pair(int fds[2], struct err *err);
/* Sends one message whole or not at all; never waits. The descriptors stay the caller's. False: errno says why. */
MUST_CHECK bool ipc_send(int fd, uint32_t type, const void *payload, size_t len, const int *fds,
			 unsigned n_fds, struct err *err);
/* Takes one message. Release it with ipc_release, whatever the result. */
enum ipc_result ipc_receive(int fd, struct ipc_message *message);
/* The same, waiting at most timeout_ms. */
enum ipc_result ipc_wait(int fd, struct ipc_message *message, int timeout_ms);
/* The payload where it is exactly len bytes long, else NULL. */
const void *ipc_payload(const struct ipc_message *message, size_t len);
/* The descriptor at index, owned by the caller from here on; -1 where there is none. */
int ipc_take_fd(struct ipc_message *message, unsigned index);
/* Closes the descriptors that nobody took. */
void ipc_release(struct ipc_message *message);

#endif

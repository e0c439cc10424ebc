#ifndef PROC_HELPER_ROLE_H
#define PROC_HELPER_ROLE_H

#include "proc/ipc.h"
#include "proc/orders.h"
#include "proc/roles.h"
#include "sallyport/loop.h"

/* What all executed roles but the generation have in common: they wait for one order, prepare,
 * close their sandbox, report, and serve until they are told to stop or the master is gone. */

struct helper_life {
	const struct role *role;
	struct helper_order order;
	struct loop *loop;
	struct watch channel;
	struct ipc_message message;
	pid_t master;
	/* Called for every message; may take its descriptors. NULL, before helper_begin: it is only ever told to stop. */
	void (*on_message)(struct helper_life *life, struct ipc_message *message);
};

/* Waits for the order; its descriptors are in life->message until the next one. */
MUST_CHECK bool helper_begin(struct helper_life *life, enum role_id role, struct err *err);
/* readable: a path for ROLE_FILES_NAMED, or NULL. follow_master: end at once when it ends. */
MUST_CHECK bool helper_close_sandbox(const struct helper_life *life, const char *readable,
				     bool follow_master, struct err *err);
/* The same for one that writes below a folder. */
MUST_CHECK bool helper_close_store(const struct helper_life *life, const char *store, struct err *err);
/* The same for one that connects: to the ports of the order, and to those of DNS. */
MUST_CHECK bool helper_close_dial(const struct helper_life *life, struct err *err);
/* The same to these ports, at most SCOUT_PORTS_MAX, and to those of DNS. */
MUST_CHECK bool helper_close_ports(const struct helper_life *life, const uint16_t *port, size_t n,
				   struct err *err);
/* Reports READY, where it has to be told before what helper_serve would do. */
void helper_ready(void);
/* Reports READY where nobody did, and serves. Returns the exit status. */
int helper_serve(struct helper_life *life);
/* Reports why it cannot go on. Returns the exit status. */
int helper_fail(const struct err *err);
/* Sends to the master; a message that cannot be sent is lost, and said so in the log. */
void helper_report(enum order order, const void *payload, size_t len);
/* The same with a descriptor, which stays the caller's; -1: without. */
void helper_report_fd(enum order order, const void *payload, size_t len, int fd);

#endif

#ifndef PROC_SPAWN_H
#define PROC_SPAWN_H

#include <stddef.h>
#include <sys/types.h>
#include "proc/roles.h"
#include "sallyport/err.h"

/* Making processes and reading how they ended. */

/* Forks and executes this very binary in a role. *channel: our end of its channel, owned by
 * the caller. -1 on failure. */
MUST_CHECK pid_t spawn_role(const struct role *role, int *channel, struct err *err);
/* The same without executing: 0 in the child, where *channel is the child's end and the
 * signals are as spawn_calm_signals leaves them. The child still has all other descriptors. */
MUST_CHECK pid_t spawn_fork(int *channel, struct err *err);
/* Closes all descriptors but these and the standard three. Sorts keep, which may be NULL for none. */
void spawn_keep_fds(int *keep, size_t n);
/* In a child: no signal is blocked; those that a terminal or an init system sends to every
 * process are ignored, because the master alone decides. */
void spawn_calm_signals(void);
/* A child follows its parent at once, should it die. False where it is dead already. */
bool spawn_follow_parent(pid_t parent);

enum { SPAWN_END_SIZE = 128 };
/* "exited with status 1", "was ended by signal 11 (Segmentation fault)". */
void spawn_describe_end(int wait_status, char out[SPAWN_END_SIZE]);

/* Remembers where the arguments stand, so that a forked child can show another title. */
void spawn_remember_arguments(int argc, char **argv);
void spawn_set_title(const char *title);

#endif

#ifndef PROC_SANDBOX_H
#define PROC_SANDBOX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "proc/roles.h"
#include "sallyport/err.h"
#include "sallyport/settings.h"

enum { SANDBOX_READABLE_MAX = 4, SANDBOX_NAMED_MAX = SANDBOX_READABLE_MAX + 1 };

/* Takes from the calling process everything that its row in the roles table does not grant. */
struct sandbox {
	const struct role *role;
	int mode;                /* enum sandbox_mode. OFF: only user, capabilities and limits */
	const char *user;        /* who to be where started as root; NULL or empty: nobody */
	/* files and folders, for ROLE_FILES_NAMED; NULL: none */
	const char *readable[SANDBOX_READABLE_MAX];
	const char *store; /* the folder of ROLE_FILES_STORE; must be there */
	const uint16_t *ports;   /* TCP ports that may be connected to, for ROLE_NETWORK_DIAL */
	size_t port_count;
	pid_t parent; /* end with it, at once; 0: no */
};

/* In order: no new privileges, bounding set, what may be read is opened, user, capabilities, the
 * parent's end, limits, not dumpable, Landlock, system calls. There is no way back. False: the
 * process must not go on. What the kernel does not offer is passed over unless mode is
 * SANDBOX_REQUIRED. */
MUST_CHECK bool sandbox_enter(const struct sandbox *sandbox, struct err *err);

/* True where the kernel offers all of it; else *missing says what lacks, as in "no Landlock". */
bool sandbox_is_complete(struct err *missing);

/* For the master: keeps what its children need (see sandbox_user.c), drops the rest, and raises
 * the limit on descriptors as far as it may. */
MUST_CHECK bool sandbox_prepare_master(struct err *err);

/* No core file, and nobody but root may read this process's memory: for all that hold a key, also
 * where the sandbox is off. */
MUST_CHECK bool sandbox_hide_memory(struct err *err);

/* May this process have CAP_NET_ADMIN? */
bool sandbox_may_net_admin(void);
/* It has it from here on, where it was only permitted, as by a file's capability. */
MUST_CHECK bool sandbox_raise_net_admin(struct err *err);
/* The program that is executed next has it, whatever file and user. Where it cannot be, it will say so. */
void sandbox_pass_net_admin(void);

/* The steps, each usable by itself. */
MUST_CHECK bool sandbox_empty_bounding_set(struct err *err);
/* keep: with the capabilities that it may have, though none is in effect then. */
MUST_CHECK bool sandbox_change_user(const char *user, bool keep, struct err *err);
/* All but the one that the role keeps. */
MUST_CHECK bool sandbox_drop_capabilities(const struct role *role, struct err *err);
/* UNSUPPORTED: the kernel or container does not offer it. */
enum sandbox_step {
	SANDBOX_STEP_UNSET = 0,
	SANDBOX_STEP_DONE,
	SANDBOX_STEP_UNSUPPORTED,
	SANDBOX_STEP_FAILED
};
/* Opens what may be read, and last the store, while folders that only root may enter still can be entered; -1 for
 * what isn't there. sandbox_restrict_files() closes it. */
MUST_CHECK bool sandbox_open_readable(const struct sandbox *sandbox, int fds[SANDBOX_NAMED_MAX],
				      struct err *err);
enum sandbox_step sandbox_restrict_files(const struct sandbox *sandbox,
					 int named[SANDBOX_NAMED_MAX], struct err *err);
enum sandbox_step sandbox_restrict_calls(const struct role *role, struct err *err);
/* Version of the Landlock interface, 0: none. */
int sandbox_landlock_version(void);
bool sandbox_has_call_filter(void);

#endif

#ifndef PROC_ROLES_H
#define PROC_ROLES_H

#include <stdbool.h>
#include <stddef.h>

/* The roles table: for each kind of process what it is for and what it may do.
 * Everything that is not in its row is taken away by the sandbox.
 *
 *   master ──┬── generation ──┬── worker
 *            │                ├── worker …      forked: they share the compiled policy
 *            │                └── gate          the same, without the keys
 *            ├── scribe
 *            ├── console                        executed anew: nothing inherited but
 *            ├── keeper, scout, lifeboat        the channel, descriptor ROLE_CHANNEL_FD
 *            ├── herald, crier
 *            ├── warden
 *            ├── demo
 *            └── acme
 */
enum role_id {
	ROLE_UNSET = 0,
	ROLE_MASTER,
	ROLE_GENERATION,
	ROLE_WORKER,
	ROLE_GATE,
	ROLE_SCRIBE,
	ROLE_CONSOLE,
	ROLE_DEMO,
	ROLE_KEEPER,
	ROLE_SCOUT,
	ROLE_LIFEBOAT,
	ROLE_ACME,
	ROLE_HERALD,
	ROLE_CRIER,
	ROLE_WARDEN,
	ROLE_COUNT,
};

enum { ROLE_CHANNEL_FD = 3, ROLE_GROUPS_MAX = 6 };

/* What Landlock leaves of the file system. Running programs is left to none but the crier. */
enum role_files {
	ROLE_FILES_UNSET = 0,
	ROLE_FILES_NONE,
	ROLE_FILES_NAMED,    /* read what the sandbox's caller names, nothing else */
	ROLE_FILES_STORE,    /* the same, and all that files are for below one named folder */
	ROLE_FILES_READABLE, /* read what its user may read, write nothing */
	ROLE_FILES_ALL,      /* no restriction: the master, and the crier for the program that it runs */
};

/* What is left of the network beside the sockets it was given. */
enum role_network {
	ROLE_NETWORK_UNSET = 0,
	ROLE_NETWORK_NONE,
	ROLE_NETWORK_DIAL, /* UDP, Unix sockets, TCP to the ports that the sandbox names */
	ROLE_NETWORK_DIAL_ANY, /* the same, TCP to any port */
	ROLE_NETWORK_FORK, /* for children that dial: all but TCP listening */
	ROLE_NETWORK_RULES, /* netlink of the kernel's packet filter */
	ROLE_NETWORK_ALL,
};

struct role {
	const char *name;
	const char *title; /* in the list of processes */
	const char *purpose;
	const char *channels;
	enum role_files files;
	enum role_network network;
	bool keeps_user; /* stays root where started as root */
	bool makes_processes;
	bool keeps_net_admin; /* the one capability that any role keeps: CAP_NET_ADMIN */
	/* Allowed whatever their arguments, in groups that end with NULL; a few more depend on
	 * arguments (sandbox_calls.c). None: no filter. */
	const char *const *calls[ROLE_GROUPS_MAX];
	/* Entry after fork and exec; NULL: it comes to be otherwise. Returns the exit status. */
	int (*run)(void);
};

const struct role *role_get(enum role_id id);
/* NULL where there is no such role. */
const struct role *role_find(const char *name);

/* Entries. */
int generation_role(void);
int scribe_role(void);
int console_role(void);
int demo_role(void);
int keeper_role(void);
int scout_role(void);
int lifeboat_role(void);
int acme_role(void);
int herald_role(void);
int crier_role(void);
int warden_role(void);

#endif

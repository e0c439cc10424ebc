/* The roles table. A row is all that a role may do; sandbox.c enforces it. Lists of
 * system calls are by name and grouped by need; a name that this machine's kernel
 * interface does not know is passed over, so old and new calls may stand side by side. */
#include "proc/roles.h"

#include <string.h>

/* Memory, time, waiting, descriptors that are there, and an orderly or disorderly end. */
static const char *const calls_basic[] = {
    "read", "write", "readv", "writev", "close", "lseek", "dup",
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
    "recvmsg", "sendmsg",
    "munmap", "mremap", "madvise", "brk",
    "clock_gettime", "clock_getres", "gettimeofday", "time", "nanosleep", "clock_nanosleep",
    "futex", "sched_yield", "sched_getaffinity", "sysinfo", "uname", "getrandom", "getrusage",
    "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "sigaltstack", "restart_syscall",
    "exit", "exit_group", NULL,
};

/* Serving on sockets that were given. */
static const char *const calls_serve[] = {
    "accept", "accept4", "recv", "recvfrom", "recvmmsg", "send", "sendto", "sendmmsg",
    "shutdown", "getsockopt", "setsockopt", "getpeername", "getsockname",
    "pipe2", "splice", "tee", "eventfd2", "timerfd_create", "timerfd_settime", NULL,
};

/* Going out; which kinds of socket is decided by arguments. A pair connects to a process of ours. */
static const char *const calls_dial[] = {"connect", "socketpair", NULL};

static const char *const calls_read_files[] = {
    "open", "openat", "stat", "lstat", "newfstatat", "fstat", "statx", "access", "faccessat",
    "faccessat2", "readlink", "readlinkat", "getdents64", "pread64", "sendfile", "fadvise64",
    "getcwd", NULL,
};

static const char *const calls_write_log[] = {"fsync", "fdatasync", "fstat", NULL};

/* A file of fixed size that is open already. */
static const char *const calls_evidence[] = {"pread64", "pwrite64", "ftruncate", "fallocate", "flock", NULL};

/* A database and files in folders that are there for them (ROLE_FILES_STORE). */
static const char *const calls_store[] = {
    "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate", "unlink", "unlinkat", "rename",
    "renameat", "renameat2", "link", "linkat", "mkdir", "mkdirat", "rmdir", "flock", "fchmod", "fchown",
    "statfs", "fstatfs", "umask", "utimensat", "copy_file_range", NULL,
};

/* What is handed on to others: memory that is written once, and sealed. */
static const char *const calls_memory_files[] = {"memfd_create", "ftruncate", "fallocate", NULL};

/* libnftables opens its socket anew where rules were changed while it read them. */
static const char *const calls_rules[] = {
    "bind", "getsockname", "getsockopt", "setsockopt", "send", "sendto", "recv", "recvfrom", "select", "pselect6", NULL,
};

/* Starting workers, and all that a worker does before its own sandbox closes. */
static const char *const calls_fork[] = {
    "clone", "fork", "vfork", "wait4", "waitid", "kill", "tgkill", "signalfd4", "socketpair",
    "close_range", "prctl", "prlimit64", "setrlimit", "getrlimit", "seccomp", "memfd_create",
    "ftruncate", "fallocate", "ioctl", "set_robust_list", "rseq", "pread64", "capget", "capset",
    "getresuid", "getresgid", "getgroups", "socket", "landlock_create_ruleset",
    "landlock_add_rule", "landlock_restrict_self", NULL,
};

static const struct role roles[ROLE_COUNT] = {
    [ROLE_MASTER] = {
        .name = "master",
        .title = "sallyport: master",
        .purpose = "starts, restarts and ends the others; holds the listening sockets",
        .channels = "every role but the workers; signals",
        .files = ROLE_FILES_ALL,
        .network = ROLE_NETWORK_ALL,
        .keeps_user = true,
        .makes_processes = true,
    },
    [ROLE_GENERATION] = {
        .name = "generation",
        .title = "sallyport: generation",
        .purpose = "compiles one policy, forks the workers that share it, replaces those that die",
        .channels = "master, its workers",
        .files = ROLE_FILES_READABLE,
        .network = ROLE_NETWORK_FORK,
        .makes_processes = true,
        .calls = {calls_basic, calls_serve, calls_dial, calls_read_files, calls_fork},
        .run = generation_role,
    },
    [ROLE_WORKER] = {
        .name = "worker",
        .title = "sallyport: worker",
        .purpose = "speaks with clients and origins",
        .channels = "generation; listening sockets; rings, counters and tables in shared memory; "
                    "idle connections of older workers; processes that are origins",
        .files = ROLE_FILES_NONE,
        .network = ROLE_NETWORK_DIAL,
        .calls = {calls_basic, calls_serve, calls_dial},
    },
    [ROLE_GATE] = {
        .name = "gate",
        .title = "sallyport: gate",
        .purpose = "forward proxy for egress origins, out to what the policy lets them reach",
        .channels = "generation; its listening sockets; its ring, counters and tables in shared memory; how egress "
                    "origins stand; idle connections of older gates",
        .files = ROLE_FILES_NONE,
        .network = ROLE_NETWORK_DIAL_ANY,
        .calls = {calls_basic, calls_serve, calls_dial},
    },
    [ROLE_SCRIBE] = {
        .name = "scribe",
        .title = "sallyport: scribe",
        .purpose = "writes what it finds in the workers' rings to the log files and the evidence file",
        .channels = "master; these files, opened before the sandbox closes; rings in shared memory",
        .files = ROLE_FILES_NONE,
        .network = ROLE_NETWORK_NONE,
        .calls = {calls_basic, calls_write_log, calls_evidence},
        .run = scribe_role,
    },
    [ROLE_CONSOLE] = {
        .name = "console",
        .title = "sallyport: console",
        .purpose = "answers the control API and passes orders on to the master",
        .channels = "master; control socket; counters, read-only",
        .files = ROLE_FILES_NAMED,
        .network = ROLE_NETWORK_NONE,
        .calls = {calls_basic, calls_serve, calls_read_files},
        .run = console_role,
    },
    [ROLE_DEMO] = {
        .name = "demo",
        .title = "sallyport: demo",
        .purpose = "an origin server with a small site, to try things on",
        .channels = "master; one listening socket",
        .files = ROLE_FILES_NAMED,
        .network = ROLE_NETWORK_NONE,
        .calls = {calls_basic, calls_serve, calls_read_files},
        .run = demo_role,
    },
    [ROLE_KEEPER] = {
        .name = "keeper",
        .title = "sallyport: keeper",
        .purpose = "decides which pages are known to be good; the only writer of the vault, and the "
                   "holder of its key",
        .channels = "master; scout; nominations of workers in shared memory",
        .files = ROLE_FILES_STORE,
        .network = ROLE_NETWORK_NONE,
        .calls = {calls_basic, calls_read_files, calls_store, calls_memory_files},
        .run = keeper_role,
    },
    [ROLE_SCOUT] = {
        .name = "scout",
        .title = "sallyport: scout",
        .purpose = "fetches pages from origins, decodes and parses them for the keeper",
        .channels = "master; keeper",
        .files = ROLE_FILES_NONE,
        .network = ROLE_NETWORK_DIAL,
        .calls = {calls_basic, calls_serve, calls_dial, calls_memory_files},
        .run = scout_role,
    },
    [ROLE_LIFEBOAT] = {
        .name = "lifeboat",
        .title = "sallyport: lifeboat",
        .purpose = "serves contents of the vault to the workers",
        .channels = "master; connections of workers",
        .files = ROLE_FILES_NAMED,
        .network = ROLE_NETWORK_NONE,
        .calls = {calls_basic, calls_serve, calls_read_files},
        .run = lifeboat_role,
    },
    [ROLE_ACME] = {
        .name = "acme",
        .title = "sallyport: acme",
        .purpose = "answers ACME challenges out of the webroot of an ACME client",
        .channels = "master; connections that workers send it",
        .files = ROLE_FILES_NAMED,
        .network = ROLE_NETWORK_NONE,
        .calls = {calls_basic, calls_serve, calls_read_files},
        .run = acme_role,
    },
    [ROLE_HERALD] = {
        .name = "herald",
        .title = "sallyport: herald",
        .purpose = "tells the operator's webhook what cannot wait, and the crier",
        .channels = "master; alerts of scribe and keeper; crier",
        .files = ROLE_FILES_NONE,
        .network = ROLE_NETWORK_DIAL,
        .calls = {calls_basic, calls_serve, calls_dial},
        .run = herald_role,
    },
    [ROLE_CRIER] = {
        .name = "crier",
        .title = "sallyport: crier",
        .purpose = "runs the operator's program with each alert, which inherits what confines it",
        .channels = "master; herald",
        .files = ROLE_FILES_ALL,
        .network = ROLE_NETWORK_ALL,
        .makes_processes = true,
        .run = crier_role,
    },
    [ROLE_WARDEN] = {
        .name = "warden",
        .title = "sallyport: warden",
        .purpose = "keeps the rules by which the kernel judges what egress origins send",
        .channels = "master; netlink; standing of egress origins in shared memory, a ring of the log",
        .files = ROLE_FILES_NONE,
        .network = ROLE_NETWORK_RULES,
        .keeps_net_admin = true,
        .calls = {calls_basic, calls_rules},
        .run = warden_role,
    },
};

const struct role *role_get(enum role_id id)
{
	return &roles[id];
}

const struct role *role_find(const char *name)
{
	for (size_t i = ROLE_UNSET + 1; i < ROLE_COUNT; i++)
		if (strcmp(roles[i].name, name) == 0)
			return &roles[i];
	return NULL;
}

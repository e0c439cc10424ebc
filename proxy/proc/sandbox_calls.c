/* The filter of system calls: a role's list is allowed, a few calls are allowed by their
 * arguments, those that libraries try for convenience are refused with an error, and
 * every other call ends the process (SIGSYS, which its parent logs). The only file that
 * knows libseccomp. */
#include "proc/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/seccomp.h>

/* A library that looks for a file or asks about a terminal copes with a refusal; a captured
 * process gains nothing by it. */
static const struct refusal {
	const char *call;
	int error;
} refusals[] = {
    {"open", EACCES},       {"openat", EACCES},     {"openat2", EACCES},  {"creat", EACCES},
    {"stat", EACCES},       {"lstat", EACCES},      {"statx", EACCES},    {"access", EACCES},
    {"faccessat", EACCES},  {"faccessat2", EACCES}, {"readlink", EACCES}, {"readlinkat", EACCES},
    {"getdents64", EACCES}, {"getcwd", EACCES},     {"ioctl", ENOTTY},    {"prctl", EPERM},
    {"clone3", ENOSYS},     {"socketpair", EACCES}, {"sendfile", EINVAL}, {NULL, 0},
};

static bool role_allows(const struct role *role, const char *call)
{
	for (size_t g = 0; g < ROLE_GROUPS_MAX && role->calls[g]; g++)
		for (const char *const *name = role->calls[g]; *name; name++)
			if (strcmp(*name, call) == 0)
				return true;
	return false;
}

static int call_number(const char *name)
{
	int number = seccomp_syscall_resolve_name(name);
	return number < 0 ? -1 : number;
}

static bool allow_listed(scmp_filter_ctx filter, const struct role *role)
{
	for (size_t g = 0; g < ROLE_GROUPS_MAX && role->calls[g]; g++)
		for (const char *const *name = role->calls[g]; *name; name++) {
			int number = call_number(*name);
			if (number < 0)
				continue;
			int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
			if (result != 0 && result != -EEXIST)
				return false;
		}
	return true;
}

static bool refuse_listed(scmp_filter_ctx filter, const struct role *role)
{
	for (const struct refusal *r = refusals; r->call; r++) {
		int number = call_number(r->call);
		if (number < 0 || role_allows(role, r->call))
			continue;
		if (seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)r->error), number, 0) != 0)
			return false;
	}
	return true;
}

/* Memory is never made executable. */
static bool allow_memory(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, no_exec) == 0 &&
	       seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, no_exec) == 0;
}

/* fstat(3) is newfstatat with an empty path in today's libc. */
static bool allow_fstat(scmp_filter_ctx filter, const struct role *role)
{
	if (role_allows(role, "newfstatat"))
		return true;
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fstat), 0) == 0 &&
	       seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH, 0)) == 0 &&
	       seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(newfstatat), 1,
				SCMP_A3(SCMP_CMP_NE, AT_EMPTY_PATH, 0)) == 0;
}

/* Netlink of the packet filter, and no other socket. */
static bool allow_rules(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp netlink = SCMP_A0(SCMP_CMP_EQ, AF_NETLINK, 0);
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, netlink,
				SCMP_A2(SCMP_CMP_EQ, NETLINK_NETFILTER, 0)) == 0 &&
	       seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 2, netlink,
				SCMP_A2(SCMP_CMP_NE, NETLINK_NETFILTER, 0)) == 0 &&
	       seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 1,
				SCMP_A0(SCMP_CMP_NE, AF_NETLINK, 0)) == 0;
}

/* TCP, UDP and Unix sockets for those who go out; nobody needs another family. */
static bool allow_sockets(scmp_filter_ctx filter, const struct role *role)
{
	if (role->network == ROLE_NETWORK_FORK)
		return true;
	if (role->network == ROLE_NETWORK_RULES)
		return allow_rules(filter);
	if (role->network != ROLE_NETWORK_DIAL && role->network != ROLE_NETWORK_DIAL_ANY)
		return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 0) == 0;
	static const int families[] = {AF_INET, AF_INET6, AF_UNIX};
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0)) != 0)
			return false;
	/* Unix, IPv4 and IPv6 are 1, 2 and 10; 16 is netlink, which libc asks for interfaces. */
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
				SCMP_A0(SCMP_CMP_GT, AF_INET6, 0)) == 0;
}

/* Flags, seals and sizes. Not F_SETOWN and F_SETSIG: by them the kernel sends any signal to
 * any process of the same user, where Landlock does not know of signals yet. */
static bool allow_fcntl(scmp_filter_ctx filter)
{
	static const unsigned commands[] = {F_GETLK, F_SETLK, F_SETLKW, F_DUPFD_CLOEXEC, F_SETPIPE_SZ, F_GETPIPE_SZ,
					    F_ADD_SEALS, F_GET_SEALS};
	_Static_assert(F_DUPFD == 0 && F_GETFL == 3 && F_SETFL == 4 && F_SETLKW == 7, "as asm-generic");
	/* A description that others share (a listening socket) must not begin to block: they would wait
	 * in accept4 for ever. */
	if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_LE, F_GETFL, 0)) != 0 ||
	    seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 2, SCMP_A1(SCMP_CMP_EQ, F_SETFL, 0),
			     SCMP_A2(SCMP_CMP_MASKED_EQ, O_NONBLOCK, O_NONBLOCK)) != 0 ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(fcntl), 2, SCMP_A1(SCMP_CMP_EQ, F_SETFL, 0),
			     SCMP_A2(SCMP_CMP_MASKED_EQ, O_NONBLOCK, 0)) != 0)
		return false;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				     SCMP_A1(SCMP_CMP_EQ, commands[i], 0)) != 0)
			return false;
	return true;
}

/* abort(3) signals its own thread, nobody else's. */
static bool allow_abort(scmp_filter_ctx filter, const struct role *role)
{
	return role_allows(role, "tgkill") ||
	       seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0)) == 0;
}

static bool build_filter(scmp_filter_ctx filter, const struct role *role)
{
	/* A binary search instead of a list: some calls are judged anew each time. */
	return seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 &&
	       seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
	       allow_listed(filter, role) && refuse_listed(filter, role) && allow_memory(filter) &&
	       allow_fstat(filter, role) && allow_fcntl(filter) && allow_sockets(filter, role) &&
	       allow_abort(filter, role);
}

bool sandbox_has_call_filter(void)
{
	/* A NULL filter is a bad address where filters are known, EINVAL where not (seccomp(2)). */
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) != 0 && errno == EFAULT;
}

enum sandbox_step sandbox_restrict_calls(const struct role *role, struct err *err)
{
	if (!role->calls[0])
		return SANDBOX_STEP_DONE;
	if (!sandbox_has_call_filter())
		return SANDBOX_STEP_UNSUPPORTED;
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter || !build_filter(filter, role)) {
		err_set(err, "cannot build the filter of system calls");
		seccomp_release(filter);
		return SANDBOX_STEP_FAILED;
	}
	int result = seccomp_load(filter);
	seccomp_release(filter);
	if (result == 0)
		return SANDBOX_STEP_DONE;
	err_set(err, "cannot load the filter of system calls: %s", strerror(-result));
	return SANDBOX_STEP_FAILED;
}

/* Landlock (landlock(7)) by system call: files, TCP ports, signals. libc has no wrapper and the
 * header of the build machine may be older than the kernel we run on, so the interface is
 * declared here; each part is used only where the running kernel says that it knows it. */
#include "proc/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __NR_landlock_create_ruleset
#define __NR_landlock_create_ruleset 444
#define __NR_landlock_add_rule       445
#define __NR_landlock_restrict_self  446
#endif

enum {
	ASK_VERSION = 1,
	RULE_PATH = 1,
	RULE_PORT = 2,
};

enum {
	FILES_READ_FILE = 1 << 2,
	FILES_READ_FOLDER = 1 << 3,
	/* write, read, remove and make files and folders */
	FILES_STORE = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8,
	FILES_VERSION_1 = (1 << 13) - 1, /* execute, write, read, make, remove … */
	FILES_REFER = 1 << 13,           /* version 2: move between folders */
	FILES_TRUNCATE = 1 << 14,        /* version 3 */
	FILES_IOCTL = 1 << 15,           /* version 5: on devices */
};

enum { PORTS_BIND = 1, PORTS_CONNECT = 2 };             /* version 4 */
enum { SCOPE_ABSTRACT_SOCKETS = 1, SCOPE_SIGNALS = 2 }; /* version 6 */

struct ruleset {
	uint64_t files;
	uint64_t ports;
	uint64_t scope;
};

struct path_rule {
	uint64_t allowed;
	int32_t folder_fd;
} __attribute__((packed));

struct port_rule {
	uint64_t allowed;
	uint64_t port;
};

int sandbox_landlock_version(void)
{
	long version = syscall(__NR_landlock_create_ruleset, NULL, 0, ASK_VERSION);
	return version > 0 ? (int)version : 0;
}

static size_t known_size(int version)
{
	if (version < 4)
		return sizeof(uint64_t);
	return version < 6 ? 2 * sizeof(uint64_t) : sizeof(struct ruleset);
}

static struct ruleset what_to_handle(const struct role *role, int version)
{
	struct ruleset handled = {.files = FILES_VERSION_1};
	if (version >= 2)
		handled.files |= FILES_REFER;
	if (version >= 3)
		handled.files |= FILES_TRUNCATE;
	if (version >= 5)
		handled.files |= FILES_IOCTL;
	bool dials_any = role->network == ROLE_NETWORK_FORK || role->network == ROLE_NETWORK_DIAL_ANY;
	if (version >= 4)
		handled.ports = dials_any ? PORTS_BIND : PORTS_BIND | PORTS_CONNECT;
	if (version >= 6)
		handled.scope = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS;
	return handled;
}

static void close_all(int fds[SANDBOX_NAMED_MAX])
{
	for (size_t i = 0; i < SANDBOX_NAMED_MAX; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* What isn't there needs no right. */
bool sandbox_open_readable(const struct sandbox *sandbox, int fds[SANDBOX_NAMED_MAX],
			   struct err *err)
{
	bool ok = true;
	for (size_t i = 0; i < SANDBOX_NAMED_MAX; i++) {
		bool is_store = i == SANDBOX_READABLE_MAX;
		const char *path = is_store ? sandbox->store : sandbox->readable[i];
		fds[i] = path ? open(path, O_PATH | O_CLOEXEC) : -1;
		if (path && fds[i] < 0 && (is_store || errno != ENOENT))
			ok = err_set(err, "cannot open %s: %s", path, strerror(errno));
	}
	if (!ok)
		close_all(fds);
	return ok;
}

static bool allow_reading(int ruleset, int fd, const char *path, struct err *err)
{
	struct stat info;
	bool is_folder = fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
	struct path_rule rule = {
	    .allowed = is_folder ? FILES_READ_FILE | FILES_READ_FOLDER : FILES_READ_FILE,
	    .folder_fd = fd,
	};
	if (syscall(__NR_landlock_add_rule, ruleset, RULE_PATH, &rule, 0) == 0)
		return true;
	return err_set(err, "cannot allow reading %s: %s", path, strerror(errno));
}

static bool allow_storing(int ruleset, int fd, const struct sandbox *sandbox, uint64_t handled,
			  struct err *err)
{
	struct path_rule rule = {
	    .allowed = (FILES_STORE | FILES_REFER | FILES_TRUNCATE) & handled,
	    .folder_fd = fd,
	};
	if (syscall(__NR_landlock_add_rule, ruleset, RULE_PATH, &rule, 0) == 0)
		return true;
	return err_set(err, "cannot allow writing below %s: %s", sandbox->store, strerror(errno));
}

static bool allow_everything(int ruleset, struct err *err)
{
	int fd = open("/", O_PATH | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, "cannot open /: %s", strerror(errno));
	bool ok = allow_reading(ruleset, fd, "/", err);
	close(fd);
	return ok;
}

static bool allow_files(int ruleset, const struct sandbox *sandbox, const int *named,
			uint64_t handled, struct err *err)
{
	enum role_files files = sandbox->role->files;
	if (files == ROLE_FILES_READABLE)
		return allow_everything(ruleset, err);
	if (files != ROLE_FILES_NAMED && files != ROLE_FILES_STORE)
		return true;
	for (size_t i = 0; i < SANDBOX_READABLE_MAX; i++)
		if (named[i] >= 0 && !allow_reading(ruleset, named[i], sandbox->readable[i], err))
			return false;
	return files != ROLE_FILES_STORE || named[SANDBOX_READABLE_MAX] < 0 ||
	       allow_storing(ruleset, named[SANDBOX_READABLE_MAX], sandbox, handled, err);
}

static bool allow_ports(int ruleset, const struct sandbox *sandbox, struct err *err)
{
	if (sandbox->role->network != ROLE_NETWORK_DIAL)
		return true;
	for (size_t i = 0; i < sandbox->port_count; i++) {
		struct port_rule rule = {PORTS_CONNECT, sandbox->ports[i]};
		if (syscall(__NR_landlock_add_rule, ruleset, RULE_PORT, &rule, 0) != 0)
			return err_set(err, "cannot allow port %u: %s", sandbox->ports[i],
				       strerror(errno));
	}
	return true;
}

static bool fill_and_enforce(int ruleset, const struct sandbox *sandbox, const int *named,
			     const struct ruleset *handled, struct err *err)
{
	if (!allow_files(ruleset, sandbox, named, handled->files, err))
		return false;
	if (handled->ports != 0 && !allow_ports(ruleset, sandbox, err))
		return false;
	if (syscall(__NR_landlock_restrict_self, ruleset, 0) != 0)
		return err_set(err, "cannot enforce Landlock: %s", strerror(errno));
	return true;
}

static enum sandbox_step restrict_files(const struct sandbox *sandbox, const int *named,
					struct err *err)
{
	if (sandbox->role->files == ROLE_FILES_ALL)
		return SANDBOX_STEP_DONE;
	int version = sandbox_landlock_version();
	if (version == 0)
		return SANDBOX_STEP_UNSUPPORTED;
	struct ruleset handled = what_to_handle(sandbox->role, version);
	int ruleset = (int)syscall(__NR_landlock_create_ruleset, &handled, known_size(version), 0);
	if (ruleset < 0) {
		err_set(err, "cannot make a Landlock ruleset: %s", strerror(errno));
		return SANDBOX_STEP_FAILED;
	}
	bool ok = fill_and_enforce(ruleset, sandbox, named, &handled, err);
	close(ruleset);
	return ok ? SANDBOX_STEP_DONE : SANDBOX_STEP_FAILED;
}

enum sandbox_step sandbox_restrict_files(const struct sandbox *sandbox,
					 int named[SANDBOX_NAMED_MAX], struct err *err)
{
	enum sandbox_step step = restrict_files(sandbox, named, err);
	close_all(named);
	return step;
}

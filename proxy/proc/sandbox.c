/* The sandbox of a role, in its order. Each step is in a file of its own; here is only
 * what happens when, and what a step that the kernel does not know means. The order matters:
 * capabilities are needed to change the user, files to look the user up; and a checkout in a home
 * folder that others may not enter is out of reach once the user has changed. */
#include "proc/sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "proc/spawn.h"

static bool limit(int which, rlim_t value, const char *name, struct err *err)
{
	struct rlimit both = {value, value};
	if (setrlimit((__rlimit_resource_t)which, &both) == 0)
		return true;
	return err_set(err, "cannot set the limit %s: %s", name, strerror(errno));
}

/* A core file would hold keys and visitors' data. A handler of core files that the kernel runs
 * (core_pattern with "|") heeds no limit, but it gets none of what is not dumpable. */
bool sandbox_hide_memory(struct err *err)
{
#ifdef SALLYPORT_SANITIZED
	(void)err; /* the leak checker traces */
	return true;
#else
	if (!limit(RLIMIT_CORE, 0, "RLIMIT_CORE", err))
		return false;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ||
	       err_set(err, "cannot become undumpable: %s", strerror(errno));
#endif
}

/* A process that makes none may make none. */
static bool set_limits(const struct role *role, struct err *err)
{
	return role->makes_processes || limit(RLIMIT_NPROC, 0, "RLIMIT_NPROC", err);
}

static bool step_passes(enum sandbox_step step, int mode, const char *what, struct err *err)
{
	if (step == SANDBOX_STEP_UNSUPPORTED && mode == SANDBOX_REQUIRED)
		return err_set(err, "process.sandbox is \"required\", but there is no %s here",
			       what);
	return step != SANDBOX_STEP_FAILED;
}

/* Sanitizers trace and map as they like. */
static bool is_off(const struct sandbox *sandbox)
{
#ifdef SALLYPORT_SANITIZED
	(void)sandbox;
	return true;
#else
	return sandbox->mode == SANDBOX_OFF;
#endif
}

static bool restrict_process(const struct sandbox *sandbox, int named[SANDBOX_NAMED_MAX],
			     struct err *err)
{
	if (!set_limits(sandbox->role, err))
		return false;
	if (!step_passes(sandbox_restrict_files(sandbox, named, err), sandbox->mode, "Landlock",
			 err))
		return false;
	return step_passes(sandbox_restrict_calls(sandbox->role, err), sandbox->mode,
			   "filter of system calls (seccomp)", err);
}

bool sandbox_enter(const struct sandbox *sandbox, struct err *err)
{
	int named[SANDBOX_NAMED_MAX] = {-1, -1, -1, -1, -1};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_set(err, "cannot give up new privileges: %s", strerror(errno));
	if (!sandbox_empty_bounding_set(err))
		return false;
	if (!is_off(sandbox) && !sandbox_open_readable(sandbox, named, err))
		return false;
	if (!sandbox->role->keeps_user && !sandbox_change_user(sandbox->user, sandbox->role->keeps_net_admin, err))
		return false;
	if (!sandbox_drop_capabilities(sandbox->role, err))
		return false;
	/* a change of user would clear it */
	if (sandbox->parent > 0 && !spawn_follow_parent(sandbox->parent))
		return err_set(err, "the parent has ended");
	if (!sandbox_hide_memory(err)) /* which the change of user has undone */
		return false;
	return is_off(sandbox) || restrict_process(sandbox, named, err);
}

bool sandbox_is_complete(struct err *missing)
{
#ifdef SALLYPORT_SANITIZED
	(void)missing;
	return true;
#else
	bool files = sandbox_landlock_version() > 0;
	bool calls = sandbox_has_call_filter();
	if (files && calls)
		return true;
	err_set(missing, "no %s%s%s", files ? "" : "Landlock", files || calls ? "" : " and no ",
		calls ? "" : "filter of system calls (seccomp)");
	return false;
#endif
}

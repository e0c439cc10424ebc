/* Who a process is and which capabilities it has. Dropping is checked afterwards: a
 * process that could become root again must not go on. The only file that knows libcap-ng. */
#include "proc/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sallyport/log.h"

static const char standard_user[] = "nobody";

enum { NOFILE_WANTED = 65536, NOFILE_MOST = 1 << 20 };

/* Both directions are tried: the kernel's answer counts, not our reading of it. */
static bool cannot_return(uid_t uid, gid_t gid, struct err *err)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;
	if (getresuid(&r, &e, &s) != 0 || getresgid(&rg, &eg, &sg) != 0)
		return err_set(err, "cannot read back the user: %s", strerror(errno));
	if (r != uid || e != uid || s != uid || rg != gid || eg != gid || sg != gid)
		return err_set(err, "the change of user left other ids behind");
	if (setuid(0) == 0 || seteuid(0) == 0 || (gid != 0 && setgid(0) == 0))
		return err_set(err, "the change of user could be undone");
	return true;
}

bool sandbox_change_user(const char *user, bool keep, struct err *err)
{
	if (geteuid() != 0)
		return true;
	const char *name = user && user[0] ? user : standard_user;
	errno = 0;
	struct passwd *entry = getpwnam(name);
	if (!entry)
		return err_set(err, "process.user: there is no user \"%s\" here", name);
	uid_t uid = entry->pw_uid;
	gid_t gid = entry->pw_gid;
	if (uid == 0)
		return true;
	if (prctl(PR_SET_KEEPCAPS, keep ? 1 : 0, 0, 0, 0) != 0)
		return err_set(err, "cannot keep a capability: %s", strerror(errno));
	if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
	    setresuid(uid, uid, uid) != 0)
		return err_set(
		    err,
		    "cannot become the user \"%s\": %s; process.user = \"root\" would do "
		    "without",
		    name, strerror(errno));
	return cannot_return(uid, gid, err);
}

bool sandbox_empty_bounding_set(struct err *err)
{
	if (capng_get_caps_process() != 0)
		return err_set(err, "cannot read the capabilities");
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		return true; /* nor could it be used: there are no new privileges */
	capng_clear(CAPNG_SELECT_BOUNDS);
	if (capng_apply(CAPNG_SELECT_BOUNDS) != 0)
		return err_set(err, "cannot empty the bounding set of capabilities");
	return true;
}

/* Read back: nothing but what may be left is left. */
static bool has_only(bool net_admin)
{
	if (capng_get_caps_process() != 0)
		return false;
	if (!net_admin)
		return capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE;
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
		if ((capng_have_capability(CAPNG_PERMITTED, cap) || capng_have_capability(CAPNG_INHERITABLE, cap)) &&
		    cap != CAP_NET_ADMIN)
			return false;
	return capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN) != 0;
}

bool sandbox_drop_capabilities(const struct role *role, struct err *err)
{
	if (role->keeps_net_admin && !sandbox_may_net_admin())
		return err_set(err, "the %s has no CAP_NET_ADMIN", role->name);
	capng_clear(CAPNG_SELECT_CAPS);
	if (role->keeps_net_admin)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return err_set(err, "cannot drop the capabilities");
	return has_only(role->keeps_net_admin) || err_set(err, "capabilities are left after dropping them");
}

/* ---- the one that the warden keeps ---- */

bool sandbox_may_net_admin(void)
{
	return capng_get_caps_process() == 0 && capng_have_capability(CAPNG_PERMITTED, CAP_NET_ADMIN) != 0;
}

bool sandbox_raise_net_admin(struct err *err)
{
	if (!sandbox_may_net_admin())
		return err_set(err, "there is no CAP_NET_ADMIN");
	capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, CAP_NET_ADMIN);
	return capng_apply(CAPNG_SELECT_CAPS) == 0 || err_set(err, "CAP_NET_ADMIN cannot be raised");
}

/* Ambient: kept by a program that is neither root's nor has capabilities of its own. */
void sandbox_pass_net_admin(void)
{
	if (!sandbox_may_net_admin())
		return;
	capng_update(CAPNG_ADD, CAPNG_INHERITABLE, CAP_NET_ADMIN);
	if (capng_apply(CAPNG_SELECT_CAPS) == 0)
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0);
}

/* What the master and its children need before they drop it:
 *   NET_BIND_SERVICE  ports below 1024
 *   SETUID, SETGID    children become process.user
 *   SETPCAP           children empty their bounding set
 *   KILL              ending children that are another user by now
 *   CHOWN             giving the vault's directory, when it is made, to process.user
 *   DAC_OVERRIDE      the policy, keys and log files of whatever owner
 *   NET_ADMIN         the warden's, who alone has it beyond its start */
static const unsigned master_capabilities[] = {
    CAP_NET_BIND_SERVICE, CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_KILL, CAP_CHOWN, CAP_DAC_OVERRIDE,
    CAP_NET_ADMIN,
};

static bool keep_master_capabilities(struct err *err)
{
	if (capng_get_caps_process() != 0)
		return err_set(err, "cannot read the capabilities");
	bool held[sizeof(master_capabilities) / sizeof(master_capabilities[0])];
	for (size_t i = 0; i < sizeof(held); i++)
		held[i] = capng_have_capability(CAPNG_PERMITTED, master_capabilities[i]) != 0;
	bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
	capng_clear(CAPNG_SELECT_ALL);
	for (size_t i = 0; i < sizeof(held); i++)
		if (held[i])
			capng_update(CAPNG_ADD,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
				     master_capabilities[i]);
	if (capng_apply(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) != 0)
		return err_set(err, "cannot drop capabilities");
	return true;
}

/* A proxy needs two descriptors for a connection; many systems start with 1,024. */
static void raise_descriptors(void)
{
	struct rlimit now;
	if (getrlimit(RLIMIT_NOFILE, &now) != 0)
		return;
	struct rlimit more = {NOFILE_WANTED, NOFILE_WANTED};
	if (now.rlim_max < NOFILE_WANTED && setrlimit(RLIMIT_NOFILE, &more) == 0)
		return;
	now.rlim_cur = now.rlim_max < NOFILE_MOST ? now.rlim_max : NOFILE_MOST;
	if (setrlimit(RLIMIT_NOFILE, &now) != 0)
		log_warn("cannot raise the limit on descriptors: %s", strerror(errno));
}

bool sandbox_prepare_master(struct err *err)
{
	raise_descriptors();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_set(err, "cannot give up new privileges: %s", strerror(errno));
	return keep_master_capabilities(err);
}

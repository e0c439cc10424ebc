/* Where the vault is, and its directory. Made with the rights that sallyport was started with, before
 * the keeper gives them up; what is there already is taken only where nobody else can write to it. */
#include "sallyport/vault_path.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char standard_user[] = "nobody";

static const char *environment(const char *name)
{
	const char *value = getenv(name);
	return value && value[0] == '/' ? value : NULL;
}

static bool standard_path(char out[VAULT_PATH_SIZE], struct err *err)
{
	const char *state = environment("XDG_STATE_HOME"), *home = environment("HOME");
	int len;
	if (geteuid() == 0)
		len = snprintf(out, VAULT_PATH_SIZE, "/var/lib/sallyport");
	else if (state)
		len = snprintf(out, VAULT_PATH_SIZE, "%s/sallyport", state);
	else if (home)
		len = snprintf(out, VAULT_PATH_SIZE, "%s/.local/state/sallyport", home);
	else
		return err_set(err, "there is no place for the vault: set vault.directory, or HOME");
	return (len > 0 && len < VAULT_PATH_SIZE) ||
	       err_set(err, "the vault's directory is longer than %d bytes", VAULT_PATH_SIZE - 1);
}

bool vault_path(const struct settings *settings, char out[VAULT_PATH_SIZE], struct err *err)
{
	const char *given = settings ? settings->vault.directory : NULL;
	if (!given)
		return standard_path(out, err);
	if (strlen(given) >= VAULT_PATH_SIZE)
		return err_set(err, "vault.directory is longer than %d bytes", VAULT_PATH_SIZE - 1);
	if (given[0] == '/') {
		memcpy(out, given, strlen(given) + 1);
		return true;
	}
	char *here = getcwd(NULL, 0);
	int len = here ? snprintf(out, VAULT_PATH_SIZE, "%s/%s", here, given) : -1;
	free(here);
	return (len > 0 && len < VAULT_PATH_SIZE) ||
	       err_set(err, "vault.directory: the working directory cannot be told");
}

/* ---- the directory ---- */

/* Those above it are for everybody to pass, as those of a system are. */
static bool make_parents(const char *path, struct err *err)
{
	char part[VAULT_PATH_SIZE];
	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return err_set(err, "vault.directory: %s cannot be made: %s; name one that user %u may make",
				       part, strerror(errno), geteuid());
		*slash = '/';
	}
	return true;
}

static bool find_user(const char *user, uid_t *uid, gid_t *gid, struct err *err)
{
	*uid = geteuid();
	*gid = getegid();
	if (*uid != 0)
		return true;
	const char *name = user && user[0] ? user : standard_user;
	const struct passwd *entry = getpwnam(name);
	if (!entry)
		return err_set(err, "process.user: there is no user \"%s\" here", name);
	*uid = entry->pw_uid;
	*gid = entry->pw_gid;
	return true;
}

static bool is_safe(const char *path, uid_t uid, struct err *err)
{
	struct stat info;
	if (lstat(path, &info) != 0)
		return err_set(err, "vault.directory: %s: %s", path, strerror(errno));
	if (!S_ISDIR(info.st_mode))
		return err_set(err, "vault.directory: %s is no directory", path);
	if (info.st_uid != uid)
		return err_set(err, "vault.directory: %s belongs to user %u, it has to be user %u's",
			       path, info.st_uid, uid);
	if (info.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, "vault.directory: %s can be written by others; chmod 0700 %s",
			       path, path);
	return true;
}

static bool make(const char *path, uid_t uid, gid_t gid, struct err *err)
{
	if (mkdir(path, 0700) == 0) {
		if (uid != geteuid() && lchown(path, uid, gid) != 0)
			return err_set(err, "cannot give %s to user %u: %s", path, uid,
				       strerror(errno));
	} else if (errno != EEXIST) {
		return err_set(err, "vault.directory: %s cannot be made: %s; name one that user %u may make",
			       path, strerror(errno), geteuid());
	}
	return is_safe(path, uid, err);
}

bool vault_path_contents(const char *path, char out[VAULT_PATH_SIZE], struct err *err)
{
	int len = snprintf(out, VAULT_PATH_SIZE, "%s/content", path);
	return (len > 0 && len < VAULT_PATH_SIZE) ||
	       err_set(err, "the vault's directory is longer than %d bytes", VAULT_PATH_SIZE - 9);
}

bool evidence_path(const struct settings *settings, char out[VAULT_PATH_SIZE], struct err *err)
{
	char directory[VAULT_PATH_SIZE];
	if (!vault_path(settings, directory, err))
		return false;
	int len = snprintf(out, VAULT_PATH_SIZE, "%s/evidence", directory);
	return (len > 0 && len < VAULT_PATH_SIZE) ||
	       err_set(err, "the vault's directory is longer than %d bytes", VAULT_PATH_SIZE - 10);
}

bool vault_path_prepare_directory(const char *path, const char *user, struct err *err)
{
	uid_t uid;
	gid_t gid;
	return find_user(user, &uid, &gid, err) && make_parents(path, err) && make(path, uid, gid, err);
}

bool vault_path_prepare(const char *path, const char *user, struct err *err)
{
	char contents[VAULT_PATH_SIZE];
	uid_t uid;
	gid_t gid;
	return vault_path_contents(path, contents, err) && find_user(user, &uid, &gid, err) &&
	       make_parents(path, err) && make(path, uid, gid, err) &&
	       make(contents, uid, gid, err);
}

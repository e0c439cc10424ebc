/* The directory of the installed pack. Files are written beside their place, synced and renamed; anybody may read
 * them, since a check of a policy needs no rights and rules are no secret. */
#include "sallyport/rule_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[] = {[RULE_STORE_CURRENT] = "current.pack", [RULE_STORE_PREVIOUS] = "previous.pack"};

enum { FILE_MODE = 0644 };

/* ---- where it is ---- */

static const char *environment(const char *name)
{
	const char *value = getenv(name);
	return value && value[0] == '/' ? value : NULL;
}

/* Root's vault belongs to another user, who is not to exchange rules. */
static bool standard_path(char out[RULE_STORE_PATH_SIZE], struct err *err)
{
	const char *state = environment("XDG_STATE_HOME"), *home = environment("HOME");
	int len;
	if (geteuid() == 0)
		len = snprintf(out, RULE_STORE_PATH_SIZE, "/var/lib/sallyport-rules");
	else if (state)
		len = snprintf(out, RULE_STORE_PATH_SIZE, "%s/sallyport/rules", state);
	else if (home)
		len = snprintf(out, RULE_STORE_PATH_SIZE, "%s/.local/state/sallyport/rules", home);
	else
		return err_set(err, "there is no place for packs of rules: set rule_pack.directory, or HOME");
	return (len > 0 && len < RULE_STORE_PATH_SIZE) ||
	       err_set(err, "the directory of rule packs is longer than %d bytes", RULE_STORE_PATH_SIZE - 1);
}

bool rule_store_path(const struct rule_pack_settings *settings, char out[RULE_STORE_PATH_SIZE], struct err *err)
{
	if (!settings->directory)
		return standard_path(out, err);
	int len = snprintf(out, RULE_STORE_PATH_SIZE, "%s", settings->directory);
	return (len > 0 && len < RULE_STORE_PATH_SIZE) ||
	       err_set(err, "rule_pack.directory is longer than %d bytes", RULE_STORE_PATH_SIZE - 1);
}

static bool is_safe(int directory, const char *path, struct err *err)
{
	struct stat info;
	if (fstat(directory, &info) != 0)
		return err_set(err, "%s: %s", path, strerror(errno));
	if (info.st_uid != geteuid() && info.st_uid != 0)
		return err_set(err, "%s belongs to user %u, it has to be user %u's or root's", path, info.st_uid, geteuid());
	if (info.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, "%s can be written by others: take their rights away with chmod go-w", path);
	return true;
}

static int open_directory(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		int why = errno;
		err_set(err, "%s: %s", path, strerror(why));
		errno = why;
	} else if (!is_safe(fd, path, err)) {
		close(fd);
		errno = EPERM;
		return -1;
	}
	return fd;
}

enum file_read rule_store_read(const char *path, enum rule_store_pack which, struct strbuf *out, struct err *err)
{
	int directory = open_directory(path, err);
	if (directory < 0)
		return errno == ENOENT ? FILE_ABSENT : FILE_FAILED;
	enum file_read result = file_read(directory, names[which], out, err);
	close(directory);
	if (result == FILE_FAILED)
		err_prefix(err, "%s", path);
	return result;
}

/* ---- changing it ---- */

/* What others than root make is theirs alone, as the vault beside it is. */
static bool make(const char *path, struct err *err)
{
	char part[RULE_STORE_PATH_SIZE];
	const mode_t mode = geteuid() == 0 ? 0755 : 0700;
	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(part, mode) != 0 && errno != EEXIST)
			return err_set(err, "cannot make the directory %s: %s", part, strerror(errno));
		if (!slash)
			return true;
		*slash = '/';
	}
}

bool rule_store_open(const char *path, struct rule_store *out, struct err *err)
{
	if (!make(path, err))
		return false;
	out->directory = open_directory(path, err);
	if (out->directory < 0)
		return false;
	if (flock(out->directory, LOCK_EX | LOCK_NB) == 0)
		return true;
	err_set(err, "%s: %s", path,
		errno == EWOULDBLOCK ? "another command is about to change the pack" : strerror(errno));
	close(out->directory);
	return false;
}

void rule_store_close(struct rule_store *store)
{
	close(store->directory);
}

static bool put(const struct rule_store *store, enum rule_store_pack which, struct span pack, struct err *err)
{
	static const char beside[] = "next.pack";
	if (!file_write(store->directory, beside, pack.ptr, pack.len, err))
		return false;
	if (fchmodat(store->directory, beside, FILE_MODE, 0) != 0)
		return err_set(err, "cannot let others read %s: %s", beside, strerror(errno));
	return file_rename(store->directory, beside, names[which], err);
}

static bool keep_current(const struct rule_store *store, struct err *err)
{
	struct strbuf current;
	strbuf_init(&current, RULE_PACK_BYTES_MAX);
	enum file_read read = file_read(store->directory, names[RULE_STORE_CURRENT], &current, err);
	bool ok = read == FILE_ABSENT ||
		  (read == FILE_READ && put(store, RULE_STORE_PREVIOUS, strbuf_span(&current), err));
	strbuf_release(&current);
	return ok;
}

bool rule_store_install(const struct rule_store *store, struct span pack, bool keeps, struct err *err)
{
	return (!keeps || keep_current(store, err)) && put(store, RULE_STORE_CURRENT, pack, err);
}

bool rule_store_remove(const struct rule_store *store, bool keeps, struct err *err)
{
	const char *current = names[RULE_STORE_CURRENT];
	if (keeps)
		return file_rename(store->directory, current, names[RULE_STORE_PREVIOUS], err);
	return (unlinkat(store->directory, current, 0) == 0 && fsync(store->directory) == 0) ||
	       err_set(err, "cannot remove %s: %s", current, strerror(errno));
}

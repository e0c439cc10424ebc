/* Files that are either as before or as wanted: written beside their place, synced, renamed,
 * and their directory synced. Follows no link in the last component and opens regular files only. */
#include "sallyport/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/crypto.h"

enum { NAME_SIZE = 512, READ_STEP = 1 << 16 };

bool file_write_all(int fd, const void *data, size_t len)
{
	const char *at = data;
	while (len > 0) {
		ssize_t n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

bool file_give(int directory, int fd)
{
	struct stat st;
	return geteuid() != 0 ||
	       (fstat(directory, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) == 0);
}

bool file_make_directory(int directory, const char *name, struct err *err)
{
	if (mkdirat(directory, name, 0700) != 0)
		return errno == EEXIST || err_set(err, "cannot make %s: %s", name, strerror(errno));
	int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool ok = fd >= 0 && file_give(directory, fd) && fsync(directory) == 0;
	if (!ok)
		err_set(err, "cannot make %s: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ok;
}

/* Anew: whatever had that name, a link to something else perhaps, loses it first. */
static int create(int directory, const char *name)
{
	if (unlinkat(directory, name, 0) != 0 && errno != ENOENT)
		return -1;
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && !file_give(directory, fd)) {
		int why = errno;
		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

bool file_write(int directory, const char *name, const void *data, size_t len, struct err *err)
{
	int fd = create(directory, name);
	if (fd < 0)
		return err_set(err, "cannot create %s: %s", name, strerror(errno));
	bool ok = file_write_all(fd, data, len) && fsync(fd) == 0;
	int why = errno;
	if (close(fd) != 0 && ok) {
		ok = false;
		why = errno;
	}
	if (ok)
		return true;
	unlinkat(directory, name, 0);
	err_set(err, "cannot write %s: %s", name, strerror(why));
	errno = why;
	return false;
}

/* The directory that holds name, which may be below the one we have. */
static bool sync_parent(int directory, const char *name)
{
	char parent[NAME_SIZE];
	const char *slash = strrchr(name, '/');
	if (!slash)
		return fsync(directory) == 0;
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - name), name);
	int fd = openat(directory, parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

bool file_rename(int directory, const char *from, const char *to, struct err *err)
{
	if (renameat(directory, from, directory, to) == 0 && sync_parent(directory, to))
		return true;
	int why = errno;
	err_set(err, "cannot rename %s to %s: %s", from, to, strerror(why));
	errno = why;
	return false;
}

bool file_replace(int directory, const char *name, const void *data, size_t len, struct err *err)
{
	char beside[NAME_SIZE];
	snprintf(beside, sizeof(beside), "%s.new", name);
	return file_write(directory, beside, data, len, err) &&
	       file_rename(directory, beside, name, err);
}

static bool read_steps(int fd, char *step, struct strbuf *out)
{
	for (;;) {
		ssize_t n = read(fd, step, READ_STEP);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		strbuf_add(out, step, (size_t)n);
		if (out->truncated) {
			errno = EFBIG;
			return false;
		}
	}
}

static bool read_all(int fd, struct strbuf *out)
{
	char step[READ_STEP];
	bool ok = read_steps(fd, step, out);
	int why = errno;
	crypto_wipe(step, sizeof(step)); /* it may have been a key */
	errno = why;
	return ok;
}

static bool read_open(int fd, const char *name, bool has_to_be_private, struct strbuf *out, struct err *err)
{
	struct stat st;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return err_set(err, "cannot read %s: it is no file", name);
	if (has_to_be_private && !file_is_private(fd, name, err))
		return false;
	return read_all(fd, out) || err_set(err, "cannot read %s: %s", name, strerror(errno));
}

static enum file_read read_named(int directory, const char *name, bool has_to_be_private, struct strbuf *out,
				 struct err *err)
{
	/* non-blocking: a pipe in the place of a file must not stop us */
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return FILE_ABSENT;
	if (fd < 0) {
		err_set(err, "cannot open %s: %s", name, strerror(errno));
		return FILE_FAILED;
	}
	bool ok = read_open(fd, name, has_to_be_private, out, err);
	close(fd);
	return ok ? FILE_READ : FILE_FAILED;
}

enum file_read file_read(int directory, const char *name, struct strbuf *out, struct err *err)
{
	return read_named(directory, name, false, out, err);
}

enum file_read file_read_private(int directory, const char *name, struct strbuf *out, struct err *err)
{
	return read_named(directory, name, true, out, err);
}

bool file_is_private(int fd, const char *name, struct err *err)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return err_set(err, "%s: %s", name, strerror(errno));
	if (st.st_uid != geteuid() && geteuid() != 0)
		return err_set(err, "%s belongs to user %u, not to %u", name, st.st_uid, geteuid());
	if ((st.st_mode & 077) != 0)
		return err_set(err, "others may use %s (mode %04o): take their rights away with chmod go=",
			       name, st.st_mode & 07777);
	return true;
}

/* Where the control socket is, and making it. Its directory keeps other users out, so
 * whoever can connect may give orders; a directory that another user could change is refused, by who listens and by
 * who asks. */
#include "sallyport/control_path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(CONTROL_PATH_SIZE == sizeof(((struct sockaddr_un *)0)->sun_path), "as in sun_path");

enum { BACKLOG = 64 };

static bool check_length(int len, const char *dir, struct err *err)
{
	if (len > 0 && len < CONTROL_PATH_SIZE)
		return true;
	return err_set(err,
		       "%s: too long for a socket's path, at most %d bytes; set process.runtime",
		       dir, CONTROL_PATH_SIZE - 1);
}

bool control_socket_path_in(const char *runtime, char out[CONTROL_PATH_SIZE], struct err *err)
{
	if (runtime && runtime[0])
		return check_length(snprintf(out, CONTROL_PATH_SIZE, "%s/console.sock", runtime),
				    runtime, err);
	if (geteuid() == 0)
		return check_length(snprintf(out, CONTROL_PATH_SIZE, "/run/sallyport/console.sock"),
				    "/run", err);
	const char *user_dir = getenv("XDG_RUNTIME_DIR");
	if (user_dir && user_dir[0] == '/')
		return check_length(
		    snprintf(out, CONTROL_PATH_SIZE, "%s/sallyport/console.sock", user_dir),
		    user_dir, err);
	return check_length(snprintf(out, CONTROL_PATH_SIZE, "/tmp/sallyport-%lu/console.sock",
				     (unsigned long)geteuid()),
			    "/tmp", err);
}

bool control_socket_path(const struct settings *settings, char out[CONTROL_PATH_SIZE],
			 struct err *err)
{
	return control_socket_path_in(settings ? settings->process.runtime : NULL, out, err);
}

static bool prepare_dir(const char *dir, struct err *err)
{
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return err_set(err, "cannot make the directory %s of the control socket: %s", dir,
			       strerror(errno));
	struct stat info;
	if (lstat(dir, &info) != 0)
		return err_set(err, "%s: %s", dir, strerror(errno));
	if (!S_ISDIR(info.st_mode))
		return err_set(err, "%s is not a directory; set process.runtime to one", dir);
	if (info.st_uid != geteuid())
		return err_set(err, "%s belongs to another user; remove it, or set process.runtime",
			       dir);
	if (info.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, "%s can be written by others; chmod 0700 %s", dir, dir);
	return true;
}

static bool prepare_parent(const char *path, struct err *err)
{
	char dir[CONTROL_PATH_SIZE];
	snprintf(dir, sizeof(dir), "%s", path);
	char *slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return err_set(err, "%s: the control socket needs a directory of its own", path);
	*slash = '\0';
	return prepare_dir(dir, err);
}

bool control_socket_is_trusted(const char *path, struct err *err)
{
	char dir[CONTROL_PATH_SIZE] = ".";
	struct stat info;
	const char *slash = strrchr(path, '/');
	if (slash)
		snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	if (lstat(dir, &info) != 0)
		return true;
	if (!S_ISDIR(info.st_mode))
		return err_set(err, "%s is not a directory: whose server answers there cannot be told", dir);
	if (geteuid() != 0 && info.st_uid != geteuid() && info.st_uid != 0)
		return err_set(err, "%s belongs to another user, who could answer in the place of a server", dir);
	if (info.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, "%s can be written by others, who could answer in the place of a server", dir);
	return true;
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	return un;
}

/* True where the way is free. */
static bool remove_stale(const char *path, struct err *err)
{
	struct stat info;
	if (lstat(path, &info) != 0)
		return errno == ENOENT || err_set(err, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(info.st_mode))
		return err_set(err, "%s is in the way and no socket; remove it", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, "cannot make a socket: %s", strerror(errno));
	const struct sockaddr_un un = address_of(path);
	bool is_live =
	    connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0 || errno == EAGAIN;
	close(fd);
	if (is_live)
		return err_set(
		    err,
		    "another sallyport is running: it answers on %s; stop it, or set another "
		    "process.runtime",
		    path);
	if (unlink(path) != 0)
		return err_set(err, "cannot replace %s: %s", path, strerror(errno));
	return true;
}

int control_socket_listen(const char *path, struct err *err)
{
	if (!prepare_parent(path, err) || !remove_stale(path, err))
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const struct sockaddr_un un = address_of(path);
	mode_t before = umask(0177);
	bool ok = fd >= 0 && bind(fd, (const struct sockaddr *)&un, sizeof(un)) == 0 &&
		  listen(fd, BACKLOG) == 0;
	umask(before);
	if (ok)
		return fd;
	err_set(err, "cannot listen on %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

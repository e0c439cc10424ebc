/* Opens files below one folder, and nothing else.
 *
 * Every segment of the path is opened by itself, relative to the folder before it and
 * never through a link, so no spelling of a path and no link in the tree leads out of it.
 * Does not trust the path; trusts the folder's content to be meant for everybody. */
#include "serve/demo_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/url.h"

enum { PATH_MAX_BYTES = 1024 };

const char *demo_content_type(struct span name)
{
	static const struct {
		struct span suffix;
		const char *type;
	} types[] = {
	    {SPAN(".html"), "text/html; charset=utf-8"},
	    {SPAN(".css"), "text/css; charset=utf-8"},
	    {SPAN(".js"), "text/javascript; charset=utf-8"},
	    {SPAN(".svg"), "image/svg+xml"},
	    {SPAN(".png"), "image/png"},
	    {SPAN(".jpg"), "image/jpeg"},
	    {SPAN(".ico"), "image/x-icon"},
	    {SPAN(".json"), "application/json"},
	    {SPAN(".txt"), "text/plain; charset=utf-8"},
	    {SPAN(".csv"), "text/csv; charset=utf-8"},
	    {SPAN(".pdf"), "application/pdf"},
	};
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (span_iends(name, types[i].suffix))
			return types[i].type;
	}
	return "application/octet-stream";
}

/* Opens one segment and closes the folder it is in. */
static int step_into(int folder_fd, struct span segment, int flags)
{
	char name[NAME_MAX + 1];
	int fd = -1;
	errno = ENOENT;
	if (segment.len > 0 && segment.len <= NAME_MAX && segment.ptr[0] != '.') {
		memcpy(name, segment.ptr, segment.len);
		name[segment.len] = '\0';
		fd =
		    openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | flags);
	}
	int error = errno;
	close(folder_fd);
	errno = error;
	return fd;
}

/* path: canonical, decoded, with its leading slash and a file's name at its end. */
static int open_below(int folder_fd, struct span path)
{
	int fd = fcntl(folder_fd, F_DUPFD_CLOEXEC, 0);
	while (fd >= 0) {
		path = span_from(path, 1);
		size_t len = span_find(path, '/');
		bool is_last = len == path.len;
		fd = step_into(fd, span_of(path.ptr, len), is_last ? 0 : O_DIRECTORY);
		if (is_last)
			break;
		path = span_from(path, len);
	}
	return fd;
}

static enum demo_lookup describe(int fd, struct span path, struct demo_file *file)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return DEMO_FAILED;
	if (S_ISDIR(st.st_mode))
		return DEMO_IS_FOLDER;
	if (!S_ISREG(st.st_mode))
		return DEMO_MISSING;
	file->fd = fd;
	file->size = (uint64_t)st.st_size;
	file->changed_us =
	    (uint64_t)st.st_mtim.tv_sec * 1000000 + (uint64_t)st.st_mtim.tv_nsec / 1000;
	snprintf(file->etag, sizeof(file->etag), "\"%llx-%llx\"",
		 (unsigned long long)file->changed_us, (unsigned long long)file->size);
	file->content_type = demo_content_type(path);
	return DEMO_FOUND;
}

static bool is_harmless(const struct url_canon *canon)
{
	return (canon->findings &
		~(unsigned)(URL_DOT_SEGMENT | URL_ESCAPE_NEEDLESS | URL_RAW_BYTE)) == 0;
}

enum demo_lookup demo_file_open(int folder_fd, struct span path, struct demo_file *file)
{
	char buf[URL_CANON_ROOM(PATH_MAX_BYTES)];
	char name[PATH_MAX_BYTES + sizeof("index.html")];
	struct url_canon canon;
	if (path.len == 0 || path.len > PATH_MAX_BYTES || path.ptr[0] != '/')
		return DEMO_MISSING;
	url_canon_path(path, buf, &canon);
	struct span decoded = canon.decoded;
	if (!is_harmless(&canon) || decoded.len > PATH_MAX_BYTES)
		return DEMO_MISSING;
	if (span_ends(decoded, SPAN("/"))) {
		memcpy(name, decoded.ptr, decoded.len);
		memcpy(name + decoded.len, "index.html", 10);
		decoded = span_of(name, decoded.len + 10);
	}
	int fd = open_below(folder_fd, decoded);
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? DEMO_FAILED
									     : DEMO_MISSING;
	enum demo_lookup lookup = describe(fd, decoded, file);
	if (lookup != DEMO_FOUND)
		close(fd);
	return lookup;
}

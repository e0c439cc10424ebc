/* The console's page: a few files, read once, so that the console opens nothing while it
 * serves. Trusts the files that came with the program. */
#include "serve/console_page.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sallyport/data_path.h"
#include "sallyport/log.h"

enum { FILE_BYTES = 128 << 10 };

static const struct {
	const char *path;
	const char *file;
	const char *type;
} files[CONSOLE_PAGE_FILES] = {
    {"/", "www/console/index.html", "text/html; charset=utf-8"},
    {"/console.css", "www/console/console.css", "text/css; charset=utf-8"},
    {"/console.js", "www/console/console.js", "text/javascript; charset=utf-8"},
    {"/icon.svg", "www/console/icon.svg", "image/svg+xml"},
};

static bool read_file(const char *name, struct strbuf *content, struct err *err)
{
	char path[DATA_PATH_SIZE], buf[4096];
	ssize_t n = -1;
	if (!data_path(name, path, err))
		return false;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, "%s: %s", path, strerror(errno));
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		strbuf_add(content, buf, (size_t)n);
	close(fd);
	if (n < 0)
		return err_set(err, "%s: %s", path, strerror(errno));
	return !content->truncated || err_set(err, "%s is longer than %d bytes", path, FILE_BYTES);
}

void console_page_load(struct console_page *page)
{
	for (size_t i = 0; i < CONSOLE_PAGE_FILES; i++) {
		struct err err;
		strbuf_init(&page->content[i], FILE_BYTES);
		if (read_file(files[i].file, &page->content[i], &err))
			continue;
		log_warn("the console's page is incomplete: %s", err.text);
		strbuf_release(&page->content[i]);
	}
}

void console_page_release(struct console_page *page)
{
	for (size_t i = 0; i < CONSOLE_PAGE_FILES; i++)
		strbuf_release(&page->content[i]);
}

bool console_page_find(const struct console_page *page, const char *path, struct span *content,
		       const char **content_type)
{
	for (size_t i = 0; i < CONSOLE_PAGE_FILES; i++) {
		if (strcmp(files[i].path, path) != 0 || page->content[i].len == 0)
			continue;
		*content = strbuf_span(&page->content[i]);
		*content_type = files[i].type;
		return true;
	}
	return false;
}

/* The page for refusals. It says no more than a status and the request's id, by which the operator
 * finds the reason in the log; nothing of the request is repeated in it. Trusts the operator's
 * file to be meant well, not to be well made. */
#include "sallyport/error_page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/data_path.h"
#include "sallyport/http_head.h"

static const char builtin_page[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{{status}} {{phrase}}</title>"
    "<h1>{{phrase}}</h1><p>The request could not be answered. If you ask about it, give this id: "
    "<code>{{id}}</code></p></html>\n";

static char fill_of(struct span name)
{
	if (span_eq(name, SPAN("id")))
		return 'i';
	if (span_eq(name, SPAN("status")))
		return 's';
	return span_eq(name, SPAN("phrase")) ? 'p' : 0;
}

static void add_part(struct error_page *page, const char *from, const char *to, char fill)
{
	page->parts[page->n++] =
	    (struct error_page_part){.text = span_of(from, (size_t)(to - from)), .fill = fill};
}

bool error_page_cut(struct error_page *page, const char *text, struct err *err)
{
	const char *from = text, *open;
	page->n = 0;
	while ((open = strstr(from, "{{")) != NULL) {
		const char *end = strstr(open, "}}");
		char fill = end ? fill_of(span_of(open + 2, (size_t)(end - open - 2))) : 0;
		if (!fill)
			return err_set(err, "an unknown {{…}}: there are {{id}}, {{status}} and {{phrase}}");
		if (page->n + 2 > ERROR_PAGE_PARTS)
			return err_set(err, "more than %d {{…}}", ERROR_PAGE_PARTS - 1);
		add_part(page, from, open, fill);
		from = end + 2;
	}
	add_part(page, from, from + strlen(from), 0);
	return true;
}

/* O_NONBLOCK: a pipe must not keep a policy from being read. */
static char *read_text(const char *path, struct arena *arena, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = arena_alloc(arena, ERROR_PAGE_BYTES + 1);
	ssize_t n = fd >= 0 && text ? read(fd, text, ERROR_PAGE_BYTES + 1) : -1;
	int why = errno;
	if (fd >= 0)
		close(fd);
	if (n < 0) {
		err_set(err, "%s: %s", path, text ? strerror(why) : "out of memory");
		return NULL;
	}
	if (n > ERROR_PAGE_BYTES || memchr(text, 0, (size_t)n)) {
		err_set(err, "%s: not a text of at most %d bytes", path, ERROR_PAGE_BYTES);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

bool error_page_load(struct error_page *page, const char *dir, struct arena *arena, struct err *err)
{
	char path[DATA_PATH_SIZE];
	const char *text = builtin_page;
	struct err why = {{0}};
	bool is_there = dir != NULL;
	if (dir && snprintf(path, sizeof(path), "%s/page.html", dir) >= (int)sizeof(path))
		return err_set(err, "the path \"%.64s…\" is too long", dir);
	if (!dir)
		is_there = data_path("www/errors/page.html", path, NULL);
	if (is_there)
		text = read_text(path, arena, err);
	if (!text)
		return false;
	if (error_page_cut(page, text, &why))
		return true;
	return err_set(err, "%s has %s", is_there ? path : "the built-in page", why.text);
}

static const char *fill(char what, const char *id, const char *status, const char *phrase)
{
	switch (what) {
	case 'i': return id;
	case 's': return status;
	case 'p': return phrase;
	default: return "";
	}
}

size_t error_page_render(const struct error_page *page, unsigned status, const char *id, char *out,
			 size_t room)
{
	char number[8];
	size_t len = 0;
	snprintf(number, sizeof(number), "%u", status % 1000);
	for (size_t i = 0; i < page->n; i++) {
		const struct error_page_part *part = &page->parts[i];
		const char *phrase = http_status_phrase(status);
		struct span pieces[2] = {part->text,
					 span_from_str(fill(part->fill, id, number, phrase))};
		for (int j = 0; j < 2; j++) {
			if (pieces[j].len > room - len)
				return 0;
			memcpy(out + len, pieces[j].ptr, pieces[j].len);
			len += pieces[j].len;
		}
	}
	return len;
}

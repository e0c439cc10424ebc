/* The demo origin: a folder of files, and one form that thanks for what was sent.
 *
 * It stands behind a worker like any origin, but trusts neither path nor form: files
 * come from demo_file.c, form texts are cut and escaped. Nothing that was sent is kept.
 * Does not do ranges, compression or anything a real web server is needed for. It can be made to
 * look as if somebody had broken into it. */
#include "sallyport/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "sallyport/clock.h"
#include "sallyport/json.h"
#include "serve/demo_file.h"
#include "serve/httpd.h"

enum {
	CONNECTIONS_MAX = 512,
	IDLE_S = 75,           /* longer than a worker keeps a connection in its pool */
	PAGE_BYTES = 64 << 10, /* of the pages that are filled in */
	FORM_BYTES = 64 << 10, /* what comes after is dropped unread */
	FORM_BUFFER = 4096,
	NAME_BYTES = 60,
};

#define FORM_PATH  "/contact"
#define ALLOW_FILE "GET, HEAD, OPTIONS"
#define ALLOW_FORM "POST, OPTIONS"

#define DEFACED_FOLDER ".defaced" /* below the site, where no request leads */
#define FALSE_SITE     "http://www.worm.example/"

struct demo {
	struct httpd *httpd;
	int folder_fd, defaced_fd;
	enum demo_state state;
};

/* One request. */
struct visit {
	struct MHD_PostProcessor *form; /* NULL: no form that we know how to read */
	struct strbuf name;
	size_t received;
};

static bool add_header(struct MHD_Response *response, const char *name, const char *value)
{
	return MHD_add_response_header(response, name, value) == MHD_YES;
}

/* A character reference for anything but letters and digits; UTF-8 as it is. */
static void add_escaped(struct strbuf *out, unsigned char c)
{
	if (c >= 0x80 || ascii_is_digit((char)c) ||
	    (ascii_lower((char)c) >= 'a' && ascii_lower((char)c) <= 'z'))
		strbuf_add_char(out, (char)c);
	else
		strbuf_addf(out, "&#%d;", c);
}

/* Puts escaped text where the page says {{name}}. */
static void fill_in(struct strbuf *out, struct span page, struct span name)
{
	static const struct span mark = SPAN("{{name}}");
	for (size_t i = 0; i < page.len; i++) {
		if (!span_starts(span_from(page, i), mark)) {
			strbuf_add_char(out, page.ptr[i]);
			continue;
		}
		for (size_t n = 0; n < name.len; n++)
			add_escaped(out, (unsigned char)name.ptr[n]);
		i += mark.len - 1;
	}
}

static bool read_page(const struct demo *demo, struct span path, struct strbuf *page)
{
	struct demo_file file;
	char buf[4096];
	ssize_t n;
	if (demo_file_open(demo->folder_fd, path, &file) != DEMO_FOUND)
		return false;
	while ((n = read(file.fd, buf, sizeof(buf))) > 0)
		strbuf_add(page, buf, (size_t)n);
	close(file.fd);
	return n == 0 && page->len > 0 && !page->truncated;
}

/* A page of the site as the answer to something that went wrong. */
static enum MHD_Result send_page(const struct demo *demo, struct MHD_Connection *connection,
				 unsigned status, struct span path, struct span fallback)
{
	struct strbuf page;
	struct MHD_Response *response;
	strbuf_init(&page, PAGE_BYTES);
	if (read_page(demo, path, &page))
		response = httpd_response(strbuf_span(&page), "text/html; charset=utf-8");
	else
		response = httpd_response(fallback, "text/plain; charset=utf-8");
	strbuf_release(&page);
	return httpd_send(connection, status, response);
}

static enum MHD_Result send_missing(const struct demo *demo, struct MHD_Connection *connection)
{
	return send_page(demo, connection, MHD_HTTP_NOT_FOUND, SPAN("/404.html"),
			 SPAN("There is no such page.\n"));
}

static enum MHD_Result send_allow(struct MHD_Connection *connection, unsigned status,
				  const char *allow)
{
	struct MHD_Response *response = httpd_response(SPAN(""), NULL);
	if (response && !add_header(response, MHD_HTTP_HEADER_ALLOW, allow)) {
		MHD_destroy_response(response);
		response = NULL;
	}
	return httpd_send(connection, status, response);
}

/* RFC 9110 section 13.1.2, by the weak comparison. */
static bool names_etag(const char *if_none_match, const char *etag)
{
	struct span list = span_from_str(if_none_match), element;
	while (span_next_element(&list, &element)) {
		if (span_starts(element, SPAN("W/")))
			element = span_from(element, 2);
		if (span_eq(element, SPAN("*")) || span_eq(element, span_from_str(etag)))
			return true;
	}
	return false;
}

static bool is_unchanged(struct MHD_Connection *connection, const char *etag, const char *changed)
{
	const char *condition = httpd_header(connection, MHD_HTTP_HEADER_IF_NONE_MATCH);
	if (condition)
		return names_etag(condition, etag);
	condition = httpd_header(connection, MHD_HTTP_HEADER_IF_MODIFIED_SINCE);
	return condition && strcmp(condition, changed) == 0;
}

static bool add_file_headers(struct MHD_Response *response, const struct demo_file *file,
			     const char *changed, bool has_content)
{
	bool ok = add_header(response, MHD_HTTP_HEADER_ETAG, file->etag) &&
		  add_header(response, MHD_HTTP_HEADER_LAST_MODIFIED, changed) &&
		  add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "max-age=60") &&
		  add_header(response, "X-Content-Type-Options", "nosniff");
	if (ok && has_content)
		ok = add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, file->content_type);
	if (ok && has_content && strncmp(file->content_type, "text/csv", 8) == 0)
		ok = add_header(response, MHD_HTTP_HEADER_CONTENT_DISPOSITION, "attachment");
	return ok;
}

/* Takes the file's descriptor. */
static enum MHD_Result send_file(struct MHD_Connection *connection, const struct demo_file *file)
{
	char changed[CLOCK_HTTP_SIZE];
	clock_format_http(file->changed_us, changed);
	bool unchanged = is_unchanged(connection, file->etag, changed);
	struct MHD_Response *response = unchanged
					    ? httpd_response(SPAN(""), NULL)
					    : MHD_create_response_from_fd64(file->size, file->fd);
	if (unchanged || !response)
		close(file->fd);
	if (response && !add_file_headers(response, file, changed, !unchanged)) {
		MHD_destroy_response(response);
		response = NULL;
	}
	return httpd_send(connection, unchanged ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response);
}

static enum MHD_Result send_location(struct MHD_Connection *connection, unsigned status,
				     const char *location)
{
	struct MHD_Response *response = httpd_response(SPAN(""), NULL);
	if (response && !add_header(response, MHD_HTTP_HEADER_LOCATION, location)) {
		MHD_destroy_response(response);
		response = NULL;
	}
	return httpd_send(connection, status, response);
}

static enum MHD_Result send_redirect(struct MHD_Connection *connection, const char *path)
{
	struct strbuf location;
	strbuf_init(&location, 2048);
	strbuf_addf(&location, "%s/", path);
	enum MHD_Result result =
	    location.truncated
		? MHD_NO
		: send_location(connection, MHD_HTTP_MOVED_PERMANENTLY, location.data);
	strbuf_release(&location);
	return result;
}

/* The same page in place of each of the site's own. */
static bool is_defaced(const struct demo *demo, const struct demo_file *file)
{
	return demo->state == DEMO_DEFACED && strncmp(file->content_type, "text/html", 9) == 0;
}

static enum MHD_Result send_defaced(const struct demo *demo, struct MHD_Connection *connection)
{
	struct demo_file file;
	if (demo_file_open(demo->defaced_fd, SPAN("/"), &file) != DEMO_FOUND)
		return send_missing(demo, connection);
	return send_file(connection, &file);
}

static enum MHD_Result answer_get(const struct demo *demo, struct MHD_Connection *connection,
				  const char *path)
{
	struct demo_file file;
	switch (demo_file_open(demo->folder_fd, span_from_str(path), &file)) {
	case DEMO_FOUND:
		if (!is_defaced(demo, &file))
			return send_file(connection, &file);
		close(file.fd);
		return send_defaced(demo, connection);
	case DEMO_IS_FOLDER: return send_redirect(connection, path);
	case DEMO_FAILED:
		return httpd_send(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
				  httpd_response(SPAN("Too busy.\n"), "text/plain"));
	default: return send_missing(demo, connection);
	}
}

static enum MHD_Result answer_form(const struct demo *demo, struct MHD_Connection *connection,
				   const struct visit *visit)
{
	struct strbuf page, filled;
	struct span name = strbuf_span(&visit->name);
	struct span text = SPAN("Thank you.\n");
	const char *type = "text/plain; charset=utf-8";
	strbuf_init(&page, PAGE_BYTES);
	strbuf_init(&filled, PAGE_BYTES);
	while (name.len > 0 && !json_is_text(name))
		name.len--; /* not UTF-8 from here on, or cut within a character */
	if (name.len == 0)
		name = SPAN("friend");
	if (read_page(demo, SPAN("/thanks.html"), &page)) {
		fill_in(&filled, strbuf_span(&page), name);
		text = strbuf_span(&filled);
		type = "text/html; charset=utf-8";
	}
	struct MHD_Response *response = filled.truncated ? NULL : httpd_response(text, type);
	strbuf_release(&page);
	strbuf_release(&filled);
	return httpd_send(connection, MHD_HTTP_OK, response);
}

static enum MHD_Result take_field(void *context, enum MHD_ValueKind kind, const char *key,
				  const char *filename, const char *type, const char *coding,
				  const char *data, uint64_t offset, size_t size)
{
	struct visit *visit = context;
	(void)kind;
	(void)filename;
	(void)type;
	(void)coding;
	(void)offset;
	if (!key || strcmp(key, "name") != 0)
		return MHD_YES;
	for (size_t i = 0; i < size && visit->name.len < NAME_BYTES; i++) {
		unsigned char c = (unsigned char)data[i];
		if (c >= 0x20 && c != 0x7f)
			strbuf_add_char(&visit->name, data[i]);
	}
	return MHD_YES;
}

static void take_content(struct visit *visit, const char *data, size_t size)
{
	if (visit->form && visit->received < FORM_BYTES &&
	    MHD_post_process(visit->form, data, size) != MHD_YES) {
		MHD_destroy_post_processor(visit->form);
		visit->form = NULL;
	}
	visit->received += size;
}

static enum MHD_Result begin_visit(struct MHD_Connection *connection, bool is_form, void **state)
{
	struct visit *visit = calloc(1, sizeof(*visit));
	if (!visit)
		return MHD_NO;
	strbuf_init(&visit->name, NAME_BYTES + 1);
	if (is_form)
		visit->form = MHD_create_post_processor(connection, FORM_BUFFER, take_field, visit);
	*state = visit;
	return MHD_YES;
}

static void end_visit(void *context, struct MHD_Connection *connection, void **state,
		      enum MHD_RequestTerminationCode code)
{
	struct visit *visit = *state;
	(void)context;
	(void)connection;
	(void)code;
	if (!visit)
		return;
	if (visit->form)
		MHD_destroy_post_processor(visit->form);
	strbuf_release(&visit->name);
	free(visit);
	*state = NULL;
}

static enum MHD_Result answer(const struct demo *demo, struct MHD_Connection *connection,
			      const char *path, const char *method, const struct visit *visit)
{
	bool is_form = strcmp(path, FORM_PATH) == 0;
	if (demo->state == DEMO_STOPPED)
		return MHD_NO;
	if (demo->state == DEMO_REDIRECTED)
		return send_location(connection, MHD_HTTP_FOUND, FALSE_SITE);
	const char *allow = is_form ? ALLOW_FORM : ALLOW_FILE;
	if (strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0)
		return send_allow(connection, MHD_HTTP_NO_CONTENT, allow);
	if (is_form && strcmp(method, MHD_HTTP_METHOD_POST) == 0)
		return answer_form(demo, connection, visit);
	if (!is_form &&
	    (strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0))
		return answer_get(demo, connection, path);
	return send_allow(connection, MHD_HTTP_METHOD_NOT_ALLOWED, allow);
}

/* Called once for the head, then for each part of the content, then at its end. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path,
			      const char *method, const char *version, const char *content,
			      size_t *content_len, void **state)
{
	struct visit *visit = *state;
	(void)version;
	if (!visit)
		return begin_visit(connection, strcmp(path, FORM_PATH) == 0, state);
	if (*content_len > 0) {
		take_content(visit, content, *content_len);
		*content_len = 0;
		return MHD_YES;
	}
	return answer(context, connection, path, method, visit);
}

void demo_become(struct demo *demo, enum demo_state state)
{
	demo->state = state;
}

static bool open_folders(struct demo *demo, const char *dir, struct err *err)
{
	demo->folder_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (demo->folder_fd >= 0)
		demo->defaced_fd = openat(demo->folder_fd, DEFACED_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (demo->defaced_fd >= 0 || (demo->folder_fd >= 0 && errno == ENOENT))
		return true;
	return err_set(err, "demo site %s: %s", dir, strerror(errno));
}

static void close_folders(const struct demo *demo)
{
	if (demo->folder_fd >= 0)
		close(demo->folder_fd);
	if (demo->defaced_fd >= 0)
		close(demo->defaced_fd);
}

struct demo *demo_new(struct loop *loop, int listen_fd, const char *dir, struct err *err)
{
	struct demo *demo = calloc(1, sizeof(*demo));
	if (!demo) {
		err_set(err, "out of memory");
		close(listen_fd);
		return NULL;
	}
	*demo = (struct demo){.folder_fd = -1, .defaced_fd = -1, .state = DEMO_CLEAN};
	if (!open_folders(demo, dir, err)) {
		close(listen_fd);
		close_folders(demo);
		free(demo);
		return NULL;
	}
	struct httpd_setup setup = {
	    .loop = loop,
	    .listen_fd = listen_fd,
	    .max_connections = CONNECTIONS_MAX,
	    .idle_s = IDLE_S,
	    .handler = handle,
	    .completed = end_visit,
	    .context = demo,
	};
	demo->httpd = httpd_new(&setup, err);
	if (!demo->httpd) {
		close_folders(demo);
		free(demo);
		return NULL;
	}
	return demo;
}

void demo_free(struct demo *demo)
{
	if (!demo)
		return;
	httpd_free(demo->httpd);
	close_folders(demo);
	free(demo);
}

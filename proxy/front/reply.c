/* Answers of our own: a small page that says no more than its status and the
 * request's id, by which the operator finds the reason in the log. Nothing of
 * the request is repeated in it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/front.h"
#include "sallyport/data_path.h"

enum { PAGE_BYTES = 16384 };

static const char builtin_page[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{{status}} {{phrase}}</title>"
    "<h1>{{phrase}}</h1><p>The request could not be answered. If you ask about it, give this id: "
    "<code>{{id}}</code></p></html>\n";

static struct span cut(struct page_part *part, const char *from, const char *to)
{
	part->text = span_of(from, (size_t)(to - from));
	return part->text;
}

static char fill_of(struct span name)
{
	if (span_eq(name, SPAN("id")))
		return 'i';
	if (span_eq(name, SPAN("status")))
		return 's';
	return span_eq(name, SPAN("phrase")) ? 'p' : 0;
}

static bool page_cut(struct front *f, struct err *err)
{
	const char *from = f->page_text, *open;
	while ((open = strstr(from, "{{")) != NULL) {
		const char *end = strstr(open, "}}");
		char fill = end ? fill_of(span_of(open + 2, (size_t)(end - open - 2))) : 0;
		if (!fill)
			return err_set(err, "the error page has an unknown {{…}}: there are {{id}}, {{status}} and {{phrase}}");
		if (f->page_parts + 2 > PAGE_PARTS)
			return err_set(err, "the error page has too many {{…}}");
		cut(&f->page[f->page_parts], from, open);
		f->page[f->page_parts++].fill = fill;
		from = end + 2;
	}
	cut(&f->page[f->page_parts++], from, from + strlen(from));
	return true;
}

static char *read_file(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		err_set(err, "%s: %s", path, strerror(errno));
		return NULL;
	}
	char *text = malloc(PAGE_BYTES + 1);
	ssize_t n = text ? read(fd, text, PAGE_BYTES + 1) : -1;
	close(fd);
	if (n < 0 || n > PAGE_BYTES || memchr(text, 0, (size_t)n)) {
		err_set(err, "%s: not a text of at most %d bytes", path, PAGE_BYTES);
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

bool page_load(struct front *f, struct err *err)
{
	char path[DATA_PATH_SIZE];
	const char *dir = f->settings->error_pages;
	bool found = dir != NULL;
	if (dir) {
		int n = snprintf(path, sizeof(path), "%s/page.html", dir);
		if (n < 0 || (size_t)n >= sizeof(path))
			return err_set(err, "error_pages: the path is too long");
	} else {
		found = data_path("www/errors/page.html", path, NULL);
	}
	f->page_text = found ? read_file(path, err) : strdup(builtin_page);
	if (!f->page_text)
		return found ? false : err_set(err, "out of memory");
	return page_cut(f, err);
}

/* Its parts one after the other; returns the length. 0: no room. */
static size_t page_render(const struct front *f, unsigned status, const char *id, char *out, size_t room)
{
	char number[8];
	size_t len = 0;
	snprintf(number, sizeof(number), "%u", status);
	for (size_t i = 0; i < f->page_parts; i++) {
		const struct page_part *part = &f->page[i];
		const char *fill = part->fill == 'i'   ? id
				   : part->fill == 's' ? number
				   : part->fill == 'p' ? http_status_phrase(status)
						       : "";
		struct span pieces[2] = {part->text, span_from_str(fill)};
		for (int j = 0; j < 2; j++) {
			if (pieces[j].len > room - len)
				return 0;
			memcpy(out + len, pieces[j].ptr, pieces[j].len);
			len += pieces[j].len;
		}
	}
	return len;
}

/* Fields that only some statuses have (RFC 9110 sections 10.2.1 and 10.2.3). */
static void extra_fields(const struct exchange *x, char *out, size_t room)
{
	out[0] = '\0';
	if (x->status == 429 || x->status == 503) {
		snprintf(out, room, "Retry-After: %u\r\n",
			 x->verdict.retry_after_s ? x->verdict.retry_after_s : 5);
	} else if (x->status == 405 && x->subject.site) {
		int len = snprintf(out, room, "Allow: ");
		const char **method = x->subject.site->shield_settings.methods;
		for (; method && *method && len > 0 && (size_t)len < room; method++)
			len += snprintf(out + len, room - (size_t)len, "%s%s", *method, method[1] ? ", " : "\r\n");
		if (len < 0 || (size_t)len >= room)
			out[0] = '\0';
	}
}

static size_t reply_head(const struct exchange *x, size_t page_len, char *out, size_t room)
{
	char extra[256];
	struct span date = front_date(x->front);
	extra_fields(x, extra, sizeof(extra));
	int n = snprintf(out, room,
			 "HTTP/1.1 %u %s\r\nDate: %.*s\r\nContent-Type: text/html; charset=utf-8\r\n"
			 "Content-Length: %zu\r\nCache-Control: no-store\r\n"
			 "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
			 "X-Content-Type-Options: nosniff\r\n%s%s\r\n",
			 x->status, http_status_phrase(x->status), SPAN_ARG(date), page_len, extra,
			 x->close ? "Connection: close\r\n"
			 : x->request.version == HTTP_1_0 ? "Connection: keep-alive\r\n" : "");
	return n < 0 || (size_t)n >= room ? 0 : (size_t)n;
}

static bool reply_begin(struct exchange *x)
{
	struct front *f = x->front;
	char id[FRONT_ID_BYTES], head[1024];
	log_format_request_id(x->id, id);
	x->status = x->verdict.status;
	if (f->draining && !f->hand_over)
		x->close = true;
	size_t page_len = page_render(f, x->status, id, f->out, sizeof(f->out));
	size_t head_len = reply_head(x, page_len, head, sizeof(head));
	bool no_content = x->request.method == HTTP_HEAD;
	struct iovec iov[2] = {{head, head_len}, {f->out, page_len}};
	x->head_sent = true;
	x->down_bytes = no_content ? 0 : page_len;
	return client_send(x, iov, no_content || page_len == 0 ? 1 : 2);
}

enum step_result step_reply(struct exchange *x)
{
	bool sent = x->head_sent ? client_flush(x) : reply_begin(x);
	if (!sent) {
		x->close = x->aborted = true;
	} else if (x->down_pending.len > 0) {
		return STEP_WAIT;
	}
	x->step = STEP_END;
	return STEP_MORE;
}

void reply_refuse_connection(struct front *f, int fd, const struct addr *peer, enum reason reason)
{
	char text[128];
	unsigned status = reason_status(reason);
	int n = snprintf(text, sizeof(text),
			 "HTTP/1.1 %u %s\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n",
			 status, http_status_phrase(status));
	/* One try: a connection that is refused gets no memory. */
	ssize_t sent = send(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)sent;
	shutdown(fd, SHUT_WR);
	close(fd);
	stat_add(&f->stats->reasons[reason], 1);
	record_connection(f, peer, reason, status);
}

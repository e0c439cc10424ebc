/* Answers of our own: the error page behind a head that no cache keeps. Nothing of
 * the request is repeated in either. */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/gate.h"

/* A URL of the longest possible head, for a redirect, goes into it. */
enum { REPLY_EXTRA_BYTES = HTTP_HEAD_MAX + 1024 };

/* Fields that only some statuses have (RFC 9110 sections 10.2.1 and 10.2.3). */
static void extra_fields(const struct exchange *x, char *out, size_t room)
{
	out[0] = '\0';
	if (redirect_location(x, out, room) > 0)
		return;
	if (x->front->gate) {
		size_t len = gate_status(x, out, room);
		out += len;
		room -= len;
	}
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

/* The gate's clients are programs of machines that are ours; what they are told may be told. */
static size_t render(const struct exchange *x, char *out, size_t room)
{
	char id[FRONT_ID_BYTES];
	if (x->front->gate)
		return gate_page(x, out, room);
	log_format_request_id(x->id, id);
	return error_page_render(&x->front->settings->error_page, x->status, id, out, room);
}

static size_t reply_head(const struct exchange *x, size_t page_len, char *out, size_t room)
{
	char extra[REPLY_EXTRA_BYTES];
	const char *type = x->front->gate ? "text/plain" : "text/html";
	struct span date = front_date(x->front);
	const struct http_added_field *hsts = hsts_of(x);
	extra_fields(x, extra, sizeof(extra));
	int n = snprintf(out, room,
			 "HTTP/1.1 %u %s\r\nDate: %.*s\r\nContent-Type: %s; charset=utf-8\r\n"
			 "Content-Length: %zu\r\nCache-Control: no-store\r\n"
			 "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
			 "X-Content-Type-Options: nosniff\r\n%s%.*s%s\r\n",
			 x->status, http_status_phrase(x->status), SPAN_ARG(date), type, page_len, extra, SPAN_ARG(hsts ? hsts->line : SPAN("")),
			 x->close ? "Connection: close\r\n"
			 : x->request.version == HTTP_1_0 ? "Connection: keep-alive\r\n" : "");
	return n < 0 || (size_t)n >= room ? 0 : (size_t)n;
}

static bool reply_begin(struct exchange *x)
{
	struct front *f = x->front;
	char head[REPLY_EXTRA_BYTES + 1024];
	x->status = x->verdict.status;
	if (client_is_last(x->client))
		x->close = true;
	size_t page_len = render(x, f->out, sizeof(f->out));
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

void reply_refusal(struct front *f, int fd, const struct addr *peer, enum reason reason, bool is_tls)
{
	char text[128];
	unsigned status = is_tls ? 0 : reason_status(reason);
	stat_add(&f->stats->reasons[reason], 1);
	record_connection(f, peer, reason, status);
	if (status == 0)
		return;
	int n = snprintf(text, sizeof(text),
			 "HTTP/1.1 %u %s\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n",
			 status, http_status_phrase(status));
	/* One try each: a connection that is refused gets no memory. A request that is there already is
	 * read, or closing would reset the connection and take the answer with it. */
	ssize_t moved = recv(fd, f->in, sizeof(f->in), MSG_DONTWAIT);
	moved = send(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)moved;
}

void reply_refuse_connection(struct front *f, int fd, const struct addr *peer, enum reason reason, bool is_tls)
{
	reply_refusal(f, fd, peer, reason, is_tls);
	shutdown(fd, SHUT_WR);
	close(fd);
}

/* Active health checks: GET of a path at an interval. One worker at a time does
 * it for all of them: whoever moves the shared due time on. The answer's head is
 * parsed as strictly as any; its content is not read.
 *
 *   waiting ──due──► connecting (TLS too) ──► sending, reading ──► waiting
 *                        └───────── deadline ────────────►┘ */
#include <stdio.h>
#include <stdlib.h>

#include "origin/origins.h"
#include "sallyport/http_head.h"

enum { PROBE_HEAD_BYTES = 8192 };

struct probe {
	struct origin *origin;
	struct timer timer;
	struct watch watch;
	struct stream stream;
	bool under_way;
	bool is_open; /* TCP is */
	bool sent;
	size_t len;
	char buf[PROBE_HEAD_BYTES];
};

static struct loop *loop_of(const struct probe *probe)
{
	return probe->origin->origins->setup.loop;
}

static const struct health_settings *settings_of(const struct probe *probe)
{
	return &probe->origin->route->route->health;
}

static void probe_close(struct probe *probe)
{
	if (!probe->under_way)
		return;
	loop_unwatch(loop_of(probe), &probe->watch);
	probe->stream.ops->close(&probe->stream, true);
	probe->under_way = false;
}

static void probe_end(struct probe *probe, bool healthy, const char *why)
{
	probe_close(probe);
	loop_arm(loop_of(probe), &probe->timer,
		 atomic_load(&probe->origin->health->next_probe_ms));
	health_probe_result(probe->origin, healthy, why);
}

static void probe_send(struct probe *probe)
{
	char request[1024];
	const struct origin_spec *spec = probe->origin->spec;
	int n = snprintf(request, sizeof(request),
			 "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sallyport-health-check\r\n"
			 "Accept: */*\r\nConnection: close\r\n\r\n",
			 settings_of(probe)->path,
			 probe->origin->route->route->host ? probe->origin->route->route->host : spec->host_field);
	struct iovec iov = {request, (size_t)n};
	if (n < 0 || (size_t)n >= sizeof(request))
		probe_end(probe, false, "its path and host are too long");
	else if (stream_writev(&probe->stream, &iov, 1) != n)
		probe_end(probe, false, "the connection was refused or broken");
	else
		probe->sent = true;
}

static void probe_connect(struct probe *probe)
{
	static const struct origin_visit ours = {NULL, NULL};
	enum reason reason = REASON_ORIGIN_REFUSED;
	switch (origin_dial_more(probe->origin, &ours, &probe->stream, &probe->is_open, &reason)) {
	case ORIGIN_CONNECTING: return;
	case ORIGIN_READY: probe_send(probe); return;
	default: {
		const char *text = tls_fault(&probe->stream).text;
		probe_end(probe, false, text ? text : reason_text(reason));
	}
	}
}

static void judge_head(struct probe *probe)
{
	static const struct http_limits limits = {PROBE_HEAD_BYTES, PROBE_HEAD_BYTES, HTTP_FIELDS_MAX,
						  PROBE_HEAD_BYTES};
	struct http_head head;
	enum reason reason = REASON_UNSET;
	struct span evidence;
	switch (http_parse_response(probe->buf, probe->len, 0, &limits, HTTP_GET, &head, &reason,
				    &evidence)) {
	case HTTP_PARSE_DONE:
		if (head.status >= settings_of(probe)->status_min &&
		    head.status <= settings_of(probe)->status_max)
			probe_end(probe, true, "");
		else
			probe_end(probe, false, "an unhealthy status");
		return;
	case HTTP_PARSE_MORE:
		if (probe->len == sizeof(probe->buf))
			probe_end(probe, false, reason_text(REASON_ORIGIN_HEAD_TOO_LARGE));
		return;
	default:
		probe_end(probe, false, reason_text(reason));
	}
}

static void probe_event(struct watch *watch, unsigned events)
{
	struct probe *probe = (struct probe *)(void *)((char *)watch - offsetof(struct probe, watch));
	stream_note(&probe->stream, events);
	if (!probe->sent)
		probe_connect(probe);
	while (probe->under_way && probe->sent && probe->stream.readable) {
		ssize_t n = stream_read(&probe->stream, probe->buf + probe->len,
					sizeof(probe->buf) - probe->len);
		if (n == STREAM_AGAIN)
			return;
		if (n < 0) {
			probe_end(probe, false, "the connection was closed before an answer");
			return;
		}
		probe->len += (size_t)n;
		judge_head(probe);
	}
}

static void probe_begin(struct probe *probe)
{
	enum reason reason;
	if (!origin_dial(probe->origin, &probe->stream, &reason)) {
		probe_end(probe, false, reason_text(reason));
		return;
	}
	probe->under_way = true;
	probe->sent = probe->is_open = false;
	probe->len = 0;
	probe->watch = (struct watch){.fd = probe->stream.fd, .on_event = probe_event};
	loop_arm(loop_of(probe), &probe->timer, loop_now_ms(loop_of(probe)) + settings_of(probe)->timeout_ms);
	if (!loop_watch(loop_of(probe), &probe->watch, NULL))
		probe_end(probe, false, "out of memory");
}

static void probe_due(struct timer *timer)
{
	struct probe *probe = (struct probe *)(void *)((char *)timer - offsetof(struct probe, timer));
	if (probe->under_way) {
		probe_end(probe, false, "no answer in time");
		return;
	}
	_Atomic uint64_t *next = &probe->origin->health->next_probe_ms;
	uint64_t now = loop_now_ms(loop_of(probe)), due = atomic_load(next);
	if (due <= now && atomic_compare_exchange_strong(next, &due, now + settings_of(probe)->interval_ms))
		probe_begin(probe);
	else
		loop_arm(loop_of(probe), &probe->timer, atomic_load(next));
}

bool probe_new(struct origin *origin)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	if (!probe)
		return false;
	probe->origin = origin;
	probe->timer.on_expiry = probe_due;
	origin->probe = probe;
	return true;
}

void probe_start(struct origin *origin)
{
	loop_arm(loop_of(origin->probe), &origin->probe->timer, loop_now_ms(loop_of(origin->probe)));
}

void probe_free(struct origin *origin)
{
	if (!origin->probe)
		return;
	probe_close(origin->probe);
	loop_disarm(loop_of(origin->probe), &origin->probe->timer);
	free(origin->probe);
	origin->probe = NULL;
}

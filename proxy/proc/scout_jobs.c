/* See scout_jobs.h. A job is checked, fetched, looked through, and answered; then it is forgotten.
 * Messages that find no room in the channel wait in a queue: it cannot grow without end,
 * since a job that waits to be answered counts as one that runs. */
#include "proc/scout_jobs.h"

#include <errno.h>
#include <unistd.h>

#include "proc/ipc.h"
#include "proc/orders.h"
#include "proc/scout_links.h"
#include "sallyport/log.h"
#include "sallyport/shm.h"
#include "sallyport/url.h"

struct running {
	struct scout_jobs *jobs;
	struct running *next, *prev;
	struct fetch *fetch;
	struct scout_job job;
	/* What workers say of a visitor, too: an origin that redirects by it would be known by its redirects. */
	char host_line[JOB_HOST_SIZE + 32], forwarded_line[JOB_HOST_SIZE + 64];
	const char *fields[5];
};

struct outgoing {
	struct outgoing *next;
	uint32_t type;
	int fd; /* owned; -1: none */
	size_t len;
	char payload[];
};

struct scout_jobs {
	struct scout_jobs_setup setup;
	struct running *running;
	struct outgoing *first, **last;
	unsigned count; /* jobs that run, and samples that wait */
	bool failed;    /* the keeper does not listen any more */
};

struct scout_jobs *scout_jobs_new(const struct scout_jobs_setup *setup, struct err *err)
{
	struct scout_jobs *jobs = calloc(1, sizeof(*jobs));
	if (!jobs) {
		err_set(err, "no memory for jobs");
		return NULL;
	}
	jobs->setup = *setup;
	jobs->last = &jobs->first;
	return jobs;
}

/* ---- answers ---- */

static void drop_first(struct scout_jobs *jobs)
{
	struct outgoing *message = jobs->first;
	jobs->first = message->next;
	if (!jobs->first)
		jobs->last = &jobs->first;
	jobs->count -= message->type == REPORT_SAMPLE;
	if (message->fd >= 0)
		close(message->fd);
	free(message);
}

/* A keeper that is gone, or cannot be spoken with, gets nothing more: its end is told by the channel. */
static void fail(struct scout_jobs *jobs, const char *why)
{
	if (!jobs->failed)
		log_warn("the keeper does not listen: %s", why);
	jobs->failed = true;
	while (jobs->first)
		drop_first(jobs);
}

void scout_jobs_send(struct scout_jobs *jobs)
{
	struct err err;
	while (jobs->first) {
		struct outgoing *message = jobs->first;
		if (!ipc_send(jobs->setup.channel, message->type, message->payload, message->len,
			      &message->fd, message->fd >= 0, &err)) {
			if (errno != EAGAIN)
				fail(jobs, err.text);
			return;
		}
		drop_first(jobs);
	}
}

/* fd is owned from here on. */
static void queue(struct scout_jobs *jobs, enum order type, const void *payload, size_t len, int fd)
{
	struct outgoing *message = jobs->failed ? NULL : malloc(sizeof(*message) + len);
	if (!message) {
		if (fd >= 0)
			close(fd);
		jobs->count -= type == REPORT_SAMPLE;
		if (!jobs->failed)
			fail(jobs, "no memory for an answer");
		return;
	}
	*message = (struct outgoing){.type = type, .fd = fd, .len = len};
	memcpy(message->payload, payload, len);
	*jobs->last = message;
	jobs->last = &message->next;
	scout_jobs_send(jobs);
}

static void send_links(void *context, const struct scout_links *links)
{
	queue(context, REPORT_LINKS, links, offsetof(struct scout_links, text) + links->bytes, -1);
}

static void put_page(struct scout_sample *sample, const struct fetch_result *result)
{
	const struct page_head *head = &result->page->head;
	sample->status = head->status;
	sample->content_bytes = result->content.len;
	digest(result->content.ptr, result->content.len, sample->content);
	page_digest(head, sample->content, sample->page);
	for (int i = 0; i < PAGE_FIELD_COUNT; i++) {
		struct span value = head->fields[i];
		sample->field_len[i] = value.ptr ? (uint32_t)value.len : SAMPLE_NO_FIELD;
		if (value.len > 0)
			memcpy(sample->fields[i], value.ptr, value.len);
	}
}

static int content_of(const struct fetch_result *result, struct scout_sample *sample)
{
	struct err err;
	if (result->content.len == 0)
		return -1;
	int fd = shm_constant("sallyport-sample", result->content.ptr, result->content.len, &err);
	if (fd < 0) {
		memset(sample, 0, sizeof(*sample));
		sample->outcome = SAMPLE_TOO_LARGE;
		snprintf(sample->error, sizeof(sample->error), "%.200s", err.text);
	}
	return fd;
}

static void answer(struct scout_jobs *jobs, const struct scout_job *job,
		   const struct fetch_result *result)
{
	static struct scout_sample sample;
	int fd = -1;
	memset(&sample, 0, sizeof(sample));
	sample.outcome = result->outcome;
	snprintf(sample.error, sizeof(sample.error), "%s", result->error);
	if (result->outcome == SAMPLE_WHOLE) {
		put_page(&sample, result);
		fd = content_of(result, &sample);
	}
	if (sample.outcome == SAMPLE_WHOLE && job->links != JOB_LINKS_NONE)
		sample.links = scout_links_find(job, result, send_links, jobs);
	sample.id = job->id;
	sample.took_ms = (uint32_t)result->took_ms;
	queue(jobs, REPORT_SAMPLE, &sample, sizeof(sample), fd);
}

static void refuse(struct scout_jobs *jobs, const struct scout_job *job, const char *why)
{
	const struct fetch_result result = {.outcome = SAMPLE_REFUSED, .error = why};
	jobs->count++;
	answer(jobs, job, &result);
}

/* ---- jobs ---- */

static void unlink_running(struct running *running)
{
	*(running->prev ? &running->prev->next : &running->jobs->running) = running->next;
	if (running->next)
		running->next->prev = running->prev;
}

static void on_fetched(void *context, const struct fetch_result *result)
{
	struct running *running = context;
	unlink_running(running);
	answer(running->jobs, &running->job, result);
	free(running);
}

void scout_jobs_free(struct scout_jobs *jobs)
{
	if (!jobs)
		return;
	while (jobs->running) {
		struct running *running = jobs->running;
		unlink_running(running);
		fetch_cancel(running->fetch);
		free(running);
	}
	while (jobs->first)
		drop_first(jobs);
	free(jobs);
}

static bool is_host(const char *text)
{
	struct url_host host;
	enum reason reason;
	return url_parse_host(span_from_str(text), &host, &reason);
}

/* A name, or an address without brackets. */
static bool is_origin(const char *text)
{
	struct addr addr;
	return addr_parse_ip(span_from_str(text), 0, &addr) || (is_host(text) && !strchr(text, ':'));
}

/* "*" is no page; a path that is not canonical would be one under a wrong name. */
static bool is_target(const char *text)
{
	static char buf[URL_CANON_ROOM(JOB_TARGET_SIZE)];
	struct url_target target;
	struct url_canon canon;
	enum reason reason;
	if (!url_split(span_from_str(text), &target, &reason) || target.form != URL_ORIGIN)
		return false;
	url_canon_path(target.path, buf, &canon);
	return span_eq(canon.path, target.path);
}

/* NULL: the job makes sense. */
static const char *fault_of(const struct scout_job *job)
{
	if (!ORDERS_TEXT_OK(job->origin) || !ORDERS_TEXT_OK(job->host) || !ORDERS_TEXT_OK(job->target) ||
	    !ORDERS_TEXT_OK(job->tls_name) || !ORDERS_TEXT_OK(job->hosts))
		return "a text without an end";
	if (job->agent == 0 || job->agent >= JOB_AGENT_COUNT || job->referer == 0 ||
	    job->referer >= JOB_REFERER_COUNT || job->links == 0 || job->links >= JOB_LINKS_COUNT)
		return "an unknown kind";
	if (job->timeout_ms == 0 || job->timeout_ms > JOB_TIMEOUT_MAX_MS ||
	    job->max_bytes > JOB_BYTES_MAX || job->links_max > LINKS_MAX || job->port == 0)
		return "a number out of range";
	if (!is_origin(job->origin) || !is_host(job->host) ||
	    (job->tls_name[0] != '\0' && !is_origin(job->tls_name)))
		return "no host";
	return is_target(job->target) ? NULL : "no canonical target";
}

/* The stranger's address is of those that nobody has (RFC 5737). */
#define STRANGER "192.0.2.1"

static void write_fields(struct running *running)
{
	const struct scout_job *job = &running->job;
	const char **fields = running->fields;
	snprintf(running->host_line, sizeof(running->host_line), "X-Forwarded-Host: %s", job->host);
	snprintf(running->forwarded_line, sizeof(running->forwarded_line),
		 "Forwarded: for=" STRANGER ";host=\"%s\";proto=%s", job->host, job->https ? "https" : "http");
	fields[0] = "X-Forwarded-For: " STRANGER;
	fields[1] = job->https ? "X-Forwarded-Proto: https" : "X-Forwarded-Proto: http";
	fields[2] = running->host_line;
	fields[3] = running->forwarded_line;
	fields[4] = NULL;
}

static struct fetch *begin(struct running *running)
{
	const struct scout_job *job = &running->job;
	const struct fetch_request request = {
	    .origin = job->origin,
	    .port = job->port,
	    .tls = job->tls,
	    .tls_with = {.verify = !job->tls_unverified, .name = job->tls_name[0] ? job->tls_name : NULL},
	    .host = job->host,
	    .target = job->target,
	    .agent = (enum job_agent)job->agent,
	    .referer = (enum job_referer)job->referer,
	    .timeout_ms = job->timeout_ms,
	    .max_bytes = job->max_bytes,
	    .fields = running->fields,
	};
	write_fields(running);
	return fetch_start(running->jobs->setup.fetcher, &request, on_fetched, running);
}

void scout_jobs_take(struct scout_jobs *jobs, const struct scout_job *job)
{
	const char *fault = jobs->count >= JOBS_MAX ? "too many jobs" : fault_of(job);
	struct running *running = fault ? NULL : malloc(sizeof(*running));
	if (!running) {
		refuse(jobs, job, fault ? fault : "no memory");
		return;
	}
	*running = (struct running){.jobs = jobs, .next = jobs->running, .job = *job};
	running->fetch = begin(running);
	if (!running->fetch) {
		free(running);
		refuse(jobs, job, "no memory");
		return;
	}
	if (running->next)
		running->next->prev = running;
	jobs->running = running;
	jobs->count++;
}

/* The fetch of a pack of rules. The command may be root's, and what answers is a stranger: so a child that gave up all
 * it could speaks with it, and what it hands over is bytes for the signature's check, or one sentence. */
#include "sallyport/rule_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/sandbox.h"
#include "proc/web_place.h"
#include "sallyport/fetch.h"
#include "sallyport/files.h"

enum { TIMEOUT_MS = 60000, PORT_DNS = 53, STEP = 1 << 16 };

/* The first byte that the child says. */
static const char said_content = '+', said_error = '-';

/* ---- the child ---- */

struct child {
	struct loop *loop;
	int out;
	bool delivered;
};

static bool say(const struct child *child, char kind, struct span text)
{
	return file_write_all(child->out, &kind, 1) && file_write_all(child->out, text.ptr, text.len);
}

static void on_done(void *context, const struct fetch_result *result)
{
	struct child *child = context;
	struct err err = {""};
	unsigned status = result->outcome == SAMPLE_WHOLE ? result->page->head.status : 0;
	if (status == 200) {
		child->delivered = say(child, said_content, result->content);
	} else {
		if (status > 0)
			err_set(&err, "the server answers with status %u, not 200", status);
		else
			err_set(&err, "%s", result->error);
		child->delivered = say(child, said_error, span_from_str(err.text));
	}
	loop_stop(child->loop);
}

static bool confine(const struct settings *settings, uint16_t port, struct err *err)
{
	const uint16_t ports[] = {PORT_DNS, port};
	const struct sandbox sandbox = {
	    .role = role_get(ROLE_SCOUT),
	    .mode = settings->process.sandbox,
	    .user = settings->process.user,
	    .ports = ports,
	    .port_count = sizeof(ports) / sizeof(ports[0]),
	    .parent = getppid(),
	};
	return sandbox_enter(&sandbox, err);
}

static bool read_authorities(const char *path, struct span *out, struct err *err)
{
	out->ptr = path ? fetch_read_authorities_of(path, &out->len) : fetch_read_authorities(&out->len);
	return out->ptr || err_set(err, "%s cannot be read, so no certificate can be verified",
				   path ? path : "the system's list of certificate authorities");
}

/* All that it opens is its end's to close. */
static bool fetch(const struct settings *settings, const struct web_place *place, struct child *child, struct err *err)
{
	struct fetcher_setup setup = {.memory_bytes = settings->rule_pack.max_bytes};
	setup.loop = child->loop = loop_new(err);
	if (!child->loop || !read_authorities(settings->rule_pack.ca, &setup.ca, err))
		return false;
	setup.resolver = resolver_new(child->loop, err);
	struct fetcher *fetcher = setup.resolver ? fetcher_new(&setup, err) : NULL;
	if (!fetcher || !confine(settings, place->port, err))
		return false;
	const struct fetch_request request = {
	    .origin = place->origin,
	    .port = place->port,
	    .tls = true,
	    .tls_with = {.verify = true},
	    .host = place->authority,
	    .target = place->target,
	    .agent = JOB_AGENT_OWN,
	    .referer = JOB_REFERER_NONE,
	    .timeout_ms = TIMEOUT_MS,
	    .max_bytes = settings->rule_pack.max_bytes,
	};
	if (!fetch_start(fetcher, &request, on_done, child))
		return err_set(err, "out of memory");
	return loop_run(child->loop, err);
}

static void run_child(struct settings *settings, const struct web_place *place, int out)
{
	struct child child = {.out = out};
	struct err err = {""};
	settings_forget_keys(settings);
	if (!fetch(settings, place, &child, &err))
		child.delivered = say(&child, said_error, span_from_str(err.text));
	_exit(child.delivered ? 0 : 1);
}

/* ---- the command ---- */

static bool read_all(int fd, struct strbuf *out)
{
	char step[STEP];
	ssize_t n;
	while (!out->truncated && (n = read(fd, step, sizeof(step))) != 0) {
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			strbuf_add(out, step, (size_t)n);
	}
	return !out->truncated;
}

/* What an error says may come from the other side: err_set leaves no control byte in it. */
static bool take(struct span said, const char *url, struct strbuf *out, struct err *err)
{
	if (said.len == 0)
		return err_set(err, "%s: the process that was to get it ended without a word", url);
	if (said.ptr[0] != said_content)
		return err_set(err, "%s: %.*s", url, (int)(said.len - 1), said.ptr + 1);
	strbuf_add_span(out, span_from(said, 1));
	return !out->truncated || err_set(err, "%s: it is larger than any pack may be", url);
}

static bool hear(int fd, pid_t pid, const char *url, struct strbuf *out, struct err *err)
{
	struct strbuf said;
	strbuf_init(&said, RULE_PACK_BYTES_MAX + sizeof(struct err));
	bool whole = read_all(fd, &said);
	int status = 1;
	if (!whole)
		kill(pid, SIGKILL); /* it may have more to say, for ever */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	bool ok = whole && status == 0 ? take(strbuf_span(&said), url, out, err)
				       : err_set(err, "%s: the process that was to get it failed", url);
	strbuf_release(&said);
	return ok;
}

bool rule_fetch(struct settings *settings, struct strbuf *out, struct err *err)
{
	struct web_place place;
	int ends[2];
	if (!web_place_of(settings->rule_pack.url, &place))
		return err_set(err, "rule_pack.url is no URL");
	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_set(err, "cannot make a pipe: %s", strerror(errno));
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		run_child(settings, &place, ends[1]);
	}
	close(ends[1]);
	bool ok = pid > 0 ? hear(ends[0], pid, settings->rule_pack.url, out, err)
			  : err_set(err, "cannot start a process: %s", strerror(errno));
	close(ends[0]);
	return ok;
}

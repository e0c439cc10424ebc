/* Serves WEBROOT/.well-known/acme-challenge/TOKEN and nothing else. Every file is opened when
 * it is asked for, so a new one is seen at once and one that is gone is gone.
 *
 * Workers are the only peers, and one of them may be captured: a target that is no token opens
 * nothing, no folder and no link is followed, and what a worker sends in place of a
 * connection is closed. */
#include "sallyport/challenges.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/challenge.h"
#include "sallyport/log.h"
#include "serve/httpd.h"

enum {
	CHALLENGE_MAX_BYTES = 4096, /* token "." thumbprint is some hundred */
	CONNECTIONS_MAX = 512,
	IDLE_S = 120, /* longer than workers keep unused connections by default */
	WARN_EVERY_MS = 10000,
};

struct challenges {
	struct httpd *httpd;
	struct loop *loop;
	struct watch channel;
	int webroot_fd;
	uint64_t warn_again_ms;
};

static int open_step(int folder_fd, const char *name, int flags)
{
	return openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | flags);
}

/* Folder by folder, never through a link. */
static int open_token(int webroot_fd, const char *token)
{
	int outer = open_step(webroot_fd, ".well-known", O_DIRECTORY);
	if (outer < 0)
		return -1;
	int inner = open_step(outer, "acme-challenge", O_DIRECTORY);
	int error = errno;
	close(outer);
	if (inner < 0) {
		errno = error;
		return -1;
	}
	int fd = open_step(inner, token, 0);
	error = errno;
	close(inner);
	errno = error;
	return fd;
}

/* What stands in the way of an operator's certificate is worth a line, but not one for each request. */
static void warn(struct challenges *challenges, const char *token, const char *problem)
{
	uint64_t now_ms = loop_now_ms(challenges->loop);
	if (now_ms < challenges->warn_again_ms)
		return;
	challenges->warn_again_ms = now_ms + WARN_EVERY_MS;
	log_warn("cannot serve the ACME challenge %s: %s", token, problem);
}

/* The whole file; -1 where it is none that can be served. */
static ssize_t read_challenge(struct challenges *challenges, const char *token,
			      char out[CHALLENGE_MAX_BYTES])
{
	struct stat st;
	int fd = open_token(challenges->webroot_fd, token);
	if (fd < 0) {
		if (errno != ENOENT)
			warn(challenges, token, errno == ELOOP ? "it is a link" : strerror(errno));
		return -1;
	}
	ssize_t n = -1;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		warn(challenges, token, "it is no file");
	else if (st.st_size > CHALLENGE_MAX_BYTES)
		warn(challenges, token, "it is larger than 4 KiB");
	else
		n = read(fd, out, CHALLENGE_MAX_BYTES);
	close(fd);
	return n;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, struct span content)
{
	struct MHD_Response *response = httpd_response(content, "text/plain");
	if (response && MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") != MHD_YES) {
		MHD_destroy_response(response);
		response = NULL;
	}
	return httpd_send(connection, status, response);
}

/* Workers send a GET or HEAD without content. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, void **state)
{
	char name[CHALLENGE_TOKEN_MAX + 1] = "", content[CHALLENGE_MAX_BYTES];
	struct span token;
	(void)version;
	(void)upload;
	(void)state;
	if (*upload_size > 0)
		return MHD_NO;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, SPAN("GET or HEAD\n"));
	if (!challenge_token(span_from_str(url), &token))
		return answer(connection, MHD_HTTP_NOT_FOUND, SPAN("no token\n"));
	memcpy(name, token.ptr, token.len);
	ssize_t n = read_challenge(context, name, content);
	if (n < 0)
		return answer(connection, MHD_HTTP_NOT_FOUND, SPAN("no such challenge\n"));
	return answer(connection, MHD_HTTP_OK, span_of(content, (size_t)n));
}

static void forget(void *context, struct MHD_Connection *connection, void **state,
		   enum MHD_RequestTerminationCode code)
{
	(void)context;
	(void)connection;
	(void)state;
	(void)code;
}

static void on_channel(struct watch *watch, unsigned events)
{
	struct challenges *challenges =
	    (struct challenges *)(void *)((char *)watch - offsetof(struct challenges, channel));
	(void)events;
	httpd_add_from(challenges->httpd, watch->fd);
}

static bool open_all(struct challenges *challenges, const char *webroot, struct err *err)
{
	const struct httpd_setup setup = {
	    .loop = challenges->loop,
	    .listen_fd = -1,
	    .max_connections = CONNECTIONS_MAX,
	    .idle_s = IDLE_S,
	    .handler = handle,
	    .completed = forget,
	    .context = challenges,
	};
	challenges->webroot_fd = open(webroot, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (challenges->webroot_fd < 0)
		return err_set(err, "acme_webroot: cannot open %s: %s", webroot, strerror(errno));
	challenges->httpd = httpd_new(&setup, err);
	return challenges->httpd && loop_watch_input(challenges->loop, &challenges->channel, err);
}

struct challenges *challenges_new(struct loop *loop, int channel, const char *webroot, struct err *err)
{
	struct challenges *challenges = calloc(1, sizeof(*challenges));
	if (!challenges) {
		close(channel);
		err_set(err, "out of memory");
		return NULL;
	}
	challenges->loop = loop;
	challenges->webroot_fd = -1;
	challenges->channel = (struct watch){.on_event = on_channel, .fd = channel};
	if (open_all(challenges, webroot, err))
		return challenges;
	challenges_free(challenges);
	return NULL;
}

void challenges_free(struct challenges *challenges)
{
	if (!challenges)
		return;
	loop_unwatch(challenges->loop, &challenges->channel);
	close(challenges->channel.fd);
	httpd_free(challenges->httpd);
	if (challenges->webroot_fd >= 0)
		close(challenges->webroot_fd);
	free(challenges);
}

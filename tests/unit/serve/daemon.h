#ifndef TESTS_DAEMON_H
#define TESTS_DAEMON_H

#include <arpa/inet.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sallyport/loop.h"
#include "sallyport/strbuf.h"

/* A loop in a thread of its own, and libcurl as the peer. */

struct daemon_thread {
	struct loop *loop;
	struct watch quit;
	pthread_t thread;
};

static inline void daemon_on_quit(struct watch *watch, unsigned events)
{
	(void)events;
	loop_stop(
	    ((struct daemon_thread *)((char *)watch - offsetof(struct daemon_thread, quit)))->loop);
}

static inline void *daemon_main(void *argument)
{
	struct err err;
	if (!loop_run(((struct daemon_thread *)argument)->loop, &err))
		abort();
	return NULL;
}

/* Everything in the loop has to be set up before. */
static inline void daemon_start(struct daemon_thread *daemon, struct loop *loop)
{
	struct err err;
	daemon->loop = loop;
	daemon->quit = (struct watch){.on_event = daemon_on_quit, .fd = eventfd(0, EFD_CLOEXEC)};
	if (!loop_watch_input(loop, &daemon->quit, &err) ||
	    pthread_create(&daemon->thread, NULL, daemon_main, daemon) != 0)
		abort();
}

static inline void daemon_stop(struct daemon_thread *daemon)
{
	if (eventfd_write(daemon->quit.fd, 1) != 0)
		abort();
	pthread_join(daemon->thread, NULL);
	loop_unwatch(daemon->loop, &daemon->quit);
	close(daemon->quit.fd);
}

/* A listening socket on a free port of loopback. */
static inline int daemon_listen_tcp(unsigned *port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(fd, (struct sockaddr *)&addr, len) != 0 || listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
		abort();
	*port = ntohs(addr.sin_port);
	return fd;
}

static inline int daemon_listen_unix(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(fd, 64) != 0)
		abort();
	return fd;
}

struct fetch {
	/* given */
	const char *socket;    /* Unix, or NULL */
	const char *method;    /* or NULL: GET */
	const char *content;   /* or NULL */
	const char *fields[4]; /* "Name: value" */
	/* found */
	long status; /* 0: no answer */
	struct strbuf head, body;
};

static inline size_t fetch_take(char *data, size_t size, size_t n, void *sink)
{
	strbuf_add(sink, data, size * n);
	return size * n;
}

static inline void fetch_release(struct fetch *fetch)
{
	strbuf_release(&fetch->head);
	strbuf_release(&fetch->body);
}

static inline void fetch_run(struct fetch *fetch, const char *url)
{
	CURL *curl = curl_easy_init();
	struct curl_slist *fields = NULL;
	fetch_release(fetch);
	fetch->status = 0;
	strbuf_init(&fetch->head, 1 << 16);
	strbuf_init(&fetch->body, 1 << 20);
	for (size_t i = 0; i < 4 && fetch->fields[i]; i++)
		fields = curl_slist_append(fields, fetch->fields[i]);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, fetch_take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &fetch->body);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, fetch_take);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, &fetch->head);
	if (fetch->socket)
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, fetch->socket);
	if (fetch->content)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, fetch->content);
	if (fetch->method && strcmp(fetch->method, "HEAD") == 0)
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	else if (fetch->method)
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, fetch->method);
	if (curl_easy_perform(curl) == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &fetch->status);
	curl_slist_free_all(fields);
	curl_easy_cleanup(curl);
}

static inline bool fetch_head_has(const struct fetch *fetch, const char *text)
{
	return fetch->head.data && strstr(fetch->head.data, text) != NULL;
}

static inline bool fetch_body_has(const struct fetch *fetch, const char *text)
{
	return fetch->body.data && strstr(fetch->body.data, text) != NULL;
}

#endif

#ifndef TESTS_FETCH_SERVER_H
#define TESTS_FETCH_SERVER_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "sallyport/loop.h"

/* An origin in the test's own loop: it notes what it is asked, and answers with bytes as they are given,
 * as many at a time as it is told. One answer for each path: "/2" is answered by answers[2]. */

enum { SERVER_CONNECTIONS = 64, SERVER_ANSWERS = 16, SERVER_REQUEST = 8192 };

struct server_answer {
	const char *bytes;
	size_t len;
	size_t step;         /* bytes at a time, a millisecond apart; 0: all at once */
	bool stays_open;     /* after it; else it ends the connection */
	bool forever;        /* over and over */
};

struct server;
struct server_connection {
	struct watch watch; /* first */
	struct timer timer;
	struct server *server;
	const struct server_answer *answer;
	size_t len, sent;
	char request[SERVER_REQUEST];
};

struct server {
	struct watch watch; /* first */
	struct loop *loop;
	uint16_t port;
	struct server_answer answers[SERVER_ANSWERS];
	unsigned connections, open, most_open;
	size_t sent; /* to all */
	char last[SERVER_REQUEST]; /* request */
	struct server_connection *of[SERVER_CONNECTIONS];
};

static inline void server_close(struct server_connection *c)
{
	struct server *server = c->server;
	loop_disarm(server->loop, &c->timer);
	if (c->watch.fd >= 0) {
		loop_unwatch(server->loop, &c->watch);
		close(c->watch.fd);
		c->watch.fd = -1;
		server->open--;
	}
}

static inline void server_send(struct server_connection *c)
{
	const struct server_answer *answer = c->answer;
	while (c->watch.fd >= 0 && answer) {
		size_t left = answer->len - c->sent;
		size_t n = answer->step && answer->step < left ? answer->step : left;
		ssize_t sent = n ? send(c->watch.fd, answer->bytes + c->sent, n, MSG_NOSIGNAL) : 0;
		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0) {
			server_close(c);
			return;
		}
		c->sent += (size_t)sent;
		c->server->sent += (size_t)sent;
		if (c->sent == answer->len && answer->forever)
			c->sent = 0;
		else if (c->sent == answer->len) {
			c->answer = NULL;
			if (!answer->stays_open)
				server_close(c);
			return;
		}
		if (answer->step) {
			loop_arm(c->server->loop, &c->timer, loop_now_ms(c->server->loop) + 1);
			return;
		}
	}
}

static inline void server_on_timer(struct timer *timer)
{
	server_send((struct server_connection *)(void *)((char *)timer -
							 offsetof(struct server_connection, timer)));
}

static inline void server_on_connection(struct watch *watch, unsigned events)
{
	struct server_connection *c = (struct server_connection *)(void *)watch;
	ssize_t n = 1;
	(void)events;
	while (c->watch.fd >= 0 && n > 0 && c->len < SERVER_REQUEST - 1) {
		n = recv(c->watch.fd, c->request + c->len, SERVER_REQUEST - 1 - c->len, 0);
		c->len += n > 0 ? (size_t)n : 0;
	}
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		server_close(c);
		return;
	}
	if (!c->answer && c->sent == 0 && strstr(c->request, "\r\n\r\n")) {
		snprintf(c->server->last, sizeof(c->server->last), "%s", c->request);
		int which = -1;
		if (sscanf(c->request, "GET /%d", &which) == 1 && which >= 0 && which < SERVER_ANSWERS)
			c->answer = &c->server->answers[which];
	}
	server_send(c);
}

static inline void server_on_listener(struct watch *watch, unsigned events)
{
	struct server *server = (struct server *)(void *)watch;
	struct err err;
	(void)events;
	for (int fd; (fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
		struct server_connection *c = calloc(1, sizeof(*c));
		if (!c || server->connections == SERVER_CONNECTIONS)
			abort();
		server->of[server->connections++] = c;
		server->most_open = ++server->open > server->most_open ? server->open : server->most_open;
		c->server = server;
		c->watch = (struct watch){.on_event = server_on_connection, .fd = fd};
		c->timer.on_expiry = server_on_timer;
		if (!loop_watch(server->loop, &c->watch, &err))
			abort();
	}
}

static inline void server_start(struct server *server, struct loop *loop)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	struct err err;
	memset(server, 0, sizeof(*server));
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
		abort();
	server->loop = loop;
	server->port = ntohs(addr.sin_port);
	server->watch = (struct watch){.on_event = server_on_listener, .fd = fd};
	if (!loop_watch_input(loop, &server->watch, &err))
		abort();
}

static inline void server_stop(struct server *server)
{
	for (unsigned i = 0; i < server->connections; i++) {
		server_close(server->of[i]);
		free(server->of[i]);
	}
	loop_unwatch(server->loop, &server->watch);
	close(server->watch.fd);
}

/* A literal. */
#define SERVER_ANSWER(text) ((struct server_answer){.bytes = (text), .len = sizeof(text) - 1})

#endif

#ifndef SERVE_HTTPD_H
#define SERVE_HTTPD_H

#include <microhttpd.h>

#include "sallyport/loop.h"
#include "sallyport/span.h"

/* A libmicrohttpd daemon that runs inside our loop: no thread of its own, its epoll
 * descriptor is one more watch. Only what is ours to serve is served by it; a
 * visitor's raw bytes never reach it. Targets arrive undecoded: whoever needs a
 * path decodes it by url.h. */
struct httpd;

struct httpd_setup {
	struct loop *loop;
	int listen_fd; /* listening; owned from here on, also on failure. -1: connections come by httpd_add_from() */
	unsigned max_connections;
	unsigned idle_s; /* a connection without a byte for so long is closed */
	MHD_AccessHandlerCallback handler;
	MHD_RequestCompletedCallback completed; /* NULL: none */
	void *context; /* of both */
};

struct httpd *httpd_new(const struct httpd_setup *setup, struct err *err);
/* Takes the connections that workers sent over a channel (fd_pass.h), with one byte each; some of them where
 * there are many. */
void httpd_add_from(struct httpd *httpd, int channel);
/* Every suspended connection has to be resumed before. */
void httpd_free(struct httpd *httpd);
/* Runs the daemon soon, from the loop: after a connection was resumed. */
void httpd_kick(struct httpd *httpd);

/* A response with a copy of the content. NULL where memory is exhausted. */
struct MHD_Response *httpd_response(struct span content, const char *content_type);
/* Queues it and lets go of it. NULL: the connection is closed. */
enum MHD_Result httpd_send(struct MHD_Connection *connection, unsigned status,
			   struct MHD_Response *response);
/* The value of a request header, NULL: none. */
const char *httpd_header(struct MHD_Connection *connection, const char *name);

#endif

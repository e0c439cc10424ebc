/* Runs libmicrohttpd inside our loop, with bounds on connections, memory and time.
 *
 * Trusts libmicrohttpd with HTTP/1.1 from peers that are ours: workers, the command line,
 * an operator's browser on loopback. Does not route, does not know any path. */
#include "serve/httpd.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sallyport/fd_pass.h"
#include "sallyport/log.h"

enum { CONNECTION_BYTES = 16 << 10, ADDED_AT_ONCE = 32 };

struct httpd {
	struct MHD_Daemon *daemon;
	struct loop *loop;
	struct watch watch;
	struct timer timer;
	struct task task;
};

static void run(struct httpd *httpd)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;
	bool is_waiting;
	MHD_run(httpd->daemon);
	is_waiting = MHD_get_timeout(httpd->daemon, &wait_ms) == MHD_YES;
	if (is_waiting && wait_ms == 0)
		httpd_kick(httpd); /* it has more to do: after everybody else had a turn */
	if (is_waiting && wait_ms > 0)
		loop_arm(httpd->loop, &httpd->timer, loop_now_ms(httpd->loop) + wait_ms);
	else
		loop_disarm(httpd->loop, &httpd->timer);
}

static void on_event(struct watch *watch, unsigned events)
{
	(void)events;
	run((struct httpd *)((char *)watch - offsetof(struct httpd, watch)));
}

static void on_expiry(struct timer *timer)
{
	run((struct httpd *)((char *)timer - offsetof(struct httpd, timer)));
}

static void on_task(struct task *task)
{
	run((struct httpd *)((char *)task - offsetof(struct httpd, task)));
}

void httpd_kick(struct httpd *httpd)
{
	loop_defer(httpd->loop, &httpd->task);
}

/* libmicrohttpd would decode the target in place and end it at an encoded NUL. */
static size_t leave_undecoded(void *context, struct MHD_Connection *connection, char *text)
{
	(void)context;
	(void)connection;
	return strlen(text);
}

static struct MHD_Daemon *start_daemon(const struct httpd_setup *setup)
{
	bool listens = setup->listen_fd >= 0;
	/* Ends where it does not listen. */
	const struct MHD_OptionItem listener[] = {
	    {listens ? MHD_OPTION_LISTEN_SOCKET : MHD_OPTION_END, setup->listen_fd, NULL},
	    {MHD_OPTION_END, 0, NULL},
	};
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
	if (!listens)
		flags |= MHD_USE_NO_LISTEN_SOCKET;
	return MHD_start_daemon(
	    flags, 0, NULL, NULL, setup->handler, setup->context, MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_CONNECTION_LIMIT, setup->max_connections, MHD_OPTION_CONNECTION_TIMEOUT,
	    setup->idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
	    MHD_OPTION_UNESCAPE_CALLBACK, leave_undecoded, NULL, MHD_OPTION_NOTIFY_COMPLETED,
	    setup->completed, setup->context, MHD_OPTION_ARRAY, listener, MHD_OPTION_END);
}

static void close_listener(const struct httpd_setup *setup)
{
	if (setup->listen_fd >= 0)
		close(setup->listen_fd);
}

struct httpd *httpd_new(const struct httpd_setup *setup, struct err *err)
{
	struct httpd *httpd = calloc(1, sizeof(*httpd));
	if (!httpd) {
		close_listener(setup);
		err_set(err, "out of memory");
		return NULL;
	}
	httpd->loop = setup->loop;
	httpd->daemon = start_daemon(setup);
	if (!httpd->daemon) {
		err_set(err, "libmicrohttpd did not start: %s", strerror(errno));
		close_listener(setup);
		free(httpd);
		return NULL;
	}
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(httpd->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	httpd->watch = (struct watch){.on_event = on_event, .fd = info ? info->listen_fd : -1};
	httpd->timer.on_expiry = on_expiry;
	httpd->task.run = on_task;
	if (!loop_watch_input(setup->loop, &httpd->watch, err)) {
		MHD_stop_daemon(httpd->daemon);
		free(httpd);
		return NULL;
	}
	return httpd;
}

static bool is_connection(int fd)
{
	int domain = 0, type = 0;
	socklen_t len = sizeof(int);
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

static void add(struct httpd *httpd, int fd)
{
	const struct sockaddr nameless = {.sa_family = AF_UNIX};
	if (!is_connection(fd)) {
		close(fd);
		return;
	}
	/* The library closes what it does not take. */
	if (MHD_add_connection(httpd->daemon, fd, &nameless, sizeof(nameless)) != MHD_YES)
		log_warn("a worker's connection was not taken: %s", strerror(errno));
	httpd_kick(httpd);
}

void httpd_add_from(struct httpd *httpd, int channel)
{
	for (int i = 0; i < ADDED_AT_ONCE; i++) {
		char byte;
		int fd = fd_receive(channel, &byte, sizeof(byte));
		if (fd == FD_NONE)
			return;
		if (fd >= 0)
			add(httpd, fd);
	}
}

void httpd_free(struct httpd *httpd)
{
	if (!httpd)
		return;
	loop_unwatch(httpd->loop, &httpd->watch);
	loop_disarm(httpd->loop, &httpd->timer);
	loop_cancel(&httpd->task);
	MHD_stop_daemon(httpd->daemon);
	free(httpd);
}

struct MHD_Response *httpd_response(struct span content, const char *content_type)
{
	/* the library wants changeable bytes, and copies them */
	struct MHD_Response *response = MHD_create_response_from_buffer(
	    content.len, (void *)(uintptr_t)content.ptr, MHD_RESPMEM_MUST_COPY);
	if (!response)
		return NULL;
	if (content_type && MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
						    content_type) != MHD_YES) {
		MHD_destroy_response(response);
		return NULL;
	}
	return response;
}

enum MHD_Result httpd_send(struct MHD_Connection *connection, unsigned status,
			   struct MHD_Response *response)
{
	if (!response)
		return MHD_NO;
	enum MHD_Result result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

const char *httpd_header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/*
 * rate: an HTTP/1.1 load client for measurements that wrk cannot make.
 *
 * It sends one request, again and again, over keep-alive connections: by a fixed
 * schedule (--rate), or as fast as answers come (no --rate). By schedule, latency
 * counts from when a request was *due*, not from when it could be sent: a server that
 * stalls is charged for every request that had to wait (no "coordinated omission").
 * With --hold it keeps the connections open, idle, until standard input ends. With --connect each connection
 * is a tunnel through a proxy.
 *
 * It trusts the server to send Content-Length, checks status 200 and the length of every
 * answer, and prints one JSON object. It does not compare contents, speak TLS or chunked.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	HEAD_ROOM = 8192,
	BLOCK = 256 * 1024,
	EVENTS = 256,
	CONNECTIONS_MAX = 50000,
	REQUESTS_MAX = 50 * 1000 * 1000,
	HEADERS_ROOM = 4096,
};

enum phase { PHASE_UNSET = 0, PHASE_IDLE, PHASE_SENDING, PHASE_HEAD, PHASE_CONTENT };

struct connection {
	int fd;
	enum phase phase;
	bool wants_write;
	uint64_t due_ns;
	uint64_t unsent;       /* of head and content together */
	uint64_t content_left; /* of the answer */
	size_t head_len;
	char *head; /* of the answer; only while one is awaited */
};

struct options {
	struct sockaddr_in server;
	size_t connections;
	size_t in_flight;
	uint64_t count;
	uint64_t rate;
	uint64_t upload;
	uint64_t expect; /* length of every answer */
	uint64_t deadline_s;
	bool hold;
	const char *path;
	const char *host;    /* in the Host field */
	const char *tunnel;  /* CONNECT to it first; NULL: no */
	char fields[HEADERS_ROOM];
};

struct load {
	struct options options;
	int epoll_fd;
	char request[HEADERS_ROOM * 2];
	size_t request_len;
	struct connection *connections;
	struct connection **idle; /* a ring, so that every connection has its turn */
	size_t idle_first, idle_count, active;
	uint64_t start_ns, end_ns, started, done, errors, content_bytes;
	uint32_t *latency_us;
	char first_error[160];
};

static char block[BLOCK];

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "rate: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void usage(const char *problem)
{
	fprintf(
	    stderr,
	    "rate: %s\nusage: rate --port PORT --path PATH --count N [--connections N] "
	    "[--in-flight N]\n"
	    "            [--rate N/s] [--upload BYTES] [--expect BYTES] [--field 'NAME: VALUE']\n"
	    "            [--deadline SECONDS] [--hold] [--host HOST] [--connect HOST:PORT]\n",
	    problem);
	exit(2);
}

static void watch(struct load *load, struct connection *c, int operation)
{
	struct epoll_event event = {
	    .events = EPOLLIN | (c->wants_write ? (uint32_t)EPOLLOUT : 0),
	    .data.ptr = c,
	};

	if (epoll_ctl(load->epoll_fd, operation, c->fd, &event) != 0)
		die("epoll_ctl");
}

static void make_idle(struct load *load, struct connection *c)
{
	size_t last = (load->idle_first + load->idle_count) % load->options.connections;

	c->phase = PHASE_IDLE;
	free(c->head);
	c->head = NULL;
	load->idle[last] = c;
	load->idle_count++;
}

/* The proxy's answer is taken byte by byte: what follows is the tunnel's. */
static void open_tunnel(struct load *load, struct connection *c)
{
	char text[HEADERS_ROOM];
	const char *to = load->options.tunnel;
	int n = snprintf(text, sizeof(text), "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", to, to);
	size_t len = 0;

	if (send(c->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		die("CONNECT");
	while (len < sizeof(text) - 1 && recv(c->fd, text + len, 1, 0) == 1) {
		text[++len] = '\0';
		if (len >= 4 && memcmp(text + len - 4, "\r\n\r\n", 4) == 0)
			break;
	}
	if (len < 12 || memcmp(text + 8, " 200", 4) != 0) {
		fprintf(stderr, "rate: CONNECT was answered: %.60s\n", text);
		exit(1);
	}
}

/* Connects blocking: on loopback that is quick, and no backlog overflows. */
static void open_connection(struct load *load, struct connection *c)
{
	const struct sockaddr_in *server = &load->options.server;
	struct timeval patience = {.tv_sec = 5};
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket");
	if (setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
	    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0)
		die("setsockopt");
	if (connect(c->fd, (const struct sockaddr *)server, sizeof(*server)) != 0)
		die("connect");
	if (load->options.tunnel)
		open_tunnel(load, c);
	c->wants_write = false;
	watch(load, c, EPOLL_CTL_ADD);
	make_idle(load, c);
}

static void record(struct load *load, const struct connection *c)
{
	uint64_t us = (now_ns() - c->due_ns) / 1000;

	load->latency_us[load->done++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
	load->active--;
}

/* The request counts as done, and as an error; the connection starts anew. */
static void fail(struct load *load, struct connection *c, const char *why)
{
	if (load->errors++ == 0)
		snprintf(load->first_error, sizeof(load->first_error), "%s", why);
	record(load, c);
	close(c->fd);
	open_connection(load, c);
}

static void set_wants_write(struct load *load, struct connection *c, bool wants)
{
	if (c->wants_write == wants)
		return;
	c->wants_write = wants;
	watch(load, c, EPOLL_CTL_MOD);
}

/* What is next to be sent: the rest of the head, then content from the block. */
static ssize_t send_some(struct load *load, struct connection *c)
{
	uint64_t upload = load->options.upload;
	const char *from = block;
	size_t len = c->unsent < BLOCK ? (size_t)c->unsent : BLOCK;
	int flags = MSG_NOSIGNAL | MSG_DONTWAIT;

	if (c->unsent > upload) {
		len = (size_t)(c->unsent - upload);
		from = load->request + load->request_len - len;
		flags |= upload > 0 ? MSG_MORE : 0;
	}
	return send(c->fd, from, len, flags);
}

static void send_request(struct load *load, struct connection *c)
{
	while (c->unsent > 0) {
		ssize_t n = send_some(load, c);

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			set_wants_write(load, c, true);
			return;
		}
		if (n < 0) {
			fail(load, c, "the connection broke while sending");
			return;
		}
		c->unsent -= (uint64_t)n;
	}
	set_wants_write(load, c, false);
	c->phase = PHASE_HEAD;
}

static void start_request(struct load *load, uint64_t due_ns)
{
	struct connection *c = load->idle[load->idle_first];

	load->idle_first = (load->idle_first + 1) % load->options.connections;
	load->idle_count--;
	load->active++;
	load->started++;
	c->due_ns = due_ns;
	c->unsent = load->request_len + load->options.upload;
	c->phase = PHASE_SENDING;
	c->head_len = 0;
	c->head = malloc(HEAD_ROOM);
	if (!c->head)
		die("malloc");
	send_request(load, c);
}

/* Status 200 and a Content-Length, or why not. */
static const char *read_head(struct connection *c)
{
	char *field, *end;

	if (strncmp(c->head, "HTTP/1.1 200 ", 13) != 0)
		return "an answer whose status is not 200";
	field = strcasestr(c->head, "\r\ncontent-length:");
	if (!field)
		return "an answer without Content-Length";
	errno = 0;
	c->content_left = strtoull(field + 17, &end, 10);
	if (errno != 0 || *end != '\r')
		return "a Content-Length that is no number";
	return NULL;
}

static void end_answer(struct load *load, struct connection *c)
{
	record(load, c);
	make_idle(load, c);
}

static void take_content(struct load *load, struct connection *c, size_t n)
{
	if (n > c->content_left) {
		fail(load, c, "more content than announced");
		return;
	}
	c->content_left -= n;
	load->content_bytes += n;
	if (c->content_left == 0)
		end_answer(load, c);
}

static void take_head(struct load *load, struct connection *c)
{
	const char *end, *problem;
	size_t rest;

	c->head[c->head_len] = '\0';
	end = strstr(c->head, "\r\n\r\n");
	if (!end && c->head_len < HEAD_ROOM - 1)
		return;
	problem = end ? read_head(c) : "an answer's head that is too long";
	if (!problem && load->options.expect && c->content_left != load->options.expect)
		problem = "an answer of another length than expected";
	if (problem) {
		fail(load, c, problem);
		return;
	}
	rest = c->head_len - (size_t)(end + 4 - c->head);
	c->phase = PHASE_CONTENT;
	take_content(load, c, rest);
}

/* Returns what recv gave; 0 and errors end the connection. */
static ssize_t receive(struct connection *c)
{
	static char sink[BLOCK];

	if (c->phase == PHASE_CONTENT)
		return recv(c->fd, sink, sizeof(sink), MSG_DONTWAIT);
	if (c->phase == PHASE_HEAD)
		return recv(c->fd, c->head + c->head_len, HEAD_ROOM - 1 - c->head_len,
			    MSG_DONTWAIT);
	return recv(c->fd, sink, 1, MSG_DONTWAIT | MSG_PEEK);
}

static void readable(struct load *load, struct connection *c)
{
	ssize_t n = receive(c);

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (c->phase == PHASE_IDLE) { /* closed, or an answer nobody asked for */
		fprintf(stderr, "rate: an idle connection was closed by the server\n");
		exit(1);
	}
	if (n <= 0 || c->phase == PHASE_SENDING) {
		fail(load, c,
		     n <= 0 ? "the server closed a connection"
			    : "an answer before the request ended");
		return;
	}
	if (c->phase == PHASE_HEAD) {
		c->head_len += (size_t)n;
		take_head(load, c);
		return;
	}
	take_content(load, c, (size_t)n);
}

static uint64_t next_due_ns(const struct load *load, uint64_t now)
{
	if (load->options.rate == 0)
		return now;
	return load->start_ns + load->started * 1000000000u / load->options.rate;
}

static bool may_start(const struct load *load)
{
	return load->started < load->options.count && load->idle_count > 0 &&
	       load->active < load->options.in_flight;
}

static void start_due(struct load *load)
{
	while (may_start(load)) {
		uint64_t now = now_ns(), due = next_due_ns(load, now);

		if (due > now)
			return;
		start_request(load, due);
	}
}

/* Until the next request is due, or an event comes. */
static void wait_events(struct load *load)
{
	struct epoll_event events[EVENTS];
	struct timespec timeout = {.tv_sec = 1};
	int n;

	if (may_start(load)) {
		uint64_t now = now_ns(), due = next_due_ns(load, now);
		uint64_t wait = due > now ? due - now : 0;

		timeout.tv_sec = (time_t)(wait / 1000000000u);
		timeout.tv_nsec = (long)(wait % 1000000000u);
	}
	n = epoll_pwait2(load->epoll_fd, events, EVENTS, &timeout, NULL);
	if (n < 0 && errno != EINTR)
		die("epoll_pwait2");
	for (int i = 0; i < n; i++) {
		struct connection *c = events[i].data.ptr;

		if (events[i].events & EPOLLOUT && c->phase == PHASE_SENDING)
			send_request(load, c);
		if (events[i].events & ~(uint32_t)EPOLLOUT)
			readable(load, c);
	}
}

static void run(struct load *load)
{
	uint64_t deadline = now_ns() + load->options.deadline_s * 1000000000u;

	load->start_ns = now_ns();
	while (load->done < load->options.count) {
		start_due(load);
		wait_events(load);
		if (now_ns() > deadline) {
			fprintf(stderr,
				"rate: %" PRIu64 " of %" PRIu64 " requests done at the deadline\n",
				load->done, load->options.count);
			exit(1);
		}
	}
	load->end_ns = now_ns();
}

static int compare_latency(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t percentile(const struct load *load, double share)
{
	uint64_t rank = (uint64_t)(share * (double)load->done);

	return load->latency_us[rank < load->done ? rank : load->done - 1];
}

static void print_summary(struct load *load)
{
	qsort(load->latency_us, load->done, sizeof(*load->latency_us), compare_latency);
	printf("{\"requests\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"first_error\":\"%s\","
	       "\"bytes\":%" PRIu64 ",\"seconds\":%.6f,"
	       "\"p50\":%u,\"p90\":%u,\"p99\":%u,\"p999\":%u,\"max\":%u}\n",
	       load->done, load->errors, load->first_error, load->content_bytes,
	       (double)(load->end_ns - load->start_ns) / 1e9, percentile(load, 0.5),
	       percentile(load, 0.9), percentile(load, 0.99), percentile(load, 0.999),
	       percentile(load, 1));
	fflush(stdout);
}

static void hold_until_input_ends(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
}

static void build_request(struct load *load)
{
	const struct options *o = &load->options;
	char length[64] = "";
	int n;

	if (o->upload)
		snprintf(length, sizeof(length), "Content-Length: %" PRIu64 "\r\n", o->upload);
	n = snprintf(load->request, sizeof(load->request),
		     "%s %s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n",
		     o->upload ? "POST" : "GET", o->path, o->host, o->fields, length);
	if (n < 0 || (size_t)n >= sizeof(load->request))
		usage("the request is too long");
	load->request_len = (size_t)n;
}

static void prepare(struct load *load)
{
	const struct options *o = &load->options;

	build_request(load);
	load->connections = calloc(o->connections, sizeof(*load->connections));
	load->idle = calloc(o->connections, sizeof(struct connection *));
	load->latency_us = calloc(o->count, sizeof(*load->latency_us));
	load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!load->connections || !load->idle || !load->latency_us || load->epoll_fd < 0)
		die("prepare");
	for (size_t i = 0; i < o->connections; i++)
		open_connection(load, &load->connections[i]);
}

static uint64_t number(const char *text, uint64_t max)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n > max)
		usage("a number is not what it should be");
	return n;
}

static void add_field(struct options *o, const char *field)
{
	size_t used = strlen(o->fields);
	int n = snprintf(o->fields + used, sizeof(o->fields) - used, "%s\r\n", field);

	if (n < 0 || (size_t)n >= sizeof(o->fields) - used)
		usage("too many fields");
}

static void set_option(struct options *o, int letter, const char *value)
{
	switch (letter) {
	case 'p': o->server.sin_port = htons((uint16_t)number(value, UINT16_MAX)); break;
	case 'u': o->path = value; break;
	case 'n': o->count = number(value, REQUESTS_MAX); break;
	case 'c': o->connections = (size_t)number(value, CONNECTIONS_MAX); break;
	case 'i': o->in_flight = (size_t)number(value, CONNECTIONS_MAX); break;
	case 'r': o->rate = number(value, 10 * 1000 * 1000); break;
	case 'b': o->upload = number(value, UINT64_MAX / 4); break;
	case 'e': o->expect = number(value, UINT64_MAX / 4); break;
	case 'f': add_field(o, value); break;
	case 'd': o->deadline_s = number(value, 3600); break;
	case 'h': o->hold = true; break;
	case 'o': o->host = value; break;
	case 't': o->tunnel = value; break;
	default: usage("an unknown option");
	}
}

static void read_options(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
	    {"port", required_argument, NULL, 'p'},
	    {"path", required_argument, NULL, 'u'},
	    {"count", required_argument, NULL, 'n'},
	    {"connections", required_argument, NULL, 'c'},
	    {"in-flight", required_argument, NULL, 'i'},
	    {"rate", required_argument, NULL, 'r'},
	    {"upload", required_argument, NULL, 'b'},
	    {"expect", required_argument, NULL, 'e'},
	    {"field", required_argument, NULL, 'f'},
	    {"deadline", required_argument, NULL, 'd'},
	    {"hold", no_argument, NULL, 'h'},
	    {"host", required_argument, NULL, 'o'},
	    {"connect", required_argument, NULL, 't'},
	    {NULL, 0, NULL, 0},
	};
	int letter;

	*o = (struct options){
	    .connections = 1, .in_flight = CONNECTIONS_MAX, .deadline_s = 60, .host = "bench.example"};
	o->server.sin_family = AF_INET;
	o->server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	while ((letter = getopt_long(argc, argv, "", names, NULL)) != -1)
		set_option(o, letter, optarg);
	if (!o->server.sin_port || !o->path || !o->count || !o->connections || !o->in_flight)
		usage("--port, --path and --count are needed, and no number may be 0");
}

int main(int argc, char **argv)
{
	static struct load load;

	read_options(&load.options, argc, argv);
	memset(block, 'x', sizeof(block));
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); /* due times are a few hundred µs apart */
	prepare(&load);
	run(&load);
	print_summary(&load);
	if (load.options.hold)
		hold_until_input_ends();
	return load.errors ? 1 : 0;
}

#ifndef FUZZ_PLANE_FUZZ_H
#define FUZZ_PLANE_FUZZ_H

/* The whole data plane between a client and an origin that both send whatever
 * the input says, over real sockets on loopback. Besides not crashing:
 *
 *   - what the client receives is a sequence of responses that our own strict
 *     parser accepts, the last of them perhaps cut short;
 *   - every connection is gone, and all memory given back, once both have left.
 *
 * Input: one byte of flags, two bytes length of the client's part, the client's
 * bytes, the origin's bytes. "@@" in the client's bytes stands for the origin's address and port, "@:" for ":" and
 * the port, to stand behind a name that the hosts file has. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/gate.h"

enum {
	FLAG_CLIENT_HALF_CLOSE = 1,
	FLAG_ORIGIN_CLOSE = 2,
	FLAG_ORIGIN_RESET = 4,
	FLAG_SEGMENTED = 8,
	ROUNDS = 40,
	ORIGINS = 8,
	RECEIVED_MAX = 1 << 18,
	CLIENT_MAX = 1 << 17,
	TABLES_MAX = 1 << 20,
};

/* What makes a worker or a gate of it. */
struct plane {
	void (*write_policy)(char *out, size_t room, unsigned front_port, unsigned origin_port);
	bool is_gate; /* then the second listener is the one */
};

static struct loop *loop;
static struct front *front;
static struct settings *settings;
static struct worker_setup setup;
static int origin_listener, origins[ORIGINS], origin_count;
static char received[RECEIVED_MAX];
static size_t received_len;

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "fuzz_exchange: %s (%s)\n", what, strerror(errno));
	abort();
}

static int listen_on(uint16_t *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&in, len) < 0 || listen(fd, 64) < 0 ||
	    getsockname(fd, (struct sockaddr *)&in, &len) < 0)
		die("listen");
	*port = ntohs(in.sin_port);
	return fd;
}

static void *shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static void on_drained(void *context)
{
	(void)context;
}

static uint16_t front_port, origin_port;

static void begin(const struct plane *plane)
{
	static int fds[2] = {-1, -1};
	struct err err = {0};
	char text[2048];
	signal(SIGPIPE, SIG_IGN);
	origin_listener = listen_on(&origin_port);
	fds[plane->is_gate ? 1 : 0] = listen_on(&front_port);
	plane->write_policy(text, sizeof(text), front_port, origin_port);
	struct policy_errors *errors = policy_errors_new();
	settings = settings_load_text(text, NULL, errors);
	if (!settings) {
		struct strbuf out;
		strbuf_init(&out, 65536);
		policy_errors_print(errors, &out);
		die(out.data);
	}
	policy_errors_free(errors);
	loop = loop_new(&err);
	setup = (struct worker_setup){
	    .settings = settings,
	    .is_gate = plane->is_gate,
	    .memory = {.stats = shared(sizeof(struct stats)),
		       .ring = shared(sizeof(struct log_ring)),
		       .census = shared(census_bytes()),
		       .throttle = shared(throttle_bytes()),
		       .egress = shared(sizeof(struct egress_states)),
		       .health = shared(ORIGINS_MAX * sizeof(struct origin_health))},
	    .listen_fds = fds,
	    .log_event_fd = eventfd(0, EFD_NONBLOCK),
	    .adopt_fd = -1,
	    .hand_over_fd = -1,
	    .on_drained = on_drained,
	};
	atomic_store(&setup.memory.stats->slots[0].in_use, 1);
	front = front_new(loop, &setup, &err);
	/* Nobody answers for names there. */
	if (!front || !resolver_set_servers(front->resolver, "127.0.0.1:1", &err) || !front_start(front, &err))
		die(err.text);
}

static void run_loop(void)
{
	struct err err;
	if (!loop_once(loop, 0, &err))
		die(err.text);
}

static void serve_origin(const uint8_t *bytes, size_t len, unsigned flags)
{
	char sink[65536];
	int fd = accept4(origin_listener, NULL, NULL, SOCK_NONBLOCK);
	if (fd >= 0 && origin_count < ORIGINS)
		origins[origin_count++] = fd;
	else if (fd >= 0)
		close(fd);
	for (int i = 0; i < origin_count; i++) {
		if (origins[i] < 0 || recv(origins[i], sink, sizeof(sink), 0) <= 0)
			continue;
		if (send(origins[i], bytes, len, MSG_NOSIGNAL) < 0 && errno != EAGAIN && errno != EPIPE &&
		    errno != ECONNRESET)
			die("send");
		if (flags & FLAG_ORIGIN_RESET) {
			struct linger linger = {1, 0};
			setsockopt(origins[i], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		}
		if (flags & (FLAG_ORIGIN_CLOSE | FLAG_ORIGIN_RESET)) {
			close(origins[i]);
			origins[i] = -1;
		}
	}
}

static int connect_client(void)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_port = htons(front_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct linger linger = {1, 0}; /* no TIME_WAIT: ports would run out */
	sigset_t alarm, before;
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	/* The fuzzer's clock interrupts calls, and a connect that was interrupted is not to be repeated. */
	sigprocmask(SIG_BLOCK, &alarm, &before);
	if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0)
		die("connect");
	sigprocmask(SIG_SETMASK, &before, NULL);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	return fd;
}

/* False: the connection has ended. */
static bool receive(int fd)
{
	ssize_t n = recv(fd, received + received_len, sizeof(received) - received_len, MSG_DONTWAIT);
	if (n > 0)
		received_len += (size_t)n;
	return n > 0 || (n < 0 && errno == EAGAIN);
}

/* Takes the content of one response off; false where it is not whole. */
static bool skip_content(const struct http_head *head, char **at, size_t *left)
{
	size_t len = *left, used = *left;
	enum reason reason;
	struct http_chunked chunked = {0};
	switch (head->framing) {
	case HTTP_FRAMING_LENGTH:
		used = head->content_length < *left ? (size_t)head->content_length : *left;
		break;
	case HTTP_FRAMING_CHUNKED:
		switch (http_chunked_decode(&chunked, *at, &len, &used, &reason)) {
		case HTTP_PARSE_BAD: die("the client got a malformed chunk");
		case HTTP_PARSE_MORE: return false;
		default: break;
		}
		break;
	case HTTP_FRAMING_NONE:
		used = 0;
		break;
	default:
		break;
	}
	*at += used;
	*left -= used;
	return true;
}

/* The requests were a mixture of methods: only where all are GET is it known
 * which responses have content. */
static void check_received(const uint8_t *client, size_t client_len)
{
	static const struct http_limits limits = {HTTP_HEAD_MAX, HTTP_HEAD_MAX, HTTP_FIELDS_MAX, HTTP_HEAD_MAX};
	char *at = received;
	size_t left = received_len;
	if (memmem(client, client_len, "HEAD", 4))
		return;
	while (left > 0) {
		struct http_head head;
		enum reason reason = REASON_UNSET;
		struct span evidence;
		enum http_parse result =
		    http_parse_response(at, left, 0, &limits, HTTP_GET, &head, &reason, &evidence);
		if (result == HTTP_PARSE_BAD)
			die(reason_text(reason));
		if (result == HTTP_PARSE_MORE)
			return;
		at += head.len;
		left -= head.len;
		if (!skip_content(&head, &at, &left))
			return;
	}
}

static void send_client(int fd, const uint8_t *bytes, size_t len, unsigned flags)
{
	size_t first = flags & FLAG_SEGMENTED ? len / 2 : len;
	ssize_t n = send(fd, bytes, first, MSG_NOSIGNAL | MSG_DONTWAIT);
	run_loop();
	run_loop();
	n = first < len ? send(fd, bytes + first, len - first, MSG_NOSIGNAL | MSG_DONTWAIT) : n;
	(void)n; /* refused already: also a way to end */
	if (flags & FLAG_CLIENT_HALF_CLOSE)
		shutdown(fd, SHUT_WR);
}

static void leave(int client)
{
	close(client);
	for (int i = 0; i < origin_count; i++) {
		if (origins[i] >= 0)
			close(origins[i]);
	}
	origin_count = 0;
	struct stats_slot *stats = &setup.memory.stats->slots[0];
	for (int i = 0; i < 1000 && (stats->connections > 0 || stats->origin_open > 0); i++) {
		run_loop();
		int fd = accept(origin_listener, NULL, NULL);
		if (fd >= 0)
			close(fd);
	}
	if (stats->connections > 0 || stats->exchanges > 0 || stats->origin_open > 0)
		die("a connection outlived both peers");
	/* What the gate keeps of hosts and names is bounded, and what leaks is not. */
	uint64_t kept = front->memory.used - front->spare_count * sizeof(struct exchange);
	if (front->gate ? kept > TABLES_MAX : kept != 0)
		die("memory was not given back");
}

/* Puts the origin's address where the input says so. */
static size_t fill_in(const uint8_t *bytes, size_t len, uint8_t *out)
{
	char where[32];
	size_t filled = 0;
	snprintf(where, sizeof(where), "127.0.0.1:%u", origin_port);
	for (size_t i = 0; i < len && filled + sizeof(where) < CLIENT_MAX; i++) {
		char next = i + 1 < len && bytes[i] == '@' ? (char)bytes[i + 1] : '\0';
		if (next != '@' && next != ':') {
			out[filled++] = bytes[i];
			continue;
		}
		const char *text = next == '@' ? where : strchr(where, ':');
		memcpy(out + filled, text, strlen(text));
		filled += strlen(text);
		i++;
	}
	return filled;
}

/* Every input finds the egress origin free. */
static void forget(void)
{
	memset(setup.memory.health, 0, sizeof(struct origin_health));
	if (!front->gate)
		return;
	struct gate_origin *origin = &front->gate->origins[0];
	memset(&origin->own_state, 0, sizeof(origin->own_state));
	origin->use = (struct gate_use){0};
}

static int plane_try(const struct plane *plane, const uint8_t *data, size_t size)
{
	static uint8_t filled[CLIENT_MAX];
	if (!loop)
		begin(plane);
	if (size < 3 || size > 60000)
		return 0;
	unsigned flags = data[0];
	size_t client_len = (size_t)data[1] << 8 | data[2];
	client_len = client_len < size - 3 ? client_len : size - 3;
	const uint8_t *client_bytes = data + 3, *origin_bytes = client_bytes + client_len;
	size_t origin_len = size - 3 - client_len;
	size_t filled_len = fill_in(client_bytes, client_len, filled);
	forget();
	received_len = 0;
	int client = connect_client();
	send_client(client, filled, filled_len, flags);
	for (int i = 0; i < ROUNDS; i++) {
		run_loop();
		serve_origin(origin_bytes, origin_len, flags);
		if (!receive(client))
			break;
	}
	check_received(client_bytes, client_len);
	leave(client);
	return 0;
}

#endif

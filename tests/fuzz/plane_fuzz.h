/* The whole data plane between a client and an origin that both send whatever
 * the input says, over real sockets on loopback. Besides not crashing:
 *
 *   - what the client receives is a sequence of responses that our own strict
 *     parser accepts, the last of them perhaps cut short;
 *   - every connection is gone, and all memory given back, once both have left.
 *
 * Input: one byte of flags, two bytes length of the client's part, the client's
 * bytes, the origin's bytes. */
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

#include "front/front.h"

enum {
	FLAG_CLIENT_HALF_CLOSE = 1,
	FLAG_ORIGIN_CLOSE = 2,
	FLAG_ORIGIN_RESET = 4,
	FLAG_SEGMENTED = 8,
	ROUNDS = 40,
	ORIGINS = 8,
	RECEIVED_MAX = 1 << 18,
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

static uint16_t front_port;

static void begin(void)
{
	static int fds[1];
	struct err err = {0};
	char text[1024];
	uint16_t origin_port;
	signal(SIGPIPE, SIG_IGN);
	origin_listener = listen_on(&origin_port);
	fds[0] = listen_on(&front_port);
	snprintf(text, sizeof(text),
		 "listen = ( { address = \"127.0.0.1:%u\"; } );"
		 "sites = ( { name = \"s\"; hosts = ( \"a.example\" ); origins = ( \"http://127.0.0.1:%u\" );"
		 "shield = { query_findings = { escape_invalid = \"rewrite\"; raw_byte = \"rewrite\"; };"
		 "cookie_findings = { escape_control = \"reject\"; }; field_findings = { escape_double = \"score\"; };"
		 "answers = ( { reasons = ( \"path-above-root\", \"content-too-large\" ); action = \"tarpit\"; },"
		 "{ reasons = ( \"escape-nul\" ); action = \"close\"; } ); limits = { body = \"4 KiB\"; };"
		 "throttle = { per_client = \"100000/s\"; burst = 1000000; strikes = 9; }; }; } );"
		 "default_site = \"s\"; rules = ();",
		 front_port, origin_port);
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
	    .memory = {.stats = shared(sizeof(struct stats)),
		       .ring = shared(sizeof(struct log_ring)),
		       .census = shared(census_bytes()),
		       .throttle = shared(throttle_bytes()),
		       .health = shared(ORIGINS_MAX * sizeof(struct origin_health))},
	    .listen_fds = fds,
	    .log_event_fd = eventfd(0, EFD_NONBLOCK),
	    .adopt_fd = -1,
	    .hand_over_fd = -1,
	    .on_drained = on_drained,
	};
	atomic_store(&setup.memory.stats->slots[0].in_use, 1);
	front = front_new(loop, &setup, &err);
	if (!front || !front_start(front, &err))
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
	if (front->memory.used != front->spare_count * sizeof(struct exchange))
		die("memory was not given back");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!loop)
		begin();
	if (size < 3 || size > 60000)
		return 0;
	unsigned flags = data[0];
	size_t client_len = (size_t)data[1] << 8 | data[2];
	client_len = client_len < size - 3 ? client_len : size - 3;
	const uint8_t *client_bytes = data + 3, *origin_bytes = client_bytes + client_len;
	size_t origin_len = size - 3 - client_len;
	memset(setup.memory.health, 0, sizeof(struct origin_health));
	received_len = 0;
	int client = connect_client();
	send_client(client, client_bytes, client_len, flags);
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

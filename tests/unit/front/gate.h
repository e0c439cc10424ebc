#ifndef TESTS_GATE_H
#define TESTS_GATE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front/guard.h"
#include "sallyport/evidence.h"
#include "sallyport/lifeboat.h"
#include "sallyport/shm.h"

/* A whole worker's data plane with a guarded site, an origin that says what a test wants, and a lifeboat
 * over a folder of contents, in one loop and one thread. */

enum { GATE_ANSWER_MAX = 6 << 20, GATE_PAGES = 16, GATE_ORIGIN_CONNS = 256, GATE_ROUNDS = 20000 };

struct gate_page {
	const char *key;
	const char *fields; /* "Content-Type: text/html\r\n", as the origin sends them */
	const char *content;
	size_t len;
};

struct gate_answer {
	unsigned status;
	char *text;      /* head and content as they came */
	size_t len;
	const char *body;
	size_t body_len;
	bool is_whole;
};

struct gate {
	struct loop *loop;
	struct front *front;
	struct settings *settings;
	struct worker_setup setup;
	struct lifeboat *lifeboat;
	struct site_states *states;
	struct sign_key *key;
	uint64_t baselines;
	int listen_fds[1], origin_fd, channel[2];
	uint16_t port, origin_port;
	char folder[64];

	/* the origin */
	const char *reply;
	size_t reply_len;
	size_t reply_limit;  /* so many bytes a round; 0: all at once */
	bool closes;         /* after its reply */
	bool is_silent;
	int conns[GATE_ORIGIN_CONNS];
	size_t sent[GATE_ORIGIN_CONNS];
	unsigned conn_count;
	unsigned asked;      /* requests it has seen */
	char request[8192];  /* the last one */

	/* the last access record, and how many events */
	struct log_record record;
	char record_bytes[LOG_RECORD_MAX];
	struct span texts[LOG_TEXT_COUNT];
	unsigned events;
};

static inline void gate_die(const char *what)
{
	fprintf(stderr, "gate: %s (%s)\n", what, strerror(errno));
	abort();
}

static inline int gate_listen(uint16_t *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&in, len) < 0 || listen(fd, 256) < 0 ||
	    getsockname(fd, (struct sockaddr *)&in, &len) < 0)
		gate_die("listen");
	*port = ntohs(in.sin_port);
	return fd;
}

static inline void *gate_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		gate_die("mmap");
	return p;
}

static inline void gate_ignore(void *context)
{
	(void)context;
}

static inline struct settings *gate_settings(const struct gate *g, const char *guard, const char *more)
{
	char text[2048];
	snprintf(text, sizeof(text),
		 "listen = ( { address = \"127.0.0.1:%u\"; } );"
		 "sites = ( { name = \"s\"; hosts = ( \"site.example\" ); origins = ( \"http://127.0.0.1:%u\" );"
		 "guard = { mode = \"enforce\"; %s }; } ); rules = (); %s",
		 g->port, g->origin_port, guard, more);
	struct policy_errors *errors = policy_errors_new();
	struct settings *settings = settings_load_text(text, NULL, errors);
	if (!settings) {
		struct strbuf out;
		strbuf_init(&out, 65536);
		policy_errors_print(errors, &out);
		gate_die(out.data);
	}
	policy_errors_free(errors);
	return settings;
}

static inline int gate_contents(struct gate *g)
{
	snprintf(g->folder, sizeof(g->folder), "/tmp/sallyport-gate-XXXXXX");
	if (!mkdtemp(g->folder))
		gate_die("mkdtemp");
	int fd = open(g->folder, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		gate_die(g->folder);
	return fd;
}

static inline void gate_begin_lifeboat(struct gate *g)
{
	struct err err;
	int channel = dup(g->channel[0]), folder = open(g->folder, O_RDONLY | O_DIRECTORY);
	fcntl(channel, F_SETFL, O_NONBLOCK);
	g->lifeboat = lifeboat_new(g->loop, folder, channel, &err);
	if (!g->lifeboat)
		gate_die(err.text);
}

static inline struct gate *gate_new(const char *guard, const char *more)
{
	struct err err = {{0}};
	struct gate *g = calloc(1, sizeof(*g));
	g->origin_fd = gate_listen(&g->origin_port);
	g->listen_fds[0] = gate_listen(&g->port);
	g->settings = gate_settings(g, guard, more);
	g->loop = loop_new(&err);
	g->states = gate_shared(sizeof(struct site_states));
	g->key = sign_key_new(&err);
	const struct site_set kept = {{0}};
	if (site_states_claim(g->states, "s", &kept) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, g->channel) < 0)
		gate_die("set-up");
	close(gate_contents(g));
	g->setup = (struct worker_setup){
	    .settings = g->settings,
	    .memory = {.stats = gate_shared(sizeof(struct stats)),
		       .ring = gate_shared(sizeof(struct log_ring)),
		       .census = gate_shared(census_bytes()),
		       .throttle = gate_shared(throttle_bytes()),
		       .sites = g->states,
		       .nominations = gate_shared(sizeof(struct log_ring)),
		       .health = gate_shared(ORIGIN_SLOTS * sizeof(struct origin_health))},
	    .listen_fds = g->listen_fds,
	    .log_event_fd = eventfd(0, EFD_NONBLOCK),
	    .nomination_event_fd = eventfd(0, EFD_NONBLOCK),
	    .internal_fds = {[INTERNAL_LIFEBOAT] = g->channel[1]},
	    .adopt_fd = -1,
	    .hand_over_fd = -1,
	    .on_drained = gate_ignore,
	};
	g->front = front_new(g->loop, &g->setup, &err);
	if (!g->front || !front_start(g->front, &err))
		gate_die(err.text);
	gate_begin_lifeboat(g);
	return g;
}

static inline void gate_content_path(const struct gate *g, const uint8_t digest[DIGEST_SIZE], char out[256])
{
	char hex[2 * DIGEST_SIZE + 1];
	for (int i = 0; i < DIGEST_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	snprintf(out, 256, "%s/%.2s", g->folder, hex);
	mkdir(out, 0700);
	snprintf(out, 256, "%s/%.2s/%s", g->folder, hex, hex);
}

static inline void gate_store(const struct gate *g, const void *bytes, size_t len)
{
	char path[256];
	uint8_t sum[DIGEST_SIZE];
	digest(bytes, len, sum);
	gate_content_path(g, sum, path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
		gate_die(path);
	close(fd);
}

/* "Name: value\r\n" lines of a page's fields. */
static inline void gate_collect(struct page_collect *collect, const char *fields)
{
	while (*fields) {
		const char *end = strstr(fields, "\r\n");
		struct span line = span_of(fields, (size_t)(end - fields));
		size_t colon = span_find(line, ':');
		page_collect_field(collect, span_of(line.ptr, colon), span_trim_ows(span_from(line, colon + 1)));
		fields = end + 2;
	}
}

/* Versions of one key stand one behind the other, the one to serve first. */
static inline void gate_know(struct gate *g, const struct gate_page *pages, size_t n)
{
	static struct page_collect collect[GATE_PAGES];
	struct baseline_version versions[GATE_PAGES];
	struct err err;
	struct strbuf file;
	uint8_t public_part[SIGN_PUBLIC_SIZE];
	struct baseline_builder *builder = baseline_builder_new(++g->baselines, 1);
	bool ok = builder && baseline_add_site(builder, site_id("s")) &&
		  baseline_add_host(builder, site_id("s"), SPAN("learned.example"));
	for (size_t i = 0; ok && i < n;) {
		size_t count = 0;
		for (; i + count < n && strcmp(pages[i].key, pages[i + count].key) == 0; count++) {
			const struct gate_page *page = &pages[i + count];
			struct baseline_version *v = &versions[count];
			page_collect_begin(&collect[count], 200);
			gate_collect(&collect[count], page->fields);
			*v = (struct baseline_version){
			    .head = collect[count].head, .content_bytes = page->len, .since_s = 1700000000};
			digest(page->content, page->len, v->content);
			page_digest(&v->head, v->content, v->page);
			gate_store(g, page->content, page->len);
		}
		ok = baseline_add_page(builder, site_id("s"), span_from_str(pages[i].key), BASELINE_EXACT,
				       versions, (unsigned)count);
		i += count;
	}
	strbuf_init(&file, 16 << 20);
	if (!ok || !baseline_finish(builder, g->key, &file, &err))
		gate_die("the baseline");
	sign_key_public(g->key, public_part);
	int fd = shm_constant("test-baseline", file.data, file.len, &err);
	front_set_baseline(g->front, fd, file.len, public_part);
	baseline_builder_free(builder);
	strbuf_release(&file);
}

static inline void gate_seal(struct gate *g, enum guard_state state)
{
	for (int i = 0; i < SITE_STATES; i++)
		if (g->states->of[i].id == site_id("s"))
			atomic_store(&g->states->of[i].guard_state, state);
}

static inline void gate_origin_says(struct gate *g, const char *reply, size_t len)
{
	g->reply = reply;
	g->reply_len = len;
}

/* One connection of the origin: reads a request, sends its reply, perhaps slowly. */
static inline void gate_serve_one(struct gate *g, unsigned i)
{
	char in[8192];
	ssize_t n = recv(g->conns[i], in, sizeof(in) - 1, MSG_DONTWAIT);
	if (n == 0) {
		close(g->conns[i]);
		g->conns[i] = -1;
		return;
	}
	if (n > 0) {
		in[n] = '\0';
		memcpy(g->request, in, (size_t)n + 1);
		g->asked++;
		g->sent[i] = g->is_silent ? SIZE_MAX : 0;
	}
	if (g->sent[i] >= g->reply_len)
		return;
	size_t left = g->reply_len - g->sent[i];
	size_t piece = g->reply_limit && g->reply_limit < left ? g->reply_limit : left;
	n = send(g->conns[i], g->reply + g->sent[i], piece, MSG_NOSIGNAL | MSG_DONTWAIT);
	g->sent[i] += n > 0 ? (size_t)n : 0;
	if (g->sent[i] == g->reply_len)
		g->sent[i] = SIZE_MAX;
	if (g->sent[i] == SIZE_MAX && g->closes) {
		close(g->conns[i]);
		g->conns[i] = -1;
	}
}

static inline void gate_serve_origin(struct gate *g)
{
	int fd = accept4(g->origin_fd, NULL, NULL, SOCK_NONBLOCK);
	if (fd >= 0) {
		if (g->conn_count == GATE_ORIGIN_CONNS)
			gate_die("too many connections to the origin");
		g->sent[g->conn_count] = SIZE_MAX;
		g->conns[g->conn_count++] = fd;
	}
	for (unsigned i = 0; i < g->conn_count; i++)
		if (g->conns[i] >= 0)
			gate_serve_one(g, i);
}

static inline void gate_read_log(struct gate *g)
{
	bool damaged;
	size_t len;
	static char bytes[LOG_RECORD_MAX];
	struct log_record record;
	struct span texts[LOG_TEXT_COUNT];
	struct evidence_head kept;
	struct evidence_reader pieces;
	while ((len = log_ring_take(g->setup.memory.ring, bytes, &damaged)) > 0) {
		if (bytes[0] == LOG_RECORD_EVIDENCE) {
			if (!evidence_read(span_of(bytes, len), &kept, &pieces))
				gate_die("a record of evidence");
			continue;
		}
		if (!log_record_unpack(bytes, len, &record, texts))
			gate_die("a log record");
		if (record.kind == LOG_RECORD_EVENT) {
			g->events++;
			continue;
		}
		memcpy(g->record_bytes, bytes, len);
		if (!log_record_unpack(g->record_bytes, len, &g->record, g->texts))
			gate_die("a log record");
	}
}

static inline void gate_round(struct gate *g)
{
	struct err err;
	if (!loop_once(g->loop, 0, &err))
		gate_die(err.text);
	gate_serve_origin(g);
}

static inline int gate_connect(const struct gate *g)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_port = htons(g->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0)
		gate_die("connect");
	return fd;
}

static inline void gate_split(struct gate_answer *answer)
{
	const char *end = answer->text ? strstr(answer->text, "\r\n\r\n") : NULL;
	const char *length = answer->text ? strstr(answer->text, "Content-Length: ") : NULL;
	if (!end)
		return;
	answer->status = (unsigned)strtoul(answer->text + 9, NULL, 10);
	answer->body = end + 4;
	answer->body_len = answer->len - (size_t)(answer->body - answer->text);
	answer->is_whole = length && length < end && strtoul(length + 16, NULL, 10) == answer->body_len;
}

/* Sends a request that closes the connection, and gives all that comes. */
static inline struct gate_answer gate_ask(struct gate *g, const char *method, const char *target,
					  const char *fields)
{
	struct gate_answer answer = {.text = calloc(1, GATE_ANSWER_MAX + 1)};
	char request[8192];
	int n = snprintf(request, sizeof(request),
			 "%s %s HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n%s\r\n", method, target,
			 fields);
	int fd = gate_connect(g);
	if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n)
		gate_die("send");
	for (int i = 0; i < GATE_ROUNDS * 10; i++) {
		gate_round(g);
		ssize_t got = recv(fd, answer.text + answer.len, GATE_ANSWER_MAX - answer.len, MSG_DONTWAIT);
		if (got > 0)
			answer.len += (size_t)got;
		else if (got == 0 || errno != EAGAIN)
			break;
	}
	close(fd);
	for (int i = 0; i < 4; i++)
		gate_round(g);
	gate_split(&answer);
	gate_read_log(g);
	return answer;
}

static inline void gate_forget(struct gate_answer *answer)
{
	free(answer->text);
	*answer = (struct gate_answer){0};
}

static inline void gate_free(struct gate *g)
{
	char command[128];
	struct stats_slot *stats = &g->setup.memory.stats->slots[0];
	for (int i = 0; i < 2000 && (stats->connections > 0 || stats->exchanges > 0); i++)
		gate_round(g);
	if (stats->connections > 0 || stats->exchanges > 0)
		gate_die("a connection outlived its client");
	if (stats->held_bytes > 0)
		gate_die("held bytes are counted though nothing is held");
	front_free(g->front);
	lifeboat_free(g->lifeboat);
	loop_free(g->loop);
	settings_free(g->settings);
	sign_key_free(g->key);
	for (unsigned i = 0; i < g->conn_count; i++)
		if (g->conns[i] >= 0)
			close(g->conns[i]);
	close(g->origin_fd);
	close(g->listen_fds[0]);
	close(g->channel[0]);
	close(g->channel[1]);
	snprintf(command, sizeof(command), "rm -rf %s", g->folder);
	if (system(command) != 0)
		gate_die(command);
	free(g);
}

#endif

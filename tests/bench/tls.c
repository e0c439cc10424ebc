/*
 * tls: a client for measuring TLS handshakes and idle TLS connections, which wrk can do neither of.
 *
 * It makes --count connections one after the other, asks for one page on each, and checks status 200 and
 * the length of the answer. --resume: all but the first resume the session of the one before.
 * --hold: it keeps them open, idle, until standard input ends; otherwise each is closed after its answer.
 * The certificate is not checked: what is measured is the server's work. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_ROOM = 65536 };

struct options {
	struct sockaddr_in server;
	long count, expect;
	bool resume, hold;
	const char *path, *version;
};

struct tally {
	long done, errors, resumed;
	long bytes;
	char first_error[160];
};

static SSL_SESSION *session;

static void die(const char *what)
{
	fprintf(stderr, "tls: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int keep_session(SSL *ssl, SSL_SESSION *made)
{
	(void)ssl;
	SSL_SESSION_free(session);
	session = made;
	return 1;
}

static int dial(const struct sockaddr_in *server)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
	    connect(fd, (const struct sockaddr *)server, sizeof(*server)) != 0)
		die("connect");
	return fd;
}

static SSL *open_tls(SSL_CTX *context, const struct options *o)
{
	SSL *ssl = SSL_new(context);
	if (!ssl || SSL_set_fd(ssl, dial(&o->server)) != 1 || SSL_set_tlsext_host_name(ssl, "bench.example") != 1)
		die("SSL_new");
	if (o->resume && session)
		SSL_set_session(ssl, session);
	return ssl;
}

/* The length of the content, or -1. */
static long read_answer(SSL *ssl)
{
	static char answer[ANSWER_ROOM];
	int len = 0, n;
	while ((n = SSL_read(ssl, answer + len, ANSWER_ROOM - 1 - len)) > 0) {
		len += n;
		answer[len] = '\0';
		const char *end = strstr(answer, "\r\n\r\n"), *field = strcasestr(answer, "\r\ncontent-length:");
		if (!end || !field)
			continue;
		long wanted = strtol(field + 17, NULL, 10), got = answer + len - (end + 4);
		if (got >= wanted)
			return strncmp(answer, "HTTP/1.1 200 ", 13) == 0 ? got : -1;
	}
	return -1;
}

static void fail(struct tally *tally, const char *what)
{
	if (tally->errors++ > 0)
		return;
	const char *why = ERR_reason_error_string(ERR_get_error());
	snprintf(tally->first_error, sizeof(tally->first_error), "%s: %s", what, why ? why : "the connection ended");
}

static void one(SSL *ssl, const struct options *o, struct tally *tally)
{
	char request[512];
	int len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: bench.example\r\n%s\r\n", o->path,
			   o->hold ? "" : "Connection: close\r\n");
	ERR_clear_error();
	tally->done++;
	if (SSL_connect(ssl) != 1) {
		fail(tally, "handshake");
		return;
	}
	tally->resumed += SSL_session_reused(ssl);
	long got = SSL_write(ssl, request, len) == len ? read_answer(ssl) : -1;
	if (got != o->expect)
		fail(tally, "answer");
	tally->bytes += got > 0 ? got : 0;
}

static void end(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);
	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}

static double now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static SSL_CTX *new_context(const struct options *o)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	int version = o->version && strcmp(o->version, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
	if (!context || !SSL_CTX_set_min_proto_version(context, version) ||
	    !SSL_CTX_set_max_proto_version(context, version))
		die("SSL_CTX_new");
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, keep_session);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	return context;
}

static void read_options(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
	    {"port", required_argument, NULL, 'p'},  {"path", required_argument, NULL, 'u'},
	    {"count", required_argument, NULL, 'n'}, {"expect", required_argument, NULL, 'e'},
	    {"version", required_argument, NULL, 'v'}, {"resume", no_argument, NULL, 'r'},
	    {"hold", no_argument, NULL, 'h'},	      {NULL, 0, NULL, 0},
	};
	int letter;
	*o = (struct options){.path = "/", .server = {.sin_family = AF_INET}};
	o->server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	while ((letter = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (letter) {
		case 'p': o->server.sin_port = htons((uint16_t)strtol(optarg, NULL, 10)); break;
		case 'u': o->path = optarg; break;
		case 'n': o->count = strtol(optarg, NULL, 10); break;
		case 'e': o->expect = strtol(optarg, NULL, 10); break;
		case 'v': o->version = optarg; break;
		case 'r': o->resume = true; break;
		case 'h': o->hold = true; break;
		default: exit(2);
		}
	}
	if (!o->server.sin_port || o->count < 1) {
		fprintf(stderr, "tls: --port and --count are needed\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct options o;
	struct tally tally = {0};
	read_options(&o, argc, argv);
	SSL_CTX *context = new_context(&o);
	double start = now();
	char byte;
	for (long i = 0; i < o.count; i++) {
		SSL *ssl = open_tls(context, &o);
		one(ssl, &o, &tally);
		if (!o.hold)
			end(ssl);
	}
	printf("{\"requests\":%ld,\"errors\":%ld,\"first_error\":\"%s\",\"bytes\":%ld,\"seconds\":%.6f,\"resumed\":%ld}\n",
	       tally.done, tally.errors, tally.first_error, tally.bytes, now() - start, tally.resumed);
	fflush(stdout);
	while (o.hold && read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	return tally.errors ? 1 : 0;
}

/* A TLS handshake of any bytes: the reader of server_name, and the whole callback on the ClientHello.
 *
 * Input: one byte of flags, then the bytes: of a server_name extension; or of a ClientHello's body, put
 * into handshake message and record here, so that mutations get past the framing; or of the
 * connection as it stands. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sallyport/tls.h"

#define CERTIFICATES "conf/bad/parts/tls/"

enum { WHAT_NAME = 0, WHAT_HELLO, WHAT_RAW, WHATS, FLAG_REFUSE = 4, HELLO_MAX = 16000, STEPS_MAX = 4 };

static struct tls_server *servers[2]; /* one takes unknown names, the other refuses them */
static struct tls_clients *demand;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void complain(void *context, const char *setting, bool is_warning, const char *text)
{
	(void)context;
	if (!is_warning)
		fprintf(stderr, "%s: %s\n", setting, text);
}

static const struct tls_clients *clients_of(const void *context, struct span name)
{
	(void)context;
	must(name.len <= 253 && !memchr(name.ptr, '\0', name.len));
	return name.len % 2 ? demand : NULL;
}

static void begin(void)
{
	static struct tls_certificate *all[3];
	static const struct tls_reporter reporter = {complain, NULL};
	struct err err = {{0}};
	must(system("tests/make-certificates conf/bad/parts/tls") == 0);
	all[0] = tls_certificate_load(CERTIFICATES "site.pem", CERTIFICATES "site.key", NULL, &reporter);
	all[1] = tls_certificate_load(CERTIFICATES "site-rsa.pem", CERTIFICATES "site-rsa.key", NULL, &reporter);
	all[2] = tls_certificate_load(CERTIFICATES "wild.pem", CERTIFICATES "wild.key", NULL, &reporter);
	demand = tls_clients_load(TLS_DEMAND_OPTIONAL, CERTIFICATES "clients-ca.pem", &err);
	void *tickets = mmap(NULL, tls_tickets_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(all[0] && all[1] && all[2] && demand && tickets != MAP_FAILED);
	for (int i = 0; i < 2; i++) {
		const struct tls_server_setup setup = {.certificates = all,
						       .certificate_count = 3,
						       .profile = TLS_PROFILE_INTERMEDIATE,
						       .refuse_unknown_names = i == 1,
						       .clients_of = clients_of};
		servers[i] = tls_server_new(&setup, &err);
		must(servers[i] != NULL);
		tls_server_use_tickets(servers[i], tls_tickets_of(tickets));
	}
}

static void read_name(const uint8_t *bytes, size_t len)
{
	char name[256], again[256];
	/* a copy of just that size, so that a sanitizer sees a step past its end */
	unsigned char *copy = malloc(len ? len : 1), canonical[5 + 256];
	must(copy != NULL);
	if (len > 0)
		memcpy(copy, bytes, len);
	size_t got = tls_read_server_name(copy, len, name);
	free(copy);
	must(got <= 253);
	if (got == 0)
		return;
	for (size_t i = 0; i < got; i++)
		must(strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.", name[i]) != NULL && name[i]);
	memcpy(canonical, (unsigned char[]){0, (unsigned char)(got + 3), 0, 0, (unsigned char)got}, 5);
	memcpy(canonical + 5, name, got);
	canonical[0] = (unsigned char)((got + 3) >> 8);
	canonical[1] = (unsigned char)(got + 3);
	/* a second trailing dot would go, too: only what ends in none is its own canonical form */
	if (name[got - 1] != '.')
		must(tls_read_server_name(canonical, got + 5, again) == got && strcmp(name, again) == 0);
	(void)tls_server_pick(servers[0], span_of(name, got));
}

static void shake(const struct tls_server *server, const uint8_t *bytes, size_t len)
{
	int fds[2];
	struct stream stream;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
		abort();
	must(stream_init_tls_server(&stream, fds[0], server));
	must(len == 0 || send(fds[1], bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
	shutdown(fds[1], SHUT_WR);
	enum tls_step step = TLS_WAIT;
	for (int i = 0; i < STEPS_MAX && step == TLS_WAIT; i++) {
		step = tls_handshake(&stream);
		stream.wire_empty = false;
	}
	/* nobody can finish a handshake without an answer */
	must(step == TLS_FAILED && tls_fault(&stream).reason != REASON_UNSET && tls_fault(&stream).text);
	stream.ops->close(&stream, len % 2);
	close(fds[1]);
}

static void shake_with_hello(const struct tls_server *server, const uint8_t *body, size_t len)
{
	static uint8_t record[HELLO_MAX + 9];
	len = len < HELLO_MAX ? len : HELLO_MAX;
	const uint8_t head[] = {22, 3, 1, (uint8_t)((len + 4) >> 8), (uint8_t)(len + 4), 1,
				0,  (uint8_t)(len >> 8), (uint8_t)len};
	memcpy(record, head, sizeof(head));
	memcpy(record + sizeof(head), body, len);
	shake(server, record, sizeof(head) + len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!servers[0])
		begin();
	if (size < 1 || size > HELLO_MAX)
		return 0;
	const struct tls_server *server = servers[data[0] & FLAG_REFUSE ? 1 : 0];
	switch ((data[0] & 3) % WHATS) {
	case WHAT_NAME: read_name(data + 1, size - 1); break;
	case WHAT_HELLO: shake_with_hello(server, data + 1, size - 1); break;
	default: shake(server, data + 1, size - 1);
	}
	return 0;
}

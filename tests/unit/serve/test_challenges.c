/* The process that answers ACME challenges, and peers that it cannot trust: connections come by
 * descriptor, whatever else comes is closed, and only plain files of the folder are served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "sallyport/challenge.h"
#include "sallyport/challenges.h"
#include "sallyport/fd_pass.h"
#include "serve/daemon.h"

enum { PATIENCE_MS = 5000, ANSWER_SIZE = 8192 };

static struct {
	char webroot[64];
	int channel[2];
	struct loop *loop;
	struct challenges *challenges;
	struct daemon_thread daemon;
} world;

static void in_folder(const char *name, char path[256])
{
	snprintf(path, 256, "%s/" CHALLENGE_FOLDER "/%s", world.webroot, name);
}

static void put(const char *name, const char *text)
{
	char path[256];
	in_folder(name, path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static int setup(void **state)
{
	struct err err;
	char path[256];
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	snprintf(world.webroot, sizeof(world.webroot), "/tmp/sallyport-acme-XXXXXX");
	assert_non_null(mkdtemp(world.webroot));
	snprintf(path, sizeof(path), "%s/.well-known", world.webroot);
	assert_int_equal(mkdir(path, 0700), 0);
	in_folder("", path);
	assert_int_equal(mkdir(path, 0700), 0);
	put("token", "token.thumbprint");
	in_folder("link", path);
	assert_int_equal(symlink("token", path), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, world.channel), 0);
	world.loop = loop_new(&err);
	world.challenges = challenges_new(world.loop, world.channel[0], world.webroot, &err);
	assert_non_null(world.challenges);
	daemon_start(&world.daemon, world.loop);
	return 0;
}

static int teardown(void **state)
{
	char path[256];
	(void)state;
	daemon_stop(&world.daemon);
	challenges_free(world.challenges);
	loop_free(world.loop);
	close(world.channel[1]);
	in_folder("token", path);
	unlink(path);
	in_folder("link", path);
	unlink(path);
	in_folder("", path);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/.well-known", world.webroot);
	rmdir(path);
	return rmdir(world.webroot);
}

/* One end of a pair whose other end was sent. */
static int connection(void)
{
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_true(fd_send(world.channel[1], ends[1], "", 1));
	close(ends[1]);
	return ends[0];
}

static bool is_readable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	return poll(&poll_fd, 1, PATIENCE_MS) == 1;
}

/* Sends a request that asks for the end, and reads up to it. */
static void ask(const char *method, const char *target, char answer[ANSWER_SIZE])
{
	char request[512];
	int fd = connection();
	size_t len = 0;
	int n = snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
			 method, target);
	assert_int_equal(write(fd, request, (size_t)n), n);
	for (;;) {
		assert_true(is_readable(fd));
		ssize_t got = read(fd, answer + len, ANSWER_SIZE - 1 - len);
		assert_true(got >= 0);
		if (got == 0)
			break;
		len += (size_t)got;
	}
	answer[len] = '\0';
	close(fd);
}

static void tokens_are_served_and_nothing_else(void **state)
{
	(void)state;
	static const struct {
		const char *method, *target, *status;
	} rows[] = {
	    {"GET", "/.well-known/acme-challenge/token", "200"},
	    {"HEAD", "/.well-known/acme-challenge/token", "200"},
	    {"GET", "/.well-known/acme-challenge/token?x=/../..", "200"},
	    {"POST", "/.well-known/acme-challenge/token", "405"},
	    {"GET", "/.well-known/acme-challenge/other", "404"},
	    {"GET", "/.well-known/acme-challenge/link", "404"},
	    {"GET", "/.well-known/acme-challenge/", "404"},
	    {"GET", "/.well-known/acme-challenge/..", "404"},
	    {"GET", "/.well-known/acme-challenge/%74oken", "404"},
	    {"GET", "/.well-known/acme-challenge/../acme-challenge/token", "404"},
	    {"GET", "/", "404"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char answer[ANSWER_SIZE];
		ask(rows[i].method, rows[i].target, answer);
		if (strncmp(answer + strlen("HTTP/1.1 "), rows[i].status, 3) != 0)
			fail_msg("%s %s: %s", rows[i].method, rows[i].target, answer);
		bool has_content = strstr(answer, "\r\n\r\ntoken.thumbprint") != NULL;
		assert_int_equal(has_content, strcmp(rows[i].method, "GET") == 0 && rows[i].status[0] == '2');
	}
}

/* The process lets go of what is no connection, and goes on. */
static void what_is_no_connection_is_closed(void **state)
{
	(void)state;
	int pair[2], datagrams[2];
	char byte, answer[ANSWER_SIZE];
	assert_int_equal(pipe(pair), 0);
	assert_true(fd_send(world.channel[1], pair[1], "", 1));
	close(pair[1]);
	assert_true(is_readable(pair[0]));
	assert_int_equal(read(pair[0], &byte, 1), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, datagrams), 0);
	assert_true(fd_send(world.channel[1], datagrams[1], "", 1));
	close(datagrams[1]);
	assert_true(is_readable(datagrams[0]));
	assert_int_equal(read(datagrams[0], &byte, 1), 0);
	assert_int_equal(send(world.channel[1], "", 1, 0), 1);
	assert_int_equal(send(world.channel[1], "abc", 3, 0), 3);
	ask("GET", "/.well-known/acme-challenge/token", answer);
	assert_non_null(strstr(answer, "200 OK"));
	close(pair[0]);
	close(datagrams[0]);
}

static void a_webroot_that_is_none_is_an_error(void **state)
{
	(void)state;
	struct err err;
	int ends[2];
	struct loop *loop = loop_new(&err);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_null(challenges_new(loop, ends[0], "/does/not/exist", &err));
	assert_string_equal(err.text, "acme_webroot: cannot open /does/not/exist: No such file or directory");
	assert_int_equal(fcntl(ends[0], F_GETFD), -1);
	assert_int_equal(errno, EBADF);
	close(ends[1]);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(tokens_are_served_and_nothing_else, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_no_connection_is_closed, setup, teardown),
	    cmocka_unit_test(a_webroot_that_is_none_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

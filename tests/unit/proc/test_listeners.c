/* Listening sockets change in two phases, and what fails leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/listeners.h"

static struct listeners listeners;

static int clean(void **state)
{
	(void)state;
	listeners_release(&listeners);
	return 0;
}

static struct addr address(const char *text)
{
	struct addr addr;
	struct err err;
	assert_true(addr_parse(span_from_str(text), &addr, &err));
	return addr;
}

/* A port that was free a moment ago: bound, read and let go. */
static struct addr free_address(void)
{
	struct addr addr = address("127.0.0.1:0");
	struct err err;
	struct addr bound;
	int fd = listener_open(&addr, &err);
	assert_true(fd >= 0);
	assert_true(listener_address(fd, &bound));
	close(fd);
	return bound;
}

static bool answers(const struct addr *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = connect(fd, &addr->u.sa, addr_len(addr)) == 0;
	close(fd);
	return ok;
}

static void commit_keeps_what_is_wanted_and_closes_the_rest(void **state)
{
	(void)state;
	struct err err;
	struct addr both[2] = {free_address(), free_address()};
	assert_true(listeners_prepare(&listeners, both, 2, &err));
	listeners_commit(&listeners);
	int kept = listeners_fd(&listeners, &both[1]);
	assert_true(listeners_prepare(&listeners, &both[1], 1, &err));
	assert_true(answers(&both[0]));
	listeners_commit(&listeners);
	assert_int_equal(listeners_fd(&listeners, &both[1]), kept);
	assert_int_equal(listeners_fd(&listeners, &both[0]), -1);
	assert_false(answers(&both[0]));
	assert_true(answers(&both[1]));
}

static void rollback_leaves_what_was(void **state)
{
	(void)state;
	struct err err;
	struct addr old = free_address(), new = free_address();
	assert_true(listeners_prepare(&listeners, &old, 1, &err));
	listeners_commit(&listeners);
	assert_true(listeners_prepare(&listeners, &new, 1, &err));
	assert_true(answers(&new));
	listeners_rollback(&listeners);
	assert_int_equal(listeners.n, 1);
	assert_true(answers(&old));
	assert_false(answers(&new));
	listeners_commit(&listeners);
	assert_true(answers(&old));
}

static void one_that_fails_takes_back_those_before_it(void **state)
{
	(void)state;
	struct err err = {{0}};
	struct addr good = free_address(), taken = free_address();
	int holder = listener_open(&taken, &err);
	assert_true(holder >= 0);
	const struct addr both[2] = {good, taken};
	assert_false(listeners_prepare(&listeners, both, 2, &err));
	assert_int_equal(listeners.n, 0);
	assert_false(answers(&good));
	close(holder);
}

static void the_same_address_twice_is_one_socket(void **state)
{
	(void)state;
	struct err err;
	struct addr addr = free_address();
	const struct addr twice[2] = {addr, addr};
	assert_true(listeners_prepare(&listeners, twice, 2, &err));
	assert_int_equal(listeners.n, 1);
}

static void an_error_names_the_address_and_what_to_do(void **state)
{
	(void)state;
	struct err err = {{0}};
	struct addr taken = free_address();
	char text[ADDR_TEXT_SIZE];
	int holder = listener_open(&taken, &err);
	assert_true(holder >= 0);
	assert_int_equal(listener_open(&taken, &err), -1);
	addr_format(&taken, text);
	assert_non_null(strstr(err.text, text));
	assert_non_null(strstr(err.text, "--listen"));
	close(holder);
	struct addr foreign = address("192.0.2.1:8080");
	assert_int_equal(listener_open(&foreign, &err), -1);
	assert_non_null(strstr(err.text, "192.0.2.1:8080"));
	assert_non_null(strstr(err.text, "no such address"));
}

static void any_address_takes_ipv4_too(void **state)
{
	(void)state;
	struct err err;
	struct addr any = address(":0"), bound;
	int fd = listener_open(&any, &err);
	assert_true(fd >= 0);
	assert_true(listener_address(fd, &bound));
	struct addr loopback = address("127.0.0.1:1");
	loopback.u.in4.sin_port = htons(addr_port(&bound));
	assert_true(answers(&loopback));
	close(fd);
}

static void packets_have_a_port_of_their_own(void **state)
{
	(void)state;
	struct err err = {{0}};
	struct listeners datagrams = {.are_datagram = true};
	struct addr addr = free_address();
	assert_true(listeners_prepare(&listeners, &addr, 1, &err));
	assert_true(listeners_prepare(&datagrams, &addr, 1, &err));
	int fd = listeners_fd(&datagrams, &addr), sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char byte = 0;
	assert_int_equal(sendto(sender, "x", 1, 0, &addr.u.sa, addr_len(&addr)), 1);
	assert_int_equal(recv(fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(listener_open_datagram(&addr, &err), -1);
	assert_non_null(strstr(err.text, "in use"));
	close(sender);
	listeners_release(&datagrams);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(commit_keeps_what_is_wanted_and_closes_the_rest, clean),
	    cmocka_unit_test_teardown(rollback_leaves_what_was, clean),
	    cmocka_unit_test_teardown(one_that_fails_takes_back_those_before_it, clean),
	    cmocka_unit_test_teardown(the_same_address_twice_is_one_socket, clean),
	    cmocka_unit_test(an_error_names_the_address_and_what_to_do),
	    cmocka_unit_test(any_address_takes_ipv4_too),
	    cmocka_unit_test_teardown(packets_have_a_port_of_their_own, clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

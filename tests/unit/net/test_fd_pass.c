/* Descriptors over a channel: whole, of the right length, and never more than was asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "sallyport/fd_pass.h"

static int channel[2];

static int open_channel(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, channel);
}

static int close_channel(void **state)
{
	(void)state;
	close(channel[0]);
	close(channel[1]);
	return 0;
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;
	DIR *dir = opendir("/proc/self/fd");
	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void a_descriptor_arrives_with_its_message(void **state)
{
	(void)state;
	int ends[2];
	char message[4] = "";
	assert_int_equal(pipe(ends), 0);
	assert_true(fd_send(channel[0], ends[1], "abc", 4));
	int fd = fd_receive(channel[1], message, sizeof(message));
	assert_true(fd >= 0);
	assert_string_equal(message, "abc");
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(ends[0], message, 1), 1);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

static void nothing_waits(void **state)
{
	(void)state;
	char byte;
	assert_int_equal(fd_receive(channel[1], &byte, 1), FD_NONE);
	unsigned sent = 0;
	while (sent < 100000 && fd_send(channel[0], 0, "x", 1))
		sent++;
	assert_true(sent > 0 && sent < 100000);
}

static void the_end_of_a_channel_is_no_message(void **state)
{
	(void)state;
	char byte;
	shutdown(channel[0], SHUT_WR);
	assert_int_equal(fd_receive(channel[1], &byte, 1), FD_NONE);
}

static void messages_of_another_length_are_thrown_away(void **state)
{
	(void)state;
	char message[4];
	unsigned before = open_descriptors();
	assert_true(fd_send(channel[0], 0, "abc", 3));
	assert_true(fd_send(channel[0], 0, "abcde", 5));
	assert_int_equal(send(channel[0], "abcd", 4, 0), 4);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(fd_receive(channel[1], message, sizeof(message)), FD_BAD);
	assert_int_equal(fd_receive(channel[1], message, sizeof(message)), FD_NONE);
	assert_int_equal(open_descriptors(), before);
}

static void of_several_descriptors_one_is_taken(void **state)
{
	(void)state;
	char byte = 'x';
	union {
		char bytes[CMSG_SPACE(3 * sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	*cmsg = (struct cmsghdr){.cmsg_len = CMSG_LEN(3 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memset(CMSG_DATA(cmsg), 0, 3 * sizeof(int));
	unsigned before = open_descriptors();
	assert_int_equal(sendmsg(channel[0], &msg, 0), 1);
	int fd = fd_receive(channel[1], &byte, 1);
	assert_true(fd >= 0);
	assert_int_equal(open_descriptors(), before + 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_descriptor_arrives_with_its_message, open_channel, close_channel),
	    cmocka_unit_test_setup_teardown(nothing_waits, open_channel, close_channel),
	    cmocka_unit_test_setup_teardown(the_end_of_a_channel_is_no_message, open_channel, close_channel),
	    cmocka_unit_test_setup_teardown(messages_of_another_length_are_thrown_away, open_channel, close_channel),
	    cmocka_unit_test_setup_teardown(of_several_descriptors_one_is_taken, open_channel, close_channel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

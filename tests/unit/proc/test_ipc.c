/* Messages between our processes: what is sent arrives, and what no peer of ours would
 * send is found out. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/ipc.h"

static struct ipc_message message;

static int open_pair(void **state)
{
	static int ends[2];
	struct err err;
	*state = ends;
	return ipc_pair(ends, &err) ? 0 : -1;
}

static int close_pair(void **state)
{
	const int *ends = *state;
	ipc_release(&message);
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	return 0;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void message_arrives_with_its_type_and_bytes(void **state)
{
	const int *ends = *state;
	struct err err;
	assert_true(ipc_send(ends[0], 7, "a\0b", 3, NULL, 0, &err));
	assert_int_equal(ipc_receive(ends[1], &message), IPC_GOT);
	assert_int_equal(message.type, 7);
	assert_int_equal(message.len, 3);
	assert_memory_equal(message.payload, "a\0b", 4);
	assert_int_equal(ipc_receive(ends[1], &message), IPC_NONE);
}

static void empty_and_largest_message_arrive(void **state)
{
	static char large[IPC_PAYLOAD_MAX];
	const int *ends = *state;
	struct err err;
	memset(large, 'x', sizeof(large));
	assert_true(ipc_send(ends[0], 1, NULL, 0, NULL, 0, &err));
	assert_true(ipc_send(ends[0], 2, large, sizeof(large), NULL, 0, &err));
	assert_int_equal(ipc_receive(ends[1], &message), IPC_GOT);
	assert_int_equal(message.len, 0);
	assert_int_equal(ipc_receive(ends[1], &message), IPC_GOT);
	assert_int_equal(message.len, sizeof(large));
	assert_memory_equal(message.payload, large, sizeof(large));
}

static void oversize_message_is_not_sent(void **state)
{
	static char large[IPC_PAYLOAD_MAX + 1];
	const int *ends = *state;
	struct err err = {{0}};
	assert_false(ipc_send(ends[0], 2, large, sizeof(large), NULL, 0, &err));
	assert_non_null(strstr(err.text, "too large"));
	assert_int_equal(ipc_receive(ends[1], &message), IPC_NONE);
}

static void descriptors_arrive_close_on_exec_and_untaken_ones_are_closed(void **state)
{
	const int *ends = *state;
	struct err err;
	const int sent[2] = {STDIN_FILENO, STDERR_FILENO};
	assert_true(ipc_send(ends[0], 1, "x", 1, sent, 2, &err));
	assert_int_equal(ipc_receive(ends[1], &message), IPC_GOT);
	assert_int_equal(message.n_fds, 2);
	int left = message.fds[1];
	int taken = ipc_take_fd(&message, 0);
	assert_true(fcntl(taken, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(ipc_take_fd(&message, 0), -1);
	assert_int_equal(ipc_take_fd(&message, 2), -1);
	ipc_release(&message);
	assert_true(is_open(taken));
	assert_false(is_open(left));
	close(taken);
}

static void most_descriptors_arrive_and_one_more_is_not_sent(void **state)
{
	const int *ends = *state;
	struct err err;
	int many[IPC_FDS_MAX + 1];
	for (size_t i = 0; i <= IPC_FDS_MAX; i++)
		many[i] = STDERR_FILENO;
	assert_false(ipc_send(ends[0], 1, NULL, 0, many, IPC_FDS_MAX + 1, &err));
	assert_true(ipc_send(ends[0], 1, NULL, 0, many, IPC_FDS_MAX, &err));
	assert_int_equal(ipc_receive(ends[1], &message), IPC_GOT);
	assert_int_equal(message.n_fds, IPC_FDS_MAX);
}

static void peers_end_is_seen(void **state)
{
	int *ends = *state;
	struct err err = {{0}};
	assert_true(ipc_send(ends[0], 1, NULL, 0, NULL, 0, &err));
	close(ends[0]);
	ends[0] = -1;
	assert_int_equal(ipc_receive(ends[1], &message), IPC_GOT);
	assert_int_equal(ipc_receive(ends[1], &message), IPC_EOF);
	assert_false(ipc_send(ends[1], 1, NULL, 0, NULL, 0, &err));
	assert_int_not_equal(err.text[0], 0);
}

static void send_raw(int fd, const void *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, 0), (ssize_t)len);
}

static void bytes_that_are_no_message_are_found_out(void **state)
{
	static char large[IPC_PAYLOAD_MAX + 64];
	const int *ends = *state;
	const uint32_t too_long[3] = {1, 100, 0}, too_short[3] = {1, 0, 0};
	const struct {
		const void *bytes;
		size_t len;
	} inputs[] = {
	    {"x", 1}, {too_long, 7}, {too_long, 12}, {too_short, 12}, {large, sizeof(large)}};
	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
		send_raw(ends[0], inputs[i].bytes, inputs[i].len);
		assert_int_equal(ipc_receive(ends[1], &message), IPC_BROKEN);
	}
}

/* A captured peer sends more descriptors than any message of ours has. */
static void surplus_descriptors_do_not_stay_open(void **state)
{
	const int *ends = *state;
	struct err err;
	char control[CMSG_SPACE(sizeof(int) * 200)] = {0};
	uint32_t header[2] = {1, 0};
	struct iovec iov = {header, sizeof(header)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int) * 200);
	for (size_t i = 0; i < 200; i++) {
		int fd = STDERR_FILENO;
		memcpy(CMSG_DATA(cmsg) + i * sizeof(fd), &fd, sizeof(fd));
	}
	int before = dup(STDERR_FILENO);
	close(before);
	assert_int_equal(sendmsg(ends[0], &msg, 0), sizeof(header));
	assert_int_equal(ipc_receive(ends[1], &message), IPC_BROKEN);
	ipc_release(&message);
	int after = dup(STDERR_FILENO);
	assert_int_equal(after, before);
	close(after);
	assert_true(ipc_send(ends[0], 1, NULL, 0, NULL, 0, &err));
	assert_int_equal(ipc_receive(ends[1], &message), IPC_GOT);
}

static void peer_that_does_not_read_is_an_error_and_no_wait(void **state)
{
	static char large[IPC_PAYLOAD_MAX];
	const int *ends = *state;
	struct err err = {{0}};
	unsigned sent = 0;
	while (sent < 1000 && ipc_send(ends[0], 1, large, sizeof(large), NULL, 0, &err))
		sent++;
	assert_in_range(sent, 1, 999);
}

static void payload_of_another_size_is_none(void **state)
{
	const int *ends = *state;
	struct err err;
	assert_true(ipc_send(ends[0], 1, "abcd", 4, NULL, 0, &err));
	assert_int_equal(ipc_receive(ends[1], &message), IPC_GOT);
	assert_non_null(ipc_payload(&message, 4));
	assert_null(ipc_payload(&message, 3));
	assert_null(ipc_payload(&message, 5));
}

static void waiting_ends_with_the_time_or_a_message(void **state)
{
	const int *ends = *state;
	struct err err;
	assert_int_equal(ipc_wait(ends[1], &message, 1), IPC_NONE);
	assert_true(ipc_send(ends[0], 9, NULL, 0, NULL, 0, &err));
	assert_int_equal(ipc_wait(ends[1], &message, -1), IPC_GOT);
	assert_int_equal(message.type, 9);
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_PAIR(message_arrives_with_its_type_and_bytes),
	    WITH_PAIR(empty_and_largest_message_arrive),
	    WITH_PAIR(oversize_message_is_not_sent),
	    WITH_PAIR(descriptors_arrive_close_on_exec_and_untaken_ones_are_closed),
	    WITH_PAIR(most_descriptors_arrive_and_one_more_is_not_sent),
	    WITH_PAIR(peers_end_is_seen),
	    WITH_PAIR(bytes_that_are_no_message_are_found_out),
	    WITH_PAIR(surplus_descriptors_do_not_stay_open),
	    WITH_PAIR(peer_that_does_not_read_is_an_error_and_no_wait),
	    WITH_PAIR(payload_of_another_size_is_none),
	    WITH_PAIR(waiting_ends_with_the_time_or_a_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Answers of the kernel: those of this very question, whatever an older one is still told, and nothing beyond their end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "egress/kernel_netlink.h"

enum { KIND = 77, ATTRIBUTE = 1 };

/* What the kernel's end says to a question: `late` is by how many questions it is too late, after_end how many bytes
 * more its head promises than there are. */
struct saying {
	uint16_t type, flags;
	uint32_t late, value, after_end;
};

struct kernel {
	int fd;
	const struct saying *says;
	size_t n;
};

struct message {
	struct nlmsghdr head;
	uint32_t fixed;
	struct nlattr attribute;
	uint32_t value;
};

static void say(int fd, const struct saying *saying, uint32_t number)
{
	struct message message = {
	    .head = {.nlmsg_len = sizeof(message) + saying->after_end, .nlmsg_type = saying->type, .nlmsg_flags = saying->flags,
		 .nlmsg_seq = number - saying->late},
	    .fixed = saying->type == NLMSG_ERROR ? (uint32_t)-(int)saying->value : 0,
	    .attribute = {.nla_len = sizeof(struct nlattr) + 4, .nla_type = ATTRIBUTE},
	    .value = saying->value,
	};
	assert_int_equal(send(fd, &message, sizeof(message), 0), sizeof(message));
}

static void *answer(void *context)
{
	struct kernel *kernel = context;
	struct nlmsghdr question;
	assert_true(recv(kernel->fd, &question, sizeof(question), 0) == sizeof(question));
	for (size_t i = 0; i < kernel->n; i++)
		say(kernel->fd, &kernel->says[i], question.nlmsg_seq);
	return NULL;
}

static void keep(void *context, const char *header, const char *attributes, size_t len)
{
	uint32_t *sum = context, value = 0;
	size_t value_len;
	const char *at = netlink_find(attributes, len, ATTRIBUTE, &value_len);
	(void)header;
	if (at && value_len == sizeof(value))
		memcpy(&value, at, sizeof(value));
	*sum += value;
}

/* The sum of what was taken for an answer; -1 where there was none. */
static long ask(const struct saying *says, size_t n)
{
	int ends[2];
	const uint32_t fixed = 0;
	uint32_t sum = 0;
	struct netlink_question question;
	struct kernel kernel = {.says = says, .n = n};
	const struct netlink_reader reader = {.type = KIND, .header_len = sizeof(fixed), .each = keep, .context = &sum};
	const struct timeval wait = {.tv_usec = 100000};
	pthread_t other;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	kernel.fd = ends[1];
	assert_int_equal(pthread_create(&other, NULL, answer, &kernel), 0);
	netlink_begin(&question, KIND, NLM_F_ACK, &fixed, sizeof(fixed));
	bool is_answered = netlink_talk(ends[0], &question, &reader);
	pthread_join(other, NULL);
	close(ends[0]);
	close(ends[1]);
	return is_answered ? (long)sum : -1;
}

#define ASK(...) ask((const struct saying[]){__VA_ARGS__}, sizeof((const struct saying[]){__VA_ARGS__}) / sizeof(struct saying))

static void the_answer_is_read_to_its_end(void **state)
{
	(void)state;
	assert_int_equal(ASK({.type = KIND, .value = 5}, {.type = KIND + 1, .value = 100}, {.type = KIND, .value = 6}, {.type = NLMSG_DONE}),
			 11);
	assert_int_equal(ASK({.type = KIND, .value = 5}, {.type = NLMSG_ERROR}), 5);
}

static void what_an_older_question_is_told_is_passed_over(void **state)
{
	(void)state;
	assert_int_equal(ASK({.type = KIND, .late = 1, .value = 100}, {.type = NLMSG_DONE, .late = 1}, {.type = KIND, .value = 5},
			     {.type = NLMSG_DONE}), 5);
	assert_int_equal(ASK({.type = NLMSG_ERROR, .late = 2, .value = EPERM}, {.type = NLMSG_ERROR, .late = 1},
			     {.type = KIND, .value = 7}, {.type = NLMSG_ERROR}), 7);
	/* and is no answer to this one, where nothing else comes */
	assert_int_equal(ASK({.type = KIND, .late = 1, .value = 100}, {.type = NLMSG_DONE, .late = 1}), -1);
}

static void an_error_is_told(void **state)
{
	(void)state;
	errno = 0;
	assert_int_equal(ASK({.type = NLMSG_ERROR, .value = ENODEV}), -1);
	assert_int_equal(errno, ENODEV);
}

static void what_changes_meanwhile_is_told_to_be_incomplete(void **state)
{
	(void)state;
	assert_int_equal(ASK({.type = KIND, .value = 5, .flags = NLM_F_DUMP_INTR}, {.type = NLMSG_DONE}), -1);
	assert_int_equal(errno, EINTR);
	assert_int_equal(ASK({.type = KIND, .value = 5}, {.type = NLMSG_DONE, .flags = NLM_F_DUMP_INTR}), -1);
	assert_int_equal(errno, EINTR);
	assert_int_equal(ASK({.type = KIND, .value = 5}, {.type = NLMSG_DONE}), 5);
}

static void a_message_that_is_longer_than_it_is_ends_it(void **state)
{
	(void)state;
	assert_int_equal(ASK({.type = KIND, .value = 5, .after_end = 1}, {.type = NLMSG_DONE}), -1);
	assert_int_equal(errno, EPROTO);
}

/* The kernel itself, which numbers its answers like the question. */
static void the_kernel_answers(void **state)
{
	const struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
	struct err err = {{0}};
	uint32_t sum = 0;
	struct netlink_question question;
	const struct netlink_reader reader = {.type = RTM_NEWLINK, .header_len = sizeof(header), .each = keep, .context = &sum};
	int fd = netlink_open(NETLINK_ROUTE, &err);
	(void)state;
	assert_true(fd >= 0);
	for (int i = 0; i < 3; i++) {
		netlink_begin(&question, RTM_GETLINK, NLM_F_DUMP, &header, sizeof(header));
		assert_true(netlink_talk(fd, &question, &reader));
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_answer_is_read_to_its_end),
	    cmocka_unit_test(what_an_older_question_is_told_is_passed_over),
	    cmocka_unit_test(an_error_is_told),
	    cmocka_unit_test(what_changes_meanwhile_is_told_to_be_incomplete),
	    cmocka_unit_test(a_message_that_is_longer_than_it_is_ends_it),
	    cmocka_unit_test(the_kernel_answers),
	};
	return cmocka_run_group_tests_name("kernel_netlink", tests, NULL, NULL);
}

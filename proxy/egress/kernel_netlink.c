/* See kernel_netlink.h. */
#include "egress/kernel_netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ANSWER_BYTES = 65536, WAIT_S = 2 };

static const size_t message_head = (sizeof(struct nlmsghdr) + 3) & ~(size_t)3;
static const size_t attribute_head = (sizeof(struct nlattr) + 3) & ~(size_t)3;

static size_t aligned(size_t len)
{
	return (len + NLMSG_ALIGNTO - 1) & ~((size_t)NLMSG_ALIGNTO - 1);
}

int netlink_open(int protocol, struct err *err)
{
	struct timeval wait = {.tv_sec = WAIT_S};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0)
		return fd;
	err_set(err, "cannot speak netlink with the kernel: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

void netlink_begin(struct netlink_question *question, uint16_t type, uint16_t flags, const void *header, size_t len)
{
	memset(question, 0, sizeof(*question));
	question->head.nlmsg_type = type;
	question->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	memcpy(question->bytes, header, len);
	question->head.nlmsg_len = (uint32_t)(message_head + aligned(len));
}

void netlink_add(struct netlink_question *question, uint16_t type, const void *value, size_t len)
{
	struct nlattr attribute = {.nla_len = (uint16_t)(attribute_head + len), .nla_type = type};
	size_t used = question->head.nlmsg_len - message_head;
	if (used + attribute_head + aligned(len) > sizeof(question->bytes))
		return; /* the kernel refuses a question without it */
	memcpy(question->bytes + used, &attribute, sizeof(attribute));
	memcpy(question->bytes + used + attribute_head, value, len);
	question->head.nlmsg_len += (uint32_t)(attribute_head + aligned(len));
}

const char *netlink_find(const char *bytes, size_t len, unsigned type, size_t *value_len)
{
	while (len >= attribute_head) {
		struct nlattr attribute;
		memcpy(&attribute, bytes, sizeof(attribute));
		if (attribute.nla_len < attribute_head || attribute.nla_len > len)
			return NULL;
		*value_len = attribute.nla_len - attribute_head;
		if ((attribute.nla_type & NLA_TYPE_MASK) == type)
			return bytes + attribute_head;
		size_t step = aligned(attribute.nla_len);
		if (step > len)
			return NULL;
		bytes += step;
		len -= step;
	}
	return NULL;
}

/* Each question has a number of its own, which its answers bear. What an older one was still told, that was given up,
 * is passed over, and so is what somebody else than the kernel sends. */
static uint32_t last_number;
static bool has_changed; /* what is told, while it was told */

enum answer { ANSWER_MORE, ANSWER_DONE, ANSWER_ERROR };

static enum answer end_of(const char *payload, size_t len)
{
	int error = 0;
	if (len >= sizeof(error))
		memcpy(&error, payload, sizeof(error));
	errno = -error;
	return error == 0 ? ANSWER_DONE : ANSWER_ERROR;
}

static enum answer take_message(const struct netlink_reader *reader, const struct nlmsghdr *head, const char *payload,
				size_t len)
{
	const size_t header = aligned(reader->header_len);
	if (head->nlmsg_seq != last_number)
		return ANSWER_MORE;
	if (head->nlmsg_flags & NLM_F_DUMP_INTR)
		has_changed = true;
	if (head->nlmsg_type == NLMSG_DONE)
		return ANSWER_DONE;
	if (head->nlmsg_type == NLMSG_ERROR)
		return end_of(payload, len);
	if (head->nlmsg_type == reader->type && len >= header)
		reader->each(reader->context, payload, payload + header, len - header);
	return ANSWER_MORE;
}

static enum answer take_packet(const struct netlink_reader *reader, const char *bytes, size_t len)
{
	while (len >= message_head) {
		struct nlmsghdr head;
		memcpy(&head, bytes, sizeof(head));
		if (head.nlmsg_len < message_head || head.nlmsg_len > len) {
			errno = EPROTO;
			return ANSWER_ERROR;
		}
		enum answer answer = take_message(reader, &head, bytes + message_head, head.nlmsg_len - message_head);
		size_t step = aligned(head.nlmsg_len);
		if (answer != ANSWER_MORE || step >= len)
			return answer;
		bytes += step;
		len -= step;
	}
	return ANSWER_MORE;
}

static ssize_t hear(int fd, char *bytes, size_t room)
{
	struct sockaddr_nl from = {0};
	socklen_t from_len = sizeof(from);
	ssize_t len = recvfrom(fd, bytes, room, 0, (struct sockaddr *)&from, &from_len);
	return len > 0 && from.nl_pid != 0 ? 0 : len;
}

bool netlink_talk(int fd, struct netlink_question *question, const struct netlink_reader *reader)
{
	static _Alignas(struct nlmsghdr) char bytes[ANSWER_BYTES];
	enum answer answer = ANSWER_MORE;
	question->head.nlmsg_seq = ++last_number;
	has_changed = false;
	if (send(fd, question, question->head.nlmsg_len, 0) != (ssize_t)question->head.nlmsg_len)
		return false;
	while (answer == ANSWER_MORE) {
		ssize_t len = hear(fd, bytes, sizeof(bytes));
		answer = len < 0 ? ANSWER_ERROR : take_packet(reader, bytes, (size_t)len);
	}
	if (answer == ANSWER_DONE && has_changed)
		errno = EINTR;
	return answer == ANSWER_DONE && !has_changed;
}

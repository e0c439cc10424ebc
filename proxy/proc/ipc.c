/* Messages between our own processes. See ipc.h. It checks lengths and counts and
 * closes what was not asked for; what a payload means is its reader's affair. */
#include "proc/ipc.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ipc_header {
	uint32_t type;
	uint32_t len;
};

union fd_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
};

bool ipc_pair(int fds[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0)
		return true;
	return err_set(err, "cannot make a socket pair: %s", strerror(errno));
}

static void attach_fds(struct msghdr *msg, union fd_control *control, const int *fds, unsigned n)
{
	memset(control, 0, sizeof(*control));
	msg->msg_control = control->bytes;
	msg->msg_controllen = CMSG_SPACE(sizeof(int) * n);
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * n);
}

bool ipc_send(int fd, uint32_t type, const void *payload, size_t len, const int *fds,
	      unsigned n_fds, struct err *err)
{
	errno = EMSGSIZE;
	if (len > IPC_PAYLOAD_MAX || n_fds > IPC_FDS_MAX)
		return err_set(err, "message %u is too large: %zu bytes, %u descriptors", type, len,
			       n_fds);
	struct ipc_header header = {type, (uint32_t)len};
	struct iovec iov[2] = {{&header, sizeof(header)}, {(void *)(uintptr_t)payload, len}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = len > 0 ? 2 : 1};
	union fd_control control;
	if (n_fds > 0)
		attach_fds(&msg, &control, fds, n_fds);
	ssize_t sent;
	do
		sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return true;
	int error = errno;
	err_set(err, "cannot send message %u: %s", type, strerror(error));
	errno = error;
	return false;
}

/* Everything that came is taken, also what a peer should not have sent. */
static void collect_fds(struct msghdr *msg, struct ipc_message *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (message->n_fds < IPC_FDS_MAX)
				message->fds[message->n_fds++] = fd;
			else
				close(fd);
		}
	}
}

enum ipc_result ipc_receive(int fd, struct ipc_message *message)
{
	struct ipc_header header;
	struct iovec iov[2] = {{&header, sizeof(header)}, {message->payload, IPC_PAYLOAD_MAX}};
	union fd_control control;
	struct msghdr msg = {
	    .msg_iov = iov,
	    .msg_iovlen = 2,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes),
	};
	message->n_fds = 0;
	message->len = 0;
	ssize_t got;
	do
		got = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got == 0)
		return IPC_EOF;
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return IPC_NONE;
	if (got < 0)
		return errno == ECONNRESET ? IPC_EOF : IPC_BROKEN;
	collect_fds(&msg, message);
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || (size_t)got < sizeof(header) ||
	    (size_t)got - sizeof(header) != header.len)
		return IPC_BROKEN;
	message->type = header.type;
	message->len = header.len;
	message->payload[header.len] = '\0';
	return IPC_GOT;
}

enum ipc_result ipc_wait(int fd, struct ipc_message *message, int timeout_ms)
{
	struct pollfd waiting = {.fd = fd, .events = POLLIN};
	message->n_fds = 0;
	int n;
	do
		n = poll(&waiting, 1, timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 ? IPC_NONE : IPC_BROKEN;
	return ipc_receive(fd, message);
}

const void *ipc_payload(const struct ipc_message *message, size_t len)
{
	return message->len == len ? message->payload : NULL;
}

int ipc_take_fd(struct ipc_message *message, unsigned index)
{
	if (index >= message->n_fds)
		return -1;
	int fd = message->fds[index];
	message->fds[index] = -1;
	return fd;
}

void ipc_release(struct ipc_message *message)
{
	for (unsigned i = 0; i < message->n_fds; i++)
		if (message->fds[i] >= 0)
			close(message->fds[i]);
	message->n_fds = 0;
}

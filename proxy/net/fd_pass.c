/* Descriptors from process to process, SCM_RIGHTS of unix(7). */
#include "sallyport/fd_pass.h"

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Aligned as a header of control data must be, with room for one descriptor. */
union fd_control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

bool fd_send(int channel, int fd, const void *message, size_t len)
{
	union fd_control control;
	struct iovec iov = {(void *)(uintptr_t)message, len};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	memset(&control, 0, sizeof(control));
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(channel, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
}

/* The first one; a sender that put more beside it may not fill our table with them. */
static int first_fd(struct msghdr *msg)
{
	int first = FD_BAD;
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
		return FD_BAD;
	size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < n; i++) {
		int fd;
		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
		if (i == 0)
			first = fd;
		else
			close(fd);
	}
	return first;
}

int fd_receive(int channel, void *message, size_t len)
{
	union fd_control control;
	struct iovec iov = {message, len};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(channel, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return FD_NONE;
	int fd = first_fd(&msg);
	if (fd >= 0 && ((size_t)n != len || (msg.msg_flags & MSG_TRUNC))) {
		close(fd);
		return FD_BAD;
	}
	/* Of an ended channel there is no end of empty messages. */
	return n == 0 && fd < 0 ? FD_NONE : fd;
}

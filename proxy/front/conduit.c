/* Large content between two plain connections goes through a pipe by splice(2):
 * the kernel moves pages, and no byte is copied into this process. Pipes are
 * kept for the next exchange, as long as they are empty. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "front/front.h"

enum { CONDUIT_BYTES = 1 << 20, SPLICES_PER_TURN = 16 };

bool conduit_open(struct front *f, struct conduit *conduit)
{
	if (f->conduit_count > 0) {
		*conduit = f->conduits[--f->conduit_count];
		return true;
	}
	int fds[2];
	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
		return false;
	/* Refused over the user's share of pipe pages: the pipe just stays small. */
	(void)fcntl(fds[1], F_SETPIPE_SZ, CONDUIT_BYTES);
	*conduit = (struct conduit){.read_fd = fds[0], .write_fd = fds[1]};
	return true;
}

void conduit_close(struct front *f, struct conduit *conduit)
{
	if (!conduit->read_fd)
		return;
	if (conduit->held == 0 && !f->draining &&
	    f->conduit_count < sizeof(f->conduits) / sizeof(f->conduits[0])) {
		f->conduits[f->conduit_count++] = *conduit;
	} else {
		close(conduit->read_fd);
		close(conduit->write_fd);
	}
	*conduit = (struct conduit){0};
}

static ssize_t move(int from, int to, size_t len)
{
	ssize_t n;
	do
		n = splice(from, NULL, to, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Into the pipe, which is empty: so "again" can only mean that there is nothing to read. END: nor will be. */
static enum pump fill(struct conduit *conduit, struct stream *from, uint64_t most)
{
	size_t wanted = most < CONDUIT_BYTES ? (size_t)most : CONDUIT_BYTES;
	if (!from->readable)
		return PUMP_WAIT;
	ssize_t n = move(from->fd, conduit->write_fd, wanted);
	if (n > 0) {
		conduit->held += (size_t)n;
		return PUMP_AGAIN;
	}
	if (n < 0 && errno == EAGAIN) {
		from->readable = false;
		return PUMP_WAIT;
	}
	return n == 0 ? PUMP_END : PUMP_FAIL;
}

static enum pump empty(struct conduit *conduit, struct stream *to, uint64_t *moved)
{
	if (!to->writable)
		return PUMP_WAIT;
	ssize_t n = move(conduit->read_fd, to->fd, conduit->held);
	if (n > 0) {
		conduit->held -= (size_t)n;
		*moved += (uint64_t)n;
		return PUMP_AGAIN;
	}
	if (n < 0 && errno == EAGAIN) {
		to->writable = false;
		return PUMP_WAIT;
	}
	return PUMP_FAIL;
}

enum pump conduit_pass(struct conduit *conduit, struct stream *from, struct stream *to, uint64_t room,
		       uint64_t *read, uint64_t *moved, struct stream **failed)
{
	uint64_t left = room;
	for (int i = 0; i < SPLICES_PER_TURN; i++) {
		bool filling = conduit->held == 0;
		if (filling && left == 0)
			return PUMP_AGAIN;
		enum pump result = filling ? fill(conduit, from, left) : empty(conduit, to, moved);
		if (filling) {
			left -= conduit->held;
			*read += conduit->held;
		}
		if (result == PUMP_FAIL)
			*failed = filling ? from : to;
		if (result != PUMP_AGAIN)
			return result;
	}
	return PUMP_AGAIN;
}

enum pump conduit_pump(struct conduit *conduit, struct stream *from, struct stream *to, uint64_t *left,
		       uint64_t room, uint64_t *moved, struct stream **failed)
{
	uint64_t read = 0, most = *left < room ? *left : room;
	if (conduit->held == 0 && *left == 0)
		return PUMP_END;
	enum pump result = conduit_pass(conduit, from, to, most, &read, moved, failed);
	*left -= read;
	if (result == PUMP_END) { /* before its length was there */
		*failed = from;
		return PUMP_FAIL;
	}
	return result != PUMP_FAIL && conduit->held == 0 && *left == 0 ? PUMP_END : result;
}

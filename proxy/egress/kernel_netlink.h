#ifndef EGRESS_KERNEL_NETLINK_H
#define EGRESS_KERNEL_NETLINK_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>
#include "sallyport/err.h"

/* Questions to the kernel by netlink, one at a time, and their answers, read within the bounds that the kernel
 * gives. */

struct netlink_question {
	struct nlmsghdr head;
	char bytes[256];
};

/* A socket of that protocol, which gives up after two seconds; -1 on failure. */
MUST_CHECK int netlink_open(int protocol, struct err *err);
/* flags: NLM_F_DUMP, or NLM_F_ACK where one answer comes. header: the fixed part of that type. */
void netlink_begin(struct netlink_question *question, uint16_t type, uint16_t flags, const void *header, size_t len);
void netlink_add(struct netlink_question *question, uint16_t type, const void *value, size_t len);
/* Calls each for every message of the answer, with what follows its fixed part of header_len bytes. False: errno
 * says why; EINTR: what was asked for has changed meanwhile, so that some of it may be missing. */
struct netlink_reader {
	uint16_t type;
	size_t header_len;
	void (*each)(void *context, const char *header, const char *attributes, size_t len);
	void *context;
};
MUST_CHECK bool netlink_talk(int fd, struct netlink_question *question, const struct netlink_reader *reader);
/* The value of the first attribute of that type among these bytes; NULL: there is none. */
const char *netlink_find(const char *bytes, size_t len, unsigned type, size_t *value_len);

#endif

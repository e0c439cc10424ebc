#ifndef SALLYPORT_KERNEL_NFT_H
#define SALLYPORT_KERNEL_NFT_H

#include <stdint.h>
#include "sallyport/err.h"
#include "sallyport/json.h"

/* Rules of the kernel, by libnftables: texts in, JSON out. All of it waits for the kernel: for the warden
 * alone. Needs CAP_NET_ADMIN in this network namespace. */
struct kernel_nft;

/* Opens all files and sockets that it will need. */
struct kernel_nft *kernel_nft_new(struct err *err);
void kernel_nft_free(struct kernel_nft *nft);
/* The kernel looks at the text, and changes nothing. False: its words. */
MUST_CHECK bool kernel_nft_check(struct kernel_nft *nft, const char *text, struct err *err);
/* All of the text, or, where this is false, none of it. */
MUST_CHECK bool kernel_nft_load(struct kernel_nft *nft, const char *text, struct err *err);
/* The answer to "list …": the list of what it is about. *document is freed by the caller; NULL: there is none. */
const struct json_value *kernel_nft_list(struct kernel_nft *nft, const char *command, struct json_value **document,
					 struct err *err);

/* What a table has by name, read without libnftables. */
enum kernel_object { KERNEL_CHAIN, KERNEL_SET, KERNEL_LIMIT, KERNEL_QUOTA, KERNEL_COUNTER, KERNEL_OBJECTS };
/* Calls each for every one of them; fd: of kernel_counters_open. Family inet, or bridge. A table that is not there has
 * none. False: some may be missing, where somebody changes rules meanwhile (errno EINTR) or nothing came. */
MUST_CHECK bool kernel_objects_read(int fd, bool is_bridge, const char *table, enum kernel_object of,
				    void (*each)(void *context, const char *name), void *context, struct err *err);

/* Named counters and quotas of a table of family inet, read without libnftables, which asks for every set first. */
struct kernel_counter {
	const char *name;
	uint64_t packets, bytes; /* of a quota: bytes only, those used */
};
int kernel_counters_open(struct err *err); /* -1 on failure */
/* Calls each for every counter, and for every quota where is_quota. */
MUST_CHECK bool kernel_counters_read(int fd, const char *table, bool is_quota,
				     void (*each)(void *context, const struct kernel_counter *counter), void *context,
				     struct err *err);

#endif

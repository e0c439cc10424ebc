#ifndef TESTS_GUARD_PAGE_H
#define TESTS_GUARD_PAGE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Input for parsers, placed so that one byte read past its end is a fault. */

static inline size_t guarded_pages_bytes(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	return (len + page - 1) / page * page;
}

/* A copy whose last byte abuts an unreadable page. Never NULL; free with guarded_free. */
static inline char *guarded_copy(const void *bytes, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = guarded_pages_bytes(len);
	char *base =
	    mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED || mprotect(base + room, page, PROT_NONE) != 0)
		abort();
	char *copy = base + room - len;
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

static inline void guarded_free(char *copy, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = guarded_pages_bytes(len);
	munmap(copy + len - room, room + page);
}

#endif

#ifndef TESTS_THROTTLE_TABLE_H
#define TESTS_THROTTLE_TABLE_H

#include <sys/mman.h>
#include <unistd.h>
#include "sallyport/shm.h"
#include "sallyport/throttle.h"

/* A table in shared memory, as workers have it, empty since START_US. */

#define SECOND_US UINT64_C(1000000)
#define START_US  (UINT64_C(123456789) * 1000)

static inline struct throttle_table *table_new(void)
{
	static const uint64_t seed[2] = {0x0123456789abcdef, 0xfedcba9876543211};
	int fd = shm_create("throttle", throttle_bytes(), NULL);
	assert_true(fd >= 0);
	void *memory = shm_map(fd, throttle_bytes(), true, NULL);
	close(fd);
	assert_non_null(memory);
	throttle_init(memory, seed, START_US);
	return throttle_of(memory);
}

static inline void table_free(struct throttle_table *table)
{
	munmap(table, throttle_bytes());
}

#endif

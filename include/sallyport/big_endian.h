#ifndef SALLYPORT_BIG_ENDIAN_H
#define SALLYPORT_BIG_ENDIAN_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* Numbers as they go over networks, the highest byte first, at any address. */

static inline uint16_t big16_at(const void *at)
{
	uint16_t value;
	memcpy(&value, at, sizeof(value));
	return be16toh(value);
}

static inline uint64_t big64_at(const void *at)
{
	uint64_t value;
	memcpy(&value, at, sizeof(value));
	return be64toh(value);
}

static inline void big64_put(void *at, uint64_t value)
{
	value = htobe64(value);
	memcpy(at, &value, sizeof(value));
}

#endif

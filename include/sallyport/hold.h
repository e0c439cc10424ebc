#ifndef SALLYPORT_HOLD_H
#define SALLYPORT_HOLD_H

#include <stddef.h>
#include <stdint.h>
#include "sallyport/err.h"

/* Bytes that have to wait. The usual exchange needs none: it is read into a
 * worker's one big buffer, understood, and written on at once. What could not be
 * finished (half a head, a reader that is slow) is kept in a hold of the size
 * that it needs, and all holds of a worker together have a ceiling. */

struct memory {
	uint64_t used, limit; /* bytes */
	_Atomic uint64_t *gauge; /* follows `used`; may be NULL */
};

/* malloc and free under the ceiling. NULL over it. */
void *memory_take(struct memory *memory, size_t size);
void memory_give(struct memory *memory, void *ptr, size_t size);
/* The same for memory that a library takes by itself, by its usual size. */
MUST_CHECK bool memory_charge(struct memory *memory, size_t size);
void memory_discharge(struct memory *memory, size_t size);
/* No new work should begin: seven eighths of the ceiling are used. */
bool memory_is_tight(const struct memory *memory);

/* Embedded; zeroed is empty and holds nothing. */
struct hold {
	char *data;
	uint32_t off, len; /* bytes wait at data + off */
	uint32_t room;
};

/* The largest collected content (shield.bodies.max) with a head and some reads besides. */
enum { HOLD_MAX = 1 << 25 };

static inline char *hold_ptr(const struct hold *hold)
{
	return hold->data + hold->off;
}

/* Room for at least `more` further bytes behind those that wait. False: ceiling, or over HOLD_MAX. */
MUST_CHECK bool hold_reserve(struct hold *hold, struct memory *memory, size_t more);
MUST_CHECK bool hold_add(struct hold *hold, struct memory *memory, const void *bytes, size_t len);
/* Takes n bytes off the front; an emptied hold gives its memory back. */
void hold_consume(struct hold *hold, struct memory *memory, size_t n);
void hold_release(struct hold *hold, struct memory *memory);

#endif

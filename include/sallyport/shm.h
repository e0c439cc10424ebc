#ifndef SALLYPORT_SHM_H
#define SALLYPORT_SHM_H

#include <stdbool.h>
#include <stddef.h>
#include "sallyport/err.h"

/* Memory shared by processes: a memfd of fixed size, sealed against shrinking
 * and growing, so that a mapping can never fault. Pages cost nothing until
 * they are touched. */

/* Returns the descriptor (close-on-exec) or -1. The name shows in /proc. */
MUST_CHECK int shm_create(const char *name, size_t size, struct err *err);
/* The same for memory that only its maker writes, through the mapping that it gets at *memory:
 * no later mapping, by whomever, can be written, nor made so (F_SEAL_FUTURE_WRITE; before Linux 5.1
 * readers are trusted to map it read-only). */
MUST_CHECK int shm_publish(const char *name, size_t size, void **memory, struct err *err);
/* The same for memory that nobody writes any more, its maker included: a copy of data. */
MUST_CHECK int shm_constant(const char *name, const void *data, size_t size, struct err *err);
/* Maps size bytes of fd from its start; NULL on failure or where the object is
 * smaller than size or lacks the seals. Unmap with munmap. */
MUST_CHECK void *shm_map(int fd, size_t size, bool writable, struct err *err);
/* The same for what shm_constant made, or NULL where it can still be written. */
MUST_CHECK const void *shm_map_constant(int fd, size_t size, struct err *err);

#endif

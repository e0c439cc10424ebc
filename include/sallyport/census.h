#ifndef SALLYPORT_CENSUS_H
#define SALLYPORT_CENSUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Open connections per client address, and what else is under way by some key, over all workers, without a lock: each
 * worker writes its own table in shared memory and reads everybody's. Counts
 * may be off by what happens in the same instant. A worker's table is cleared when its slot is taken anew.
 * When a table is full, the new address is counted under a shared key by hash: it never fails open. */
struct census;

size_t census_bytes(void); /* of the shared memory for all slots */
/* memory: mapped, census_bytes() long. Clears the slot's own table. */
struct census *census_open(void *memory, unsigned slot);
void census_close(struct census *census);
/* The same for a worker that died: whoever notices it may call this, so that its
 * connections do not count any longer. */
void census_clear(void *memory, unsigned slot);
/* Counts one more connection of the client; false (and nothing counted) where
 * it has `limit` of them in all slots already. key: addr_client_key(). */
bool census_enter(struct census *census, uint64_t key, uint32_t limit);
void census_leave(struct census *census, uint64_t key);
/* The same for what is no connection, and is not in the total: key is hashed, so that it is nobody's address. */
bool census_begin(struct census *census, uint64_t key, uint32_t limit);
void census_end(struct census *census, uint64_t key);
/* Connections of all slots. */
uint64_t census_total(const struct census *census);

#endif

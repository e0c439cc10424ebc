#ifndef SALLYPORT_ARENA_H
#define SALLYPORT_ARENA_H

#include <stddef.h>
#include "sallyport/span.h"

/* Memory that is freed all at once. A compiled policy lives in one. */
struct arena;

/* limit: bytes that may be taken in all; over it arena_alloc gives NULL. */
struct arena *arena_new(size_t limit);
void arena_free(struct arena *arena);
/* Zeroed, aligned for any type; NULL when the limit or the heap is exhausted. */
void *arena_alloc(struct arena *arena, size_t size);
/* NUL-terminated copies; NULL as above. */
char *arena_strdup(struct arena *arena, const char *str);
struct span arena_span(struct arena *arena, struct span s);
/* Calls release(object) when the arena is freed, the last one first: for what has memory of its own.
 * False: no memory; then it was called already. */
bool arena_own(struct arena *arena, void (*release)(void *object), void *object);
size_t arena_used(const struct arena *arena);

#endif

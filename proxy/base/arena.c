/* Memory that is freed all at once: a list of blocks, filled from the front of
 * the newest. The limit counts what was handed out, so that it means the same on
 * every machine. Does not free single objects and is not safe for threads. */
#include "sallyport/arena.h"

#include <stdalign.h>
#include <stdlib.h>

enum { ARENA_FIRST_BLOCK = 4096, ARENA_LARGEST_BLOCK = 1 << 18 };

struct block {
	struct block *next;
	size_t used, size;
	alignas(max_align_t) char bytes[];
};

struct owned {
	void (*release)(void *object);
	void *object;
	struct owned *before;
};

struct arena {
	struct block *newest;
	struct owned *owned;
	size_t used, limit;
	size_t next_size;
};

struct arena *arena_new(size_t limit)
{
	struct arena *arena = calloc(1, sizeof(*arena));
	if (!arena)
		return NULL;
	arena->limit = limit;
	arena->next_size = ARENA_FIRST_BLOCK;
	return arena;
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	for (const struct owned *owned = arena->owned; owned; owned = owned->before)
		owned->release(owned->object);
	for (struct block *block = arena->newest, *next; block; block = next) {
		next = block->next;
		free(block);
	}
	free(arena);
}

/* A block with room for size bytes. One too large for the usual block gets its
 * own, behind the newest, which goes on being filled. */
static struct block *block_for(struct arena *arena, size_t size)
{
	struct block *newest = arena->newest;
	if (newest && size <= newest->size - newest->used)
		return newest;
	bool is_own = size > arena->next_size / 2;
	size_t room = is_own ? size : arena->next_size;
	struct block *block = calloc(1, sizeof(*block) + room);
	if (!block)
		return NULL;
	block->size = room;
	if (is_own && newest) {
		block->next = newest->next;
		newest->next = block;
		return block;
	}
	block->next = newest;
	arena->newest = block;
	if (!is_own && arena->next_size < ARENA_LARGEST_BLOCK)
		arena->next_size *= 2;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	const size_t align = alignof(max_align_t);
	if (size > arena->limit)
		return NULL;
	/* an empty object has an address of its own */
	size_t taken = size > 0 ? (size + align - 1) / align * align : align;
	if (taken < size || taken > arena->limit - arena->used)
		return NULL;
	struct block *block = block_for(arena, taken);
	if (!block)
		return NULL;
	void *memory = block->bytes + block->used;
	block->used += taken;
	arena->used += taken;
	return memory;
}

bool arena_own(struct arena *arena, void (*release)(void *object), void *object)
{
	struct owned *owned = arena_alloc(arena, sizeof(*owned));
	if (!owned) {
		release(object);
		return false;
	}
	*owned = (struct owned){release, object, arena->owned};
	arena->owned = owned;
	return true;
}

static char *copy(struct arena *arena, const char *bytes, size_t len)
{
	char *to = len < SIZE_MAX ? arena_alloc(arena, len + 1) : NULL;
	if (to && len > 0)
		memcpy(to, bytes, len);
	return to;
}

char *arena_strdup(struct arena *arena, const char *str)
{
	return copy(arena, str, strlen(str));
}

struct span arena_span(struct arena *arena, struct span s)
{
	char *bytes = copy(arena, s.ptr, s.len);
	return span_of(bytes, bytes ? s.len : 0);
}

size_t arena_used(const struct arena *arena)
{
	return arena->used;
}

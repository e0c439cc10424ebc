/* Bytes that have to wait, under a ceiling for the whole worker. Sizes are powers
 * of two from 512 bytes, so that a hold that grows copies each byte about twice. */
#include "sallyport/hold.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { HOLD_FIRST = 512 };

static void memory_count(struct memory *memory, uint64_t used)
{
	memory->used = used;
	if (memory->gauge)
		atomic_store_explicit(memory->gauge, used, memory_order_relaxed);
}

bool memory_charge(struct memory *memory, size_t size)
{
	if (size > memory->limit || memory->used > memory->limit - size)
		return false;
	memory_count(memory, memory->used + size);
	return true;
}

void memory_discharge(struct memory *memory, size_t size)
{
	memory_count(memory, memory->used - size);
}

void *memory_take(struct memory *memory, size_t size)
{
	if (size > memory->limit || memory->used > memory->limit - size)
		return NULL;
	void *ptr = malloc(size);
	if (ptr)
		memory_count(memory, memory->used + size);
	return ptr;
}

void memory_give(struct memory *memory, void *ptr, size_t size)
{
	if (!ptr)
		return;
	memory_count(memory, memory->used - size);
	free(ptr);
}

bool memory_is_tight(const struct memory *memory)
{
	return memory->used > memory->limit - memory->limit / 8;
}

bool hold_reserve(struct hold *hold, struct memory *memory, size_t more)
{
	if (more <= hold->room - hold->off - hold->len)
		return true;
	if (more > HOLD_MAX || hold->len + more > HOLD_MAX)
		return false;
	size_t wanted = hold->len + more, room = HOLD_FIRST;
	while (room < wanted)
		room *= 2;
	if (room <= hold->room) {
		memmove(hold->data, hold_ptr(hold), hold->len);
		hold->off = 0;
		return true;
	}
	char *data = memory_take(memory, room);
	if (!data)
		return false;
	if (hold->len > 0)
		memcpy(data, hold_ptr(hold), hold->len);
	memory_give(memory, hold->data, hold->room);
	*hold = (struct hold){.data = data, .len = hold->len, .room = (uint32_t)room};
	return true;
}

bool hold_add(struct hold *hold, struct memory *memory, const void *bytes, size_t len)
{
	if (len == 0)
		return true;
	if (!hold_reserve(hold, memory, len))
		return false;
	memcpy(hold_ptr(hold) + hold->len, bytes, len);
	hold->len += (uint32_t)len;
	return true;
}

void hold_consume(struct hold *hold, struct memory *memory, size_t n)
{
	hold->off += (uint32_t)n;
	hold->len -= (uint32_t)n;
	if (hold->len == 0)
		hold_release(hold, memory);
}

void hold_release(struct hold *hold, struct memory *memory)
{
	memory_give(memory, hold->data, hold->room);
	*hold = (struct hold){0};
}

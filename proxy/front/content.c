/* Bytes with a count of those who use them: a page that is held, a copy that is sent to many. */
#include "front/guard.h"

enum { CONTENT_FIRST = 16 << 10 };

static size_t size_of(size_t room)
{
	return sizeof(struct content) + room;
}

struct content *content_new(struct memory *memory, size_t room)
{
	struct content *content = memory_take(memory, size_of(room));
	if (content)
		*content = (struct content){.memory = memory, .room = room, .refs = 1};
	return content;
}

/* Twice as large, so that each byte is moved about once. */
static bool grow(struct content **content, size_t wanted)
{
	struct content *old = *content;
	size_t room = old->room > CONTENT_FIRST ? old->room : CONTENT_FIRST;
	while (room < wanted)
		room *= 2;
	struct content *next = content_new(old->memory, room);
	if (!next)
		return false;
	memcpy(next->bytes, old->bytes, old->len);
	next->len = old->len;
	content_unref(old);
	*content = next;
	return true;
}

bool content_add(struct content **content, const char *bytes, size_t len)
{
	if (len > (*content)->room - (*content)->len && !grow(content, (*content)->len + len))
		return false;
	if (len > 0)
		memcpy((*content)->bytes + (*content)->len, bytes, len);
	(*content)->len += len;
	return true;
}

struct content *content_ref(struct content *content)
{
	content->refs++;
	return content;
}

void content_unref(struct content *content)
{
	if (content && --content->refs == 0)
		memory_give(content->memory, content, size_of(content->room));
}

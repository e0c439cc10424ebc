/* Excerpts of content that begin in the middle of something: who masks secrets by their names must not take such a
 * rest for what has no name. Knows no secret. Pure; time grows with the bytes before the excerpt. */
#include "shield/rules.h"

static size_t skip(struct span text, size_t at, bool (*is_one)(char c))
{
	while (at < text.len && is_one(text.ptr[at]))
		at++;
	return at;
}

static bool is_of_name(char c)
{
	return ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || (c && strchr("_-.[]%$~*", c));
}

static bool is_behind_name(char c)
{
	return c && strchr(" \t+\"'\\", c);
}

bool rule_excerpt_is_torn(struct span text, struct span excerpt, size_t end)
{
	const size_t from = (end < text.len ? end : text.len) - excerpt.len;
	if (from == 0 || excerpt.len == 0)
		return false;
	struct span before = span_of(text.ptr, skip(text, skip(text, from, is_of_name), is_behind_name));
	before.len += before.len < text.len;
	return span_find(before, '=') < before.len || span_find(before, ':') < before.len ||
	       span_find(before, '%') < before.len;
}

/* What of a query belongs to a page. Mail, advertisements and social networks append to a link where its visitor
 * comes from, to each visitor something else; by a key that had it, no such visitor's page would
 * ever be known. Names are compared as they are written: one that is escaped counts as another. */
#include "sallyport/page_key.h"

#include <string.h>

static bool name_matches(struct span name, struct span pattern)
{
	if (pattern.len > 0 && pattern.ptr[pattern.len - 1] == '*')
		return span_istarts(name, span_of(pattern.ptr, pattern.len - 1));
	return span_ieq(name, pattern);
}

bool page_name_is_listed(const struct policy_strings *names, struct span name)
{
	for (size_t i = 0; i < names->n; i++)
		if (name_matches(name, span_from_str(names->items[i])))
			return true;
	return false;
}

/* "name=value" of a query, which ends where rest does. */
static bool is_ignored(const struct policy_strings *ignored, struct span rest, struct span *argument)
{
	*argument = span_of(rest.ptr, span_find(rest, '&'));
	return page_name_is_listed(ignored, span_of(argument->ptr, span_find(*argument, '=')));
}

bool page_key_is_plain(const struct policy_strings *ignored, struct span key)
{
	size_t at = span_find(key, '?') + 1;
	struct span argument;
	if (at == key.len)
		return false;
	for (; at < key.len; at += argument.len + 1)
		if (is_ignored(ignored, span_from(key, at), &argument))
			return false;
	return true;
}

size_t page_key_make_plain(const struct policy_strings *ignored, char *key, size_t len)
{
	struct span all = span_of(key, len), argument;
	size_t query = span_find(all, '?') + 1, end = query;
	if (page_key_is_plain(ignored, all))
		return len;
	for (size_t at = query; at < len; at += argument.len + 1) {
		if (is_ignored(ignored, span_from(all, at), &argument))
			continue;
		if (end > query)
			key[end++] = '&';
		memmove(key + end, argument.ptr, argument.len);
		end += argument.len;
	}
	return end > query ? end : query - 1;
}

size_t page_key_write(const struct policy_strings *ignored, struct span path, struct span query, char *out)
{
	memcpy(out, path.ptr, path.len);
	if (!query.ptr)
		return path.len;
	out[path.len] = '?';
	memcpy(out + path.len + 1, query.ptr, query.len);
	return page_key_make_plain(ignored, out, path.len + 1 + query.len);
}

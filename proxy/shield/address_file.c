/* Lists of networks as they are published: one a line, with comments. Trusts nothing in them: a line may be as long as
 * the file, and hold any byte. */
#include <stdlib.h>
#include <string.h>

#include "shield/address_ranges.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct span trim(struct span s)
{
	while (s.len > 0 && is_blank(s.ptr[0]))
		s = span_from(s, 1);
	while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

static struct span without_comment(struct span line)
{
	size_t hash = span_find(line, '#'), semicolon = span_find(line, ';');
	return trim(span_of(line.ptr, hash < semicolon ? hash : semicolon));
}

bool address_file_parse(struct span text, struct address_ranges *ranges,
			void (*bad)(void *context, unsigned line, const char *text), void *context, struct err *err)
{
	unsigned number = 1;
	for (size_t at = 0; at < text.len; number++) {
		const struct span rest = span_from(text, at);
		const struct span line = span_of(rest.ptr, span_find(rest, '\n'));
		const struct span network = without_comment(line);
		struct cidr cidr;
		struct err why = {0};
		at += line.len + 1;
		if (network.len == 0)
			continue;
		if (!cidr_parse(network, &cidr, &why)) {
			bad(context, number, why.text);
			continue;
		}
		enum address_ranges_result result = address_ranges_add(ranges, &cidr);
		if (result != ADDRESS_RANGES_ADDED)
			return address_ranges_explain(result, ranges, err);
	}
	return true;
}

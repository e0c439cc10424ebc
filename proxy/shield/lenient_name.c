/* Names of arguments and cookies as the most lenient of origins read them: so that no spelling is a way around a count. */
#include "shield/lenient_name.h"

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static char read_byte(char c)
{
	return c == '.' || c == ' ' || c == '[' ? '_' : ascii_lower(c);
}

bool lenient_name_is(struct span name, struct span meant)
{
	while (name.len > 0 && is_space(name.ptr[0]))
		name = span_from(name, 1);
	name.len = span_find(name, '\0');
	if (name.len != meant.len)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (read_byte(name.ptr[i]) != read_byte(meant.ptr[i]))
			return false;
	}
	return true;
}

/* Reads one percent-escape (RFC 3986 section 2.1). Trusts that it is called at a
 * "%"; looks at no byte past the span. */
#include "url/escape.h"

/* Value of `count` hexadecimal digits at s.ptr[at], or -1. */
static int read_hex(struct span s, size_t at, size_t count)
{
	int value = 0;
	if (s.len - at < count)
		return -1;
	for (size_t i = 0; i < count; i++) {
		int digit = ascii_hex(s.ptr[at + i]);
		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

struct url_escape url_read_escape(struct span s, size_t at)
{
	int value = read_hex(s, at + 1, 2);
	if (value >= 0)
		return (struct url_escape){URL_ESCAPE_BYTE, (unsigned)value, 3};
	if (s.len - at >= 2 && ascii_lower(s.ptr[at + 1]) == 'u') {
		value = read_hex(s, at + 2, 4);
		if (value >= 0)
			return (struct url_escape){URL_ESCAPE_WIDE, (unsigned)value, 6};
	}
	return (struct url_escape){URL_ESCAPE_BROKEN, 0, 1};
}

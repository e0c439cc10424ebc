/* Borrowed bytes: comparison, search and the small parsers that need nothing
 * but a span. Trusts only that ptr has len readable bytes. Does not allocate and
 * knows no locale: letters are ASCII letters. */
#include "sallyport/span.h"

void ascii_replace_controls(char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)bytes[i] < 0x20 || bytes[i] == 0x7f)
			bytes[i] = '?';
}

const uint8_t ascii_hex_values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,	['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

bool span_ieq(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
			return false;
	return true;
}

static struct span span_head(struct span s, size_t len)
{
	return span_of(s.ptr, len);
}

bool span_starts(struct span s, struct span prefix)
{
	return s.len >= prefix.len && span_eq(span_head(s, prefix.len), prefix);
}

bool span_ends(struct span s, struct span suffix)
{
	return s.len >= suffix.len && span_eq(span_from(s, s.len - suffix.len), suffix);
}

bool span_istarts(struct span s, struct span prefix)
{
	return s.len >= prefix.len && span_ieq(span_head(s, prefix.len), prefix);
}

bool span_iends(struct span s, struct span suffix)
{
	return s.len >= suffix.len && span_ieq(span_from(s, s.len - suffix.len), suffix);
}

static bool is_ows(char c)
{
	return c == ' ' || c == '\t';
}

struct span span_trim_ows(struct span s)
{
	while (s.len > 0 && is_ows(s.ptr[0]))
		s = span_from(s, 1);
	while (s.len > 0 && is_ows(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

bool span_to_u64(struct span s, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_is_digit(s.ptr[i]))
			return false;
		uint64_t digit = (uint64_t)(s.ptr[i] - '0');
		if (digit > max || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

/* Length up to the comma that ends the first element; commas in a quoted string
 * (RFC 9110 section 5.6.4) end nothing. */
static size_t element_len(struct span s)
{
	bool quoted = false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == ',' && !quoted)
			return i;
	}
	return s.len;
}

bool span_next_element(struct span *list, struct span *element)
{
	while (list->len > 0) {
		size_t len = element_len(*list);
		struct span found = span_trim_ows(span_head(*list, len));
		*list = span_from(*list, len + 1);
		if (found.len > 0) {
			*element = found;
			return true;
		}
	}
	return false;
}

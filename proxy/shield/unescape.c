/* Escapes of URLs, HTML, JavaScript, CSS, base64 and hexadecimal digits, undone as those who read
 * them do. Pure, in one pass; the escape is never shorter than what it stands for. */
#include "shield/unescape.h"

/* Digits of a base from `at` on, at most `most`; gives where they end. */
static size_t read_digits(struct span in, size_t at, size_t most, unsigned base, uint32_t *value)
{
	size_t begin = at;
	*value = 0;
	while (at < in.len && at - begin < most) {
		int digit = ascii_hex(in.ptr[at]);
		if (digit < 0 || (unsigned)digit >= base)
			break;
		if (*value < 0x1000000)
			*value = *value * base + (unsigned)digit;
		at++;
	}
	return at;
}

/* Full-width forms of ASCII are what best-fit conversions make ASCII of. */
static uint32_t narrow(uint32_t code)
{
	return code >= 0xff01 && code <= 0xff5e ? code - 0xfee0 : code;
}

/* At most three bytes, what does not fit in them is one that stands for nothing. */
static size_t write_code(char *out, uint32_t code)
{
	code = narrow(code);
	if (code < 0x100) { /* a byte, as most readers have it */
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code >= 0x10000) {
		out[0] = '?';
		return 1;
	}
	out[0] = (char)(0xe0 | code >> 12);
	out[1] = (char)(0x80 | (code >> 6 & 0x3f));
	out[2] = (char)(0x80 | (code & 0x3f));
	return 3;
}

/* ---- URLs ---- */

/* An escape at `at`, which is a percent sign; its length, 0: none. */
static size_t url_escape(struct span in, size_t at, uint32_t *value)
{
	if (at + 6 <= in.len && ascii_lower(in.ptr[at + 1]) == 'u' &&
	    read_digits(in, at + 2, 4, 16, value) == at + 6)
		return 6;
	return at + 3 <= in.len && read_digits(in, at + 1, 2, 16, value) == at + 3 ? 3 : 0;
}

static bool has_url_escape(struct span in)
{
	uint32_t value;
	for (size_t at = 0; at < in.len; at++) {
		if (in.ptr[at] == '%' && url_escape(in, at, &value) > 0)
			return true;
	}
	return false;
}

struct span unescape_url(struct span in, char *out)
{
	size_t len = 0, at = 0;
	if (!has_url_escape(in))
		return in;
	while (at < in.len) {
		uint32_t value;
		size_t size = in.ptr[at] == '%' ? url_escape(in, at, &value) : 0;
		if (size == 0) {
			out[len++] = in.ptr[at] == '+' ? ' ' : in.ptr[at];
			at++;
			continue;
		}
		len += write_code(out + len, value);
		at += size;
	}
	return span_of(out, len);
}

/* ---- HTML ---- */

struct reference {
	struct span name;
	char byte;
};

static const struct reference references[] = {
    {{"lt", 2}, '<'},       {{"gt", 2}, '>'},        {{"amp", 3}, '&'},      {{"quot", 4}, '"'},
    {{"apos", 4}, '\''},    {{"colon", 5}, ':'},     {{"lpar", 4}, '('},     {{"rpar", 4}, ')'},
    {{"tab", 3}, '\t'},     {{"newline", 7}, '\n'},  {{"nbsp", 4}, ' '},     {{"sol", 3}, '/'},
    {{"bsol", 4}, '\\'},    {{"equals", 6}, '='},    {{"period", 6}, '.'},   {{"semi", 4}, ';'},
    {{"grave", 5}, '`'},    {{"dollar", 6}, '$'},    {{"lbrace", 6}, '{'},   {{"lcub", 4}, '{'},
};

static size_t named_reference(struct span rest, uint32_t *value)
{
	if (rest.len < 2 || !strchr("lgaqcrtnbsepd", ascii_lower(rest.ptr[0])) || rest.ptr[0] == '\0')
		return 0;
	for (size_t i = 0; i < sizeof(references) / sizeof(references[0]); i++) {
		if (!span_istarts(rest, references[i].name))
			continue;
		*value = (unsigned char)references[i].byte;
		return references[i].name.len;
	}
	return 0;
}

/* Behind an ampersand; the length without it, 0: no reference. */
static size_t html_reference(struct span rest, uint32_t *value)
{
	size_t end;
	if (rest.len < 2 || rest.ptr[0] != '#') {
		end = named_reference(rest, value);
	} else {
		bool is_hex = ascii_lower(rest.ptr[1]) == 'x';
		size_t begin = is_hex ? 2 : 1;
		end = read_digits(rest, begin, rest.len, is_hex ? 16 : 10, value);
		if (end == begin)
			return 0;
	}
	return end > 0 && end < rest.len && rest.ptr[end] == ';' ? end + 1 : end;
}

struct span unescape_html(struct span in, char *out)
{
	size_t len = 0, at = 0;
	while (at < in.len) {
		uint32_t value;
		size_t size = in.ptr[at] == '&' ? html_reference(span_from(in, at + 1), &value) : 0;
		if (size == 0) {
			out[len++] = in.ptr[at++];
			continue;
		}
		len += write_code(out + len, value);
		at += size + 1;
	}
	return span_of(out, len);
}

/* ---- JavaScript and CSS ---- */

static uint32_t letter_escape(char c)
{
	static const char letters[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
	const char *found = c ? strchr(letters, c) : NULL;
	return (unsigned char)(found ? values[found - letters] : c);
}

/* Behind a backslash, of at least one byte. */
static size_t js_escape(struct span rest, uint32_t *value)
{
	char kind = rest.ptr[0];
	size_t end;
	if (kind == 'x' && read_digits(rest, 1, 2, 16, value) == 3)
		return 3;
	if (kind == 'u' && read_digits(rest, 1, 4, 16, value) == 5)
		return 5;
	if (kind == 'u' && rest.len > 1 && rest.ptr[1] == '{') {
		end = read_digits(rest, 2, 6, 16, value);
		if (end > 2 && end < rest.len && rest.ptr[end] == '}')
			return end + 1;
	}
	end = read_digits(rest, 0, 3, 8, value);
	if (end > 0)
		return end;
	*value = letter_escape(kind);
	return 1;
}

struct span unescape_js(struct span in, char *out)
{
	size_t len = 0, at = 0;
	while (at < in.len) {
		uint32_t value;
		if (in.ptr[at] != '\\' || at + 1 == in.len) {
			out[len++] = in.ptr[at++];
			continue;
		}
		at += 1 + js_escape(span_from(in, at + 1), &value);
		len += write_code(out + len, value);
	}
	return span_of(out, len);
}

struct span unescape_css(struct span in, char *out)
{
	size_t len = 0, at = 0;
	while (at < in.len) {
		uint32_t value;
		if (in.ptr[at] != '\\' || at + 1 == in.len) {
			out[len++] = in.ptr[at++];
			continue;
		}
		size_t end = read_digits(in, at + 1, 6, 16, &value);
		if (end == at + 1) {
			at = end; /* the byte behind it stands for itself */
			continue;
		}
		len += write_code(out + len, value);
		at = end + (end < in.len && in.ptr[end] == ' ');
	}
	return span_of(out, len);
}

/* ---- base64 and hexadecimal digits ---- */

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_is_digit(c))
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

struct span unescape_base64(struct span in, char *out)
{
	uint32_t bits = 0;
	unsigned n = 0;
	size_t len = 0;
	for (size_t i = 0; i < in.len; i++) {
		int value = base64_value(in.ptr[i]);
		if (value < 0)
			break;
		bits = bits << 6 | (unsigned)value;
		n += 6;
		if (n >= 8)
			out[len++] = (char)(bits >> (n -= 8));
	}
	return span_of(out, len);
}

struct span unescape_hex(struct span in, char *out)
{
	size_t len = 0;
	for (size_t i = 0; i + 1 < in.len; i += 2) {
		int high = ascii_hex(in.ptr[i]), low = ascii_hex(in.ptr[i + 1]);
		if (high < 0 || low < 0)
			break;
		out[len++] = (char)(high << 4 | low);
	}
	return span_of(out, len);
}

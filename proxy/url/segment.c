/* Names that are no plain names to some server: each detector is pure and looks at one decoded
 * segment. Which of them matter for a site is not known here. Trusts no byte; a text that
 * is not UTF-8 is looked at as bytes.
 *
 * Windows: "Naming Files, Paths, and Namespaces" (Microsoft Learn). Best-fit conversions: the
 * bestfit1252.txt of the Unicode consortium and what NFKC makes of full-width forms. */
#include "url/segment.h"

#include "url/class.h"

#include "sallyport/url.h"

bool url_is_invisible(uint32_t window)
{
	unsigned two = window & 0xffff, three = window & 0xffffff;
	return (two >= 0xc280 && two <= 0xc29f) || two == 0xc2ad || /* C1 controls, soft hyphen */
	       two == 0xd89c ||                                     /* U+061C */
	       three == 0xe2808b || three == 0xe2808e || three == 0xe2808f ||
	       (three >= 0xe280a8 && three <= 0xe280ae) || /* U+2028 to U+202E */
	       (three >= 0xe281a0 && three <= 0xe281a9) || /* U+2060 to U+2069 */
	       three == 0xefbbbf;
}

char url_best_fit(uint32_t window)
{
	switch (window & 0xffffff) {
	case 0xefbc8f: /* U+FF0F */
	case 0xe28895: /* U+2215 */
	case 0xe28184: /* U+2044 */
	case 0xe2a7b8: /* U+29F8 */ return '/';
	case 0xefbcbc: /* U+FF3C */
	case 0xe28896: /* U+2216 */
	case 0xe2a7b5: /* U+29F5 */
	case 0xefb9a8: /* U+FE68 */ return '\\';
	case 0xefbc8e: /* U+FF0E */
	case 0xe280a4: /* U+2024 */
	case 0xe280a5: /* U+2025, two of them */
	case 0xefb8b0: /* U+FE30, two of them */
	case 0xefb992: /* U+FE52 */ return '.';
	default: return 0;
	}
}

bool url_segment_has_parameters(struct span canonical)
{
	struct span rest = span_from(canonical, span_find(canonical, ';'));
	while (rest.len > 0) {
		if (!span_istarts(rest, SPAN(";jsessionid=")))
			return true;
		rest = span_from(rest, 1);
		rest = span_from(rest, span_find(rest, ';'));
	}
	return false;
}

static bool is_dots(struct span s, size_t least)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] != '.')
			return false;
	}
	return s.len >= least;
}

static struct span until(struct span s, char c)
{
	return span_of(s.ptr, span_find(s, c));
}

static bool is_parameter_dots(struct span text)
{
	struct span name = until(text, ';');
	return name.len < text.len && name.len <= 2 && is_dots(name, 1);
}

static bool is_two_dots(uint32_t window)
{
	return (window & 0xffffff) == 0xe280a5 || (window & 0xffffff) == 0xefb8b0;
}

/* White space of Unicode, joiners and selectors, besides what is invisible: some trim drops them, and
 * beside dots alone they mean nothing. */
static bool is_dropped(uint32_t window)
{
	unsigned two = window & 0xffff, three = window & 0xffffff;
	return url_is_invisible(window) || two == 0xc2a0 || two == 0xcd8f || /* U+00A0, U+034F */
	       three == 0xe19a80 || three == 0xe1a08e || three == 0xe38080 || /* U+1680, 180E, 3000 */
	       (three >= 0xe28080 && three <= 0xe2808f) ||                    /* U+2000 to U+200F */
	       three == 0xe280af || three == 0xe2819f ||                      /* U+202F, U+205F */
	       (three >= 0xefb880 && three <= 0xefb88f) ||                    /* U+FE00 to U+FE0F */
	       (window >= 0xf3a08080 && window <= 0xf3a087af);                /* U+E0000 to U+E01EF */
}

/* Counts the dots between two separators, over what some server drops or converts. */
struct dots {
	unsigned dots;
	bool other;    /* something else than dots stands there */
	bool skipping; /* behind a ";", or what ends a path once it is decoded: "?" and "#" */
	bool found;
};

static void dots_end(struct dots *dots)
{
	dots->found |= !dots->other && (dots->dots == 1 || dots->dots == 2);
	dots->dots = 0;
	dots->other = dots->skipping = false;
}

static void dots_take(struct dots *dots, uint32_t window)
{
	unsigned char byte = (unsigned char)window;
	char fit = url_best_fit(window);
	if (byte == '/' || byte == '\\' || fit == '/' || fit == '\\')
		dots_end(dots);
	else if (byte == ';' || byte == '?' || byte == '#')
		dots->skipping = true;
	else if (dots->skipping)
		return;
	else if (byte == '.' || fit == '.')
		dots->dots += is_two_dots(window) ? 2 : 1;
	else if (byte > 0x20 && byte != 0x7f && byte < 0x80)
		dots->other = true;
}

/* Does a character start here that dots_take takes away or converts? */
static bool is_special_lead(struct span text, size_t at)
{
	uint32_t window = 0;
	for (size_t i = at; i < text.len && i < at + 4; i++) {
		window = window << 8 | (unsigned char)text.ptr[i];
		if (is_dropped(window) || url_best_fit(window))
			return true;
	}
	return false;
}

/* The byte at *at, from under as many layers of escapes as there are; *at goes to its last one. */
static unsigned char read_deep(struct span text, size_t *at)
{
	unsigned char byte = (unsigned char)text.ptr[*at];
	while (byte == '%' && *at + 2 < text.len && ascii_hex(text.ptr[*at + 1]) >= 0 &&
	       ascii_hex(text.ptr[*at + 2]) >= 0) {
		byte = (unsigned char)(ascii_hex(text.ptr[*at + 1]) << 4 |
				       ascii_hex(text.ptr[*at + 2]));
		*at += 2;
	}
	return byte;
}

static bool is_dots_disguised(struct span text)
{
	struct dots dots = {0};
	uint32_t window = 0;
	if (text.len <= 2 && is_dots(text, 1))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = read_deep(text, &i);
		window = window << 8 | byte;
		if (byte >= 0xc0 && !dots.skipping && !is_special_lead(text, i))
			dots.other = true;
		dots_take(&dots, window);
	}
	dots_end(&dots);
	return dots.found;
}

/* "static..": where a server puts what follows a name behind a folder (nginx's alias without a
 * slash), a dot segment is left. */
static bool ends_in_dot_segment(struct span name)
{
	return name.len > 2 && span_ends(name, SPAN("..")) && name.ptr[name.len - 3] != '.';
}

static bool is_trailing(struct span text)
{
	return text.len > 0 && (text.ptr[text.len - 1] == '.' || text.ptr[text.len - 1] == ' ') &&
	       !is_dots(text, 1);
}

/* What Windows looks at to tell a device: the name up to a dot, stream or blank. */
static struct span device_base(struct span text)
{
	struct span base = until(until(until(text, ';'), ':'), '.');
	while (base.len > 0 && base.ptr[base.len - 1] == ' ')
		base.len--;
	return base;
}

static bool is_port_number(struct span s)
{
	static const char *const superscripts[] = {"\xc2\xb9", "\xc2\xb2", "\xc2\xb3"};
	for (size_t i = 0; i < 3; i++) {
		if (span_eq(s, span_from_str(superscripts[i])))
			return true;
	}
	return s.len == 1 && ascii_is_digit(s.ptr[0]);
}

static bool is_device_name(struct span text)
{
	static const char *const names[] = {"con",    "prn",     "aux",   "nul",
					    "conin$", "conout$", "clock$"};
	struct span base = device_base(text);
	if (base.len < 3 || base.len > 7)
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (span_ieq(base, span_from_str(names[i])))
			return true;
	}
	return (span_istarts(base, SPAN("com")) || span_istarts(base, SPAN("lpt"))) &&
	       is_port_number(span_from(base, 3));
}

/* The first three letters of every device. */
static bool starts_as_device(struct span text)
{
	if (text.len < 3)
		return false;
	unsigned start = (unsigned)ascii_lower(text.ptr[0]) << 16 |
			 (unsigned)ascii_lower(text.ptr[1]) << 8 | (unsigned)ascii_lower(text.ptr[2]);
	switch (start) {
	case 'c' << 16 | 'o' << 8 | 'n':
	case 'c' << 16 | 'o' << 8 | 'm':
	case 'c' << 16 | 'l' << 8 | 'o':
	case 'p' << 16 | 'r' << 8 | 'n':
	case 'a' << 16 | 'u' << 8 | 'x':
	case 'n' << 16 | 'u' << 8 | 'l':
	case 'l' << 16 | 'p' << 8 | 't': return true;
	default: return false;
	}
}

/* "PROGRA~1", "A1B2C3~1.HTM": at most eight bytes and three behind a dot. */
static bool is_short_name(struct span text)
{
	struct span base = until(until(text, ':'), '.');
	size_t tilde = span_find(base, '~');
	if (base.len > 8 || tilde == 0 || tilde > 6 || tilde + 1 >= base.len)
		return false;
	for (size_t i = tilde + 1; i < base.len; i++) {
		if (!ascii_is_digit(base.ptr[i]))
			return false;
	}
	return text.len - base.len <= 4 || text.ptr[base.len] == ':';
}

static bool is_script(struct span text)
{
	static const char *const ends[] = {".php",  ".php3", ".php4",  ".php5", ".php7",
					   ".php8", ".phps", ".phtml", ".phar", ".pht"};
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (span_iends(text, span_from_str(ends[i])))
			return true;
	}
	return false;
}

bool url_segment_is_ordinary(struct span segment)
{
	return segment.len == 0 ||
	       (segment.ptr[segment.len - 1] != '.' && !starts_as_device(segment));
}

static unsigned find_characters(struct span text)
{
	unsigned findings = 0;
	uint32_t window = 0;
	for (size_t i = 0; i < text.len; i++) {
		window = window << 8 | (unsigned char)text.ptr[i];
		if ((window & 0xff) < 0x80)
			continue;
		findings |= URL_HIGH_BIT;
		if (url_is_invisible(window))
			findings |= URL_INVISIBLE;
		if (url_best_fit(window))
			findings |= URL_LOOKALIKE;
	}
	return findings;
}

static unsigned find_streams(struct span text)
{
	size_t colon = span_find(text, ':');
	unsigned findings = colon < text.len ? URL_STREAM : 0;
	for (; colon + 1 < text.len; colon++) {
		if (text.ptr[colon] == ':' && text.ptr[colon + 1] == '$')
			findings |= URL_STREAM_DATA;
	}
	return findings;
}

/* Without any byte that a disguise needs: nothing but unreserved characters. */
static bool is_plain(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!(url_class_of(text.ptr[i]) & URL_CLASS_UNRESERVED))
			return false;
	}
	return true;
}

static unsigned find_disguises(struct span text, unsigned heeded)
{
	unsigned findings = 0;
	if (heeded & (URL_HIGH_BIT | URL_INVISIBLE | URL_LOOKALIKE))
		findings |= find_characters(text);
	if (heeded & (URL_STREAM | URL_STREAM_DATA))
		findings |= find_streams(text);
	findings |= is_parameter_dots(text) ? URL_PARAMETER_DOTS : 0;
	findings |= is_dots_disguised(text) ? URL_DOTS_DISGUISED : 0;
	return findings;
}

unsigned url_segment_findings(const struct url_segment *segment, unsigned heeded)
{
	struct span text = segment->text, name = until(text, ';');
	unsigned findings = is_plain(text) ? 0 : find_disguises(text, heeded);
	if (is_dots(name, 3))
		findings |= URL_DOTS_MANY;
	if (!segment->is_last && ends_in_dot_segment(name))
		findings |= URL_DOTS_DISGUISED;
	if (is_trailing(name))
		findings |= URL_TRAILING_DOT;
	if (heeded & URL_DEVICE_NAME && is_device_name(text))
		findings |= URL_DEVICE_NAME;
	if (heeded & URL_SHORT_NAME && is_short_name(name))
		findings |= URL_SHORT_NAME;
	if (heeded & URL_PATH_INFO && !segment->is_last && is_script(name))
		findings |= URL_PATH_INFO;
	return findings | (segment->has_parameters ? URL_PARAMETER : 0);
}

/* Cuts HTML into tags and attributes as a browser does, errors included: what is sent by an
 * infected server is seldom valid, and is shown all the same. Not followed: scripts that write
 * markup, "<!--" within scripts that hides an end tag, and elements of SVG and MathML, in which a browser
 * reads "<![CDATA[" and raw text otherwise. */
#include "guard/markup.h"

bool markup_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

static bool is_letter(char c)
{
	char lower = ascii_lower(c);
	return lower >= 'a' && lower <= 'z';
}

static struct span rest(const struct markup *m)
{
	return span_from(m->text, m->at);
}

static bool at_end(const struct markup *m)
{
	return m->at >= m->text.len;
}

static char peek(const struct markup *m)
{
	return m->text.ptr[m->at];
}

static void skip_past(struct markup *m, char c)
{
	m->at += span_find(rest(m), c);
	m->at += !at_end(m);
}

static void skip_spaces(struct markup *m)
{
	while (!at_end(m) && markup_is_space(peek(m)))
		m->at++;
}

/* Behind "<!--". "<!-->" and "<!--->" are whole comments, and "--!>" ends one, too. */
static void skip_comment(struct markup *m)
{
	size_t from = m->at;
	for (; !at_end(m); m->at++) {
		if (peek(m) != '>')
			continue;
		struct span seen = span_of(m->text.ptr + from, m->at - from);
		if (seen.len == 0 || span_eq(seen, SPAN("-")) || span_ends(seen, SPAN("--")) ||
		    (seen.len > 2 && span_ends(seen, SPAN("--!")))) {
			m->at++;
			return;
		}
	}
}

static void skip_declaration(struct markup *m)
{
	if (!span_starts(rest(m), SPAN("<!--"))) {
		skip_past(m, '>');
		return;
	}
	m->at += 4;
	skip_comment(m);
}

/* At a "<". True: a tag begins, and m->at is at its name. */
static bool open_tag(struct markup *m, bool *is_end)
{
	struct span s = rest(m);
	char second = s.len > 1 ? s.ptr[1] : ' ';
	*is_end = second == '/';
	if (is_letter(second) || (*is_end && s.len > 2 && is_letter(s.ptr[2]))) {
		m->at += *is_end ? 2 : 1;
		return true;
	}
	if (second == '!' || second == '?' || *is_end)
		skip_declaration(m);
	else
		m->at++;
	return false;
}

static struct span take_name(struct markup *m)
{
	size_t from = m->at;
	while (!at_end(m) && !markup_is_space(peek(m)) && peek(m) != '/' && peek(m) != '>')
		m->at++;
	return span_of(m->text.ptr + from, m->at - from);
}

bool markup_next_tag(struct markup *m, struct markup_tag *tag)
{
	struct markup_attribute left;
	bool whole;
	while (m->in_tag && markup_next_attribute(m, &left, &whole))
		;
	for (m->at += span_find(rest(m), '<'); !at_end(m); m->at += span_find(rest(m), '<')) {
		if (!open_tag(m, &tag->is_end))
			continue;
		tag->name = take_name(m);
		m->in_tag = true;
		return true;
	}
	return false;
}

/* A "=" at its start belongs to the name. */
static struct span take_attribute_name(struct markup *m)
{
	size_t from = m->at++;
	while (!at_end(m) && !markup_is_space(peek(m)) && peek(m) != '/' && peek(m) != '>' &&
	       peek(m) != '=')
		m->at++;
	return span_of(m->text.ptr + from, m->at - from);
}

static struct span take_quoted(struct markup *m)
{
	char quote = peek(m);
	size_t from = ++m->at;
	skip_past(m, quote);
	bool closed = m->at > from && m->text.ptr[m->at - 1] == quote;
	return span_of(m->text.ptr + from, m->at - from - closed);
}

static struct span take_unquoted(struct markup *m)
{
	size_t from = m->at;
	while (!at_end(m) && !markup_is_space(peek(m)) && peek(m) != '>')
		m->at++;
	return span_of(m->text.ptr + from, m->at - from);
}

static struct span take_value(struct markup *m)
{
	skip_spaces(m);
	if (at_end(m) || peek(m) != '=')
		return span_of(m->text.ptr + m->at, 0);
	m->at++;
	skip_spaces(m);
	if (!at_end(m) && (peek(m) == '"' || peek(m) == '\''))
		return take_quoted(m);
	return take_unquoted(m);
}

bool markup_next_attribute(struct markup *m, struct markup_attribute *attribute, bool *whole)
{
	*whole = false;
	if (!m->in_tag)
		return false;
	while (!at_end(m) && (markup_is_space(peek(m)) || peek(m) == '/'))
		m->at++;
	if (at_end(m) || peek(m) == '>') {
		*whole = !at_end(m);
		m->at += *whole;
		m->in_tag = false;
		return false;
	}
	attribute->name = take_attribute_name(m);
	attribute->value = take_value(m);
	return true;
}

static bool has_raw_text(struct span element)
{
	static const char *const names[] = {"script", "style",    "textarea", "title",
					    "xmp",    "iframe",   "noembed",  "noframes"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_ieq(element, span_from_str(names[i])))
			return true;
	return false;
}

/* "</name" and what ends a name: no longer one may stand there. */
static bool is_end_of(struct span s, struct span element)
{
	if (!span_starts(s, SPAN("</")) || !span_istarts(span_from(s, 2), element))
		return false;
	struct span after = span_from(s, 2 + element.len);
	return after.len > 0 && (markup_is_space(after.ptr[0]) || after.ptr[0] == '/' || after.ptr[0] == '>');
}

struct span markup_raw_text(struct markup *m, struct span element)
{
	size_t from = m->at;
	if (has_raw_text(element)) {
		for (m->at += span_find(rest(m), '<'); !at_end(m) && !is_end_of(rest(m), element);)
			m->at += 1 + span_find(span_from(rest(m), 1), '<');
	}
	return span_of(m->text.ptr + from, m->at - from);
}

/* ---- character references (WHATWG HTML, section 13.2.5.72) ---- */

static size_t put_utf8(char *out, unsigned long code)
{
	if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		code = 0xfffd;
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
	out[0] = (char)((0xff00 >> (more + 1) & 0xff) | code >> 6 * more);
	for (size_t i = 1; i <= more; i++)
		out[i] = (char)(0x80 | (code >> 6 * (more - i) & 0x3f));
	return more + 1;
}

/* "&#x2f;" or "&#47;", with or without the semicolon. Returns its length, 0 where it is none. */
static size_t read_number(struct span s, char *out, size_t *len)
{
	bool hex = s.len > 2 && ascii_lower(s.ptr[2]) == 'x';
	size_t digits = hex ? 3 : 2, at = digits;
	unsigned long code = 0;
	for (; at < s.len; at++) {
		int digit = ascii_hex(s.ptr[at]);
		if (digit < 0 || (!hex && digit > 9))
			break;
		code = code > 0x10ffff ? code : code * (hex ? 16 : 10) + (unsigned)digit;
	}
	if (at == digits)
		return 0;
	*len = put_utf8(out, code);
	return at < s.len && s.ptr[at] == ';' ? at + 1 : at;
}

/* Those that stand in URLs, honestly or in disguise. The first four may lack the semicolon. */
static const struct named {
	struct span name;
	char byte;
} named[] = {
    {SPAN("&amp"), '&'},    {SPAN("&quot"), '"'},   {SPAN("&lt"), '<'},      {SPAN("&gt"), '>'},
    {SPAN("&apos"), '\''},  {SPAN("&colon"), ':'},  {SPAN("&sol"), '/'},     {SPAN("&bsol"), '\\'},
    {SPAN("&period"), '.'}, {SPAN("&quest"), '?'},  {SPAN("&equals"), '='},  {SPAN("&num"), '#'},
    {SPAN("&commat"), '@'}, {SPAN("&percnt"), '%'}, {SPAN("&NewLine"), '\n'}, {SPAN("&Tab"), '\t'},
};
enum { NAMED = sizeof(named) / sizeof(named[0]), OLD_NAMES = 4 };

static bool may_lack_semicolon(size_t i, struct span after)
{
	if (i >= OLD_NAMES)
		return false;
	return after.len == 0 ||
	       !(is_letter(after.ptr[0]) || ascii_is_digit(after.ptr[0]) || after.ptr[0] == '=');
}

static size_t read_name(struct span s, char *out, size_t *len)
{
	for (size_t i = 0; i < NAMED; i++) {
		if (!span_starts(s, named[i].name))
			continue;
		struct span after = span_from(s, named[i].name.len);
		bool closed = after.len > 0 && after.ptr[0] == ';';
		if (!closed && !may_lack_semicolon(i, after))
			continue;
		out[0] = named[i].byte;
		*len = 1;
		return named[i].name.len + closed;
	}
	return 0;
}

struct span markup_decode(struct span value, char *buf)
{
	size_t len = 0;
	if (span_find(value, '&') == value.len)
		return value;
	for (size_t at = 0; at < value.len;) {
		struct span s = span_from(value, at);
		size_t used = 0, put = 0;
		if (s.ptr[0] == '&')
			used = s.len > 1 && s.ptr[1] == '#' ? read_number(s, buf + len, &put)
							    : read_name(s, buf + len, &put);
		if (used == 0) {
			buf[len] = s.ptr[0];
			used = put = 1;
		}
		at += used;
		len += put;
	}
	return span_of(buf, len);
}

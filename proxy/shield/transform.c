/* Transformations: what origins, browsers, databases and shells make of a text before they act
 * on it. Each reads its input once, writes no more bytes than it read, and trusts none of them. */
#include "shield/transform.h"

#include "shield/unescape.h"

static bool is_space(char c)
{
	return byte_kinds[(unsigned char)c] & KIND_SPACE;
}

static struct span to_lowercase(struct span in, char *out)
{
	for (size_t i = 0; i < in.len; i++)
		out[i] = ascii_lower(in.ptr[i]);
	return span_of(out, in.len);
}

static struct span remove_nulls(struct span in, char *out)
{
	size_t len = 0;
	for (size_t i = 0; i < in.len; i++) {
		if (in.ptr[i] != '\0')
			out[len++] = in.ptr[i];
	}
	return span_of(out, len);
}

static struct span remove_controls(struct span in, char *out)
{
	size_t len = 0;
	for (size_t i = 0; i < in.len; i++) {
		if (!(byte_kinds[(unsigned char)in.ptr[i]] & KIND_CONTROL))
			out[len++] = in.ptr[i];
	}
	return span_of(out, len);
}

static struct span compress_spaces(struct span in, char *out)
{
	size_t len = 0;
	for (size_t i = 0; i < in.len; i++) {
		if (!is_space(in.ptr[i]))
			out[len++] = in.ptr[i];
		else if (len == 0 || out[len - 1] != ' ')
			out[len++] = ' ';
	}
	return span_of(out, len);
}

static struct span remove_spaces(struct span in, char *out)
{
	size_t len = 0;
	for (size_t i = 0; i < in.len; i++) {
		if (!is_space(in.ptr[i]))
			out[len++] = in.ptr[i];
	}
	return span_of(out, len);
}

static struct span trim(struct span in, char *out)
{
	(void)out;
	while (in.len > 0 && is_space(in.ptr[0]))
		in = span_from(in, 1);
	while (in.len > 0 && is_space(in.ptr[in.len - 1]))
		in.len--;
	return in;
}

/* Behind the slash and star at `at`: where the comment is over, or the text. */
static size_t comment_end(struct span in, size_t at)
{
	const char *end = memmem(in.ptr + at, in.len - at, "*/", 2);
	return end ? (size_t)(end - in.ptr) + 2 : in.len;
}

/* MySQL runs what stands between the slash-star with "!", digits, and the star-slash. */
static size_t open_comment(struct span in, size_t at)
{
	for (at += 3; at < in.len && ascii_is_digit(in.ptr[at]);)
		at++;
	return at;
}

static bool is_word(char c)
{
	char letter = (char)(c | 0x20);
	return (letter >= 'a' && letter <= 'z') || ascii_is_digit(c) || c == '_';
}

/* "--word" and "#word" before a line end, and the rest of a line behind "-- ". Nothing longer: where # is
 * an operator, as in PostgreSQL, a whole line behind it would be hidden from the rules.
 * `newline` is the next one from `at` on. Gives `at` where there is no comment. */
static size_t line_comment_end(struct span in, size_t at, size_t newline)
{
	bool dashes = in.ptr[at] == '-' && in.ptr[at + 1] == '-';
	if (!dashes && in.ptr[at] != '#')
		return at;
	size_t end = at + (dashes ? 2 : 1);
	if (dashes && (in.ptr[end] == ' ' || in.ptr[end] == '\t'))
		return newline + 1;
	while (end < newline && (is_word(in.ptr[end]) || in.ptr[end] == '\r'))
		end++;
	return end == newline ? newline + 1 : at;
}

static bool is_high(struct span in, size_t at)
{
	return at < in.len && (unsigned char)in.ptr[at] >= 0x80;
}

/* What databases take for a space besides white space: control bytes (SQL Server), and A0 (MySQL) where it
 * is no part of a character of several bytes. */
static bool is_blank_of_databases(struct span in, size_t at)
{
	unsigned char c = (unsigned char)in.ptr[at];
	if (c == 0xa0)
		return !(at > 0 && is_high(in, at - 1)) && !is_high(in, at + 1);
	return (byte_kinds[c] & KIND_CONTROL) && !is_space((char)c);
}

static size_t next_newline(struct span in, size_t at)
{
	const char *newline = memchr(in.ptr + at, '\n', in.len - at);
	return newline ? (size_t)(newline - in.ptr) : in.len;
}

/* Where the comment at `at` ends, or what is left of one that was opened; `at` where there is none. */
static size_t comment_at(struct span in, size_t at, size_t newline)
{
	char next = at + 1 < in.len ? in.ptr[at + 1] : '\0';
	if (in.ptr[at] == '*' && next == '/') /* of one that was opened */
		return at + 2;
	if (in.ptr[at] != '/' || next != '*')
		return newline < in.len && at < newline ? line_comment_end(in, at, newline) : at;
	bool runs = at + 2 < in.len && in.ptr[at + 2] == '!';
	return runs ? open_comment(in, at) : comment_end(in, at + 2);
}

static struct span replace_comments(struct span in, char *out)
{
	size_t len = 0, at = 0, newline = next_newline(in, 0);
	while (at < in.len) {
		if (newline < at)
			newline = next_newline(in, at);
		size_t end = comment_at(in, at, newline);
		if (end > at)
			out[len++] = ' ';
		else
			out[len++] = is_blank_of_databases(in, at) ? ' ' : in.ptr[at];
		at = end > at ? end : at + 1;
	}
	return span_of(out, len);
}

/* "${IFS}" and "$IFS$9" are spaces to a shell, "$@" and "$*" nothing. Gives the bytes to skip. */
static size_t shell_word(struct span rest, char *replacement)
{
	*replacement = '\0';
	if (span_istarts(rest, SPAN("${ifs}")))
		*replacement = ' ';
	else if (span_istarts(rest, SPAN("$ifs$9")))
		*replacement = ' ';
	else if (span_istarts(rest, SPAN("$ifs")))
		*replacement = ' ';
	else if (span_starts(rest, SPAN("$@")) || span_starts(rest, SPAN("$*")))
		return 2;
	else
		return 0;
	return span_istarts(rest, SPAN("$ifs")) && !span_istarts(rest, SPAN("$ifs$9")) ? 4 : 6;
}

/* "$()" and two backquotes are nothing to a shell. In a word only: three backquotes are Markdown's. */
static size_t empty_substitution(struct span in, size_t at, char *replacement)
{
	struct span rest = span_from(in, at);
	size_t len = span_starts(rest, SPAN("$()")) ? 3 : span_starts(rest, SPAN("``")) ? 2 : 0;
	*replacement = '\0';
	bool in_word = len > 0 && at > 0 && is_word(in.ptr[at - 1]) && len < rest.len &&
		       is_word(rest.ptr[len]);
	return in_word ? len : 0;
}

static bool is_dropped_by_shells(char c)
{
	return c == '\'' || c == '"' || c == '\\' || c == '^';
}

static struct span normalise_command(struct span in, char *out)
{
	size_t len = 0, at = 0;
	while (at < in.len) {
		char replacement;
		size_t skip = in.ptr[at] == '$' ? shell_word(span_from(in, at), &replacement) : 0;
		if (skip == 0)
			skip = empty_substitution(in, at, &replacement);
		if (skip > 0 && replacement)
			out[len++] = replacement;
		else if (skip == 0 && !is_dropped_by_shells(in.ptr[at]))
			out[len++] = in.ptr[at];
		at += skip > 0 ? skip : 1;
	}
	return span_of(out, len);
}

/* Takes the last segment away, with the slash before it. */
static size_t drop_segment(const char *out, size_t len)
{
	while (len > 0 && out[len - 1] != '/')
		len--;
	return len > 0 ? len - 1 : 0;
}

/* Segment by segment; ".." at the root stays, because it says what was meant. */
static struct span normalise_path(struct span in, char *out)
{
	size_t len = 0, at = 0;
	bool absolute = in.len > 0 && (in.ptr[0] == '/' || in.ptr[0] == '\\');
	while (at < in.len) {
		size_t end = at;
		while (end < in.len && in.ptr[end] != '/' && in.ptr[end] != '\\')
			end++;
		struct span segment = span_of(in.ptr + at, end - at);
		at = end + 1;
		bool climbs = span_eq(segment, SPAN("..")) && len > 0 &&
			      !span_ends(span_of(out, len), SPAN(".."));
		if (climbs) {
			len = drop_segment(out, len);
		} else if (segment.len > 0 && !span_eq(segment, SPAN("."))) {
			if (len > 0 || absolute)
				out[len++] = '/';
			memmove(out + len, segment.ptr, segment.len);
			len += segment.len;
		}
	}
	return span_of(out, len);
}

struct transformation {
	unsigned kinds;
	struct span (*apply)(struct span in, char *out);
};

static const struct transformation transformations[TRANSFORM_COUNT] = {
    [TRANSFORM_LOWERCASE] = {KIND_UPPER, to_lowercase},
    [TRANSFORM_URL] = {KIND_PERCENT, unescape_url},
    [TRANSFORM_HTML] = {KIND_AMPERSAND, unescape_html},
    [TRANSFORM_JS] = {KIND_BACKSLASH, unescape_js},
    [TRANSFORM_CSS] = {KIND_BACKSLASH, unescape_css},
    [TRANSFORM_NULLS] = {KIND_CONTROL, remove_nulls},
    [TRANSFORM_CONTROLS] = {KIND_CONTROL, remove_controls},
    [TRANSFORM_SPACES] = {KIND_SPACE, compress_spaces},
    [TRANSFORM_NO_SPACES] = {KIND_SPACE, remove_spaces},
    [TRANSFORM_COMMENTS] = {KIND_STAR | KIND_CONTROL, replace_comments},
    [TRANSFORM_COMMAND] = {KIND_BACKSLASH | KIND_SHELL, normalise_command},
    [TRANSFORM_PATH] = {KIND_ANY, normalise_path},
    [TRANSFORM_BASE64] = {KIND_ANY, unescape_base64},
    [TRANSFORM_HEX] = {KIND_ANY, unescape_hex},
    [TRANSFORM_TRIM] = {KIND_SPACE, trim},
};

unsigned transform_kinds(enum rule_transform transform)
{
	return transformations[transform].kinds;
}

struct span transform_apply(enum rule_transform transform, struct span in, char *out)
{
	struct span result = transformations[transform].apply(in, out);
	return span_eq(result, in) ? in : result;
}

struct span rule_transform_apply(enum rule_transform transform, struct span in, char *out)
{
	return transform_apply(transform, in, out);
}

static bool may_change(enum rule_transform transform, unsigned kinds)
{
	return transformations[transform].kinds == KIND_ANY || transformations[transform].kinds & kinds;
}

struct span transform_chain(const uint8_t chain[RULE_CHAIN_MAX], struct span in, unsigned kinds, char *a, char *b)
{
	for (size_t i = 0; i < RULE_CHAIN_MAX && chain[i] != TRANSFORM_UNSET; i++) {
		enum rule_transform transform = (enum rule_transform)chain[i];
		struct span out = may_change(transform, kinds) ? transform_apply(transform, in, a) : in;
		if (out.ptr == in.ptr && out.len == in.len)
			continue;
		in = out;
		kinds = kinds_of(in);
		if (out.ptr >= a && out.ptr <= a + out.len) { /* the next writes into the other */
			char *used = a;
			a = b;
			b = used;
		}
	}
	return in;
}

/* Tells whether a line end that a text hides would split a head where somebody decodes the text into
 * one (a cookie into Set-Cookie, an argument into Location). Text of several lines is
 * ordinary; so only what goes on as a head does counts: a field line that means something to who reads
 * heads, a status line, or the empty line of a head (CRLF twice). Looks at most
 * NAME_MAX_BYTES decoded bytes ahead. */
#include "url/escape.h"
#include "url/spelling.h"

enum { NAME_MAX_BYTES = 48 };

/* How names start that matter in a head, in lower case. */
static const char *const names[] = {
    "set-cookie", "cookie", "location", "refresh", "content-", "transfer-encoding", "connection",
    "host", "access-control-", "x-", "link", "cache-control", "www-authenticate",
};

/* What the text decodes to from there on, in lower case, as far as it may be a name. ends[i]: where in
 * the text byte i ends. */
struct ahead {
	char bytes[NAME_MAX_BYTES];
	size_t ends[NAME_MAX_BYTES];
	size_t len;
};

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || ascii_is_digit(c) || c == '-' || c == '_';
}

/* Line ends stand only at the start, so that no byte is looked at for many of them. */
static bool may_go_on(const struct ahead *ahead, char c)
{
	return is_name_byte(c) || c == ' ' || c == '\t' || c == '/' ||
	       ((c == '\r' || c == '\n') && ahead->len < 3);
}

static void look_ahead(struct ahead *ahead, struct span text, size_t at)
{
	ahead->len = 0;
	while (ahead->len < NAME_MAX_BYTES && at < text.len) {
		bool escaped = spelling_is_escape(text, at);
		char c = escaped ? (char)url_read_escape(text, at).value : text.ptr[at];
		at += escaped ? 3 : 1;
		c = c == '+' ? ' ' : ascii_lower(c);
		ahead->ends[ahead->len] = at;
		ahead->bytes[ahead->len++] = c;
		if (!may_go_on(ahead, c))
			return;
	}
}

/* "name:", also with spaces before the colon. */
static size_t colon_of(struct span line)
{
	size_t at = 0;
	while (at < line.len && is_name_byte(line.ptr[at]))
		at++;
	while (at < line.len && (line.ptr[at] == ' ' || line.ptr[at] == '\t'))
		at++;
	return at < line.len && line.ptr[at] == ':' ? at : line.len;
}

static bool is_known(struct span line)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (span_starts(line, span_from_str(names[i])))
			return true;
	}
	return false;
}

size_t url_head_line_end(struct span text, size_t after)
{
	struct ahead ahead;
	look_ahead(&ahead, text, after);
	struct span line = span_of(ahead.bytes, ahead.len);
	if (span_starts(line, SPAN("\n\r\n")))
		return ahead.ends[2];
	size_t skipped = line.len > 0 && line.ptr[0] == '\n' ? 1 : 0;
	line = span_from(line, skipped);
	if (span_starts(line, SPAN("http/")))
		return ahead.ends[skipped + strlen("http/") - 1];
	size_t colon = colon_of(line);
	return colon < line.len && is_known(line) ? ahead.ends[skipped + colon] : 0;
}

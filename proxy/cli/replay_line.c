/* Lines of access logs in common, combined and our own combined form. Trusts nothing in them: what a
 * visitor sent stands in quotes, and the server that wrote it escaped it, or did not.
 *
 *   [vhost] client ident user [time] "request" status bytes ["referer" "agent"] [anything, or our fields]
 *
 * Escapes are undone in place, so a line is read without a copy. */
#include "cli/replay_line.h"

#include <stdlib.h>

#include "sallyport/addr.h"

/* What our log ends a text with that was cut: no escaped text holds it. */
#define CUT_MARK SPAN("\xe2\x80\xa6")

/* A named letter behind a backslash, as Apache writes control bytes; -1: none. */
static int control_of(char c)
{
	static const char letters[] = "abtnvfr";
	const char *at = c ? strchr(letters, c) : NULL;
	return at ? 7 + (int)(at - letters) : -1;
}

/* How many bytes the escape at s[0] == '\\' has, and what it stands for; 0: it is a backslash. */
static size_t read_escape(const char *s, size_t len, char *byte)
{
	if (len >= 4 && s[1] == 'x' && ascii_hex(s[2]) >= 0 && ascii_hex(s[3]) >= 0) {
		*byte = (char)(ascii_hex(s[2]) << 4 | ascii_hex(s[3]));
		return 4;
	}
	if (len >= 2 && (s[1] == '"' || s[1] == '\\' || control_of(s[1]) >= 0)) {
		*byte = control_of(s[1]) >= 0 ? (char)control_of(s[1]) : s[1];
		return 2;
	}
	return 0;
}

/* In place. An empty text, and "-", is none. */
static struct span unescape(char *s, size_t len)
{
	size_t out = 0;
	if (len == 0 || (len == 1 && s[0] == '-'))
		return (struct span){0};
	if (!memchr(s, '\\', len))
		return span_of(s, len);
	for (size_t i = 0; i < len;) {
		char byte;
		size_t n = s[i] == '\\' ? read_escape(s + i, len - i, &byte) : 0;
		s[out++] = n ? byte : s[i];
		i += n ? n : 1;
	}
	return span_of(s, out);
}

struct cursor {
	char *at, *end;
};

static bool skip(struct cursor *c, char byte)
{
	if (c->at == c->end || *c->at != byte)
		return false;
	c->at++;
	return true;
}

/* The quote that ends a text which begins at c->at; NULL: there is none. */
static char *quote_end(const struct cursor *c, char *from)
{
	for (char *p = from; p < c->end; p++) {
		if (*p == '\\' && p + 1 < c->end)
			p++;
		else if (*p == '"')
			return p;
	}
	return NULL;
}

/* Behind it has to come a status: some servers write quotes of a request as they are. */
static char *request_end(const struct cursor *c)
{
	char *first = quote_end(c, c->at);
	for (char *p = first; p; p = quote_end(c, p + 1)) {
		if (c->end - p >= 5 && p[1] == ' ' && ascii_is_digit(p[2]) && ascii_is_digit(p[3]) && ascii_is_digit(p[4]))
			return p;
	}
	return first;
}

/* A text in quotes, as it stands there. */
static bool take_quoted(struct cursor *c, char **text, size_t *len)
{
	char *end = skip(c, '"') ? quote_end(c, c->at) : NULL;
	if (!end)
		return false;
	*text = c->at;
	*len = (size_t)(end - c->at);
	c->at = end + 1;
	return true;
}

static struct span take_word(struct cursor *c)
{
	char *start = c->at;
	while (c->at < c->end && *c->at != ' ')
		c->at++;
	return span_of(start, (size_t)(c->at - start));
}

static bool is_address(struct span text)
{
	struct addr addr;
	return addr_parse_ip(text, 0, &addr);
}

/* "www.shop.example:443" in front of an address. */
static void take_virtual_host(struct logged *out, struct span vhost)
{
	size_t colon = span_find(vhost, ':');
	out->host = span_of(vhost.ptr, colon);
	out->is_tls = span_eq(span_from(vhost, colon), SPAN(":443"));
}

/* What stands before the time. A name of a user may have spaces. */
static void take_who(struct logged *out, struct cursor c)
{
	struct span first = take_word(&c);
	struct span second = skip(&c, ' ') ? take_word(&c) : (struct span){0};
	if (second.len > 0 && !is_address(first) && is_address(second)) {
		take_virtual_host(out, first);
		out->client = second;
	} else {
		out->client = first;
	}
}

void logged_split(struct logged *out, struct span request)
{
	const char *last = memrchr(request.ptr, ' ', request.len);
	size_t first = span_find(request, ' ');
	struct span version = last ? span_from(request, (size_t)(last - request.ptr) + 1) : (struct span){0};
	out->method = span_of(request.ptr, first);
	if (first == request.len)
		return;
	out->target = span_from(request, first + 1);
	if (last && last > request.ptr + first && span_istarts(version, SPAN("HTTP/"))) {
		out->target.len -= version.len + 1;
		out->version = version;
	}
}

void logged_add_field(struct logged *out, struct span name, struct span value)
{
	if (value.ptr && out->field_count < LOGGED_FIELDS_MAX)
		out->fields[out->field_count++] = (struct logged_field){name, value};
}

void logged_set_action(struct logged *out, struct span action, bool enforced)
{
	out->is_ours = true;
	out->verdict.refused = enforced && (span_eq(action, SPAN("reject")) || span_eq(action, SPAN("close")) ||
					    span_eq(action, SPAN("tarpit")));
}

/* ---- our own fields ---- */

struct our_fields {
	struct span action, enforced, tls;
};

static struct span *our_place(struct logged *out, struct our_fields *ours, struct span name)
{
	struct {
		struct span name, *place;
	} places[] = {
	    {SPAN("host"), &out->host},		     {SPAN("action"), &ours->action},
	    {SPAN("reason"), &out->verdict.reason},  {SPAN("enforced"), &ours->enforced},
	    {SPAN("rule"), &out->verdict.rule},	     {SPAN("evidence"), &out->verdict.evidence},
	    {SPAN("tls"), &ours->tls},		     {SPAN("canonical"), &out->verdict.canonical},
	    {SPAN("site"), &out->verdict.site},
	};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (span_eq(places[i].name, name))
			return places[i].place;
	}
	return NULL;
}

/* name=value or name="value". False: no other. */
static bool take_pair(struct cursor *c, struct logged *out, struct our_fields *ours)
{
	char *text = NULL;
	size_t len = 0;
	if (!skip(c, ' '))
		return false;
	char *equals = memchr(c->at, '=', (size_t)(c->end - c->at));
	if (!equals)
		return false;
	struct span *place = our_place(out, ours, span_of(c->at, (size_t)(equals - c->at)));
	c->at = equals + 1;
	if (c->at < c->end && *c->at == '"') {
		if (!take_quoted(c, &text, &len))
			return false;
	} else {
		struct span word = take_word(c);
		text = equals + 1;
		len = word.len;
	}
	if (place)
		*place = unescape(text, len);
	return true;
}

static bool take_ours(struct cursor *c, struct logged *out)
{
	struct our_fields ours = {0};
	if (!span_starts(span_of(c->at, (size_t)(c->end - c->at)), SPAN(" host=\"")))
		return false;
	while (take_pair(c, out, &ours)) {
	}
	if (!ours.action.ptr)
		return false;
	logged_set_action(out, ours.action, !span_eq(ours.enforced, SPAN("no")));
	out->is_tls = ours.tls.ptr != NULL;
	return true;
}

/* ---- a line ---- */

static bool take_status(struct cursor *c, struct logged *out)
{
	uint64_t status = 0;
	if (!skip(c, ' '))
		return false;
	struct span word = take_word(c);
	if (word.len == 3 && span_to_u64(word, 999, &status))
		out->status = (unsigned)status;
	else if (!span_eq(word, SPAN("-")))
		return false;
	return skip(c, ' ') && take_word(c).len > 0;
}

/* False: a text that begins there does not end. */
static bool take_fields(struct cursor *c, struct logged *out)
{
	static const struct span names[] = {{"Referer", 7}, {"User-Agent", 10}};
	for (size_t i = 0; i < 2; i++) {
		char *text;
		size_t len;
		if (c->end - c->at < 2 || c->at[0] != ' ' || c->at[1] != '"')
			return true; /* common, or another one's own format */
		c->at++;
		if (!take_quoted(c, &text, &len))
			return false;
		logged_add_field(out, names[i], unescape(text, len));
	}
	return true;
}

static enum line_kind bad(struct err *err, const char *why)
{
	err_set(err, "%s", why);
	return LINE_BAD;
}

/* "… [time] "": no text that somebody sent can have a bare quote in front of it. */
static bool take_head(struct cursor *c, struct logged *out)
{
	char *end = memmem(c->at, (size_t)(c->end - c->at), "] \"", 3);
	char *time = end ? memrchr(c->at, '[', (size_t)(end - c->at)) : NULL;
	if (!time || time == c->at || time[-1] != ' ')
		return false;
	take_who(out, (struct cursor){c->at, time});
	c->at = end + 3;
	return true;
}

/* The combined form has no field for it; "egress" may be a site's name, too. */
static bool is_of_gate(const struct logged *out)
{
	return span_eq(out->verdict.site, SPAN("egress")) &&
	       (span_eq(out->method, SPAN("CONNECT")) || span_istarts(out->target, SPAN("http:")));
}

static enum line_kind read_combined(struct line_reader *reader, struct cursor c, struct logged *out, struct err *err)
{
	if (!take_head(&c, out))
		return bad(err, "no client, time in brackets and request in quotes");
	char *end = request_end(&c);
	if (!end)
		return bad(err, "the request does not end: the line is cut short");
	char *request = c.at;
	c.at = end + 1;
	if (!take_status(&c, out))
		return bad(err, "no status and size behind the request");
	if (!take_fields(&c, out))
		return bad(err, "a text does not end: the line is cut short");
	bool wants_ours = reader->dialect == DIALECT_SALLYPORT;
	if (reader->dialect != DIALECT_COMBINED && !take_ours(&c, out) && wants_ours)
		return bad(err, "none of our own lines");
	out->is_cut = out->is_ours && memmem(request, (size_t)(end - request), CUT_MARK.ptr, CUT_MARK.len);
	struct span line = unescape(request, (size_t)(end - request));
	if (!line.ptr)
		return LINE_OTHER;
	logged_split(out, line);
	out->is_egress = is_of_gate(out);
	out->is_tls |= !out->is_ours && span_istarts(out->target, SPAN("https:")); /* the log does not say */
	return LINE_REQUEST;
}

/* "2026-11-23T21:08:24.123Z reason=…", of our event log, or "… master[71] info: …", which stands between the lines of an access
 * log where both are a container's output. */
static bool is_event(struct span line)
{
	static const struct span marks[] = {{" reason=", 8}, {"] info: ", 8}, {"] warning: ", 11}, {"] error: ", 9}, {"] debug: ", 9}};
	if (line.len <= 30 || !ascii_is_digit(line.ptr[0]) || line.ptr[4] != '-' || line.ptr[10] != 'T')
		return false;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if (memmem(line.ptr, line.len < 64 ? line.len : 64, marks[i].ptr, marks[i].len))
			return true;
	}
	return false;
}

enum line_kind line_read(struct line_reader *reader, char *line, size_t len, struct logged *out, struct err *err)
{
	struct cursor c = {line, line + len};
	while (c.end > c.at && (c.end[-1] == '\r' || c.end[-1] == ' '))
		c.end--;
	while (c.at < c.end && *c.at == ' ')
		c.at++;
	struct span text = span_of(c.at, (size_t)(c.end - c.at));
	*out = (struct logged){0};
	if (text.len == 0 || text.ptr[0] == '#')
		return LINE_OTHER;
	if (reader->dialect == DIALECT_JSON || (text.ptr[0] == '{' && reader->dialect != DIALECT_COMBINED))
		return line_read_json(reader, text, out, err);
	if (is_event(text))
		return LINE_OTHER;
	return read_combined(reader, c, out, err);
}

bool line_reader_init(struct line_reader *reader, enum log_dialect dialect)
{
	*reader = (struct line_reader){.dialect = dialect, .bytes = malloc(REPLAY_TEXTS_MAX)};
	strbuf_init(&reader->text, 6 * REPLAY_LINE_MAX);
	return reader->bytes != NULL;
}

void line_reader_release(struct line_reader *reader)
{
	json_free(reader->document);
	strbuf_release(&reader->text);
	free(reader->bytes);
	*reader = (struct line_reader){0};
}

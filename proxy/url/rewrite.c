/* Writes a query anew where a site wants it: the bytes that are at fault in their canonical spelling,
 * every other byte as it came, so that what is signed or compared stays equal unless it
 * was malformed.
 *
 *   escape-invalid, escape-unicode   the "%" becomes %25: data, as RFC 3986 has it
 *   raw-byte                         encoded
 *   escape-control                   %20
 *   utf8-overlong                    %EF%BF%BD (U+FFFD) for each overlong form
 *
 * Trusts no byte, and the caller for the room. Decides nothing: query.c finds, the shield says what
 * is rewritten. */
#include "url/class.h"
#include "url/escape.h"
#include "url/utf8.h"

#include "sallyport/url.h"

struct rewriting {
	struct span query;
	unsigned rewrite;
	size_t at; /* the next raw byte */
	char *out;
	size_t len;
};

static void put(struct rewriting *r, struct span s)
{
	memcpy(r->out + r->len, s.ptr, s.len);
	r->len += s.len;
}

static void put_encoded(struct rewriting *r, unsigned byte)
{
	static const char digits[] = "0123456789ABCDEF";
	const char escape[3] = {'%', digits[byte >> 4 & 15], digits[byte & 15]};
	put(r, span_of(escape, sizeof(escape)));
}

/* The byte that stands here once decoded, and how many raw ones it takes. A "%" that starts no
 * escape stands for itself. */
static unsigned read_byte(struct span query, size_t at, size_t *width)
{
	*width = 1;
	if (query.ptr[at] != '%')
		return (unsigned char)query.ptr[at];
	struct url_escape escape = url_read_escape(query, at);
	if (escape.kind != URL_ESCAPE_BYTE)
		return '%';
	*width = escape.len;
	return escape.value;
}

static void take_escape(struct rewriting *r)
{
	struct url_escape escape = url_read_escape(r->query, r->at);
	struct span raw = span_of(r->query.ptr + r->at, escape.len);
	bool hides = escape.kind == URL_ESCAPE_WIDE && escape.value < 0x100;
	bool is_control = escape.value < 0x20 || escape.value == 0x7f;
	r->at += escape.len;
	if (escape.kind == URL_ESCAPE_BYTE) {
		bool blank = is_control && escape.value != 0 && r->rewrite & URL_ESCAPE_CONTROL;
		put(r, blank ? SPAN("%20") : raw);
	} else if (r->rewrite & (hides ? URL_ESCAPE_UNICODE : URL_ESCAPE_INVALID)) {
		put_encoded(r, '%');
		put(r, span_from(raw, 1));
	} else {
		put(r, raw);
	}
}

static void take_raw(struct rewriting *r)
{
	char c = r->query.ptr[r->at++];
	/* What stands in no target is no raw-byte either; see query.c. */
	bool known = c == '+' || c == '#' || url_class_of(c) & (URL_CLASS_QUERY | URL_CLASS_UNSAFE);
	if (known || !(r->rewrite & URL_RAW_BYTE))
		r->out[r->len++] = c;
	else
		put_encoded(r, (unsigned char)c);
}

static void take_one(struct rewriting *r)
{
	if (r->query.ptr[r->at] == '%')
		take_escape(r);
	else
		take_raw(r);
}

/* Where the run of bytes from 0x80 on that starts here ends, and what it is as UTF-8. */
static size_t end_of_run(struct span query, size_t at, unsigned *findings)
{
	struct utf8_check utf8 = {0};
	size_t width;
	*findings = 0;
	while (at < query.len) {
		unsigned byte = read_byte(query, at, &width);
		if (byte < 0x80)
			break;
		*findings |= utf8_feed(&utf8, byte);
		at += width;
	}
	*findings |= utf8_end(&utf8);
	return at;
}

/* One form of a run that has no others; see url.h about runs. */
static void take_form(struct rewriting *r)
{
	struct utf8_check utf8 = {0};
	size_t end = r->at, width;
	unsigned findings = 0;
	do {
		findings |= utf8_feed(&utf8, read_byte(r->query, end, &width));
		end += width;
	} while (utf8.left > 0);
	if (findings & URL_UTF8_OVERLONG) {
		put(r, SPAN("%EF%BF%BD"));
		r->at = end;
	}
	while (r->at < end)
		take_one(r);
}

static void take_run(struct rewriting *r)
{
	unsigned findings;
	size_t end = end_of_run(r->query, r->at, &findings);
	bool by_forms = findings == URL_UTF8_OVERLONG && r->rewrite & URL_UTF8_OVERLONG;
	while (r->at < end) {
		if (by_forms)
			take_form(r);
		else
			take_one(r);
	}
}

struct span url_rewrite_query(struct span query, unsigned rewrite, char *buf)
{
	struct rewriting r = {.query = query, .rewrite = rewrite, .out = buf};
	size_t width;
	while (r.at < query.len) {
		if (read_byte(query, r.at, &width) >= 0x80)
			take_run(&r);
		else
			take_one(&r);
	}
	return span_of(r.out, r.len);
}

/* The canonical form of a path (RFC 3986 section 6.2.2): what is judged, routed and
 * forwarded is one spelling of what was sent.
 *
 * A clean path, which is nearly every one, is recognised in one pass and used where it
 * lies. Any other is written anew in one walk: bytes and escapes are put in their
 * canonical spelling, and a segment is looked at as soon as it has ended, so that
 * a dot segment in whatever spelling is taken away with what it cancels. What is odd on
 * the way is noted, not judged. Decoding happens once, from the canonical form.
 *
 * Trusts nothing about the bytes, and the caller for the room that the header asks
 * for: a byte takes at most three in the canonical form and one in the decoded. */
#include "url/class.h"
#include "url/escape.h"
#include "url/finding.h"
#include "url/segment.h"
#include "url/utf8.h"

/* What a path without any odd byte may still have found in it: by the bytes that mark it, or
 * only by looking at each name. */
enum {
	MARKED = URL_STREAM_DATA | URL_STREAM | URL_SHORT_NAME | URL_PARAMETER,
	NAMED = URL_DEVICE_NAME | URL_TRAILING_DOT | URL_PATH_INFO,
};

/* Canonical already, and without a dot or empty segment: no escape, no odd byte, nothing that
 * has to be looked at. Two dots or slashes side by side, as in "/.x" and "a..b", are taken for
 * unclean, at no harm. */
static bool is_clean(struct span path, unsigned odd)
{
	unsigned unclean = 0, before = 0;
	for (size_t i = 0; i < path.len; i++) {
		unsigned class = url_class_of(path.ptr[i]);
		unclean |= class & (before | odd);
		before = class & URL_CLASS_STEP;
	}
	return unclean == 0 && path.len > 0 && path.ptr[0] == '/';
}

struct walk {
	struct span raw;
	unsigned rewrite; /* URL_FINDINGS_REWRITABLE bits */
	bool last_dots;   /* as in the options */
	size_t at;        /* next byte of raw */
	char *out;        /* canonical form so far, starting with "/" */
	size_t len;
	size_t segment;     /* where in out the current segment starts */
	size_t segment_raw; /* and where in raw */
	size_t percent;     /* where in out an encoded "%" ends, in this segment; 0: none */
	size_t percent_raw; /* and where in raw it starts */
	struct utf8_check utf8;
	size_t utf8_raw; /* where the sequence under check starts */
	struct url_notes notes;
};

static struct span decode(struct span canonical, char *buf);

static void note_from(struct walk *walk, unsigned finding, size_t from)
{
	url_note(&walk->notes, finding, span_of(walk->raw.ptr + from, walk->at - from));
}

/* Notes every bit of UTF-8 findings. */
static void note_utf8(struct walk *walk, unsigned findings)
{
	if (findings & URL_UTF8_OVERLONG)
		note_from(walk, URL_UTF8_OVERLONG, walk->utf8_raw);
	if (findings & URL_UTF8_INVALID)
		note_from(walk, URL_UTF8_INVALID, walk->utf8_raw);
}

/* Takes a byte as it is after decoding once. from: where in raw it starts. */
static void check_utf8(struct walk *walk, unsigned byte, size_t from)
{
	if (walk->utf8.left == 0)
		walk->utf8_raw = from;
	if (byte >= 0x80 || walk->utf8.left > 0)
		note_utf8(walk, utf8_feed(&walk->utf8, byte));
}

static bool all_hex(const char *digits, size_t n)
{
	while (n > 0 && ascii_hex(digits[n - 1]) >= 0)
		n--;
	return n == 0;
}

/* With the byte just put, does what follows an encoded "%" read as an escape? */
static void check_double(struct walk *walk)
{
	if (walk->percent == 0)
		return;
	const char *after = walk->out + walk->percent;
	size_t n = walk->len - walk->percent;
	if ((n == 2 && all_hex(after, 2)) ||
	    (n == 5 && ascii_lower(after[0]) == 'u' && all_hex(after + 1, 4)))
		note_from(walk, URL_ESCAPE_DOUBLE, walk->percent_raw);
}

static void put_raw(struct walk *walk, unsigned byte)
{
	walk->out[walk->len++] = (char)byte;
	check_double(walk);
}

static void put_encoded(struct walk *walk, unsigned byte)
{
	static const char digits[] = "0123456789ABCDEF";
	char *out = walk->out + walk->len;
	out[0] = '%';
	out[1] = digits[byte >> 4 & 15];
	out[2] = digits[byte & 15];
	walk->len += 3;
}

/* A "%" that is data, whether it was sent so or starts no escape. */
static void put_percent(struct walk *walk, size_t from)
{
	put_encoded(walk, '%');
	walk->percent = walk->len;
	walk->percent_raw = from;
}

/* A segment that servers read differently: nothing to those that merge slashes, also once
 * parameters are gone, several names to those that decode separators before they split. */
static bool is_ambiguous(struct span segment)
{
	for (size_t i = 0; i + 2 < segment.len; i++) {
		if (segment.ptr[i] == '%' && (memcmp(segment.ptr + i + 1, "2F", 2) == 0 ||
					      memcmp(segment.ptr + i + 1, "5C", 2) == 0))
			return true;
	}
	return segment.len == 0 || segment.ptr[0] == ';';
}

/* Takes the last segment of out away, up to the "/" before it. */
static void drop_segment(struct walk *walk, size_t from)
{
	walk->len = walk->segment;
	if (walk->len == 1) {
		note_from(walk, URL_ABOVE_ROOT, from);
		return;
	}
	size_t end = walk->len - 1;
	do
		walk->len--;
	while (walk->out[walk->len - 1] != '/');
	/* What follows "//" is a host to some; see check_start. */
	bool is_host = walk->len == 2;
	if (is_host || is_ambiguous(span_of(walk->out + walk->len, end - walk->len)))
		note_from(walk, URL_DOTS_AMBIGUOUS, from);
}

/* "....//" and "..././": whoever deletes "../" once has "../" left. The segment that ends here is empty
 * or a dot; is the one before it all dots? */
static void check_deletion(struct walk *walk)
{
	size_t end = walk->segment - 1, start = end;
	while (start > 1 && walk->out[start - 1] == '.')
		start--;
	if (end - start >= 3 && walk->out[start - 1] == '/')
		note_from(walk, URL_DOTS_DISGUISED, walk->segment_raw - 1);
}

static void note_all(struct walk *walk, unsigned findings, size_t from)
{
	findings &= walk->notes.heeded;
	for (; findings; findings &= findings - 1)
		note_from(walk, url_worst_finding(findings), from);
}

/* What the name of the segment that ends here may be up to. The room behind the longest
 * canonical form that there can be is free until all is decoded. */
static void inspect_segment(struct walk *walk, struct span segment)
{
	if (segment.len == 0 || walk->notes.heeded == 0)
		return;
	struct url_segment look = {
	    .text = decode(segment, walk->out + 3 * walk->raw.len + 1),
	    .has_parameters = url_segment_has_parameters(segment),
	    .is_last = walk->at == walk->raw.len,
	};
	note_all(walk, url_segment_findings(&look, walk->notes.heeded), walk->segment_raw);
}

static struct span current_segment(const struct walk *walk)
{
	return span_of(walk->out + walk->segment, walk->len - walk->segment);
}

/* Looks at the segment that ends here. True where it was a dot segment, and is gone. */
static bool end_segment(struct walk *walk)
{
	struct span segment = current_segment(walk);
	walk->percent = 0;
	inspect_segment(walk, segment);
	if (walk->rewrite & URL_PARAMETER) {
		segment.len = span_find(segment, ';');
		walk->len = walk->segment + segment.len;
	}
	if (segment.len == 0 || span_eq(segment, SPAN(".")))
		check_deletion(walk);
	if (span_eq(segment, SPAN("."))) {
		note_from(walk, URL_DOT_SEGMENT, walk->segment_raw);
		walk->len = walk->segment;
		return true;
	}
	if (span_eq(segment, SPAN(".."))) {
		note_from(walk, URL_DOT_SEGMENT, walk->segment_raw);
		drop_segment(walk, walk->segment_raw);
		return true;
	}
	return false;
}

/* A separator of `width` raw bytes, in whatever spelling. */
static void take_slash(struct walk *walk, size_t width)
{
	check_utf8(walk, '/', walk->at);
	bool dropped = end_segment(walk);
	bool empty = !dropped && walk->len == walk->segment;
	size_t from = walk->at;
	walk->at += width;
	if (!dropped && !(empty && walk->rewrite & URL_EMPTY_SEGMENT))
		walk->out[walk->len++] = '/';
	if (empty)
		note_from(walk, URL_EMPTY_SEGMENT, from);
	walk->segment = walk->len;
	walk->segment_raw = walk->at;
}

/* The finding of a byte that is a separator to some; URL_FINDING_NONE of others. */
static unsigned finding_of_separator(unsigned byte)
{
	return byte == '\\' ? URL_BACKSLASH : byte == '/' ? URL_ENCODED_SLASH : URL_FINDING_NONE;
}

/* True where a disguised separator is rewritten to the plain one, and was taken so. */
static bool take_separator(struct walk *walk, unsigned byte, size_t width)
{
	unsigned finding = finding_of_separator(byte) & walk->rewrite;
	if (!finding)
		return false;
	url_note(&walk->notes, finding, span_of(walk->raw.ptr + walk->at, width));
	take_slash(walk, width);
	return true;
}

static void take_raw(struct walk *walk, unsigned char byte)
{
	unsigned class = url_class[byte];
	if (take_separator(walk, byte, 1))
		return;
	size_t from = walk->at++;
	check_utf8(walk, byte, from);
	if (class & URL_CLASS_PATH) {
		put_raw(walk, byte);
		return;
	}
	if (byte == '\\')
		note_from(walk, URL_BACKSLASH, from);
	else if (class & URL_CLASS_UNSAFE || memchr("\"#<>?", byte, 5))
		note_from(walk, URL_RAW_UNSAFE, from);
	else
		note_from(walk, URL_RAW_BYTE, from);
	put_encoded(walk, byte);
}

/* What an encoded byte that stays encoded may be up to. */
static unsigned finding_of_encoded(unsigned byte)
{
	if (byte == 0)
		return URL_ESCAPE_NUL;
	if (byte < 0x20 || byte == 0x7f)
		return URL_ESCAPE_CONTROL;
	return finding_of_separator(byte);
}

static void take_byte_escape(struct walk *walk, unsigned byte)
{
	size_t from = walk->at;
	if (take_separator(walk, byte, 3))
		return;
	walk->at += 3;
	check_utf8(walk, byte, from);
	if (url_class[byte] & URL_CLASS_UNRESERVED) {
		note_from(walk, URL_ESCAPE_NEEDLESS, from);
		put_raw(walk, byte);
	} else if (byte == '%') {
		put_percent(walk, from);
	} else {
		if (finding_of_encoded(byte))
			note_from(walk, finding_of_encoded(byte), from);
		put_encoded(walk, byte);
	}
}

static void take_escape(struct walk *walk)
{
	size_t from = walk->at;
	struct url_escape escape = url_read_escape(walk->raw, from);
	if (escape.kind == URL_ESCAPE_BYTE) {
		take_byte_escape(walk, escape.value);
		return;
	}
	check_utf8(walk, '%', from);
	walk->at += escape.len;
	if (escape.kind == URL_ESCAPE_WIDE) {
		note_from(walk, URL_ESCAPE_UNICODE, from);
		put_encoded(walk, '%');
		memcpy(walk->out + walk->len, walk->raw.ptr + from + 1, escape.len - 1);
		walk->len += escape.len - 1;
	} else {
		note_from(walk, URL_ESCAPE_INVALID, from);
		put_percent(walk, from);
	}
}

/* "//host/x" is a reference to another host (RFC 3986 section 4.2), which libraries make of a
 * request-target: none may come of dot segments that were removed. */
static void check_start(struct walk *walk)
{
	bool was = walk->raw.len > 1 && walk->raw.ptr[1] == '/';
	if (walk->len > 1 && walk->out[1] == '/' && !was)
		url_note(&walk->notes, URL_DOTS_AMBIGUOUS, walk->raw);
}

static void walk_path(struct walk *walk)
{
	walk->out[walk->len++] = '/';
	if (walk->raw.len > 0 && walk->raw.ptr[0] == '/')
		walk->at = 1;
	walk->segment = walk->len;
	walk->segment_raw = walk->at;
	while (walk->at < walk->raw.len) {
		unsigned char byte = (unsigned char)walk->raw.ptr[walk->at];
		if (byte == '/')
			take_slash(walk, 1);
		else if (byte == '%')
			take_escape(walk);
		else
			take_raw(walk, byte);
	}
	note_utf8(walk, utf8_end(&walk->utf8));
	if (end_segment(walk) && walk->last_dots)
		note_from(walk, URL_DOTS_AMBIGUOUS, walk->segment_raw);
	check_start(walk);
}

/* Every escape of the canonical form is whole: that is what makes it canonical. */
static struct span decode(struct span canonical, char *buf)
{
	size_t len = 0;
	if (span_find(canonical, '%') == canonical.len)
		return canonical;
	for (size_t i = 0; i < canonical.len; i++) {
		char c = canonical.ptr[i];
		if (c == '%') {
			c = (char)url_read_escape(canonical, i).value;
			i += 2;
		}
		buf[len++] = c;
	}
	return span_of(buf, len);
}

static void inspect_dots(struct walk *walk, struct span path)
{
	size_t dot = span_find(path, '.');
	struct span rest = span_from(path, dot);
	if (rest.len > 0 &&
	    (span_find(rest, '/') < rest.len || span_find(span_from(rest, 1), '.') < rest.len - 1))
		url_note(&walk->notes, URL_DOT_IN_PATH, walk->raw);
}

static bool has_mark(struct span s)
{
	unsigned classes = 0;
	for (size_t i = 0; i < s.len; i++)
		classes |= url_class_of(s.ptr[i]);
	return classes & URL_CLASS_MARK;
}

/* The names of a path that is canonical already; marked: some may have marks. */
static void inspect_clean(struct walk *walk, bool marked)
{
	bool of_scripts = walk->notes.heeded & URL_PATH_INFO;
	if (!marked && !of_scripts && url_names_are_ordinary(walk->raw))
		return;
	for (walk->segment_raw = 1; walk->segment_raw <= walk->raw.len;
	     walk->segment_raw = walk->at + 1) {
		struct span rest = span_from(walk->raw, walk->segment_raw);
		struct span segment = span_of(rest.ptr, span_find(rest, '/'));
		walk->at = walk->segment_raw + segment.len;
		if (of_scripts || !url_segment_is_ordinary(segment) ||
		    (marked && has_mark(segment)))
			inspect_segment(walk, segment);
	}
}

void url_canon_path_as(struct span path, const struct url_canon_options *options, char *buf,
		       struct url_canon *out)
{
	struct walk walk = {
	    .raw = path,
	    .rewrite = options->rewrite,
	    .last_dots = options->last_dots,
	    .out = buf,
	    .notes = {.heeded = options->heeded, .weighty = options->weighty},
	};
	bool strips = options->rewrite & URL_PARAMETER;
	*out = (struct url_canon){.path = path, .decoded = path};
	if (span_eq(path, SPAN("*")))
		return;
	if (is_clean(path, URL_CLASS_ODD | URL_CLASS_MARK)) {
		if (options->heeded & NAMED)
			inspect_clean(&walk, false);
	} else if (is_clean(path, URL_CLASS_ODD) && !strips) {
		if (options->heeded & (NAMED | MARKED))
			inspect_clean(&walk, true);
	} else {
		walk_path(&walk);
		struct span canonical = span_of(walk.out, walk.len);
		out->path = span_eq(canonical, path) ? path : canonical;
		out->decoded = decode(out->path, buf + walk.len);
	}
	if (options->heeded & URL_DOT_IN_PATH)
		inspect_dots(&walk, out->decoded);
	out->findings = walk.notes.findings;
	out->evidence = walk.notes.evidence;
}

void url_canon_path(struct span path, char *buf, struct url_canon *out)
{
	static const struct url_canon_options spelling = {.heeded = URL_FINDINGS_SPELLING};
	url_canon_path_as(path, &spelling, buf, out);
}

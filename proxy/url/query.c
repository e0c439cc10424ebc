/* Looks at a query, and decodes it once for rules. Its syntax is between a page and its own
 * server (signed URLs, nested URLs, older encodings), so that only what no form produces
 * is worth a refusal, and nothing is rewritten that a site does not ask for (rewrite.c).
 * Trusts no byte. */
#include "url/class.h"
#include "url/escape.h"
#include "url/finding.h"
#include "url/segment.h"
#include "url/utf8.h"

/* A run of decoded bytes from 0x80 on. Only the whole run tells an overlong form from
 * a text in another encoding; see url.h. */
struct run {
	struct utf8_check utf8;
	unsigned findings;
	uint32_t window; /* its last four bytes */
	size_t start;
	bool open;
};

struct scan {
	struct span query;
	size_t at;
	struct run run;
	struct url_notes notes;
};

static void note_from(struct scan *scan, unsigned finding, size_t from)
{
	url_note(&scan->notes, finding, span_of(scan->query.ptr + from, scan->at - from));
}

static void end_run(struct scan *scan, size_t end)
{
	struct run *run = &scan->run;
	if (!run->open)
		return;
	unsigned findings = run->findings | utf8_end(&run->utf8);
	struct span evidence = span_of(scan->query.ptr + run->start, end - run->start);
	if (findings & URL_UTF8_INVALID)
		url_note(&scan->notes, URL_UTF8_INVALID, evidence);
	else if (findings & URL_UTF8_OVERLONG)
		url_note(&scan->notes, URL_UTF8_OVERLONG, evidence);
	url_note(&scan->notes, URL_HIGH_BIT, evidence);
	if (findings & URL_INVISIBLE)
		url_note(&scan->notes, URL_INVISIBLE, evidence);
	*run = (struct run){0};
}

/* Takes a byte as it is after decoding once. from: where in the query it starts. */
static void take_value(struct scan *scan, unsigned byte, size_t from)
{
	if (byte < 0x80) {
		end_run(scan, from);
		return;
	}
	if (!scan->run.open) {
		scan->run.open = true;
		scan->run.start = from;
	}
	scan->run.findings |= utf8_feed(&scan->run.utf8, byte);
	scan->run.window = scan->run.window << 8 | byte;
	scan->run.findings |= url_is_invisible(scan->run.window) ? URL_INVISIBLE : 0;
}

static bool is_escape(struct span s, size_t at)
{
	return at < s.len && s.ptr[at] == '%' && url_read_escape(s, at).kind == URL_ESCAPE_BYTE;
}

/* Does "%25" with what follows it, raw or itself encoded, read as an escape? */
static bool leaves_escape(struct span s, size_t at)
{
	for (int digits = 0; digits < 2; digits++) {
		bool escaped = is_escape(s, at);
		if (at >= s.len)
			return false;
		char c = escaped ? (char)url_read_escape(s, at).value : s.ptr[at];
		if (ascii_hex(c) < 0)
			return false;
		at += escaped ? 3 : 1;
	}
	return true;
}

static void take_escape(struct scan *scan)
{
	size_t from = scan->at;
	struct url_escape escape = url_read_escape(scan->query, from);
	bool is_byte = escape.kind == URL_ESCAPE_BYTE;
	scan->at += escape.len;
	take_value(scan, is_byte ? escape.value : '%', from);
	if (!is_byte) {
		bool hides = escape.kind == URL_ESCAPE_WIDE && escape.value < 0x100;
		note_from(scan, hides ? URL_ESCAPE_UNICODE : URL_ESCAPE_INVALID, from);
	} else if (escape.value == 0) {
		note_from(scan, URL_ESCAPE_NUL, from);
	} else if (escape.value < 0x20 || escape.value == 0x7f) {
		note_from(scan, URL_ESCAPE_CONTROL, from);
	} else if (escape.value == '%' && leaves_escape(scan->query, scan->at)) {
		note_from(scan, URL_ESCAPE_DOUBLE, from);
	}
}

static void take_odd(struct scan *scan, unsigned char byte)
{
	size_t from = scan->at++;
	bool unsafe = url_class[byte] & URL_CLASS_UNSAFE || byte == '#';
	take_value(scan, byte, from);
	note_from(scan, unsafe ? URL_RAW_UNSAFE : URL_RAW_BYTE, from);
}

unsigned url_scan_query_for(struct span query, unsigned heeded, struct span *evidence)
{
	struct scan scan = {.query = query, .notes = {.heeded = heeded}};
	while (scan.at < query.len) {
		char c = query.ptr[scan.at];
		if (c == '%') {
			take_escape(&scan);
		} else if (c == '+' || url_class_of(c) & URL_CLASS_QUERY) {
			end_run(&scan, scan.at);
			scan.at++;
		} else {
			take_odd(&scan, (unsigned char)c);
		}
	}
	end_run(&scan, query.len);
	*evidence = scan.notes.evidence;
	return scan.notes.findings;
}

unsigned url_scan_query(struct span query, struct span *evidence)
{
	return url_scan_query_for(query, URL_FINDINGS_SPELLING, evidence);
}

static size_t plain_prefix(struct span query)
{
	size_t i = 0;
	while (i < query.len && query.ptr[i] != '%' && query.ptr[i] != '+')
		i++;
	return i;
}

struct span url_decode_query(struct span query, char *buf)
{
	size_t at = plain_prefix(query), len = at;
	if (at == query.len)
		return query;
	memcpy(buf, query.ptr, at);
	while (at < query.len) {
		char c = query.ptr[at];
		if (is_escape(query, at)) {
			buf[len++] = (char)url_read_escape(query, at).value;
			at += 3;
		} else {
			buf[len++] = c == '+' ? ' ' : c;
			at++;
		}
	}
	return span_of(buf, len);
}

struct span url_query_prefix(struct span query, size_t decoded_len)
{
	size_t at = 0;
	while (decoded_len-- > 0 && at < query.len)
		at += is_escape(query, at) ? 3 : 1;
	return span_of(query.ptr, at);
}

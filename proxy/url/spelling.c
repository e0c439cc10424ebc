/* Takes a text apart, decoding each escape once, and notes what no plain text has. Trusts
 * no byte. */
#include "url/spelling.h"

#include "url/escape.h"
#include "url/segment.h"

void spelling_note(struct spelling *spelling, unsigned finding, size_t from)
{
	url_note(&spelling->notes, finding, span_of(spelling->text.ptr + from, spelling->at - from));
}

void spelling_close_run(struct spelling *spelling, size_t end)
{
	struct spelling_run *run = &spelling->run;
	unsigned findings = run->findings | utf8_end(&run->utf8);
	struct span evidence = span_of(spelling->text.ptr + run->start, end - run->start);
	if (findings & URL_UTF8_INVALID)
		url_note(&spelling->notes, URL_UTF8_INVALID, evidence);
	else if (findings & URL_UTF8_OVERLONG)
		url_note(&spelling->notes, URL_UTF8_OVERLONG, evidence);
	url_note(&spelling->notes, URL_HIGH_BIT, evidence);
	if (findings & URL_INVISIBLE)
		url_note(&spelling->notes, URL_INVISIBLE, evidence);
	*run = (struct spelling_run){0};
}

void spelling_take_byte(struct spelling *spelling, unsigned byte, size_t from)
{
	if (byte < 0x80) {
		spelling_end_run(spelling, from);
		return;
	}
	if (!spelling->run.open) {
		spelling->run.open = true;
		spelling->run.start = from;
	}
	spelling->run.findings |= utf8_feed(&spelling->run.utf8, byte);
	spelling->run.window = spelling->run.window << 8 | byte;
	spelling->run.findings |= url_is_invisible(spelling->run.window) ? URL_INVISIBLE : 0;
}

bool spelling_is_escape(struct span s, size_t at)
{
	return at < s.len && s.ptr[at] == '%' && url_read_escape(s, at).kind == URL_ESCAPE_BYTE;
}

/* Does "%25" with what follows it, raw or itself encoded, read as an escape? */
static bool leaves_escape(struct span s, size_t at)
{
	for (int digits = 0; digits < 2; digits++) {
		bool escaped = spelling_is_escape(s, at);
		if (at >= s.len)
			return false;
		char c = escaped ? (char)url_read_escape(s, at).value : s.ptr[at];
		if (ascii_hex(c) < 0)
			return false;
		at += escaped ? 3 : 1;
	}
	return true;
}

static void take_control(struct spelling *spelling, unsigned byte, size_t from)
{
	size_t end;
	spelling_note(spelling, URL_ESCAPE_CONTROL, from);
	if ((byte != '\r' && byte != '\n') || !(spelling->notes.heeded & ~spelling->notes.findings & URL_HEAD_SPLIT))
		return;
	end = url_head_line_end(spelling->text, spelling->at);
	if (end > 0)
		url_note(&spelling->notes, URL_HEAD_SPLIT,
			 span_of(spelling->text.ptr + from, end - from));
}

void spelling_take_escape(struct spelling *spelling)
{
	size_t from = spelling->at;
	struct url_escape escape = url_read_escape(spelling->text, from);
	bool is_byte = escape.kind == URL_ESCAPE_BYTE;
	spelling->at += escape.len;
	spelling_take_byte(spelling, is_byte ? escape.value : '%', from);
	if (!is_byte) {
		bool hides = escape.kind == URL_ESCAPE_WIDE && escape.value < 0x100;
		spelling_note(spelling, hides ? URL_ESCAPE_UNICODE : URL_ESCAPE_INVALID, from);
	} else if (escape.value == 0) {
		spelling_note(spelling, URL_ESCAPE_NUL, from);
	} else if (escape.value < 0x20 || escape.value == 0x7f) {
		take_control(spelling, escape.value, from);
	} else if (escape.value == '%' && leaves_escape(spelling->text, spelling->at)) {
		spelling_note(spelling, URL_ESCAPE_DOUBLE, from);
	}
}

/* Looks at a query, and decodes it once for rules. Its syntax is between a page and its own
 * server (signed URLs, nested URLs, older encodings), so that only what no form produces
 * is worth a refusal, and nothing is rewritten that a site does not ask for (rewrite.c).
 * Trusts no byte. */
#include "url/class.h"
#include "url/escape.h"
#include "url/spelling.h"

static void take_odd(struct spelling *spelling, unsigned char byte)
{
	size_t from = spelling->at++;
	bool unsafe = url_class[byte] & URL_CLASS_UNSAFE || byte == '#';
	spelling_take_byte(spelling, byte, from);
	spelling_note(spelling, unsafe ? URL_RAW_UNSAFE : URL_RAW_BYTE, from);
}

unsigned url_scan_query_for(struct span query, unsigned heeded, struct span *evidence)
{
	struct spelling spelling = {.text = query, .notes = {.heeded = heeded}};
	while (spelling.at < query.len) {
		char c = query.ptr[spelling.at];
		if (c == '%') {
			spelling_take_escape(&spelling);
		} else if (c == '+' || url_class_of(c) & URL_CLASS_QUERY) {
			spelling_end_run(&spelling, spelling.at);
			spelling.at++;
		} else {
			take_odd(&spelling, (unsigned char)c);
		}
	}
	spelling_end_run(&spelling, query.len);
	*evidence = spelling.notes.evidence;
	return spelling.notes.findings;
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
		char c = query.ptr[at++];
		if (c == '%' && query.len - at >= 2) {
			int high = ascii_hex(query.ptr[at]), low = ascii_hex(query.ptr[at + 1]);
			if (high >= 0 && low >= 0) {
				c = (char)(high * 16 + low);
				at += 2;
			}
		} else if (c == '+') {
			c = ' ';
		}
		buf[len++] = c;
	}
	return span_of(buf, len);
}

/* Behind a "%". Two digits of a hexadecimal number: what they are; else a "%" that stands for itself. */
static char decode_escape(struct span query, size_t *at, unsigned *notes)
{
	int high = -1, low = -1;
	if (query.len - *at >= 2) {
		high = ascii_hex(query.ptr[*at]);
		low = ascii_hex(query.ptr[*at + 1]);
	}
	if (high < 0 || low < 0) {
		*notes |= URL_DECODED_LONE;
		return '%';
	}
	*at += 2;
	char c = (char)(high * 16 + low);
	*notes |= URL_DECODED_ESCAPE | (c == '\0' ? URL_DECODED_NUL : 0u) | (c == '%' ? URL_DECODED_PERCENT : 0u);
	return c;
}

static char decode_byte(char c, unsigned *notes)
{
	if (c == '\0')
		*notes |= URL_DECODED_RAW_NUL;
	return c == '+' ? ' ' : c;
}

struct span url_decode_noting(struct span query, char *buf, unsigned *notes)
{
	unsigned noted = 0;
	unsigned char all = 0;
	size_t len = 0;
	for (size_t at = 0; at < query.len;) {
		char c = query.ptr[at++];
		if (c == '%')
			c = decode_escape(query, &at, &noted);
		else if ((unsigned char)c <= '+') /* few bytes of a text are */
			c = decode_byte(c, &noted);
		all |= (unsigned char)c;
		buf[len++] = c;
	}
	*notes = noted | (all & 0x80 ? URL_DECODED_HIGH : 0u);
	return span_of(buf, len);
}

struct span url_query_prefix(struct span query, size_t decoded_len)
{
	size_t at = 0;
	while (decoded_len-- > 0 && at < query.len)
		at += spelling_is_escape(query, at) ? 3 : 1;
	return span_of(query.ptr, at);
}

/* Looks at a query, and decodes it once for rules. Its syntax is between a page and its own
 * server (signed URLs, nested URLs, older encodings), so that only what no form produces
 * is worth a refusal, and nothing is rewritten that a site does not ask for (rewrite.c).
 * Trusts no byte. */
#include "sallyport/word.h"
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

unsigned url_scan_query(struct span query, unsigned heeded, struct span *evidence)
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

struct decoding {
	const char *in, *end;
	char *out;
	unsigned notes;
};

/* A "%" and two digits of a hexadecimal number; else a "%" that stands for itself. */
static void decode_escape(struct decoding *d)
{
	int high = d->end - d->in >= 3 ? ascii_hex(d->in[1]) : -1, low = high < 0 ? -1 : ascii_hex(d->in[2]);
	if (low < 0) {
		d->notes |= URL_DECODED_LONE;
		*d->out++ = *d->in++;
		return;
	}
	const unsigned char c = (unsigned char)(high << 4 | low);
	d->notes |= URL_DECODED_ESCAPE | (c & 0x80 ? URL_DECODED_HIGH : 0u);
	if (c == '\0' || c == '%')
		d->notes |= c ? URL_DECODED_PERCENT : URL_DECODED_NUL;
	*d->out++ = (char)c;
	d->in += 3;
}

/* Up to eight bytes, none of them behind an escape. Writes eight. */
static void decode_word(struct decoding *d)
{
	const size_t left = (size_t)(d->end - d->in);
	const uint64_t word = left >= 8 ? word_load(d->in) : word_load_end(d->in, left, '%');
	const uint64_t percents = word_find(word, '%'), pluses = word_find_all(word, '+') >> 7;
	const size_t n = percents ? word_first(percents) : 8;
	word_store(d->out, word ^ pluses * ('+' ^ ' '));
	d->notes |= (word_find(word, '\0') ? URL_DECODED_RAW_NUL : 0u) |
		    (word_find(word, ';') ? URL_DECODED_SEMICOLON : 0u) | (word_high(word) ? URL_DECODED_HIGH : 0u);
	d->in += n;
	d->out += n;
}

struct span url_decode_noting(struct span query, char *buf, unsigned *notes)
{
	struct decoding d = {.in = query.ptr, .end = query.len > 0 ? query.ptr + query.len : query.ptr, .out = buf};
	while (d.in < d.end) {
		if (*d.in == '%')
			decode_escape(&d);
		else
			decode_word(&d);
	}
	*notes = d.notes;
	return span_of(buf, (size_t)(d.out - buf));
}

struct span url_query_prefix(struct span query, size_t decoded_len)
{
	size_t at = 0;
	while (decoded_len-- > 0 && at < query.len)
		at += spelling_is_escape(query, at) ? 3 : 1;
	return span_of(query.ptr, at);
}

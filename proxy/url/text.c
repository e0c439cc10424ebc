/* Looks at a text that means something to its reader only: a cookie, the value of a field. Any
 * printable byte is ordinary there; but readers decode escapes (PHP each cookie, others
 * Referer and Destination), so that what an escape or a byte from 0x80 on spells is looked at as in a
 * query. Text without either, as nearly all is, is known by eight bytes at a time. Trusts no byte. */
#include "sallyport/word.h"
#include "url/spelling.h"

static bool is_odd(char c)
{
	return c == '%' || (unsigned char)c >= 0x80;
}

/* Where the first byte at or after `at` is that may be part of a finding. */
static size_t next_odd(struct span text, size_t at)
{
	for (; text.len - at >= 8; at += 8) {
		uint64_t word = word_load(text.ptr + at), odd = word_high(word) | word_find(word, '%');
		if (odd)
			return at + word_first(odd);
	}
	while (at < text.len && !is_odd(text.ptr[at]))
		at++;
	return at;
}

/* The last bytes are looked at as a word that overlaps those before it. */
static bool is_ascii(struct span text)
{
	uint64_t all = 0;
	size_t at = 0;
	for (; text.len - at >= 32; at += 32) {
		const char *from = text.ptr + at;
		all |= word_load(from) | word_load(from + 8) | word_load(from + 16) | word_load(from + 24);
	}
	for (; text.len - at >= 8; at += 8)
		all |= word_load(text.ptr + at);
	if (text.len >= 8)
		all |= word_load(text.ptr + text.len - 8);
	else
		for (; at < text.len; at++)
			all |= (unsigned char)text.ptr[at];
	return word_high(all) == 0;
}

/* Two passes, each as fast as there can be one: memchr takes 32 bytes at a time. */
bool url_text_is_plain(struct span text)
{
	return text.len == 0 || (!memchr(text.ptr, '%', text.len) && is_ascii(text));
}

static void take_odd(struct spelling *spelling)
{
	size_t from = spelling->at;
	char c = spelling->text.ptr[from];
	if (c == '%') {
		spelling_take_escape(spelling);
		return;
	}
	spelling->at++;
	spelling_take_byte(spelling, (unsigned char)c, from);
	spelling_note(spelling, URL_RAW_BYTE, from);
}

unsigned url_scan_text(struct span text, unsigned heeded, unsigned weighty, struct span *evidence)
{
	struct spelling spelling = {.text = text, .notes = {.heeded = heeded, .weighty = weighty}};
	while (spelling.at < text.len) {
		size_t odd = next_odd(text, spelling.at);
		if (odd > spelling.at)
			spelling_end_run(&spelling, spelling.at);
		spelling.at = odd;
		if (odd < text.len)
			take_odd(&spelling);
	}
	spelling_end_run(&spelling, text.len);
	*evidence = spelling.notes.evidence;
	return spelling.notes.findings;
}

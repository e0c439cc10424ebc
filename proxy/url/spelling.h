#ifndef URL_SPELLING_H
#define URL_SPELLING_H

#include "url/finding.h"
#include "url/utf8.h"

/* What escapes and bytes from 0x80 on spell in a text that is decoded once: a query, a cookie, the
 * value of a field. Whoever walks over the text decides which other bytes are worth a finding. */

/* A run of decoded bytes from 0x80 on. Only the whole run tells an overlong form from
 * a text in another encoding; see url.h. */
struct spelling_run {
	struct utf8_check utf8;
	unsigned findings;
	uint32_t window; /* its last four bytes */
	size_t start;
	bool open;
};

struct spelling {
	struct span text;
	size_t at; /* the next byte */
	struct spelling_run run;
	struct url_notes notes;
};

/* Notes a finding in the bytes from there up to the next. */
void spelling_note(struct spelling *spelling, unsigned finding, size_t from);
/* Takes the escape that starts at the "%" that is next. */
void spelling_take_escape(struct spelling *spelling);
/* Takes a byte as it is after decoding once. from: where in the text it starts. */
void spelling_take_byte(struct spelling *spelling, unsigned byte, size_t from);

void spelling_close_run(struct spelling *spelling, size_t end);
/* Says that what stands at `end` is a byte below 0x80, or nothing more. */
static inline void spelling_end_run(struct spelling *spelling, size_t end)
{
	if (spelling->run.open)
		spelling_close_run(spelling, end);
}

/* Does an escape of a byte start there? */
bool spelling_is_escape(struct span text, size_t at);

/* A line end has just been decoded, and this follows it: where what reads as the start of a
 * field line ends, or as the empty line that ends a head; 0 where it does not. */
size_t url_head_line_end(struct span text, size_t after);

#endif

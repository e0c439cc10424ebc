#ifndef HTTP_SCAN_H
#define HTTP_SCAN_H

#include "http/chars.h"
#include "sallyport/http_head.h"

/* One pass over the lines of a head, for requests and responses alike. What is
 * refused is refused at the earliest byte that decides it, and with the same
 * reason however the bytes were cut into reads. Two rules see to that: a byte is
 * judged without looking at those after it (but LF after CR), and a line that is
 * too long counts as such before anything that stands past the limit. */

enum scan_step {
	SCAN_UNSET = 0,
	SCAN_MORE, /* the bytes end within the line */
	SCAN_LINE, /* one whole line */
	SCAN_END,  /* the empty line that ends the head */
	SCAN_BAD,
};

struct scan {
	const char *buf;
	size_t end;  /* no byte from here on is looked at */
	size_t pos;  /* where the current line starts */
	size_t field_bytes;
	size_t fields;
	bool full;   /* end is where the head limit cuts */
	enum reason reason;    /* of SCAN_BAD */
	struct span evidence;
};

/* What a line says, by offsets into buf. */
struct scan_line {
	size_t name, name_len;
	size_t value, value_len; /* without the white space around it */
	bool odd; /* the name has more in it than letters, digits and "-" */
};

void scan_init(struct scan *scan, const char *buf, size_t len, const struct http_limits *limits);

/* Records the reason and, as evidence, the line from `from` up to the byte at `at`. */
enum scan_step scan_refuse(struct scan *scan, enum reason reason, size_t from, size_t at);

/* Reads the CR at `at` and the LF after it, and sets pos behind them. */
enum scan_step scan_line_end(struct scan *scan, size_t from, size_t at);

/* The field line at pos, or the end of the head; sets pos behind it. */
enum scan_step scan_field(struct scan *scan, struct scan_line *line);

/* Where the line that byte `seen` belongs to, or would, starts. */
size_t scan_line_start(const struct scan *scan, size_t seen);

/* Whether the field line at start, of which the bytes before `seen` are known to
 * be sound, only goes on in the bytes since. False decides nothing. */
bool scan_line_goes_on(const struct scan *scan, size_t start, size_t seen);

/* Number of lines that end before `at`. */
size_t scan_count_lines(const struct scan *scan, size_t at);

/* Fills the field from the line; its id is looked up. */
void scan_store(const struct scan *scan, const struct scan_line *line, struct http_field *field);

static inline struct span scan_name(const struct scan *scan, const struct scan_line *line)
{
	return span_of(scan->buf + line->name, line->name_len);
}

/* What MORE means in the end: where the limit cuts, the head is too large. */
enum http_parse scan_more(struct scan *scan);

#endif

/* The lines of a head. Trusts nothing but that buf has `end` readable bytes.
 * Knows what a field line looks like (RFC 9112 section 5), not what it means. */
#include "http/scan.h"
#include "http/field.h"

enum { EVIDENCE_BYTES = 64 };

void scan_init(struct scan *scan, const char *buf, size_t len, const struct http_limits *limits)
{
	size_t room = limits->head_bytes < HTTP_HEAD_MAX ? limits->head_bytes : HTTP_HEAD_MAX;
	*scan = (struct scan){
	    .buf = buf,
	    .end = len < room ? len : room,
	    .field_bytes = limits->field_bytes,
	    .fields = limits->fields < HTTP_FIELDS_MAX ? limits->fields : HTTP_FIELDS_MAX,
	    .full = len >= room,
	};
}

enum scan_step scan_refuse(struct scan *scan, enum reason reason, size_t from, size_t at)
{
	size_t to = at < scan->end ? at + 1 : scan->end;
	if (to - from > EVIDENCE_BYTES)
		from = to - EVIDENCE_BYTES;
	scan->reason = reason;
	scan->evidence = span_of(scan->buf + from, to - from);
	return SCAN_BAD;
}

enum http_parse scan_more(struct scan *scan)
{
	if (!scan->full)
		return HTTP_PARSE_MORE;
	scan_refuse(scan, REASON_HEAD_TOO_LARGE, 0, scan->end);
	return HTTP_PARSE_BAD;
}

enum scan_step scan_line_end(struct scan *scan, size_t from, size_t at)
{
	if (at + 1 >= scan->end)
		return SCAN_MORE;
	if (scan->buf[at + 1] != '\n')
		return scan_refuse(scan, REASON_BARE_CR, from, at);
	scan->pos = at + 2;
	return SCAN_LINE;
}

/* The byte at `at` can't stand in a name, or in a value: why. CR is no such byte yet. */
static enum reason byte_reason(char c, bool in_name)
{
	if (c == '\0')
		return REASON_NUL_BYTE;
	if (c == '\n')
		return REASON_BARE_LF;
	if (in_name && (c == ' ' || c == '\t'))
		return REASON_FIELD_SPACE;
	if ((unsigned char)c < ' ' || c == 0x7f)
		return REASON_CONTROL_BYTE;
	return REASON_FIELD_NAME;
}

/* Nothing more can be said before the length is: a longer line is too long first. */
static bool is_too_long(const struct scan *scan, size_t at)
{
	return at - scan->pos > scan->field_bytes;
}

static enum scan_step refuse_length(struct scan *scan)
{
	size_t shown = EVIDENCE_BYTES - 1;
	if (shown > scan->field_bytes)
		shown = scan->field_bytes;
	return scan_refuse(scan, REASON_FIELD_TOO_LARGE, scan->pos, scan->pos + shown);
}

/* The name ended at `at` without a colon. */
static enum scan_step refuse_name(struct scan *scan, size_t at)
{
	size_t start = scan->pos;
	if (scan->buf[at] != '\r')
		return scan_refuse(scan, byte_reason(scan->buf[at], true), start, at);
	enum scan_step step = scan_line_end(scan, start, at);
	return step == SCAN_LINE ? scan_refuse(scan, REASON_FIELD_NO_COLON, start, at) : step;
}

/* What stands at the start of a line in the place of a name. */
static enum scan_step scan_no_name(struct scan *scan)
{
	size_t start = scan->pos;
	char c = scan->buf[start];
	if (c == ' ' || c == '\t')
		return scan_refuse(scan, REASON_FIELD_FOLDED, start, start);
	if (c != '\r')
		return scan_refuse(scan, byte_reason(c, true), start, start);
	enum scan_step step = scan_line_end(scan, start, start);
	return step == SCAN_LINE ? SCAN_END : step;
}

static void trim(const char *buf, struct scan_line *line)
{
	while (line->value_len > 0 && (buf[line->value] == ' ' || buf[line->value] == '\t')) {
		line->value++;
		line->value_len--;
	}
	while (line->value_len > 0 && (buf[line->value + line->value_len - 1] == ' ' ||
				       buf[line->value + line->value_len - 1] == '\t'))
		line->value_len--;
}

enum scan_step scan_field(struct scan *scan, struct scan_line *line)
{
	const char *buf = scan->buf;
	size_t start = scan->pos, end = scan->end;
	if (start == end)
		return SCAN_MORE;
	size_t at = http_class_end(buf, start, end, HTTP_CLASS_PLAIN);
	line->odd = at < end && buf[at] != ':';
	if (line->odd)
		at = http_class_end(buf, at, end, HTTP_CLASS_TOKEN);
	if (at == start)
		return scan_no_name(scan);
	if (at < end && buf[at] == ':') {
		line->name = start;
		line->name_len = at - start;
		line->value = at + 1;
		at = http_value_end(buf, at + 1, end);
	} else if (at < end && !is_too_long(scan, at)) {
		return refuse_name(scan, at);
	}
	if (is_too_long(scan, at))
		return refuse_length(scan);
	if (at == end)
		return SCAN_MORE;
	if (buf[at] != '\r')
		return scan_refuse(scan, byte_reason(buf[at], false), start, at);
	line->value_len = at - line->value;
	trim(buf, line);
	return scan_line_end(scan, start, at);
}

size_t scan_line_start(const struct scan *scan, size_t seen)
{
	const char *lf = memrchr(scan->buf, '\n', seen);
	return lf ? (size_t)(lf - scan->buf) + 1 : 0;
}

bool scan_line_goes_on(const struct scan *scan, size_t start, size_t seen)
{
	const char *buf = scan->buf;
	if (seen == start || buf[seen - 1] == '\r' || scan->end - start > scan->field_bytes)
		return false;
	if (memchr(buf + start, ':', seen - start))
		return http_value_end(buf, seen, scan->end) == scan->end;
	return http_class_end(buf, seen, scan->end, HTTP_CLASS_TOKEN) == scan->end;
}

size_t scan_count_lines(const struct scan *scan, size_t at)
{
	size_t lines = 0;
	const char *from = scan->buf, *to = scan->buf + at;
	while (from < to && (from = memchr(from, '\n', (size_t)(to - from))) != NULL) {
		lines++;
		from++;
	}
	return lines;
}

void scan_store(const struct scan *scan, const struct scan_line *line, struct http_field *field)
{
	*field = (struct http_field){
	    .name_off = (uint16_t)line->name,
	    .name_len = (uint16_t)line->name_len,
	    .value_off = (uint16_t)line->value,
	    .value_len = (uint16_t)line->value_len,
	    .id = (uint8_t)http_field_id_of_token(scan_name(scan, line)),
	};
}

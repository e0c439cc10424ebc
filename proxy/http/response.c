/* Strict response heads. The origin is hostile, too: what it sends must not be
 * readable as more, or as another, response than the one that is passed on. So
 * its lines are judged as a request's are, and its framing more strictly than
 * RFC 9112 asks: even two equal Content-Length fields are refused. It knows no
 * leniency but two that real servers need: a status line without the space
 * before an absent phrase, and Content-Length: 0 with 204. */
#include "http/framing.h"
#include "http/field.h"
#include "http/scan.h"

/* "HTTP/1.1 200" */
enum { STATUS_AT = 9, STATUS_LINE_MIN = 12 };

static const char version_prefix[] = "HTTP/1.";

/* Whether c may stand at index i of the status line. */
static bool is_status_byte(char c, size_t i)
{
	if (i < sizeof(version_prefix) - 1)
		return c == version_prefix[i];
	switch (i) {
	case sizeof(version_prefix) - 1: return c == '0' || c == '1';
	case STATUS_AT - 1: return c == ' ';
	case STATUS_AT: return c >= '1' && c <= '5';
	default: return ascii_is_digit(c);
	}
}

static void take_status(const struct scan *scan, struct http_head *head)
{
	const char *line = scan->buf;
	head->version = line[sizeof(version_prefix) - 1] == '1' ? HTTP_1_1 : HTTP_1_0;
	head->status = (uint16_t)((line[STATUS_AT] - '0') * 100 + (line[STATUS_AT + 1] - '0') * 10 +
				  (line[STATUS_AT + 2] - '0'));
}

/* The phrase, after the status: nothing, or a space and any text. */
static enum scan_step scan_phrase(struct scan *scan, struct http_head *head)
{
	const char *buf = scan->buf;
	size_t at = STATUS_LINE_MIN;
	if (at == scan->end)
		return SCAN_MORE;
	if (buf[at] != ' ' && buf[at] != '\r')
		return scan_refuse(scan, REASON_ORIGIN_STATUS_LINE, 0, at);
	at = http_value_end(buf, at, scan->end);
	if (at > scan->field_bytes)
		return scan_refuse(scan, REASON_ORIGIN_HEAD_TOO_LARGE, 0, scan->field_bytes);
	if (at == scan->end)
		return SCAN_MORE;
	if (buf[at] != '\r')
		return scan_refuse(scan, REASON_ORIGIN_STATUS_LINE, 0, at);
	if (at > STATUS_LINE_MIN) {
		head->phrase_off = STATUS_LINE_MIN + 1;
		head->phrase_len = (uint16_t)(at - STATUS_LINE_MIN - 1);
	}
	enum scan_step step = scan_line_end(scan, 0, at);
	if (step == SCAN_BAD)
		scan->reason = REASON_ORIGIN_STATUS_LINE;
	return step;
}

static enum scan_step scan_status_line(struct scan *scan, struct http_head *head)
{
	for (size_t i = 0; i < STATUS_LINE_MIN; i++) {
		if (i == scan->end)
			return SCAN_MORE;
		if (!is_status_byte(scan->buf[i], i))
			return scan_refuse(scan, REASON_ORIGIN_STATUS_LINE, 0, i);
	}
	take_status(scan, head);
	return scan_phrase(scan, head);
}

/* What is wrong with the lines, in the words for an origin. */
static enum reason origin_reason(enum reason reason)
{
	switch (reason) {
	case REASON_ORIGIN_STATUS_LINE:
	case REASON_ORIGIN_HEAD_TOO_LARGE:
	case REASON_ORIGIN_FRAMING: return reason;
	case REASON_HEAD_TOO_LARGE:
	case REASON_FIELD_TOO_LARGE:
	case REASON_TOO_MANY_FIELDS: return REASON_ORIGIN_HEAD_TOO_LARGE;
	default: return REASON_ORIGIN_HEAD;
	}
}

/* Names that could be taken for framing behind a lenient reader's back. */
static bool is_confusable(const struct scan *scan, const struct scan_line *line)
{
	if (!line->odd)
		return false;
	enum http_field_id id = http_field_confused_with(scan_name(scan, line));
	return id == HTTP_FIELD_CONTENT_LENGTH || id == HTTP_FIELD_TRANSFER_ENCODING;
}

static enum reason take_field(struct http_head *head, const struct http_field *field)
{
	struct span value = http_field_value(head, field);
	enum reason reason = REASON_UNSET;
	if (field->id == HTTP_FIELD_CONTENT_LENGTH)
		reason = framing_length(head, value);
	else if (field->id == HTTP_FIELD_TRANSFER_ENCODING)
		reason = framing_coding(head, value);
	else if (field->id == HTTP_FIELD_CONNECTION)
		framing_connection(head, value);
	return reason == REASON_UNSET ? REASON_UNSET : REASON_ORIGIN_FRAMING;
}

static enum scan_step scan_response_field(struct scan *scan, struct http_head *head)
{
	struct scan_line line;
	size_t start = scan->pos;
	if (head->field_count == scan->fields && start < scan->end && scan->buf[start] != '\r')
		return scan_refuse(scan, REASON_TOO_MANY_FIELDS, start, start);
	enum scan_step step = scan_field(scan, &line);
	if (step != SCAN_LINE)
		return step;
	struct http_field *field = &head->fields[head->field_count];
	scan_store(scan, &line, field);
	enum reason reason =
	    is_confusable(scan, &line) ? REASON_ORIGIN_HEAD : take_field(head, field);
	if (reason != REASON_UNSET)
		return scan_refuse(scan, reason, start, scan->pos - 3);
	head->field_count++;
	return SCAN_LINE;
}

/* RFC 9112 section 6.3. */
static enum scan_step finish(struct scan *scan, enum http_method request_method,
			     struct http_head *head)
{
	bool is_interim = head->status < 200, is_empty = is_interim || head->status == 204;
	bool says_zero = head->framing == HTTP_FRAMING_LENGTH && head->content_length == 0;
	if (is_empty && head->framing != HTTP_FRAMING_UNSET && (is_interim || !says_zero))
		return scan_refuse(scan, REASON_ORIGIN_FRAMING, 0, STATUS_LINE_MIN - 1);
	if (is_empty || head->status == 304 || request_method == HTTP_HEAD)
		head->framing = HTTP_FRAMING_NONE;
	else if (head->framing == HTTP_FRAMING_UNSET)
		head->framing = HTTP_FRAMING_CLOSE;
	head->len = (uint16_t)scan->pos;
	framing_finish_connection(head);
	head->close = head->close || head->framing == HTTP_FRAMING_CLOSE;
	return SCAN_END;
}

static bool status_line_goes_on(const struct scan *scan, size_t seen)
{
	return seen > STATUS_LINE_MIN && scan->buf[seen - 1] != '\r' &&
	       scan->end <= scan->field_bytes &&
	       http_value_end(scan->buf, seen, scan->end) == scan->end;
}

static bool is_neutral(const struct scan *scan, const struct scan_line *line)
{
	enum http_field_id id = http_field_id_of_token(scan_name(scan, line));
	return id != HTTP_FIELD_CONTENT_LENGTH && id != HTTP_FIELD_TRANSFER_ENCODING &&
	       !is_confusable(scan, line);
}

/* Whether the bytes since `seen` leave open what the head comes to (see request.c). */
static bool is_undecided(struct scan *scan, size_t seen)
{
	if (seen == 0 || seen > scan->end || scan->full)
		return false;
	size_t start = scan_line_start(scan, seen);
	if (start == 0)
		return status_line_goes_on(scan, seen);
	if (scan_line_goes_on(scan, start, seen))
		return true;
	size_t count = scan_count_lines(scan, start) - 1;
	struct scan_line line;
	enum scan_step step = SCAN_LINE;
	for (scan->pos = start; step == SCAN_LINE && count < scan->fields; count++) {
		step = scan_field(scan, &line);
		if (step == SCAN_LINE && !is_neutral(scan, &line))
			return false;
	}
	return step == SCAN_MORE;
}

enum http_parse http_parse_response(const char *buf, size_t len, size_t seen,
				    const struct http_limits *limits,
				    enum http_method request_method, struct http_head *head,
				    enum reason *reason, struct span *evidence)
{
	struct scan scan;
	scan_init(&scan, buf, len, limits);
	if (is_undecided(&scan, seen))
		return HTTP_PARSE_MORE;
	scan.pos = 0;
	memset(head, 0, offsetof(struct http_head, fields));
	head->base = buf;

	enum scan_step step = scan_status_line(&scan, head);
	while (step == SCAN_LINE)
		step = scan_response_field(&scan, head);
	if (step == SCAN_END)
		step = finish(&scan, request_method, head);
	if (step == SCAN_END)
		return HTTP_PARSE_DONE;
	if (step == SCAN_MORE && scan_more(&scan) == HTTP_PARSE_MORE)
		return HTTP_PARSE_MORE;
	*reason = origin_reason(scan.reason);
	*evidence = scan.evidence;
	return HTTP_PARSE_BAD;
}

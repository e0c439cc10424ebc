/* Strict request heads. Trusts no byte: whatever RFC 9112 leaves to a recipient's
 * leniency is refused, because two recipients that are lenient in different ways
 * are what request smuggling lives on. Judges the head alone: request-target and
 * Host as URLs are the front's business, and so is what the policy allows.
 *
 * One pass from the first byte decides. When a head comes in pieces, a short look
 * at the new bytes first tells whether there is anything to decide at all (the
 * line only goes on, or whole lines came that neither end the head nor depend on
 * earlier ones); Host, Content-Length and Transfer-Encoding depend on earlier
 * lines, and stand at most once each in a head that is not refused. So a head
 * sent byte by byte costs a few passes, not one for each byte. */
#include "http/framing.h"
#include "http/field.h"
#include "http/scan.h"

/* The longest registered method has 17 letters; what goes on for longer without a
 * space is another protocol. */
enum { METHOD_BYTES_MAX = 32 };

static const char version_prefix[] = "HTTP/1.";

static enum scan_step skip_empty_line(struct scan *scan)
{
	if (scan->end == 0)
		return SCAN_MORE;
	return scan->buf[0] == '\r' ? scan_line_end(scan, 0, 0) : SCAN_LINE;
}

/* A line that ends too early: why, once it is sure that it ends. */
static enum scan_step refuse_end(struct scan *scan, enum reason reason, size_t at)
{
	size_t start = scan->pos;
	enum scan_step step = scan_line_end(scan, start, at);
	return step == SCAN_LINE ? scan_refuse(scan, reason, start, at) : step;
}

static enum scan_step refuse_method(struct scan *scan, size_t at)
{
	char c = scan->buf[at];
	enum reason reason = REASON_METHOD_SYNTAX;
	if (c == '\r')
		return refuse_end(scan, REASON_REQUEST_LINE, at);
	if (c == ' ' || c == '\t')
		reason = REASON_REQUEST_SPACE;
	else if (c == '\n')
		reason = REASON_BARE_LF;
	else if (at > scan->pos && c == '\0')
		reason = REASON_NUL_BYTE;
	else if (at > scan->pos && ((unsigned char)c < ' ' || c == 0x7f))
		reason = REASON_CONTROL_BYTE;
	return scan_refuse(scan, reason, scan->pos, at);
}

/* Up to the space after the method; *at is where the request-target starts. */
static enum scan_step scan_method(struct scan *scan, struct http_head *head, size_t *at)
{
	size_t start = scan->pos, end = scan->end;
	if (end - start > METHOD_BYTES_MAX + 1)
		end = start + METHOD_BYTES_MAX + 1;
	size_t to = http_class_end(scan->buf, start, end, HTTP_CLASS_TOKEN);
	if (to - start > METHOD_BYTES_MAX)
		return scan_refuse(scan, REASON_METHOD_SYNTAX, start, to - 1);
	if (to == end)
		return SCAN_MORE;
	if (to == start || scan->buf[to] != ' ')
		return refuse_method(scan, to);
	head->method_len = (uint16_t)(to - start);
	head->method = (uint8_t)http_method_lookup(span_of(scan->buf + start, to - start));
	head->target_off = (uint16_t)(to + 1);
	*at = to + 1;
	return SCAN_LINE;
}

static enum scan_step refuse_target(struct scan *scan, size_t from, size_t at)
{
	char c = scan->buf[at];
	enum reason reason = REASON_TARGET_BYTE;
	if (c == '\r')
		return refuse_end(scan, at == from ? REASON_REQUEST_LINE : REASON_HTTP_09, at);
	if (c == ' ' || c == '\t')
		reason = REASON_REQUEST_SPACE;
	else if (c == '\n')
		reason = REASON_BARE_LF;
	else if (c == '\0')
		reason = REASON_NUL_BYTE;
	return scan_refuse(scan, reason, scan->pos, at);
}

/* Up to the space after the request-target; *at moves on to the version. */
static enum scan_step scan_target(struct scan *scan, size_t target_bytes, struct http_head *head,
				  size_t *at)
{
	size_t from = *at;
	size_t to = http_text_end(scan->buf, from, scan->end, '!');
	bool is_too_long = to - from > target_bytes;
	head->target_len = (uint16_t)(is_too_long ? target_bytes : to - from);
	if (is_too_long)
		return scan_refuse(scan, REASON_URL_TOO_LONG, from, from + target_bytes);
	if (to == scan->end)
		return SCAN_MORE;
	if (to == from || scan->buf[to] != ' ')
		return refuse_target(scan, from, to);
	*at = to + 1;
	return SCAN_LINE;
}

/* The i-th byte of the version, at `at`, is not the one that must stand there. */
static enum scan_step refuse_version(struct scan *scan, size_t i, size_t at)
{
	char c = scan->buf[at];
	enum reason reason = REASON_HTTP_VERSION_BAD;
	if (c == ' ' || c == '\t' || (c == '\r' && i == 0))
		reason = REASON_REQUEST_SPACE;
	else if (c == '\n')
		reason = REASON_BARE_LF;
	else if (c == '\0')
		reason = REASON_NUL_BYTE;
	else if (i < 5 && ascii_lower(c) != ascii_lower(version_prefix[i]))
		reason = REASON_REQUEST_LINE;
	return scan_refuse(scan, reason, scan->pos, at);
}

static enum scan_step scan_version(struct scan *scan, struct http_head *head, size_t at)
{
	const size_t prefix = sizeof(version_prefix) - 1;
	for (size_t i = 0; i < prefix; i++, at++) {
		if (at == scan->end)
			return SCAN_MORE;
		if (scan->buf[at] != version_prefix[i])
			return refuse_version(scan, i, at);
	}
	if (at == scan->end)
		return SCAN_MORE;
	if (scan->buf[at] != '0' && scan->buf[at] != '1')
		return refuse_version(scan, prefix, at);
	head->version = scan->buf[at] == '1' ? HTTP_1_1 : HTTP_1_0;
	at++;
	if (at < scan->end && scan->buf[at] != '\r')
		return refuse_version(scan, prefix + 1, at);
	return scan_line_end(scan, scan->pos, at);
}

static enum scan_step scan_request_line(struct scan *scan, size_t target_bytes,
					struct http_head *head)
{
	size_t at = 0;
	enum scan_step step = skip_empty_line(scan);
	if (step == SCAN_LINE)
		step = scan_method(scan, head, &at);
	if (step == SCAN_LINE)
		step = scan_target(scan, target_bytes, head, &at);
	if (step == SCAN_LINE)
		step = scan_version(scan, head, at);
	return step;
}

static enum reason take_host(struct http_head *head)
{
	if (head->host_index)
		return REASON_HOST_REPEATED;
	head->host_index = (uint16_t)(head->field_count + 1);
	return REASON_UNSET;
}

/* RFC 9110 section 10.1.1: HTTP/1.0 knows no expectations. */
static enum reason take_expect(struct http_head *head, struct span value)
{
	if (head->version == HTTP_1_0)
		return REASON_UNSET;
	if (!span_ieq(value, SPAN("100-continue")))
		return REASON_EXPECTATION;
	head->expect_continue = true;
	return REASON_UNSET;
}

static enum reason take_field(struct http_head *head, const struct http_field *field)
{
	struct span value = http_field_value(head, field);
	switch (field->id) {
	case HTTP_FIELD_HOST: return take_host(head);
	case HTTP_FIELD_CONTENT_LENGTH: return framing_length(head, value);
	case HTTP_FIELD_TRANSFER_ENCODING: return framing_coding(head, value);
	case HTTP_FIELD_EXPECT: return take_expect(head, value);
	case HTTP_FIELD_CONNECTION: framing_connection(head, value); break;
	default: break;
	}
	return REASON_UNSET;
}

static bool is_confusable(const struct scan *scan, const struct scan_line *line)
{
	return line->odd && http_field_confused_with(scan_name(scan, line)) != HTTP_FIELD_OTHER;
}

static enum scan_step scan_request_field(struct scan *scan, struct http_head *head)
{
	struct scan_line line;
	size_t start = scan->pos;
	if (head->field_count == scan->fields && start < scan->end && scan->buf[start] != '\r')
		return scan_refuse(scan, REASON_TOO_MANY_FIELDS, start, start);
	enum scan_step step = scan_field(scan, &line);
	if (step == SCAN_BAD && scan->reason == REASON_FIELD_FOLDED && head->field_count == 0)
		scan->reason = REASON_FIELD_SPACE; /* nothing there that could be continued */
	if (step != SCAN_LINE)
		return step;
	struct http_field *field = &head->fields[head->field_count];
	scan_store(scan, &line, field);
	enum reason reason =
	    is_confusable(scan, &line) ? REASON_FIELD_CONFUSABLE : take_field(head, field);
	if (reason != REASON_UNSET)
		return scan_refuse(scan, reason, start, scan->pos - 3);
	head->field_count++;
	return SCAN_LINE;
}

static enum scan_step finish(struct scan *scan, struct http_head *head)
{
	if (head->version == HTTP_1_1 && !head->host_index)
		return scan_refuse(scan, REASON_HOST_MISSING, 0, 0);
	if (head->framing == HTTP_FRAMING_UNSET)
		head->framing = HTTP_FRAMING_NONE;
	bool has_content = head->framing == HTTP_FRAMING_CHUNKED || head->content_length > 0;
	head->expect_continue = head->expect_continue && has_content;
	head->len = (uint16_t)scan->pos;
	framing_finish_connection(head);
	return SCAN_END;
}

/* HTTP/1.1 or 1.0, of a request line that is known to be sound. */
static bool is_http_1_0(const struct scan *scan)
{
	const char *lf = scan->end > 2 ? memchr(scan->buf + 2, '\n', scan->end - 2) : NULL;
	return lf && lf[-2] == '0';
}

/* Whether this line, alone, can't be why a head is refused or complete. */
static bool is_neutral(const struct scan *scan, const struct scan_line *line)
{
	struct span value = span_of(scan->buf + line->value, line->value_len);
	switch (http_field_id_of_token(scan_name(scan, line))) {
	case HTTP_FIELD_HOST:
	case HTTP_FIELD_CONTENT_LENGTH:
	case HTTP_FIELD_TRANSFER_ENCODING: return false;
	case HTTP_FIELD_EXPECT: return span_ieq(value, SPAN("100-continue")) || is_http_1_0(scan);
	default: return !is_confusable(scan, line);
	}
}

static bool request_line_goes_on(const struct scan *scan, size_t start, size_t seen,
				 size_t target_bytes)
{
	const char *line = scan->buf + start;
	const char *sp = memchr(line, ' ', seen - start);
	if (!sp)
		return false;
	const char *target = sp + 1, *upto = scan->buf + seen;
	if (memchr(target, ' ', (size_t)(upto - target)) || upto[-1] == '\r')
		return false;
	return (size_t)(scan->buf + scan->end - target) <= target_bytes &&
	       http_text_end(scan->buf, seen, scan->end, '!') == scan->end;
}

/* Whether the bytes since `seen` leave open what the head comes to. True only
 * where a pass from the first byte would say MORE. */
static bool is_undecided(struct scan *scan, size_t seen, size_t target_bytes)
{
	if (seen == 0 || seen > scan->end || scan->full)
		return false;
	size_t start = scan_line_start(scan, seen);
	size_t first = scan->buf[0] == '\r' ? 2 : 0;
	if (start <= first)
		return request_line_goes_on(scan, start, seen, target_bytes);
	if (scan_line_goes_on(scan, start, seen))
		return true;
	size_t count = scan_count_lines(scan, start) - (first ? 2 : 1);
	struct scan_line line;
	enum scan_step step = SCAN_LINE;
	for (scan->pos = start; step == SCAN_LINE && count < scan->fields; count++) {
		step = scan_field(scan, &line);
		if (step == SCAN_LINE && !is_neutral(scan, &line))
			return false;
	}
	return step == SCAN_MORE;
}

enum http_parse http_parse_request(const char *buf, size_t len, size_t seen,
				   const struct http_limits *limits, struct http_head *head,
				   enum reason *reason, struct span *evidence)
{
	struct scan scan;
	scan_init(&scan, buf, len, limits);
	if (is_undecided(&scan, seen, limits->target_bytes))
		return HTTP_PARSE_MORE;
	scan.pos = 0;
	memset(head, 0, offsetof(struct http_head, fields));
	head->base = buf;

	enum scan_step step = scan_request_line(&scan, limits->target_bytes, head);
	while (step == SCAN_LINE)
		step = scan_request_field(&scan, head);
	if (step == SCAN_END)
		step = finish(&scan, head);
	if (step == SCAN_END)
		return HTTP_PARSE_DONE;
	if (step == SCAN_MORE && scan_more(&scan) == HTTP_PARSE_MORE)
		return HTTP_PARSE_MORE;
	*reason = scan.reason;
	*evidence = scan.evidence;
	return HTTP_PARSE_BAD;
}

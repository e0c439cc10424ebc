/* multipart/form-data, and multipart of any other kind, in its one spelling:
 *
 *   [CRLF] "--" boundary *( CRLF field lines CRLF content CRLF "--" boundary ) "--" [CRLF]
 *
 *   START ─► FIRST ─► BOUNDARY ─► HEAD ─► CONTENT      (RFC 2046 section 5.1.1)
 *                         │  ▲               │
 *                         │  └───────────────┘
 *                         └─► CLOSED
 *
 * Readers disagree about everything else: text before the first part and behind the last, white space
 * behind a boundary, line ends without CR. So wherever "--boundary" stands, it has to be a
 * delimiter by this grammar, or the content is refused. The delimiter is looked for by its failure
 * function (Knuth, Morris, Pratt), so no content costs more than linear time.
 *
 * A value is gathered; a file's content is handed on in pieces, but for its last bytes, which may be
 * the delimiter's. A part of type JSON without a file name is read as JSON. */
#include "shield/body_parse.h"

enum { START = 0, FIRST, BOUNDARY, HEAD, CONTENT, CLOSED, STATES };

/* ---- the delimiter ---- */

static void make_fallback(struct body_multipart *m)
{
	size_t matched = 0;
	for (size_t i = 1; i < m->len; i++) {
		while (matched > 0 && m->delimiter[i] != m->delimiter[matched])
			matched = m->fallback[matched - 1];
		matched += m->delimiter[i] == m->delimiter[matched];
		m->fallback[i] = (uint8_t)matched;
	}
}

static bool multipart_begin(struct body *body)
{
	struct body_multipart *m = &body->of.multipart;
	memcpy(m->delimiter, "--", 2);
	memcpy(m->delimiter + 2, body->type.boundary, body->type.boundary_len);
	m->len = (uint8_t)(2 + body->type.boundary_len);
	make_fallback(m);
	return true;
}

static void match_byte(struct body_multipart *m, char c)
{
	while (m->matched > 0 && c != m->delimiter[m->matched])
		m->matched = m->fallback[m->matched - 1];
	m->matched = (uint8_t)(m->matched + (c == m->delimiter[m->matched]));
}

/* How much of the piece goes on to the end of the next delimiter; all of it where there is none. */
static size_t find_delimiter(struct body_multipart *m, struct span piece)
{
	size_t at = 0;
	while (at < piece.len && m->matched < m->len) {
		if (m->matched == 0) {
			at += span_find(span_from(piece, at), '-');
			if (at == piece.len)
				break;
		}
		match_byte(m, piece.ptr[at++]);
	}
	return at;
}

/* ---- content ---- */

static bool deliver(struct body *body, struct span piece)
{
	struct body_multipart *m = &body->of.multipart;
	m->content += piece.len;
	if (piece.len == 0)
		return true;
	if (m->part.is_file)
		return body_give_piece(body, BODY_FILE_CONTENT, m->part.name, piece, true);
	return body_text_add(body, &body->text, piece.ptr, piece.len) &&
	       body_within(body, BODY_LIMIT_VALUE, body->text.len);
}

/* Hands on what stands in the tail and the piece, but for its last `keep` bytes. */
static bool pass(struct body *body, struct span piece, size_t keep)
{
	struct body_multipart *m = &body->of.multipart;
	size_t all = m->tail_len + piece.len, give = all > keep ? all - keep : 0;
	size_t old = give < m->tail_len ? give : m->tail_len;
	if (!deliver(body, span_of(m->tail, old)) || !deliver(body, span_of(piece.ptr, give - old)))
		return false;
	memmove(m->tail, m->tail + old, m->tail_len - old);
	m->tail_len = (uint8_t)(m->tail_len - old);
	piece = span_from(piece, give - old);
	memcpy(m->tail + m->tail_len, piece.ptr, piece.len);
	m->tail_len = (uint8_t)(m->tail_len + piece.len);
	return true;
}

static bool end_argument(struct body *body, const struct body_part *part)
{
	struct span value = body_text_span(&body->text);
	if (!body_check_charset_argument(body, part->name, value))
		return false;
	if (part->is_json && value.len > 0)
		return body_json_read(body, value, part->name);
	return body_give(body, BODY_ARGUMENT, part->name, value);
}

static bool end_part(struct body *body)
{
	struct body_multipart *m = &body->of.multipart;
	const struct body_part *part = &m->part;
	if (part->has_length && part->length != m->content)
		return body_refuse(body, REASON_BODY_AMBIGUOUS, "part: Content-Length is not its length");
	bool done = part->is_file
			? body_give_piece(body, BODY_FILE_CONTENT, part->name, span_of("", 0), false)
			: end_argument(body, part);
	body->text.len = 0;
	return done;
}

static bool take_content(struct body *body, struct span *piece)
{
	struct body_multipart *m = &body->of.multipart;
	size_t at = find_delimiter(m, *piece);
	struct span mine = span_of(piece->ptr, at);
	*piece = span_from(*piece, at);
	if (!pass(body, mine, (size_t)m->matched + 2))
		return false;
	if (m->matched < m->len)
		return true;
	if (m->tail_len < m->len + 2 || memcmp(m->tail, "\r\n", 2) != 0)
		return body_refuse(body, REASON_BODY_AMBIGUOUS, "multipart: the boundary inside of a value");
	m->tail_len = m->matched = 0;
	m->state = BOUNDARY;
	return end_part(body);
}

/* ---- around it ---- */

/* Bytes that have to be there: what came of them waits in the tail. */
static void gather(struct body_multipart *m, struct span *piece, size_t want)
{
	size_t missing = want - m->tail_len, n = piece->len < missing ? piece->len : missing;
	memcpy(m->tail + m->tail_len, piece->ptr, n);
	m->tail_len = (uint8_t)(m->tail_len + n);
	*piece = span_from(*piece, n);
}

/* One empty line is an empty preamble. */
static bool take_start(struct body *body, struct span *piece)
{
	struct body_multipart *m = &body->of.multipart;
	gather(m, piece, 2);
	if (m->tail_len < 2)
		return true;
	if (memcmp(m->tail, "\r\n", 2) == 0)
		m->tail_len = 0;
	m->state = FIRST;
	return true;
}

static bool take_first(struct body *body, struct span *piece)
{
	struct body_multipart *m = &body->of.multipart;
	gather(m, piece, m->len);
	if (memcmp(m->tail, m->delimiter, m->tail_len) != 0)
		return body_refuse(body, REASON_BODY_AMBIGUOUS, "multipart: it does not begin with its boundary");
	if (m->tail_len < m->len)
		return true;
	m->tail_len = 0;
	m->state = BOUNDARY;
	return true;
}

static bool take_boundary(struct body *body, struct span *piece)
{
	struct body_multipart *m = &body->of.multipart;
	gather(m, piece, 2);
	if (m->tail_len < 2)
		return true;
	m->tail_len = 0;
	m->content = 0;
	if (memcmp(m->tail, "\r\n", 2) == 0)
		m->state = HEAD;
	else if (memcmp(m->tail, "--", 2) == 0)
		m->state = CLOSED;
	else
		return body_refuse(body, REASON_BODY_AMBIGUOUS, "multipart: a boundary with something behind it");
	return true;
}

static bool give_file_names(struct body *body, const struct body_part *part)
{
	bool differ = part->file_name.ptr && part->other_name.ptr && !span_eq(part->file_name, part->other_name);
	struct span first = part->file_name.ptr ? part->file_name : part->other_name;
	return (!first.ptr || body_give(body, BODY_FILE_NAME, part->name, first)) &&
	       (!differ || body_give(body, BODY_FILE_NAME, part->name, part->other_name)) &&
	       (!part->type.ptr || body_give(body, BODY_FILE_TYPE, part->name, part->type));
}

/* Of the field lines, whose memory is the value's from here on, only the name is kept. */
static bool begin_part(struct body *body, struct span head)
{
	struct body_multipart *m = &body->of.multipart;
	struct body_part *part = &m->part;
	if (memmem(head.ptr, head.len, m->delimiter, m->len))
		return body_refuse(body, REASON_BODY_AMBIGUOUS, "multipart: the boundary inside of field lines");
	if (!body_part_read(body, head, part) || (part->is_file && !give_file_names(body, part)))
		return false;
	body->kept.len = 0;
	if (!body_text_add(body, &body->kept, part->name.ptr, part->name.len))
		return false;
	part->name = body_text_span(&body->kept);
	body->text.len = 0;
	m->state = CONTENT;
	return true;
}

static bool take_head(struct body *body, struct span *piece)
{
	struct body_text *text = &body->text;
	size_t end = span_find(*piece, '\n'), take = end < piece->len ? end + 1 : end;
	if (!body_text_add(body, text, piece->ptr, take) || !body_within(body, BODY_LIMIT_PART_HEAD, text->len))
		return false;
	*piece = span_from(*piece, take);
	if (take == end)
		return true;
	struct span head = body_text_span(text);
	if (!span_ends(head, SPAN("\r\n")))
		return body_refuse(body, REASON_BODY_AMBIGUOUS, "part: a line ends in LF without CR");
	head.len -= 2;
	return (head.len > 0 && !span_ends(head, SPAN("\n"))) || begin_part(body, head);
}

static bool take_closed(struct body *body, struct span *piece)
{
	struct body_multipart *m = &body->of.multipart;
	gather(m, piece, 2);
	return (piece->len == 0 && memcmp(m->tail, "\r\n", m->tail_len) == 0) ||
	       body_refuse(body, REASON_BODY_AMBIGUOUS, "multipart: something stands behind its end");
}

static bool multipart_feed(struct body *body, struct span piece)
{
	static bool (*const steps[STATES])(struct body *body, struct span *piece) = {
	    [START] = take_start, [FIRST] = take_first,     [BOUNDARY] = take_boundary,
	    [HEAD] = take_head,   [CONTENT] = take_content, [CLOSED] = take_closed,
	};
	while (piece.len > 0) {
		if (!steps[body->of.multipart.state](body, &piece))
			return false;
	}
	return true;
}

static bool multipart_end(struct body *body)
{
	const struct body_multipart *m = &body->of.multipart;
	if (m->state != CLOSED)
		return body_refuse(body, REASON_BODY_MALFORMED, "multipart: it ends before its last boundary");
	return m->tail_len != 1 ||
	       body_refuse(body, REASON_BODY_AMBIGUOUS, "multipart: something stands behind its end");
}

const struct body_parser body_multipart_parser = {
    .begin = multipart_begin, .feed = multipart_feed, .end = multipart_end};

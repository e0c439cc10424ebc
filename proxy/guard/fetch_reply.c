/* Reads a response for the scout as a worker would read it for a visitor: by the same parsers,
 * with the same strictness, so that both see the same page or none. The bytes are a hostile
 * origin's. */
#include "guard/fetch_reply.h"

#include <stdarg.h>

enum {
	FIELDS_MAX = HTTP_FIELDS_MAX,
	PIECE = 4096,
	FIRST_ROOM = 16384,
	/* Coded bytes that may come beyond max_bytes: what a coding adds to what it cannot compress. */
	CODED_SLACK = 65536,
};

bool fetch_reply_fail(struct fetch_reply *reply, enum sample_outcome outcome, const char *fmt, ...)
{
	va_list ap;
	if (reply->outcome != SAMPLE_UNSET)
		return false;
	reply->outcome = outcome;
	va_start(ap, fmt);
	int n = vsnprintf(reply->error, sizeof(reply->error), fmt, ap);
	va_end(ap);
	if (n > 0)
		ascii_replace_controls(reply->error, strlen(reply->error));
	return false;
}

void fetch_reply_begin(struct fetch_reply *reply, uint64_t max_bytes, uint64_t *used)
{
	memset(reply, 0, sizeof(*reply));
	strbuf_init(&reply->raw, FETCH_HEAD_MAX);
	reply->max_bytes = max_bytes;
	reply->used = used;
}

void fetch_reply_release(struct fetch_reply *reply)
{
	strbuf_release(&reply->raw);
	coding_free(reply->decoder);
	free(reply->content);
	*reply->used -= reply->room;
	reply->room = 0;
}

/* ---- content ---- */

static bool make_room(struct fetch_reply *reply, size_t more)
{
	size_t room = reply->room ? reply->room : FIRST_ROOM;
	while (room - reply->len < more)
		room *= 2;
	if (room > reply->max_bytes)
		room = (size_t)reply->max_bytes; /* no more will come: the decoder sees to it */
	if (room == reply->room)
		return true;
	uint8_t *content = realloc(reply->content, room);
	if (!content)
		return fetch_reply_fail(reply, SAMPLE_TOO_LARGE, "no memory for its content");
	*reply->used += room - reply->room;
	reply->content = content;
	reply->room = room;
	return true;
}

static bool take_decoded(void *context, const uint8_t *bytes, size_t len)
{
	struct fetch_reply *reply = context;
	if (!make_room(reply, len))
		return false;
	memcpy(reply->content + reply->len, bytes, len);
	reply->len += len;
	return true;
}

static bool heed_coding(struct fetch_reply *reply, enum coding_result result)
{
	switch (result) {
	case CODING_MORE:
	case CODING_DONE: return true;
	case CODING_OVER_SIZE:
		return fetch_reply_fail(reply, SAMPLE_TOO_LARGE, "its content has more than %llu bytes",
					(unsigned long long)reply->max_bytes);
	case CODING_STOPPED: return false;
	default: return fetch_reply_fail(reply, SAMPLE_BROKEN, "content: %s", coding_result_text(result));
	}
}

static bool take_coded(struct fetch_reply *reply, const char *bytes, size_t len)
{
	reply->coded_bytes += len;
	if (reply->coded_bytes > reply->max_bytes + CODED_SLACK)
		return heed_coding(reply, CODING_OVER_SIZE);
	return heed_coding(reply, coding_feed(reply->decoder, bytes, len));
}

static bool take_chunks(struct fetch_reply *reply, struct span bytes)
{
	char piece[PIECE];
	while (bytes.len > 0 && !reply->chunks_done) {
		size_t n = bytes.len < sizeof(piece) ? bytes.len : sizeof(piece), used;
		enum reason reason;
		memcpy(piece, bytes.ptr, n);
		enum http_parse parse = http_chunked_decode(&reply->chunked, piece, &n, &used, &reason);
		if (parse == HTTP_PARSE_BAD)
			return fetch_reply_fail(reply, SAMPLE_BROKEN, "chunked content: %s",
						reason_name(reason));
		if (!take_coded(reply, piece, n))
			return false;
		reply->chunks_done = parse == HTTP_PARSE_DONE;
		bytes = span_from(bytes, used);
	}
	return true;
}

bool fetch_reply_content(struct fetch_reply *reply, struct span bytes)
{
	if (reply->outcome != SAMPLE_UNSET)
		return false;
	if (!reply->has_head)
		return fetch_reply_fail(reply, SAMPLE_BROKEN, "content comes before a head");
	if (reply->head.framing == HTTP_FRAMING_CHUNKED)
		return take_chunks(reply, bytes);
	return take_coded(reply, bytes.ptr, bytes.len);
}

bool fetch_reply_end(struct fetch_reply *reply)
{
	if (reply->outcome != SAMPLE_UNSET)
		return false;
	if (!reply->has_head)
		return fetch_reply_fail(reply, SAMPLE_BROKEN, "no response came");
	if (reply->head.framing == HTTP_FRAMING_CHUNKED && !reply->chunks_done)
		return fetch_reply_fail(reply, SAMPLE_BROKEN, "its last chunk did not come");
	if (reply->head.framing == HTTP_FRAMING_LENGTH &&
	    reply->coded_bytes != reply->head.content_length)
		return fetch_reply_fail(reply, SAMPLE_BROKEN, "it was cut short");
	if (!heed_coding(reply, coding_end(reply->decoder)))
		return false;
	reply->outcome = SAMPLE_WHOLE;
	return true;
}

/* ---- head ---- */

static bool begin_content(struct fetch_reply *reply, const struct coding_list *list)
{
	const struct coding_limits limits = {reply->max_bytes, CODING_RATIO};
	const struct coding_sink sink = {take_decoded, reply};
	/* who says so is not asked for it: a page that is looked at again and again must not cost that much */
	if (reply->head.framing == HTTP_FRAMING_LENGTH &&
	    reply->head.content_length > reply->max_bytes + (list->n > 0 ? CODED_SLACK : 0))
		return heed_coding(reply, CODING_OVER_SIZE);
	reply->decoder = coding_new(list, &limits, &sink, NULL);
	return reply->decoder || fetch_reply_fail(reply, SAMPLE_TOO_LARGE, "no memory to decode it");
}

static bool read_fields(struct fetch_reply *reply)
{
	const struct http_head *head = &reply->head;
	struct coding_list list = {0};
	struct span coding;
	page_collect_begin(&reply->page, head->status);
	for (unsigned i = 0; i < head->field_count; i++)
		page_collect_field(&reply->page, http_field_name(head, &head->fields[i]),
				   http_field_value(head, &head->fields[i]));
	enum coding_result result = coding_list_of(head, &list, &coding);
	if (result != CODING_DONE)
		return heed_coding(reply, result);
	if (reply->page.too_long)
		return fetch_reply_fail(reply, SAMPLE_BROKEN,
					"a field that belongs to the page is too long to be known");
	return begin_content(reply, &list);
}

/* 101 would end HTTP, and nobody asked for it. */
static bool pass_interim(struct fetch_reply *reply)
{
	if (reply->head.status == 101)
		return fetch_reply_fail(reply, SAMPLE_BROKEN, "it switches protocols unasked");
	reply->interim_bytes += reply->raw.len;
	strbuf_reset(&reply->raw);
	return true;
}

static bool read_head(struct fetch_reply *reply)
{
	static const struct http_limits limits = {.head_bytes = FETCH_HEAD_MAX,
						  .target_bytes = FETCH_FIELD_MAX,
						  .fields = FIELDS_MAX,
						  .field_bytes = FETCH_FIELD_MAX};
	struct span evidence;
	enum reason reason;
	enum http_parse parse = http_parse_response(reply->raw.data, reply->raw.len, 0, &limits, HTTP_GET,
						    &reply->head, &reason, &evidence);
	if (parse == HTTP_PARSE_BAD)
		return fetch_reply_fail(reply, SAMPLE_BROKEN, "head: %s", reason_name(reason));
	if (parse != HTTP_PARSE_DONE || reply->head.len != reply->raw.len)
		return fetch_reply_fail(reply, SAMPLE_BROKEN, "head: not one head");
	if (reply->head.status < 200)
		return pass_interim(reply);
	reply->has_head = true;
	return read_fields(reply);
}

bool fetch_reply_line(struct fetch_reply *reply, struct span line)
{
	if (reply->outcome != SAMPLE_UNSET)
		return false;
	if (reply->has_head)
		return true; /* a trailer: it comes with the chunks again, and is checked there */
	strbuf_add_span(&reply->raw, line);
	if (reply->raw.truncated || reply->raw.len + reply->interim_bytes > FETCH_HEAD_MAX)
		return fetch_reply_fail(reply, SAMPLE_BROKEN, "its head has more than %d bytes",
					FETCH_HEAD_MAX);
	bool is_last = span_eq(line, SPAN("\r\n")) || span_eq(line, SPAN("\n"));
	return !is_last || read_head(reply);
}

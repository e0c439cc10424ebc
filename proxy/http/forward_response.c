/* The response head a visitor receives: our version, the origin's status and
 * phrase, its fields but those that belong to its connection, and the framing
 * that we use towards the visitor. */
#include "sallyport/http_forward.h"
#include "http/writer.h"

static bool is_kept(const struct http_field *field, const void *context)
{
	(void)context;
	return !field->dropped && field->id != HTTP_FIELD_CONTENT_LENGTH &&
	       field->id != HTTP_FIELD_TRANSFER_ENCODING;
}

static void put_status_line(struct writer *w, const struct http_head *head)
{
	PUT(w, "HTTP/1.1 ");
	put_u64(w, head->status);
	PUT(w, " ");
	put(w, span_of(head->base + head->phrase_off, head->phrase_len));
	PUT(w, "\r\n");
}

static void put_framing(struct writer *w, const struct http_forward_response *forward)
{
	bool may_say =
	    forward->say_length && forward->head->status != 204; /* RFC 9110 section 8.6 */
	bool says_length = forward->framing == HTTP_FRAMING_LENGTH ||
			   (forward->framing == HTTP_FRAMING_NONE && may_say);
	if (forward->framing == HTTP_FRAMING_CHUNKED) {
		PUT(w, "Transfer-Encoding: chunked\r\n");
	} else if (says_length) {
		PUT(w, "Content-Length: ");
		put_u64(w, forward->content_length);
		PUT(w, "\r\n");
	}
}

static void put_connection(struct writer *w, const struct http_forward_response *forward)
{
	if (forward->close || forward->framing == HTTP_FRAMING_CLOSE)
		PUT(w, "Connection: close\r\n");
	else if (forward->client_version == HTTP_1_0)
		PUT(w, "Connection: keep-alive\r\n");
}

static void put_date(struct writer *w, const struct http_forward_response *forward)
{
	if (forward->date.len > 0 && !http_find(forward->head, HTTP_FIELD_DATE).ptr)
		put_field(w, SPAN("Date"), forward->date);
}

static bool has_field(const struct http_head *head, struct span name)
{
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];
		if (field->name_len == name.len && is_kept(field, NULL) &&
		    span_ieq(http_field_name(head, field), name))
			return true;
	}
	return false;
}

static void put_added(struct writer *w, const struct http_forward_response *forward)
{
	if (forward->hsts && !has_field(forward->head, forward->hsts->name))
		put(w, forward->hsts->line);
	for (size_t i = 0; i < forward->added_count; i++) {
		if (!has_field(forward->head, forward->added[i].name))
			put(w, forward->added[i].line);
	}
}

size_t http_forward_response(const struct http_forward_response *forward, char *buf, size_t room)
{
	struct writer w = {.buf = buf, .room = room};
	put_status_line(&w, forward->head);
	put_fields(&w, forward->head, is_kept, NULL);
	if (forward->via) /* behind those that came: they are one list (RFC 9110 section 5.3) */
		PUT(&w, "Via: 1.1 " HTTP_PSEUDONYM "\r\n");
	if (forward->upgrade)
		PUT(&w, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
	if (forward->head->status >= 200) { /* an interim response says nothing of the message */
		put_framing(&w, forward);
		put_date(&w, forward);
		put_added(&w, forward);
		put_connection(&w, forward);
	}
	PUT(&w, "\r\n");
	return w.full ? 0 : w.len;
}

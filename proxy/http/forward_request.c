/* The request head an origin receives, written from what was understood of the
 * visitor's. What the visitor says about himself in the words of a proxy is
 * believed, and so passed on, only from a trusted peer. Trusts its caller for
 * path, query and host; nothing else reaches the first line. */
#include "sallyport/http_forward.h"
#include "http/writer.h"

/* Fields passed on as they came. The others are written by us, or not at all. */
static bool is_kept(const struct http_field *field, const void *context)
{
	const struct http_forward_request *forward = context;
	if (field->dropped || forward->bare)
		return false;
	switch (field->id) {
	case HTTP_FIELD_HOST:
	case HTTP_FIELD_CONTENT_LENGTH:
	case HTTP_FIELD_TRANSFER_ENCODING:
	case HTTP_FIELD_EXPECT:
	case HTTP_FIELD_VIA:
	case HTTP_FIELD_FORWARDED:
	case HTTP_FIELD_X_FORWARDED_FOR:
	case HTTP_FIELD_OVERRIDE: return false;
	case HTTP_FIELD_X_REQUEST_ID: return forward->outbound;
	case HTTP_FIELD_CDN_LOOP: return !forward->hide_via;
	case HTTP_FIELD_X_FORWARDED_PROTO:
	case HTTP_FIELD_X_FORWARDED_HOST:
	case HTTP_FIELD_X_FORWARDED_PORT:
	case HTTP_FIELD_X_REAL_IP:
	case HTTP_FIELD_CLAIM: return forward->peer_trusted && !forward->outbound;
	case HTTP_FIELD_CLIENT_CERT:
		return forward->peer_trusted && !forward->outbound && forward->client_fields.len == 0;
	default: return true;
	}
}

static void put_request_line(struct writer *w, const struct http_forward_request *forward)
{
	put(w, http_method(forward->head));
	PUT(w, " ");
	put(w, forward->path);
	if (forward->query.ptr) {
		PUT(w, "?");
		put(w, forward->query);
	}
	PUT(w, " HTTP/1.1\r\nHost: ");
	put(w, forward->host);
	PUT(w, "\r\n");
}

/* One framing field (RFC 9112 section 6). */
static void put_framing(struct writer *w, const struct http_forward_request *forward)
{
	if (forward->framing == HTTP_FRAMING_CHUNKED) {
		PUT(w, "Transfer-Encoding: chunked\r\n");
	} else if (forward->framing == HTTP_FRAMING_LENGTH) {
		PUT(w, "Content-Length: ");
		put_u64(w, forward->content_length);
		PUT(w, "\r\n");
	} else if (forward->say_length) {
		PUT(w, "Content-Length: 0\r\n");
	}
	if (forward->upgrade)
		PUT(w, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
	if (forward->forward_expect)
		PUT(w, "Expect: 100-continue\r\n");
}

/* The elements that came in fields of that id, each followed by ", ". */
static void put_elements(struct writer *w, const struct http_head *head, enum http_field_id id)
{
	for (size_t i = 0; i < head->field_count; i++) {
		if (head->fields[i].id != id || head->fields[i].value_len == 0)
			continue;
		put(w, http_field_value(head, &head->fields[i]));
		PUT(w, ", ");
	}
}

static bool is_missing(const struct http_forward_request *forward, enum http_field_id id)
{
	return !forward->peer_trusted || !http_find(forward->head, id).ptr;
}

/* RFC 7239 section 6: an IPv6 address stands in brackets and quotes. */
static void put_forwarded(struct writer *w, const struct http_forward_request *forward,
			  struct span peer)
{
	PUT(w, "Forwarded: ");
	if (forward->peer_trusted)
		put_elements(w, forward->head, HTTP_FIELD_FORWARDED);
	if (span_find(peer, ':') < peer.len) {
		PUT(w, "for=\"[");
		put(w, peer);
		PUT(w, "]\"");
	} else {
		PUT(w, "for=");
		put(w, peer);
	}
	if (forward->visitor_host.len > 0) {
		PUT(w, ";host=");
		put_quoted(w, forward->visitor_host);
	}
	put(w, forward->tls ? SPAN(";proto=https\r\n") : SPAN(";proto=http\r\n"));
}

static void put_forwarding(struct writer *w, const struct http_forward_request *forward)
{
	struct span peer = forward->peer.len > 0 ? forward->peer : SPAN("unknown");
	PUT(w, "X-Forwarded-For: ");
	if (forward->peer_trusted)
		put_elements(w, forward->head, HTTP_FIELD_X_FORWARDED_FOR);
	put(w, peer);
	if (is_missing(forward, HTTP_FIELD_X_FORWARDED_PROTO))
		put(w, forward->tls ? SPAN("\r\nX-Forwarded-Proto: https")
				    : SPAN("\r\nX-Forwarded-Proto: http"));
	if (forward->visitor_host.len > 0 && is_missing(forward, HTTP_FIELD_X_FORWARDED_HOST)) {
		PUT(w, "\r\nX-Forwarded-Host: ");
		put(w, forward->visitor_host);
	}
	PUT(w, "\r\n");
	put_forwarded(w, forward, peer);
}

static void put_own_hops(struct writer *w, unsigned hops)
{
	for (unsigned i = 0; i < hops && !w->full; i++)
		PUT(w, "1.1 " HTTP_PSEUDONYM ", ");
}

/* Via carries no trust but ends loops, so it is kept from everybody. Where it is not to be seen,
 * CDN-Loop (RFC 8586) says the same and changes no server's behaviour. */
static void put_via(struct writer *w, const struct http_forward_request *forward)
{
	const struct http_head *head = forward->head;
	if (forward->hide_via) {
		PUT(w, "CDN-Loop: ");
		put_elements(w, head, HTTP_FIELD_CDN_LOOP);
		PUT(w, HTTP_PSEUDONYM "\r\n");
		return;
	}
	PUT(w, "Via: ");
	if (forward->outbound)
		put_own_hops(w, http_via_hops(head));
	else
		put_elements(w, head, HTTP_FIELD_VIA);
	put(w, head->version == HTTP_1_0 ? SPAN("1.0 " HTTP_PSEUDONYM "\r\n")
					 : SPAN("1.1 " HTTP_PSEUDONYM "\r\n"));
}

size_t http_forward_request(const struct http_forward_request *forward, char *buf, size_t room)
{
	struct writer w = {.buf = buf, .room = room};
	put_request_line(&w, forward);
	put_fields(&w, forward->head, is_kept, forward);
	if (forward->accept_encoding.ptr)
		put_field(&w, SPAN("Accept-Encoding"), forward->accept_encoding);
	put_framing(&w, forward);
	if (!forward->bare && !forward->outbound) {
		put_forwarding(&w, forward);
		put(&w, forward->client_fields);
	}
	if (!forward->bare)
		put_via(&w, forward);
	if (forward->request_id)
		put_field(&w, SPAN("X-Request-Id"), span_from_str(forward->request_id));
	PUT(&w, "\r\n");
	return w.full ? 0 : w.len;
}

/* The handshake of RFC 6455. Neither side is trusted: the client could ask for a
 * tunnel that the origin takes for a plain request, the origin could open one that
 * nobody asked for. Sec-WebSocket-Accept proves that the origin read this very request
 * as a handshake. What passes afterwards is nobody's business here. */
#include "sallyport/websocket.h"

#include "sallyport/crypto.h"

/* Section 1.3. A key is 16 bytes, an accept value 20, both in base64. */
static const char accept_guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
enum { KEY_LEN = 24, GUID_LEN = sizeof(accept_guid) - 1 };

/* How many fields of that name stand in the head and were not taken away; *value: the last one's. */
static unsigned find(const struct http_head *head, struct span name, struct span *value)
{
	unsigned n = 0;
	for (size_t i = 0; i < head->field_count; i++) {
		if (head->fields[i].dropped || !span_ieq(http_field_name(head, &head->fields[i]), name))
			continue;
		*value = http_field_value(head, &head->fields[i]);
		n++;
	}
	return n;
}

/* Upgrade is always marked as dropped, since it belongs to one connection. */
static bool upgrades_to_websocket(const struct http_head *head)
{
	unsigned n = 0, websocket = 0;
	for (size_t i = 0; i < head->field_count; i++) {
		if (head->fields[i].id != HTTP_FIELD_UPGRADE)
			continue;
		n++;
		websocket += span_ieq(http_field_value(head, &head->fields[i]), SPAN("websocket"));
	}
	return head->upgrade && n == 1 && websocket == 1;
}

static bool is_base64(char c)
{
	return ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || c == '+' || c == '/';
}

/* 16 bytes: the last digit carries two bits only. */
static bool is_key(struct span key)
{
	if (key.len != KEY_LEN || !span_ends(key, SPAN("==")))
		return false;
	for (size_t i = 0; i < KEY_LEN - 2; i++)
		if (!is_base64(key.ptr[i]))
			return false;
	return memchr("AQgw", key.ptr[KEY_LEN - 3], 4) != NULL;
}

/* A length of zero is none: Java's client says it. */
static bool has_content(const struct http_head *head)
{
	return head->framing != HTTP_FRAMING_NONE &&
	       (head->framing != HTTP_FRAMING_LENGTH || head->content_length != 0);
}

enum websocket_ask websocket_request(const struct http_head *head)
{
	struct span key, version;
	if (!upgrades_to_websocket(head))
		return WEBSOCKET_NOT_ASKED;
	if (head->method != HTTP_GET || has_content(head) ||
	    find(head, SPAN("sec-websocket-version"), &version) != 1 || !span_eq(version, SPAN("13")) ||
	    find(head, SPAN("sec-websocket-key"), &key) != 1 || !is_key(key))
		return WEBSOCKET_MALFORMED;
	return WEBSOCKET_ASKED;
}

static bool is_accepted(const struct http_head *request, struct span accept)
{
	struct span key;
	char text[KEY_LEN + GUID_LEN], expected[CRYPTO_SHA1_BASE64_SIZE];
	if (find(request, SPAN("sec-websocket-key"), &key) != 1 || key.len != KEY_LEN)
		return false;
	memcpy(text, key.ptr, KEY_LEN);
	memcpy(text + KEY_LEN, accept_guid, GUID_LEN);
	return crypto_sha1_base64(text, sizeof(text), expected) && span_eq(accept, span_from_str(expected));
}

/* The value, or the name before its parameters, is an element of one of the request's fields. */
static bool is_offered(const struct http_head *request, struct span name, struct span chosen)
{
	for (size_t i = 0; i < request->field_count; i++) {
		struct span list = http_field_value(request, &request->fields[i]), element;
		if (request->fields[i].dropped || !span_ieq(http_field_name(request, &request->fields[i]), name))
			continue;
		while (span_next_element(&list, &element)) {
			element.len = span_find(element, ';');
			if (span_eq(span_trim_ows(element), chosen))
				return true;
		}
	}
	return false;
}

static bool all_extensions_are_offered(const struct http_head *request, struct span list)
{
	struct span element;
	while (span_next_element(&list, &element)) {
		element.len = span_find(element, ';');
		if (!is_offered(request, SPAN("sec-websocket-extensions"), span_trim_ows(element)))
			return false;
	}
	return true;
}

bool websocket_response(const struct http_head *request, const struct http_head *response)
{
	struct span accept, protocol = {0}, extensions = {0};
	if (response->status != 101 || !upgrades_to_websocket(response) ||
	    find(response, SPAN("sec-websocket-accept"), &accept) != 1 || !is_accepted(request, accept))
		return false;
	unsigned protocols = find(response, SPAN("sec-websocket-protocol"), &protocol);
	if (protocols > 1 || (protocols == 1 && !is_offered(request, SPAN("sec-websocket-protocol"), protocol)))
		return false;
	return find(response, SPAN("sec-websocket-extensions"), &extensions) <= 1 &&
	       all_extensions_are_offered(request, extensions);
}

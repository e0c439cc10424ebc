/* What belongs to one connection only (RFC 9110 section 7.6.1), and loops. The
 * Connection field is a way to make a proxy drop fields that somebody further on
 * relies on; so it may name hop-by-hop fields and names that mean nothing to us. */
#include "http/field.h"
#include "sallyport/http_forward.h"

/* More names than anybody needs, and few enough that looking each up among the
 * fields stays cheap. */
enum { NAMES_MAX = 32 };

static bool is_hop_by_hop(enum http_field_id id)
{
	switch (id) {
	case HTTP_FIELD_CONNECTION:
	case HTTP_FIELD_KEEP_ALIVE:
	case HTTP_FIELD_PROXY_CONNECTION:
	case HTTP_FIELD_TE:
	case HTTP_FIELD_TRAILER:
	case HTTP_FIELD_UPGRADE:
	case HTTP_FIELD_HTTP2_SETTINGS:
	case HTTP_FIELD_TRANSFER_ENCODING:
	case HTTP_FIELD_PROXY_AUTHORIZATION:
	case HTTP_FIELD_PROXY_AUTHENTICATE:
	case HTTP_FIELD_PROXY_AUTHENTICATION_INFO: return true;
	default: return false;
	}
}

/* Names that Connection may have although the fields of that name stand for
 * themselves: they are dropped in any case. Transfer-Encoding is not one of them. */
static bool is_connection_option(struct span name)
{
	enum http_field_id id = http_field_lookup(name);
	return (is_hop_by_hop(id) && id != HTTP_FIELD_TRANSFER_ENCODING) ||
	       span_ieq(name, SPAN("close"));
}

static void drop_named(struct http_head *head, struct span name)
{
	for (size_t i = 0; i < head->field_count; i++)
		if (span_ieq(http_field_name(head, &head->fields[i]), name))
			head->fields[i].dropped = true;
}

/* Drops what one Connection field names. */
static bool drop_options(struct http_head *head, struct span value, unsigned *names)
{
	struct span option;
	while (span_next_element(&value, &option)) {
		if (!http_is_token(option))
			return false;
		if (is_connection_option(option))
			continue;
		if (++*names > NAMES_MAX || http_field_is_vital(option))
			return false;
		drop_named(head, option);
	}
	return true;
}

bool http_mark_hop_by_hop(struct http_head *head, enum reason *reason)
{
	unsigned names = 0;
	for (size_t i = 0; i < head->field_count; i++) {
		struct http_field *field = &head->fields[i];
		if (field->id == HTTP_FIELD_OTHER || !is_hop_by_hop(field->id))
			continue;
		field->dropped = true;
		if (field->id != HTTP_FIELD_CONNECTION)
			continue;
		if (!drop_options(head, http_field_value(head, field), &names)) {
			*reason = REASON_CONNECTION_FIELD;
			return false;
		}
	}
	return true;
}

static size_t word_len(struct span s)
{
	size_t sp = span_find(s, ' '), tab = span_find(s, '\t');
	return sp < tab ? sp : tab;
}

/* "1.1 sallyport" or "HTTP/1.1 sallyport (comment)": RFC 9110 section 7.6.3. */
static bool is_our_hop(struct span hop)
{
	struct span by = span_trim_ows(span_from(hop, word_len(hop)));
	by.len = word_len(by);
	return span_ieq(by, SPAN(HTTP_PSEUDONYM));
}

/* "sallyport" or "sallyport; parameter=value": RFC 8586 section 2. */
static bool is_our_loop(struct span info)
{
	info.len = span_find(info, ';');
	return span_ieq(span_trim_ows(info), SPAN(HTTP_PSEUDONYM));
}

unsigned http_via_hops(const struct http_head *head)
{
	unsigned hops = 0;
	for (size_t i = 0; i < head->field_count; i++) {
		struct span hop, list = http_field_value(head, &head->fields[i]);
		enum http_field_id id = head->fields[i].id;
		if (id != HTTP_FIELD_VIA && id != HTTP_FIELD_CDN_LOOP)
			continue;
		while (span_next_element(&list, &hop))
			hops += id == HTTP_FIELD_VIA ? is_our_hop(hop) : is_our_loop(hop);
	}
	return hops;
}

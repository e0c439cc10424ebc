/* The fields that say where a message ends and whether another may follow. The
 * head they stand in may come from either side, and neither is believed beyond
 * what has one meaning only. What a field like that looks like is judged here;
 * what follows for a request or a response is theirs. */
#include "http/framing.h"

enum { LENGTH_DIGITS_MAX = 19 };

enum reason framing_length(struct http_head *head, struct span value)
{
	if (head->framing == HTTP_FRAMING_LENGTH)
		return REASON_LENGTH_REPEATED;
	if (head->framing == HTTP_FRAMING_CHUNKED)
		return REASON_LENGTH_AND_CODING;
	if (value.len > LENGTH_DIGITS_MAX || !span_to_u64(value, INT64_MAX, &head->content_length))
		return REASON_LENGTH_INVALID;
	head->framing = HTTP_FRAMING_LENGTH;
	return REASON_UNSET;
}

enum reason framing_coding(struct http_head *head, struct span value)
{
	if (head->framing == HTTP_FRAMING_CHUNKED)
		return REASON_CODING_REPEATED;
	if (head->version == HTTP_1_0)
		return REASON_CODING_IN_HTTP_10;
	if (head->framing == HTTP_FRAMING_LENGTH)
		return REASON_LENGTH_AND_CODING;
	if (!span_ieq(value, SPAN("chunked")))
		return REASON_CODING_UNKNOWN;
	head->framing = HTTP_FRAMING_CHUNKED;
	return REASON_UNSET;
}

void framing_connection(struct http_head *head, struct span value)
{
	struct span option;
	while (span_next_element(&value, &option)) {
		if (span_ieq(option, SPAN("close")))
			head->close = true;
		else if (span_ieq(option, SPAN("keep-alive")))
			head->keep_alive = true;
		else if (span_ieq(option, SPAN("upgrade")))
			head->upgrade = true;
	}
}

void framing_finish_connection(struct http_head *head)
{
	bool is_1_0 = head->version == HTTP_1_0;
	if (is_1_0 && !head->keep_alive)
		head->close = true;
	if (head->upgrade)
		head->upgrade = !is_1_0 && http_find(head, HTTP_FIELD_UPGRADE).ptr != NULL;
}

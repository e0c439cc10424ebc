/* Response heads of a hostile origin: any bytes are refused with a reason of the
 * origin, unfinished, or a head that means the same however it is cut, and that is
 * one response once it was written anew. */
#include "head_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum http_method method;

static void parse(const char *buf, size_t len, size_t seen, struct fuzz_result *result)
{
	memset(result, 0, sizeof(*result));
	result->parse = http_parse_response(buf, len, seen, &fuzz_limits, method, &result->head,
					    &result->reason, &result->evidence);
}

static void check_forwarded(const struct http_head *head)
{
	struct http_forward_response forward = {
	    .head = head,
	    .framing = (enum http_framing)head->framing,
	    .content_length = head->content_length,
	    .say_length = head->content_length > 0,
	    .client_version = HTTP_1_1,
	    .date = SPAN("Thu, 01 Jan 1970 00:00:00 GMT"),
	};
	static char out[16384];
	struct http_head again;
	enum reason reason = REASON_UNSET;
	struct span evidence;
	size_t len = http_forward_response(&forward, out, sizeof(out));
	MUST(len > 0 && len <= sizeof(out));
	MUST(http_forward_response(&forward, out, len - 1) == 0);
	len = http_forward_response(&forward, out, len);
	MUST(http_parse_response(out, len, 0, &fuzz_wide_limits, method, &again, &reason,
				 &evidence) == HTTP_PARSE_DONE);
	fuzz_check_head(&again, len);
	MUST(again.len == len && again.status == head->status && again.framing == head->framing);
	MUST(again.content_length == head->content_length && again.version == HTTP_1_1);
}

static void check(const char *buf, size_t len)
{
	struct fuzz_result whole;
	fuzz_check_parser(parse, buf, len, &whole);
	if (whole.parse == HTTP_PARSE_BAD)
		MUST(whole.reason == REASON_ORIGIN_STATUS_LINE ||
		     whole.reason == REASON_ORIGIN_HEAD ||
		     whole.reason == REASON_ORIGIN_HEAD_TOO_LARGE ||
		     whole.reason == REASON_ORIGIN_FRAMING);
	if (whole.parse != HTTP_PARSE_DONE)
		return;
	struct http_head *head = &whole.head;
	enum reason reason = REASON_UNSET;
	MUST(head->status >= 100 && head->status <= 599);
	MUST(head->close || head->framing != HTTP_FRAMING_CLOSE);
	if (http_mark_hop_by_hop(head, &reason))
		check_forwarded(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	method = HTTP_GET;
	check((const char *)data, size);
	method = HTTP_HEAD;
	check((const char *)data, size);
	return 0;
}

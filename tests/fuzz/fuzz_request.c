/* Request heads: any bytes are refused with a reason, unfinished, or a head that
 * means the same however it is cut and once it was written anew. */
#include "head_fuzz.h"

#include "sallyport/shield.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const char *buf, size_t len, size_t seen, struct fuzz_result *result)
{
	memset(result, 0, sizeof(*result));
	result->parse = http_parse_request(buf, len, seen, &fuzz_limits, &result->head,
					   &result->reason, &result->evidence);
}

static void check_forwarded(const struct http_head *head, bool peer_trusted)
{
	struct http_forward_request forward = {
	    .head = head,
	    .path = SPAN("/"),
	    .host = SPAN("origin"),
	    .visitor_host = http_find(head, HTTP_FIELD_HOST),
	    .peer = SPAN("2001:db8::1"),
	    .peer_trusted = peer_trusted,
	    .framing = (enum http_framing)head->framing,
	    .content_length = head->content_length,
	    .forward_expect = head->expect_continue,
	    .request_id = "0123456789abcdef",
	};
	static char out[16384];
	struct http_head again;
	enum reason reason = REASON_UNSET;
	struct span evidence;
	size_t len = http_forward_request(&forward, out, sizeof(out));
	MUST(len > 0 && len <= sizeof(out));
	MUST(http_forward_request(&forward, out, len - 1) == 0);
	len = http_forward_request(&forward, out, len);
	MUST(http_parse_request(out, len, 0, &fuzz_wide_limits, &again, &reason, &evidence) ==
	     HTTP_PARSE_DONE);
	fuzz_check_head(&again, len);
	MUST(again.len == len && again.framing == head->framing && !again.close);
	MUST(again.content_length == head->content_length && again.version == HTTP_1_1);
	MUST(span_eq(http_method(&again), http_method(head)));
	MUST(http_mark_hop_by_hop(&again, &reason) && http_via_hops(&again) > 0);
}

static bool is_within(const struct http_head *head, struct span s)
{
	return s.ptr >= head->base && s.ptr + s.len <= head->base + head->len;
}

/* Every cookie and field comes once, lies within the head and is where its finding is. */
static void check_texts(const struct http_head *head)
{
	struct shield_texts texts = {.head = head};
	struct shield_text text;
	struct span evidence;
	size_t fields = 0, bytes = 0;
	while (shield_next_text(&texts, &text)) {
		fields += text.place == PLACE_FIELD;
		bytes += text.text.len;
		MUST(is_within(head, text.name) && is_within(head, text.text));
		MUST(text.place == PLACE_FIELD || text.name.len <= text.text.len);
		if (shield_scan_text(&text, URL_FINDINGS_ALL, URL_NAME_CONTROL, &evidence))
			MUST(evidence.len > 0 && is_within(head, evidence));
	}
	MUST(fields <= head->field_count && bytes <= head->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_result whole;
	const char *buf = (const char *)data;
	fuzz_check_parser(parse, buf, size, &whole);
	if (whole.parse != HTTP_PARSE_DONE)
		return 0;
	struct http_head *head = &whole.head;
	enum reason reason = REASON_UNSET;
	check_texts(head);
	MUST(http_is_token(http_method(head)) && http_target(head).len > 0);
	MUST(head->version == HTTP_1_0 || head->host_index > 0);
	MUST(head->framing != HTTP_FRAMING_CLOSE);
	MUST(http_via_hops(head) <= head->len / sizeof("1.1 sallyport"));
	if (http_mark_hop_by_hop(head, &reason)) {
		check_forwarded(head, false);
		check_forwarded(head, true);
	} else {
		MUST(reason == REASON_CONNECTION_FIELD);
	}
	return 0;
}

/* XML: what is good has no document type. The first byte chooses limits and charset. */
#include "body_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Behind a byte order mark, a declaration, instructions and comments, as they may stand before the first element. */
static bool declares_a_type(struct span text)
{
	if (span_starts(text, SPAN("\xef\xbb\xbf")))
		text = span_from(text, 3);
	for (;;) {
		while (text.len > 0 && memchr(" \t\r\n", text.ptr[0], 4))
			text = span_from(text, 1);
		const char *end = span_starts(text, SPAN("<?"))     ? "?>"
				  : span_starts(text, SPAN("<!--")) ? "-->"
								    : NULL;
		const char *at = end ? memmem(text.ptr, text.len, end, strlen(end)) : NULL;
		if (!at)
			return span_starts(text, SPAN("<!DOCTYPE"));
		text = span_from(text, (size_t)(at - text.ptr) + strlen(end));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = {"application/xml", "text/xml; charset=utf-8", "text/xml; charset=iso-8859-1",
					    "application/atom+xml; charset=us-ascii"};
	struct body_type type;
	struct body_seen seen;
	if (size == 0)
		return 0;
	body_fuzz_type(types[data[0] >> 1 & 3], &type);
	body_fuzz(&type, body_fuzz_limits(data[0]), data + 1, size - 1, &seen);
	if (seen.result == BODY_DONE)
		MUST(!declares_a_type(span_of((const char *)data + 1, size - 1)));
	return 0;
}

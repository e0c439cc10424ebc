/* XML: what is good has no document type. The first byte chooses limits and charset. */
#include "body_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	if (seen.result == BODY_DONE && seen.places[BODY_XML_TEXT] + seen.places[BODY_XML_ATTRIBUTE] == 0 && size > 10)
		MUST(memcmp(data + 1, "<!DOCTYPE", 9) != 0);
	return 0;
}

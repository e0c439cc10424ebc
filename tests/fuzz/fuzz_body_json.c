/* JSON: what is good is UTF-8, and has no more values and depth than the limits allow. The first byte chooses them. */
#include "body_fuzz.h"
#include "sallyport/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct body_type type;
	struct body_seen seen;
	if (size == 0)
		return 0;
	body_fuzz_type("application/json", &type);
	body_fuzz(&type, body_fuzz_limits(data[0]), data + 1, size - 1, &seen);
	if (seen.result == BODY_DONE && size > 1)
		MUST(json_is_text(span_of((const char *)data + 1, size - 1)) && seen.places[BODY_JSON_VALUE] > 0);
	return 0;
}

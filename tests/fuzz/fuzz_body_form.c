/* Forms: there are as many arguments as there are pairs that are not empty. The first byte chooses the limits. */
#include "body_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_pairs(const uint8_t *bytes, size_t len)
{
	size_t pairs = 0;
	for (size_t i = 0; i < len; i++)
		pairs += bytes[i] != '&' && (i == 0 || bytes[i - 1] == '&');
	return pairs;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct body_type type;
	struct body_seen seen;
	if (size == 0)
		return 0;
	body_fuzz_type("application/x-www-form-urlencoded", &type);
	body_fuzz(&type, body_fuzz_limits(data[0]), data + 1, size - 1, &seen);
	MUST(seen.result != BODY_DONE || seen.places[BODY_ARGUMENT] == count_pairs(data + 1, size - 1));
	return 0;
}

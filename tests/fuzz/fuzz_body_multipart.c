/* multipart/form-data: wherever the boundary stands in content that is good, it is a delimiter. The first byte
 * chooses limits and boundary. */
#include "body_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_boundaries(const uint8_t *bytes, size_t len, const char *delimiter)
{
	size_t n = 0, width = strlen(delimiter);
	for (size_t i = 0; i + width <= len; i++) {
		if (memcmp(bytes + i, delimiter, width) != 0)
			continue;
		MUST(i == 0 || (i >= 2 && bytes[i - 2] == '\r' && bytes[i - 1] == '\n'));
		MUST(i + width + 2 <= len);
		n++;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct body_type type;
	struct body_seen seen;
	if (size == 0)
		return 0;
	bool odd = data[0] & 2;
	body_fuzz_type(odd ? "multipart/form-data; boundary=-B--B" : "multipart/form-data; boundary=B", &type);
	body_fuzz(&type, body_fuzz_limits(data[0]), data + 1, size - 1, &seen);
	if (seen.result != BODY_DONE || size == 1)
		return 0;
	size_t parts = seen.places[BODY_ARGUMENT] + seen.places[BODY_FILE_CONTENT];
	size_t boundaries = count_boundaries(data + 1, size - 1, odd ? "---B--B" : "--B");
	MUST(boundaries >= parts + 1 && (boundaries == parts + 1 || seen.places[BODY_JSON_VALUE] > 0));
	return 0;
}

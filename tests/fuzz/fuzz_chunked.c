/* The chunked coding: any bytes give the same content and the same end however
 * they are cut, and content that was written anew is the same content. */
#include "head_fuzz.h"
#include "sallyport/http_chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct decoded {
	enum http_parse parse;
	enum reason reason;
	size_t used, len;
	char *content;
};

static void decode(const char *bytes, size_t len, size_t step, struct decoded *out)
{
	struct http_chunked chunked = {0};
	*out = (struct decoded){.parse = HTTP_PARSE_MORE, .content = malloc(len + 1)};
	MUST(out->content);
	while (out->parse == HTTP_PARSE_MORE && out->used < len) {
		size_t n = len - out->used < step ? len - out->used : step, got = n, used = 0;
		char *copy = malloc(n);
		MUST(copy);
		memcpy(copy, bytes + out->used, n);
		out->parse = http_chunked_decode(&chunked, copy, &got, &used, &out->reason);
		MUST(got <= used && used <= n && (used == n || out->parse != HTTP_PARSE_MORE));
		memcpy(out->content + out->len, copy, got);
		out->len += got;
		out->used += used;
		free(copy);
	}
	MUST(out->parse != HTTP_PARSE_BAD || out->reason != REASON_UNSET);
}

static void check_written_anew(const struct decoded *whole)
{
	char *bytes = malloc(whole->len + HTTP_CHUNK_HEAD_SIZE + 16);
	struct decoded again;
	size_t len = 0;
	MUST(bytes);
	if (whole->len > 0) {
		len = http_chunk_head(whole->len, bytes);
		memcpy(bytes + len, whole->content, whole->len);
		memcpy(bytes + len + whole->len, "\r\n", 2);
		len += whole->len + 2;
	}
	memcpy(bytes + len, "0\r\n\r\n", 5);
	len += 5;
	decode(bytes, len, len, &again);
	MUST(again.parse == HTTP_PARSE_DONE && again.used == len && again.len == whole->len);
	MUST(memcmp(again.content, whole->content, whole->len) == 0);
	free(again.content);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = {1, 3, 29};
	struct decoded whole, part;
	decode((const char *)data, size, size + 1, &whole);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		decode((const char *)data, size, steps[i], &part);
		MUST(part.parse == whole.parse && part.used == whole.used && part.len == whole.len);
		MUST(part.reason == whole.reason);
		MUST(memcmp(part.content, whole.content, whole.len) == 0);
		free(part.content);
	}
	if (whole.parse == HTTP_PARSE_DONE)
		check_written_anew(&whole);
	free(whole.content);
	return 0;
}

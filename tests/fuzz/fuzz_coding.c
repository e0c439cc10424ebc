/* Content codings: any bytes give the same content, or an error, however they are cut; no more comes out
 * than the limits allow, memory stays bounded, and all of it is given back.
 *
 * The first byte of the input chooses the codings: two numbers below 5, 0 for none. */
#include "head_fuzz.h"
#include "sallyport/coding.h"

enum { LIMIT = 1 << 18, RATIO = 300 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct decoded {
	enum coding_result result;
	size_t len, memory;
	uint8_t *content;
};

static void *take(void *context, size_t size)
{
	struct decoded *decoded = context;
	decoded->memory += size;
	MUST(decoded->memory <= CODINGS_MAX * (size_t)(CODING_STATE_MAX + (1 << 16)));
	return malloc(size);
}

static void give(void *context, void *ptr, size_t size)
{
	((struct decoded *)context)->memory -= size;
	free(ptr);
}

static bool keep(void *context, const uint8_t *bytes, size_t len)
{
	struct decoded *decoded = context;
	MUST(len > 0 && len <= LIMIT - decoded->len);
	memcpy(decoded->content + decoded->len, bytes, len);
	decoded->len += len;
	return true;
}

static struct coding_list choose(uint8_t byte)
{
	struct coding_list list = {0};
	unsigned inner = byte % CODING_KINDS, outer = byte / CODING_KINDS % CODING_KINDS;
	if (inner)
		list.of[list.n++] = (uint8_t)inner;
	if (outer)
		list.of[list.n++] = (uint8_t)outer;
	return list;
}

static void decode(uint8_t choice, const uint8_t *bytes, size_t len, size_t piece, struct decoded *out)
{
	struct coding_list list = choose(choice);
	struct coding_limits limits = {LIMIT, RATIO};
	struct coding_sink sink = {keep, out};
	struct coding_memory memory = {take, give, out};
	*out = (struct decoded){.content = malloc(LIMIT)};
	MUST(out->content);
	struct coding_decoder *decoder = coding_new(&list, &limits, &sink, &memory);
	MUST(decoder);
	for (size_t at = 0; at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;
		uint8_t *copy = malloc(n);
		MUST(copy);
		memcpy(copy, bytes + at, n);
		coding_feed(decoder, copy, n);
		free(copy);
	}
	out->result = coding_end(decoder);
	MUST(coding_bytes(decoder) == out->len || out->result != CODING_DONE);
	coding_free(decoder);
	MUST(out->memory == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = {1, 7, 1000};
	struct decoded whole, part;
	if (size == 0)
		return 0;
	decode(data[0], data + 1, size - 1, size, &whole);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		decode(data[0], data + 1, size - 1, pieces[i], &part);
		MUST((part.result == CODING_DONE) == (whole.result == CODING_DONE));
		if (whole.result == CODING_DONE)
			MUST(part.len == whole.len && memcmp(part.content, whole.content, part.len) == 0);
		free(part.content);
	}
	free(whole.content);
	return 0;
}

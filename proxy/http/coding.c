/* Content codings undone, one after the other, within limits. The libraries read the formats;
 * here stands what they are not trusted with: how many codings there may be, how much may come out,
 * in which proportion to what went in, and that nothing stands behind the end.
 *
 *    coded bytes ─► stage 0 ─► stage 1 ─► sink        (stage 0 undoes what was applied last)
 *        in[0]        in[1]      in[2]
 *
 * The proportion is compared only where a whole KiB of coded bytes has gone all the way through.
 * What has come out by then depends on those bytes alone, so that the verdict does not depend on
 * how they were cut. */
#include "sallyport/coding.h"

#include "http/coding_stage.h"

enum { CODING_SLICE = 1024 };

struct coding_decoder {
	struct coding_limits limits;
	struct coding_sink sink;
	struct coding_memory memory;
	enum coding_result result; /* an error stays */
	unsigned n;
	uint64_t in[CODINGS_MAX + 1];
	struct coding_stage stages[];
};

static const struct coding_ops *const kinds[CODING_KINDS] = {
    [CODING_GZIP] = &coding_gzip,
    [CODING_DEFLATE] = &coding_deflate,
    [CODING_BR] = &coding_br,
    [CODING_ZSTD] = &coding_zstd,
};

const char *coding_name(unsigned coding)
{
	return coding < CODING_KINDS && kinds[coding] ? kinds[coding]->name : "-";
}

const char *coding_result_text(enum coding_result result)
{
	static const char *const texts[] = {
	    [CODING_MORE] = "it is not whole yet",
	    [CODING_DONE] = "it is whole",
	    [CODING_UNKNOWN] = "its coding is not known",
	    [CODING_TOO_MANY] = "too many codings are applied to it",
	    [CODING_MALFORMED] = "its coding is malformed",
	    [CODING_TRUNCATED] = "its coded form is cut short",
	    [CODING_TRAILING] = "something stands behind its coded form",
	    [CODING_OVER_SIZE] = "it decodes to more than its limit of bytes",
	    [CODING_OVER_RATIO] = "it decodes to far more bytes than it was sent in",
	    [CODING_OVER_WINDOW] = "its coding asks for too large a window",
	    [CODING_NO_MEMORY] = "there is no memory to decode it",
	    [CODING_STOPPED] = "no more of it was taken",
	};
	return result > 0 && result < sizeof(texts) / sizeof(texts[0]) ? texts[result] : "-";
}

static enum coding coding_lookup(struct span name)
{
	if (span_ieq(name, SPAN("x-gzip")))
		return CODING_GZIP;
	for (unsigned i = 1; i < CODING_KINDS; i++)
		if (span_ieq(name, span_from_str(kinds[i]->name)))
			return (enum coding)i;
	return CODING_UNSET;
}

enum coding_result coding_list_add(struct coding_list *list, struct span value)
{
	struct span name;
	while (span_next_element(&value, &name)) {
		if (span_ieq(name, SPAN("identity")))
			continue;
		enum coding coding = coding_lookup(name);
		if (coding == CODING_UNSET)
			return CODING_UNKNOWN;
		if (list->n == CODINGS_MAX)
			return CODING_TOO_MANY;
		list->of[list->n++] = (uint8_t)coding;
	}
	return CODING_DONE;
}

enum coding_result coding_list_of(const struct http_head *head, struct coding_list *list, struct span *value)
{
	for (size_t i = 0; i < head->field_count; i++) {
		if (!span_ieq(http_field_name(head, &head->fields[i]), SPAN("content-encoding")))
			continue;
		*value = http_field_value(head, &head->fields[i]);
		enum coding_result result = coding_list_add(list, *value);
		if (result != CODING_DONE)
			return result;
	}
	return CODING_DONE;
}

/* ---- memory ---- */

static void *heap_take(void *context, size_t size)
{
	(void)context;
	return malloc(size);
}

static void heap_give(void *context, void *ptr, size_t size)
{
	(void)context;
	(void)size;
	free(ptr);
}

const struct coding_memory coding_heap = {heap_take, heap_give, NULL};

/* Before each block stands its size: the libraries do not say it when they give it back. */
union block {
	size_t size;
	max_align_t aligned;
};

void *coding_take(void *opaque, size_t size)
{
	struct coding_stage *stage = opaque;
	union block *block = NULL;
	if (size <= CODING_STATE_MAX - stage->state_bytes)
		block = stage->memory->take(stage->memory->context, size + sizeof(*block));
	if (!block) {
		stage->refused = true;
		return NULL;
	}
	block->size = size;
	stage->state_bytes += size;
	return block + 1;
}

void coding_give(void *opaque, void *ptr)
{
	struct coding_stage *stage = opaque;
	if (!ptr)
		return;
	union block *block = (union block *)ptr - 1;
	stage->state_bytes -= block->size;
	stage->memory->give(stage->memory->context, block, block->size + sizeof(*block));
}

bool coding_see(struct coding_stage *stage, struct coding_step *step, unsigned n)
{
	while (stage->seen < n && step->in_len > 0) {
		stage->first[stage->seen++] = *step->in++;
		step->in_len--;
	}
	return stage->seen == n;
}

/* ---- a decoder ---- */

static size_t decoder_size(unsigned n)
{
	return sizeof(struct coding_decoder) + n * sizeof(struct coding_stage);
}

struct coding_decoder *coding_new(const struct coding_list *list, const struct coding_limits *limits,
				  const struct coding_sink *sink, const struct coding_memory *memory)
{
	if (!memory)
		memory = &coding_heap;
	struct coding_decoder *decoder = memory->take(memory->context, decoder_size(list->n));
	if (!decoder)
		return NULL;
	*decoder = (struct coding_decoder){
	    .limits = *limits, .sink = *sink, .memory = *memory, .result = CODING_MORE, .n = list->n};
	for (unsigned i = 0; i < list->n; i++) {
		struct coding_stage *stage = &decoder->stages[i];
		memset(stage, 0, offsetof(struct coding_stage, out));
		stage->ops = kinds[list->of[list->n - 1 - i]];
		stage->memory = &decoder->memory;
	}
	return decoder;
}

void coding_free(struct coding_decoder *decoder)
{
	if (!decoder)
		return;
	for (unsigned i = 0; i < decoder->n; i++)
		if (decoder->stages[i].state)
			decoder->stages[i].ops->release(&decoder->stages[i]);
	struct coding_memory memory = decoder->memory;
	memory.give(memory.context, decoder, decoder_size(decoder->n));
}

uint64_t coding_bytes(const struct coding_decoder *decoder)
{
	return decoder->in[decoder->n];
}

static enum coding_result decode(struct coding_decoder *decoder, unsigned at, const uint8_t *bytes,
				 size_t len);

static enum coding_result pass(struct coding_decoder *decoder, unsigned at, const uint8_t *bytes,
			       size_t len)
{
	if (len == 0)
		return CODING_MORE;
	bool is_decoded = at > 0 || decoder->n == 0;
	if (is_decoded && len > decoder->limits.bytes - decoder->in[at])
		return CODING_OVER_SIZE;
	decoder->in[at] += len;
	if (at < decoder->n)
		return decode(decoder, at, bytes, len);
	return decoder->sink.take(decoder->sink.context, bytes, len) ? CODING_MORE : CODING_STOPPED;
}

static enum coding_result decode(struct coding_decoder *decoder, unsigned at, const uint8_t *bytes,
				 size_t len)
{
	struct coding_stage *stage = &decoder->stages[at];
	struct coding_step step = {.in = bytes, .in_len = len};
	do {
		if (stage->ended)
			return CODING_TRAILING;
		step.out = stage->out;
		step.room = sizeof(stage->out);
		enum coding_result result = stage->ops->step(stage, &step);
		if (stage->refused)
			return CODING_NO_MEMORY;
		enum coding_result next =
		    pass(decoder, at + 1, stage->out, sizeof(stage->out) - step.room);
		if (next != CODING_MORE)
			return next;
		if (result != CODING_MORE && result != CODING_DONE)
			return result;
		stage->ended = result == CODING_DONE;
	} while (step.in_len > 0 || (step.room == 0 && !stage->ended));
	return CODING_MORE;
}

static bool is_over_ratio(const struct coding_decoder *decoder)
{
	for (unsigned i = 1; i <= decoder->n && decoder->limits.ratio > 0; i++)
		if (decoder->in[i] > CODING_RATIO_FREE &&
		    decoder->in[i] > decoder->in[0] * decoder->limits.ratio)
			return true;
	return false;
}

static enum coding_result feed_slice(struct coding_decoder *decoder, const uint8_t *bytes,
				     size_t len)
{
	enum coding_result result = pass(decoder, 0, bytes, len);
	if (result == CODING_MORE && decoder->in[0] % CODING_SLICE == 0 && is_over_ratio(decoder))
		return CODING_OVER_RATIO;
	return result;
}

enum coding_result coding_feed(struct coding_decoder *decoder, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	while (len > 0 && decoder->result == CODING_MORE) {
		size_t slice = CODING_SLICE - (size_t)(decoder->in[0] % CODING_SLICE);
		if (slice > len || decoder->n == 0)
			slice = len;
		decoder->result = feed_slice(decoder, at, slice);
		at += slice;
		len -= slice;
	}
	return decoder->result;
}

enum coding_result coding_end(struct coding_decoder *decoder)
{
	if (decoder->result != CODING_MORE)
		return decoder->result;
	decoder->result = CODING_DONE;
	for (unsigned i = 0; i < decoder->n && decoder->in[0] > 0; i++)
		if (!decoder->stages[i].ended)
			decoder->result = CODING_TRUNCATED;
	if (is_over_ratio(decoder))
		decoder->result = CODING_OVER_RATIO;
	return decoder->result;
}

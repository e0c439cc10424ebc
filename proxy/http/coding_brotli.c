/* br by brotli's decoder. Windows of more than 16 MiB ("large window", which RFC 7932 does not
 * know) stay switched off. */
#include <brotli/decode.h>

#include "http/coding_stage.h"

static void release(struct coding_stage *stage)
{
	BrotliDecoderDestroyInstance(stage->state);
}

static enum coding_result br_step(struct coding_stage *stage, struct coding_step *step)
{
	if (!stage->state)
		stage->state = BrotliDecoderCreateInstance(coding_take, coding_give, stage);
	if (!stage->state)
		return CODING_NO_MEMORY;
	switch (BrotliDecoderDecompressStream(stage->state, &step->in_len, &step->in, &step->room,
					      &step->out, NULL)) {
	case BROTLI_DECODER_RESULT_SUCCESS: return CODING_DONE;
	case BROTLI_DECODER_RESULT_ERROR: return CODING_MALFORMED;
	default: return CODING_MORE;
	}
}

const struct coding_ops coding_br = {.name = "br", .step = br_step, .release = release};

/* zstd by its library. Only a frame of RFC 8878 may come: the library would also read formats from
 * before the first release, and skip what other readers may not. */
#define ZSTD_STATIC_LINKING_ONLY /* for memory that is counted; the shared library has it, too */
#include <zstd.h>
#include <zstd_errors.h>

#include "http/coding_stage.h"

enum { WINDOW_LOG_MAX = 23 }; /* RFC 9659 section 3 */

static void release(struct coding_stage *stage)
{
	ZSTD_freeDStream(stage->state);
}

static bool begin(struct coding_stage *stage)
{
	ZSTD_DStream *stream =
	    ZSTD_createDStream_advanced((ZSTD_customMem){coding_take, coding_give, stage});
	stage->state = stream;
	return stream &&
	       !ZSTD_isError(ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, WINDOW_LOG_MAX));
}

static enum coding_result decompress(struct coding_stage *stage, struct coding_step *step)
{
	ZSTD_inBuffer in = {step->in, step->in_len, 0};
	ZSTD_outBuffer out = {step->out, step->room, 0};
	size_t left = ZSTD_decompressStream(stage->state, &out, &in);
	step->in += in.pos;
	step->in_len -= in.pos;
	step->out += out.pos;
	step->room -= out.pos;
	if (!ZSTD_isError(left))
		return left == 0 ? CODING_DONE : CODING_MORE;
	return ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge
		   ? CODING_OVER_WINDOW
		   : CODING_MALFORMED;
}

static enum coding_result zstd_step(struct coding_stage *stage, struct coding_step *step)
{
	static const uint8_t magic[4] = {0x28, 0xb5, 0x2f, 0xfd}; /* RFC 8878 section 3.1.1 */
	if (stage->state)
		return decompress(stage, step);
	if (!coding_see(stage, step, sizeof(magic)))
		return CODING_MORE;
	if (memcmp(stage->first, magic, sizeof(magic)) != 0)
		return CODING_MALFORMED;
	if (!begin(stage))
		return CODING_NO_MEMORY;
	struct coding_step head = {stage->first, sizeof(magic), step->out, step->room};
	enum coding_result result = decompress(stage, &head);
	return result == CODING_MORE && step->in_len > 0 ? decompress(stage, step) : result;
}

const struct coding_ops coding_zstd = {.name = "zstd", .step = zstd_step, .release = release};

/* gzip and deflate by zlib. Checksums and lengths are checked by it; a dictionary named by the
 * sender is malformed, since no reader on the web has one. */
#define ZLIB_CONST
#include <zlib.h>

#include "http/coding_stage.h"

enum { WINDOW_BITS = 15, WITH_GZIP_HEAD = 16 };

static void *take(void *stage, unsigned items, unsigned size)
{
	return coding_take(stage, (size_t)items * size);
}

static bool begin(struct coding_stage *stage, int window_bits)
{
	z_stream *z = coding_take(stage, sizeof(*z));
	if (!z)
		return false;
	*z = (z_stream){.zalloc = take, .zfree = coding_give, .opaque = stage};
	if (inflateInit2(z, window_bits) != Z_OK) {
		coding_give(stage, z);
		stage->refused = true;
		return false;
	}
	stage->state = z;
	return true;
}

static void release(struct coding_stage *stage)
{
	inflateEnd(stage->state);
	coding_give(stage, stage->state);
}

/* What comes in fits into 32 bits: pieces are small. */
static enum coding_result inflate_step(struct coding_stage *stage, struct coding_step *step)
{
	z_stream *z = stage->state;
	z->next_in = step->in;
	z->avail_in = (unsigned)step->in_len;
	z->next_out = step->out;
	z->avail_out = (unsigned)step->room;
	int result = inflate(z, Z_NO_FLUSH);
	step->in = z->next_in;
	step->in_len = z->avail_in;
	step->out = z->next_out;
	step->room = z->avail_out;
	if (result == Z_STREAM_END)
		return CODING_DONE;
	/* Z_BUF_ERROR: there was nothing to be done, which is no error here */
	return result == Z_OK || result == Z_BUF_ERROR ? CODING_MORE : CODING_MALFORMED;
}

static enum coding_result gzip_step(struct coding_stage *stage, struct coding_step *step)
{
	if (!stage->state && !begin(stage, WINDOW_BITS + WITH_GZIP_HEAD))
		return CODING_NO_MEMORY;
	return inflate_step(stage, step);
}

/* RFC 1950 section 2.2: the method is 8, and both bytes together are a multiple of 31. */
static bool has_zlib_head(const uint8_t first[2])
{
	return (first[0] & 0x0f) == 8 && (first[0] << 8 | first[1]) % 31 == 0;
}

static enum coding_result deflate_step(struct coding_stage *stage, struct coding_step *step)
{
	if (stage->state)
		return inflate_step(stage, step);
	if (!coding_see(stage, step, 2))
		return CODING_MORE;
	if (!begin(stage, has_zlib_head(stage->first) ? WINDOW_BITS : -WINDOW_BITS))
		return CODING_NO_MEMORY;
	struct coding_step head = {stage->first, 2, step->out, step->room};
	enum coding_result result = inflate_step(stage, &head);
	step->out = head.out;
	step->room = head.room;
	return result == CODING_MORE && step->in_len > 0 ? inflate_step(stage, step) : result;
}

const struct coding_ops coding_gzip = {.name = "gzip", .step = gzip_step, .release = release};
const struct coding_ops coding_deflate = {.name = "deflate", .step = deflate_step, .release = release};

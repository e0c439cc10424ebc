#ifndef SALLYPORT_HTTP_CODING_STAGE_H
#define SALLYPORT_HTTP_CODING_STAGE_H

#include "sallyport/coding.h"

/* One coding of a content, as coding.c sees it: behind this header stands one library each. */

enum { CODING_PIECE = 1 << 14 };

/* Bytes to decode and room for what they decode to; both move on as they are used. */
struct coding_step {
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t room;
};

struct coding_stage;

struct coding_ops {
	const char *name;
	/* MORE: all of the input was taken, or no room is left. DONE: the coded content ended. */
	enum coding_result (*step)(struct coding_stage *stage, struct coding_step *step);
	void (*release)(struct coding_stage *stage);
};

struct coding_stage {
	const struct coding_ops *ops;
	const struct coding_memory *memory;
	void *state;        /* the library's; NULL until the first step */
	size_t state_bytes;
	bool refused;       /* memory was, so whatever the library says now comes from that */
	bool ended;
	uint8_t first[4];   /* what was seen before it was clear what comes */
	uint8_t seen;
	uint8_t out[CODING_PIECE];
};

/* Memory for a library, within CODING_STATE_MAX: in the form that brotli and zstd ask for. */
void *coding_take(void *stage, size_t size);
void coding_give(void *stage, void *ptr);

/* Moves bytes into stage->first until it holds n. True: it does. */
bool coding_see(struct coding_stage *stage, struct coding_step *step, unsigned n);

extern const struct coding_ops coding_gzip, coding_deflate, coding_br, coding_zstd;

#endif

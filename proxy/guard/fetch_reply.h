#ifndef SALLYPORT_GUARD_FETCH_REPLY_H
#define SALLYPORT_GUARD_FETCH_REPLY_H

#include "sallyport/coding.h"
#include "sallyport/fetch.h"
#include "sallyport/http_chunk.h"
#include "sallyport/strbuf.h"

/* A response as it comes in: its head line by line, its content in pieces, still in its transfer
 * coding and content coding. Knows nothing of how it comes. */
struct fetch_reply {
	enum sample_outcome outcome; /* what is wrong; UNSET: nothing so far */
	char error[FETCH_ERROR_SIZE];
	bool has_head;               /* a final response's */
	struct strbuf raw;           /* the head, or as much as came */
	size_t interim_bytes;        /* of heads before it */
	struct http_head head;
	struct page_collect page;
	struct http_chunked chunked;
	bool chunks_done;
	struct coding_decoder *decoder;
	uint64_t max_bytes, coded_bytes;
	uint8_t *content;
	size_t len, room;
	uint64_t *used;              /* memory of all, which room counts into */
};

void fetch_reply_begin(struct fetch_reply *reply, uint64_t max_bytes, uint64_t *used);
/* A line with its end. False: outcome and error say what is wrong; nothing more is wanted. */
MUST_CHECK bool fetch_reply_line(struct fetch_reply *reply, struct span line);
MUST_CHECK bool fetch_reply_content(struct fetch_reply *reply, struct span bytes);
/* The transfer ended well, as far as its carrier can tell. */
MUST_CHECK bool fetch_reply_end(struct fetch_reply *reply);
void fetch_reply_release(struct fetch_reply *reply);

/* Sets what is wrong, if nothing was yet; returns false. */
bool fetch_reply_fail(struct fetch_reply *reply, enum sample_outcome outcome, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif

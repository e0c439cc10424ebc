#ifndef SALLYPORT_HTTP_CHUNK_H
#define SALLYPORT_HTTP_CHUNK_H

#include <stdint.h>
#include "sallyport/http_head.h"

/* Strict decoder of the chunked transfer coding (RFC 9112 section 7.1). Chunk
 * extensions are refused, trailer fields are checked and dropped, chunk sizes
 * have at most 15 hexadecimal digits, every line ends in CRLF. Zeroed is ready. */
struct http_chunked {
	uint64_t left; /* content bytes of the current chunk still to come; 0 outside of content */
	uint64_t size; /* of the chunk whose size line is being read */
	uint32_t trailer_bytes;
	uint8_t state;  /* enum http_chunked_state */
	uint8_t digits; /* of that size */
	uint8_t reason; /* why the coding is bad, once it is */
};

enum { HTTP_CHUNK_DIGITS_MAX = 15, HTTP_TRAILER_BYTES_MAX = 8192 };

/* Decodes in place: moves the content found in buf[0..*len) to the front and
 * sets *len to its length. *used: bytes of the coding consumed; on DONE, what
 * follows in buf from *used on (not moved) is the next message. MORE: all was
 * consumed, the end is not reached. BAD: *reason says why; the content before the
 * bad byte is in buf, and it stays BAD. DONE stays DONE: later calls use no byte.
 * Reasons are CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_END and TRAILER_INVALID (of an
 * origin, the caller says ORIGIN_CHUNK). Time is linear in *len however the
 * bytes are cut, and however small the chunks are. */
enum http_parse http_chunked_decode(struct http_chunked *chunked, char *buf, size_t *len,
				    size_t *used, enum reason *reason);

/* Content bytes that may be passed on unseen (by splice) before the next chunk line. */
static inline uint64_t http_chunked_run(const struct http_chunked *chunked)
{
	return chunked->left;
}
/* Says that `bytes` of them, at most http_chunked_run, were. */
static inline void http_chunked_skip(struct http_chunked *chunked, uint64_t bytes)
{
	chunked->left -= bytes;
}

/* "1f40\r\n" into out; returns its length. */
#define HTTP_CHUNK_HEAD_SIZE 20
size_t http_chunk_head(uint64_t size, char out[HTTP_CHUNK_HEAD_SIZE]);

#endif

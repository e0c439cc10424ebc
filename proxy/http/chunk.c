/* The chunked transfer coding (RFC 9112 section 7.1). Trusts no byte: what a
 * lenient reader would skip (extensions, padding, a lone LF) is refused, since
 * another reader may skip it differently. Trailer fields are checked as a head's
 * are and dropped; what they mean is not looked at.
 *
 *    digit                                  (size > 0)
 *    +---+        CR                LF         left bytes
 *    |   v                                    +----+
 *    SIZE ------------> SIZE_LF ----------> CONTENT |
 *     ^                    |                 |   ^--+
 *     |         LF         |             CR, once left is 0
 *     +--------------------|-- CONTENT_LF <--+
 *                          | LF (size is 0)
 *                          v   CR           LF
 *              +--> TRAILER_START --> END_LF --> DONE
 *           LF |           | tchar
 *              |           v
 *         TRAILER_LF    NAME <-+ tchar       any other byte, anywhere: BAD
 *              ^           | +-+
 *           CR |           | ":"
 *              +-- VALUE <-+
 */
#include "sallyport/http_chunk.h"
#include "http/chars.h"

enum http_chunked_state {
	CHUNKED_SIZE = 0, /* so that zeroed is ready */
	CHUNKED_SIZE_LF,
	CHUNKED_CONTENT,
	CHUNKED_CONTENT_LF,
	CHUNKED_TRAILER_START,
	CHUNKED_NAME,
	CHUNKED_VALUE,
	CHUNKED_TRAILER_LF,
	CHUNKED_END_LF,
	CHUNKED_DONE,
	CHUNKED_BAD,
};

_Static_assert(REASON_COUNT <= UINT8_MAX, "a reason fits into http_chunked.reason");

static void refuse(struct http_chunked *c, enum reason reason)
{
	c->state = CHUNKED_BAD;
	c->reason = (uint8_t)reason;
}

/* Goes on to `state` if the byte is the one that must stand here. */
static void expect(struct http_chunked *c, bool is_right, enum http_chunked_state state,
		   enum reason reason)
{
	if (is_right)
		c->state = (uint8_t)state;
	else
		refuse(c, reason);
}

static void size_byte(struct http_chunked *c, char byte)
{
	int digit = ascii_hex(byte);
	if (digit >= 0 && c->digits < HTTP_CHUNK_DIGITS_MAX) {
		c->size = c->size << 4 | (uint64_t)digit;
		c->digits++;
	} else if (digit >= 0 || c->digits == 0) {
		refuse(c, REASON_CHUNK_SIZE);
	} else if (byte == '\r') {
		c->state = CHUNKED_SIZE_LF;
	} else if (byte == ';') {
		refuse(c, REASON_CHUNK_EXTENSION);
	} else {
		refuse(c, byte == '\n' ? REASON_CHUNK_END : REASON_CHUNK_SIZE);
	}
}

static void size_end(struct http_chunked *c, char byte)
{
	expect(c, byte == '\n', c->size > 0 ? CHUNKED_CONTENT : CHUNKED_TRAILER_START,
	       REASON_CHUNK_END);
	if (c->state == CHUNKED_CONTENT)
		c->left = c->size;
	c->size = 0;
	c->digits = 0;
}

static void trailer_byte(struct http_chunked *c, char byte)
{
	bool is_tchar = http_is_class(byte, HTTP_CLASS_TOKEN);
	if (++c->trailer_bytes > HTTP_TRAILER_BYTES_MAX) {
		refuse(c, REASON_TRAILER_INVALID);
		return;
	}
	switch (c->state) {
	case CHUNKED_TRAILER_START:
		if (byte == '\r')
			c->state = CHUNKED_END_LF;
		else
			expect(c, is_tchar, CHUNKED_NAME, REASON_TRAILER_INVALID);
		break;
	case CHUNKED_NAME:
		if (!is_tchar)
			expect(c, byte == ':', CHUNKED_VALUE, REASON_TRAILER_INVALID);
		break;
	case CHUNKED_VALUE:
		if (byte == '\r')
			c->state = CHUNKED_TRAILER_LF;
		else if (http_value_end(&byte, 0, 1) == 0)
			refuse(c, REASON_TRAILER_INVALID);
		break;
	case CHUNKED_TRAILER_LF:
		expect(c, byte == '\n', CHUNKED_TRAILER_START, REASON_TRAILER_INVALID);
		break;
	default: /* CHUNKED_END_LF */
		expect(c, byte == '\n', CHUNKED_DONE, REASON_CHUNK_END);
		break;
	}
}

static void coding_byte(struct http_chunked *c, char byte)
{
	switch (c->state) {
	case CHUNKED_SIZE: size_byte(c, byte); break;
	case CHUNKED_SIZE_LF: size_end(c, byte); break;
	case CHUNKED_CONTENT: /* all of it was consumed before */
		expect(c, byte == '\r', CHUNKED_CONTENT_LF, REASON_CHUNK_END);
		break;
	case CHUNKED_CONTENT_LF: expect(c, byte == '\n', CHUNKED_SIZE, REASON_CHUNK_END); break;
	default: trailer_byte(c, byte); break;
	}
}

enum http_parse http_chunked_decode(struct http_chunked *chunked, char *buf, size_t *len,
				    size_t *used, enum reason *reason)
{
	size_t in = 0, out = 0, end = *len;
	while (in < end && chunked->state < CHUNKED_DONE) {
		if (chunked->left == 0) {
			coding_byte(chunked, buf[in]);
			in++;
			continue;
		}
		size_t run = chunked->left < end - in ? (size_t)chunked->left : end - in;
		if (out != in)
			memmove(buf + out, buf + in, run);
		in += run;
		out += run;
		chunked->left -= run;
	}
	*len = out;
	*used = in;
	if (chunked->state == CHUNKED_DONE)
		return HTTP_PARSE_DONE;
	if (chunked->state != CHUNKED_BAD)
		return HTTP_PARSE_MORE;
	*reason = (enum reason)chunked->reason;
	return HTTP_PARSE_BAD;
}

size_t http_chunk_head(uint64_t size, char out[HTTP_CHUNK_HEAD_SIZE])
{
	size_t digits = 1;
	while (digits < 16 && size >> (4 * digits) != 0)
		digits++;
	for (size_t i = 0; i < digits; i++)
		out[i] = "0123456789abcdef"[size >> (4 * (digits - 1 - i)) & 0xf];
	out[digits] = '\r';
	out[digits + 1] = '\n';
	return digits + 2;
}

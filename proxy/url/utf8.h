#ifndef SALLYPORT_URL_UTF8_H
#define SALLYPORT_URL_UTF8_H

#include <stdint.h>

/* UTF-8 (RFC 3629) checked byte by byte, and its disguises told from mere other
 * encodings. Zeroed is ready. */
struct utf8_check {
	uint8_t left;      /* continuation bytes still to come */
	uint8_t low, high; /* what the next of them may be; below low it is overlong */
};

/* Takes the next byte. URL_UTF8_* bits: what is wrong now, 0 for nothing. */
unsigned utf8_feed(struct utf8_check *check, unsigned byte);
/* Says that no byte from 0x80 on follows; readies the check for the next. */
unsigned utf8_end(struct utf8_check *check);

#endif

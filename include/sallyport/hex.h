#ifndef SALLYPORT_HEX_H
#define SALLYPORT_HEX_H

#include "sallyport/err.h"
#include "sallyport/span.h"

/* Bytes as hexadecimal digits. */

/* With its NUL. */
#define HEX_SIZE(bytes) (2 * (bytes) + 1)

/* Two lower-case digits for each byte and a NUL into out, of HEX_SIZE(len) bytes, which is returned. */
char *hex_write(const void *bytes, size_t len, char *out);
/* Exactly 2 * len digits of either case, and nothing else. False: out holds anything. */
MUST_CHECK bool hex_read(struct span digits, uint8_t *out, size_t len);

#endif

#ifndef SALLYPORT_URL_CLASS_H
#define SALLYPORT_URL_CLASS_H

#include <stdint.h>

/* What a byte may be in a request-target, by RFC 3986 sections 2.2, 2.3 and 3.3. */
enum url_class {
	URL_CLASS_UNRESERVED = 1 << 0, /* ALPHA DIGIT - . _ ~ */
	URL_CLASS_PATH = 1 << 1,       /* pchar and "/", raw */
	URL_CLASS_QUERY = 1 << 2,      /* pchar, "/" and "?", raw, but not "+" */
	URL_CLASS_UNSAFE = 1 << 3,     /* control, space, DEL: in no target */
	/* A path is clean where it has no ODD byte and no STEP after a STEP. */
	URL_CLASS_ODD = 1 << 4,   /* all but PATH */
	URL_CLASS_STEP = 1 << 5,  /* "/" and "." */
	URL_CLASS_MARK = 1 << 6,  /* : ; ~ mean something to some servers */
};

extern const uint8_t url_class[256];

static inline unsigned url_class_of(char c)
{
	return url_class[(unsigned char)c];
}

#endif

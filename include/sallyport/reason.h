#ifndef SALLYPORT_REASON_H
#define SALLYPORT_REASON_H

#include "sallyport/span.h"

enum reason {
	REASON_UNSET = 0,
#define REASON(id, name, status, text) REASON_##id,
#include "sallyport/reasons.def"
#undef REASON
	REASON_COUNT
};

/* "bare-lf"; "-" for REASON_UNSET. */
const char *reason_name(enum reason reason);
/* 400 to 599, or 0 where the connection closes without an answer. */
unsigned reason_status(enum reason reason);
const char *reason_text(enum reason reason);
/* REASON_UNSET where no reason has that name. */
enum reason reason_lookup(struct span name);

#endif

#ifndef PROC_PLAN_WRITE_H
#define PROC_PLAN_WRITE_H

#include "sallyport/settings.h"
#include "sallyport/strbuf.h"

/* How many sites have a guard that is not off. */
uint32_t plan_count_guarded(const struct settings *settings);
/* What the keeper has to know (guard_plan.h), appended to out. False: too much, or no memory. */
MUST_CHECK bool plan_write(const struct settings *settings, struct strbuf *out);

enum { PLAN_BYTES_MAX = 64 << 20 };

#endif

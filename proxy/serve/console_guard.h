#ifndef SERVE_CONSOLE_GUARD_H
#define SERVE_CONSOLE_GUARD_H

#include "sallyport/guard_status.h"
#include "sallyport/json.h"

/* The member "guard" of the status; nothing where no site is guarded. status may be NULL. */
void console_guard_status(const struct guard_status *status, struct json_writer *json);
/* The guard's part of /metrics. */
void console_guard_metrics(const struct guard_status *status, struct strbuf *out);

#endif

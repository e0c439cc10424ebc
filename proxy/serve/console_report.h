#ifndef SERVE_CONSOLE_REPORT_H
#define SERVE_CONSOLE_REPORT_H

#include "sallyport/console.h"
#include "sallyport/json.h"

/* /api/status: what the master says (a JSON object) with the counters beside it. False: the
 * master's text is no JSON object, or memory is exhausted. */
MUST_CHECK bool console_report_status(const struct console_setup *setup, struct span master, struct strbuf *out,
				      struct err *err);
/* /metrics: Prometheus text format 0.0.4. */
void console_report_metrics(const struct console_setup *setup, struct strbuf *out);
/* The master's "ready". */
bool console_report_is_ready(struct span master);

#endif

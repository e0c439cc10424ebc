#ifndef SERVE_CONSOLE_REPORT_H
#define SERVE_CONSOLE_REPORT_H

#include "sallyport/guard_status.h"
#include "sallyport/json.h"
#include "sallyport/stats.h"

/* /api/status: what the master says (a JSON object) with the counters beside it. False: the
 * master's text is no JSON object, or memory is exhausted. */
MUST_CHECK bool console_report_status(const struct stats *stats, const struct guard_status *guard,
				      struct span master, struct strbuf *out, struct err *err);
/* /metrics: Prometheus text format 0.0.4. */
void console_report_metrics(const struct stats *stats, const struct guard_status *guard,
			    struct strbuf *out);
/* The master's "ready". */
bool console_report_is_ready(struct span master);

#endif

#ifndef PROC_SCOUT_LINKS_H
#define PROC_SCOUT_LINKS_H

#include "proc/scout_orders.h"
#include "sallyport/fetch.h"

/* What a fetched page leads to, as messages for the keeper. */

/* One REPORT_LINKS after the other. */
typedef void scout_send_links(void *context, const struct scout_links *links);

/* Finds what the job wants in what was fetched, each link once and links_max at most, and hands it on
 * in messages. Returns how many links that were. */
uint32_t scout_links_find(const struct scout_job *job, const struct fetch_result *result,
			  scout_send_links *send, void *context);

#endif

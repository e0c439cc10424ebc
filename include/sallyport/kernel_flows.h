#ifndef SALLYPORT_KERNEL_FLOWS_H
#define SALLYPORT_KERNEL_FLOWS_H

#include "sallyport/addr.h"
#include "sallyport/err.h"

/* Whether somebody answers: looked up in the kernel's table of connections, for slow scans. Only flows to new
 * destinations are asked about, of which the rules let few pass; so no event of the table has to be heard. */

enum flow_answer { FLOW_UNKNOWN = 0, FLOW_ANSWERED, FLOW_SILENT };

struct flow {
	struct addr from, to; /* as kernel_events.h has them */
	uint8_t protocol;
};

struct kernel_flows;
struct kernel_flows *kernel_flows_new(struct err *err);
void kernel_flows_free(struct kernel_flows *flows);
/* UNKNOWN: the table does not have it, or is not to be had. A refusal (RST, ICMP unreachable) is no answer. */
enum flow_answer kernel_flows_look(struct kernel_flows *flows, const struct flow *flow);

#endif

#ifndef SALLYPORT_KERNEL_EVENTS_H
#define SALLYPORT_KERNEL_EVENTS_H

#include <stddef.h>
#include "sallyport/addr.h"
#include "sallyport/egress_state.h"
#include "sallyport/err.h"

/* What the warden's rules log (NFLOG): the first packets of whatever they refuse, each conviction, each
 * new destination. The kernel itself limits how many there are. */

enum kernel_event_kind {
	KERNEL_EVENT_UNSET = 0,
	KERNEL_EVENT_STRIKE,   /* an offence */
	KERNEL_EVENT_STAGE1,   /* by which its origin came into stage 1 */
	KERNEL_EVENT_STAGE2,   /* … into stage 2 */
	KERNEL_EVENT_NEW,      /* a new destination, which passed */
	KERNEL_EVENT_STRANGER, /* a forged source from nobody knows whom */
};

struct kernel_event {
	enum kernel_event_kind kind;
	enum egress_offence offence;
	uint64_t id;        /* of the origin; 0: none */
	uint8_t protocol;   /* of IP; 0: not known */
	bool has_addresses;
	struct addr from, to; /* with ports, where there are any; of ICMP, its identifier in both */
};

/* prefix: what the rule says; packet: from the network header on, as much of it as there is. Pure. False:
 * nothing of ours. */
MUST_CHECK bool kernel_event_parse(struct span prefix, struct span packet, struct kernel_event *out);

struct kernel_events;
/* Binds the group. each is called by kernel_events_take. */
struct kernel_events *kernel_events_new(uint16_t group, void (*each)(void *context, const struct kernel_event *event),
					void *context, struct err *err);
void kernel_events_free(struct kernel_events *events);
int kernel_events_fd(const struct kernel_events *events);
/* Takes what is there, without waiting. */
void kernel_events_take(struct kernel_events *events);

#endif

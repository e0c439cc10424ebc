#ifndef CLI_EGRESS_PLAN_H
#define CLI_EGRESS_PLAN_H

#include "cli/egress_try.h"

/* Which tries `sallyport egress check` makes. */

enum { EGRESS_TRIES_MAX = 1024, EGRESS_BURST_MAX = 256, EGRESS_OPERANDS_MAX = 32 };

struct egress_plan {
	/* what is asked for */
	bool has_gate;
	struct addr gate;
	const char *targets[EGRESS_OPERANDS_MAX]; /* target_count of them, as given */
	size_t target_count;
	const char *allowed[EGRESS_OPERANDS_MAX];
	size_t allowed_count;
	uint64_t burst;
	struct cidr burst_network; /* whose first addresses they are */
	bool is_isolated; /* this network has no exit but the gate: nothing may get through beside it */
	/* what comes of it */
	struct egress_try tries[EGRESS_TRIES_MAX];
	size_t n;
};

/* Looks through what is asked for: a network among the targets is that of the burst. */
void egress_plan_init(struct egress_plan *plan);
/* "http://HOST:PORT/", "HOST:PORT". Resolves. */
MUST_CHECK bool egress_plan_gate(struct egress_plan *plan, const char *url, struct err *err);

/* Each replaces the tries of the one before. The first: whether the gate can be spoken with at all. */
void egress_plan_reach(struct egress_plan *plan);
MUST_CHECK bool egress_plan_allowed(struct egress_plan *plan, struct err *err);
/* What the operator names. */
MUST_CHECK bool egress_plan_targets(struct egress_plan *plan, struct err *err);
/* What is tried of anybody. An origin pays with strikes for that, so it comes last. */
void egress_plan_tries(struct egress_plan *plan);
/* Of as many new destinations as were asked for, at one moment. */
void egress_plan_burst(struct egress_plan *plan);

#endif

#ifndef PROC_WARDEN_H
#define PROC_WARDEN_H

#include "proc/helper_role.h"
#include "sallyport/egress_state.h"
#include "sallyport/egress_tell.h"
#include "sallyport/kernel_events.h"
#include "sallyport/kernel_flows.h"
#include "sallyport/kernel_nft.h"
#include "sallyport/ruleset.h"
#include "sallyport/trw.h"
#include "sallyport/warden_plan.h"

/* The kernel leg's process, in parts: warden_role.c (life, messages, sandbox), warden_rules.c (the table),
 * warden_places.c (where origins are), warden_stages.c (who is in quarantine, here and there),
 * warden_names.c (addresses of listed names), warden_watch.c (what the kernel tells). */

enum { FLOWS_MAX = 1024 };

/* What is known of one origin of the plan in force. */
struct warden_known {
	struct egress_state *state; /* NULL: it has no slot */
	enum egress_stage stage;    /* as the kernel has it */
	uint64_t until_ms;
	uint64_t dropped;           /* as last counted */
	bool is_unheard;            /* the kernel has it in quarantine, and has not said so yet */
	struct trw walk;
};

/* A flow to a new destination, to be looked at when its time has come. */
struct warden_flow {
	struct flow flow;
	uint64_t due_ms;
	unsigned origin;
};

struct warden {
	struct helper_life life;
	struct egress_states *states;
	struct egress_teller teller;
	struct kernel_nft *nft;
	struct kernel_events *events; /* NULL: there is no NFLOG */
	struct kernel_flows *flows;   /* NULL: nobody can say whether somebody answers */
	int counters_fd, routes_fd, changes_fd;
	bool has_table;
	bool reports_only;            /* how the table stands */

	const struct warden_plan *plan;   /* in force; NULL: none yet */
	size_t plan_bytes;
	const struct warden_plan *coming; /* checked, to be put into force */
	size_t coming_bytes;
	struct ruleset_facts facts;
	struct warden_known known[EGRESS_ORIGINS_MAX];

	struct warden_flow pending[FLOWS_MAX]; /* in the order of their time */
	unsigned first_flow, flow_count;
	uint64_t strangers;
};

extern struct warden warden;

/* warden_rules.c */
/* What this kernel has; says once what is left open without the rest. */
void rules_probe(void);
/* False: the kernel's words; nothing has changed. */
MUST_CHECK bool rules_check(const struct warden_plan *plan, struct err *err);
MUST_CHECK bool rules_load(struct err *err);
/* Takes the table away. */
void rules_remove(void);
/* Does this plan, now, only report? */
bool rules_only_report(const struct warden_plan *plan);
/* Interfaces and routes have changed: loads again where that matters. False: the kernel has not taken the rules. */
MUST_CHECK bool rules_follow_network(struct err *err);
/* Budgets that count by the hour begin anew; NULL: of all. */
void rules_reset_quota(const struct warden_origin *origin);

/* warden_places.c */
/* Where the plan's origins are, now. */
void places_find(const struct warden_plan *plan, struct ruleset_facts *facts);

/* warden_stages.c */
/* A plan has come into force: what the kernel has by then, and what memory has, become one. */
void stages_begin(void);
/* The kernel has put it there by itself. */
void stages_convict(unsigned origin, enum egress_stage stage, enum egress_offence offence, const struct kernel_event *event);
/* One offence, counted in memory shared with the gate. */
void stages_strike(unsigned origin, enum egress_offence offence, const struct kernel_event *event);
/* What gate, master or time have changed is put into the kernel. */
void stages_apply(void);
/* What the kernel decided, and did not say by the second call. */
void stages_reconcile(void);

/* warden_names.c */
/* A plan has come into force. */
void names_begin(void);
/* What the gate has found since the last call. */
void names_apply(void);

/* warden_watch.c */
MUST_CHECK bool watch_begin(struct err *err);
void watch_end(void);

#endif

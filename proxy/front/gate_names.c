/* Names that the policy lists, for the kernel leg: the gate looks them up again and again, and enters what they
 * lead to in memory shared with the warden. An address stays there for ten minutes after it was seen last, so
 * that neither a name server's trouble nor its habit to answer with some of many addresses stops anybody. */
#include <stddef.h>
#include <stdlib.h>

#include "front/gate.h"
#include "sallyport/egress_found.h"
#include "sallyport/log.h"
#include "sallyport/warden_plan.h"

enum {
	NAMES_MAX = 256,
	ROUND_MS = 1000,
	AT_ONCE = 8,          /* names that are looked up in one round */
	AGAIN_MS = 20 * 1000, /* a name that was looked up is not, before then; it costs nothing before its TTL is over */
	KEPT_MS = 10 * 60 * 1000,
};

struct gate_name {
	struct lookup lookup;
	struct gate_names *names;
	struct span host;
	uint16_t port_min, port_max;
	uint8_t list;
	uint64_t due_ms;
};

struct gate_names {
	struct gate *gate;
	struct lookup_asker asker;
	struct timer round;
	unsigned n, next, left_out;
	uint8_t list; /* that is being collected */
	struct gate_name of[NAMES_MAX];
};

static void collect(void *context, const struct egress_listed *listed)
{
	struct gate_names *names = context;
	if (listed->network)
		return;
	if (names->n == NAMES_MAX) {
		names->left_out++;
		return;
	}
	names->of[names->n++] = (struct gate_name){
	    .names = names,
	    .host = span_from_str(listed->name),
	    .port_min = listed->port_min,
	    .port_max = listed->port_max,
	    .list = names->list,
	};
}

static void enter(const struct gate_name *name, const struct addr *addrs, unsigned count)
{
	const struct gate *gate = name->names->gate;
	uint64_t now_ms = gate_now_ms(gate);
	for (unsigned i = 0; i < count; i++) {
		struct egress_found_address address = {.list = name->list,
						       .port_min = name->port_min,
						       .port_max = name->port_max,
						       .until_ms = now_ms + KEPT_MS};
		/* where there is no room, or another gate writes, the next round tries again */
		if (addr_mapped_bytes(&addrs[i], address.bytes) && !egress_special_purpose(&addrs[i]))
			(void)egress_found_add(&gate->states->found, &address, now_ms);
	}
}

static void look_up(struct gate_name *name)
{
	struct addr addrs[RESOLVE_MAX_ADDRS];
	unsigned count = 0;
	const char *problem;
	struct gate_names *names = name->names;
	if (lookup_name(names->gate->lookups, &name->lookup, &names->asker, name->host, addrs, &count, &problem) ==
	    LOOKUP_FOUND)
		enter(name, addrs, count);
}

static void looked_up(struct lookup *lookup)
{
	look_up((struct gate_name *)(void *)((char *)lookup - offsetof(struct gate_name, lookup)));
}

static void on_round(struct timer *timer)
{
	struct gate_names *names = (struct gate_names *)(void *)((char *)timer - offsetof(struct gate_names, round));
	struct gate *gate = names->gate;
	uint64_t now_ms = gate_now_ms(gate);
	if (gate->front->draining)
		return;
	for (unsigned i = 0, asked = 0; i < names->n && asked < AT_ONCE; i++) {
		struct gate_name *name = &names->of[names->next++ % names->n];
		if (name->lookup.waits_for || name->due_ms > now_ms)
			continue;
		name->due_ms = now_ms + AGAIN_MS;
		name->lookup.on_done = looked_up;
		look_up(name);
		asked++;
	}
	loop_arm(gate->front->loop, timer, now_ms + ROUND_MS);
}

void gate_found_name(struct gate_names *names, struct span host, const struct addr *addrs, unsigned count)
{
	for (unsigned i = 0; names && i < names->n; i++)
		if (span_eq(names->of[i].host, host))
			enter(&names->of[i], addrs, count);
}

bool gate_open_names(struct gate *gate, struct err *err)
{
	const struct egress_policy *policy = gate->policy;
	struct gate_names *names;
	if (!gate->states || policy->kernel == EGRESS_KERNEL_OFF)
		return true;
	names = gate->names = calloc(1, sizeof(*names));
	if (!names)
		return err_set(err, "out of memory");
	names->gate = gate;
	names->round.on_expiry = on_round;
	names->list = WARDEN_LISTED_NAME;
	egress_each_listed(policy->allow, collect, names);
	names->list = WARDEN_RELAY_NAME;
	egress_each_listed(policy->relays, collect, names);
	if (names->left_out > 0)
		log_warn("egress: the kernel leg gets the addresses of %d names at most: %u more of allow and relays count only for "
			 "the gate and the DNS listener",
			 NAMES_MAX, names->left_out);
	if (names->n > 0)
		loop_arm(gate->front->loop, &names->round, gate_now_ms(gate));
	return true;
}

void gate_close_names(struct gate *gate)
{
	struct gate_names *names = gate->names;
	if (!names)
		return;
	loop_disarm(gate->front->loop, &names->round);
	for (unsigned i = 0; i < names->n; i++)
		lookup_cancel(&names->of[i].lookup);
	free(names);
	gate->names = NULL;
}

/* The gate's own state in a front: who its clients are, how they stand, and what they have used. Judges
 * nothing by itself. */
#include "front/gate.h"

#include <stdlib.h>
#include <unistd.h>

#include "sallyport/egress_token.h"

enum { HOST_BUCKETS = 256 };

uint64_t gate_now_ms(const struct gate *gate)
{
	return loop_now_ms(gate->front->loop);
}

enum egress_stage gate_stage(const struct gate_origin *origin)
{
	return egress_stage_now(origin->state, gate_now_ms(origin->gate));
}

struct gate_origin *gate_origin_of(struct gate *gate, const struct addr *peer)
{
	const struct egress_origin *policy = egress_origin_of(gate->policy, peer);
	return policy ? &gate->origins[policy->index] : NULL;
}

uint32_t gate_connections(const struct front *f, const struct addr *peer)
{
	uint64_t each = f->settings->quotas.per_client, visits = f->gate->policy->origin_connections;
	uint64_t limit = visits > each && egress_origin_of(f->gate->policy, peer) ? visits : each;
	return limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX;
}

static bool open_origin(struct gate *gate, struct gate_origin *origin, const struct egress_origin *policy,
			struct err *err)
{
	struct egress_states *states = gate->states;
	origin->gate = gate;
	origin->policy = policy;
	origin->turn.on_expiry = gate_turn;
	origin->judge_again.run = gate_judge_again;
	origin->state = egress_states_find(states, policy->name);
	origin->slot = origin->state ? (int)(origin->state - states->of) : -1;
	if (origin->state) {
		origin->known = &states->known[origin->slot];
		origin->learned_seed = egress_learned_seed(states, origin->state);
		origin->learned = gate->policy->learning == EGRESS_LEARNING_ON ? &states->learned[origin->slot] : NULL;
	} else {
		origin->state = &origin->own_state;
	}
	origin->sentence = atomic_load_explicit(&origin->state->sentence, memory_order_relaxed);
	return lru_init(&origin->hosts, HOST_BUCKETS, err);
}

static bool open_origins(struct gate *gate, struct err *err)
{
	const struct egress_policy *policy = gate->policy;
	gate->origins = calloc(policy->origin_count + 1, sizeof(*gate->origins));
	if (!gate->origins)
		return err_set(err, "out of memory");
	for (size_t i = 0; i < policy->origin_count; i++)
		if (!open_origin(gate, &gate->origins[policy->origins[i].index], &policy->origins[i], err))
			return false;
	return true;
}

bool gate_open(struct front *f, struct err *err)
{
	const struct egress_policy *policy = &f->settings->egress;
	struct gate *gate = calloc(1, sizeof(*gate));
	if (!gate)
		return err_set(err, "out of memory");
	f->gate = gate;
	gate->front = f;
	gate->policy = policy;
	gate->states = f->setup.memory.egress;
	gate->law = egress_law_of(policy);
	gate->tell.on_expiry = gate_flush;
	gate->look.on_expiry = gate_look;
	gate->token_fd = egress_token_socket();
	gate->lookups = lookups_new(f->loop, f->resolver, &f->memory, err);
	return gate->lookups &&
	       egress_teller_init(&gate->teller, f->setup.memory.ring, f->setup.log_event_fd, f->setup.slot, err) &&
	       open_origins(gate, err) && gate_open_names(gate, err);
}

void gate_close(struct gate *gate)
{
	if (!gate)
		return;
	loop_disarm(gate->front->loop, &gate->tell);
	loop_disarm(gate->front->loop, &gate->look);
	for (size_t i = 0; gate->origins && i < gate->policy->origin_count; i++) {
		loop_disarm(gate->front->loop, &gate->origins[i].turn);
		loop_cancel(&gate->origins[i].judge_again);
		gate_forget_hosts(&gate->origins[i]);
	}
	gate_close_names(gate);
	egress_teller_release(&gate->teller);
	lookups_free(gate->lookups);
	if (gate->token_fd >= 0)
		close(gate->token_fd);
	free(gate->origins);
	free(gate);
}

/* What an origin teaches the gate (egress.learning). Here is who may teach: an origin that is free and has no strikes,
 * while refusals are refusals, not reports, since nothing would be convicted then. */
#include "front/gate.h"

#define LOAD(member) atomic_load_explicit(&(member), memory_order_relaxed)

struct egress_verdict gate_judge_name(const struct visit *visit)
{
	const struct gate_origin *origin = visit->origin;
	const struct egress_policy *policy = origin->gate->policy;
	const enum egress_stage stage = gate_stage(origin);
	const struct egress_verdict named = egress_judge(policy, &visit->destination, stage);
	char target[GATE_TARGET_SIZE];
	if (!origin->learned || named.kind == EGRESS_VERDICT_LISTED)
		return named;
	gate_target(visit, target);
	const enum egress_standing standing =
	    egress_learned_standing(origin->learned, origin->learned_seed, span_from_str(target),
				    LOAD(origin->state->epoch), gate_now_ms(origin->gate));
	return egress_judge_learned(policy, &named, visit->destination.port, standing, stage);
}

static void learn(const struct visit *visit, bool was_used)
{
	const struct gate_origin *origin = visit->origin;
	const uint64_t now_ms = gate_now_ms(origin->gate);
	char target[GATE_TARGET_SIZE];
	if (!origin->learned)
		return;
	gate_target(visit, target);
	const bool is_good = gate_stage(origin) == EGRESS_FREE && LOAD(origin->state->strikes_until_ms) <= now_ms;
	const struct egress_lesson_use use = {
	    .epoch = LOAD(origin->state->epoch),
	    .now_ms = now_ms,
	    .may_enter = is_good,
	    .may_count = is_good && was_used && visit->is_enforced,
	};
	egress_learned_use(origin->learned, origin->learned_seed, span_from_str(target), &use);
}

/* What is listed, or was let through although it is denied, teaches nothing. */
void gate_learn_use(const struct visit *visit)
{
	if (visit->reached == EGRESS_VERDICT_UNLISTED || egress_was_learned(&visit->named))
		learn(visit, true);
}

void gate_learn_asked(const struct visit *visit)
{
	learn(visit, false);
}

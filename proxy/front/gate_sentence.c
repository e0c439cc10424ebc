/* Sentences that come while visits are under way: from this gate, the one before it, the warden or an operator. Who
 * waits or passes bytes is judged again at once where this gate found it, else within a look of a second; and
 * by whatever moves in between, before it does: nothing is dialled, and no byte passes, on an old sentence. */
#include "front/gate.h"

enum { LOOK_MS = 1000 };

/* Against what was known of it, which follows. */
static bool is_news(const struct gate_origin *origin, uint64_t *known)
{
	uint64_t sentence = atomic_load_explicit(&origin->state->sentence, memory_order_relaxed);
	bool is_new = sentence != *known;
	*known = sentence;
	return is_new;
}

bool gate_is_still_good(struct visit *visit, enum reason *reason)
{
	return !is_news(visit->origin, &visit->sentence) || gate_name_is_good(visit, reason);
}

bool gate_is_cut(struct exchange *x)
{
	struct visit *visit = x->visit;
	enum reason reason;
	return is_news(visit->origin, &visit->sentence) &&
	       (!gate_name_is_good(visit, &reason) || !gate_address_is_good(visit, &visit->place.addr, &reason));
}

/* ---- all of an origin ---- */

static void join(struct visit *visit)
{
	struct gate_origin *origin = visit->origin;
	visit->before = origin->visits_last;
	visit->after = NULL;
	*(visit->before ? &visit->before->after : &origin->visits) = visit;
	origin->visits_last = visit;
}

static void leave(struct visit *visit)
{
	struct gate_origin *origin = visit->origin;
	*(visit->before ? &visit->before->after : &origin->visits) = visit->after;
	*(visit->after ? &visit->after->before : &origin->visits_last) = visit->before;
}

void gate_join(struct visit *visit)
{
	struct gate *gate = visit->origin->gate;
	join(visit);
	visit->origin->visit_count++;
	if (gate->visit_count++ == 0)
		loop_arm(gate->front->loop, &gate->look, gate_now_ms(gate) + LOOK_MS);
}

void gate_leave(struct visit *visit)
{
	leave(visit);
	visit->origin->visit_count--;
	visit->origin->gate->visit_count--;
}

/* Each once; any of them may end by it. */
void gate_judge_again(struct task *task)
{
	struct gate_origin *origin =
	    (struct gate_origin *)(void *)((char *)task - offsetof(struct gate_origin, judge_again));
	(void)is_news(origin, &origin->sentence);
	gate_try_waiting(origin);
	for (uint32_t tries = origin->visit_count; tries > 0 && origin->visits; tries--) {
		struct visit *visit = origin->visits;
		leave(visit);
		join(visit);
		exchange_run(visit->x);
	}
}

void gate_look(struct timer *timer)
{
	struct gate *gate = (struct gate *)(void *)((char *)timer - offsetof(struct gate, look));
	for (size_t i = 0; i < gate->policy->origin_count; i++) {
		struct gate_origin *origin = &gate->origins[i];
		if (is_news(origin, &origin->sentence))
			loop_defer(gate->front->loop, &origin->judge_again);
	}
	if (gate->visit_count > 0)
		loop_arm(gate->front->loop, timer, gate_now_ms(gate) + LOOK_MS);
}

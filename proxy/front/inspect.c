/* Content looked into on its way: a body (shield/body.c) is fed each piece as it is read, in the
 * worker's memory. Where the site enforces, the origin gets nothing before the last piece was
 * found good, but for uploads that stream: those are cut short before their end. Where the site only
 * watches, what is found is noted once, and nobody looks further. */
#include <assert.h>

#include "front/front.h"

static void *take_memory(void *memory, size_t size)
{
	return memory_take(memory, size);
}

static void give_memory(void *memory, void *ptr, size_t size)
{
	memory_give(memory, ptr, size);
}

struct coding_memory front_memory(struct front *f)
{
	return (struct coding_memory){take_memory, give_memory, &f->memory};
}

/* Two that would have refused: the log has the first. */
static void note(struct exchange *x, const struct verdict *verdict)
{
	if (x->verdict.reason != REASON_UNSET)
		return;
	x->verdict = *verdict;
	stat_add(&x->front->stats->reasons[verdict->reason], 1);
}

static bool heed(struct exchange *x, const struct verdict *verdict)
{
	if (!verdict->enforced) {
		note(x, verdict);
		return true;
	}
	x->verdict = *verdict;
	return false;
}

static bool open_body(struct exchange *x, const struct body_plan *plan)
{
	struct front *f = x->front;
	struct body_setup setup = shield_body_setup(x->subject.site->shield, plan);
	setup.memory = front_memory(f);
	setup.seed = f->inspect_seed;
	x->inspection = body_new(&setup);
	x->inspect_hold = (uint32_t)plan->hold;
	x->inspect_streams = plan->streams;
	if (x->inspection)
		return true;
	x->verdict = (struct verdict){.reason = REASON_OVERLOAD};
	return false;
}

bool inspect_begin(struct exchange *x)
{
	const struct shield_request request = {
	    .head = &x->request, .canon = &x->subject.canon, .mode = x->subject.mode};
	struct verdict verdict = {.score = x->verdict.score};
	struct body_plan plan;
	if (!shield_plan_body(x->subject.site->shield, &request, &plan, &verdict))
		return heed(x, &verdict);
	return !plan.inspect || open_body(x, &plan);
}

void inspect_release(struct exchange *x)
{
	body_free(x->inspection);
	x->inspection = NULL;
}

/* False: refused. */
static bool heed_fault(struct exchange *x, enum reason *reason)
{
	struct verdict verdict = {.score = x->verdict.score};
	const struct body_fault *fault = body_fault(x->inspection);
	if (fault->reason == REASON_OVERLOAD) {
		*reason = REASON_OVERLOAD;
		return false;
	}
	shield_refuse_body(x->subject.site->shield, x->subject.mode, fault, &verdict);
	*reason = verdict.reason;
	return heed(x, &verdict);
}

bool inspect_piece(struct exchange *x, const char *bytes, size_t len, enum reason *reason)
{
	if (!x->inspection)
		return true;
	enum body_result result = body_feed(x->inspection, bytes, len);
	if (result == BODY_MORE && x->up_read)
		result = body_end(x->inspection);
	if (result == BODY_BAD && !heed_fault(x, reason))
		return false;
	if (result == BODY_MORE)
		return true;
	assert(result != BODY_STOPPED); /* only a sink stops it, and there is none here */
	/* What was noted points into it. */
	if (result == BODY_DONE)
		inspect_release(x);
	x->inspect_hold = 0;
	return true;
}

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
	const struct verdict first = x->verdict;
	if (first.reason != REASON_UNSET)
		return;
	x->verdict = *verdict;
	if (!verdict->excepted)
		note_excepted(x, &first);
	stat_add(&x->front->stats->reasons[verdict->reason], 1);
	evidence_keep(x);
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

/* The values of a piece are gathered, and looked at together behind it. */
static bool take_value(void *context, const struct body_value *value)
{
	struct exchange *x = context;
	if (x->login.rule)
		login_read_value(x, value);
	return !x->content_rules->asks || shield_content_add(x->content_rules, x->content_scan, value);
}

/* False: no memory. */
static bool open_rules(struct exchange *x, enum body_kind kind)
{
	struct front *f = x->front;
	struct shield_content *content = memory_take(&f->memory, sizeof(*content));
	if (!content)
		return false;
	x->content_rules = content;
	shield_content_begin(content, x->subject.site->shield, f->scratch, x->subject.mode, x->verdict.score);
	if (shield_content_needs_window(content, kind))
		content->window = memory_take(&f->memory, SHIELD_WINDOW);
	return content->window || !shield_content_needs_window(content, kind);
}

static bool open_body(struct exchange *x, const struct body_plan *plan)
{
	struct front *f = x->front;
	struct body_setup setup = shield_body_setup(x->subject.site->shield, plan);
	setup.memory = front_memory(f);
	setup.seed = f->inspect_seed;
	setup.sink = (struct body_sink){x->content_rules->asks || x->login.rule ? take_value : NULL, x};
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
	if (!plan.inspect)
		return true;
	if (open_rules(x, plan.type.kind))
		return open_body(x, &plan);
	x->verdict = (struct verdict){.reason = REASON_OVERLOAD};
	return false;
}

/* The rules' matches stay as long as the exchange: its record shows them. */
static void close_body(struct exchange *x)
{
	struct shield_content *content = x->content_rules;
	body_free(x->inspection);
	x->inspection = NULL;
	if (content && content->window)
		memory_give(&x->front->memory, content->window, SHIELD_WINDOW);
	if (content)
		content->window = NULL;
}

void inspect_release(struct exchange *x)
{
	close_body(x);
	if (x->content_rules)
		memory_give(&x->front->memory, x->content_rules, sizeof(*x->content_rules));
	x->content_rules = NULL;
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

static enum body_result feed(struct exchange *x, const char *bytes, size_t len)
{
	struct rule_scan scan;
	if (x->content_rules->asks)
		shield_content_scan(x->content_rules, x->front->scratch, &scan);
	x->content_scan = &scan;
	enum body_result result = body_feed(x->inspection, bytes, len);
	if (result == BODY_MORE && x->up_read)
		result = body_end(x->inspection);
	x->content_scan = NULL;
	if (x->content_rules->asks)
		rule_scan_run(&scan);
	x->content_rules->findings = body_scored(x->inspection);
	return result;
}

/* Rules, and what findings weigh together. False: refused. */
static bool heed_rules(struct exchange *x, enum reason *reason)
{
	struct verdict verdict;
	if (!shield_content_judge(x->content_rules, &verdict)) {
		x->verdict.score = verdict.score;
		note_excepted(x, &verdict);
		return true;
	}
	*reason = verdict.reason;
	return heed(x, &verdict);
}

/* False: refused. */
static bool heed_login(struct exchange *x, enum reason *reason)
{
	struct verdict verdict;
	if (!login_is_refused(x, &verdict))
		return true;
	*reason = verdict.reason;
	return heed(x, &verdict);
}

bool inspect_piece(struct exchange *x, const char *bytes, size_t len, enum reason *reason)
{
	if (!x->inspection)
		return true;
	enum body_result result = feed(x, bytes, len);
	if (x->login.rule && !heed_login(x, reason))
		return false;
	if (!heed_rules(x, reason))
		return false;
	if (result == BODY_BAD && !heed_fault(x, reason))
		return false;
	if (result == BODY_MORE)
		return true;
	assert(result != BODY_STOPPED); /* our sink stops it where the rules refuse */
	/* What was noted points into it. */
	if (result == BODY_DONE)
		close_body(x);
	x->inspect_hold = 0;
	return true;
}

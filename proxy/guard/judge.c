/* The verdict on a page. It knows no socket and no clock: whoever calls it holds the bytes, and
 * does what it says. An exact page has no tolerance: one byte is as different as all of them. */
#include "sallyport/guard.h"

#include "sallyport/learn.h"
#include "sallyport/url.h"

bool guard_is_excluded(const struct guard_policy *policy, struct span path)
{
	for (size_t i = 0; i < policy->exclude.n; i++)
		if (url_is_under(path, span_from_str(policy->exclude.items[i]), policy->reading))
			return true;
	return false;
}

static void find_page(const struct guard_case *c, struct guard_plan *plan)
{
	bool found = c->is_page && c->baseline && c->key.len <= PAGE_KEY_MAX &&
		     baseline_find(c->baseline, c->site, c->key, &plan->page);
	if (!found || plan->page.policy != BASELINE_EXACT || plan->page.versions == 0)
		plan->page = (struct baseline_page){0};
}

static bool is_known(const struct guard_plan *plan)
{
	return plan->page.policy == BASELINE_EXACT;
}

/* A password must not reach a server that somebody else has; so nothing does. */
static void plan_sealed(struct guard_plan *plan)
{
	plan->reason = REASON_GUARD_SEALED;
	plan->action = plan->has_copy ? GUARD_COPY : GUARD_REFUSE;
}

/* What an application makes for each visitor anew: it can be as good as the page that is known, and differ. */
static bool is_personal(const struct guard_case *c, const struct baseline_version *version)
{
	return !c->anonymous && c->policy->sessions == GUARD_SESSIONS_PASS &&
	       look_is_text(version->head.status, version->head.fields[PAGE_FIELD_CONTENT_TYPE]);
}

static void plan_known(const struct guard_case *c, struct guard_plan *plan)
{
	struct baseline_version version;
	baseline_version_of(c->baseline, &plan->page, 0, &version);
	if (is_personal(c, &version)) {
		*plan = (struct guard_plan){.action = GUARD_PASS};
		return;
	}
	plan->action = GUARD_HOLD;
	if (version.content_bytes > c->policy->max_page)
		plan->action = plan->has_copy ? GUARD_COPY : GUARD_WATCH;
}

/* No page of the site is known, or not this one. */
static void plan_unknown(const struct guard_case *c, struct guard_plan *plan)
{
	bool is_held = c->baseline ? c->policy->unknown == GUARD_UNKNOWN_HOLD
				   : c->policy->fail == GUARD_FAIL_CLOSED;
	plan->action = GUARD_PASS;
	plan->nominate = c->baseline && c->anonymous;
	if (!is_held)
		return;
	plan->action = GUARD_REFUSE;
	plan->reason = c->baseline ? REASON_GUARD_UNKNOWN : REASON_GUARD_NO_BASELINE;
}

/* Where nothing is enforced, nothing is kept waiting either. */
static void only_watch(struct guard_plan *plan)
{
	plan->action = is_known(plan) ? GUARD_WATCH : GUARD_PASS;
	plan->has_copy = false;
	plan->reason = REASON_UNSET;
}

void guard_plan(const struct guard_case *c, struct guard_plan *plan)
{
	bool enforced = c->policy->mode == GUARD_ENFORCE && !c->only_watch;
	*plan = (struct guard_plan){.action = GUARD_PASS};
	find_page(c, plan);
	plan->has_copy = is_known(plan) && c->anonymous;
	if (!enforced)
		only_watch(plan);
	else if (c->state == GUARD_SEALED)
		plan_sealed(plan);
	else if (!c->is_page || guard_is_excluded(c->policy, span_of(c->key.ptr, c->path_len)))
		*plan = (struct guard_plan){.action = GUARD_PASS};
	else if (is_known(plan))
		plan_known(c, plan);
	else
		plan_unknown(c, plan);
}

static bool has_version_like(const struct baseline *baseline, const struct baseline_page *page,
			     const struct page_head *head, uint64_t bytes)
{
	struct baseline_version version;
	for (unsigned i = 0; i < page->versions; i++) {
		baseline_version_of(baseline, page, i, &version);
		if (page_head_eq(head, &version.head) &&
		    (bytes == GUARD_BYTES_UNKNOWN || bytes == version.content_bytes))
			return true;
	}
	return false;
}

static enum reason reason_of(bool is_good, const struct page_collect *head)
{
	if (is_good)
		return REASON_UNSET;
	return look_is_trouble(head->head.status) ? REASON_GUARD_ORIGIN_ERROR : REASON_GUARD_CHANGED;
}

enum reason guard_verdict_on_head(const struct baseline *baseline, const struct baseline_page *page,
				  const struct page_collect *head, uint64_t bytes)
{
	return reason_of(!head->too_long && has_version_like(baseline, page, &head->head, bytes), head);
}

enum reason guard_verdict(const struct baseline *baseline, const struct baseline_page *page,
			  const struct page_collect *head, const uint8_t content[DIGEST_SIZE])
{
	uint8_t found[DIGEST_SIZE];
	if (head->too_long)
		return reason_of(false, head);
	page_digest(&head->head, content, found);
	return reason_of(baseline_match(baseline, page, found) >= 0, head);
}

bool guard_is_severe(enum reason reason)
{
	return reason == REASON_GUARD_REDIRECT;
}

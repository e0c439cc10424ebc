/* How the guard is: figures for the console, the state of each site for the workers. */
#include <string.h>

#include "proc/keeper.h"

/* Known is what the newest baseline says, not what the next one will. */
static bool is_known(const struct ledger_site *site, const struct page *page)
{
	struct baseline_page found;
	if (page->policy != BASELINE_EXACT || !keeper.baseline_due)
		return page->policy == BASELINE_EXACT;
	return keeper.has_baseline &&
	       baseline_find(&keeper.baseline, site->plan->id, span_from_str(page->key), &found) &&
	       found.policy == BASELINE_EXACT;
}

static void count_pages(const struct ledger_site *site, struct guard_site_figures *out)
{
	for (const struct page *page = site->pages; page; page = page->next) {
		out->exact += is_known(site, page);
		out->varying += page->policy == BASELINE_VARYING;
		out->learning += page->policy == BASELINE_LEARNING;
		out->held += page->held != SEVERITY_UNSET;
	}
}

static void show_site(unsigned index, const struct ledger_site *site)
{
	static struct guard_site_figures out;
	out = (struct guard_site_figures){
	    .site = site->plan->id,
	    .state = site->seal.state,
	    .mode = (uint32_t)site->plan->policy.mode,
	    .since_s = site->seal.since_s,
	    .probed_s = site->looked_s,
	    .pages = site->n_pages,
	    .waiting = schedule_waiting(site),
	    .enrolled = site->enrolled,
	    .confirmed = site->confirmed,
	    .fetches = site->fetches,
	    .failures = site->failures,
	    .window_until_s = site->publish_until_s,
	};
	count_pages(site, &out);
	for (unsigned i = 0; i < site->n_origins; i++)
		out.origins_down += site->origins[i].is_down;
	snprintf(out.name, sizeof(out.name), "%s", site->plan->name);
	snprintf(out.why, sizeof(out.why), "%s", site->seal.why);
	guard_status_put_site(keeper.status, index, &out);
}

void keeper_show(void)
{
	static const struct guard_site_figures none;
	static size_t shown;
	for (size_t i = 0; i < keeper.ledger.n; i++)
		show_site((unsigned)i, keeper.ledger.sites[i]);
	for (size_t i = keeper.ledger.n; i < shown || i == keeper.ledger.n; i++)
		guard_status_put_site(keeper.status, (unsigned)i, &none);
	shown = keeper.ledger.n;
	guard_status_put(keeper.status, &keeper.figures);
}

void keeper_report_state(const struct ledger_site *site)
{
	const struct guard_report report = {.site = site->plan->id, .state = site->seal.state};
	helper_report(REPORT_GUARD, &report, sizeof(report));
}

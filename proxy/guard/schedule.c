/* What is fetched next. Every site has its own order of what is due and its own rate; the sites take
 * turns, so that one with many pages or a slow origin keeps no other waiting. */
#include "sallyport/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "sallyport/seal.h"

/* ---- enrolment ---- */

void schedule_sitemap(struct ledger_site *site, struct span target, enum job_links links,
		      uint64_t now_ms)
{
	for (unsigned i = 0; i < site->n_sitemaps; i++)
		if (span_eq(span_from_str(site->sitemaps[i].target), target))
			return;
	if (site->n_sitemaps == SITEMAPS_MAX || target.len == 0 || target.len > PAGE_KEY_MAX)
		return;
	char *copy = malloc(target.len + 1);
	if (!copy)
		return;
	memcpy(copy, target.ptr, target.len);
	copy[target.len] = '\0';
	site->sitemaps[site->n_sitemaps++] =
	    (struct sitemap){.target = copy, .links = links, .due_ms = now_ms};
}

void schedule_enrol(struct ledger_site *site, uint64_t now_ms)
{
	const struct policy_strings *seeds = &site->plan->policy.seeds;
	site->enrolled = false;
	for (size_t i = 0; i < seeds->n; i++) {
		struct page *page = ledger_add(site, span_from_str(seeds->items[i]), SOURCE_SEED, 0);
		if (page && page->looked_s == 0 && !page->in_flight)
			ledger_due(page, now_ms);
	}
	if (!site->plan->policy.sitemap)
		return;
	schedule_sitemap(site, SPAN("/robots.txt"), JOB_LINKS_ROBOTS, now_ms);
	schedule_sitemap(site, SPAN("/sitemap.xml"), JOB_LINKS_SITEMAP, now_ms);
	for (unsigned i = 0; i < site->n_sitemaps; i++) {
		site->sitemaps[i].due_ms = now_ms;
		site->sitemaps[i].again = site->sitemaps[i].in_flight;
	}
}

void schedule_new_plan(struct ledger_site *site, uint64_t now_ms)
{
	schedule_enrol(site, now_ms);
	site->enrolled = schedule_is_enrolled(site);
}

unsigned schedule_waiting(const struct ledger_site *site)
{
	unsigned n = 0;
	for (const struct page *page = site->pages; page; page = page->next)
		n += page->looked_s == 0 && page->policy != BASELINE_EXACT;
	return n;
}

bool schedule_is_enrolled(const struct ledger_site *site)
{
	for (unsigned i = 0; i < site->n_sitemaps; i++)
		if (!site->sitemaps[i].done)
			return false;
	return schedule_waiting(site) == 0;
}

/* ---- one site ---- */

static uint64_t interval_ms(const struct ledger_site *site)
{
	const struct policy_rate *rate = &site->plan->policy.rate;
	uint64_t each = rate->per_ms / rate->count;
	return each > 0 ? each : 1;
}

static int due_sitemap(const struct ledger_site *site, uint64_t now_ms)
{
	for (unsigned i = 0; site->plan->policy.sitemap && i < site->n_sitemaps; i++)
		if (!site->sitemaps[i].in_flight && site->sitemaps[i].due_ms <= now_ms)
			return (int)i;
	return -1;
}

/* Where it may be fetched from, and as whom: all origins and agents in turn, the agents one further
 * with every round of origins, so that each meets each. */
static void choose(struct fetch *out)
{
	static const enum job_agent agents[] = {JOB_AGENT_BROWSER, JOB_AGENT_SEARCH_BOT,
						JOB_AGENT_MOBILE};
	const struct plan_route *route = out->route;
	size_t turn = out->page ? out->page->looks : 0;
	size_t agent = (turn + turn / route->n) % (sizeof(agents) / sizeof(agents[0]));
	out->origin = &route->origins[turn % route->n];
	out->agent = agents[agent];
	out->referer = agent == 0 ? JOB_REFERER_NONE : JOB_REFERER_SEARCH;
}

/* Links of a page that is known are known too, but by another plan they may lead elsewhere. */
static bool has_read_links(const struct page *page)
{
	return page->policy == BASELINE_EXACT &&
	       (page->look != LOOK_GOOD || page->links_plan == page->site->ledger->plans);
}

static enum job_links links_of(const struct page *page)
{
	bool wanted = page->depth < page->site->plan->policy.depth && page->look != LOOK_SEVERE &&
		      page->look != LOOK_ASTRAY && !has_read_links(page);
	return wanted ? JOB_LINKS_PAGE : JOB_LINKS_NONE;
}

static struct span path_of(const char *target)
{
	struct span all = span_from_str(target);
	return span_of(all.ptr, span_find(all, '?'));
}

static void give_page(struct page *page, enum fetch_purpose purpose, struct fetch *out)
{
	*out = (struct fetch){.purpose = purpose, .site = page->site, .page = page, .target = page->key};
	out->route = page_route(page);
	out->links = purpose == FETCH_PAGE ? links_of(page) : JOB_LINKS_NONE;
	choose(out);
	page->in_flight = true;
	ledger_due(page, UINT64_MAX);
}

static void give_sitemap(struct ledger_site *site, unsigned index, struct fetch *out)
{
	struct sitemap *sitemap = &site->sitemaps[index];
	*out = (struct fetch){.purpose = FETCH_SITEMAP, .site = site, .index = index,
			      .target = sitemap->target, .links = sitemap->links};
	out->route = plan_route(site->plan, path_of(sitemap->target));
	choose(out);
	out->agent = JOB_AGENT_OWN;
	sitemap->in_flight = true;
}

static bool give_panel(struct ledger_site *site, uint64_t now_ms, struct fetch *out)
{
	const struct plan_origin *origin;
	struct page *page;
	if (!seal_next_look(site, now_ms, &page, &origin))
		return false;
	give_page(page, FETCH_PANEL, out);
	out->origin = origin;
	out->agent = JOB_AGENT_BROWSER;
	out->referer = JOB_REFERER_NONE;
	return true;
}

static bool take(struct ledger_site *site, uint64_t now_ms, struct fetch *out)
{
	struct page *first = ledger_first(site);
	bool is_urgent = first && first->due_ms == 0;
	int sitemap = due_sitemap(site, now_ms);
	if (!is_urgent && give_panel(site, now_ms, out))
		return true;
	if (!is_urgent && sitemap >= 0) {
		give_sitemap(site, (unsigned)sitemap, out);
		return true;
	}
	if (!first || first->due_ms > now_ms)
		return false;
	give_page(first, FETCH_PAGE, out);
	return true;
}

static uint64_t next_of(const struct ledger_site *site)
{
	const struct page *first = ledger_first(site);
	uint64_t next_ms = first ? first->due_ms : UINT64_MAX, panel_ms = seal_next_ms(site);
	if (panel_ms < next_ms)
		next_ms = panel_ms;
	for (unsigned i = 0; site->plan->policy.sitemap && i < site->n_sitemaps; i++)
		if (!site->sitemaps[i].in_flight && site->sitemaps[i].due_ms < next_ms)
			next_ms = site->sitemaps[i].due_ms;
	return next_ms > site->next_fetch_ms ? next_ms : site->next_fetch_ms;
}

/* ---- all sites ---- */

static bool may_fetch(const struct ledger_site *site, uint64_t now_ms)
{
	return site->in_flight < FETCHES_PER_SITE && site->next_fetch_ms <= now_ms;
}

bool schedule_next(struct ledger *ledger, uint64_t now_ms, struct fetch *out, uint64_t *next_ms)
{
	*next_ms = UINT64_MAX;
	for (size_t i = 0; i < ledger->n; i++) {
		struct ledger_site *site = ledger->sites[(ledger->turn + i) % ledger->n];
		if (may_fetch(site, now_ms) && take(site, now_ms, out)) {
			ledger->turn = (ledger->turn + i + 1) % ledger->n;
			site->next_fetch_ms = now_ms + interval_ms(site);
			site->in_flight++;
			site->fetches++;
			return true;
		}
		if (site->in_flight < FETCHES_PER_SITE && next_of(site) < *next_ms)
			*next_ms = next_of(site);
	}
	return false;
}

void schedule_forgotten(struct ledger_site *site)
{
	if (site->in_flight > 0)
		site->in_flight--;
}

void schedule_page_done(struct page *page, uint64_t now_ms, uint64_t wait_ms)
{
	schedule_forgotten(page->site);
	page->in_flight = false;
	ledger_due(page, page->again ? 0 : now_ms + wait_ms);
	page->again = false;
}

void schedule_sitemap_done(struct ledger_site *site, unsigned index, bool answered, uint64_t now_ms)
{
	schedule_forgotten(site);
	if (index >= site->n_sitemaps)
		return;
	struct sitemap *sitemap = &site->sitemaps[index];
	sitemap->in_flight = false;
	sitemap->done = sitemap->done || answered;
	sitemap->due_ms = now_ms + (answered ? REENROL_MS : RETRY_MS);
	if (sitemap->again)
		sitemap->due_ms = now_ms;
	sitemap->again = false;
}

/* One that is under way was asked for before whatever made it urgent. */
void schedule_urgent(struct page *page)
{
	if (page->in_flight)
		page->again = true;
	else
		ledger_due(page, 0);
}

/* How a site as a whole is: see seal.h. What makes it SEALED are looks of the scout alone: a worker
 * that was captured, or a visitor who finds one bad page, can cause looks and nothing more. */
#include "sallyport/seal.h"

#include <stdio.h>

#include "sallyport/clock.h"

static unsigned count_exact(const struct ledger_site *site)
{
	unsigned n = 0;
	for (const struct page *page = site->pages; page; page = page->next)
		n += page->policy == BASELINE_EXACT;
	return n;
}

static bool is_severe(const struct page *page, uint64_t now_s)
{
	return page->look == LOOK_SEVERE && clock_since(page->looked_s, now_s) <= SEVERE_LASTS_S;
}

unsigned seal_count_severe(const struct ledger_site *site, uint64_t now_s)
{
	unsigned n = 0;
	for (const struct page *page = site->pages; page; page = page->next)
		n += is_severe(page, now_s);
	return n;
}

static unsigned count_changed(const struct ledger_site *site)
{
	unsigned n = 0;
	for (const struct page *page = site->pages; page; page = page->next)
		n += page->policy == BASELINE_EXACT && page->changed_s != 0 &&
		     page->look != LOOK_GONE;
	return n;
}

/* ---- the panel ---- */

static void add_to_panel(struct seal *seal, struct page *page)
{
	for (unsigned i = 0; i < seal->n_panel; i++)
		if (seal->panel[i] == page)
			return;
	if (seal->n_panel < PANEL_MAX)
		seal->panel[seal->n_panel++] = page;
}

/* Half of it at most for what was bad, the rest for where visitors come in. */
static void choose_panel(struct ledger_site *site, uint64_t now_s)
{
	struct seal *seal = &site->seal;
	seal->n_panel = 0;
	for (struct page *page = site->pages; page && seal->n_panel < PANEL_MAX / 2;
	     page = page->next)
		if (is_severe(page, now_s))
			add_to_panel(seal, page);
	for (struct page *page = site->pages; page; page = page->next)
		if (page->policy == BASELINE_EXACT && page->source == SOURCE_SEED)
			add_to_panel(seal, page);
	for (struct page *page = site->pages; page; page = page->next)
		if (page->policy == BASELINE_EXACT)
			add_to_panel(seal, page);
}

static void begin_rounds(struct ledger_site *site, uint64_t now_s, uint64_t now_ms)
{
	struct seal *seal = &site->seal;
	choose_panel(site, now_s);
	seal->good_rounds = 0;
	seal->round_runs = seal->round_waits = false;
	seal->next_round_ms = now_ms + site->plan->policy.probe_interval_ms;
}

/* ---- states ---- */

static enum seal_event enter(struct ledger_site *site, enum guard_state state, uint64_t now_s)
{
	site->seal.before = site->seal.state;
	site->seal.state = state;
	site->seal.since_s = now_s;
	return SEAL_CHANGED;
}

static enum seal_event seal_now(struct ledger_site *site, uint64_t now_s, uint64_t now_ms)
{
	site->seal.by_order = false;
	begin_rounds(site, now_s, now_ms);
	return enter(site, GUARD_SEALED, now_s);
}

/* Names the first of them: whoever is told wants to look. */
static void explain_severe(struct ledger_site *site, unsigned n, uint64_t now_s)
{
	const struct page *page = site->pages;
	while (page && !is_severe(page, now_s))
		page = page->next;
	snprintf(site->seal.why, sizeof(site->seal.why),
		 "%u page%s bad in a way that is no honest edit, such as %.100s", n,
		 n == 1 ? " is" : "s are", page ? page->key : "-");
}

static enum seal_event judge_guarded(struct ledger_site *site, uint64_t now_s, uint64_t now_ms)
{
	unsigned severe = seal_count_severe(site, now_s), changed = count_changed(site);
	unsigned enough = site->seal.state == GUARD_RECOVERING ? 1 : SEAL_PAGES;
	if (severe >= enough) {
		explain_severe(site, severe, now_s);
		return seal_now(site, now_s, now_ms);
	}
	if (changed >= MASS_CHANGE_MIN && changed > count_exact(site) / 2) {
		snprintf(site->seal.why, sizeof(site->seal.why),
			 "%u of %u known pages changed, and nobody announced it", changed,
			 count_exact(site));
		return seal_now(site, now_s, now_ms);
	}
	return SEAL_NOTHING;
}

enum seal_event seal_judge(struct ledger_site *site, uint64_t now_s, uint64_t now_ms)
{
	bool knows = site->confirmed && count_exact(site) > 0;
	switch (site->seal.state) {
	case GUARD_GUARDED:
	case GUARD_RECOVERING:
		if (knows)
			return judge_guarded(site, now_s, now_ms);
		snprintf(site->seal.why, sizeof(site->seal.why), "nothing is known of it any more");
		return enter(site, GUARD_LEARNING, now_s);
	case GUARD_SEALED: return SEAL_NOTHING;
	default:
		if (!knows)
			return SEAL_NOTHING;
		snprintf(site->seal.why, sizeof(site->seal.why), "its pages are known");
		return enter(site, GUARD_GUARDED, now_s);
	}
}

enum seal_event seal_close(struct ledger_site *site, const char *why, uint64_t now_s, uint64_t now_ms)
{
	site->seal.by_order = true;
	snprintf(site->seal.why, sizeof(site->seal.why), "sealed by order%s%.120s", why ? ": " : "",
		 why ? why : "");
	begin_rounds(site, now_s, now_ms);
	return enter(site, GUARD_SEALED, now_s);
}

/* It seals again only when it is seen again. */
static void forgive_severe(struct ledger_site *site)
{
	for (struct page *page = site->pages; page; page = page->next)
		if (page->look == LOOK_SEVERE)
			page->look = LOOK_CHANGED;
}

enum seal_event seal_open(struct ledger_site *site, const char *why, uint64_t now_s)
{
	bool knows = site->confirmed && count_exact(site) > 0;
	if (site->seal.state != GUARD_SEALED && site->seal.state != GUARD_RECOVERING)
		return SEAL_NOTHING;
	site->seal.by_order = false;
	site->seal.n_panel = 0;
	forgive_severe(site);
	snprintf(site->seal.why, sizeof(site->seal.why), "released by order%s%.120s", why ? ": " : "",
		 why ? why : "");
	return enter(site, knows ? GUARD_GUARDED : GUARD_LEARNING, now_s);
}

void seal_restore(struct ledger_site *site, enum guard_state state, const char *why, uint64_t since_s,
		  uint64_t now_ms)
{
	struct seal *seal = &site->seal;
	if (state <= GUARD_STATE_UNSET || state >= GUARD_STATE_COUNT)
		state = GUARD_LEARNING;
	seal->state = state;
	seal->since_s = since_s;
	seal->by_order = state == GUARD_SEALED && span_starts(span_from_str(why), SPAN("sealed by order"));
	snprintf(seal->why, sizeof(seal->why), "%s", why);
	if (state == GUARD_SEALED || state == GUARD_RECOVERING)
		begin_rounds(site, since_s, now_ms);
}

/* ---- rounds ---- */

static bool has_rounds(const struct seal *seal)
{
	return (seal->state == GUARD_SEALED && !seal->by_order) || seal->state == GUARD_RECOVERING;
}

uint64_t seal_next_ms(const struct ledger_site *site)
{
	const struct seal *seal = &site->seal;
	if (!has_rounds(seal) || seal->n_panel == 0 || seal->round_waits)
		return UINT64_MAX;
	if (!seal->round_runs)
		return seal->next_round_ms;
	/* when it lands there is another call */
	return seal->panel[seal->at_page % seal->n_panel]->in_flight ? UINT64_MAX : 0;
}

bool seal_next_look(struct ledger_site *site, uint64_t now_ms, struct page **page,
		    const struct plan_origin **origin)
{
	struct seal *seal = &site->seal;
	if (seal_next_ms(site) > now_ms)
		return false;
	if (!seal->round_runs) {
		seal->round_runs = seal->round_good = true;
		seal->at_page = seal->at_origin = 0;
	}
	if (seal->at_page >= seal->n_panel)
		seal->at_page = 0;
	*page = seal->panel[seal->at_page];
	if ((*page)->in_flight)
		return false;
	const struct plan_route *route = page_route(*page);
	*origin = &route->origins[seal->at_origin % route->n];
	seal->round_waits = true;
	return true;
}

static enum seal_event end_round(struct ledger_site *site, uint64_t now_s, uint64_t now_ms)
{
	struct seal *seal = &site->seal;
	seal->round_runs = false;
	seal->next_round_ms = now_ms + site->plan->policy.probe_interval_ms;
	seal->good_rounds = seal->round_good ? seal->good_rounds + 1 : 0;
	if (seal->good_rounds < site->plan->policy.recover)
		return SEAL_NOTHING;
	seal->good_rounds = 0;
	if (seal->state == GUARD_SEALED) {
		forgive_severe(site);
		snprintf(seal->why, sizeof(seal->why),
			 "every origin was good in %llu rounds of looks",
			 (unsigned long long)site->plan->policy.recover);
		return enter(site, GUARD_RECOVERING, now_s);
	}
	seal->n_panel = 0;
	snprintf(seal->why, sizeof(seal->why), "it stayed good after it was opened again");
	return enter(site, GUARD_GUARDED, now_s);
}

enum seal_event seal_looked(struct ledger_site *site, bool is_good, uint64_t now_s, uint64_t now_ms)
{
	struct seal *seal = &site->seal;
	seal->round_waits = false;
	if (!has_rounds(seal) || !seal->round_runs)
		return SEAL_NOTHING;
	seal->round_good = seal->round_good && is_good;
	if (seal->at_page < seal->n_panel &&
	    ++seal->at_origin < page_route(seal->panel[seal->at_page])->n)
		return SEAL_NOTHING;
	seal->at_origin = 0;
	if (++seal->at_page < seal->n_panel)
		return SEAL_NOTHING;
	return end_round(site, now_s, now_ms);
}

/* ---- suspects ---- */

unsigned seal_suspects(struct ledger_site *site, struct page **out, unsigned room)
{
	unsigned n = 0;
	for (struct page *page = site->pages; page; page = page->next) {
		if (page->policy != BASELINE_EXACT || page->look == LOOK_SEVERE || page->in_flight)
			continue;
		/* the longest unseen stay */
		unsigned at = n < room ? n++ : room;
		while (at > 0 && out[at - 1]->looked_s > page->looked_s) {
			if (at < room)
				out[at] = out[at - 1];
			at--;
		}
		if (at < room)
			out[at] = page;
	}
	return n;
}

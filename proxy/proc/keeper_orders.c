/* What an operator orders. An order is checked, carried out in one transaction with its line in the audit
 * and the baseline that it leads to, and answered when all of that stands: what was approved
 * counts from the next request. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proc/keeper.h"
#include "sallyport/clock.h"
#include "sallyport/crypto.h"
#include "sallyport/hex.h"
#include "sallyport/log.h"
#include "sallyport/redirect.h"
#include "sallyport/suggest.h"

enum { ANSWER_SIZE = 1024, TOKEN_BYTES = 24, TOKEN_VALID_MS = 3600000 };

/* One order under way. */
struct carrying {
	const struct vault_order *order;
	struct ledger_site *site;
	struct page *page; /* where a url was given that is known */
	char text[ANSWER_SIZE]; /* what is said on success */
};

static bool say(struct carrying *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool say(struct carrying *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(c->text, sizeof(c->text), fmt, ap);
	va_end(ap);
	return true;
}

/* ---- approving and rejecting ---- */

/* The newest that waits for a decision: what is held, or, where nothing is known, what was seen. */
struct choice {
	struct vault_version version;
	bool found;
	bool only_held;
};

static bool offer(void *context, const struct vault_version *version)
{
	struct choice *choice = context;
	bool waits = version->state == VAULT_HELD ||
		     (version->state == VAULT_CANDIDATE && !choice->only_held);
	if (!waits || (choice->found && version->last_seen_s <= choice->version.last_seen_s))
		return true;
	choice->version = *version;
	/* its texts went along */
	for (size_t i = 0; i < PAGE_FIELD_COUNT; i++)
		if (version->head.fields[i].ptr)
			choice->version.head.fields[i].ptr =
			    choice->version.texts + (version->head.fields[i].ptr - version->texts);
	choice->found = true;
	return true;
}

static bool choose(struct page *page, uint32_t number, struct choice *out)
{
	*out = (struct choice){.only_held = page->policy == BASELINE_EXACT};
	if (page->id == 0)
		return false;
	if (number != 0) {
		out->found = vault_version_numbered(keeper.vault, page->id, number, &out->version);
		return out->found;
	}
	vault_versions(keeper.vault, page->id, offer, out);
	return out->found;
}

/* A redirect that an operator approves makes its host known, for this site. */
static bool learn_host(struct page *page, const struct vault_version *version)
{
	struct span location = version->head.fields[PAGE_FIELD_LOCATION];
	struct redirect redirect;
	struct err err = {{0}};
	char host[REDIRECT_HOST_MAX + 1];
	if (!location.ptr || version->head.status < 300 || version->head.status > 399)
		return true;
	redirect_read(location, true, &redirect);
	if (redirect.kind != REDIRECT_HOST ||
	    plan_allows_host(page->site->plan, span_of(redirect.host, redirect.host_len)))
		return true;
	snprintf(host, sizeof(host), "%.*s", (int)redirect.host_len, redirect.host);
	return vault_host_add(keeper.vault, page->site->plan->id, host, "operator", keeper_now_s(),
			      &err) ||
	       keeper_failed(&err);
}

/* A page that is gone, and whose going is approved, is known no more. */
static bool let_go(struct page *page)
{
	struct err err = {{0}};
	if (!keeper_begin() || !keeper_clear_held(page))
		return false;
	if (page->id != 0 && !vault_page_forget(keeper.vault, page->id, &err))
		return keeper_failed(&err);
	ledger_forget(page);
	return true;
}

/* What was good before and is back came up when it came back: what took its place meanwhile is replaced. */
static uint64_t came_up_s(const struct page *page, const struct vault_version *version)
{
	uint64_t back_s = version->since_s == 0 ? 0
						: vault_held_since(keeper.vault, page->site->plan->id,
								   page->key, version->digest);
	return back_s > version->first_seen_s ? back_s : version->first_seen_s;
}

static bool approve_version(struct carrying *c, struct page *page, const struct vault_version *version)
{
	static const char why[] = "another version was approved";
	uint8_t retired[PAGE_GOOD_MAX][DIGEST_SIZE];
	struct page_mark mark = keeper_mark_of(version);
	mark.first_s = came_up_s(page, version);
	if (version->head.status == 404 || version->head.status == 410)
		return keeper_audit("operator", "forget", c->site, page->key, version->number,
				    c->order->why) &&
		       let_go(page);
	unsigned n = learn_approve(page, &mark, retired);
	return keeper_retire(page, retired, n, why) &&
	       keeper_mark(version->id, VAULT_GOOD, "approved by the operator") &&
	       learn_host(page, version) && keeper_put_page(page) && keeper_clear_held(page) &&
	       keeper_audit("operator", "approve", c->site, page->key, version->number, c->order->why);
}

/* From here on the site's pages count, where guard.confirm let them wait. */
static bool confirm(struct carrying *c)
{
	if (c->site->confirmed)
		return true;
	c->site->confirmed = true;
	return keeper_put_site(c->site) &&
	       keeper_audit("operator", "confirm", c->site, NULL, 0, c->order->why);
}

/* What came of the pages. */
struct counts {
	unsigned approved, severe, early;
};

static bool leads_astray(const struct page *page)
{
	return page->look == LOOK_SEVERE || page->look == LOOK_ASTRAY || page->held == SEVERITY_SEVERE;
}

static void approve_next(struct carrying *c, struct page *page, struct counts *counts, bool *ok)
{
	static struct choice choice;
	if (page->policy == BASELINE_VARYING || !choose(page, 0, &choice))
		return;
	if (leads_astray(page))
		counts->severe++;
	else if (!learn_looks_constant(page, &c->site->plan->policy))
		counts->early++;
	else if (approve_version(c, page, &choice.version))
		counts->approved++;
	else
		*ok = false;
}

static bool say_counts(struct carrying *c, const struct counts *counts)
{
	bool sealed = c->site->seal.state == GUARD_SEALED;
	char severe[96] = "", early[128] = "";
	if (counts->severe > 0)
		snprintf(severe, sizeof(severe), " %u that look defaced have to be approved one by one.",
			 counts->severe);
	if (counts->early > 0)
		snprintf(early, sizeof(early), " %u were not the same in %llu samples yet: ask again later.",
			 counts->early, (unsigned long long)c->site->plan->policy.samples);
	return say(c, "%u page%s approved.%s%s%s", counts->approved, counts->approved == 1 ? " was" : "s were",
		   severe, early,
		   sealed ? " The site is still sealed: its origins have to be found good, or release opens it now." : "");
}

static bool approve_all(struct carrying *c, struct err *err)
{
	struct counts counts = {0};
	bool ok = confirm(c);
	for (struct page *page = c->site->pages, *next; ok && page; page = next) {
		next = page->next; /* one that is gone is forgotten */
		approve_next(c, page, &counts, &ok);
	}
	if (!ok)
		return err_set(err, "the vault could not be changed");
	keeper_baseline_due("approved by the operator");
	return say_counts(c, &counts);
}

static bool needs_page(const struct carrying *c, struct err *err)
{
	return c->page || err_set(err, "nothing is known of %.200s", c->order->url);
}

static bool nothing_waits(struct carrying *c, struct err *err)
{
	if (c->order->version != 0)
		return err_set(err, "there is no version %u of it", c->order->version);
	schedule_urgent(c->page);
	if (c->page->look == LOOK_GONE)
		return err_set(err, "it answers 404 or 410, and is told of after guard.settle; forget it, if it was removed");
	if (c->page->held != SEVERITY_UNSET)
		return err_set(err, "what visitors were held from, the scout has not seen; it looks now. Where a page "
				    "differs by language, cookie or device, leave it out: guard.exclude");
	return err_set(err, "no version of it waits for a decision; it is looked at now");
}

static bool approve(struct carrying *c, struct err *err)
{
	static struct choice choice;
	if (c->order->all)
		return approve_all(c, err);
	if (!needs_page(c, err))
		return false;
	if (!choose(c->page, c->order->version, &choice))
		return nothing_waits(c, err);
	bool varies = learn_seems_to_vary(c->page);
	if (!approve_version(c, c->page, &choice.version))
		return err_set(err, "the vault could not be changed");
	keeper_baseline_due("approved by the operator");
	return say(c, "Version %u of %.400s is known to be good.%s", choice.version.number, c->order->url,
		   varies ? " But it was another at each look: where that is as it should be, forget it, and it is "
			    "learned anew." : "");
}

static bool reject_page(struct carrying *c, struct page *page, uint32_t number, bool *any)
{
	static struct choice choice;
	if (!choose(page, number, &choice) || choice.version.state == VAULT_GOOD)
		return true;
	*any = true;
	return keeper_mark(choice.version.id, VAULT_REJECTED, "rejected by the operator") &&
	       keeper_clear_held(page) &&
	       keeper_audit("operator", "reject", c->site, page->key, choice.version.number,
			    c->order->why);
}

static bool reject(struct carrying *c, struct err *err)
{
	bool any = false;
	if (!c->order->all && !needs_page(c, err))
		return false;
	for (struct page *page = c->order->all ? c->site->pages : c->page; page; page = page->next) {
		bool counts = !c->order->all || page->policy == BASELINE_EXACT || page->held != SEVERITY_UNSET;
		if (counts && !reject_page(c, page, c->order->version, &any))
			return err_set(err, "the vault could not be changed");
		if (!c->order->all)
			break;
	}
	if (!any && !c->order->all)
		return nothing_waits(c, err);
	return say(c, "What was held is rejected; it stays away.");
}

/* ---- going back, pins ---- */

static bool travel(struct carrying *c, struct err *err)
{
	static struct vault_baseline goal;
	struct vault_travel done = {0};
	const char *key = c->order->url[0] ? c->order->url : NULL;
	if (!vault_baseline_at(keeper.vault, c->order->time_s, &goal))
		return err_set(err, "nothing was known at that time");
	if (!keeper_begin() || !vault_travel(keeper.vault, c->site->plan->id, key, goal.number,
					     keeper_now_s(), &done, err)) {
		(void)keeper_failed(err);
		return false;
	}
	return say(c, "%llu page%s went back to what was known then; %llu were not known then, "
		      "%llu are not kept any more.",
		   (unsigned long long)done.pages, done.pages == 1 ? "" : "s",
		   (unsigned long long)done.dropped, (unsigned long long)done.missing);
}

static bool go_back(struct carrying *c, struct err *err)
{
	static struct vault_version version;
	if (!needs_page(c, err))
		return false;
	if (c->page->id == 0 || !vault_version_numbered(keeper.vault, c->page->id, c->order->version,
							&version))
		return err_set(err, "there is no version %u of it", c->order->version);
	if (!keeper_begin() || !vault_go_back(keeper.vault, version.id, "went back by order",
					      keeper_now_s(), err)) {
		(void)keeper_failed(err);
		return false;
	}
	if (c->page->policy != BASELINE_EXACT) {
		c->page->policy = BASELINE_EXACT;
		if (!keeper_put_page(c->page))
			return err_set(err, "the vault could not be changed");
	}
	return say(c, "Version %u of %.400s is the one known to be good.", version.number, c->order->url);
}

static bool rollback(struct carrying *c, struct err *err)
{
	if (!(c->order->time_s != 0 ? travel(c, err) : go_back(c, err)))
		return false;
	keeper_baseline_due("went back by order");
	keeper.reload_due = true;
	return keeper_audit("operator", "rollback", c->site, c->order->url[0] ? c->order->url : NULL,
			    c->order->version, c->order->why) ||
	       err_set(err, "the vault could not be changed");
}

static bool pin(struct carrying *c, struct err *err)
{
	static struct vault_version version;
	bool pinned = c->order->verb == VERB_PIN;
	if (!needs_page(c, err))
		return false;
	bool found = c->order->version != 0
			 ? vault_version_numbered(keeper.vault, c->page->id, c->order->version, &version)
			 : c->page->id != 0 && vault_version_good(keeper.vault, c->page->id, &version);
	if (!found)
		return err_set(err, "there is no such version of it");
	bool done = keeper_begin() &&
		    (!pinned || vault_go_back(keeper.vault, version.id, "pinned by order",
					      keeper_now_s(), err)) &&
		    vault_pin(keeper.vault, version.id, pinned, keeper_now_s(), err);
	if (!done) {
		(void)keeper_failed(err);
		return false;
	}
	if (pinned)
		c->page->policy = BASELINE_EXACT;
	if (!keeper_put_page(c->page) ||
	    !keeper_audit("operator", vault_verb_name(c->order->verb), c->site, c->page->key,
			  version.number, c->order->why))
		return err_set(err, "the vault could not be changed");
	keeper_baseline_due("pinned by order");
	keeper.reload_due = true;
	return say(c, "Version %u of %.400s is %s.", version.number, c->order->url,
		   pinned ? "pinned" : "not pinned any more");
}

static bool forget(struct carrying *c, struct err *err)
{
	if (!needs_page(c, err))
		return false;
	if (!keeper_audit("operator", "forget", c->site, c->page->key, 0, c->order->why) ||
	    !let_go(c->page))
		return err_set(err, "the vault could not be changed");
	keeper_baseline_due("forgotten by order");
	return say(c, "Nothing is known of %.400s any more.", c->order->url);
}

/* ---- windows ---- */

static void look_at_all(struct ledger_site *site)
{
	for (struct page *page = site->pages; page; page = page->next)
		if (!page->in_flight)
			ledger_due(page, keeper_now_ms());
}

static bool use_token(struct carrying *c, uint64_t *duration_ms, struct err *err)
{
	struct vault_token token;
	uint8_t id[DIGEST_SIZE];
	digest(c->order->token, strlen(c->order->token), id);
	if (!keeper_begin() || !vault_token_use(keeper.vault, id, keeper_now_s(), &token, err))
		return false;
	if (token.site != c->site->plan->id)
		return err_set(err, "the token is one of another site");
	*duration_ms = token.publish_s * 1000;
	return true;
}

static bool close_window(struct ledger_site *site, const char *who, const char *why)
{
	uint8_t retired[PAGE_GOOD_MAX][DIGEST_SIZE];
	site->publish_until_s = 0;
	for (struct page *page = site->pages; page; page = page->next) {
		unsigned n = learn_close_window(page, retired);
		if (n == 0)
			continue;
		keeper_baseline_due("a publish window was closed");
		if (!keeper_retire(page, retired, n, "replaced in a publish window"))
			return false;
	}
	log_info("site %s: its publish window is closed", site->plan->name);
	keeper_tell(ALERT_PUBLISHED, site, "", "-", "the publish window is closed");
	return keeper_put_site(site) && keeper_audit(who, "close-window", site, NULL, 0, why);
}

void keeper_close_windows(void)
{
	for (size_t i = 0; keeper.vault && i < keeper.ledger.n; i++) {
		struct ledger_site *site = keeper.ledger.sites[i];
		if (site->publish_until_s == 0 || site->publish_until_s > keeper_now_s())
			continue;
		if (!close_window(site, "keeper", "its time is over"))
			return;
	}
}

static bool publish(struct carrying *c, struct err *err)
{
	uint64_t duration_ms = c->order->duration_ms;
	char until[CLOCK_ISO_SIZE];
	if (c->order->token[0] && !use_token(c, &duration_ms, err))
		return false;
	if (duration_ms == 0)
		return (close_window(c->site, "operator", c->order->why) &&
			say(c, "The publish window of %s is closed.", c->site->plan->name)) ||
		       err_set(err, "the vault could not be changed");
	c->site->publish_until_s = keeper_now_s() + (duration_ms + 999) / 1000;
	schedule_enrol(c->site, keeper_now_ms());
	look_at_all(c->site);
	if (!keeper_put_site(c->site) || !keeper_audit(c->order->token[0] ? "token" : "operator",
						       "open-window", c->site, NULL, 0, c->order->why))
		return err_set(err, "the vault could not be changed");
	clock_format_iso(c->site->publish_until_s * 1000000, until);
	log_info("site %s: a publish window is open until %s", c->site->plan->name, until);
	keeper_tell(ALERT_PUBLISHED, c->site, "", "-", "a publish window is open until %s", until);
	return say(c, "What the scout sees of %s until %s is known to be good.", c->site->plan->name,
		   until);
}

static bool make_token(struct carrying *c, struct err *err)
{
	uint8_t random[TOKEN_BYTES];
	char text[HEX_SIZE(TOKEN_BYTES)];
	struct vault_token token = {
	    .site = c->site->plan->id,
	    .made_s = keeper_now_s(),
	    .publish_s = (c->order->duration_ms + 999) / 1000,
	};
	uint64_t valid_ms = c->order->valid_ms ? c->order->valid_ms : TOKEN_VALID_MS;
	token.expires_s = token.made_s + (valid_ms + 999) / 1000;
	if (!crypto_random(random, sizeof(random), err))
		return false;
	hex_write(random, TOKEN_BYTES, text);
	digest(text, 2 * TOKEN_BYTES, token.token);
	if (!keeper_begin() || !vault_token_add(keeper.vault, &token, err)) {
		(void)keeper_failed(err);
		return false;
	}
	if (!keeper_audit("operator", "token", c->site, NULL, 0, c->order->why))
		return err_set(err, "the vault could not be changed");
	return say(c, "%s", text);
}

/* ---- enrolment, seals ---- */

static bool enrol(struct carrying *c, struct err *err)
{
	const struct vault_order *order = c->order;
	if (!order->url[0]) {
		schedule_enrol(c->site, keeper_now_ms());
		look_at_all(c->site);
		return say(c, "The seeds and sitemaps of %s are read again.", c->site->plan->name);
	}
	c->page = ledger_add(c->site, span_from_str(order->url), SOURCE_ENROLLED, 0);
	if (!c->page)
		return err_set(err, "it is excluded, no canonical path, or one page too many "
				    "(guard.max_pages)");
	if (c->page->policy != BASELINE_EXACT)
		page_learn_anew(c->page, keeper_now_s());
	schedule_urgent(c->page);
	if (!keeper_put_page(c->page) ||
	    !keeper_audit("operator", "enrol", c->site, order->url, 0, order->why))
		return err_set(err, "the vault could not be changed");
	return say(c, "%.400s is being learned.", order->url);
}

static bool seal_or_release(struct carrying *c, struct err *err)
{
	const char *why = c->order->why[0] ? c->order->why : NULL;
	bool closes = c->order->verb == VERB_SEAL;
	enum seal_event event = closes ? seal_close(c->site, why, keeper_now_s(), keeper_now_ms())
				       : seal_open(c->site, why, keeper_now_s());
	if (event != SEAL_CHANGED)
		return err_set(err, "%s is not sealed", c->site->plan->name);
	keeper_state_changed(c->site);
	if (!keeper_audit("operator", closes ? "seal" : "release", c->site, NULL, 0, c->order->why))
		return err_set(err, "the vault could not be changed");
	return say(c, closes ? "%s is sealed: visitors get copies only." : "%s is open again.",
		   c->site->plan->name);
}

/* ---- orders ---- */

static bool carry_out(struct carrying *c, struct err *err)
{
	switch (c->order->verb) {
	case VERB_APPROVE: return approve(c, err);
	case VERB_REJECT: return reject(c, err);
	case VERB_ROLLBACK: return rollback(c, err);
	case VERB_PIN:
	case VERB_UNPIN: return pin(c, err);
	case VERB_FORGET: return forget(c, err);
	case VERB_PUBLISH: return publish(c, err);
	case VERB_TOKEN: return make_token(c, err);
	case VERB_ENROL: return enrol(c, err);
	case VERB_SEAL:
	case VERB_RELEASE: return seal_or_release(c, err);
	default: return err_set(err, "the order makes no sense");
	}
}

static bool unknown_site(const char *name, struct err *err)
{
	struct suggestion suggestion;
	char nearest[SUGGEST_TEXT_SIZE];
	suggest_init(&suggestion, name);
	for (size_t i = 0; i < keeper.ledger.n; i++)
		suggest_offer(&suggestion, keeper.ledger.sites[i]->plan->name);
	return err_set(err, "no guarded site is named \"%s\"%s", name, suggest_text(&suggestion, nearest));
}

/* What was gathered before must not be lost with an order that cannot be carried out. */
static bool obey(struct carrying *c, struct err *err)
{
	if (!vault_order_check(c->order, err))
		return false;
	if (!keeper.vault)
		return err_set(err, "the vault cannot be read now: %.300s",
			       keeper.figures.vault_error);
	c->site = ledger_site_named(&keeper.ledger, c->order->site);
	if (!c->site)
		return unknown_site(c->order->site, err);
	if (c->order->url[0])
		c->page = ledger_find(&keeper.ledger, c->site, span_from_str(c->order->url));
	if (!keeper_commit(err))
		return false;
	if (!carry_out(c, err)) {
		keeper_undo(c->order->verb != VERB_PUBLISH && c->order->verb != VERB_TOKEN);
		return false;
	}
	keeper_judge_site(c->site);
	return keeper_commit(err);
}

void keeper_obey(const struct vault_asked *asked)
{
	static struct carrying c;
	static char payload[sizeof(struct answer_head) + ANSWER_SIZE];
	struct err err = {{0}};
	c = (struct carrying){.order = &asked->order};
	bool ok = obey(&c, &err);
	const char *text = ok ? c.text : err.text;
	const struct answer_head head = {.ticket = asked->ticket, .ok = ok};
	memcpy(payload, &head, sizeof(head));
	memcpy(payload + sizeof(head), text, strlen(text));
	keeper_show();
	helper_report(REPORT_ANSWER, payload, sizeof(head) + strlen(text));
	keeper_schedule();
}

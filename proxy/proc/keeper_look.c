/* What became of a fetch: it is judged (guard/learn.c, guard/seal.c), what has to last goes into the vault,
 * and what is not good waits for an operator. What the scout says of the content is checked by its
 * digest before it is kept. */
#include <string.h>

#include "proc/keeper.h"
#include "sallyport/clock.h"
#include "sallyport/log.h"
#include "sallyport/page_key.h"
#include "sallyport/redirect.h"
#include "sallyport/signs.h"

enum {
	TOUCH_S = 600,     /* the vault hears so often that a known page is still good */
	FAIL_FIRST_MS = 1000,
	FAIL_WAIT_MS = 15000,
	ALIVE_S = 60,           /* an origin that sent a page so lately answers */
	TRIES_MAX = 4,          /* of a page that never came whole, at an origin that answers */
	ERROR_WAIT_MS = 600000, /* a seed that is no page, or too large */
	SUSPECTS = 5,      /* looked at at once when a page is severe */
	GOOD_RUN = 3,      /* good looks that end a hold, */
	QUIET_S = 10,      /* where no visitor's page was held for so long */
};

/* A whole answer, as it is judged. */
struct answer {
	struct page_head head;
	struct span content;
	const uint8_t *content_digest;
	uint8_t page[DIGEST_SIZE];
	struct span evidence; /* where it leads; empty: nowhere foreign */
	bool has_signs;
};

/* ---- reading the sample ---- */

static void read_answer(const struct scout_sample *sample, struct span content, struct answer *out)
{
	*out = (struct answer){.head.status = sample->status,
			       .content = content,
			       .content_digest = sample->content};
	for (size_t i = 0; i < PAGE_FIELD_COUNT; i++)
		if (sample->field_len[i] != SAMPLE_NO_FIELD)
			out->head.fields[i] = span_of(sample->fields[i], sample->field_len[i]);
	page_digest(&out->head, out->content_digest, out->page);
}

static struct span host_alone(const char *host)
{
	struct url_host parsed;
	enum reason reason;
	return url_parse_host(span_from_str(host), &parsed, &reason) ? parsed.name
								      : span_from_str(host);
}

/* The rule that workers have, too. */
static void find_foreign(const struct page *page, struct answer *answer)
{
	const struct plan_site *plan = page->site->plan;
	const struct redirect_scope scope = {
	    .visitor_host = host_alone(page_route(page)->host),
	    .hosts = &plan->hosts,
	    .redirects = &plan->policy.redirects,
	    .baseline = keeper.has_baseline ? &keeper.baseline : NULL,
	    .site = plan->id,
	};
	struct span location = answer->head.fields[PAGE_FIELD_LOCATION];
	struct span refresh = answer->head.fields[PAGE_FIELD_REFRESH], url;
	bool redirects = answer->head.status >= 300 && answer->head.status <= 399;
	if (redirects && location.ptr && !redirect_is_allowed(&scope, location))
		answer->evidence = location;
	if (!refresh.ptr)
		return;
	enum refresh kind = refresh_read(refresh, &url);
	if (kind == REFRESH_ODD || (kind == REFRESH_URL && !redirect_is_allowed(&scope, url)))
		answer->evidence = refresh;
}

static uint64_t good_bytes_of(const struct page *page)
{
	static struct vault_version good;
	return page->id != 0 && vault_version_good(keeper.vault, page->id, &good) ? good.content_bytes
										  : 0;
}

static struct look look_of(struct page *page, const struct job *job, struct answer *answer)
{
	struct ledger_site *site = page->site;
	bool is_known = page_good(page, answer->page) != NULL;
	if (!is_known)
		find_foreign(page, answer);
	if (!is_known)
		answer->has_signs = signs_of_defacement(answer->content, good_bytes_of(page));
	return (struct look){
	    .now_s = keeper_now_s(),
	    .digest = answer->page,
	    .status = answer->head.status,
	    .is_text = look_is_text(answer->head.status,
				    answer->head.fields[PAGE_FIELD_CONTENT_TYPE]),
	    .is_variant = job->agent != JOB_AGENT_BROWSER,
	    .is_severe = answer->evidence.len > 0 || answer->has_signs,
	    .is_published = site->publish_until_s > keeper_now_s(),
	    .origins = (unsigned)page_route(page)->n,
	};
}

/* ---- keeping ---- */

/* out: its digest, as the scout says it. */
static bool put_content(const struct page *page, const struct answer *answer, uint8_t out[DIGEST_SIZE])
{
	struct err err = {{0}};
	if (!vault_content_put(keeper.vault, answer->content.ptr, answer->content.len, out, &err))
		return keeper_failed(&err);
	if (memcmp(out, answer->content_digest, DIGEST_SIZE) == 0)
		return true;
	err_set(&err, "the scout's digest of %.100s is not that of its content", page->key);
	return keeper_failed(&err);
}

static bool add_version(struct page *page, const struct job *job, const struct answer *answer,
			enum vault_state state, const char *reason, struct vault_version *out)
{
	struct err err = {{0}};
	*out = (struct vault_version){
	    .page = page->id,
	    .state = state,
	    .samples = 1,
	    .head = answer->head,
	    .content_bytes = answer->content.len,
	    .first_seen_s = keeper_now_s(),
	    .last_seen_s = keeper_now_s(),
	};
	memcpy(out->digest, answer->page, DIGEST_SIZE);
	snprintf(out->origin, sizeof(out->origin), "%.*s", (int)sizeof(out->origin) - 1, job->origin);
	snprintf(out->reason, sizeof(out->reason), "%s", reason);
	return put_content(page, answer, out->content) &&
	       (vault_version_add(keeper.vault, out, keeper_now_s(), &err) || keeper_failed(&err));
}

/* What was rejected stays so, and what is good is marked by others. */
static bool changes_state(enum vault_state from, enum vault_state to)
{
	if (from == to || from == VAULT_REJECTED)
		return false;
	return to == VAULT_HELD ? from != VAULT_GOOD : to == VAULT_GOOD;
}

/* The version of this page, seen once more or for the first time. */
static bool keep(struct page *page, const struct job *job, const struct answer *answer,
		 enum vault_state state, const char *reason, struct vault_version *out)
{
	struct err err = {{0}};
	if (!keeper_begin() || (page->id == 0 && !keeper_put_page(page)))
		return false;
	if (!vault_version_find(keeper.vault, page->id, answer->page, out))
		return add_version(page, job, answer, state, reason, out);
	if (!vault_version_seen(keeper.vault, out->id, keeper_now_s(), &err))
		return keeper_failed(&err);
	if (!changes_state(out->state, state))
		return true;
	out->state = state;
	return keeper_mark(out->id, state, reason);
}

/* ---- what follows from a look ---- */

/* Whether the vault has it is asked each time; what it has is read now and then. */
static bool is_content_kept(struct page *page, const struct answer *answer)
{
	struct strbuf stored;
	bool is_there = vault_content_exists(keeper.vault, answer->content_digest, answer->content.len);
	if (is_there && clock_since(page->content_read_s, page->looked_s) < TOUCH_S)
		return true;
	page->content_read_s = page->looked_s;
	strbuf_init(&stored, answer->content.len + 1);
	bool is_kept = vault_content_get(keeper.vault, answer->content_digest, &stored, NULL);
	strbuf_release(&stored);
	return is_kept;
}

/* A disk loses files, and people clear it: a good page that comes by is as good as what was lost of it. */
static void mend_content(struct page *page, const struct answer *answer)
{
	uint8_t content[DIGEST_SIZE];
	if (is_content_kept(page, answer) || !keeper_begin() || !put_content(page, answer, content))
		return;
	log_info("site %s: the vault's content of %s was lost, and is there again", page->site->plan->name, page->key);
	keeper.error_passes = true;
	keeper_baseline_due("a content that was lost is there again");
}

static void note_known(struct page *page, const struct answer *answer)
{
	static struct vault_version version;
	struct err err = {{0}};
	bool is_over = page->look == LOOK_GOOD && page->good_run >= GOOD_RUN * page_route(page)->n &&
		       clock_since(page->visitors_s, keeper_now_s()) >= QUIET_S;
	if (page->held != SEVERITY_UNSET && is_over && keeper_clear_held(page))
		log_info("site %s: %s is good again", page->site->plan->name, page->key);
	if (page->looked_s - page->touched_s < TOUCH_S || !keeper_begin())
		return;
	page->touched_s = page->looked_s;
	if (vault_version_find(keeper.vault, page->id, answer->page, &version) &&
	    !vault_version_seen(keeper.vault, version.id, page->looked_s, &err))
		(void)keeper_failed(&err);
}

static void accept_page(struct page *page)
{
	static struct vault_version version;
	learn_accept(page);
	if (!keeper_put_page(page))
		return;
	/* the last one marked is the one that is served */
	for (unsigned i = page->n_good; i-- > 0;)
		if (vault_version_find(keeper.vault, page->id, page->good[i].digest, &version) &&
		    version.state != VAULT_GOOD &&
		    !keeper_mark(version.id, VAULT_GOOD, "it stayed the same"))
			return;
	keeper_baseline_due("pages were learned");
}

static void publish(struct page *page, const struct job *job, const struct answer *answer)
{
	static struct vault_version version;
	static const char why[] = "published in a window";
	uint8_t retired[PAGE_GOOD_MAX][DIGEST_SIZE];
	if (!keep(page, job, answer, VAULT_GOOD, why, &version) || version.state == VAULT_REJECTED)
		return;
	struct page_mark mark = keeper_mark_of(&version);
	mark.last_s = keeper_now_s();
	unsigned n = learn_publish(page, &mark, retired);
	if (keeper_retire(page, retired, n, why) && keeper_put_page(page) &&
	    keeper_audit("keeper", "publish", page->site, page->key, version.number, why) &&
	    (page->held == SEVERITY_UNSET || keeper_clear_held(page)))
		keeper_baseline_due(why);
}

static const char *what_is_wrong(const struct page *page, const struct answer *answer)
{
	if (answer->evidence.len > 0)
		return "it leads to a host that the site is not known for";
	if (answer->has_signs)
		return "it bears the signs of a defacement";
	if (learn_seems_to_vary(page))
		return "it is another at each look; where that is as it should be, forget it, and it is learned anew";
	if (page->look == LOOK_CLOAKED)
		return "as a search engine or a phone gets it, it is none of its known-good versions";
	if (page->look == LOOK_GONE)
		return "it is gone from every origin";
	return "it is none of its known-good versions";
}

/* One look more, at once and at the next origin, says whether it was a slip; and a severe one wants to know
 * of the site's other pages. */
static void look_closer(struct page *page)
{
	struct page *suspects[SUSPECTS];
	if (page->changed_s == page->looked_s && page->held == SEVERITY_UNSET)
		schedule_urgent(page);
	if (page->look != LOOK_SEVERE || page->site->seal.state == GUARD_SEALED)
		return;
	unsigned n = seal_suspects(page->site, suspects, SUSPECTS);
	for (unsigned i = 0; i < n; i++)
		schedule_urgent(suspects[i]);
}

static void hold(struct page *page, const struct job *job, const struct answer *answer)
{
	static struct vault_version version;
	const char *wrong = what_is_wrong(page, answer);
	bool is_bad = page->look == LOOK_SEVERE || page->look == LOOK_ASTRAY;
	look_closer(page);
	if (!keep(page, job, answer, VAULT_HELD, wrong, &version) || version.state == VAULT_REJECTED)
		return;
	const struct held_facts facts = {
	    .digest = answer->page,
	    .severity = is_bad ? SEVERITY_SEVERE : SEVERITY_CHANGED,
	    .reason = wrong,
	    .host = answer->evidence,
	    .version = version.id,
	    .times = 1,
	};
	keeper_hold(page->site, page_key(page), &facts);
}

/* Nothing is known of it, and it is no page, or too much of one: seeds are asked again, others are not worth the room. */
static void give_up(struct page *page)
{
	struct err err = {{0}};
	if (page->source == SOURCE_SEED || page->source == SOURCE_ENROLLED || page->n_seen > 0)
		return;
	keeper_refuse(page->site, page_key(page));
	if (page->id != 0 && keeper_begin() && !vault_page_forget(keeper.vault, page->id, &err))
		(void)keeper_failed(&err);
	ledger_forget(page);
}

/* It is said once, and not each time when it was learned anew in vain. */
static void vary(struct page *page, bool varied_before)
{
	if (keeper_put_page(page) && !varied_before)
		log_info("site %s: %s varies, it is not guarded", page->site->plan->name, page->key);
}

static void follow(struct page *page, const struct job *job, const struct answer *answer,
		   enum learn_step step, bool varied_before)
{
	static struct vault_version version;
	switch (step) {
	case LEARN_KNOWN:
		note_known(page, answer);
		mend_content(page, answer);
		break;
	case LEARN_SAMPLE:
		(void)keep(page, job, answer, VAULT_CANDIDATE, "it is being learned", &version);
		break;
	case LEARN_ACCEPT:
		if (keep(page, job, answer, VAULT_CANDIDATE, "it is being learned", &version))
			accept_page(page);
		break;
	case LEARN_PUBLISH: publish(page, job, answer); break;
	case LEARN_HOLD: hold(page, job, answer); break;
	case LEARN_GONE:
		if (learn_is_gone(page, &page->site->plan->policy, keeper_now_s(),
				  (unsigned)page_route(page)->n))
			hold(page, job, answer);
		break;
	case LEARN_VARIES: vary(page, varied_before); break;
	case LEARN_ERROR: give_up(page); break;
	case LEARN_UNSET: break;
	}
}

/* ---- origins ---- */

static void note_origin(struct ledger_site *site, const char *text, bool answered)
{
	for (unsigned i = 0; i < site->n_origins; i++) {
		struct origin_look *origin = &site->origins[i];
		if (strcmp(origin->origin->text, text) != 0 || origin->is_down != answered)
			continue;
		origin->is_down = !answered;
		origin->since_s = keeper_now_s();
		if (answered)
			log_info("site %s: the origin %s answers the scout again", site->plan->name, text);
		else
			log_warn("site %s: the origin %s does not answer the scout", site->plan->name,
				 text);
	}
}

/* ---- samples ---- */

static void tell_state(const struct ledger_site *site, const char *state)
{
	if (site->seal.state == GUARD_SEALED) {
		log_warn("site %s is sealed: %s", site->plan->name, site->seal.why);
		keeper_tell(ALERT_SEALED, site, "", "-", "%s", site->seal.why);
		return;
	}
	log_info("site %s is %s: %s", site->plan->name, state, site->seal.why);
	if (site->seal.before == GUARD_SEALED)
		keeper_tell(ALERT_RECOVERED, site, "", "-", "%s", site->seal.why);
}

void keeper_state_changed(struct ledger_site *site)
{
	static const char *const verbs[GUARD_STATE_COUNT] = {"-", "learning", "guard", "seal",
							     "recover"};
	tell_state(site, guard_state_name(site->seal.state));
	keeper_report_state(site);
	if (keeper_put_site(site) &&
	    keeper_audit("keeper", verbs[site->seal.state], site, NULL, 0, site->seal.why))
		return;
	log_error("site %s: its state is not recorded", site->plan->name);
}

void keeper_judge_site(struct ledger_site *site)
{
	if (seal_judge(site, keeper_now_s(), keeper_now_ms()) == SEAL_CHANGED)
		keeper_state_changed(site);
}

static void end_panel_look(struct ledger_site *site, const struct job *job, bool is_good)
{
	if (job->purpose == FETCH_PANEL &&
	    seal_looked(site, is_good, keeper_now_s(), keeper_now_ms()) == SEAL_CHANGED)
		keeper_state_changed(site);
}

/* An origin that is only starting is asked again soon; what it begins and does not finish, ever more seldom. */
static uint64_t wait_after_failure(const struct page *page, enum sample_outcome outcome)
{
	uint64_t wait_ms = learn_wait_ms(page, &page->site->plan->policy);
	uint64_t soon_ms = (uint64_t)FAIL_FIRST_MS << (page->looks < 10 ? page->looks : 10);
	bool begins = outcome == SAMPLE_TIMEOUT || outcome == SAMPLE_BROKEN;
	uint64_t most_ms = begins ? ERROR_WAIT_MS : FAIL_WAIT_MS;
	if (page->looked_s == 0)
		return soon_ms < most_ms ? soon_ms : most_ms;
	return wait_ms > FAIL_WAIT_MS ? wait_ms : FAIL_WAIT_MS;
}

/* A download beyond all measure, a stream of events without an end: no page that could be known, and each look at
 * it costs the origin more than a page. */
static bool is_hopeless(const struct page *page, enum sample_outcome outcome)
{
	bool others_come = clock_since(page->site->looked_s, keeper_now_s()) <= ALIVE_S;
	bool never_ends = (outcome == SAMPLE_TIMEOUT || outcome == SAMPLE_BROKEN) && others_come;
	return page->looked_s == 0 &&
	       (outcome == SAMPLE_TOO_LARGE || (never_ends && page->looks >= TRIES_MAX));
}

/* No answer, or one of the server's own trouble: nothing is learned by it. */
static void take_failure(struct ledger_site *site, struct page *page, const struct job *job,
			 enum sample_outcome outcome)
{
	site->failures++;
	page->looks++;
	if (page->look != LOOK_SEVERE)
		page->look = LOOK_FAILED;
	bool hopeless = is_hopeless(page, outcome);
	schedule_page_done(page, keeper_now_ms(), hopeless ? ERROR_WAIT_MS : wait_after_failure(page, outcome));
	end_panel_look(site, job, false);
	if (hopeless)
		give_up(page);
}

static void take_answer(struct ledger_site *site, struct page *page, const struct job *job,
			const struct scout_sample *sample, struct span content)
{
	static struct answer answer;
	read_answer(sample, content, &answer);
	if (look_is_trouble(sample->status) && !page_good(page, answer.page)) {
		take_failure(site, page, job, SAMPLE_WHOLE);
		return;
	}
	const struct look look = look_of(page, job, &answer);
	bool varied_before = page->policy == BASELINE_VARYING;
	enum learn_step step = learn_look(page, &site->plan->policy, &look);
	uint64_t wait_ms = step == LEARN_ERROR ? ERROR_WAIT_MS : 0;
	bool is_good = page->policy == BASELINE_EXACT ? step == LEARN_KNOWN || step == LEARN_PUBLISH
						      : !look.is_severe;
	site->looked_s = look.now_s;
	if (is_good && job->links_plan != 0)
		page->links_plan = job->links_plan;
	schedule_page_done(page, keeper_now_ms(),
			   wait_ms ? wait_ms : learn_wait_ms(page, &site->plan->policy));
	follow(page, job, &answer, step, varied_before); /* may forget the page */
	end_panel_look(site, job, is_good);
	keeper_judge_site(site);
}

static void take_sitemap(struct ledger_site *site, const struct job *job, bool answered)
{
	schedule_sitemap_done(site, job->index, answered, keeper_now_ms());
}

void keeper_take_sample(const struct job *job, const struct scout_sample *sample, struct span content)
{
	struct ledger_site *site = ledger_site(&keeper.ledger, job->site);
	if (!site || !keeper.vault)
		return;
	bool answered = sample && (sample->outcome == SAMPLE_WHOLE || sample->outcome == SAMPLE_TOO_LARGE);
	struct page *page = job->purpose == FETCH_SITEMAP
				? NULL
				: ledger_find(&keeper.ledger, site, span_from_str(job->key));
	if (sample)
		note_origin(site, job->origin, answered);
	if (job->purpose == FETCH_SITEMAP) {
		take_sitemap(site, job, answered);
	} else if (!page) {
		schedule_forgotten(site);
		end_panel_look(site, job, false);
	} else if (answered && sample->outcome == SAMPLE_WHOLE) {
		take_answer(site, page, job, sample, content);
	} else {
		take_failure(site, page, job, sample ? (enum sample_outcome)sample->outcome : SAMPLE_UNSET);
	}
	if (!site->enrolled && schedule_is_enrolled(site)) {
		site->enrolled = true;
		log_info("site %s: all that was found has been fetched once: %u pages",
			 site->plan->name, site->n_pages);
	}
}

/* ---- links ---- */

/* What a page that a visitor made up leads to, he made up too. */
static enum page_source source_of(const struct ledger_site *site, const struct job *job)
{
	if (job->purpose == FETCH_SITEMAP)
		return SOURCE_SITEMAP;
	const struct page *from = ledger_find(&keeper.ledger, site, span_from_str(job->key));
	return from && from->source != SOURCE_NOMINATED ? SOURCE_LINK : SOURCE_NOMINATED;
}

static void take_link(struct ledger_site *site, const struct job *job, struct span target,
		      uint32_t kind)
{
	static char plain[PAGE_KEY_MAX];
	bool from_sitemap = job->purpose == FETCH_SITEMAP;
	if (kind == LINK_TO_HOST)
		return; /* no page of ours */
	if (kind == LINK_TO_SITEMAP) {
		if (from_sitemap)
			schedule_sitemap(site, target, JOB_LINKS_SITEMAP, keeper_now_ms());
		return;
	}
	if (kind != LINK_TO_PAGE || target.len > sizeof(plain))
		return;
	memcpy(plain, target.ptr, target.len);
	target.len = page_key_make_plain(&site->plan->policy.ignore_query, plain, target.len);
	target.ptr = plain;
	if (keeper_is_refused(site, target))
		return;
	struct page *page = ledger_add(site, target, source_of(site, job),
				       from_sitemap ? 0 : job->depth + 1);
	if (!page || page->looked_s != 0 || page->due_ms != UINT64_MAX || page->in_flight)
		return;
	ledger_due(page, keeper_now_ms());
	/* a keeper that starts again asks no known page for its links */
	if (page->id == 0 && !keeper_put_page(page))
		log_debug("a page that was found is not recorded");
}

void keeper_take_links(const struct job *job, const struct scout_links *links)
{
	struct ledger_site *site = ledger_site(&keeper.ledger, job->site);
	if (!site || !keeper.vault || links->kind <= LINK_UNSET || links->kind >= LINK_KINDS)
		return;
	for (size_t at = 0; at < links->bytes;) {
		struct span target = span_from_str(links->text + at);
		take_link(site, job, target, links->kind);
		at += target.len + 1;
	}
}

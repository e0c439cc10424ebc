/* The keeper and its vault: opening it, what is known from it, changes in batches, and the baselines that
 * they lead to. A change that fails is an event; nothing of its batch counts then, and memory is read
 * anew from the vault, so that the two never differ for long. */
#include <string.h>
#include <unistd.h>

#include "proc/keeper.h"
#include "sallyport/clock.h"
#include "sallyport/log.h"
#include "sallyport/shm.h"

enum {
	COMMIT_MS = 40,
	COMMIT_MAX_MS = 10000,
	BROKEN_MS = 5000,
	BASELINE_SHARE = 10, /* of the time, at most, goes into making baselines */
	RETRY_VAULT_MS = 500,
	EVICT_MS = 60000,
	VERSIONS_LOADED = 64, /* of a page, the newest */
};

/* ---- findings ---- */

static void on_finding(void *context, enum vault_finding finding, const char *text)
{
	(void)context;
	if (finding == VAULT_KEY_MADE) {
		log_info("vault: %s", text);
		return;
	}
	keeper.error_passes = finding == VAULT_DISK_FULL || finding == VAULT_WRITE_FAILED;
	/* an attempt to open it that fails as the last one did is no news */
	if (keeper.retries == 0) {
		log_error("vault: %s: %s", vault_finding_name(finding), text);
		keeper_tell(ALERT_VAULT, NULL, "", vault_finding_name(finding), "%s", text);
	}
	snprintf(keeper.figures.vault_error, sizeof(keeper.figures.vault_error), "%s: %s",
		 vault_finding_name(finding), text);
}

/* ---- baselines ---- */

/* The bytes are taken over from text. */
static bool publish(struct strbuf *text, struct err *err)
{
	struct baseline_order order = {.bytes = text->len};
	struct baseline baseline;
	vault_public_key(keeper.vault, order.key);
	if (!baseline_open(text->data, text->len, order.key, &baseline, err))
		return false;
	int fd = shm_constant("sallyport-baseline", text->data, text->len, err);
	if (fd < 0)
		return false;
	helper_report_fd(REPORT_BASELINE, &order, sizeof(order), fd);
	close(fd);
	strbuf_release(&keeper.baseline_bytes);
	keeper.baseline_bytes = *text;
	keeper.baseline = baseline;
	keeper.has_baseline = true;
	keeper.figures.baseline = baseline.number;
	keeper.figures.baseline_s = baseline.made_s;
	return true;
}

static void publish_last(void)
{
	struct strbuf text;
	struct err err = {{0}};
	strbuf_init(&text, BASELINE_BYTES_MAX);
	if (!vault_baseline_load(keeper.vault, &text, &err)) {
		strbuf_release(&text);
		keeper_baseline_due("none was there at the start");
		return;
	}
	if (publish(&text, &err))
		return;
	log_error("vault: the newest baseline cannot be used: %s", err.text);
	strbuf_release(&text);
	keeper_baseline_due("the newest could not be used");
}

/* ---- batches ---- */

static void plan_commit(void)
{
	uint64_t wait_ms = keeper.pause_ms > COMMIT_MS ? keeper.pause_ms : COMMIT_MS;
	if (keeper.commit.heap_pos == 0)
		loop_arm(keeper.life.loop, &keeper.commit, keeper_now_ms() + wait_ms);
}

static void on_commit(struct timer *timer)
{
	struct err err = {{0}};
	(void)timer;
	if (!keeper_commit(&err))
		log_error("vault: what changed does not count yet: %s", err.text);
}

bool keeper_begin(void)
{
	struct err err = {{0}};
	if (!keeper.vault || keeper.broken_ms > keeper_now_ms())
		return false;
	if (keeper.in_batch)
		return true;
	if (!vault_begin(keeper.vault, &err))
		return keeper_failed(&err);
	keeper.in_batch = true;
	plan_commit();
	return true;
}

bool keeper_failed(const struct err *err)
{
	if (keeper.broken_ms > keeper_now_ms())
		return false;
	log_error("vault: a change was not made: %s", err->text);
	keeper_undo(true);
	/* a disk that is full is so for a while */
	keeper.broken_ms = keeper_now_ms() + BROKEN_MS;
	loop_arm(keeper.life.loop, &keeper.commit, keeper.broken_ms);
	return false;
}

void keeper_undo(bool changed)
{
	if (keeper.in_batch)
		vault_abort(keeper.vault);
	keeper.in_batch = keeper.baseline_due = false;
	keeper.reload_due = keeper.reload_due || changed;
	if (changed)
		loop_arm(keeper.life.loop, &keeper.commit, keeper_now_ms() + COMMIT_MS);
}

void keeper_baseline_due(const char *reason)
{
	if (!keeper.baseline_due)
		snprintf(keeper.reason, sizeof(keeper.reason), "%s", reason);
	keeper.baseline_due = true;
	plan_commit();
}

static bool make_baseline(struct strbuf *text, struct err *err)
{
	if (!keeper.baseline_due)
		return true;
	uint64_t begin_ms = clock_mono_ms();
	if (!keeper_begin() ||
	    !vault_baseline_make(keeper.vault, keeper.reason, keeper_now_s(), text, err))
		return false;
	keeper.pause_ms = (clock_mono_ms() - begin_ms) * BASELINE_SHARE;
	if (keeper.pause_ms > COMMIT_MAX_MS)
		keeper.pause_ms = COMMIT_MAX_MS;
	return true;
}

static void reload_all(void)
{
	keeper.reload_due = false;
	for (size_t i = 0; i < keeper.ledger.n; i++)
		if (!keeper_reload_site(keeper.ledger.sites[i]))
			return;
	keeper_schedule();
}

/* Between two batches: files can go only when the change that let go of them stands. */
static void evict(void)
{
	struct vault_eviction gone = {0};
	struct err err = {{0}};
	if (keeper_now_ms() - keeper.evict_ms < EVICT_MS)
		return;
	keeper.evict_ms = keeper_now_ms();
	if (!vault_evict(keeper.vault, keeper.plan->vault_bytes, keeper.plan->vault_versions, &gone,
			 &err)) {
		(void)keeper_failed(&err);
		return;
	}
	if (gone.over_size)
		log_warn("vault: what has to be kept is more than vault.size");
	if (!gone.baseline_changed)
		return;
	keeper_baseline_due("old versions had to make way");
	keeper.reload_due = true;
}

static bool commit(struct strbuf *text, struct err *err)
{
	if (!make_baseline(text, err))
		return false;
	if (!keeper.in_batch)
		return true;
	keeper.in_batch = false;
	return vault_commit(keeper.vault, err);
}

bool keeper_commit(struct err *err)
{
	struct strbuf text;
	loop_disarm(keeper.life.loop, &keeper.commit);
	if (!keeper.vault)
		return err_set(err, "the vault cannot be read now");
	if (keeper.broken_ms > keeper_now_ms())
		return err_set(err, "the vault takes no change now: %.200s",
			       keeper.figures.vault_error);
	strbuf_init(&text, BASELINE_BYTES_MAX);
	bool ok = commit(&text, err);
	if (!ok)
		(void)keeper_failed(err);
	else if (text.len > 0)
		ok = publish(&text, err);
	if (!ok || text.len == 0)
		strbuf_release(&text);
	keeper.baseline_due = keeper.baseline_due && !ok;
	if (ok && keeper.error_passes)
		keeper.figures.vault_error[0] = '\0';
	keeper.error_passes = keeper.error_passes && !ok;
	if (ok)
		evict();
	if (ok && keeper.reload_due)
		reload_all();
	return ok;
}

/* ---- records ---- */

bool keeper_put_site(struct ledger_site *site)
{
	static struct vault_site record;
	struct err err = {{0}};
	record = (struct vault_site){
	    .id = site->plan->id,
	    .state = site->seal.state,
	    .since_s = site->seal.since_s,
	    .confirmed = site->confirmed,
	    .publish_until_s = site->publish_until_s,
	};
	snprintf(record.name, sizeof(record.name), "%s", site->plan->name);
	snprintf(record.reason, sizeof(record.reason), "%s", site->seal.why);
	return keeper_begin() &&
	       (vault_site_put(keeper.vault, &record, &err) || keeper_failed(&err));
}

bool keeper_put_page(struct page *page)
{
	static struct vault_page record;
	struct err err = {{0}};
	if (!keeper_begin())
		return false;
	record = (struct vault_page){
	    .id = page->id,
	    .site = page->site->plan->id,
	    .policy = page->policy,
	    .depth = page->depth,
	    .source = page->source,
	    .first_seen_s = keeper_now_s(),
	    .last_seen_s = page->looked_s,
	};
	memcpy(record.key, page->key, page->key_len + 1);
	if (!vault_page_put(keeper.vault, &record, &err))
		return keeper_failed(&err);
	page->id = record.id;
	return true;
}

bool keeper_mark(int64_t version, enum vault_state state, const char *reason)
{
	struct err err = {{0}};
	return keeper_begin() &&
	       (vault_mark(keeper.vault, version, state, reason, keeper_now_s(), &err) ||
		keeper_failed(&err));
}

bool keeper_retire(struct page *page, uint8_t digests[][DIGEST_SIZE], unsigned n, const char *reason)
{
	static struct vault_version version;
	for (unsigned i = 0; i < n; i++)
		if (vault_version_find(keeper.vault, page->id, digests[i], &version) &&
		    !keeper_mark(version.id, VAULT_RETIRED, reason))
			return false;
	return true;
}

bool keeper_audit(const char *who, const char *what, const struct ledger_site *site, const char *url,
		  uint32_t version, const char *why)
{
	struct err err = {{0}};
	const struct vault_decision decision = {
	    .who = who,
	    .what = what,
	    .site = site->plan->name,
	    .url = url,
	    .version = version,
	    .why = why && why[0] ? why : NULL,
	};
	return keeper_begin() && (vault_audit(keeper.vault, &decision, keeper_now_s(), &err) ||
				  keeper_failed(&err));
}

/* ---- loading ---- */

struct ranked {
	struct page_mark mark;
	int64_t rank;
};

struct loading {
	struct page *page;
	struct ranked good[PAGE_GOOD_MAX];
	unsigned n, n_versions;
	uint64_t last_s, held_first_s, held_last_s;
};

struct page_mark keeper_mark_of(const struct vault_version *version)
{
	struct page_mark mark = {.first_s = version->first_seen_s,
				 .last_s = version->last_seen_s,
				 .samples = version->samples,
				 .pinned = version->pinned};
	memcpy(mark.digest, version->digest, DIGEST_SIZE);
	return mark;
}

/* The one that is served comes first. */
static void load_good(struct loading *loading, const struct vault_version *version)
{
	int64_t rank = version->pinned ? INT64_MAX : version->rank;
	unsigned at = loading->n < PAGE_GOOD_MAX ? loading->n++ : PAGE_GOOD_MAX;
	while (at > 0 && loading->good[at - 1].rank < rank) {
		if (at < PAGE_GOOD_MAX)
			loading->good[at] = loading->good[at - 1];
		at--;
	}
	if (at < PAGE_GOOD_MAX)
		loading->good[at] = (struct ranked){keeper_mark_of(version), rank};
}

/* Its samples are those that were taken since anything else was seen, as far as that can be told. */
static void load_candidate(struct page *page, const struct vault_version *version)
{
	if (page->n_seen == PAGE_SEEN_MAX)
		return;
	page->seen[page->n_seen++] = keeper_mark_of(version);
	if (version->first_seen_s > page->quiet_since_s)
		page->quiet_since_s = version->first_seen_s;
	page->quiet = page->n_seen == 1 ? version->samples : 1;
}

static bool on_version(void *context, const struct vault_version *version)
{
	struct loading *loading = context;
	struct page *page = loading->page;
	struct span type = version->head.fields[PAGE_FIELD_CONTENT_TYPE];
	page->is_text = page->is_text || look_is_text(version->head.status, type);
	if (version->state == VAULT_GOOD)
		load_good(loading, version);
	else if (version->state == VAULT_CANDIDATE && page->policy == BASELINE_LEARNING)
		load_candidate(page, version);
	if (version->state == VAULT_HELD && version->last_seen_s > loading->held_last_s) {
		loading->held_last_s = version->last_seen_s;
		loading->held_first_s = version->first_seen_s;
	}
	if (version->state == VAULT_GOOD && version->last_seen_s > loading->last_s)
		loading->last_s = version->last_seen_s;
	return ++loading->n_versions < VERSIONS_LOADED;
}

static void load_versions(struct page *page)
{
	static struct loading loading;
	loading = (struct loading){.page = page};
	vault_versions(keeper.vault, page->id, on_version, &loading);
	for (unsigned i = 0; i < loading.n; i++)
		page->good[i] = loading.good[i].mark;
	page->n_good = loading.n;
	if (page->policy == BASELINE_EXACT && page->n_good == 0)
		page_learn_anew(page, keeper_now_s());
	if (page->policy == BASELINE_EXACT && loading.held_last_s > loading.last_s) {
		page->changed_s = loading.held_first_s;
		page->look = LOOK_CHANGED;
	}
	/* too many to tell: nothing is lost but time */
	if (page->n_seen == PAGE_SEEN_MAX)
		page->n_seen = page->quiet = 0;
}

struct page_loading {
	struct ledger_site *site;
	bool exact; /* these first: there may be no room for all */
	unsigned n;
};

static bool on_page(void *context, const struct vault_page *record)
{
	struct page_loading *loading = context;
	if ((record->policy == BASELINE_EXACT) != loading->exact)
		return true;
	struct page *page = ledger_add(loading->site, span_from_str(record->key),
				       (enum page_source)record->source, record->depth);
	if (!page)
		return true;
	page->id = record->id;
	page->policy = record->policy == BASELINE_UNSET ? BASELINE_LEARNING : record->policy;
	page->looked_s = page->touched_s = record->last_seen_s;
	/* spread over the time in which all of them have their turn anyway */
	if (!page->in_flight)
		ledger_due(page, keeper_now_ms() + loading->n++);
	return true;
}

static bool on_held(void *context, const struct vault_held *held)
{
	struct page *page = ledger_find(&keeper.ledger, context, span_from_str(held->key));
	if (page && held->severity < SEVERITIES && page->held < held->severity)
		page->held = (uint8_t)held->severity;
	return true;
}

static void load_pages(struct ledger_site *site)
{
	struct page_loading exact = {.site = site, .exact = true}, others = {.site = site};
	vault_pages(keeper.vault, site->plan->id, on_page, &exact);
	vault_pages(keeper.vault, site->plan->id, on_page, &others);
	for (struct page *page = site->pages; page; page = page->next)
		if (page->id != 0)
			load_versions(page);
	vault_held_list(keeper.vault, site->plan->id, on_held, site);
}

static bool load_site(struct ledger_site *site)
{
	static struct vault_site record;
	bool is_known = vault_site_get(keeper.vault, site->plan->id, &record);
	bool was_enrolled = site->is_loaded && site->enrolled;
	site->is_loaded = true;
	site->confirmed = is_known ? record.confirmed || !site->plan->policy.confirm
				   : !site->plan->policy.confirm;
	if (is_known) {
		site->publish_until_s = record.publish_until_s;
		load_pages(site);
		seal_restore(site, (enum guard_state)record.state, record.reason, record.since_s,
			     keeper_now_ms());
	} else {
		site->seal.since_s = keeper_now_s();
		keeper_baseline_due("a site is guarded now");
	}
	/* seeds that are no pages yet are missing in the vault */
	schedule_enrol(site, keeper_now_ms());
	site->enrolled = was_enrolled;
	if (!keeper_put_site(site))
		return false;
	keeper_judge_site(site);
	keeper_report_state(site);
	return true;
}

/* What the vault does not know of stays to be learned. */
bool keeper_reload_site(struct ledger_site *site)
{
	for (struct page *page = site->pages; page; page = page->next) {
		page_learn_anew(page, keeper_now_s());
		page->id = 0;
		page->held = SEVERITY_UNSET;
	}
	return load_site(site);
}

void keeper_load_sites(void)
{
	for (size_t i = 0; keeper.vault && i < keeper.ledger.n; i++)
		if (!keeper.ledger.sites[i]->is_loaded && !load_site(keeper.ledger.sites[i]))
			return;
}

/* ---- opening ---- */

static bool open_it(bool anew, struct err *err)
{
	const struct vault_options options = {
	    .directory = keeper.life.order.vault,
	    .writes = true,
	    .anew = anew,
	    .on_finding = on_finding,
	};
	enum vault_opened opened = vault_open(&options, &keeper.vault, err);
	if (opened == VAULT_DAMAGED && !anew) {
		log_error("vault: it cannot be read, learning begins anew: %s", err->text);
		keeper_tell(ALERT_VAULT, NULL, "", "damaged", "it cannot be read, learning begins anew: %s",
			    err->text);
		return open_it(true, err);
	}
	return opened == VAULT_OPENED;
}

static void on_retry(struct timer *timer)
{
	(void)timer;
	keeper_open_vault();
}

void keeper_open_vault(void)
{
	struct err err = {{0}};
	keeper.commit.on_expiry = on_commit;
	keeper.retry.on_expiry = on_retry;
	if (!open_it(false, &err)) {
		if (keeper.retries++ == 0) {
			log_error("vault: it cannot be opened, nothing is known meanwhile: %s",
				  err.text);
			keeper_tell(ALERT_VAULT, NULL, "", "not-opened", "%s", err.text);
		}
		snprintf(keeper.figures.vault_error, sizeof(keeper.figures.vault_error), "%.180s",
			 err.text);
		keeper.vault = NULL;
		loop_arm(keeper.life.loop, &keeper.retry, keeper_now_ms() + RETRY_VAULT_MS);
		return;
	}
	if (keeper.retries > 0) {
		log_info("vault: it can be read again");
		keeper.figures.vault_error[0] = '\0';
	}
	keeper.retries = 0;
	keeper.figures.vault_ok = 1;
	keeper.evict_ms = keeper_now_ms();
	publish_last();
	keeper_load_sites();
	keeper_schedule();
}

void keeper_close_vault(void)
{
	struct err err = {{0}};
	if (!keeper.vault)
		return;
	if (!keeper_commit(&err))
		log_error("vault: what was learned last is lost: %s", err.text);
	vault_close(keeper.vault);
	keeper.vault = NULL;
}

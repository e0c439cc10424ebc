/* What workers nominate, and what waits for an operator. Workers are trusted with nothing: a nomination
 * causes a look within the site's rate, and an entry in a bounded list. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "proc/keeper.h"
#include "sallyport/clock.h"
#include "sallyport/hash.h"
#include "sallyport/log.h"

enum {
	BURST = 256,          /* nominations that are taken at a time */
	VISIT_MS = 100,       /* rings are emptied so often while there is something */
	LOOK_AGAIN_S = 2,     /* a page that workers hold is looked at so often at most */
	REMEMBERED = 64,      /* holds that were told of a moment ago */
	SAME_HOLD_MS = 1000,
};

/* ---- keys that are no pages ---- */

static uint64_t hash_of(const struct ledger_site *site, struct span key)
{
	uint64_t hash = hash_add_span(site->plan->id ^ keeper.ledger.seed, key);
	hash ^= hash >> 29;
	return hash ? hash : 1;
}

bool keeper_is_refused(const struct ledger_site *site, struct span key)
{
	uint64_t hash = hash_of(site, key);
	size_t slot = hash % REFUSED_KEYS;
	return keeper.refused[slot] == hash && keeper.refused_ms[slot] > keeper_now_ms();
}

void keeper_refuse(const struct ledger_site *site, struct span key)
{
	uint64_t hash = hash_of(site, key);
	keeper.refused[hash % REFUSED_KEYS] = hash;
	keeper.refused_ms[hash % REFUSED_KEYS] = keeper_now_ms() + REFUSED_MS;
}

/* ---- holds ---- */

/* The same page held with the same content a moment ago: it counts with the next one. */
static bool was_told(const struct ledger_site *site, struct span key, const uint8_t *digest)
{
	static struct {
		uint64_t hash, until_ms;
	} told[REMEMBERED];
	uint64_t hash = hash_of(site, key), word = 0;
	if (digest)
		memcpy(&word, digest, sizeof(word));
	hash ^= word;
	size_t slot = hash % REMEMBERED;
	if (told[slot].hash == hash && told[slot].until_ms > keeper_now_ms())
		return true;
	told[slot].hash = hash;
	told[slot].until_ms = keeper_now_ms() + SAME_HOLD_MS;
	return false;
}

static bool is_rejected(const struct page *page, const uint8_t *digest)
{
	static struct vault_version version;
	return page && page->id != 0 && digest &&
	       vault_version_find(keeper.vault, page->id, digest, &version) &&
	       version.state == VAULT_REJECTED;
}

static void copy_text(char *out, size_t room, struct span text)
{
	size_t len = text.len < room - 1 ? text.len : room - 1;
	if (len > 0)
		memcpy(out, text.ptr, len);
	out[len] = '\0';
	ascii_replace_controls(out, len);
}

void keeper_hold(struct ledger_site *site, struct span key, const struct held_facts *facts)
{
	static struct vault_held held;
	struct page *page = ledger_find(&keeper.ledger, site, key);
	struct err err = {{0}};
	bool is_new = false;
	if (key.len > PAGE_KEY_MAX || is_rejected(page, facts->digest) || !keeper_begin())
		return;
	held = (struct vault_held){
	    .site = site->plan->id,
	    .severity = facts->severity,
	    .first_s = keeper_now_s(),
	    .last_s = keeper_now_s(),
	    .times = facts->times,
	    .version = facts->version,
	};
	copy_text(held.key, sizeof(held.key), key);
	copy_text(held.reason, sizeof(held.reason), span_from_str(facts->reason));
	copy_text(held.host, sizeof(held.host), facts->host);
	if (facts->digest)
		memcpy(held.digest, facts->digest, DIGEST_SIZE);
	if (!vault_hold(keeper.vault, &held, &is_new, &err)) {
		(void)keeper_failed(&err);
		return;
	}
	bool is_worse = page ? page->held < facts->severity : is_new;
	if (page && is_worse)
		page->held = (uint8_t)facts->severity;
	if (!is_worse)
		return;
	log_warn("site %s: %s is held: %s%s%s", site->plan->name, held.key, held.reason,
		 held.host[0] ? ", " : "", held.host);
	/* what a worker held, it told itself */
	if (facts->version != 0)
		keeper_tell(ALERT_HELD, site, held.key, reason_name(REASON_GUARD_CHANGED), "%s%s%s",
			    held.reason, held.host[0] ? ", leads to " : "", held.host);
}

bool keeper_clear_held(struct page *page)
{
	struct err err = {{0}};
	page->held = SEVERITY_UNSET;
	return keeper_begin() && (vault_held_clear(keeper.vault, page->site->plan->id, page->key, NULL,
						   &err) ||
				  keeper_failed(&err));
}

/* ---- nominations ---- */

static bool is_zero(const uint8_t digest[DIGEST_SIZE])
{
	static const uint8_t zero[DIGEST_SIZE];
	return memcmp(digest, zero, DIGEST_SIZE) == 0;
}

/* A path that only an attacker asks for is looked at once in REFUSED_MS. */
static struct page *page_of(struct ledger_site *site, struct span key)
{
	struct page *page = ledger_find(&keeper.ledger, site, key);
	if (page || keeper_is_refused(site, key))
		return page;
	page = ledger_add(site, key, SOURCE_NOMINATED, 1);
	if (page)
		ledger_due(page, keeper_now_ms());
	return page;
}

/* Not more often than that, and not never: a worker says once a minute that it holds a page. */
static void look_soon(struct page *page)
{
	uint64_t at_ms = keeper_now_ms() + LOOK_AGAIN_S * UINT64_C(1000);
	if (clock_since(page->looked_s, keeper_now_s()) >= LOOK_AGAIN_S)
		schedule_urgent(page);
	else if (!page->in_flight && page->due_ms > at_ms)
		ledger_due(page, at_ms);
}

static void take_held(struct ledger_site *site, struct span key, struct span host,
		      const struct nomination *nomination)
{
	const uint8_t *digest = is_zero(nomination->page) ? NULL : nomination->page;
	const char *reason = nomination->reason != REASON_UNSET
				 ? reason_text((enum reason)nomination->reason)
				 : "a visitor's page was held";
	struct page *page = page_of(site, key);
	if (page) {
		page->visitors_s = keeper_now_s();
		look_soon(page);
	}
	/* what the scout has seen itself it tells itself, or an operator has decided about it */
	bool is_seen = page && page->policy == BASELINE_EXACT && page->changed_s != 0 && !digest;
	if (is_seen || was_told(site, key, digest))
		return;
	const struct held_facts facts = {
	    .digest = digest,
	    .severity = (enum nomination_severity)nomination->severity,
	    .reason = reason,
	    .host = host,
	    .times = 1,
	};
	keeper_hold(site, key, &facts);
}

static void take(const struct nomination *nomination, struct span key, struct span host)
{
	struct ledger_site *site = ledger_site(&keeper.ledger, nomination->site);
	keeper.figures.nominations++;
	if (!site || !keeper.vault)
		return;
	site->nominated++;
	switch (nomination->kind) {
	case NOMINATION_SEEN: (void)page_of(site, key); break;
	case NOMINATION_HELD: take_held(site, key, host, nomination); break;
	default: break; /* an origin that fails is seen by the scout, too */
	}
}

/* True where something was there. */
static bool visit(struct log_ring *ring)
{
	static char buf[LOG_RECORD_MAX];
	struct nomination nomination;
	struct span key, host;
	int n = 0;
	while (n < BURST && nomination_take(ring, buf, &nomination, &key, &host)) {
		take(&nomination, key, host);
		n++;
	}
	return n > 0;
}

static void set_asleep(bool asleep)
{
	for (size_t i = 0; i < NOMINATION_RINGS; i++)
		if (atomic_load_explicit(&keeper.rings[i].head, memory_order_relaxed) != 0 || asleep)
			atomic_store_explicit(&keeper.rings[i].reader_asleep, asleep,
					      memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

static bool visit_all(void)
{
	bool any = false;
	uint64_t dropped = 0;
	for (size_t i = 0; i < NOMINATION_RINGS; i++) {
		any |= visit(&keeper.rings[i]);
		dropped += atomic_load_explicit(&keeper.rings[i].dropped, memory_order_relaxed);
	}
	keeper.figures.nominations_dropped = dropped;
	return any;
}

static void on_nominations(struct timer *timer)
{
	if (!visit_all()) {
		set_asleep(true);
		/* what came before the flag stood has woken nobody */
		if (!visit_all())
			return;
	}
	loop_arm(keeper.life.loop, timer, keeper_now_ms() + VISIT_MS);
	keeper_schedule();
}

static void on_event(struct watch *watch, unsigned events)
{
	uint64_t count;
	(void)events;
	if (read(watch->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_debug("the event descriptor of nominations: %s", strerror(errno));
	on_nominations(&keeper.nominations);
}

bool keeper_watch_nominations(struct err *err)
{
	keeper.nominated.on_event = on_event;
	keeper.nominations.on_expiry = on_nominations;
	loop_arm(keeper.life.loop, &keeper.nominations, keeper_now_ms());
	return loop_watch_input(keeper.life.loop, &keeper.nominated, err);
}

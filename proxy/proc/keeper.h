#ifndef PROC_KEEPER_H
#define PROC_KEEPER_H

#include "proc/alert.h"
#include "proc/helper_role.h"
#include "proc/scout_orders.h"
#include "sallyport/guard_status.h"
#include "sallyport/learn.h"
#include "sallyport/log_ring.h"
#include "sallyport/nomination.h"
#include "sallyport/schedule.h"
#include "sallyport/seal.h"
#include "sallyport/vault.h"

/* The keeper's state. Its parts: keeper_role.c (life, plan, messages), keeper_vault.c (the vault, batches
 * of changes, baselines), keeper_fetch.c (jobs for the scout), keeper_look.c (what became of them),
 * keeper_held.c (nominations, and what waits for an operator), keeper_orders.c (what an operator
 * wants), keeper_tell.c (alerts), keeper_status.c (figures).
 *
 *   nominations ─┐            ┌── jobs ──► scout ── samples ──┐
 *   plan ────────┼► schedule ─┘                               ▼
 *   orders ──────┘                                   learn, seal ──► vault ──► baseline ──► master
 *
 * Changes are gathered for COMMIT_MS, longer where baselines are large, then made in one transaction with the baseline that they lead to. */

struct job {
	uint64_t id;       /* 0: free */
	uint64_t site;
	enum fetch_purpose purpose;
	enum job_agent agent;
	unsigned index;    /* of a sitemap */
	unsigned depth;    /* of the page */
	uint32_t links_plan; /* its links are read by this plan; 0: they are not */
	uint64_t until_ms; /* the scout has to have answered */
	char origin[JOB_HOST_SIZE];
	char key[PAGE_KEY_MAX + 1];
};

enum { REFUSED_KEYS = 1024, REFUSED_MS = 600000 };

struct keeper {
	struct helper_life life;
	struct vault *vault; /* NULL: it cannot be read; nothing is known then */
	struct timer retry;  /* to open it */
	unsigned retries;    /* that failed in a row */
	struct plan *plan;
	struct ledger ledger;

	bool in_batch;
	bool baseline_due;
	uint64_t broken_ms;  /* the vault takes no change until then: one failed */
	bool error_passes;   /* what the figures say of the vault is over with the next good change */
	uint64_t pause_ms;   /* until what changed counts, at least: large baselines take their time */
	bool reload_due;     /* memory and vault may differ: a change failed */
	struct timer commit;
	char reason[VAULT_REASON_SIZE]; /* of the baseline that is due */
	struct strbuf baseline_bytes;   /* the newest one */
	struct baseline baseline;
	bool has_baseline;
	uint64_t evict_ms;   /* the last look for what is too much */

	struct guard_status *status;
	struct guard_figures figures;
	struct timer housekeeping;

	struct log_ring *rings;
	int alerts; /* to the herald */
	struct watch nominated;
	struct timer nominations;
	uint64_t refused[REFUSED_KEYS];    /* hashes of keys that are no pages, and until when */
	uint64_t refused_ms[REFUSED_KEYS];

	struct watch partner; /* the scout; fd -1: none */
	struct timer schedule;
	struct job jobs[JOBS_MAX];
	uint64_t last_job;
	struct ipc_message message; /* of the scout */
};

extern struct keeper keeper;

/* keeper_role.c */
uint64_t keeper_now_s(void);
uint64_t keeper_now_ms(void);

/* keeper_vault.c */
/* Opens the vault, publishes what was known last, and loads what is known. Where it fails it tries again
 * later, and says so. */
void keeper_open_vault(void);
void keeper_close_vault(void);
/* Sites that are new in the plan. */
void keeper_load_sites(void);
/* Before a change. False: there is no vault. */
MUST_CHECK bool keeper_begin(void);
/* A change failed: nothing of the batch counts. Always false. */
bool keeper_failed(const struct err *err);
/* Nothing of the batch counts, by our own will. changed: memory may differ from the vault. */
void keeper_undo(bool changed);
/* Another baseline is needed. */
void keeper_baseline_due(const char *reason);
/* Now, instead of in COMMIT_MS. False: nothing of it counts. */
MUST_CHECK bool keeper_commit(struct err *err);
/* The record of a site as it is in memory. */
MUST_CHECK bool keeper_put_site(struct ledger_site *site);
/* The record of a page; makes it where it is new. */
MUST_CHECK bool keeper_put_page(struct page *page);
MUST_CHECK bool keeper_mark(int64_t version, enum vault_state state, const char *reason);
/* Marks the versions of a page with these digests. */
MUST_CHECK bool keeper_retire(struct page *page, uint8_t digests[][DIGEST_SIZE], unsigned n,
			      const char *reason);
/* What the ledger keeps of a version. */
struct page_mark keeper_mark_of(const struct vault_version *version);
/* Everything about the pages of a site, from the vault. */
MUST_CHECK bool keeper_reload_site(struct ledger_site *site);
MUST_CHECK bool keeper_audit(const char *who, const char *what, const struct ledger_site *site,
			     const char *url, uint32_t version, const char *why);

/* keeper_fetch.c */
void keeper_meet_scout(int fd);
/* Sends what is due and may be under way. Call it after whatever changes what is due. */
void keeper_schedule(void);
/* Jobs without an answer come to an end. */
void keeper_end_overdue_jobs(void);

/* keeper_look.c */
/* sample NULL: the scout is gone, or silent. content NULL: none, or no whole answer. */
void keeper_take_sample(const struct job *job, const struct scout_sample *sample, struct span content);
void keeper_take_links(const struct job *job, const struct scout_links *links);
/* State, report and record, where the site has to be in another one now. */
void keeper_judge_site(struct ledger_site *site);
void keeper_state_changed(struct ledger_site *site);

/* keeper_held.c */
bool keeper_watch_nominations(struct err *err);
struct held_facts {
	const uint8_t *digest;  /* NULL: not known */
	enum nomination_severity severity;
	const char *reason;
	struct span host;       /* where it would lead */
	int64_t version;        /* 0: none */
	uint64_t times;
};
void keeper_hold(struct ledger_site *site, struct span key, const struct held_facts *facts);
/* Nobody has to be waited for any more. */
MUST_CHECK bool keeper_clear_held(struct page *page);
bool keeper_is_refused(const struct ledger_site *site, struct span key);
void keeper_refuse(const struct ledger_site *site, struct span key);

/* keeper_tell.c */
/* Tells the operator at once. site: NULL, key: "": none. */
void keeper_tell(enum alert_kind kind, const struct ledger_site *site, const char *key,
		 const char *reason, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* keeper_orders.c */
void keeper_obey(const struct vault_asked *asked);
/* Windows whose time is over. */
void keeper_close_windows(void);

/* keeper_status.c */
void keeper_show(void);
void keeper_report_state(const struct ledger_site *site);

#endif

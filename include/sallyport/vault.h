#ifndef SALLYPORT_VAULT_H
#define SALLYPORT_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sallyport/baseline.h"
#include "sallyport/err.h"
#include "sallyport/page.h"
#include "sallyport/site_state.h"
#include "sallyport/strbuf.h"

/* The vault: all that was ever seen of the guarded sites, and what of it is known to be good.
 * One process writes it (the keeper, or a command while no keeper runs); any number read it
 * meanwhile.
 *
 *   DIRECTORY/             0700, ours
 *     key                  0600 the private key (keys.h)
 *     key.pub              0600 its public part
 *     catalogue.db         SQLite, write-ahead log: sites, pages, versions, …
 *     content/ab/abcd…     what pages contain, named by its SHA-256, written once
 *     baseline             the newest baseline, signed as a whole (baseline.h)
 *     audit.log            who decided what, when and why; each line holds the digest of the last
 *     lock                 whoever writes holds it
 *
 * Every record that decides anything is signed with the key. What is damaged, or signed by nobody
 * that we know, is told as a finding and then counts as absent; it never counts as good.
 *
 * Killed at any instruction, the vault is as before or as after a change: contents are whole on
 * disk before a record names them, records change in transactions, and the baseline file is put in
 * place once its transaction stands (an open that finds it older makes it anew).
 *
 * All times are seconds since 1970 and are passed in. Not for threads. A change that gives false
 * changed nothing; inside of a transaction, abort that then. */
struct vault;

enum vault_finding {
	VAULT_FINDING_UNSET = 0,
	VAULT_KEY_MADE,        /* there was no key: one was made */
	VAULT_KEY_LOST,        /* records are there, their key is not: they count as absent */
	VAULT_SET_ASIDE,       /* a catalogue that cannot be read was renamed */
	VAULT_BAD_SIGNATURE,   /* a record that was not signed with our key */
	VAULT_BAD_CONTENT,     /* a file that is missing, or is not what its name says */
	VAULT_BAD_CATALOGUE,   /* SQLite says that the database is damaged */
	VAULT_BAD_BASELINE,    /* the file is damaged, or not the one that was made last */
	VAULT_BAD_AUDIT,       /* the chain is broken, or its end is missing */
	VAULT_BAD_RIGHTS,      /* others could read or write it */
	VAULT_DISK_FULL,       /* and the change was not made */
	VAULT_WRITE_FAILED,    /* for another reason */
	VAULT_OVER_SIZE,       /* what must be kept is more than the policy's size */
};
/* "bad-signature". */
const char *vault_finding_name(enum vault_finding finding);
/* text: one sentence. Called from inside of other functions: it must not use the vault. What is
 * wrong with one record or one content is told once, however often it is met. */
typedef void vault_on_finding(void *context, enum vault_finding finding, const char *text);

enum vault_opened {
	VAULT_OPENED_UNSET = 0,
	VAULT_OPENED,
	VAULT_MISSING, /* for reading: nothing is there */
	VAULT_REFUSED, /* rights, a link, a newer format, …: an operator has to mend it */
	VAULT_BUSY,    /* for writing: somebody else does */
	VAULT_DAMAGED, /* open it with anew: what is there is set aside, learning begins again */
};

struct vault_options {
	const char *directory;
	bool writes;         /* makes what is missing, key included */
	bool anew;           /* sets aside a catalogue that cannot be read */
	vault_on_finding *on_finding; /* may be NULL */
	void *context;
};

MUST_CHECK enum vault_opened vault_open(const struct vault_options *options, struct vault **out,
					struct err *err);
void vault_close(struct vault *vault);
void vault_public_key(const struct vault *vault, uint8_t out[SIGN_PUBLIC_SIZE]);

/* Several changes as one; may be nested, then only the outermost counts. After vault_abort, or
 * where vault_commit says false, nothing of it happened. */
MUST_CHECK bool vault_begin(struct vault *vault, struct err *err);
MUST_CHECK bool vault_commit(struct vault *vault, struct err *err);
void vault_abort(struct vault *vault);

/* ---- sites ---- */

enum { VAULT_REASON_SIZE = 256, VAULT_ORIGIN_SIZE = 128 };

struct vault_site {
	uint64_t id; /* site_id(name) */
	char name[SITE_NAME_SIZE];
	uint32_t state; /* the keeper's own numbers */
	char reason[VAULT_REASON_SIZE];
	uint64_t since_s;
	bool confirmed; /* an operator accepted its first baseline, or need not */
	uint64_t publish_until_s; /* 0: no window is open */
};

MUST_CHECK bool vault_site_put(struct vault *vault, const struct vault_site *site, struct err *err);
/* False: not there. */
bool vault_site_get(struct vault *vault, uint64_t id, struct vault_site *out);
/* Each gives what is listed, in order, until the callback says false. */
typedef bool vault_on_site(void *context, const struct vault_site *site);
void vault_sites(struct vault *vault, vault_on_site *on_site, void *context);

/* ---- pages ---- */

struct vault_page {
	int64_t id; /* 0: not there yet */
	uint64_t site;
	char key[PAGE_KEY_MAX + 1]; /* canonical path with "?" and query; no NUL inside */
	enum baseline_policy policy;
	uint32_t depth;  /* links from a seed */
	uint32_t source; /* the keeper's own numbers: seed, link, sitemap, nominated */
	uint64_t first_seen_s;
	/* Not signed: they decide nothing but when to ask next. */
	uint64_t last_seen_s, due_s;
};

/* Adds or changes the page of that site and key; sets page->id. Its site must be there. */
MUST_CHECK bool vault_page_put(struct vault *vault, struct vault_page *page, struct err *err);
bool vault_page_get(struct vault *vault, uint64_t site, const char *key, struct vault_page *out);
bool vault_page_of(struct vault *vault, int64_t id, struct vault_page *out);
typedef bool vault_on_page(void *context, const struct vault_page *page);
/* By key. */
void vault_pages(struct vault *vault, uint64_t site, vault_on_page *on_page, void *context);
uint64_t vault_page_count(struct vault *vault, uint64_t site);
MUST_CHECK bool vault_page_forget(struct vault *vault, int64_t page, struct err *err);

/* ---- versions ---- */

enum vault_state {
	VAULT_STATE_UNSET = 0,
	VAULT_CANDIDATE, /* seen, not known to be good */
	VAULT_GOOD,      /* accepted: stands in the baseline */
	VAULT_RETIRED,   /* was good, is kept to go back to */
	VAULT_HELD,      /* differs from what is good, waits for the operator */
	VAULT_REJECTED,  /* the operator said no */
	VAULT_STATES
};
const char *vault_state_name(enum vault_state state);

struct vault_version {
	int64_t id, page;
	uint32_t number; /* of its page, from 1 on, never given twice */
	enum vault_state state;
	bool pinned;      /* served and kept whatever else becomes good */
	uint32_t samples; /* how often it was fetched */
	struct page_head head; /* into texts */
	uint8_t digest[DIGEST_SIZE]; /* page_digest() */
	uint8_t content[DIGEST_SIZE];
	uint64_t content_bytes;
	uint64_t first_seen_s, last_seen_s;
	uint64_t since_s; /* when it became good, last time; 0: never */
	int64_t rank;     /* of good ones the highest is served, pinned ones before it */
	char origin[VAULT_ORIGIN_SIZE]; /* where it was fetched: "10.0.0.5:80" */
	char reason[VAULT_REASON_SIZE]; /* why it has its state */
	char texts[PAGE_FIELD_COUNT * PAGE_FIELD_MAX];
};

/* The content has to be in the vault already, and the digest new to this page. Fills id, number and,
 * where state is good, since_s and rank. */
MUST_CHECK bool vault_version_add(struct vault *vault, struct vault_version *version, uint64_t now_s,
				  struct err *err);
bool vault_version_get(struct vault *vault, int64_t id, struct vault_version *out);
bool vault_version_numbered(struct vault *vault, int64_t page, uint32_t number,
			    struct vault_version *out);
/* The version of this page with that page digest. */
bool vault_version_find(struct vault *vault, int64_t page, const uint8_t digest[DIGEST_SIZE],
			struct vault_version *out);
/* The one to serve. */
bool vault_version_good(struct vault *vault, int64_t page, struct vault_version *out);
typedef bool vault_on_version(void *context, const struct vault_version *version);
/* Newest number first. */
void vault_versions(struct vault *vault, int64_t page, vault_on_version *on_version, void *context);
/* It was fetched once more. */
MUST_CHECK bool vault_version_seen(struct vault *vault, int64_t id, uint64_t now_s, struct err *err);
MUST_CHECK bool vault_mark(struct vault *vault, int64_t id, enum vault_state state,
			   const char *reason, uint64_t now_s, struct err *err);
/* A version that is pinned becomes good; of one page one is pinned at most. */
MUST_CHECK bool vault_pin(struct vault *vault, int64_t id, bool pinned, uint64_t now_s,
			  struct err *err);

/* ---- hosts that redirects of good pages lead to ---- */

MUST_CHECK bool vault_host_add(struct vault *vault, uint64_t site, const char *host,
			       const char *who, uint64_t now_s, struct err *err);
typedef bool vault_on_host(void *context, const char *host, const char *who, uint64_t since_s);
void vault_hosts(struct vault *vault, uint64_t site, vault_on_host *on_host, void *context);

/* ---- what was held and waits for an operator. Not signed: it decides nothing ---- */

enum { VAULT_HELD_MAX = 1000 /* of one site; the longest unseen goes first */ };

struct vault_held {
	int64_t id;
	uint64_t site;
	char key[PAGE_KEY_MAX + 1];
	uint8_t digest[DIGEST_SIZE]; /* of the page that was held; zeros where it was not digested */
	uint32_t severity;           /* the keeper's own numbers */
	char reason[VAULT_REASON_SIZE];
	char host[256]; /* where it would have led; empty: nowhere */
	uint64_t first_s, last_s, times;
	int64_t version; /* the scout saw it too; 0: not yet */
};

/* The same page held with the same digest is one entry that counts: *is_new says which. times: how
 * many to add. Sets held->id. */
MUST_CHECK bool vault_hold(struct vault *vault, struct vault_held *held, bool *is_new,
			   struct err *err);
/* Since when this page has been held with this digest; 0: it is not. */
uint64_t vault_held_since(struct vault *vault, uint64_t site, const char *key,
			  const uint8_t digest[DIGEST_SIZE]);
typedef bool vault_on_held(void *context, const struct vault_held *held);
/* site 0: of all. The newest first. */
void vault_held_list(struct vault *vault, uint64_t site, vault_on_held *on_held, void *context);
/* key NULL: all of the site. *n (may be NULL): how many there were. */
MUST_CHECK bool vault_held_clear(struct vault *vault, uint64_t site, const char *key, uint64_t *n,
				 struct err *err);

/* ---- one-time tokens of deploy pipelines; kept as their SHA-256 only ---- */

struct vault_token {
	uint8_t token[DIGEST_SIZE];
	uint64_t site;
	uint64_t made_s, expires_s;
	uint64_t publish_s; /* how long a window it opens */
	uint64_t used_s;    /* 0: not yet */
	char label[64];
};

MUST_CHECK bool vault_token_add(struct vault *vault, const struct vault_token *token, struct err *err);
/* Marks it used. False: unknown, expired or used before; err says which. */
MUST_CHECK bool vault_token_use(struct vault *vault, const uint8_t token[DIGEST_SIZE], uint64_t now_s,
				struct vault_token *out, struct err *err);

/* ---- contents ---- */

/* Whole on disk when it returns. The same content twice is stored once. */
MUST_CHECK bool vault_content_put(struct vault *vault, const void *data, size_t len,
				  uint8_t out[DIGEST_SIZE], struct err *err);
/* Into out (empty; its cap bounds it), checked by its digest. False: missing or damaged. */
MUST_CHECK bool vault_content_get(struct vault *vault, const uint8_t digest[DIGEST_SIZE],
				  struct strbuf *out, struct err *err);
/* Looks at the file only: true where it is there and has that size. */
bool vault_content_exists(struct vault *vault, const uint8_t digest[DIGEST_SIZE], uint64_t bytes);
/* "ab/abcdef…", relative to content/. */
enum { VAULT_CONTENT_PATH_SIZE = 3 + 2 * DIGEST_SIZE + 1 };
void vault_content_path(const uint8_t digest[DIGEST_SIZE], char out[VAULT_CONTENT_PATH_SIZE]);
/* Bytes of all contents that versions name. */
uint64_t vault_size(struct vault *vault);

struct vault_eviction {
	uint64_t versions, bytes; /* removed */
	bool baseline_changed;    /* an accepted version was among them: make a new baseline */
	bool over_size;           /* still: only what must be kept is left */
};
/* Over `versions` of a page, or size_bytes in all, the oldest versions go: rejected, candidate,
 * held and retired ones first, then good ones, but never what is served last nor what is pinned. */
MUST_CHECK bool vault_evict(struct vault *vault, uint64_t size_bytes, uint64_t versions,
			    struct vault_eviction *out, struct err *err);

/* ---- baselines, and going back ---- */

struct vault_baseline {
	uint64_t number, made_s, bytes;
	char reason[VAULT_REASON_SIZE];
};

/* Makes the baseline of what is good now, into out as well (empty). A site whose first baseline
 * waits for confirmation stands in it without pages. Its pages: exact ones with their good versions,
 * the others as they are. Counts with the transaction that it is made in. */
MUST_CHECK bool vault_baseline_make(struct vault *vault, const char *reason, uint64_t now_s,
				    struct strbuf *out, struct err *err);
/* The newest one, from its file. False: there is none, or it is not the newest: make one. */
MUST_CHECK bool vault_baseline_load(struct vault *vault, struct strbuf *out, struct err *err);
typedef bool vault_on_baseline(void *context, const struct vault_baseline *baseline);
/* The newest first. */
void vault_baselines(struct vault *vault, vault_on_baseline *on_baseline, void *context);
/* The newest that was made at that time or before. False: there is none. */
bool vault_baseline_at(struct vault *vault, uint64_t time_s, struct vault_baseline *out);

struct vault_travel {
	uint64_t pages;    /* whose good versions are others now */
	uint64_t dropped;  /* that were not known then, and are not known now */
	uint64_t missing;  /* whose versions of then are gone: they stay as they are */
};
/* What was good in baseline `number` is good again, of the whole site or (key) of one page. Pins
 * are taken off. Make a baseline in the same transaction. */
MUST_CHECK bool vault_travel(struct vault *vault, uint64_t site, const char *key, uint64_t number,
			     uint64_t now_s, struct vault_travel *out, struct err *err);
/* The one version is good, all other good ones of its page are retired. */
MUST_CHECK bool vault_go_back(struct vault *vault, int64_t version, const char *reason,
			      uint64_t now_s, struct err *err);

/* ---- audit ---- */

struct vault_decision {
	const char *who;  /* "keeper", "operator" */
	const char *what; /* "approve" */
	const char *site; /* NULL: none */
	const char *url;  /* NULL: none */
	uint32_t version; /* 0: none */
	const char *why;  /* NULL: none */
};
/* On disk before the transaction that it is made in; part of it. */
MUST_CHECK bool vault_audit(struct vault *vault, const struct vault_decision *decision,
			    uint64_t now_s, struct err *err);

/* ---- as a whole ---- */

struct vault_report {
	uint64_t sites, pages, versions, contents, bytes, audit_lines, baseline_number;
	uint64_t findings;
};
/* Checks every signature, content, the baseline, the audit chain and the rights of every file; each
 * thing that is wrong goes to on_finding. False: it could not even look. */
MUST_CHECK bool vault_verify(struct vault *vault, struct vault_report *out, struct err *err);

/* Writes a copy into a directory that is not there yet or is empty, with a signed list of all that
 * it has; works while the vault is used. The private key stays where it is. */
MUST_CHECK bool vault_backup(struct vault *vault, const char *directory, uint64_t now_s,
			     struct err *err);
/* Puts a backup in the place of all that the vault has. It must be whole and signed by our key or
 * one that we had before; trusted (may be NULL): or by this one. Nothing is changed else. Needs a
 * vault that nobody has open. */
MUST_CHECK bool vault_restore(const struct vault_options *options, const char *backup,
			      const uint8_t trusted[SIGN_PUBLIC_SIZE], uint64_t now_s,
			      struct err *err);

/* Makes a new key and signs every record with it that was signed with the old one. */
MUST_CHECK bool vault_rotate_key(struct vault *vault, uint64_t now_s, struct err *err);
/* After a key was lost: signs every record whose content is whole with the present key, whoever
 * signed it before. For operators who trust the disk. *n: how many versions. */
MUST_CHECK bool vault_adopt(struct vault *vault, uint64_t now_s, uint64_t *n, struct err *err);

#endif

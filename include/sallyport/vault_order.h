#ifndef SALLYPORT_VAULT_ORDER_H
#define SALLYPORT_VAULT_ORDER_H

#include "sallyport/err.h"
#include "sallyport/page.h"
#include "sallyport/site_state.h"

/* What an operator orders about the vault and the guard of a site, by command or API. The console and
 * the master pass it on, the keeper carries it out. */

enum vault_verb {
	VERB_UNSET = 0,
	VERB_APPROVE,  /* what was seen last of a page, or of all that are held or learned, is good */
	VERB_REJECT,   /* and what was seen is not: nobody needs to be asked again */
	VERB_ROLLBACK, /* what was good at a time, or a version, is good again */
	VERB_PIN,      /* a version is good whatever else becomes good */
	VERB_UNPIN,
	VERB_FORGET,   /* nothing is known of a page any more */
	VERB_PUBLISH,  /* for a while, what changes is good; 0: no more */
	VERB_TOKEN,    /* a word that orders PUBLISH once */
	VERB_ENROL,    /* learn a page, or look for pages again */
	VERB_SEAL,     /* copies only */
	VERB_RELEASE,  /* no more */
	VERB_COUNT
};

enum {
	VAULT_TOKEN_SIZE = 64, /* text, with its NUL */
	VAULT_WHY_SIZE = 128,
	PUBLISH_MAX_MS = 24 * 3600 * 1000,
};

struct vault_order {
	uint32_t verb;
	uint32_t version;     /* 0: none is named */
	uint64_t duration_ms; /* PUBLISH, TOKEN: of the window */
	uint64_t valid_ms;    /* TOKEN: how long it can be used */
	uint64_t time_s;      /* ROLLBACK; 0: none */
	uint32_t all;         /* APPROVE, REJECT: the whole site */
	uint32_t pad;
	char site[SITE_NAME_SIZE];
	char token[VAULT_TOKEN_SIZE]; /* PUBLISH; empty: none */
	char why[VAULT_WHY_SIZE];     /* for the audit; may be empty */
	char url[PAGE_KEY_MAX + 1];   /* canonical path with "?" and query; empty: none */
};

/* "approve"; "-" for what is none. */
const char *vault_verb_name(uint32_t verb);
enum vault_verb vault_verb_lookup(const char *name);
/* All texts end, all values are in their ranges, and what the verb needs is there. */
MUST_CHECK bool vault_order_check(const struct vault_order *order, struct err *err);

#endif

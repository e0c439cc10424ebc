#ifndef SALLYPORT_BASELINE_H
#define SALLYPORT_BASELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sallyport/crypto.h"
#include "sallyport/err.h"
#include "sallyport/page.h"
#include "sallyport/strbuf.h"

/* A baseline: all that is known to be good, of all sites, in one immutable file. The keeper
 * makes one whenever something changes and signs it as a whole; workers and the lifeboat map it
 * read-only, check structure and signature once, and look pages up in it without a copy, a lock
 * or an allocation. It is self-contained, and sites have the same ids on every machine.
 *
 *   ┌────────┬───────┬─────────┬──────────┬──────────────┬──────────────┬───────┬───────────┐
 *   │ header │ sites │ index   │ pages,   │ versions, of │ hosts, by    │ texts │ signature │
 *   │        │ by id │ of pages│ by hash  │ their pages  │ (site, name) │       │           │
 *   └────────┴───────┴─────────┴──────────┴──────────────┴──────────────┴───────┴───────────┘
 *
 * Every record is checked when the file is opened, so that a reader that was handed a damaged or
 * forged file refuses it, and never reads beyond it. guard/baseline_format.h has the layout. */

enum baseline_policy {
	BASELINE_UNSET = 0,
	BASELINE_LEARNING, /* not enough is known: as if the page were not there */
	BASELINE_EXACT,    /* one of its versions, byte for byte */
	BASELINE_VARYING,  /* its samples differ, and nothing was approved */
};

struct baseline_version {
	uint8_t page[DIGEST_SIZE];    /* page_digest() */
	uint8_t content[DIGEST_SIZE]; /* SHA-256; names the file in the vault */
	struct page_head head;        /* points into the baseline */
	uint64_t content_bytes;
	uint64_t since_s;             /* seconds since 1970: when it became known-good */
};

struct baseline_page {
	enum baseline_policy policy;
	unsigned versions;     /* that are accepted; number 0 is the one to serve */
	uint32_t first;        /* the baseline's own */
};

/* Opened; borrows the mapping. A value: copy it freely. */
struct baseline {
	const uint8_t *data;
	size_t len;
	uint64_t number;       /* grows with every baseline of this vault */
	uint64_t made_s;       /* seconds since 1970 */
	uint64_t seed[2];
	uint32_t sites, pages, version_count, hosts, text_bytes, bucket_bits;
	const uint8_t *site_table, *bucket_table, *page_table, *version_table, *host_table;
	const char *texts;
};

/* Checks everything. key NULL: the signature is left to the caller, for tools that only look. The
 * bytes may lie unaligned; they must neither change nor go away while the baseline is used. */
MUST_CHECK bool baseline_open(const void *data, size_t len, const uint8_t key[SIGN_PUBLIC_SIZE],
			      struct baseline *out, struct err *err);
/* key: canonical path with "?" and query. False: not there. */
bool baseline_find(const struct baseline *baseline, uint64_t site, struct span key,
		   struct baseline_page *out);
/* The pages one by one: index < baseline->pages. The order means nothing. */
void baseline_page_at(const struct baseline *baseline, uint32_t index, uint64_t *site,
		      struct span *key, struct baseline_page *out);
/* number < page->versions. */
void baseline_version_of(const struct baseline *baseline, const struct baseline_page *page,
			 unsigned number, struct baseline_version *out);
/* The version with that digest, or -1. */
int baseline_match(const struct baseline *baseline, const struct baseline_page *page,
		   const uint8_t digest[DIGEST_SIZE]);
/* Redirects of this site lead there in known-good pages. host in lower case, no port. */
bool baseline_knows_host(const struct baseline *baseline, uint64_t site, struct span host);
/* The site is in it at all: something was learned, or an operator enrolled it. */
bool baseline_has_site(const struct baseline *baseline, uint64_t site);

/* Building, in the keeper. Add in any order; what is added twice, or to a site that is not
 * added, makes baseline_finish fail. An add gives false where memory is short or what is added
 * may not stand in a baseline: a key that begins with no "/", has a space, a control byte or more
 * than PAGE_KEY_MAX bytes; a field with a control byte or more than PAGE_FIELD_MAX; a status
 * outside of 200 to 599; an exact page without a version; a host in capitals. Nothing was added
 * then, and the builder may be used on. */
struct baseline_builder;

/* NULL without memory. made_s: seconds since 1970. */
struct baseline_builder *baseline_builder_new(uint64_t number, uint64_t made_s);
MUST_CHECK bool baseline_add_site(struct baseline_builder *builder, uint64_t site);
/* versions: the one to serve first. Texts are copied. */
MUST_CHECK bool baseline_add_page(struct baseline_builder *builder, uint64_t site, struct span key,
				  enum baseline_policy policy, const struct baseline_version *versions,
				  unsigned n);
MUST_CHECK bool baseline_add_host(struct baseline_builder *builder, uint64_t site, struct span host);
/* Sorts, writes and signs into out (empty; its cap bounds the file). The builder is spent then,
 * whatever came of it: free it. */
MUST_CHECK bool baseline_finish(struct baseline_builder *builder, const struct sign_key *key,
				struct strbuf *out, struct err *err);
void baseline_builder_free(struct baseline_builder *builder);

#endif

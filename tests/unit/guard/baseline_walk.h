#ifndef TESTS_BASELINE_WALK_H
#define TESTS_BASELINE_WALK_H

#include <stdlib.h>
#include "sallyport/baseline.h"

/* Reads all that a baseline has, byte by byte, so that a sanitizer or an unreadable page shows
 * what a reader would touch; and whatever is listed must be found. */

#define WALK_MUST(condition)                                                                       \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

static inline unsigned walk_bytes(const void *bytes, size_t len)
{
	const volatile unsigned char *at = bytes;
	unsigned sum = 0;
	for (size_t i = 0; i < len; i++)
		sum += at[i];
	return sum;
}

static inline unsigned walk_version(const struct baseline *baseline,
				    const struct baseline_page *page, unsigned number)
{
	struct baseline_version version;
	baseline_version_of(baseline, page, number, &version);
	WALK_MUST(version.head.status >= 200 && version.head.status <= 599);
	int match = baseline_match(baseline, page, version.page);
	WALK_MUST(match >= 0 && (unsigned)match <= number);
	unsigned sum = walk_bytes(version.content, DIGEST_SIZE);
	for (unsigned i = 0; i < PAGE_FIELD_COUNT; i++)
		sum += walk_bytes(version.head.fields[i].ptr, version.head.fields[i].len);
	return sum;
}

static inline unsigned walk_page(const struct baseline *baseline, uint32_t index)
{
	struct baseline_page page, found;
	uint64_t site;
	struct span key;
	baseline_page_at(baseline, index, &site, &key, &page);
	unsigned sum = walk_bytes(key.ptr, key.len);
	WALK_MUST(baseline_has_site(baseline, site));
	WALK_MUST(baseline_find(baseline, site, key, &found));
	WALK_MUST(found.first == page.first && found.versions == page.versions);
	WALK_MUST(found.policy == page.policy && (page.policy != BASELINE_EXACT || page.versions > 0));
	for (unsigned i = 0; i < page.versions; i++)
		sum += walk_version(baseline, &page, i);
	return sum;
}

static inline unsigned baseline_walk(const struct baseline *baseline)
{
	struct baseline_page page;
	unsigned sum = 0;
	for (uint32_t i = 0; i < baseline->pages; i++)
		sum += walk_page(baseline, i);
	sum += baseline_knows_host(baseline, 1, SPAN("www.example"));
	sum += baseline_find(baseline, 1, SPAN("/not-there"), &page);
	return sum;
}

#endif

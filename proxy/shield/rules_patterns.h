#ifndef SALLYPORT_SHIELD_RULES_PATTERNS_H
#define SALLYPORT_SHIELD_RULES_PATTERNS_H

#include "sallyport/rule.h"

/* Many patterns at once, by vectorscan; the only module that knows it. "." is any byte. A scan takes time that
 * grows with the text alone, whatever the patterns are. */

struct patterns;        /* compiled: one database */
struct pattern_scratch; /* what a scan works in */

/* How the library takes a pattern. */
enum pattern_kind {
	PATTERN_BAD = 0,
	PATTERN_WHOLE,  /* a match is a match */
	PATTERN_FILTER, /* with look-around or back references: a match is a candidate */
};

struct pattern_source {
	const char *text;
	unsigned id;
	bool cased;
	enum pattern_kind kind;
};

/* False: the CPU can't. */
bool patterns_are_possible(void);
/* Does the library find what is there? vectorscan 5.4.9 misses matches in texts of more than some hundred bytes. */
bool patterns_are_sound(void);
/* Why it is BAD goes to err. */
enum pattern_kind pattern_check(const char *text, bool cased, struct err *err);
/* Out of the cache where they are there. NULL: err says why, and *bad which of the sources it is, or n where it is none of them. */
struct patterns *patterns_new(const struct pattern_source *sources, size_t n,
			      const struct rule_cache *cache, size_t *bad, struct err *err);
void patterns_free(struct patterns *patterns);

struct pattern_scratch *pattern_scratch_new(void);
void pattern_scratch_free(struct pattern_scratch *scratch);
MUST_CHECK bool pattern_scratch_fit(struct pattern_scratch *scratch, const struct patterns *patterns,
				    struct err *err);

/* Told of each pattern once, with where its first match ends. */
typedef void pattern_found(void *context, unsigned id, size_t end);
/* False: the library could not scan; it takes a scratch that was not made for the patterns. */
MUST_CHECK bool patterns_scan(const struct patterns *patterns, struct pattern_scratch *scratch,
			      struct span text, pattern_found *found, void *context);

#endif

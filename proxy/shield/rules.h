#ifndef SALLYPORT_SHIELD_RULES_H
#define SALLYPORT_SHIELD_RULES_H

#include "sallyport/rule.h"
#include "shield/rules_confirm.h"
#include "shield/rules_patterns.h"
#include "shield/transform.h"

/* A compiled set, as it is scanned.
 *
 * Targets are looked at in groups. In each group, values are gathered in one text, between NUL bytes:
 *
 *   GROUP  ── filter: every pattern of the group, over the values as they are; one scan
 *          ── plain filter: those that may match values without marks (rules_needs.h), over such
 *     └ LANE (one for each chain) ── its conditions, over one value at a time, by the filter again
 *
 * A value that a chain leaves as it is, which is nearly every value of nearly every chain, is
 * looked at with the others alone; a lane is asked where the filter found one of its patterns, or where
 * its chain changes the value. So ordinary requests cost one scan a group; what the filter
 * finds in a value is a candidate, and PCRE2 confirms it. */

enum rule_group {
	GROUP_LINE,    /* method, target, path, query, client */
	GROUP_VALUE,   /* names and values of arguments, cookies and content that was taken apart */
	GROUP_FIELD,
	GROUP_CONTENT, /* content as it is */
	GROUP_COUNT,
};

enum { LANES_MAX = 64, NOT_MET = UINT16_MAX, PLAIN = 0, MARKED = 1 };

struct condition {
	const struct rule_condition *spec;
	uint32_t rule;
	uint16_t index;    /* in its rule */
	uint16_t met;      /* bit of rule_tally.met where its rule has several; NOT_MET */
	uint32_t targets;  /* 1 << enum rule_target for what it may look at */
	bool is_named;     /* its selectors name values, or exclude some */
	bool is_direct;    /* no pattern */
	unsigned needs;    /* KIND_MARK, KIND_ODD: no value without matches */
	uint8_t lanes[GROUP_COUNT];
	struct confirm *confirm; /* says whether a candidate is a match; NULL: it is */
};

struct lane {
	uint8_t chain[RULE_CHAIN_MAX];
	unsigned kinds;       /* the chain may change values with such bytes */
	uint32_t targets;     /* of its conditions */
	bool always;          /* must look at every value: a pattern is negated, or minds what a line is */
	uint32_t *direct;     /* conditions that are direct, or negated */
	uint32_t direct_count;
};

struct group {
	struct patterns *filter[2]; /* by whether values have the group's marks: [0] the plain one; NULL: none */
	struct lane lanes[LANES_MAX];
	size_t lane_count;
	unsigned kinds;  /* some lane's chain may change values with such bytes */
	enum byte_kind marks; /* values without these go through the plain filter; 0: it is not worth a scan of its own */
	bool always;     /* of some lane */
	bool has_direct; /* some lane has direct conditions */
};

struct rule_set {
	const struct rule_spec *specs;
	size_t n;
	struct condition *conditions;
	size_t condition_count;
	uint32_t targets; /* that some rule looks at */
	struct group groups[GROUP_COUNT];
};

enum rule_group rule_group_of(enum rule_target target);

/* excerpt: of the bytes before `end` in the text. Something is assigned in what was left out of it, or to a name that
 * begins there. */
bool rule_excerpt_is_torn(struct span text, struct span excerpt, size_t end);

#endif

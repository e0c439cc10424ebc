#ifndef SALLYPORT_RULE_H
#define SALLYPORT_RULE_H

#include "sallyport/cidr_set.h"
#include "sallyport/err.h"
#include "sallyport/policy.h"
#include "sallyport/span.h"

/* Rules as every language for them is compiled into: a rule is a list of conditions that must all
 * hold in one request; a condition looks at values of some targets, sees them through a chain of
 * transformations, and asks one operator.
 *
 *   rule:       conditions → mode, score or answer
 *   condition:  selectors → chain → operator
 *
 * A compiled set is immutable and shared by all sites of a policy; what a site does otherwise
 * (modes, the bound of the score) stands beside it. */

/* What a value is. */
enum rule_target {
	TARGET_UNSET = 0,
#define RULE_TARGET(id, word, doc) TARGET_##id,
#include "sallyport/rule_words.def"
	TARGET_COUNT
};

/* One value of a request, as whoever takes requests apart hands it to the rules. */
struct rule_value {
	enum rule_target target;
	struct span name;  /* decoded; ptr NULL: it has none */
	struct span value; /* decoded once, as the origin will see it */
	/* The bytes that both came from, which outlive the verdict; ptr NULL: they are gone. */
	struct span raw_name, raw;
	bool is_split; /* its bytes are gone, and had a ";" that was not escaped */
};

/* What a value is seen through before it is compared. Of its own accord a pattern ignores case. */
enum rule_transform {
	TRANSFORM_UNSET = 0,
#define RULE_TRANSFORM(id, word, doc) TRANSFORM_##id,
#include "sallyport/rule_words.def"
	TRANSFORM_COUNT
};

enum { RULE_CHAIN_MAX = 8 };

enum rule_operator {
	OPERATOR_UNSET = 0,
	OPERATOR_PATTERN,  /* a regular expression is found in it */
	OPERATOR_CONTAINS, /* one of the texts stands in it */
	OPERATOR_WORD,     /* the same, with no letter, digit or "_" beside it */
	OPERATOR_PREFIX,
	OPERATOR_SUFFIX,
	OPERATOR_EQUALS,
	OPERATOR_LONGER,  /* more than `number` bytes */
	OPERATOR_BYTES,   /* a byte that is not in the set */
	OPERATOR_NETWORK, /* an address in one of the networks */
};

/* Which values: all of a target, or those of one name. */
struct rule_selector {
	enum rule_target target;
	const char *name; /* case is ignored; NULL: any */
	bool excludes;    /* not these, whatever the others say */
};

struct rule_condition {
	const struct rule_selector *selectors;
	size_t selector_count;
	uint8_t chain[RULE_CHAIN_MAX]; /* enum rule_transform; UNSET ends it */
	enum rule_operator op;
	bool negated;
	bool cased;               /* letters must have the same case */
	const char *const *texts; /* of PATTERN one, in PCRE syntax; NULL-terminated */
	uint64_t number;
	uint8_t bytes[32]; /* 1 << byte % 8 in bytes[byte / 8]: the set */
	const struct cidr_set *networks;
	const char *const *network_texts; /* the same as it was written, NULL-terminated */
};

enum rule_severity {
	RULE_SEVERITY_UNSET = 0,
	RULE_SEVERITY_NOTICE,
	RULE_SEVERITY_WARNING,
	RULE_SEVERITY_ERROR,
	RULE_SEVERITY_CRITICAL,
};

/* How a refusal is said where it is not by REJECT and the reason's own status. */
struct verdict_answer {
	int action;      /* enum verdict_action; UNSET: as usual */
	uint64_t status; /* 0: as usual; also what TARPIT says where it has no room */
};

/* A rule as its author wrote it. */
struct rule_spec {
	const char *id; /* "worm.code-red" */
	const struct rule_condition *conditions;
	size_t condition_count;
	const char *message;
	const char *cve;         /* may be NULL */
	const char *const *tags; /* NULL-terminated; may be NULL */
	int severity;            /* enum rule_severity */
	uint32_t score;          /* what a match adds to the request's; 0: it refuses by itself */
	int mode;                /* enum shield_mode; UNSET enforces */
	struct verdict_answer answer;
	struct policy_where where;
};

enum {
	RULE_VALUE_MAX = 1 << 20, /* the longest value that is looked at */
	RULES_MAX = 100000,
	RULE_CONDITIONS_MAX = 16,
};

struct rule_set;

/* Told of each rule that does not compile; rule is n where it is no rule's fault: no memory, or a
 * CPU without SSSE3. */
typedef void rule_report(void *context, size_t rule, const char *text);

enum { RULE_KEY_SIZE = 32 };

/* Where compiled databases may be kept, by the digest of all that goes into them. All NULL: nowhere. */
struct rule_cache {
	/* To be freed; NULL: it is not there. */
	char *(*load)(const uint8_t key[RULE_KEY_SIZE], size_t *len);
	void (*store)(const uint8_t key[RULE_KEY_SIZE], const char *bytes, size_t len);
};

/* Compiles. NULL: something was reported, all that is wrong of it. specs is borrowed; cache may be NULL. */
struct rule_set *rule_set_new(const struct rule_spec *specs, size_t n, const struct rule_cache *cache,
			      rule_report *report, void *context);
/* Only says what is wrong with each rule, which takes no time: compiling takes seconds. */
void rule_set_check(const struct rule_spec *specs, size_t n, rule_report *report, void *context);
void rule_set_free(struct rule_set *set);
/* Does the library that looks for patterns find all that is there? False: err says what is to be done. */
MUST_CHECK bool rule_matching_is_sound(struct err *err);
size_t rule_set_count(const struct rule_set *set);
const struct rule_spec *rule_set_get(const struct rule_set *set, size_t index);

/* Working memory to match rules in: one per worker, for any number of sets. NULL without memory. */
struct rule_scratch;
struct rule_scratch *rule_scratch_new(void);
void rule_scratch_free(struct rule_scratch *scratch);
MUST_CHECK bool rule_scratch_fit(struct rule_scratch *scratch, const struct rule_set *set,
				 struct err *err);

/* Where a rule matched. */
struct rule_hit {
	uint32_t rule; /* index in the set */
	uint16_t condition;
	enum rule_target target;
	struct span name;     /* of the value, as it was sent */
	struct span evidence; /* the value as it was sent, up to the match where that can be told */
	bool is_torn;         /* the beginning of an excerpt is gone, and may have said what its bytes are */
};

struct exception;
struct exception_asked;

/* A rule that matched where it may. */
struct rule_waiver {
	uint32_t rule;
	const struct exception *by;
};

enum { RULE_HITS_MAX = 16, RULE_MET_WORDS = 8, RULE_TEXT_MAX = 512, RULE_EXCERPT_MAX = 96 };

/* What the rules found in one request, from its first byte to its last: small, and kept while the
 * request lasts. Begins zeroed. */
struct rule_tally {
	uint32_t hit_count;
	struct rule_hit hits[RULE_HITS_MAX]; /* the first match of each rule, as they were met */
	uint64_t met[RULE_MET_WORDS];        /* conditions of rules that have several */
	uint32_t waiver_count;
	struct rule_waiver waivers[RULE_HITS_MAX]; /* the first of each rule */
	bool broken; /* something could not be scanned: what is not judged is not allowed */
	/* Excerpts of values whose bytes are gone by the time of the verdict, as evidence. */
	uint16_t text_len;
	char text[RULE_TEXT_MAX];
};

/* One match, for whoever wants to see all of them. */
struct rule_match {
	uint32_t rule;
	uint16_t condition;
	const struct rule_value *value;
	struct span seen; /* the value as the condition's chain leaves it */
	size_t end;       /* of the match in it */
	const struct exception *by; /* NULL: it counts */
};

/* Told of every match while it is met, also of those of one condition among several, of one value
 * more than once, and of rules that were noted already. */
struct rule_watch {
	void (*matched)(void *context, const struct rule_match *match);
	void *context;
};

/* Looking at the values of one request. Values are gathered and looked at together:
 * what rule_scan_add was given must stay until rule_scan_run, but for `value`, which is copied, and, where `raw`
 * says that the bytes are gone, `name`. */
struct rule_scan {
	const struct rule_set *set;
	struct rule_scratch *scratch;
	struct rule_tally *tally;
	const uint8_t *modes; /* by rule, enum shield_mode; NULL: each rule's own */
	bool refused; /* a rule matched that refuses by itself: of long values no more is looked for */
	/* Set behind rule_scan_begin; NULL: nothing is excepted, nobody watches. */
	struct exception_asked *asked;
	const struct rule_watch *watch;
};

void rule_tally_begin(struct rule_tally *tally);
/* A match of that rule counts in it. */
bool rule_tally_has(const struct rule_tally *tally, uint32_t rule);
/* What was found so far goes on in another tally: all but excerpts, of which there are none where the bytes of all
 * values outlive the verdict, as those of a head. */
void rule_tally_carry(struct rule_tally *to, const struct rule_tally *from);
/* modes: as in the scan. */
void rule_scan_begin(struct rule_scan *scan, const struct rule_set *set, struct rule_scratch *scratch,
		     struct rule_tally *tally, const uint8_t *modes);
void rule_scan_add(struct rule_scan *scan, const struct rule_value *value);
/* Looks at everything that was added. */
void rule_scan_run(struct rule_scan *scan);
/* Does any rule look at such values? Others need not be added. */
bool rule_set_wants(const struct rule_set *set, enum rule_target target);

struct strbuf;
/* Targets, transformations and these rules as Markdown, for conf/README.md. */
void rule_document(const struct rule_spec *rules, size_t n, struct strbuf *out);

/* "argument" */
const char *rule_target_word(enum rule_target target);
const char *rule_transform_word(enum rule_transform transform);
/* Into out, of in.len bytes; gives `in` itself where it did not change. */
struct span rule_transform_apply(enum rule_transform transform, struct span in, char *out);
const char *rule_severity_word(enum rule_severity severity);
const char *rule_mode_word(const struct rule_spec *rule); /* its own: a site may have another */
/* A rule as it would stand in `rules`: libconfig text, the same for rules that are equal. */
void rule_write(const struct rule_spec *rule, struct strbuf *out);
enum rule_target rule_target_of(struct span word);          /* UNSET: none */
enum rule_transform rule_transform_of(struct span word);

#endif

#ifndef SALLYPORT_SHIELD_RULES_H
#define SALLYPORT_SHIELD_RULES_H

#include "sallyport/shield.h"

/* Many patterns at once, by vectorscan. */

enum rule_where { RULE_WHERE_UNSET = 0, RULE_PATH, RULE_QUERY, RULE_URL, RULE_WHERE_COUNT };

struct rules;

/* NULL where it fails: as shield_new. specs is borrowed. */
struct rules *rules_new(const struct rule_spec *specs, size_t n, size_t *bad_rule, struct err *err);
void rules_free(struct rules *rules);

/* Scratch for no rules yet; NULL without memory. */
struct shield_scratch *rules_scratch_new(void);
void rules_scratch_free(struct shield_scratch *scratch);
/* Makes it fit these rules too. */
MUST_CHECK bool rules_scratch_fit(struct shield_scratch *scratch, const struct rules *rules,
				  struct err *err);

/* The texts a rule may look at; ptr NULL: there is none. */
struct rule_texts {
	struct span text[RULE_WHERE_COUNT];
};

/* Does any rule look there? */
bool rules_want(const struct rules *rules, enum rule_where where);

struct rule_hit {
	const struct rule_spec *rule;
	enum rule_where where;
	size_t end; /* of the match, in the text of where */
};

enum rules_result { RULES_UNSET = 0, RULES_NONE, RULES_MATCH, RULES_BROKEN };

/* MATCH: *hit is the first rule in order that matches. BROKEN: the library could not scan. */
enum rules_result rules_scan(const struct rules *rules, struct shield_scratch *scratch,
			     const struct rule_texts *texts, struct rule_hit *hit);

#endif

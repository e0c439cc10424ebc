#ifndef SALLYPORT_RULES_AGE_H
#define SALLYPORT_RULES_AGE_H

#include "sallyport/json.h"
#include "sallyport/settings.h"

/* How old the rules of a policy are. */
struct rules_age {
	uint64_t rules;      /* how many */
	uint64_t max_age_ms; /* rule_pack.max_age */
	struct rules_dates dates;
};

struct rules_age rules_age_of(const struct settings *settings);
/* When the rules that decide were made: the pack where there is one, else the newest file that says its date. 0: nobody
 * said. */
uint64_t rules_age_made_s(const struct rules_age *age);
/* The object "rules" of /api/status and of `check --json`. */
void rules_age_describe(const struct rules_age *age, uint64_t now_s, struct json_writer *json);

#endif

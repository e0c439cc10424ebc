#ifndef SALLYPORT_SHIELD_ANSWERS_SCHEMA_H
#define SALLYPORT_SHIELD_ANSWERS_SCHEMA_H

#include "sallyport/shield_schema.h"

/* Settings of answers, for a site's `answers` and for rules. */

#define ANSWER_ACTION_DOC                                                                          \
	"`reject` answers with a status, `close` ends the connection without a word, `tarpit` "    \
	"does so after `timeouts.tarpit`."
#define ANSWER_STATUS_DOC                                                                          \
	"The status of the answer: 400, 403, 404, 405, 410, 413, 414, 415, 417, 429 or 431."

enum { ANSWER_STATUS_MIN = 400, ANSWER_STATUS_MAX = 431 };

extern const struct policy_choice answer_actions[];
extern const struct schema answer_schema;

/* Reports a status that there is not, or that nobody would see. */
void answer_check(const struct verdict_answer *answer, struct policy_where where,
		  struct policy_context *context);
/* Makes reason_answers of answers. */
void answers_policy_compile(struct shield_policy *policy, struct policy_context *context);
bool answers_policy_eq(const struct shield_policy *a, const struct shield_policy *b);

#endif

#ifndef SALLYPORT_SHIELD_JUDGING_H
#define SALLYPORT_SHIELD_JUDGING_H

#include "shield/compiled.h"

/* One request while it is judged. A step returns true where it has refused: the judging is
 * over then. */
struct judging {
	const struct shield *shield;
	struct shield_scratch *scratch;
	struct rule_tally *tally;
	const struct shield_request *request;
	struct verdict *verdict;
	enum shield_mode mode; /* of the path, or the site */
	bool always_allowed; /* the path is one of lists.always_urls */
	unsigned name_control; /* URL_NAME_CONTROL, or none */
	const struct exception *excepted; /* by which a finding that is rejected was met where it may be; NULL */
};

/* Refuses, as far as the mode goes. Always true. */
bool refuse(struct judging *judging, enum reason reason, struct span evidence);
/* The same, naming the setting. */
bool refuse_by(struct judging *judging, enum reason reason, struct span evidence,
	       const char *setting);
/* Refuses where value is over that limit (0: none). */
bool refuse_over(struct judging *judging, enum shield_limit limit, uint64_t value,
		 struct span evidence);

/* The longer reading of the path: merging slashes makes none longer. */
struct span forwarded_path(const struct judging *judging);

/* Steps. */
bool judge_host(struct judging *judging);
bool judge_segments(struct judging *judging);
bool judge_fields(struct judging *judging);
bool judge_cookies(struct judging *judging);
bool judge_content_type(struct judging *judging);
bool judge_path_lists(struct judging *judging);
bool judge_arguments(struct judging *judging);
bool judge_query_lists(struct judging *judging);
bool judge_rules(struct judging *judging);
bool judge_values(struct judging *judging);
/* Refuses where a rule that refuses by itself has matched. */
bool judge_hits(struct judging *judging);
bool judge_score(struct judging *judging);
/* Refuses nothing: says which exception was the reason that nothing has refused. */
bool judge_excepted(struct judging *judging);
bool judge_watched(struct judging *judging);
bool judge_texts(struct judging *judging);

/* excepted_findings.c: of what was found in the query, what is in arguments that have no exception for it. */
unsigned query_findings_left(struct judging *judging, unsigned found, struct span *evidence);
/* Which of `heeded` matter in this cookie or field. */
unsigned text_findings_heeded(struct judging *judging, const struct shield_text *text, unsigned heeded);
/* May it be met in the argument of this name? */
bool is_finding_excepted(struct judging *judging, unsigned finding, struct span argument);

bool has_content(const struct http_head *head);

/* What the matches add to the score. */
uint32_t tally_score(const struct shield *shield, const struct rule_tally *tally);

/* Is one of the texts in s, case ignored? NULL: none is. */
const char *find_sequence(const char *const *texts, struct span s);
bool is_listed(const char *const *texts, struct span s);
bool is_listed_caseless(const char *const *texts, struct span s);
/* The same of a type, without its parameters; a text may end in "*". */
bool is_type_listed(const char *const *texts, struct span type);

#endif

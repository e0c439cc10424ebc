#ifndef SALLYPORT_SHIELD_COMPILED_H
#define SALLYPORT_SHIELD_COMPILED_H

#include "sallyport/shield.h"

/* What is done about findings in one place, as bits. */
struct finding_masks {
	unsigned rejected, scored;
};

/* A site's shield, compiled: immutable, shared by workers copy-on-write. */
struct shield {
	struct shield_settings settings;
	uint32_t methods; /* 1 << enum http_method for those allowed by name */
	struct url_canon_options canon;
	struct finding_masks found[PLACE_COUNT];
	const struct verdict_answer *answers[REASON_COUNT]; /* NULL: as usual */
};

struct shield_scratch {
	struct rule_scratch *rules;
	struct rule_tally tally; /* of the request that was judged last */
	bool skips_rules;        /* it is one that no rule is asked about */
	struct exception_asked asked; /* about that request */
	const struct rule_watch *watch;
	char *text;              /* HTTP_HEAD_MAX bytes, for decoded cookies */
};

/* Turns settings.profile, .origin_kind and .findings into the masks. */
void findings_compile(struct shield *shield);
/* Turns settings.answers into the table. */
void answers_compile(struct shield *shield);
enum reason finding_reason(unsigned finding);
/* "sites[].shield.findings.encoded_slash"; of the worst of several. */
const char *finding_setting(unsigned finding, enum finding_place place);
uint32_t findings_weight(unsigned findings);
/* mode.c: the path has one reading, whoever reads it. */
bool canon_is_clear(const struct url_canon *canon);

#endif

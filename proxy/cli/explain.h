#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

/* What the files of `sallyport explain` share. */

#include "sallyport/json.h"
#include "sallyport/judge.h"

enum { OUTPUT_MAX = 1 << 20, FIELDS_GIVEN = 64, SHOWN_MAX = 2048 };

struct explain {
	const char *path;
	struct settings_overrides overrides;
	const char *method;
	const char *url;
	const char *fields[FIELDS_GIVEN];
	size_t field_count;
	bool as_json;
	bool is_tls;      /* an https URL */
	const char *from; /* the visitor's address as given; NULL: not known */
	struct addr visitor;
	const char *data; /* as given; NULL: no content */
	char *content;    /* owned */
	size_t content_len;

	const char *request_id; /* as given; NULL: a URL is explained */
	bool is_mute;           /* what is said now is not for the operator */

	struct settings *settings;
	struct strbuf head;
	struct json_writer json;
	struct strbuf out;
};

/* explain_say.c */
/* Bytes as they may stand on a terminal: what is not printable ASCII as \xHH. */
void explain_add_shown(struct strbuf *out, struct span s);
/* One step: its name, what it found, and the setting that decides about it (or NULL). */
void explain_say(struct explain *e, const char *step, const char *setting, const struct strbuf *text);
void explain_sayf(struct explain *e, const char *step, const char *setting, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void explain_span(struct explain *e, const char *step, struct span s);

/* explain_rules.c */
/* What is told of rules, while a request is judged. */
struct explain_matches;
struct rule_story {
	struct explain_matches *matches;
	struct exception_asked asked;
	uint32_t hits, waivers; /* of the tally, that were told */
};
/* How exceptions are asked about it. */
void explain_ask_exceptions(const struct http_head *head, const struct subject *s, struct exception_asked *asked);
/* Gathers each match that is judged with the scratch from now on. NULL: no memory. */
struct explain_matches *explain_watch(struct shield_scratch *scratch);
/* False: memory was short, and not all was told. matches may be NULL, which is that, too. */
MUST_CHECK bool explain_watch_end(struct explain_matches *matches);
/* Each rule that matched since it was asked last, refusing or not. */
void explain_rules(struct explain *e, const struct subject *s, struct rule_story *story,
		   const struct rule_tally *tally);
/* The exception that is in force, or the narrowest that would be: its path and method are filled in. */
void explain_exception(struct explain *e, const struct exception *by);
void explain_suggest(struct explain *e, const struct subject *s, const struct exception_asked *asked,
		     struct exception_place *place);

/* explain_stored.c */
typedef void explain_verdict(struct explain *e, const struct verdict *verdict);
/* Judges the request of e->head by the policy of e. False: something here failed. */
typedef bool explain_judge(struct explain *e, struct verdict *verdict, struct err *err);
/* What was kept of the request that e->request_id names; then *verdict is the last of its verdicts. False: it was
 * said why there is none. */
MUST_CHECK bool explain_stored(struct explain *e, explain_verdict *say, explain_judge *judge, struct verdict *verdict);

/* explain_content.c */
/* What --data says, or the file that it names. False: it cannot be read. */
MUST_CHECK bool explain_read_content(struct explain *e);
/* What becomes of it, where the head was allowed; then says the verdict. False: no memory. */
MUST_CHECK bool explain_content(struct explain *e, const struct http_head *head, const struct subject *s,
				struct shield_scratch *scratch, struct rule_story *story, struct verdict *verdict,
				explain_verdict *say);

/* explain_site.c */
/* Each finding of path, query, cookies and fields, what the site does about it, and exceptions. */
void explain_findings(struct explain *e, const struct http_head *head,
		      const struct subject *subject);
/* Which addresses may ask, and how often. */
void explain_admission(struct explain *e, const struct http_head *head, const struct subject *subject);

/* explain_guard.c */
/* What becomes of the answer, where the site is guarded. False: no memory. */
MUST_CHECK bool explain_guard(struct explain *e, const struct http_head *head, const struct subject *s);

#endif

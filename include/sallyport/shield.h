#ifndef SALLYPORT_SHIELD_H
#define SALLYPORT_SHIELD_H

#include "sallyport/arena.h"
#include "sallyport/body.h"
#include "sallyport/err.h"
#include "sallyport/exception.h"
#include "sallyport/http_head.h"
#include "sallyport/policy.h"
#include "sallyport/rule.h"
#include "sallyport/strbuf.h"
#include "sallyport/url.h"

/* The shield decides about a request. Decisions are pure: the parsed head and a
 * compiled policy go in, a verdict comes out.
 *
 * In this order, the first that objects gives the verdict:
 *
 *   what                 reasons                                       setting
 *   CONNECT, TRACE       method-connect, method-trace                  none: in every mode
 *   host                 host-denied                                   shield.deny.hosts
 *   method               method-denied, method-listed                  shield.methods, .deny.methods
 *   lengths              url-, path-, segment-, query-too-long, …      shield.limits
 *   fields, cookies      site-too-many-fields, cookie-too-large, …     shield.limits, .fields,
 *                                                                      .deny.fields, .cookie_syntax
 *   content              content-too-large, content-type-denied        shield.limits.body, .deny, .allow
 *   findings in the path those of findings.def                         shield.findings
 *   extension, sequences extension-denied, url-sequence                shield.deny, .allow
 *   rules                rule                                          rules[]
 *   findings in the      those of findings.def                         shield.query_findings
 *   query
 *   arguments            too-many-arguments, query-sequence, …         shield.limits, .deny.query
 *   findings in cookies  those of findings.def                         shield.cookie_findings,
 *   and fields                                                         .field_findings
 *   score                score                                         shield.limits.score
 *
 * Which finding does what is the table findings.def: by profile and kind of origin, unless the
 * site's policy says otherwise. Findings in the path come before the
 * rules, because a rule sees the decoded path, which has one meaning only once they are
 * excluded. Findings in the query come after them: a worm is known by its path,
 * and its name says more than the odd bytes of its payload. So do those in cookies and fields. */

/* REJECT is answered with a status; CLOSE ends the connection without a word; TARPIT holds it
 * for timeouts.tarpit first, saying nothing, or is a REJECT where quotas.tarpit wait already. */
enum verdict_action {
	VERDICT_UNSET = 0,
	VERDICT_ALLOW,
	VERDICT_REJECT,
	VERDICT_CLOSE,
	VERDICT_TARPIT,
	VERDICT_COPY, /* a known-good copy in place of what an origin says, or does not say */
};

struct verdict {
	enum verdict_action action;
	enum reason reason;
	uint16_t status;
	bool enforced;          /* false: monitor mode, the request goes on */
	const char *rule;       /* id of the rule that matched; NULL; owned by the policy */
	/* Borrowed from the head's bytes, or for a rule that looks at the path from
	 * canon.decoded: for a rule what it saw, up to where it matched. */
	struct span evidence;
	struct span name; /* of the cookie or field that was refused; ptr NULL: none was */
	/* The limit that was hit and the setting that changes it; setting NULL: none. */
	const char *setting;
	uint64_t limit;
	uint32_t retry_after_s; /* after this long the same would pass; 0: not known */
	uint64_t value; /* what was counted against the limit */
	uint32_t score; /* what scored findings weigh together, as far as they were looked for */
	/* An allowed request that would have been refused but for this exception, and the rule that it was
	 * for; NULL: there was none. Owned by the policy. */
	const struct exception *excepted;
	const char *excepted_rule; /* NULL with `excepted`: it was a finding */
};

/* Named in verdict.rule where the rules could not be matched at all: what is not judged is
 * refused. It takes a worker with scratch that was not made for the shield. */
#define SHIELD_RULE_BROKEN "shield.broken"

enum shield_mode { SHIELD_MODE_UNSET = 0, SHIELD_OFF, SHIELD_MONITOR, SHIELD_ENFORCE };

/* Paths of a site that have a mode of their own. */
struct shield_path {
	const char *path; /* canonical; it and everything under it, segment by segment */
	size_t path_len;
	int mode; /* enum shield_mode */
	struct policy_where where;
};

/* How much is expected of clients and pages; what an origin makes of a URL. UNSET: standard, unix. */
enum shield_profile {
	PROFILE_UNSET = 0,
	PROFILE_STRICT,
	PROFILE_STANDARD,
	PROFILE_LEGACY,
	PROFILE_COUNT,
};
enum origin_kind {
	ORIGIN_UNSET = 0,
	ORIGIN_UNIX,
	ORIGIN_IIS,
	ORIGIN_TOMCAT,
	ORIGIN_PHP,
	ORIGIN_KINDS,
};

/* What is done about a finding. */
enum finding_action {
	ACTION_UNSET = 0, /* in settings: as the profile says; in the table: is not found there */
	ACTION_ACCEPT,
	ACTION_REWRITE, /* the canonical path is changed; see findings.def */
	ACTION_REJECT,
	ACTION_SCORE,
};

/* Where it was found. */
enum finding_place {
	PLACE_UNSET = 0,
	PLACE_PATH,
	PLACE_QUERY,
	PLACE_COOKIE, /* its name and value */
	PLACE_FIELD,  /* the value of any field but Cookie */
	PLACE_COUNT,
};

/* Sites name their own actions; UNSET is the profile's. By enum url_finding_rank. */
struct shield_settings;
struct finding_actions {
	uint8_t in[PLACE_COUNT][URL_FINDING_KINDS];
};

/* The action of a finding by profile and kind alone; ACTION_UNSET where it can't be found. Kinds
 * differ about paths only. */
enum finding_action shield_profile_action(enum shield_profile profile, enum origin_kind kind,
					  enum url_finding_rank finding, enum finding_place place);
/* What a site with these settings does about it, by its own choice or its profile's; the setting that
 * says so; and how much it weighs where it is scored. */
enum finding_action shield_finding_action(const struct shield_settings *settings,
					  enum url_finding_rank finding, enum finding_place place);
const char *shield_finding_setting(enum url_finding_rank finding, enum finding_place place);
unsigned shield_finding_weight(enum url_finding_rank finding);
/* May a site choose the action for it? */
bool shield_action_is_possible(enum url_finding_rank finding, enum finding_place place,
			       enum finding_action action);
/* "path", "query", "cookie", "field" */
const char *finding_place_name(enum finding_place place);

/* The cookies and fields of a request, one after the other, as findings are looked for in them. */
struct shield_text {
	enum finding_place place;
	struct span name;
	struct span text; /* a cookie with its name, as sent; the value of a field */
};
struct shield_texts {
	const struct http_head *head;
	size_t field;        /* the next to be looked at */
	struct span cookies; /* what is left of the Cookie before it */
};
/* False: there is no other. Begins with {.head = head}. */
bool shield_next_text(struct shield_texts *texts, struct shield_text *text);
/* Those of `heeded` in one of them, and the evidence, as of url_scan_text. */
unsigned shield_scan_text(const struct shield_text *text, unsigned heeded, unsigned weighty,
			  struct span *evidence);
/* enum url_reading bits: how such an origin reads names where paths are compared. */
static inline unsigned shield_reading(int origin_kind)
{
	return origin_kind == ORIGIN_IIS      ? URL_READ_CASELESS
	       : origin_kind == ORIGIN_TOMCAT ? URL_READ_NO_PARAMETERS
					      : 0;
}
/* The table of findings, profiles and kinds as Markdown, for conf/README.md. */
void shield_document_findings(struct strbuf *out);

/* limits.def; 0: no limit. */
struct shield_limits {
#define LIMIT(member, ...) uint64_t member;
#include "sallyport/limits.def"
};
enum shield_limit {
#define LIMIT(member, ...) LIMIT_##member,
#include "sallyport/limits.def"
	LIMIT_COUNT
};
/* The limits that a profile has where a policy does not set them. */
void shield_profile_limits(enum shield_profile profile, struct shield_limits *out);

/* Lists of texts, each NULL-terminated or NULL. Compared without regard to case, but methods and
 * the `always` ones. Extensions with or without the dot; "." is none. Content types may end
 * in "*". Sequences are looked for in the path as sent and as decoded, and in the query alike. */
struct shield_lists {
	const char **deny_hosts; /* "*.shop.example" for all below shop.example */
	const char **deny_methods, **deny_extensions, **deny_content_types, **deny_fields;
	const char **deny_url, **deny_query;
	const char **allow_extensions, **allow_content_types; /* NULL: all */
	const char **always_urls;    /* canonical paths that no list and no rule is asked about */
	const char **always_queries; /* queries as sent that deny_query is not asked about */
};

/* What one field may be. */
struct field_rule {
	const char *name;
	uint64_t max;      /* bytes of its value; 0: no limit */
	const char **deny; /* sequences; may be NULL */
};

enum cookie_syntax { COOKIE_SYNTAX_UNSET = 0, COOKIE_SYNTAX_ANY, COOKIE_SYNTAX_RFC6265 };

/* What is done with content: body.h. */
enum body_codings { BODY_CODINGS_UNSET = 0, BODY_CODINGS_DECODE, BODY_CODINGS_REFUSE };
enum body_larger { BODY_LARGER_UNSET = 0, BODY_LARGER_STREAM, BODY_LARGER_REFUSE };
struct shield_bodies {
	unsigned kinds; /* 1 << enum body_kind: those that are looked into */
	uint64_t max;   /* what is held until it is read to its end */
	struct body_limits limits;
	int codings; /* enum body_codings; UNSET decodes */
	int larger;  /* enum body_larger: uploads above `max`; UNSET streams */
	const char **skip_paths, **skip_types; /* NULL-terminated or NULL: not looked into */
};

/* A site's own answer to a reason; verdict_answer.h says to which. */
struct reason_answer {
	enum reason reason;
	struct verdict_answer answer;
};

/* What a site's policy says, in plain values. */
struct shield_settings {
	int mode;        /* enum shield_mode; UNSET enforces */
	int profile;     /* enum shield_profile: what findings lead to. Limits have been filled in */
	int origin_kind; /* enum origin_kind */
	struct finding_actions findings;
	struct shield_limits limits;
	struct shield_bodies bodies;
	struct shield_lists lists;
	const struct field_rule *field_rules;
	size_t field_rule_count;
	int cookie_syntax;    /* enum cookie_syntax; UNSET is any */
	const char **methods; /* allowed; NULL-terminated. NULL: all but CONNECT and TRACE */
	const struct rule_set *rules; /* borrowed; NULL: none */
	const uint8_t *rule_modes;    /* by rule, enum shield_mode; NULL: as each rule says */
	const struct exception_set *exceptions; /* NULL: none */
	const struct shield_path *paths;
	size_t path_count;
	const struct reason_answer *answers;
	size_t answer_count;
};

struct shield;
struct shield_scratch; /* working memory to match rules in: one per worker */

/* Compiles. The result lives outside of the arena: free it. It borrows all that
 * *settings points to, not *settings itself. NULL: no memory. */
struct shield *shield_new(const struct shield_settings *settings, struct err *err);
void shield_free(struct shield *shield);
/* How the paths of its requests are made canonical. */
const struct url_canon_options *shield_canon_options(const struct shield *shield);

/* Scratch that serves any number of shields. */
struct shield_scratch *shield_scratch_new(const struct shield *const *shields, size_t n,
					  struct err *err);
void shield_scratch_free(struct shield_scratch *scratch);
/* Told of each match of rules that is judged with it from now on, for explain; NULL: nobody is. Borrowed. */
void shield_watch(struct shield_scratch *scratch, const struct rule_watch *watch);
/* What the rules found in the request that was judged last with it. */
const struct rule_tally *shield_tally(const struct shield_scratch *scratch);

struct shield_request {
	const struct http_head *head;
	const struct url_target *target;
	const struct url_canon *canon;
	/* The path as the origin gets it, where it is not canon->path because empty segments are kept
	 * for it; ptr NULL: it is. Limits hold for both readings. */
	struct span forward_path;
	struct span host; /* without port; ptr NULL: none was said */
	struct span client; /* the visitor's address as text; ptr NULL: not known */
	uint64_t wall_us;   /* since 1970: exceptions end */
	/* At least head->target_len + 1 bytes, for the decoded query; not the one that canon
	 * points into. Nothing points into it afterwards. */
	char *buf;
	/* How far the verdict goes: shield_mode_at's answer, or less where an operator says so. UNSET: as
	 * the site's settings say. */
	enum shield_mode mode;
};

/* The mode for a path: that of the longest of the site's paths it is under, else the
 * site's. A path with findings that leave it open which segments others read in it
 * (an escape behind an escape, a disguised separator) counts as under none and under each: the
 * stricter of both modes holds, so that /quiet/..%2fadmin is no way around the site's. */
enum shield_mode shield_mode_at(const struct shield *shield, const struct url_canon *canon);

/* How its exceptions are asked about that request; of forward_path, method and wall_us too. */
void shield_ask_exceptions(const struct shield *shield, const struct shield_request *request,
			   struct exception_asked *asked);
/* The verdict on a request whose framing is sound: ALLOW, REJECT, or what the site and its rules
 * answer instead. Allocates nothing. Of several
 * rules that match, the first in the policy's order is named. */
void shield_judge(const struct shield *shield, struct shield_scratch *scratch,
		  const struct shield_request *request, struct verdict *verdict);
/* What is to be done with the content that follows a head which was allowed. */
struct body_plan {
	bool inspect; /* false: nothing; it passes within limits.body */
	bool streams; /* what is over `hold` goes on as it comes, and is looked into on the way */
	uint64_t hold; /* bytes that are kept until all is read */
	uint64_t max;  /* of body_setup */
	const char *max_setting;
	unsigned findings;
	struct body_type type;
	struct coding_list codings;
};
/* True: *plan says what to do. False: *verdict refuses, or notes, and nothing is to be done. Looks at
 * request->head, canon and mode only. */
MUST_CHECK bool shield_plan_body(const struct shield *shield, const struct shield_request *request,
				 struct body_plan *plan, struct verdict *verdict);
/* How it is looked into; sink, memory and seed are left to the caller. Borrows both. */
struct body_setup shield_body_setup(const struct shield *shield, const struct body_plan *plan);
/* The verdict on content that is at fault; score is kept. */
void shield_refuse_body(const struct shield *shield, enum shield_mode mode, const struct body_fault *fault,
			struct verdict *verdict);
/* Rules over the values that content is taken apart into, after its head was judged; kept with the request.
 *
 *   head judged ─► shield_content_begin ─► { shield_content_scan ─► shield_content_add … ─► rule_scan_run
 *                                            ─► shield_content_judge } as often as content comes
 *
 * Content without a syntax and what files hold are looked at in windows, which overlap: what is no longer than the
 * overlap is found however the bytes come. */
enum { SHIELD_WINDOW = 32 << 10, SHIELD_WINDOW_OVERLAP = 4 << 10 };
struct shield_content {
	const struct shield *shield;
	enum shield_mode mode;
	bool asks; /* rules are asked about this request */
	uint32_t score;    /* of the head's findings */
	unsigned findings; /* of the content, that are scored */
	struct rule_tally tally;
	struct exception_asked asked; /* its spans are the head's */
	uint8_t last_name_len; /* of the name that was looked at last, where it is short */
	char last_name[64];
	/* SHIELD_WINDOW bytes, owned by the caller, who sets it behind shield_content_begin where
	 * shield_content_needs_window; NULL: such values are passed over. */
	char *window;
	size_t window_len, window_seen; /* bytes that are in it; those that were looked at */
};
/* Right after shield_judge with that scratch; score: its verdict's. The head and the canonical path stay
 * as long as *content. */
void shield_content_begin(struct shield_content *content, const struct shield *shield,
			  const struct shield_scratch *scratch, enum shield_mode mode, uint32_t score);
bool shield_content_needs_window(const struct shield_content *content, enum body_kind kind);
/* Begins a scan of values, which ends before the scratch is used for anything else. Values need
 * not stay behind rule_scan_run; without `raw`, an excerpt is kept as evidence. */
void shield_content_scan(struct shield_content *content, struct shield_scratch *scratch,
			 struct rule_scan *scan);
/* Adds what one value of a body is to rules: its bytes, and at most 576 of its name. False: what was found so far
 * refuses the request already. */
bool shield_content_add(struct shield_content *content, struct rule_scan *scan, const struct body_value *value);
/* The verdict on all of the request so far; true where it refuses, or would in monitor mode. Its evidence
 * lives as long as *content. */
MUST_CHECK bool shield_content_judge(struct shield_content *content, struct verdict *verdict);
/* Gives a refusal that was made elsewhere for this site (an address, a rate, content that is
 * longer than was said) the site's answer to its reason. */
void shield_answer(const struct shield *shield, struct verdict *verdict);

#endif

#ifndef SALLYPORT_SHIELD_H
#define SALLYPORT_SHIELD_H

#include "sallyport/arena.h"
#include "sallyport/err.h"
#include "sallyport/http_head.h"
#include "sallyport/policy.h"
#include "sallyport/url.h"

/* The shield decides about a request. Decisions are pure: the parsed head and a
 * compiled policy go in, a verdict comes out.
 *
 * In this order, the first that objects gives the verdict:
 *
 *   what                 reasons                                       setting
 *   CONNECT, TRACE       method-connect, method-trace                  none: in every mode
 *   method               method-denied                                 sites[].shield.methods
 *   lengths              url-, path-, query-too-long,                  sites[].shield.limits.url,
 *                        content-too-large                             .path, .query, .body
 *   findings in the path escape-nul, utf8-overlong, path-above-root,   sites[].shield.mode
 *                        escape-double, escape-unicode, escape-control,
 *                        escape-invalid, path-backslash, path-encoded-slash,
 *                        utf8-invalid, target-byte
 *   rules                rule                                          rules[]
 *   findings in the      escape-nul, utf8-overlong, escape-unicode,    sites[].shield.mode
 *   query                target-byte
 *
 * Which finding does what, and why, is the table in url.h. Findings in the path come before the
 * rules, because a rule sees the decoded path, which has one meaning only once they are
 * excluded. Findings in the query come after them: a worm is known by its path,
 * and its name says more than the odd bytes of its payload. */

enum verdict_action { VERDICT_UNSET = 0, VERDICT_ALLOW, VERDICT_REJECT, VERDICT_CLOSE };

struct verdict {
	enum verdict_action action;
	enum reason reason;
	uint16_t status;
	bool enforced;          /* false: monitor mode, the request goes on */
	const char *rule;       /* id of the rule that matched; NULL; owned by the policy */
	/* Borrowed from the head's bytes, or for a rule that looks at the path from
	 * canon.decoded: for a rule what it saw, up to where it matched. */
	struct span evidence;
	/* The limit that was hit and the setting that changes it; setting NULL: none. */
	const char *setting;
	uint64_t limit;
	uint32_t retry_after_s; /* after this long the same would pass; 0: not known */
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

/* One rule as the operator wrote it (conf/policy.d/worms.cfg). */
struct rule_spec {
	const char *id;      /* "worm.code-red" */
	const char *where;   /* "path" (decoded), "query" (decoded), "url" (raw target) */
	const char *pattern; /* PCRE syntax as vectorscan takes it; case is ignored, "." is any byte */
	const char *message;
	const char *cve;     /* may be NULL */
};

/* What a site's policy says, in plain values. */
struct shield_settings {
	int mode; /* enum shield_mode; UNSET enforces */
	/* request-target; path, as sent or as forwarded, whichever is longer; query. 0: no limit */
	uint32_t url_bytes, path_bytes, query_bytes;
	uint64_t body_bytes; /* 0: no limit. Judged where Content-Length says it */
	const char **methods; /* allowed; NULL-terminated. NULL: all but CONNECT and TRACE */
	const struct rule_spec *rules;
	size_t rule_count;
	const struct shield_path *paths;
	size_t path_count;
};

struct shield;
struct shield_scratch; /* vectorscan's working memory: one per worker */

/* Compiles. The result lives outside of the arena: free it. It borrows the methods,
 * rules and paths, not *settings itself. NULL: err names the first bad rule, *bad_rule its index (or
 * rule_count where it is no rule's fault: no memory, or a CPU without SSSE3). */
struct shield *shield_new(const struct shield_settings *settings, size_t *bad_rule,
			  struct err *err);
void shield_free(struct shield *shield);

/* Scratch that serves any number of shields. */
struct shield_scratch *shield_scratch_new(const struct shield *const *shields, size_t n,
					  struct err *err);
void shield_scratch_free(struct shield_scratch *scratch);

struct shield_request {
	const struct http_head *head;
	const struct url_target *target;
	const struct url_canon *canon;
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

/* The verdict on a request whose framing is sound: ALLOW or REJECT. Allocates nothing. Of several
 * rules that match, the first in the policy's order is named. */
void shield_judge(const struct shield *shield, struct shield_scratch *scratch,
		  const struct shield_request *request, struct verdict *verdict);

#endif

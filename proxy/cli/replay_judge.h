#ifndef CLI_REPLAY_JUDGE_H
#define CLI_REPLAY_JUDGE_H

/* What a policy thinks of a logged request, by the code that judges live ones. */

#include "cli/replay_line.h"
#include "sallyport/judge.h"

/* Points into the policy, and into the judge's memory until the next request. */
struct opinion {
	bool refused;      /* and enforced */
	bool watched;      /* would be refused, but for monitor mode */
	bool is_elsewhere; /* of another site than the one that is asked about */
	enum reason reason;
	const char *rule;    /* NULL: none */
	const char *setting; /* NULL: none */
	uint64_t limit, value;
	struct span evidence, name;
	const struct rule_hit *hit; /* the rule's first match; NULL: none */
};

struct replay_judge;

/* The policy at `path`, or the standard settings for NULL; site: a name, or NULL. NULL: what is wrong was
 * written to standard error. */
struct replay_judge *replay_judge_new(const char *path, const char *site);
void replay_judge_free(struct replay_judge *judge);
/* Fields that the log has not are taken as if they were ordinary: Host is the site's own, the others
 * are left out. */
void replay_judge_ask(struct replay_judge *judge, const struct logged *request, struct opinion *opinion);
/* What one of its rules says of itself; NULL: it has no such rule. */
const char *replay_judge_message(const struct replay_judge *judge, const char *rule);
/* Appends the narrowest exception to the rule that refused the request asked about last, as text for a
 * policy; nothing where no rule did, or where its value's name was not sent plainly. */
void replay_judge_suggest(const struct replay_judge *judge, const struct opinion *opinion, struct strbuf *out);

/* What became of a request when it was logged. */
enum then {
	THEN_UNKNOWN = 0, /* the log is another server's: whatever is in it has reached the site */
	THEN_PASSED,
	THEN_REFUSED,
	THEN_REFUSED_UNSEEN, /* for what a log does not have: content, a cookie, how often somebody asks */
};
enum then replay_then(const struct logged *request);

#endif

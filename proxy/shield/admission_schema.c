/* What a policy may say about addresses and rates, and its compiled form: networks as sets, rates
 * as intervals, paths longest first. */
#include "sallyport/admission.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "shield/answers_schema.h"
#include "shield/rate_schema.h"

#define THROTTLE(member) offsetof(struct throttle_policy, member)
#define PATH(member)     offsetof(struct throttle_path, member)

enum {
	PATH_BYTES_MAX = 1024,
	PATHS_MAX = 64,
	LOGINS_MAX = 16,
	NETWORKS_MAX = 65536,
	RATE_MAX = 100000,
	BURST_MAX = 1000000,
	CONCURRENT_MAX = 100000,
	REPLY_BURST_MIN = 4096,
	REPLY_BURST_LEAST = 65536, /* where none is set: a page and what belongs to it */
};

/* ---- networks ---- */

void address_policy_compile(struct address_policy *addresses, struct policy_where where,
			    struct policy_context *context)
{
	const struct policy_strings *allowed = &addresses->allow.texts;

	address_list_compile(&addresses->allow, "allow_addresses", where, context);
	address_list_compile(&addresses->deny, "deny_addresses", where, context);
	if (allowed->items && allowed->n == 0)
		policy_error_in(context, allowed->where, "allow_addresses",
				"none is left: every request would be refused");
}

static void link_list(struct address_list *list, unsigned site_index, const char *setting,
		      const struct policy_list *sets, struct policy_context *context)
{
	char named[64];

	snprintf(named, sizeof(named), "sites[%u].shield.%s", site_index, setting);
	address_list_link(list, sets, named, context);
}

void admission_link(struct address_policy *addresses, struct throttle_policy *policy, unsigned site_index,
		    const struct policy_list *sets, struct policy_context *context)
{
	link_list(&addresses->allow, site_index, "allow_addresses", sets, context);
	link_list(&addresses->deny, site_index, "deny_addresses", sets, context);
	link_list(&policy->allow, site_index, "throttle.allow", sets, context);
}

/* ---- rates ---- */

static void compile_reply_rate(struct throttle_policy *policy, struct policy_where where,
			       struct policy_context *context)
{
	uint64_t usual = MAX(policy->reply_rate, (uint64_t)REPLY_BURST_LEAST);
	uint64_t burst = policy->reply_burst > 0 ? policy->reply_burst : usual;

	if (policy->reply_rate > 0 && !throttle_byte_rate_of(policy->reply_rate, burst, &policy->reply))
		policy_error_in(context, where, "reply_burst",
				"at this rate a burst of %llu bytes takes more than 7 d to be forgotten",
				(unsigned long long)burst);
	if (policy->reply_burst > 0 && policy->reply_rate == 0)
		policy_warning(context, where, "reply_burst has no effect: reply_rate is not set");
}

/* ---- paths ---- */

static const struct setting path_rows[] = {
    {"path", SETTING_STRING, PATH(path), .required = true, .example = "\"/login\"",
     .doc = "The path and everything under it, compared in canonical form, segment by segment. "
	    "The longest path that fits counts."},
    {"per_client", SETTING_RATE, PATH(per_client), .min = 1, .max = RATE_MAX,
     .example = "\"5/min\"", .doc = "How often one client may ask for it, in the mean. It or `concurrent` is needed."},
    {"burst", SETTING_COUNT, PATH(burst), .standard = "5", .min = 1, .max = BURST_MAX,
     .doc = "How often at once."},
    {"concurrent", SETTING_COUNT, PATH(concurrent), .standard = "0", .max = CONCURRENT_MAX,
     .doc = "How many requests for it one client may have in work at a time. 0: any."},
    {0},
};

static void check_path(const char *path, struct policy_where where, struct policy_context *context)
{
	char buf[URL_CANON_ROOM(PATH_BYTES_MAX)];
	const struct span raw = span_from_str(path);
	struct url_canon canon;

	if (raw.ptr[0] != '/' || raw.len > PATH_BYTES_MAX || strpbrk(path, "?#")) {
		policy_error_in(context, where, "path",
				"\"%.64s\" is not a path, such as \"/login\", of at most %d bytes",
				path, PATH_BYTES_MAX);
		return;
	}
	url_canon_path(raw, buf, &canon);
	if (canon.findings != URL_FINDING_NONE)
		policy_error_in(
		    context, where, "path",
		    "\"%s\" is never met, paths are compared in canonical form: \"%.*s\"", path,
		    SPAN_ARG(canon.path));
}

static void finish_path(void *structure, struct policy_where where, struct policy_context *context)
{
	const struct policy_where nowhere = {0};
	struct throttle_path *rule = structure;

	if (!rule->path)
		return;
	check_path(rule->path, where, context);
	rule->path_len = strlen(rule->path);
	/* what is there and wrong was reported */
	if (rule->concurrent == 0 && policy_where_of(context, "per_client", nowhere).line == 0)
		policy_error(context, where, "neither per_client nor concurrent is set");
	rate_compile(&rule->per_client, rule->burst, "burst", throttle_id(rule->path), &rule->rate, where, context);
}

static const struct schema path_schema = {
    .name = "paths",
    .size = sizeof(struct throttle_path),
    .settings = path_rows,
    .where_offset = PATH(where),
    .finish = finish_path,
};

static int longest_first(const void *left, const void *right)
{
	const struct throttle_path *a = *(struct throttle_path *const *)left;
	const struct throttle_path *b = *(struct throttle_path *const *)right;

	if (a->path_len != b->path_len)
		return a->path_len > b->path_len ? -1 : 1;
	return strcmp(a->path, b->path);
}

static void compile_paths(struct throttle_policy *policy, struct policy_where where,
			  struct policy_context *context)
{
	struct throttle_path *list = policy->path_list.items;
	size_t n = 0;

	policy->paths =
	    arena_alloc(context->arena, (policy->path_list.n + 1) * sizeof(policy->paths[0]));
	if (!policy->paths) {
		policy_error(context, where, "out of memory");
		return;
	}
	for (size_t i = 0; i < policy->path_list.n; i++) {
		if (list[i].path)
			policy->paths[n++] = &list[i];
	}
	qsort(policy->paths, n, sizeof(policy->paths[0]), longest_first);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(policy->paths[i - 1]->path, policy->paths[i]->path) == 0)
			policy_error(context, MAX(policy->paths[i - 1], policy->paths[i])->where,
				     "paths: \"%s\" is listed twice", policy->paths[i]->path);
	}
	policy->path_count = n;
}

/* ---- the throttle ---- */

static const struct setting throttle_rows[] = {
    {"per_client", SETTING_RATE, THROTTLE(per_client), .min = 1, .max = RATE_MAX,
     .example = "\"50/s\"",
     .doc = "How often one client may ask this site, in the mean: one IPv4 address, or one IPv6 "
	    "network of 64 bits. Without it only `paths` have rates."},
    {"burst", SETTING_COUNT, THROTTLE(burst), .standard = "100", .min = 1, .max = BURST_MAX,
     .doc = "How often at once."},
    {"concurrent", SETTING_COUNT, THROTTLE(concurrent), .standard = "0", .max = CONCURRENT_MAX,
     .doc = "How many requests to this site one client may have in work at a time, over all its connections. 0: any."},
    {"paths", SETTING_LIST, THROTTLE(path_list), .sub = &path_schema, .max = PATHS_MAX,
     .doc = "Paths with a rate of their own, besides that of the whole site."},
    {"sessions", SETTING_GROUP, THROTTLE(sessions), .sub = &throttle_sessions_schema,
     .doc = "How often one session may ask, whoever has it: see Sessions."},
    {"logins", SETTING_LIST, THROTTLE(logins), .sub = &login_schema, .max = LOGINS_MAX,
     .doc = "Pages where passwords are asked for: see Logins."},
    {"reply_rate", SETTING_BYTE_RATE, THROTTLE(reply_rate), .standard = "0 B/s", .max = THROTTLE_BYTES_MAX,
     .example = "\"4 MiB/s\"",
     .doc = "How much of this site's replies, and of what comes down its tunnels, one client gets in a second, over all "
	    "its connections: what is over it waits, and nothing is refused. 0: any."},
    {"reply_burst", SETTING_BYTES, THROTTLE(reply_burst), .min = REPLY_BURST_MIN, .max = THROTTLE_BYTES_MAX,
     .example = "\"1 MiB\"",
     .doc = "How much of that at once. Without it: what `reply_rate` gives in a second, and 64 KiB at least."},
    {"allow", SETTING_STRINGS, THROTTLE(allow.texts), .max = NETWORKS_MAX,
     .example = "( \"10.0.0.0/8\" )",
     .doc = "Networks, or sets of them (`set:NAME`), whose requests are neither counted, refused nor held here, such as "
	    "those of a monitoring service."},
    {"strikes", SETTING_COUNT, THROTTLE(strikes), .standard = "0", .max = 1000000,
     .doc = "So many refusals ban a client for the time `ban`. 0: never."},
    {"strike_window", SETTING_TIME, THROTTLE(strike_window_ms), .standard = "1 min", .min = 1000,
     .max = 86400000,
     .doc = "How long it takes until all `strikes` are forgotten, one after the other."},
    {"ban", SETTING_TIME, THROTTLE(ban_ms), .standard = "10 min", .min = 1000, .max = 604800000,
     .doc = "How long a ban lasts. It holds for this site only, and outlasts reloads."},
    {"ban_action", SETTING_ENUM, THROTTLE(ban_action), .standard = "reject", .choices = answer_actions,
     .doc = "What a banned client gets: `reject` answers 429, `close` nothing, `tarpit` nothing "
	    "after `timeouts.tarpit`."},
    {"dry_run", SETTING_BOOL, THROTTLE(dry_run), .standard = "false",
     .doc = "Counts and logs what would be refused, and refuses nothing, nor holds replies."},
    {0},
};

static void finish_throttle(void *structure, struct policy_where where,
			    struct policy_context *context)
{
	struct throttle_policy *policy = structure;
	const struct policy_rate strikes = {policy->strikes, policy->strike_window_ms};

	compile_paths(policy, where, context);
	address_list_compile(&policy->allow, "allow", where, context);
	policy->has_rate = policy->per_client.count > 0;
	policy->has_concurrent = policy->concurrent > 0;
	for (size_t i = 0; i < policy->path_count; i++)
		policy->has_concurrent |= policy->paths[i]->concurrent > 0;
	policy->is_on = policy->has_rate || policy->path_count > 0 || policy->logins.n > 0 ||
			policy->sessions.per_session.count > 0;
	rate_compile(&policy->per_client, policy->burst, "burst", 0, &policy->rate, where, context);
	compile_reply_rate(policy, where, context);
	/* always possible: the ranges of both are smaller than those of rates */
	if (strikes.count > 0)
		(void)throttle_rate_of(strikes.count, strikes.per_ms, strikes.count, 0,
				       &policy->strike_rate);
	if (policy->where.line > 0 && !policy->is_on && !policy->has_concurrent && policy->reply_rate == 0)
		policy_warning(context, where,
			       "none of per_client, concurrent, paths, sessions, logins and reply_rate is set: nothing is throttled");
}

const struct schema throttle_schema = {
    .name = "throttle",
    .size = sizeof(struct throttle_policy),
    .settings = throttle_rows,
    .where_offset = THROTTLE(where),
    .finish = finish_throttle,
};

/* What a dry run counts, and whom it bans, must not count once it is over. */
void throttle_policy_name(struct throttle_policy *policy, const char *site_name)
{
	policy->site =
	    throttle_id(site_name) ^ (policy->dry_run ? UINT64_C(0x6472795f72756e00) : 0);
}

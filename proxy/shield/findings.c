/* What is done about each finding: the table findings.def by profile and kind of origin, and what
 * a site says otherwise. Compiled into masks, so that judging costs no look at the table. */
#include "shield/compiled.h"

/* How the table writes its actions. */
enum {
	UNSET = ACTION_UNSET,
	ACCEPT = ACTION_ACCEPT,
	REWRITE = ACTION_REWRITE,
	REJECT = ACTION_REJECT,
	SCORE = ACTION_SCORE,
};

enum rewriting { NEVER, MAY, ALWAYS };

struct finding_row {
	const char *name, *doc;
	const char *setting, *query_setting;
	uint8_t path[PROFILE_COUNT], query[PROFILE_COUNT];
	uint8_t weight, rewriting;
	enum reason reason;
};

static const struct finding_row rows[URL_FINDING_KINDS] = {
#define FINDING(id, member, label, why, weighs, strict, standard, legacy, q_strict, q_standard,    \
		q_legacy, rewrites, text)                                                          \
	[URL_RANK_##id] = {                                                                        \
	    .name = label,                                                                         \
	    .doc = text,                                                                           \
	    .setting = "sites[].shield.findings." #member,                                         \
	    .query_setting = "sites[].shield.query_findings." #member,                             \
	    .path = {UNSET, strict, standard, legacy},                                             \
	    .query = {UNSET, q_strict, q_standard, q_legacy},                                      \
	    .weight = weighs,                                                                      \
	    .rewriting = rewrites,                                                                 \
	    .reason = REASON_##why,                                                                \
	},
#include "sallyport/findings.def"
};

static const uint8_t of_kind[ORIGIN_KINDS][URL_FINDING_KINDS][PROFILE_COUNT] = {
#define FINDING_OF_KIND(kind, id, strict, standard, legacy)                                        \
	[ORIGIN_##kind][URL_RANK_##id] = {UNSET, strict, standard, legacy},
#include "sallyport/findings.def"
};

enum finding_action shield_path_action(enum shield_profile profile, enum origin_kind kind,
				       enum url_finding_rank finding)
{
	unsigned own = of_kind[kind][finding][profile];
	return own ? (enum finding_action)own : (enum finding_action)rows[finding].path[profile];
}

enum finding_action shield_query_action(enum shield_profile profile, enum url_finding_rank finding)
{
	return (enum finding_action)rows[finding].query[profile];
}

enum finding_action shield_finding_action(const struct shield_settings *settings,
					  enum url_finding_rank finding, bool in_query)
{
	const uint8_t *own = in_query ? settings->findings.query : settings->findings.path;
	enum shield_profile profile =
	    settings->profile ? (enum shield_profile)settings->profile : PROFILE_STANDARD;
	if (own[finding])
		return (enum finding_action)own[finding];
	return in_query ? shield_query_action(profile, finding)
			: shield_path_action(profile, (enum origin_kind)settings->origin_kind,
					     finding);
}

const char *shield_finding_setting(enum url_finding_rank finding, bool in_query)
{
	return in_query ? rows[finding].query_setting : rows[finding].setting;
}

unsigned shield_finding_weight(enum url_finding_rank finding)
{
	return rows[finding].weight;
}

bool shield_action_is_possible(enum url_finding_rank finding, bool in_query,
			       enum finding_action action)
{
	const struct finding_row *row = &rows[finding];
	if (in_query)
		return row->query[PROFILE_STRICT] != UNSET &&
		       (action != ACTION_REWRITE ||
			URL_FINDINGS_OF_QUERY_REWRITABLE >> finding & 1);
	if (row->path[PROFILE_STRICT] == UNSET)
		return false;
	return !(action == ACTION_REWRITE && row->rewriting == NEVER) &&
	       !(action == ACTION_ACCEPT && row->rewriting == ALWAYS);
}

static void add_to(struct finding_masks *masks, unsigned action, unsigned finding)
{
	masks->rejected |= action == ACTION_REJECT ? finding : 0;
	masks->scored |= action == ACTION_SCORE ? finding : 0;
}

void findings_compile(struct shield *shield)
{
	const struct shield_settings *settings = &shield->settings;
	for (int i = 0; i < URL_FINDING_KINDS; i++) {
		enum url_finding_rank rank = (enum url_finding_rank)i;
		unsigned finding = 1u << i;
		enum finding_action action = shield_finding_action(settings, rank, false);
		enum finding_action in_query = shield_finding_action(settings, rank, true);
		add_to(&shield->path, action, finding);
		add_to(&shield->query, in_query, finding);
		if (action != ACTION_ACCEPT && action != ACTION_UNSET)
			shield->canon.heeded |= finding;
		if (action == ACTION_REWRITE)
			shield->canon.rewrite |= finding & URL_FINDINGS_REWRITABLE;
		if (in_query == ACTION_REWRITE)
			shield->canon.query_rewrite |= finding & URL_FINDINGS_OF_QUERY_REWRITABLE;
	}
	/* mode.c asks about these whatever is done about them; a clean path has none */
	shield->canon.heeded |= URL_BACKSLASH | URL_ENCODED_SLASH | URL_PARAMETER_DOTS |
				URL_DOTS_DISGUISED | URL_DOTS_AMBIGUOUS;
	shield->canon.weighty = shield->path.rejected;
	shield->canon.last_dots = settings->origin_kind == ORIGIN_TOMCAT;
}

static const struct finding_row *row_of(unsigned finding)
{
	size_t rank = 0;
	while (rank + 1 < URL_FINDING_KINDS && !(finding >> rank & 1))
		rank++;
	return &rows[rank];
}

enum reason finding_reason(unsigned finding)
{
	return row_of(finding)->reason;
}

const char *finding_setting(unsigned finding, bool in_query)
{
	return in_query ? row_of(finding)->query_setting : row_of(finding)->setting;
}

uint32_t findings_weight(unsigned findings)
{
	uint32_t weight = 0;
	for (; findings; findings &= findings - 1)
		weight += row_of(url_worst_finding(findings))->weight;
	return weight;
}

static const char *action_name(unsigned action)
{
	static const char *const names[] = {"–", "accept", "rewrite", "**reject**", "score"};
	return names[action];
}

static void write_actions(struct strbuf *out, const uint8_t actions[PROFILE_COUNT])
{
	for (int profile = PROFILE_STRICT; profile < PROFILE_COUNT; profile++)
		strbuf_addf(out, " %s |", action_name(actions[profile]));
}

static void write_kinds(struct strbuf *out, int finding)
{
	static const char *const names[ORIGIN_KINDS] = {[ORIGIN_UNIX] = "unix",
							[ORIGIN_IIS] = "iis",
							[ORIGIN_TOMCAT] = "tomcat",
							[ORIGIN_PHP] = "php"};
	const char *before = " ";
	for (int kind = ORIGIN_UNIX; kind < ORIGIN_KINDS; kind++) {
		const uint8_t *own = of_kind[kind][finding];
		if (!own[PROFILE_STRICT])
			continue;
		strbuf_addf(out, "%s%s: %s, %s, %s", before, names[kind],
			    action_name(own[PROFILE_STRICT]), action_name(own[PROFILE_STANDARD]),
			    action_name(own[PROFILE_LEGACY]));
		before = "; ";
	}
	strbuf_add_str(out, " |");
}

void shield_document_findings(struct strbuf *out)
{
	strbuf_add_str(out,
		       "| finding | weight | path: strict | standard | legacy | where the kind "
		       "differs | query: strict | standard | legacy | reason | meaning |\n"
		       "|---|---|---|---|---|---|---|---|---|---|---|\n");
	for (int i = 0; i < URL_FINDING_KINDS; i++) {
		const struct finding_row *row = &rows[i];
		strbuf_addf(out, "| `%s` | %u |", row->name, row->weight);
		write_actions(out, row->path);
		write_kinds(out, i);
		write_actions(out, row->query);
		strbuf_addf(out, " `%s` | ", reason_name(row->reason));
		for (const char *c = row->doc; *c; c++)
			strbuf_addf(out, "%s%c", *c == '|' ? "\\" : "", *c);
		strbuf_add_str(out, " |\n");
	}
}

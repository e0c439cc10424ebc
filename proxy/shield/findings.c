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
	const char *settings[PLACE_COUNT];
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
	    .settings =                                                                            \
		{                                                                                  \
		    [PLACE_PATH] = "sites[].shield.findings." #member,                             \
		    [PLACE_QUERY] = "sites[].shield.query_findings." #member,                      \
		    [PLACE_COOKIE] = "sites[].shield.cookie_findings." #member,                    \
		    [PLACE_FIELD] = "sites[].shield.field_findings." #member,                      \
		},                                                                                 \
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

/* In cookies and fields. */
static const uint8_t in_text[PLACE_COUNT][URL_FINDING_KINDS][PROFILE_COUNT] = {
#define FINDING_IN_TEXT(id, strict, standard, legacy, f_strict, f_standard, f_legacy)              \
	[PLACE_COOKIE][URL_RANK_##id] = {UNSET, strict, standard, legacy},                         \
	[PLACE_FIELD][URL_RANK_##id] = {UNSET, f_strict, f_standard, f_legacy},
#include "sallyport/findings.def"
};

/* The row of a table, by profile. */
static const uint8_t *actions_of(enum url_finding_rank finding, enum finding_place place)
{
	switch (place) {
	case PLACE_PATH: return rows[finding].path;
	case PLACE_QUERY: return rows[finding].query;
	default: return in_text[place][finding];
	}
}

enum finding_action shield_profile_action(enum shield_profile profile, enum origin_kind kind,
					  enum url_finding_rank finding, enum finding_place place)
{
	unsigned own = place == PLACE_PATH ? of_kind[kind][finding][profile] : ACTION_UNSET;
	return (enum finding_action)(own ? own : actions_of(finding, place)[profile]);
}

enum finding_action shield_finding_action(const struct shield_settings *settings,
					  enum url_finding_rank finding, enum finding_place place)
{
	unsigned own = settings->findings.in[place][finding];
	enum shield_profile profile =
	    settings->profile ? (enum shield_profile)settings->profile : PROFILE_STANDARD;
	return own ? (enum finding_action)own
		   : shield_profile_action(profile, (enum origin_kind)settings->origin_kind, finding,
					   place);
}

const char *shield_finding_setting(enum url_finding_rank finding, enum finding_place place)
{
	return rows[finding].settings[place];
}

const char *finding_place_name(enum finding_place place)
{
	static const char *const names[PLACE_COUNT] = {[PLACE_UNSET] = "-",
						       [PLACE_PATH] = "path",
						       [PLACE_QUERY] = "query",
						       [PLACE_COOKIE] = "cookie",
						       [PLACE_FIELD] = "field"};
	return names[place];
}

unsigned shield_finding_weight(enum url_finding_rank finding)
{
	return rows[finding].weight;
}

static bool may_be_rewritten(enum url_finding_rank finding, enum finding_place place)
{
	switch (place) {
	case PLACE_PATH: return rows[finding].rewriting != NEVER;
	case PLACE_QUERY: return URL_FINDINGS_OF_QUERY_REWRITABLE >> finding & 1;
	default: return false;
	}
}

bool shield_action_is_possible(enum url_finding_rank finding, enum finding_place place,
			       enum finding_action action)
{
	if (actions_of(finding, place)[PROFILE_STRICT] == UNSET)
		return false;
	if (action == ACTION_REWRITE)
		return may_be_rewritten(finding, place);
	return place != PLACE_PATH || action != ACTION_ACCEPT || rows[finding].rewriting != ALWAYS;
}

static void add_to(struct finding_masks *masks, unsigned action, unsigned finding)
{
	masks->rejected |= action == ACTION_REJECT ? finding : 0;
	masks->scored |= action == ACTION_SCORE ? finding : 0;
}

_Static_assert(URL_FINDING_KINDS <= 8 * sizeof(unsigned), "each finding has a bit");

void findings_compile(struct shield *shield)
{
	const struct shield_settings *settings = &shield->settings;
	for (int i = 0; i < URL_FINDING_KINDS; i++) {
		enum url_finding_rank rank = (enum url_finding_rank)i;
		unsigned finding = 1u << i;
		for (int place = PLACE_PATH; place < PLACE_COUNT; place++)
			add_to(&shield->found[place],
			       shield_finding_action(settings, rank, (enum finding_place)place),
			       finding);
		enum finding_action action = shield_finding_action(settings, rank, PLACE_PATH);
		enum finding_action in_query = shield_finding_action(settings, rank, PLACE_QUERY);
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
	shield->canon.weighty = shield->found[PLACE_PATH].rejected;
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

const char *finding_setting(unsigned finding, enum finding_place place)
{
	return row_of(finding)->settings[place];
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
		       "differs | query: strict | standard | legacy | cookie: strict | standard | "
		       "legacy | field: strict | standard | legacy | reason | meaning |\n"
		       "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
	for (int i = 0; i < URL_FINDING_KINDS; i++) {
		const struct finding_row *row = &rows[i];
		strbuf_addf(out, "| `%s` | %u |", row->name, row->weight);
		write_actions(out, row->path);
		write_kinds(out, i);
		for (int place = PLACE_QUERY; place < PLACE_COUNT; place++)
			write_actions(out, actions_of((enum url_finding_rank)i,
						      (enum finding_place)place));
		strbuf_addf(out, " `%s` | ", reason_name(row->reason));
		for (const char *c = row->doc; *c; c++)
			strbuf_addf(out, "%s%c", *c == '|' ? "\\" : "", *c);
		strbuf_add_str(out, " |\n");
	}
}

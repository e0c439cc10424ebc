/* What a site's settings make of a request before the verdict: each finding with its action, the
 * lists of addresses, the rates. Decides nothing: the same tables decide that live requests
 * are judged by. */
#include "cli/explain.h"

#include <stdlib.h>

#include "sallyport/units.h"

/* ---- findings ---- */

static const char *action_name(enum finding_action action)
{
	static const char *const names[] = {[ACTION_UNSET] = "-",
					    [ACTION_ACCEPT] = "accept",
					    [ACTION_REWRITE] = "rewrite",
					    [ACTION_REJECT] = "reject",
					    [ACTION_SCORE] = "score"};
	return names[action];
}

/* A finding in one place; name: of the cookie or field. */
static void say_finding(struct explain *e, const struct site *site, enum url_finding_rank rank,
			enum finding_place place, struct span name, struct span evidence)
{
	struct strbuf text;
	enum finding_action action = shield_finding_action(&site->shield_settings, rank, place);
	strbuf_init(&text, 8 * SHOWN_MAX + 1024);
	strbuf_addf(&text, "%s in the %s", url_finding_name(1u << rank), finding_place_name(place));
	if (name.ptr) {
		strbuf_add_char(&text, ' ');
		explain_add_shown(&text, name);
	}
	strbuf_addf(&text, ": %s", action_name(action));
	if (action == ACTION_SCORE)
		strbuf_addf(&text, ", weight %u", shield_finding_weight(rank));
	strbuf_add_str(&text, "; at ");
	explain_add_shown(&text, evidence);
	explain_say(e, "finding", shield_finding_setting(rank, place), &text);
	strbuf_release(&text);
}

/* The exception for it in one value, or the narrowest one that would be. */
static void say_exception(struct explain *e, const struct subject *s, struct exception_asked *asked,
			  enum url_finding_rank rank, enum rule_target target, struct span name)
{
	const struct exception *by = NULL;
	struct exception_place place = {.finding = url_finding_name(1u << rank), .target = target, .name = name};
	if (exception_findings(asked, 1u << rank, target, name, &by))
		explain_exception(e, by);
	else if (name.len > 0)
		explain_suggest(e, s, asked, &place);
}

static bool is_objected(const struct site *site, enum url_finding_rank rank, enum finding_place place)
{
	enum finding_action action = shield_finding_action(&site->shield_settings, rank, place);
	return action == ACTION_REJECT || action == ACTION_SCORE;
}

/* Of each argument that has it. */
static void say_arguments(struct explain *e, const struct subject *s, struct exception_asked *asked,
			  enum url_finding_rank rank, struct span query)
{
	char *room = malloc(query.len + 1);
	for (struct span rest = query; room && rest.len > 0;) {
		struct span argument = span_of(rest.ptr, span_find(rest, '&')), evidence;
		struct span name = span_of(argument.ptr, span_find(argument, '='));
		if (url_scan_query(argument, 1u << rank, &evidence))
			say_exception(e, s, asked, rank, TARGET_ARG, url_decode_query(name, room));
		rest = span_from(rest, argument.len + 1);
	}
	free(room);
}

static void explain_texts(struct explain *e, const struct http_head *head, const struct subject *s,
			  struct exception_asked *asked)
{
	const struct site *site = s->site;
	struct shield_texts texts = {.head = head};
	struct shield_text text;
	while (shield_next_text(&texts, &text)) {
		for (int i = 0; i < URL_FINDING_KINDS; i++) {
			enum url_finding_rank rank = (enum url_finding_rank)i;
			struct span evidence;
			if (!shield_action_is_possible(rank, text.place, ACTION_REJECT) ||
			    !shield_scan_text(&text, 1u << i, 0, &evidence))
				continue;
			say_finding(e, site, rank, text.place, text.name, evidence);
			if (is_objected(site, rank, text.place))
				say_exception(e, s, asked, rank, text.place == PLACE_COOKIE ? TARGET_COOKIE : TARGET_FIELD, text.name);
		}
	}
}

/* Those that the site accepts too; one at a time, since each has a place of its own. */
void explain_findings(struct explain *e, const struct http_head *head, const struct subject *s)
{
	struct span query = s->raw_query.ptr ? s->raw_query : s->target.query, none = {0};
	char *room = malloc(URL_CANON_ROOM(s->target.path.len));
	struct exception_asked asked;
	explain_ask_exceptions(head, s, &asked);
	for (int i = 0; room && i < URL_FINDING_KINDS; i++) {
		enum url_finding_rank rank = (enum url_finding_rank)i;
		struct url_canon_options options = *shield_canon_options(s->site->shield);
		struct url_canon canon;
		struct span evidence;
		options.heeded = options.weighty = 1u << i;
		url_canon_path_as(s->target.path, &options, room, &canon);
		if (canon.findings)
			say_finding(e, s->site, rank, PLACE_PATH, none, canon.evidence);
		if (!query.ptr || !url_scan_query(query, 1u << i, &evidence))
			continue;
		say_finding(e, s->site, rank, PLACE_QUERY, none, evidence);
		if (is_objected(s->site, rank, PLACE_QUERY))
			say_arguments(e, s, &asked, rank, query);
	}
	free(room);
	explain_texts(e, head, s, &asked);
}

/* ---- who may ask ---- */

static void say_networks(struct explain *e, const char *setting, const struct address_list *list, const char *what)
{
	const size_t networks = list->texts.n - list->set_count;
	if (networks > 0)
		explain_sayf(e, "addresses", setting, "%zu network%s %s", networks, networks == 1 ? "" : "s", what);
	for (size_t i = 0; i < list->set_count; i++)
		explain_sayf(e, "addresses", setting, "set %s of %zu networks %s", list->sets[i]->name,
			     list->sets[i]->set.n, what);
}

static void say_rate_of(struct explain *e, const char *setting, const char *whose, const struct policy_rate *rate,
			uint64_t burst, const char *path)
{
	char per[UNITS_TEXT_SIZE];
	units_format(SETTING_TIME, rate->per_ms, per);
	explain_sayf(e, "throttle", setting, "each %s %llu in %s, %llu at once%s%s", whose, (unsigned long long)rate->count, per, (unsigned long long)burst,
		     path ? ", under " : "", path ? path : "");
}

static void say_rate(struct explain *e, const char *setting, const struct policy_rate *rate, uint64_t burst,
		     const char *path)
{
	say_rate_of(e, setting, "client", rate, burst, path);
}

static void say_login(struct explain *e, const struct login_rule *rule)
{
	if (rule->per_client.count > 0)
		say_rate_of(e, "sites[].shield.throttle.logins[].per_client", "client's attempts to log in,",
			    &rule->per_client, rule->burst, rule->path);
	if (rule->per_user.count > 0)
		say_rate_of(e, "sites[].shield.throttle.logins[].per_user", "user's attempts to log in,", &rule->per_user,
			    rule->user_burst, rule->path);
}

static void say_concurrent(struct explain *e, const char *setting, uint64_t limit, const char *path)
{
	explain_sayf(e, "throttle", setting, "each client %llu in work at a time%s%s", (unsigned long long)limit,
		     path ? ", under " : "", path ? path : "");
}

static void say_ban(struct explain *e, const struct throttle_policy *policy)
{
	char window[UNITS_TEXT_SIZE], ban[UNITS_TEXT_SIZE];
	units_format(SETTING_TIME, policy->strike_window_ms, window);
	units_format(SETTING_TIME, policy->ban_ms, ban);
	explain_sayf(e, "throttle", "sites[].shield.throttle.strikes",
		     "%llu refusals in %s ban a client for %s", (unsigned long long)policy->strikes, window,
		     ban);
}

static void say_reply_rate(struct explain *e, const struct throttle_policy *policy)
{
	char rate[UNITS_TEXT_SIZE];
	units_format(SETTING_BYTE_RATE, policy->reply_rate, rate);
	explain_sayf(e, "throttle", "sites[].shield.throttle.reply_rate", "each client gets %s of replies", rate);
}

static void say_throttle(struct explain *e, const struct http_head *head, const struct subject *s)
{
	const struct throttle_policy *policy = &s->site->shield_policy.throttle;
	const struct throttle_path *rule = throttle_path_of(policy, s->canon.path);
	const struct login_rule *login = login_rule_of(policy->logins.items, policy->logins.n, http_method(head),
						       s->canon.path, policy->reading);
	if (!policy->is_on && !policy->has_concurrent && policy->reply_rate == 0)
		return;
	say_networks(e, "sites[].shield.throttle.allow", &policy->allow, "not throttled");
	if (policy->has_rate)
		say_rate(e, "sites[].shield.throttle.per_client", &policy->per_client, policy->burst, NULL);
	if (policy->concurrent > 0)
		say_concurrent(e, "sites[].shield.throttle.concurrent", policy->concurrent, NULL);
	if (rule && rule->concurrent > 0)
		say_concurrent(e, "sites[].shield.throttle.paths[].concurrent", rule->concurrent, rule->path);
	if (rule && rule->per_client.count > 0)
		say_rate(e, "sites[].shield.throttle.paths[].per_client", &rule->per_client, rule->burst,
			 rule->path);
	if (policy->sessions.per_session.count > 0)
		say_rate_of(e, "sites[].shield.throttle.sessions.per_session", "session", &policy->sessions.per_session,
			    policy->sessions.burst, NULL);
	if (login)
		say_login(e, login);
	if (policy->reply_rate > 0)
		say_reply_rate(e, policy);
	if (policy->strikes > 0)
		say_ban(e, policy);
	if (policy->dry_run)
		explain_sayf(e, "throttle", "sites[].shield.throttle.dry_run", "counted and logged only");
}

void explain_admission(struct explain *e, const struct http_head *head, const struct subject *s)
{
	const struct address_policy *addresses = &s->site->shield_policy.addresses;
	if (s->mode == SHIELD_OFF)
		return;
	say_networks(e, "sites[].shield.deny_addresses", &addresses->deny, "denied");
	say_networks(e, "sites[].shield.allow_addresses", &addresses->allow, "allowed, no others");
	say_throttle(e, head, s);
}

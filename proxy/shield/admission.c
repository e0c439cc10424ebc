/* The verdict on who asks and how often. Trusts that the visitor's address is what trusted
 * proxies told (front/forwarded.c), that settings were compiled, and nothing in the shared
 * table: it can only say how long to wait. Does not look at what is asked, but for its path. */
#include "sallyport/admission.h"

#include <string.h>

struct judging {
	const struct throttle_policy *policy;
	const struct admission_request *request;
	struct throttle_client client;
	struct verdict *verdict;
	struct admission_notes *notes;
};

static bool refuse(struct verdict *verdict, enum reason reason, const char *setting, uint64_t limit)
{
	verdict->action = VERDICT_REJECT;
	verdict->reason = reason;
	verdict->status = (uint16_t)reason_status(reason);
	verdict->setting = setting;
	verdict->limit = limit;
	return true;
}

static bool judge_address(const struct address_policy *addresses, const struct addr *visitor,
			  struct verdict *verdict)
{
	const struct address_set *set;
	if (address_list_find(&addresses->deny, visitor, &set)) {
		if (set)
			verdict->evidence = span_from_str(set->name);
		return refuse(verdict, REASON_ADDRESS_DENIED, "sites[].shield.deny_addresses", 0);
	}
	return address_list_is_set(&addresses->allow) && !address_list_has(&addresses->allow, visitor) &&
	       refuse(verdict, REASON_ADDRESS_NOT_ALLOWED, "sites[].shield.allow_addresses", 0);
}

/* RFC 9110 section 10.2.3: whole seconds; rounded up, so that whoever waits so long passes. */
static uint32_t seconds_of(uint64_t wait_us)
{
	uint64_t s = (wait_us + 999999) / 1000000;
	return s > 0 ? (uint32_t)s : 1;
}

static bool refuse_banned(struct judging *judging, uint64_t left_us)
{
	refuse(judging->verdict, REASON_BANNED, "sites[].shield.throttle.strikes",
	       judging->policy->strikes);
	judging->verdict->retry_after_s = seconds_of(left_us);
	if (judging->policy->ban_action != VERDICT_UNSET)
		judging->verdict->action = (enum verdict_action)judging->policy->ban_action;
	return true;
}

static bool judge_ban(struct judging *judging)
{
	if (judging->policy->strikes == 0)
		return false;
	uint64_t left_us = throttle_banned(&judging->client, judging->request->now_us);
	return left_us > 0 && refuse_banned(judging, left_us);
}

/* True where this refusal was one too many. */
static bool strike(struct judging *judging)
{
	const struct throttle_policy *policy = judging->policy;
	const uint64_t ban_us = policy->ban_ms * 1000;
	/* What is only watched bans nobody where, or when, it is enforced. */
	if (policy->strikes == 0 ||
	    (judging->request->mode == SHIELD_MONITOR && !policy->dry_run) ||
	    throttle_strike(&judging->client, &policy->strike_rate, ban_us,
			    judging->request->now_us) != THROTTLE_STRIKE_BANNED)
		return false;
	judging->notes->newly_banned = true;
	return refuse_banned(judging, ban_us);
}

static bool judge_rate(struct judging *judging, const struct throttle_rate *rate,
		       const char *setting, uint64_t limit)
{
	struct throttle_result result =
	    throttle_ask(&judging->client, rate, judging->request->now_us);
	judging->notes->crowded |= result.crowded;
	if (result.answer == THROTTLE_PASS)
		return false;
	if (strike(judging))
		return true;
	refuse(judging->verdict, REASON_THROTTLED, setting, limit);
	judging->verdict->retry_after_s = seconds_of(result.wait_us);
	return true;
}

const struct throttle_path *throttle_path_of(const struct throttle_policy *policy, struct span path)
{
	for (size_t i = 0; i < policy->path_count; i++) {
		const struct throttle_path *rule = policy->paths[i];
		if (url_is_under(path, span_of(rule->path, rule->path_len), policy->reading))
			return rule;
	}
	return NULL;
}

static bool judge_path(struct judging *judging)
{
	const struct throttle_path *rule =
	    throttle_path_of(judging->policy, judging->request->path);
	if (!rule || rule->per_client.count == 0 || !judge_rate(judging, &rule->rate, "sites[].shield.throttle.paths[].per_client",
				 rule->per_client.count))
		return false;
	judging->verdict->evidence = span_of(rule->path, rule->path_len);
	return true;
}

/* Which of a client's sessions floods is not the client's fault: no strike. */
static bool judge_session(struct judging *judging)
{
	const struct throttle_policy *policy = judging->policy;
	const struct admission_request *request = judging->request;
	const struct throttle_asker asker = {judging->client.table, policy->site, addr_client_key(request->visitor),
					     &judging->client, request->now_us};
	struct throttle_result result;
	if (policy->sessions.per_session.count == 0 || !request->head ||
	    throttle_sessions_pass(&policy->sessions, &asker, request->head, &result))
		return false;
	judging->notes->crowded |= result.crowded;
	refuse(judging->verdict, REASON_SESSION_THROTTLED, "sites[].shield.throttle.sessions.per_session",
	       policy->sessions.per_session.count);
	judging->verdict->retry_after_s = seconds_of(result.wait_us);
	return true;
}

/* Where users are told apart, their turn comes when the request says who they are. */
static bool judge_login(struct judging *judging)
{
	const struct throttle_policy *policy = judging->policy;
	const struct login_rule *rule =
	    login_rule_of(policy->logins.items, policy->logins.n, judging->request->method, judging->request->path,
			  policy->reading);
	if (rule && rule->per_client.count > 0 &&
	    judge_rate(judging, &rule->client_rate, "sites[].shield.throttle.logins[].per_client",
		       rule->per_client.count)) {
		if (judging->verdict->reason == REASON_THROTTLED)
			judging->verdict->reason = REASON_LOGIN_THROTTLED;
		judging->verdict->evidence = span_of(rule->path, rule->path_len);
		return true;
	}
	judging->notes->login = rule;
	return false;
}

static bool judge_throttle(struct judging *judging)
{
	const struct throttle_policy *policy = judging->policy;
	if (judge_ban(judging))
		return true;
	if (policy->has_rate &&
	    judge_rate(judging, &policy->rate, "sites[].shield.throttle.per_client",
		       policy->per_client.count))
		return true;
	return judge_path(judging) || judge_session(judging) || judge_login(judging);
}

void admission_judge(const struct address_policy *addresses, const struct throttle_policy *policy,
		     struct throttle_table *table, const struct admission_request *request,
		     struct verdict *verdict, struct admission_notes *notes)
{
	*verdict = (struct verdict){.action = VERDICT_ALLOW, .enforced = true};
	*notes = (struct admission_notes){0};
	if (request->mode == SHIELD_OFF)
		return;
	if (judge_address(addresses, request->visitor, verdict)) {
		verdict->enforced = request->mode != SHIELD_MONITOR;
		return;
	}
	if (!policy->is_on || address_list_has(&policy->allow, request->visitor))
		return;
	struct judging judging = {policy, request, {0}, verdict, notes};
	judging.client = throttle_client_of(table, policy->site, addr_client_key(request->visitor),
					    request->now_us);
	if (judge_throttle(&judging))
		verdict->enforced = request->mode != SHIELD_MONITOR && !policy->dry_run;
}

const struct throttle_byte_rate *admission_reply_rate(const struct throttle_policy *policy,
						      const struct addr *visitor, int mode)
{
	bool is_held = policy->reply.per_s > 0 && mode == SHIELD_ENFORCE && !policy->dry_run &&
		       !address_list_has(&policy->allow, visitor);
	return is_held ? &policy->reply : NULL;
}

/* Attempts to log in (shield.throttle.logins) on their way through an exchange: whom the client names, in the query or in what the
 * content is taken apart into, and how the origin answers. shield/login.c counts; this finds. */
#include "front/front.h"

void login_begin(struct exchange *x, const struct login_rule *rule)
{
	const struct throttle_policy *policy = &x->subject.site->shield_policy.throttle;
	x->login = (struct login_attempt){.rule = rule, .table = x->front->throttle, .site = policy->site,
					  .client_key = addr_client_key(&x->visitor)};
}

static void count(struct exchange *x, struct span name)
{
	login_add_user(&x->login, name, loop_now_us(x->front->loop));
}

/* In a query as any origin may split it. */
static size_t argument_end(struct span query)
{
	size_t ampersand = span_find(query, '&'), semicolon = span_find(query, ';');
	return ampersand < semicolon ? ampersand : semicolon;
}

void login_read_query(struct exchange *x)
{
	struct span query = x->subject.target.query;
	if (!x->login.rule || !x->login.rule->field || !query.ptr)
		return;
	while (query.len > 0) {
		const struct span argument = span_of(query.ptr, argument_end(query));
		const struct span raw = span_of(argument.ptr, span_find(argument, '='));
		const struct span name = url_decode_query(raw, x->front->out);
		if (login_is_field(x->login.rule, name))
			count(x, url_decode_query(span_from(argument, raw.len + 1), x->front->out));
		query = span_from(query, argument.len + 1);
	}
}

void login_read_value(struct exchange *x, const struct body_value *value)
{
	const bool may_name = value->place == BODY_ARGUMENT || value->place == BODY_JSON_VALUE;
	if (may_name && x->login.rule->field && login_is_field(x->login.rule, value->name))
		count(x, value->value);
}

bool login_is_refused(struct exchange *x, struct verdict *verdict)
{
	const struct throttle_policy *policy = &x->subject.site->shield_policy.throttle;
	if (!x->login.is_refused)
		return false;
	x->login.is_refused = false; /* said once, where it is only noted */
	*verdict = (struct verdict){.action = VERDICT_REJECT, .reason = REASON_LOGIN_THROTTLED,
				    .status = (uint16_t)reason_status(REASON_LOGIN_THROTTLED),
				    .setting = "sites[].shield.throttle.logins[].per_user",
				    .limit = x->login.rule->per_user.count, .retry_after_s = x->login.wait_s,
				    .evidence = span_of(x->login.rule->path, x->login.rule->path_len),
				    .score = x->verdict.score,
				    .enforced = x->subject.mode == SHIELD_ENFORCE && !policy->dry_run};
	if (x->login.is_crowded) {
		verdict->setting = "sites[].shield.throttle.logins[].field";
		verdict->limit = LOGIN_USERS_MAX;
	}
	shield_answer(x->subject.site->shield, verdict);
	return true;
}

void login_has_reply(struct exchange *x, const struct http_head *head)
{
	login_replied(&x->login, head->status, http_find(head, HTTP_FIELD_LOCATION), loop_now_us(x->front->loop));
	x->login.rule = NULL;
}

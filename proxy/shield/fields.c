/* Fields and cookies: how many, how large, and what a site does not want in them. One
 * look at each field; its name is compared only where the policy names one. */
#include "shield/judging.h"
#include "shield/repeats.h"

static bool refuses_value(struct judging *judging, const struct field_rule *rule, struct span value)
{
	if (rule->max > 0 && value.len > rule->max) {
		refuse_by(judging, REASON_FIELD_RULE_TOO_LARGE, value,
			  "sites[].shield.fields[].max");
		judging->verdict->limit = rule->max;
		judging->verdict->value = value.len;
		return true;
	}
	return find_sequence(rule->deny, value) &&
	       refuse_by(judging, REASON_FIELD_SEQUENCE, value, "sites[].shield.fields[].deny");
}

static bool judge_rule(struct judging *judging, const struct field_rule *rule, struct span name,
		       struct span value)
{
	if (!refuses_value(judging, rule, value))
		return false;
	judging->verdict->name = name;
	return true;
}

static bool judge_field(struct judging *judging, struct span name, struct span value)
{
	const struct shield_settings *settings = &judging->shield->settings;
	if (settings->lists.deny_fields && is_listed_caseless(settings->lists.deny_fields, name))
		return refuse_by(judging, REASON_FIELD_DENIED, name, "sites[].shield.deny.fields");
	for (size_t i = 0; i < settings->field_rule_count; i++) {
		const struct field_rule *rule = &settings->field_rules[i];
		if (span_ieq(span_from_str(rule->name), name) && judge_rule(judging, rule, name, value))
			return true;
	}
	return false;
}

/* Cookies have limits of their own, and HTTP/2 splits the field. */
static bool judge_field_repeats(struct judging *judging)
{
	const struct http_head *head = judging->request->head;
	struct repeats repeats;
	repeats_init(&repeats);
	for (size_t i = 0; i < head->field_count; i++) {
		struct span name = http_field_name(head, &head->fields[i]);
		if (head->fields[i].id != HTTP_FIELD_COOKIE &&
		    refuse_over(judging, LIMIT_field_repeats,
				repeats_add_caseless(&repeats, name), name))
			return true;
	}
	return false;
}

bool judge_fields(struct judging *judging)
{
	const struct http_head *head = judging->request->head;
	const uint64_t most = judging->shield->settings.limits.field_repeats;
	uint64_t total = 0;
	if (refuse_over(judging, LIMIT_fields, head->field_count, http_target(head)))
		return true;
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];
		size_t size = (size_t)field->name_len + field->value_len;
		struct span name = http_field_name(head, field);
		total += size;
		if (field->id != HTTP_FIELD_COOKIE && refuse_over(judging, LIMIT_field, size, name))
			return true;
		if (judge_field(judging, name, http_field_value(head, field)))
			return true;
	}
	return refuse_over(judging, LIMIT_fields_bytes, total, http_target(head)) ||
	       (most > 0 && head->field_count > most && judge_field_repeats(judging));
}

/* cookie-octet of RFC 6265 section 4.1.1. */
static bool is_cookie_octet(char c)
{
	return c > 0x20 && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\';
}

static bool is_cookie_value(struct span value)
{
	if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
		value = span_of(value.ptr + 1, value.len - 2);
	for (size_t i = 0; i < value.len; i++) {
		if (!is_cookie_octet(value.ptr[i]))
			return false;
	}
	return true;
}

static bool is_cookie(struct span pair)
{
	size_t equals = span_find(pair, '=');
	return equals < pair.len && http_is_token(span_of(pair.ptr, equals)) &&
	       is_cookie_value(span_from(pair, equals + 1));
}

static bool judge_cookie(struct judging *judging, struct span pair)
{
	if (refuse_over(judging, LIMIT_cookie, pair.len, pair))
		return true;
	return judging->shield->settings.cookie_syntax == COOKIE_SYNTAX_RFC6265 &&
	       !is_cookie(pair) &&
	       refuse_by(judging, REASON_COOKIE_MALFORMED, pair, "sites[].shield.cookie_syntax");
}

/* All cookies of a request, one after the other. */
struct cookies {
	const struct http_head *head;
	size_t field;     /* the next to be looked at */
	struct span rest; /* of the one before it */
	uint64_t bytes;   /* of those begun */
};

static bool next_field(struct cookies *cookies)
{
	const struct http_head *head = cookies->head;
	while (cookies->field < head->field_count) {
		const struct http_field *field = &head->fields[cookies->field++];
		if (field->id != HTTP_FIELD_COOKIE)
			continue;
		cookies->rest = http_field_value(head, field);
		cookies->bytes += cookies->rest.len;
		return true;
	}
	return false;
}

static bool next_cookie(struct cookies *cookies, struct span *pair)
{
	do {
		while (cookies->rest.len > 0) {
			size_t end = span_find(cookies->rest, ';');
			*pair = span_trim_ows(span_of(cookies->rest.ptr, end));
			cookies->rest = span_from(cookies->rest, end + 1);
			if (pair->len > 0)
				return true;
		}
	} while (next_field(cookies));
	return false;
}

static bool judge_cookie_repeats(struct judging *judging)
{
	struct cookies cookies = {.head = judging->request->head};
	struct repeats repeats;
	struct span pair;
	repeats_init(&repeats);
	while (next_cookie(&cookies, &pair)) {
		struct span name = span_trim_ows(span_of(pair.ptr, span_find(pair, '=')));
		if (refuse_over(judging, LIMIT_cookie_repeats, repeats_add(&repeats, name), pair))
			return true;
	}
	return false;
}

bool judge_cookies(struct judging *judging)
{
	const uint64_t most = judging->shield->settings.limits.cookie_repeats;
	struct cookies cookies = {.head = judging->request->head};
	struct span pair;
	uint64_t count = 0;
	while (next_cookie(&cookies, &pair)) {
		if (judge_cookie(judging, pair) ||
		    refuse_over(judging, LIMIT_cookies, ++count, pair))
			return true;
	}
	return refuse_over(judging, LIMIT_cookies_bytes, cookies.bytes,
			   http_find(cookies.head, HTTP_FIELD_COOKIE)) ||
	       (most > 0 && count > most && judge_cookie_repeats(judging));
}

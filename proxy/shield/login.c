/* Attempts to log in, counted by user. A name is looked at as most origins do: without white space around it, and
 * without regard to case, so that "Alice " is no second user to guess at. */
#include "sallyport/login.h"

#include <string.h>

#include "sallyport/url.h"
#include "shield/lenient_name.h"

enum { NAME_MAX = 128 }; /* bytes that tell users apart */

#define KNOWN_US (THROTTLE_HORIZON_US / 7) /* a day */

const struct login_rule *login_rule_of(const struct login_rule *rules, size_t n, struct span method, struct span path,
				       unsigned reading)
{
	const struct login_rule *best = NULL;
	for (size_t i = 0; i < n; i++) {
		const struct login_rule *rule = &rules[i];
		if ((best && best->path_len >= rule->path_len) ||
		    !url_is_under(path, span_of(rule->path, rule->path_len), reading))
			continue;
		for (size_t j = 0; j < rule->methods.n; j++) {
			if (span_eq(span_from_str(rule->methods.items[j]), method))
				best = rule;
		}
	}
	return best;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span trim(struct span name)
{
	while (name.len > 0 && is_space(name.ptr[0]))
		name = span_from(name, 1);
	while (name.len > 0 && is_space(name.ptr[name.len - 1]))
		name.len--;
	return name;
}

bool login_is_field(const struct login_rule *rule, struct span name)
{
	return lenient_name_is(name, span_from_str(rule->field));
}

static uint64_t key_of(const struct throttle_table *table, struct span name)
{
	char folded[NAME_MAX];
	name = trim(name);
	size_t len = name.len < NAME_MAX ? name.len : NAME_MAX;
	for (size_t i = 0; i < len; i++)
		folded[i] = ascii_lower(name.ptr[i]);
	return throttle_key_of(table, folded, len);
}

/* That user at that address. */
static struct throttle_client pair_of(const struct login_attempt *attempt, uint64_t key, uint64_t now_us)
{
	return throttle_client_of(attempt->table, attempt->site ^ attempt->rule->id ^ attempt->client_key, key, now_us);
}

static bool has_key(const struct login_attempt *attempt, uint64_t key)
{
	for (unsigned i = 0; i < attempt->user_count; i++) {
		if (attempt->keys[i] == key)
			return true;
	}
	return false;
}

static void count_user(struct login_attempt *attempt, uint64_t key, uint64_t now_us)
{
	const struct login_rule *rule = attempt->rule;
	const struct throttle_client pair = pair_of(attempt, key, now_us);
	const struct throttle_client user =
	    throttle_is_remembered(&pair, now_us)
		? pair
		: throttle_client_of(attempt->table, attempt->site ^ rule->id, key, now_us);
	const struct throttle_result result = throttle_ask(&user, &rule->user_rate, now_us);
	if (result.answer != THROTTLE_PASS) {
		attempt->is_refused = true;
		attempt->wait_s = (uint32_t)(result.wait_us / 1000000 + 1);
		return;
	}
	attempt->keys[attempt->user_count] = key;
	attempt->users[attempt->user_count++] = user;
}

void login_add_user(struct login_attempt *attempt, struct span name, uint64_t now_us)
{
	if (attempt->rule->per_user.count == 0 || attempt->is_refused)
		return;
	const uint64_t key = key_of(attempt->table, name);
	if (has_key(attempt, key))
		return;
	if (attempt->user_count == LOGIN_USERS_MAX)
		attempt->is_refused = attempt->is_crowded = true;
	else
		count_user(attempt, key, now_us);
}

/* ---- how it ended ---- */

static struct span path_of(struct span location)
{
	size_t colon = span_find(location, ':');
	if (colon + 2 < location.len && location.ptr[colon + 1] == '/' && location.ptr[colon + 2] == '/')
		location = span_from(location, colon + 1);
	if (location.len < 2 || location.ptr[0] != '/' || location.ptr[1] != '/')
		return location;
	location = span_from(location, 2);
	return span_from(location, span_find(location, '/'));
}

/* "302 /login": that status, and a Location that begins so. */
static bool is_meant(const char *text, unsigned status, struct span location)
{
	unsigned said = (unsigned)((text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0'));
	if (said != status)
		return false;
	return text[3] == '\0' || (location.ptr && span_starts(path_of(location), span_from_str(text + 4)));
}

/* An error is no success, described or not: a form without its token gets 403 or 422, whoever is named in it. */
static bool has_failed(const struct login_rule *rule, unsigned status, struct span location)
{
	if (status >= 400)
		return true;
	for (size_t i = 0; i < rule->failed.n; i++) {
		if (is_meant(rule->failed.items[i], status, location))
			return true;
	}
	return false;
}

void login_replied(struct login_attempt *attempt, unsigned status, struct span location, uint64_t now_us)
{
	const struct login_rule *rule = attempt->rule;
	if (rule->failed.n == 0 || has_failed(rule, status, location))
		return;
	/* Which of several users got in is not to be told from here: his own account would make the attacker known as all of them. */
	if (attempt->user_count > 1)
		return;
	const struct throttle_client client =
	    throttle_client_of(attempt->table, attempt->site, attempt->client_key, now_us);
	if (rule->per_client.count > 0)
		throttle_take_back(&client, &rule->client_rate, now_us);
	for (unsigned i = 0; i < attempt->user_count; i++) {
		const struct throttle_client pair = pair_of(attempt, attempt->keys[i], now_us);
		throttle_take_back(&attempt->users[i], &rule->user_rate, now_us);
		throttle_remember(&pair, KNOWN_US, now_us);
	}
}

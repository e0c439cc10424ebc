/* What the throttle's table keeps besides rates: what is taken back, what is remembered, keys of bytes; and what logins and
 * sessions make of it, without a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "sallyport/admission.h"
#include "shield/throttle_table.h"

#define SITE UINT64_C(0x5157)

static struct throttle_rate rate_of(uint64_t count, uint64_t per_ms, uint64_t burst)
{
	struct throttle_rate rate;
	assert_true(throttle_rate_of(count, per_ms, burst, 0, &rate));
	return rate;
}

static void what_is_taken_back_may_be_asked_again(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_rate rate = rate_of(6, 60000, 3);
	struct throttle_client client = throttle_client_of(table, SITE, 5, START_US);
	throttle_take_back(&client, &rate, START_US); /* of nothing */
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(throttle_ask(&client, &rate, START_US).answer, THROTTLE_PASS);
		throttle_take_back(&client, &rate, START_US);
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(throttle_ask(&client, &rate, START_US).answer, THROTTLE_PASS);
	assert_int_equal(throttle_ask(&client, &rate, START_US).answer, THROTTLE_REFUSE);
	throttle_take_back(&client, &rate, START_US);
	assert_int_equal(throttle_ask(&client, &rate, START_US).answer, THROTTLE_PASS);
	assert_int_equal(throttle_ask(&client, &rate, START_US).answer, THROTTLE_REFUSE);
	/* more than was ever asked gives no more than the burst */
	for (unsigned i = 0; i < 10; i++)
		throttle_take_back(&client, &rate, START_US);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(throttle_ask(&client, &rate, START_US).answer, THROTTLE_PASS);
	assert_int_equal(throttle_ask(&client, &rate, START_US).answer, THROTTLE_REFUSE);
	table_free(table);
}

static void what_is_remembered_is_so_for_its_time(void **state)
{
	(void)state;
	struct throttle_table *table = table_new();
	struct throttle_client client = throttle_client_of(table, SITE, 5, START_US);
	struct throttle_client other = throttle_client_of(table, SITE, 6, START_US);
	assert_false(throttle_is_remembered(&client, START_US));
	throttle_remember(&client, 10 * SECOND_US, START_US);
	assert_true(throttle_is_remembered(&client, START_US + 10 * SECOND_US - 1));
	assert_false(throttle_is_remembered(&client, START_US + 10 * SECOND_US));
	assert_false(throttle_is_remembered(&other, START_US));
	throttle_remember(&client, 10 * SECOND_US, START_US + 5 * SECOND_US);
	assert_true(throttle_is_remembered(&client, START_US + 14 * SECOND_US));
	table_free(table);
}

static void keys_of_bytes_differ_as_the_bytes_do(void **state)
{
	(void)state;
	static const uint64_t other_seed[2] = {77, 78};
	struct throttle_table *table = table_new(), *other = table_new();
	char bytes[33] = {0};
	uint64_t keys[sizeof(bytes) * 2];
	size_t n = 0;
	for (size_t len = 0; len < sizeof(bytes); len++) { /* zeros tell by their number alone */
		keys[n++] = throttle_key_of(table, bytes, len);
		bytes[len] = 1;
		keys[n++] = throttle_key_of(table, bytes, len + 1);
		bytes[len] = 0;
	}
	for (size_t i = 0; i < n; i++) {
		assert_true(keys[i] != 0);
		for (size_t j = 0; j < i; j++)
			assert_true(keys[i] != keys[j]);
	}
	assert_int_equal(throttle_key_of(table, "alice", 5), throttle_key_of(other, "alice", 5));
	throttle_init(other, other_seed, START_US);
	assert_true(throttle_key_of(table, "alice", 5) != throttle_key_of(other, "alice", 5));
	table_free(table);
	table_free(other);
}

/* ---- logins ---- */

static const char *methods[] = {"POST", NULL};
static const char *failed[] = {"401", "302 /login", NULL};

static struct login_rule rule_of(const char *path)
{
	return (struct login_rule){
	    .path = path, .path_len = strlen(path), .methods = {methods, 1, {0}}, .field = "user",
	    .per_client = {100, 60000}, .per_user = {6, 60000}, .failed = {failed, 2, {0}},
	    .client_rate = rate_of(100, 60000, 100), .user_rate = rate_of(6, 60000, 3), .id = throttle_id(path)};
}

static struct login_attempt attempt(struct throttle_table *table, const struct login_rule *rule, uint64_t client,
				    const char *user)
{
	struct login_attempt attempt = {.rule = rule, .table = table, .site = SITE, .client_key = client};
	login_add_user(&attempt, span_from_str(user), START_US);
	return attempt;
}

static void a_login_is_its_path_and_method(void **state)
{
	(void)state;
	const struct login_rule rules[] = {rule_of("/login"), rule_of("/login/admin"), rule_of("/a")};
	assert_ptr_equal(login_rule_of(rules, 3, SPAN("POST"), SPAN("/login/x"), 0), &rules[0]);
	assert_ptr_equal(login_rule_of(rules, 3, SPAN("POST"), SPAN("/login/admin"), 0), &rules[1]);
	assert_null(login_rule_of(rules, 3, SPAN("GET"), SPAN("/login"), 0));
	assert_null(login_rule_of(rules, 3, SPAN("POST"), SPAN("/loginx"), 0));
}

static void replies_tell_who_got_in(void **state)
{
	(void)state;
	static const struct {
		unsigned status;
		const char *location;
		bool is_success;
	} replies[] = {
	    {200, NULL, true},	{401, NULL, false},	    {403, NULL, false},		     {500, NULL, false},
	    {302, "/", true},	{302, "/login?e=1", false}, {302, "https://h/login", false}, {302, "//h:80/login", false},
	    {302, NULL, true},	{302, "https://h", true},   {302, "login", true},	     {303, "/login", true},
	    {302, "x:", true},	{302, "", true},	    {422, NULL, false},
	};
	const struct login_rule rule = rule_of("/login");
	struct throttle_table *table = table_new();
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		char user[32];
		unsigned passed = 0;
		snprintf(user, sizeof(user), "user%zu", i);
		for (unsigned tries = 0; tries < 10; tries++) {
			struct login_attempt tried = attempt(table, &rule, 1000 + i, user);
			if (tried.is_refused)
				continue;
			passed++;
			login_replied(&tried, replies[i].status,
				      replies[i].location ? span_from_str(replies[i].location) : (struct span){0}, START_US);
		}
		assert_int_equal(passed, replies[i].is_success ? 10 : 3);
	}
	table_free(table);
}

static void users_are_told_apart_as_origins_do(void **state)
{
	(void)state;
	static const char *const same[] = {"Alice", " alice\r\n", "ALICE\t"};
	const struct login_rule rule = rule_of("/login");
	struct throttle_table *table = table_new();
	for (uint64_t i = 0; i < 3; i++)
		assert_false(attempt(table, &rule, i + 1, same[i]).is_refused);
	assert_true(attempt(table, &rule, 9, "alice").is_refused);
	assert_false(attempt(table, &rule, 9, "alic").is_refused);
	assert_false(attempt(table, &rule, 9, "alice2").is_refused);
	assert_false(attempt(table, &rule, 9, "").is_refused);
	table_free(table);
}

static void a_request_names_few_users_and_each_counts_once(void **state)
{
	(void)state;
	const struct login_rule rule = rule_of("/login");
	struct throttle_table *table = table_new();
	struct login_attempt many = attempt(table, &rule, 1, "a");
	for (unsigned i = 0; i < 20; i++)
		login_add_user(&many, SPAN("A"), START_US);
	assert_int_equal(many.user_count, 1);
	login_add_user(&many, SPAN("b"), START_US);
	login_add_user(&many, SPAN("c"), START_US);
	login_add_user(&many, SPAN("d"), START_US);
	assert_false(many.is_refused);
	login_add_user(&many, SPAN("e"), START_US);
	assert_true(many.is_refused && many.is_crowded);
	table_free(table);
}

static void whoever_got_in_is_counted_by_himself(void **state)
{
	(void)state;
	const struct login_rule rule = rule_of("/login");
	struct throttle_table *table = table_new();
	struct login_attempt good = attempt(table, &rule, 1, "alice");
	login_replied(&good, 200, (struct span){0}, START_US);
	for (uint64_t client = 2; client < 50; client++)
		(void)attempt(table, &rule, client, "alice");
	assert_true(attempt(table, &rule, 99, "alice").is_refused);
	assert_false(attempt(table, &rule, 1, "alice").is_refused);
	table_free(table);
}

/* An account of his own, beside the name that he is after, makes nobody known as the other. */
static void who_names_several_users_got_in_as_none(void **state)
{
	(void)state;
	const struct login_rule rule = rule_of("/login");
	struct throttle_table *table = table_new();
	for (unsigned i = 0; i < 3; i++) {
		struct login_attempt both = attempt(table, &rule, 7, "mallory");
		login_add_user(&both, SPAN("alice"), START_US);
		login_replied(&both, 200, (struct span){0}, START_US);
	}
	assert_true(attempt(table, &rule, 7, "alice").is_refused);
	assert_true(attempt(table, &rule, 7, "mallory").is_refused);
	table_free(table);
}

static void a_field_is_named_as_lenient_origins_read_it(void **state)
{
	(void)state;
	static const struct {
		const char *field;
		struct span name;
		bool is_it;
	} names[] = {
	    {"user_name", SPAN("user_name"), true},	{"user_name", SPAN("User_NAME"), true},
	    {"user_name", SPAN(" \tuser_name"), true}, {"user_name", SPAN("user.name"), true},
	    {"user_name", SPAN("user name"), true},	{"user_name", SPAN("user[name"), true},
	    {"user_name", SPAN("user_name\0x"), true}, {"user[name]", SPAN("user[name]"), true},
	    {"user_name", SPAN("user_name "), false},	{"user_name", SPAN("user_names"), false},
	    {"user_name", SPAN("user-name"), false},	{"user_name", SPAN(""), false},
	    {"user_name", SPAN(" "), false},		{"user_name", SPAN("\0user_name"), false},
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct login_rule rule = rule_of("/login");
		rule.field = names[i].field;
		assert_int_equal(login_is_field(&rule, names[i].name), names[i].is_it);
	}
}

/* ---- sessions ---- */

static bool session_passes(struct throttle_table *table, const struct throttle_sessions *sessions, uint64_t key,
			   const char *cookie)
{
	struct http_head head = {.base = cookie, .field_count = 1};
	struct throttle_result result;
	head.fields[0] = (struct http_field){.value_len = (uint16_t)strlen(cookie), .id = HTTP_FIELD_COOKIE};
	const struct throttle_client client = throttle_client_of(table, SITE, key, START_US);
	const struct throttle_asker asker = {table, SITE, key, &client, START_US};
	return throttle_sessions_pass(sessions, &asker, &head, &result);
}

static void made_up_sessions_gain_one_rate(void **state)
{
	(void)state;
	const struct throttle_sessions sessions = {
	    .cookie = "sid", .per_session = {6, 60000}, .rate = rate_of(6, 60000, 3), .new_rate = rate_of(10, 60000, 50)};
	struct throttle_table *table = table_new();
	for (uint64_t client = 1; client <= 20; client++) {
		unsigned passed = 0;
		for (unsigned i = 0; i < 1000; i++) {
			char cookie[64];
			snprintf(cookie, sizeof(cookie), "a=1; sid=%u-%u", (unsigned)client, i);
			passed += session_passes(table, &sessions, client, cookie);
		}
		assert_int_equal(passed, 50 + 3);
	}
	table_free(table);
}

static void one_session_spelled_otherwise_is_one(void **state)
{
	(void)state;
	static const char *const same[] = {"sid=abc", "SID=abc", "sid =abc", "sid=\"abc\"", "sid=%61bc", "sid=a%62%63; x=1"};
	const struct throttle_sessions sessions = {
	    .cookie = "sid", .per_session = {6, 60000}, .rate = rate_of(6, 60000, 6), .new_rate = rate_of(10, 60000, 50)};
	struct throttle_table *table = table_new();
	for (uint64_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_true(session_passes(table, &sessions, i + 1, same[i]));
	for (uint64_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_false(session_passes(table, &sessions, i + 100, same[i]));
	assert_true(session_passes(table, &sessions, 1, "sid=abd"));
	table_free(table);
}

/* All that this client has with one is as one session. */
static void backslashes_make_no_sessions(void **state)
{
	(void)state;
	const struct throttle_sessions sessions = {
	    .cookie = "sid", .per_session = {6, 60000}, .rate = rate_of(6, 60000, 3), .new_rate = rate_of(10, 60000, 50)};
	struct throttle_table *table = table_new();
	unsigned passed = 0;
	for (unsigned i = 0; i < 40; i++) {
		char cookie[64];
		snprintf(cookie, sizeof(cookie), "sid=\"\\1%02u\"", i);
		passed += session_passes(table, &sessions, 1, cookie);
	}
	assert_int_equal(passed, 3);
	table_free(table);
}

/* Of long ones the end counts too. */
static void long_sessions_differ_at_their_end(void **state)
{
	(void)state;
	const struct throttle_sessions sessions = {
	    .cookie = "sid", .per_session = {6, 60000}, .rate = rate_of(6, 60000, 1), .new_rate = rate_of(10, 60000, 50)};
	struct throttle_table *table = table_new();
	char cookie[2048];
	memset(cookie, 'x', sizeof(cookie));
	memcpy(cookie, "sid=", 4);
	cookie[sizeof(cookie) - 1] = '\0';
	for (char end = 'a'; end < 'e'; end++) {
		cookie[sizeof(cookie) - 2] = end;
		assert_true(session_passes(table, &sessions, 1, cookie));
		assert_false(session_passes(table, &sessions, 1, cookie));
	}
	table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_taken_back_may_be_asked_again),
	    cmocka_unit_test(what_is_remembered_is_so_for_its_time),
	    cmocka_unit_test(keys_of_bytes_differ_as_the_bytes_do),
	    cmocka_unit_test(a_login_is_its_path_and_method),
	    cmocka_unit_test(replies_tell_who_got_in),
	    cmocka_unit_test(users_are_told_apart_as_origins_do),
	    cmocka_unit_test(a_request_names_few_users_and_each_counts_once),
	    cmocka_unit_test(whoever_got_in_is_counted_by_himself),
	    cmocka_unit_test(who_names_several_users_got_in_as_none),
	    cmocka_unit_test(a_field_is_named_as_lenient_origins_read_it),
	    cmocka_unit_test(made_up_sessions_gain_one_rate),
	    cmocka_unit_test(one_session_spelled_otherwise_is_one),
	    cmocka_unit_test(backslashes_make_no_sessions),
	    cmocka_unit_test(long_sessions_differ_at_their_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

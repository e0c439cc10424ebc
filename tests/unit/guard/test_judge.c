/* What becomes of a page: by what is known of it, who asks, and what the policy says. */
#include "sallyport/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "sallyport/url.h"

enum { SITE = 7, SMALL = 100, LARGE = 5000, MAX_PAGE = 1000 };

static const char *excluded[] = {"/search", NULL};

static struct guard_policy policy;
static struct baseline known;
static struct strbuf file;
static uint8_t small_digest[DIGEST_SIZE];

static struct baseline_version version(const char *type, uint64_t bytes, char filling)
{
	struct baseline_version v = {.head.status = 200, .content_bytes = bytes, .since_s = 1};
	v.head.fields[PAGE_FIELD_CONTENT_TYPE] = span_from_str(type);
	memset(v.content, filling, sizeof(v.content));
	page_digest(&v.head, v.content, v.page);
	return v;
}

static int set_up(void **state)
{
	struct err err;
	struct baseline_version small[2] = {version("text/html", SMALL, 'a'), version("text/html", SMALL, 'b')};
	struct baseline_version large = version("image/png", LARGE, 'c');
	struct baseline_builder *builder = baseline_builder_new(1, 1);
	struct sign_key *key = sign_key_new(&err);
	uint8_t public_part[SIGN_PUBLIC_SIZE];
	(void)state;
	strbuf_init(&file, 1 << 20);
	memcpy(small_digest, small[1].content, DIGEST_SIZE);
	if (!builder || !key || !baseline_add_site(builder, SITE) ||
	    !baseline_add_page(builder, SITE, SPAN("/"), BASELINE_EXACT, small, 2) ||
	    !baseline_add_page(builder, SITE, SPAN("/search?q=1"), BASELINE_EXACT, small, 2) ||
	    !baseline_add_page(builder, SITE, SPAN("/large"), BASELINE_EXACT, &large, 1) ||
	    !baseline_add_page(builder, SITE, SPAN("/news"), BASELINE_VARYING, NULL, 0) ||
	    !baseline_finish(builder, key, &file, &err))
		return -1;
	sign_key_public(key, public_part);
	baseline_builder_free(builder);
	sign_key_free(key);
	return baseline_open(file.data, file.len, public_part, &known, &err) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	strbuf_release(&file);
	return 0;
}

static struct guard_case guard_case_of(const char *key, size_t path_len)
{
	policy = (struct guard_policy){.mode = GUARD_ENFORCE,
				       .unknown = GUARD_UNKNOWN_PASS,
				       .fail = GUARD_FAIL_OPEN,
				       .max_page = MAX_PAGE,
				       .exclude = {.items = excluded, .n = 1}};
	return (struct guard_case){.policy = &policy,
				   .baseline = &known,
				   .site = SITE,
				   .key = span_from_str(key),
				   .path_len = path_len,
				   .is_page = true,
				   .anonymous = true,
				   .state = GUARD_GUARDED};
}

static struct guard_case home(void)
{
	return guard_case_of("/", 1);
}

static struct guard_plan plan_of(struct guard_case c)
{
	struct guard_plan plan;
	guard_plan(&c, &plan);
	return plan;
}

static void expect(struct guard_case c, enum guard_action action, bool has_copy, enum reason reason)
{
	struct guard_plan plan = plan_of(c);
	assert_int_equal(plan.action, action);
	assert_int_equal(plan.has_copy, has_copy);
	assert_string_equal(reason_name(plan.reason), reason_name(reason));
}

static void a_known_page_is_held_and_only_anybody_gets_a_copy(void **state)
{
	struct guard_case c = home();
	(void)state;
	expect(c, GUARD_HOLD, true, REASON_UNSET);
	c.anonymous = false;
	expect(c, GUARD_HOLD, false, REASON_UNSET);
	c.state = GUARD_RECOVERING;
	expect(c, GUARD_HOLD, false, REASON_UNSET);
}

static void who_is_in_a_session_gets_pages_of_his_own_where_the_policy_says_so(void **state)
{
	struct guard_case c = home();
	(void)state;
	policy.sessions = GUARD_SESSIONS_PASS;
	expect(c, GUARD_HOLD, true, REASON_UNSET);
	c.anonymous = false;
	expect(c, GUARD_PASS, false, REASON_UNSET);
	c.state = GUARD_SEALED;
	expect(c, GUARD_REFUSE, false, REASON_GUARD_SEALED);
	c.state = GUARD_GUARDED;
	policy.sessions = GUARD_SESSIONS_HOLD;
	expect(c, GUARD_HOLD, false, REASON_UNSET);
	c = guard_case_of("/large", 6);
	policy.sessions = GUARD_SESSIONS_PASS;
	c.anonymous = false;
	expect(c, GUARD_WATCH, false, REASON_UNSET);
}

static void a_large_page_comes_as_a_copy_or_is_watched(void **state)
{
	struct guard_case c = guard_case_of("/large", 6);
	(void)state;
	expect(c, GUARD_COPY, true, REASON_UNSET);
	c.anonymous = false;
	expect(c, GUARD_WATCH, false, REASON_UNSET);
}

static void an_unknown_page_passes_or_not_as_the_policy_says(void **state)
{
	struct guard_case c = guard_case_of("/unknown", 8);
	(void)state;
	expect(c, GUARD_PASS, false, REASON_UNSET);
	policy.unknown = GUARD_UNKNOWN_HOLD;
	expect(c, GUARD_REFUSE, false, REASON_GUARD_UNKNOWN);
	c.is_page = false;
	expect(c, GUARD_PASS, false, REASON_UNSET);
	c = guard_case_of("/news", 5);
	policy.unknown = GUARD_UNKNOWN_HOLD;
	expect(c, GUARD_REFUSE, false, REASON_GUARD_UNKNOWN);
	c = guard_case_of("/?a", 1); /* another query is another page */
	expect(c, GUARD_PASS, false, REASON_UNSET);
	c = home();
	c.site = SITE + 1;
	expect(c, GUARD_PASS, false, REASON_UNSET);
}

static void without_a_vault_pages_pass_or_not_as_the_policy_says(void **state)
{
	struct guard_case c = home();
	(void)state;
	c.baseline = NULL;
	policy.unknown = GUARD_UNKNOWN_HOLD;
	expect(c, GUARD_PASS, false, REASON_UNSET);
	policy.fail = GUARD_FAIL_CLOSED;
	expect(c, GUARD_REFUSE, false, REASON_GUARD_NO_BASELINE);
	c.is_page = false;
	expect(c, GUARD_PASS, false, REASON_UNSET);
}

static void a_sealed_site_serves_copies_and_nothing_else(void **state)
{
	struct guard_case c = home();
	(void)state;
	c.state = GUARD_SEALED;
	expect(c, GUARD_COPY, true, REASON_GUARD_SEALED);
	c.anonymous = false;
	expect(c, GUARD_REFUSE, false, REASON_GUARD_SEALED);
	c.anonymous = true;
	c.is_page = false;
	expect(c, GUARD_REFUSE, false, REASON_GUARD_SEALED);
	c = guard_case_of("/unknown", 8);
	c.state = GUARD_SEALED;
	expect(c, GUARD_REFUSE, false, REASON_GUARD_SEALED);
	c = guard_case_of("/search/a", 9);
	c.state = GUARD_SEALED;
	expect(c, GUARD_REFUSE, false, REASON_GUARD_SEALED);
}

static void excluded_paths_are_left_alone(void **state)
{
	struct guard_case c = guard_case_of("/search?q=1", 7);
	(void)state;
	expect(c, GUARD_PASS, false, REASON_UNSET);
	c = guard_case_of("/searching", 10);
	policy.unknown = GUARD_UNKNOWN_HOLD;
	expect(c, GUARD_REFUSE, false, REASON_GUARD_UNKNOWN);
	c = guard_case_of("/search;jsessionid=1", 20);
	policy.unknown = GUARD_UNKNOWN_HOLD;
	expect(c, GUARD_REFUSE, false, REASON_GUARD_UNKNOWN);
	policy.reading = URL_READ_NO_PARAMETERS;
	expect(c, GUARD_PASS, false, REASON_UNSET);
}

static void who_only_watches_delays_nothing(void **state)
{
	struct guard_case c = home();
	(void)state;
	policy.mode = GUARD_MONITOR;
	expect(c, GUARD_WATCH, false, REASON_UNSET);
	policy.mode = GUARD_ENFORCE;
	c.only_watch = true;
	c.state = GUARD_SEALED;
	expect(c, GUARD_WATCH, false, REASON_UNSET);
	c = guard_case_of("/unknown", 8);
	policy.mode = GUARD_MONITOR;
	policy.unknown = GUARD_UNKNOWN_HOLD;
	expect(c, GUARD_PASS, false, REASON_UNSET);
}

static enum reason verdict_of(unsigned status, const char *type, const uint8_t *content)
{
	static struct page_collect head;
	struct guard_plan plan = plan_of(home());
	page_collect_begin(&head, status);
	page_collect_field(&head, SPAN("Content-Type"), span_from_str(type));
	return content ? guard_verdict(&known, &plan.page, &head, content)
		       : guard_verdict_on_head(&known, &plan.page, &head, GUARD_BYTES_UNKNOWN);
}

static enum reason length_verdict(const char *type, uint64_t bytes)
{
	static struct page_collect head;
	struct guard_plan plan = plan_of(home());
	page_collect_begin(&head, 200);
	page_collect_field(&head, SPAN("Content-Type"), span_from_str(type));
	return guard_verdict_on_head(&known, &plan.page, &head, bytes);
}

static void a_head_tells_already_what_cannot_be_known(void **state)
{
	(void)state;
	assert_int_equal(length_verdict("text/html", SMALL), REASON_UNSET);
	assert_int_equal(length_verdict("text/html", SMALL + 1), REASON_GUARD_CHANGED);
	assert_int_equal(length_verdict("text/css", SMALL), REASON_GUARD_CHANGED);
}

static void only_a_known_version_is_good(void **state)
{
	uint8_t other[DIGEST_SIZE];
	(void)state;
	memcpy(other, small_digest, sizeof(other));
	other[31] ^= 1;
	assert_int_equal(verdict_of(200, "text/html", small_digest), REASON_UNSET);
	assert_int_equal(verdict_of(200, "text/html", other), REASON_GUARD_CHANGED);
	assert_int_equal(verdict_of(200, "text/htmx", small_digest), REASON_GUARD_CHANGED);
	assert_int_equal(verdict_of(404, "text/html", small_digest), REASON_GUARD_CHANGED);
	assert_int_equal(verdict_of(500, "text/html", small_digest), REASON_GUARD_ORIGIN_ERROR);
	assert_int_equal(verdict_of(200, "text/html", NULL), REASON_UNSET);
	assert_int_equal(verdict_of(200, "text/plain", NULL), REASON_GUARD_CHANGED);
	assert_true(guard_is_severe(REASON_GUARD_REDIRECT));
	assert_false(guard_is_severe(REASON_GUARD_CHANGED));
}

static void a_head_beyond_measure_is_never_good(void **state)
{
	static struct page_collect head;
	struct guard_plan plan = plan_of(home());
	(void)state;
	page_collect_begin(&head, 200);
	page_collect_field(&head, SPAN("Content-Type"), SPAN("text/html"));
	head.too_long = true;
	assert_int_equal(guard_verdict(&known, &plan.page, &head, small_digest), REASON_GUARD_CHANGED);
	assert_int_equal(guard_verdict_on_head(&known, &plan.page, &head, GUARD_BYTES_UNKNOWN),
			 REASON_GUARD_CHANGED);
}

static bool is_anonymous(const char *fields)
{
	static const char *names[] = {"PHPSESSID", "wordpress_logged_in_*", NULL};
	static const struct policy_strings cookies = {.items = names, .n = 2};
	static const struct http_limits limits = {4096, 4096, 16, 4096};
	static struct http_head head;
	enum reason reason = REASON_UNSET;
	struct span evidence;
	char text[512];
	int len = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
	assert_int_equal(http_parse_request(text, (size_t)len, 0, &limits, &head, &reason, &evidence),
			 HTTP_PARSE_DONE);
	return guard_is_anonymous(&head, &cookies);
}

static void sessions_are_told_by_their_cookies_and_credentials(void **state)
{
	(void)state;
	assert_true(is_anonymous(""));
	assert_true(is_anonymous("Cookie: theme=dark; lang=en\r\n"));
	assert_true(is_anonymous("Cookie: x=PHPSESSID; XPHPSESSID=1; PHPSESSIDX=2\r\n"));
	assert_false(is_anonymous("Cookie: PHPSESSID=1\r\n"));
	assert_false(is_anonymous("Cookie: a=b; phpsessid=1\r\n"));
	assert_false(is_anonymous("Cookie: a=b;PHPSESSID = 1\r\n"));
	assert_false(is_anonymous("Cookie: PHPSESSID\r\n"));
	assert_false(is_anonymous("Cookie: a=b\r\nCookie: PHPSESSID=1\r\n"));
	assert_false(is_anonymous("Cookie: wordpress_logged_in_3f2a=1\r\n"));
	assert_true(is_anonymous("Cookie: wordpress_test_cookie=1\r\n"));
	assert_false(is_anonymous("authorization: Basic eDp5\r\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_known_page_is_held_and_only_anybody_gets_a_copy),
	    cmocka_unit_test(who_is_in_a_session_gets_pages_of_his_own_where_the_policy_says_so),
	    cmocka_unit_test(a_large_page_comes_as_a_copy_or_is_watched),
	    cmocka_unit_test(an_unknown_page_passes_or_not_as_the_policy_says),
	    cmocka_unit_test(without_a_vault_pages_pass_or_not_as_the_policy_says),
	    cmocka_unit_test(a_sealed_site_serves_copies_and_nothing_else),
	    cmocka_unit_test(excluded_paths_are_left_alone),
	    cmocka_unit_test(who_only_watches_delays_nothing),
	    cmocka_unit_test(only_a_known_version_is_good),
	    cmocka_unit_test(a_head_tells_already_what_cannot_be_known),
	    cmocka_unit_test(a_head_beyond_measure_is_never_good),
	    cmocka_unit_test(sessions_are_told_by_their_cookies_and_credentials),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

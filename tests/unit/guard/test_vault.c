/* The vault: what was put in comes out, in every order of changes, and what is aborted did not
 * happen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "guard/vault_tools.h"

/* ---- records ---- */

static void sites_come_back_as_they_were(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_site site = {.id = site_id("blog"), .name = "blog", .state = 3, .since_s = 5,
				  .publish_until_s = 99}, out;
	snprintf(site.reason, sizeof(site.reason), "a false site");
	assert_true(vault_site_put(bench->vault, &site, &bench->err));
	bench_reopen(bench);
	assert_true(vault_site_get(bench->vault, site.id, &out));
	assert_int_equal(out.state, 3);
	assert_int_equal(out.since_s, 5);
	assert_int_equal(out.publish_until_s, 99);
	assert_false(out.confirmed);
	assert_string_equal(out.reason, "a false site");
	site.state = 4;
	assert_true(vault_site_put(bench->vault, &site, &bench->err));
	assert_true(vault_site_get(bench->vault, site.id, &out));
	assert_int_equal(out.state, 4);
	assert_false(vault_site_get(bench->vault, 1, &out));
	site.id++;
	assert_false(vault_site_put(bench->vault, &site, &bench->err));
	assert_int_equal(bench_told(bench), 0);
}

static void pages_and_versions_come_back_as_they_were(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_page page = bench_page(bench, "/a?b=c"), out;
	struct vault_version added = bench_add(bench, page.id, "one", VAULT_CANDIDATE, BENCH_TIME),
			     version;
	bench_reopen(bench);
	assert_true(vault_page_get(bench->vault, page.site, "/a?b=c", &out));
	assert_int_equal(out.id, page.id);
	assert_int_equal(out.policy, BASELINE_EXACT);
	assert_int_equal(out.first_seen_s, BENCH_TIME);
	assert_false(vault_page_get(bench->vault, page.site, "/a", &out));
	assert_true(vault_version_get(bench->vault, added.id, &version));
	assert_int_equal(version.number, 1);
	assert_int_equal(version.samples, 3);
	assert_int_equal(version.state, VAULT_CANDIDATE);
	assert_int_equal(version.content_bytes, 3);
	assert_int_equal(version.since_s, 0);
	assert_string_equal(version.origin, "10.0.0.5:80");
	assert_true(span_eq(version.head.fields[PAGE_FIELD_CONTENT_TYPE], SPAN("text/html")));
	assert_null(version.head.fields[PAGE_FIELD_LOCATION].ptr);
	assert_true(vault_version_find(bench->vault, page.id, added.digest, &version));
	assert_true(vault_version_numbered(bench->vault, page.id, 1, &version));
	assert_false(vault_version_numbered(bench->vault, page.id, 2, &version));
	assert_false(vault_version_good(bench->vault, page.id, &version));
	assert_int_equal(vault_page_count(bench->vault, page.site), 1);
}

static void a_page_that_is_there_is_not_added_again(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_page page = bench_page(bench, "/"), again = bench_page(bench, "/");
	assert_int_equal(page.id, again.id);
	assert_int_equal(bench_told(bench), 0);
}

static void the_same_version_is_not_added_twice(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_page page = bench_page(bench, "/");
	bench_add(bench, page.id, "one", VAULT_CANDIDATE, BENCH_TIME);
	struct vault_version again = bench_version_of(bench, page.id, "one", VAULT_GOOD);
	assert_false(vault_version_add(bench->vault, &again, BENCH_TIME, &bench->err));
	assert_non_null(strstr(bench->err.text, "is the same"));
	/* and a page whose content is not there neither */
	again = bench_version_of(bench, page.id, "two", VAULT_GOOD);
	memset(again.content, 7, DIGEST_SIZE);
	memset(again.digest, 7, DIGEST_SIZE);
	assert_false(vault_version_add(bench->vault, &again, BENCH_TIME, &bench->err));
	assert_non_null(strstr(bench->err.text, "content is not in the vault"));
}

static void the_newest_good_version_is_served(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_page page = bench_page(bench, "/");
	struct vault_version one = bench_add(bench, page.id, "one", VAULT_GOOD, BENCH_TIME);
	struct vault_version two = bench_add(bench, page.id, "two", VAULT_HELD, BENCH_TIME + 1);
	bench_expect(bench, page.id, "one");
	assert_true(vault_mark(bench->vault, two.id, VAULT_GOOD, "approved", BENCH_TIME + 2,
			       &bench->err));
	bench_expect(bench, page.id, "two");
	assert_true(vault_pin(bench->vault, one.id, true, BENCH_TIME + 3, &bench->err));
	bench_expect(bench, page.id, "one");
	assert_false(vault_mark(bench->vault, one.id, VAULT_REJECTED, "no", BENCH_TIME, &bench->err));
	assert_non_null(strstr(bench->err.text, "pinned"));
	/* one pin at most */
	assert_true(vault_pin(bench->vault, two.id, true, BENCH_TIME + 4, &bench->err));
	assert_true(vault_version_get(bench->vault, one.id, &one));
	assert_false(one.pinned);
	bench_expect(bench, page.id, "two");
	assert_true(vault_pin(bench->vault, two.id, false, BENCH_TIME + 5, &bench->err));
	assert_true(vault_mark(bench->vault, two.id, VAULT_REJECTED, "no", BENCH_TIME, &bench->err));
	bench_expect(bench, page.id, "one");
	assert_true(vault_mark(bench->vault, one.id, VAULT_RETIRED, "", BENCH_TIME, &bench->err));
	bench_expect(bench, page.id, "");
}

static void numbers_are_never_given_twice(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_eviction eviction;
	struct vault_page page = bench_page(bench, "/");
	bench_add(bench, page.id, "one", VAULT_GOOD, BENCH_TIME);
	bench_add(bench, page.id, "two", VAULT_CANDIDATE, BENCH_TIME);
	assert_true(vault_evict(bench->vault, 1 << 20, 1, &eviction, &bench->err));
	assert_int_equal(eviction.versions, 1);
	assert_int_equal(bench_add(bench, page.id, "three", VAULT_CANDIDATE, BENCH_TIME).number, 3);
}

static bool count_one(void *context, const struct vault_version *version)
{
	(void)version;
	return ++*(unsigned *)context < 2;
}

static void a_list_stops_when_it_is_told_to(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_page page = bench_page(bench, "/");
	unsigned n = 0;
	for (const char *content = "abc"; *content; content++)
		bench_add(bench, page.id, content, VAULT_CANDIDATE, BENCH_TIME);
	vault_versions(bench->vault, page.id, count_one, &n);
	assert_int_equal(n, 2);
}

/* ---- contents ---- */

static void a_content_is_stored_once_and_checked(void **state)
{
	struct vault_bench *bench = *state;
	uint8_t first[DIGEST_SIZE], second[DIGEST_SIZE];
	char path[VAULT_CONTENT_PATH_SIZE], name[128];
	struct strbuf out;
	assert_true(vault_content_put(bench->vault, "hello", 5, first, &bench->err));
	assert_true(vault_content_put(bench->vault, "hello", 5, second, &bench->err));
	assert_memory_equal(first, second, DIGEST_SIZE);
	assert_int_equal(vault_size(bench->vault), 5);
	strbuf_init(&out, 100);
	assert_true(vault_content_get(bench->vault, first, &out, &bench->err));
	assert_true(span_eq(strbuf_span(&out), SPAN("hello")));
	vault_content_path(first, path);
	assert_string_equal(path, "2c/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
	snprintf(name, sizeof(name), "content/%s", path);
	bench_damage(bench, name, 0, "H");
	strbuf_reset(&out);
	assert_false(vault_content_get(bench->vault, first, &out, &bench->err));
	assert_int_equal(bench->told[VAULT_BAD_CONTENT], 1);
	/* who has it again mends it */
	assert_true(vault_content_put(bench->vault, "hello", 5, first, &bench->err));
	strbuf_reset(&out);
	assert_true(vault_content_get(bench->vault, first, &out, &bench->err));
	second[0] ^= 1;
	strbuf_reset(&out);
	assert_false(vault_content_get(bench->vault, second, &out, &bench->err));
	assert_non_null(strstr(bench->err.text, "missing"));
	strbuf_release(&out);
}

static void an_empty_content_is_one(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_page page = bench_page(bench, "/moved");
	bench_add(bench, page.id, "", VAULT_GOOD, BENCH_TIME);
	assert_int_equal(bench_baseline(bench, BENCH_TIME), 1);
	assert_int_equal(bench_verify(bench).findings, 0);
}

static void files_that_nobody_names_are_swept_away(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_page page = bench_page(bench, "/");
	uint8_t stray[DIGEST_SIZE];
	char path[VAULT_CONTENT_PATH_SIZE], name[256];
	bench_add(bench, page.id, "kept", VAULT_GOOD, BENCH_TIME);
	/* what a transaction that did not count leaves */
	assert_true(vault_begin(bench->vault, &bench->err));
	assert_true(vault_content_put(bench->vault, "stray", 5, stray, &bench->err));
	vault_abort(bench->vault);
	vault_content_path(stray, path);
	snprintf(name, sizeof(name), "%s/content/%s", bench->path, path);
	assert_int_equal(access(name, F_OK), 0);
	bench_reopen(bench);
	assert_int_not_equal(access(name, F_OK), 0);
	bench_expect(bench, page.id, "kept");
}

/* ---- transactions ---- */

static void what_is_aborted_did_not_happen(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_page page = bench_page(bench, "/");
	struct vault_decision decision = {.who = "operator", .what = "approve"};
	struct strbuf file;
	bench_add(bench, page.id, "one", VAULT_GOOD, BENCH_TIME);
	bench_baseline(bench, BENCH_TIME);
	strbuf_init(&file, 1 << 20);
	assert_true(vault_begin(bench->vault, &bench->err));
	bench_add(bench, page.id, "two", VAULT_GOOD, BENCH_TIME);
	assert_true(vault_audit(bench->vault, &decision, BENCH_TIME, &bench->err));
	assert_true(vault_baseline_make(bench->vault, "x", BENCH_TIME, &file, &bench->err));
	vault_abort(bench->vault);
	bench_expect(bench, page.id, "one");
	assert_int_equal(bench_verify(bench).audit_lines, 0);
	assert_int_equal(bench_told(bench), 0);
	strbuf_reset(&file);
	assert_true(vault_baseline_load(bench->vault, &file, &bench->err));
	strbuf_release(&file);
	/* one inside of another takes the other with it */
	assert_true(vault_begin(bench->vault, &bench->err));
	assert_true(vault_begin(bench->vault, &bench->err));
	bench_add(bench, page.id, "three", VAULT_GOOD, BENCH_TIME);
	vault_abort(bench->vault);
	assert_false(vault_commit(bench->vault, &bench->err));
	bench_expect(bench, page.id, "one");
	assert_false(vault_commit(bench->vault, &bench->err));
}

/* ---- held, tokens, hosts ---- */

struct held_list {
	struct vault_held last;
	unsigned n;
};

static bool note_held(void *context, const struct vault_held *held)
{
	struct held_list *list = context;
	list->last = *held;
	list->n++;
	return true;
}

static void the_same_hold_is_one_entry(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_held held = {.site = site_id(BENCH_SITE), .key = "/a", .severity = 1,
				  .first_s = 10, .last_s = 10, .times = 1};
	struct held_list list = {.n = 0};
	bool is_new;
	uint64_t n;
	snprintf(held.host, sizeof(held.host), "evil.example");
	assert_true(vault_hold(bench->vault, &held, &is_new, &bench->err));
	assert_true(is_new);
	held.last_s = 20;
	held.times = 4;
	held.severity = 2;
	held.version = 7;
	assert_true(vault_hold(bench->vault, &held, &is_new, &bench->err));
	assert_false(is_new);
	vault_held_list(bench->vault, 0, note_held, &list);
	assert_int_equal(list.n, 1);
	assert_int_equal(list.last.times, 5);
	assert_int_equal(list.last.first_s, 10);
	assert_int_equal(list.last.last_s, 20);
	assert_int_equal(list.last.severity, 2);
	assert_int_equal(list.last.version, 7);
	assert_string_equal(list.last.host, "evil.example");
	assert_int_equal(vault_held_since(bench->vault, held.site, "/a", held.digest), 10);
	assert_int_equal(vault_held_since(bench->vault, held.site, "/b", held.digest), 0);
	assert_true(vault_held_clear(bench->vault, held.site, "/b", &n, &bench->err));
	assert_int_equal(n, 0);
	assert_true(vault_held_clear(bench->vault, held.site, "/a", &n, &bench->err));
	assert_int_equal(n, 1);
}

static void holds_of_a_site_are_bounded(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_held held = {.site = site_id(BENCH_SITE), .times = 1};
	struct held_list list = {.n = 0};
	bool is_new;
	assert_true(vault_begin(bench->vault, &bench->err));
	for (unsigned i = 0; i < VAULT_HELD_MAX + 50; i++) {
		snprintf(held.key, sizeof(held.key), "/%u", i);
		held.last_s = i;
		assert_true(vault_hold(bench->vault, &held, &is_new, &bench->err));
	}
	assert_true(vault_commit(bench->vault, &bench->err));
	vault_held_list(bench->vault, held.site, note_held, &list);
	assert_int_equal(list.n, VAULT_HELD_MAX);
	assert_string_equal(list.last.key, "/50");
}

static void a_token_opens_once_and_in_time(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_token token = {.site = site_id(BENCH_SITE), .made_s = 100, .expires_s = 200,
				    .publish_s = 60}, out;
	uint8_t unknown[DIGEST_SIZE] = {9};
	snprintf(token.label, sizeof(token.label), "pipeline");
	digest("secret", 6, token.token);
	assert_true(vault_token_add(bench->vault, &token, &bench->err));
	assert_false(vault_token_use(bench->vault, unknown, 150, &out, &bench->err));
	assert_false(vault_token_use(bench->vault, token.token, 200, &out, &bench->err));
	assert_non_null(strstr(bench->err.text, "expired"));
	assert_true(vault_token_use(bench->vault, token.token, 150, &out, &bench->err));
	assert_int_equal(out.publish_s, 60);
	assert_string_equal(out.label, "pipeline");
	bench_reopen(bench);
	assert_false(vault_token_use(bench->vault, token.token, 151, &out, &bench->err));
	assert_non_null(strstr(bench->err.text, "used before"));
}

static bool count_host(void *context, const char *host, const char *who, uint64_t since_s)
{
	assert_string_equal(host, "pay.example");
	assert_string_equal(who, "keeper");
	assert_int_equal(since_s, 5);
	++*(unsigned *)context;
	return true;
}

static void a_host_is_listed(void **state)
{
	struct vault_bench *bench = *state;
	uint64_t site = site_id(BENCH_SITE);
	unsigned n = 0;
	assert_true(vault_host_add(bench->vault, site, "pay.example", "keeper", 5, &bench->err));
	vault_hosts(bench->vault, site, count_host, &n);
	assert_int_equal(n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BENCH_TEST(sites_come_back_as_they_were),
	    BENCH_TEST(pages_and_versions_come_back_as_they_were),
	    BENCH_TEST(a_page_that_is_there_is_not_added_again),
	    BENCH_TEST(the_same_version_is_not_added_twice),
	    BENCH_TEST(the_newest_good_version_is_served),
	    BENCH_TEST(numbers_are_never_given_twice),
	    BENCH_TEST(a_list_stops_when_it_is_told_to),
	    BENCH_TEST(a_content_is_stored_once_and_checked),
	    BENCH_TEST(an_empty_content_is_one),
	    BENCH_TEST(files_that_nobody_names_are_swept_away),
	    BENCH_TEST(what_is_aborted_did_not_happen),
	    BENCH_TEST(the_same_hold_is_one_entry),
	    BENCH_TEST(holds_of_a_site_are_bounded),
	    BENCH_TEST(a_token_opens_once_and_in_time),
	    BENCH_TEST(a_host_is_listed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

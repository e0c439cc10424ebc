/* What the vault makes of its versions: baselines, ways back, and room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "guard/vault_tools.h"

/* ---- baselines, going back ---- */

static bool load(struct vault_bench *bench, struct strbuf *file, struct baseline *out)
{
	uint8_t key[SIGN_PUBLIC_SIZE];
	vault_public_key(bench->vault, key);
	strbuf_init(file, 1 << 20);
	return vault_baseline_load(bench->vault, file, &bench->err) &&
	       baseline_open(file->data, file->len, key, out, &bench->err);
}

static void a_baseline_has_what_is_good(void **state)
{
	struct vault_bench *bench = *state;
	uint64_t site = site_id(BENCH_SITE);
	struct vault_page page = bench_page(bench, "/"), other = bench_page(bench, "/new");
	struct vault_version one = bench_add(bench, page.id, "one", VAULT_GOOD, BENCH_TIME);
	struct vault_version two = bench_add(bench, page.id, "two", VAULT_GOOD, BENCH_TIME + 1);
	struct vault_version bad = bench_add(bench, page.id, "bad", VAULT_HELD, BENCH_TIME + 2);
	struct strbuf file;
	struct baseline baseline;
	struct baseline_page found;
	struct baseline_version version;
	(void)other;
	assert_true(vault_host_add(bench->vault, site, "pay.example", "keeper", 1, &bench->err));
	assert_int_equal(bench_baseline(bench, BENCH_TIME), 1);
	assert_true(load(bench, &file, &baseline));
	assert_true(baseline_find(&baseline, site, SPAN("/"), &found));
	assert_int_equal(found.versions, 2);
	assert_int_equal(baseline_match(&baseline, &found, two.digest), 0);
	assert_int_equal(baseline_match(&baseline, &found, one.digest), 1);
	assert_int_equal(baseline_match(&baseline, &found, bad.digest), -1);
	baseline_version_of(&baseline, &found, 1, &version);
	assert_int_equal(version.since_s, BENCH_TIME);
	assert_true(baseline_find(&baseline, site, SPAN("/new"), &found));
	assert_int_equal(found.policy, BASELINE_LEARNING);
	assert_true(baseline_knows_host(&baseline, site, SPAN("pay.example")));
	strbuf_release(&file);
}

static void a_site_that_is_not_confirmed_has_no_pages(void **state)
{
	struct vault_bench *bench = *state;
	uint64_t id = site_id(BENCH_SITE);
	struct vault_site site;
	struct vault_page page = bench_page(bench, "/");
	struct strbuf file;
	struct baseline baseline;
	struct baseline_page found;
	bench_add(bench, page.id, "one", VAULT_GOOD, BENCH_TIME);
	assert_true(vault_site_get(bench->vault, id, &site));
	site.confirmed = false;
	assert_true(vault_site_put(bench->vault, &site, &bench->err));
	bench_baseline(bench, BENCH_TIME);
	assert_true(load(bench, &file, &baseline));
	assert_true(baseline_has_site(&baseline, id));
	assert_false(baseline_find(&baseline, id, SPAN("/"), &found));
	strbuf_release(&file);
}

static void a_baseline_that_was_not_put_in_place_is_when_the_vault_opens(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_page page = bench_page(bench, "/");
	char from[128], to[128];
	struct strbuf file;
	struct baseline baseline;
	bench_add(bench, page.id, "one", VAULT_GOOD, BENCH_TIME);
	bench_baseline(bench, BENCH_TIME);
	snprintf(from, sizeof(from), "%s/baseline", bench->path);
	snprintf(to, sizeof(to), "%s/baseline.next", bench->path);
	assert_int_equal(rename(from, to), 0);
	bench_reopen(bench);
	assert_true(load(bench, &file, &baseline));
	strbuf_release(&file);
	assert_int_equal(bench_told(bench), 0);
}

static void a_damaged_baseline_file_is_told(void **state)
{
	struct vault_bench *bench = *state;
	struct strbuf file;
	struct baseline baseline;
	bench_baseline(bench, BENCH_TIME);
	bench_damage(bench, "baseline", 20, "x");
	bench_reopen(bench);
	assert_false(load(bench, &file, &baseline));
	assert_int_equal(bench->told[VAULT_BAD_BASELINE], 1);
	strbuf_release(&file);
	bench_baseline(bench, BENCH_TIME);
	assert_true(load(bench, &file, &baseline));
	assert_int_equal(baseline.number, 2);
	strbuf_release(&file);
}

static void a_site_goes_back_as_a_whole(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_travel travel;
	struct vault_page a = bench_page(bench, "/a"), b = bench_page(bench, "/b");
	struct vault_version a1 = bench_add(bench, a.id, "a1", VAULT_GOOD, BENCH_TIME);
	bench_add(bench, b.id, "b1", VAULT_GOOD, BENCH_TIME);
	uint64_t before = bench_baseline(bench, BENCH_TIME);
	/* one page changes, one is learned, one stays */
	bench_add(bench, a.id, "a2", VAULT_GOOD, BENCH_TIME + 10);
	assert_true(vault_mark(bench->vault, a1.id, VAULT_RETIRED, "", BENCH_TIME + 10, &bench->err));
	struct vault_page c = bench_page(bench, "/c");
	bench_add(bench, c.id, "c1", VAULT_GOOD, BENCH_TIME + 10);
	uint64_t after = bench_baseline(bench, BENCH_TIME + 10);
	assert_true(vault_travel(bench->vault, a.site, NULL, before, BENCH_TIME + 20, &travel,
				 &bench->err));
	assert_int_equal(travel.pages, 1);
	assert_int_equal(travel.dropped, 1);
	assert_int_equal(travel.missing, 0);
	bench_expect(bench, a.id, "a1");
	bench_expect(bench, b.id, "b1");
	bench_expect(bench, c.id, "");
	bench_baseline(bench, BENCH_TIME + 20);
	/* and forth again, one page only */
	assert_true(vault_travel(bench->vault, a.site, "/a", after, BENCH_TIME + 30, &travel,
				 &bench->err));
	bench_expect(bench, a.id, "a2");
	bench_expect(bench, c.id, "");
	assert_false(vault_travel(bench->vault, a.site, NULL, 99, BENCH_TIME, &travel, &bench->err));
	assert_false(vault_travel(bench->vault, a.site, "/no", 1, BENCH_TIME, &travel, &bench->err));
	assert_int_equal(bench_told(bench), 0);
}

static void a_time_is_that_of_the_baseline_before_it(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_baseline baseline;
	bench_baseline(bench, 1000);
	bench_baseline(bench, 2000);
	assert_false(vault_baseline_at(bench->vault, 999, &baseline));
	assert_true(vault_baseline_at(bench->vault, 1999, &baseline));
	assert_int_equal(baseline.number, 1);
	assert_true(vault_baseline_at(bench->vault, 5000, &baseline));
	assert_int_equal(baseline.number, 2);
	assert_string_equal(baseline.reason, "test");
}

static void what_was_rejected_or_is_gone_does_not_come_back(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_travel travel;
	struct vault_eviction eviction;
	struct vault_page a = bench_page(bench, "/a"), b = bench_page(bench, "/b");
	struct vault_version a1 = bench_add(bench, a.id, "a1", VAULT_GOOD, BENCH_TIME);
	struct vault_version b1 = bench_add(bench, b.id, "b1", VAULT_GOOD, BENCH_TIME);
	uint64_t before = bench_baseline(bench, BENCH_TIME);
	bench_add(bench, a.id, "a2", VAULT_GOOD, BENCH_TIME + 10);
	bench_add(bench, b.id, "b2", VAULT_GOOD, BENCH_TIME + 10);
	assert_true(vault_mark(bench->vault, a1.id, VAULT_REJECTED, "", BENCH_TIME + 10, &bench->err));
	assert_true(vault_mark(bench->vault, b1.id, VAULT_RETIRED, "", BENCH_TIME + 10, &bench->err));
	bench_baseline(bench, BENCH_TIME + 10);
	assert_true(vault_evict(bench->vault, 1 << 20, 1, &eviction, &bench->err));
	assert_true(vault_travel(bench->vault, a.site, NULL, before, BENCH_TIME + 20, &travel,
				 &bench->err));
	assert_int_equal(travel.missing, 2);
	bench_expect(bench, a.id, "a2");
	bench_expect(bench, b.id, "b2");
}

static void one_version_can_be_gone_back_to(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_page page = bench_page(bench, "/");
	struct vault_version one = bench_add(bench, page.id, "one", VAULT_GOOD, BENCH_TIME), two;
	two = bench_add(bench, page.id, "two", VAULT_GOOD, BENCH_TIME + 1);
	assert_true(vault_pin(bench->vault, two.id, true, BENCH_TIME + 1, &bench->err));
	assert_true(vault_go_back(bench->vault, one.id, "rollback", BENCH_TIME + 2, &bench->err));
	bench_expect(bench, page.id, "one");
	assert_true(vault_version_get(bench->vault, two.id, &two));
	assert_int_equal(two.state, VAULT_RETIRED);
	assert_false(two.pinned);
	assert_false(vault_go_back(bench->vault, 999, "x", BENCH_TIME, &bench->err));
}

/* ---- making room ---- */

static void the_oldest_go_first_and_the_good_stay(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_eviction eviction;
	struct vault_page page = bench_page(bench, "/");
	bench_add(bench, page.id, "old good", VAULT_GOOD, BENCH_TIME);
	bench_add(bench, page.id, "the good", VAULT_GOOD, BENCH_TIME + 1);
	for (unsigned i = 0; i < 5; i++) {
		char text[32];
		snprintf(text, sizeof(text), "candidate %u", i);
		bench_add(bench, page.id, text, VAULT_CANDIDATE, BENCH_TIME + 2 + i);
	}
	assert_true(vault_evict(bench->vault, 1 << 20, 4, &eviction, &bench->err));
	assert_int_equal(eviction.versions, 3);
	assert_int_equal(eviction.bytes, 33);
	assert_false(eviction.baseline_changed);
	/* then by size: candidates, then good ones, and then nothing goes any more */
	assert_true(vault_evict(bench->vault, 16, 20, &eviction, &bench->err));
	assert_int_equal(eviction.versions, 2);
	assert_false(eviction.baseline_changed);
	assert_true(vault_evict(bench->vault, 9, 20, &eviction, &bench->err));
	assert_int_equal(eviction.versions, 1);
	assert_true(eviction.baseline_changed);
	assert_false(eviction.over_size);
	assert_true(vault_evict(bench->vault, 1, 20, &eviction, &bench->err));
	assert_int_equal(eviction.versions, 0);
	assert_true(eviction.over_size);
	assert_int_equal(bench->told[VAULT_OVER_SIZE], 1);
	bench_expect(bench, page.id, "the good");
	assert_int_equal(vault_size(bench->vault), 8);
	assert_int_equal(bench_verify(bench).findings, 0);
}

static void pins_and_what_was_good_last_stay(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_eviction eviction;
	struct vault_page page = bench_page(bench, "/"), other = bench_page(bench, "/o");
	struct vault_version pinned = bench_add(bench, page.id, "pinned", VAULT_GOOD, BENCH_TIME);
	struct vault_version was = bench_add(bench, other.id, "was good", VAULT_GOOD, BENCH_TIME);
	assert_true(vault_pin(bench->vault, pinned.id, true, BENCH_TIME, &bench->err));
	assert_true(vault_mark(bench->vault, was.id, VAULT_RETIRED, "", BENCH_TIME, &bench->err));
	bench_add(bench, other.id, "newer", VAULT_CANDIDATE, BENCH_TIME + 5);
	bench_add(bench, page.id, "newer", VAULT_GOOD, BENCH_TIME + 5);
	assert_true(vault_evict(bench->vault, 1, 1, &eviction, &bench->err));
	assert_int_equal(eviction.versions, 2);
	bench_expect(bench, page.id, "pinned");
	assert_true(vault_version_get(bench->vault, was.id, &was));
}

static void a_content_goes_with_the_last_version_that_has_it(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_eviction eviction;
	struct vault_page page = bench_page(bench, "/"), other = bench_page(bench, "/o");
	bench_add(bench, page.id, "shared", VAULT_CANDIDATE, BENCH_TIME);
	struct vault_version kept = bench_add(bench, other.id, "shared", VAULT_GOOD, BENCH_TIME);
	bench_add(bench, page.id, "own", VAULT_GOOD, BENCH_TIME);
	assert_true(vault_evict(bench->vault, 1 << 20, 1, &eviction, &bench->err));
	assert_int_equal(eviction.versions, 1);
	assert_int_equal(eviction.bytes, 0);
	bench_expect(bench, other.id, "shared");
	assert_true(vault_page_forget(bench->vault, other.id, &bench->err));
	assert_false(vault_version_get(bench->vault, kept.id, &kept));
	assert_true(vault_evict(bench->vault, 1 << 20, 9, &eviction, &bench->err));
	assert_int_equal(eviction.bytes, 6);
	assert_int_equal(vault_size(bench->vault), 3);
}

static void many_versions_are_trimmed(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_eviction eviction;
	struct vault_page page = bench_page(bench, "/");
	assert_true(vault_begin(bench->vault, &bench->err));
	for (unsigned i = 0; i < 600; i++) {
		char text[32];
		snprintf(text, sizeof(text), "%03u", i);
		bench_add(bench, page.id, text, VAULT_CANDIDATE, BENCH_TIME + i);
	}
	assert_false(vault_evict(bench->vault, 1 << 20, 20, &eviction, &bench->err));
	assert_true(vault_commit(bench->vault, &bench->err));
	assert_true(vault_evict(bench->vault, 1 << 20, 580, &eviction, &bench->err));
	assert_int_equal(eviction.versions, 20);
	assert_true(vault_evict(bench->vault, 90, 1000, &eviction, &bench->err));
	assert_int_equal(eviction.versions, 550);
	assert_int_equal(vault_size(bench->vault), 90);
	struct vault_version version;
	assert_true(vault_version_numbered(bench->vault, page.id, 600, &version));
	assert_false(vault_version_numbered(bench->vault, page.id, 570, &version));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BENCH_TEST(a_baseline_has_what_is_good),
	    BENCH_TEST(a_site_that_is_not_confirmed_has_no_pages),
	    BENCH_TEST(a_baseline_that_was_not_put_in_place_is_when_the_vault_opens),
	    BENCH_TEST(a_damaged_baseline_file_is_told),
	    BENCH_TEST(a_site_goes_back_as_a_whole),
	    BENCH_TEST(a_time_is_that_of_the_baseline_before_it),
	    BENCH_TEST(what_was_rejected_or_is_gone_does_not_come_back),
	    BENCH_TEST(one_version_can_be_gone_back_to),
	    BENCH_TEST(the_oldest_go_first_and_the_good_stay),
	    BENCH_TEST(pins_and_what_was_good_last_stay),
	    BENCH_TEST(a_content_goes_with_the_last_version_that_has_it),
	    BENCH_TEST(many_versions_are_trimmed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

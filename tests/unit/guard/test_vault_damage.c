/* A vault that was damaged, forged, cut or robbed of its key: whatever was touched counts as
 * absent and is told, the rest goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include "guard/vault_tools.h"

/* ---- forging: somebody who may write the database, but has no key ---- */

static void run_sql(struct vault_bench *bench, const char *statement)
{
	char path[128], *why = NULL;
	sqlite3 *db = NULL;
	bench_close(bench);
	snprintf(path, sizeof(path), "%s/catalogue.db", bench->path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, statement, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", statement, why);
	assert_true(sqlite3_changes(db) > 0);
	sqlite3_close(db);
	bench_forget(bench);
	bench_open(bench);
}

static void fill(struct vault_bench *bench)
{
	struct vault_token token = {.site = site_id(BENCH_SITE), .token = {1}, .made_s = 1,
				    .expires_s = 1000};
	struct vault_decision decision = {.who = "operator", .what = "approve", .site = BENCH_SITE,
					  .url = "/", .version = 1, .why = "a \"test\""};
	struct vault_page page = bench_page(bench, "/"), other = bench_page(bench, "/other");
	bench_add(bench, page.id, "bad", VAULT_HELD, BENCH_TIME);
	bench_add(bench, page.id, "good", VAULT_GOOD, BENCH_TIME);
	bench_add(bench, other.id, "other", VAULT_GOOD, BENCH_TIME);
	assert_true(vault_host_add(bench->vault, page.site, "pay.example", "keeper", 5, &bench->err));
	assert_true(vault_token_add(bench->vault, &token, &bench->err));
	assert_true(vault_audit(bench->vault, &decision, BENCH_TIME, &bench->err));
	assert_true(vault_audit(bench->vault, &decision, BENCH_TIME + 1, &bench->err));
	bench_baseline(bench, BENCH_TIME);
	struct vault_report report = bench_verify(bench);
	if (report.findings != 0)
		fail_msg("%s", bench->last);
	assert_int_equal(report.versions, 3);
	assert_int_equal(report.pages, 2);
	assert_int_equal(report.contents, 3);
	assert_int_equal(report.audit_lines, 2);
	assert_int_equal(report.baseline_number, 1);
}

static void every_forged_column_is_found(void **state)
{
	static const char *const forgeries[] = {
	    "UPDATE versions SET state = 2 WHERE number = 1",
	    "UPDATE versions SET pinned = 1 WHERE number = 2",
	    "UPDATE versions SET samples = 99",
	    "UPDATE versions SET status = 404",
	    "UPDATE versions SET status = 0",
	    "UPDATE versions SET state = 77",
	    "UPDATE versions SET digest = zeroblob(32) WHERE number = 2",
	    "UPDATE versions SET digest = zeroblob(31) WHERE version = 2",
	    "UPDATE versions SET content = zeroblob(32) WHERE number = 2",
	    "UPDATE versions SET bytes = 5 WHERE number = 2",
	    "UPDATE versions SET first_seen_s = 1",
	    "UPDATE versions SET last_seen_s = 1",
	    "UPDATE versions SET since_s = 1",
	    "UPDATE versions SET rank = 100 WHERE number = 1",
	    "UPDATE versions SET origin = 'x'",
	    "UPDATE versions SET reason = 'x'",
	    "UPDATE versions SET reason = zeroblob(0) || char(0) || 'x'",
	    "UPDATE versions SET field_0 = NULL",
	    "UPDATE versions SET field_2 = x'' WHERE number = 2",
	    "UPDATE versions SET field_1 = zeroblob(5000)",
	    "UPDATE versions SET page = 2, number = 9 WHERE version = 2",
	    "UPDATE versions SET signature = zeroblob(64)",
	    "UPDATE versions SET signature = x'00'",
	    "UPDATE versions SET signature = (SELECT signature FROM pages WHERE page = 1)",
	    "UPDATE pages SET policy = 1 WHERE page = 1",
	    "UPDATE pages SET policy = 99 WHERE page = 1",
	    "UPDATE pages SET key = '/elsewhere' WHERE page = 1",
	    "UPDATE pages SET first_seen_s = 0 WHERE page = 1",
	    "UPDATE sites SET state = 9",
	    "UPDATE sites SET confirmed = 0",
	    "UPDATE sites SET publish_until_s = 4000000000",
	    "UPDATE sites SET name = 'other'",
	    "UPDATE hosts SET host = 'evil.example'",
	    "INSERT INTO hosts SELECT site, 'evil.example', who, since_s, signature FROM hosts",
	    "UPDATE tokens SET expires_s = 4000000000",
	    "UPDATE tokens SET token = zeroblob(32)",
	    "UPDATE baselines SET made_s = 5",
	    "UPDATE baselines SET digest = zeroblob(32)",
	    "UPDATE meta SET value = zeroblob(56) WHERE name = 'audit'",
	    "DELETE FROM meta WHERE name = 'audit'",
	};
	struct vault_bench *bench = *state;
	for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
		bench_end(bench);
		bench_begin(bench);
		fill(bench);
		run_sql(bench, forgeries[i]);
		bool told = bench_told(bench) > 0;
		if (bench_verify(bench).findings == 0 && !told)
			fail_msg("%s: not found", forgeries[i]);
	}
}

static void what_was_forged_counts_as_absent(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_version version;
	struct vault_page page;
	fill(bench);
	run_sql(bench, "UPDATE versions SET state = 2, rank = 99 WHERE number = 1 AND page = 1");
	assert_true(vault_page_get(bench->vault, site_id(BENCH_SITE), "/", &page));
	bench_expect(bench, page.id, "good");
	assert_false(vault_version_numbered(bench->vault, page.id, 1, &version));
	/* met twice, told once */
	assert_int_equal(bench->told[VAULT_BAD_SIGNATURE], 1);
	/* and its place can be taken by one that is true */
	bench_add(bench, page.id, "bad", VAULT_HELD, BENCH_TIME);
	bench_forget(bench);
	bench_baseline(bench, BENCH_TIME);
	assert_int_equal(bench_told(bench), 0);
}

static void a_forged_site_leaves_the_others(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_site blog = {.id = site_id("blog"), .name = "blog", .confirmed = true}, out;
	fill(bench);
	assert_true(vault_site_put(bench->vault, &blog, &bench->err));
	run_sql(bench, "UPDATE sites SET state = 7 WHERE name = 'shop'");
	assert_false(vault_site_get(bench->vault, site_id(BENCH_SITE), &out));
	assert_true(vault_site_get(bench->vault, blog.id, &out));
	bench_baseline(bench, BENCH_TIME);
	assert_int_equal(bench->told[VAULT_BAD_SIGNATURE], 1);
}

/* ---- damage ---- */

static void lose_content(const struct vault_bench *bench, const struct vault_version *version)
{
	char path[VAULT_CONTENT_PATH_SIZE], name[256];
	vault_content_path(version->content, path);
	snprintf(name, sizeof(name), "%s/content/%s", bench->path, path);
	assert_int_equal(unlink(name), 0);
}

static void a_missing_content_takes_its_version_out_of_the_baseline(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_page page = bench_page(bench, "/");
	struct vault_version one = bench_add(bench, page.id, "one", VAULT_GOOD, BENCH_TIME);
	struct strbuf file;
	struct baseline baseline;
	struct baseline_page found;
	bench_add(bench, page.id, "two", VAULT_GOOD, BENCH_TIME + 1);
	lose_content(bench, &one);
	strbuf_init(&file, 1 << 20);
	assert_true(vault_baseline_make(bench->vault, "x", BENCH_TIME, &file, &bench->err));
	assert_int_equal(bench->told[VAULT_BAD_CONTENT], 1);
	assert_true(baseline_open(file.data, file.len, NULL, &baseline, &bench->err));
	assert_true(baseline_find(&baseline, page.site, SPAN("/"), &found));
	assert_int_equal(found.versions, 1);
	assert_int_equal(baseline_match(&baseline, &found, one.digest), -1);
	strbuf_release(&file);
	assert_int_equal(bench_verify(bench).findings, 1);
}

/* Or it would pass, whatever the origin makes of it. */
static void a_page_without_any_content_is_known_by_its_digest(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_page page = bench_page(bench, "/");
	struct vault_version one = bench_add(bench, page.id, "one", VAULT_GOOD, BENCH_TIME);
	struct strbuf file;
	struct baseline baseline;
	struct baseline_page found;
	lose_content(bench, &one);
	strbuf_init(&file, 1 << 20);
	assert_true(vault_baseline_make(bench->vault, "x", BENCH_TIME, &file, &bench->err));
	assert_int_equal(bench->told[VAULT_BAD_CONTENT], 1);
	assert_true(baseline_open(file.data, file.len, NULL, &baseline, &bench->err));
	assert_true(baseline_find(&baseline, page.site, SPAN("/"), &found));
	assert_int_equal(found.policy, BASELINE_EXACT);
	assert_int_equal(baseline_match(&baseline, &found, one.digest), 0);
	strbuf_release(&file);
}

static void a_damaged_catalogue_is_set_aside(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_site site;
	fill(bench);
	bench_close(bench);
	for (long at = 0; at < 8; at++)
		bench_damage(bench, "catalogue.db", 4096 * at, "this is no database any more");
	bench_forget(bench);
	assert_int_equal(bench_open_as(bench, true, false), VAULT_DAMAGED);
	assert_int_equal(bench_open_as(bench, true, true), VAULT_OPENED);
	assert_int_equal(bench->told[VAULT_SET_ASIDE], 1);
	assert_false(vault_site_get(bench->vault, site_id(BENCH_SITE), &site));
	bench_site(bench);
	fill(bench);
}

static void a_newer_format_is_left_alone(void **state)
{
	struct vault_bench *bench = *state;
	char path[128];
	sqlite3 *db = NULL;
	bench_close(bench);
	snprintf(path, sizeof(path), "%s/catalogue.db", bench->path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 2", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(bench_open_as(bench, true, true), VAULT_REFUSED);
	assert_non_null(strstr(bench->err.text, "has format 2"));
}

/* ---- the audit ---- */

static void a_changed_audit_line_is_found(void **state)
{
	struct vault_bench *bench = *state;
	fill(bench);
	bench_damage(bench, "audit.log", 100, "x");
	assert_int_equal(bench_verify(bench).findings, 1);
	assert_int_equal(bench->told[VAULT_BAD_AUDIT], 1);
}

static void a_cut_audit_is_found_when_the_vault_opens(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_decision decision = {.who = "keeper", .what = "learn"};
	char path[128];
	struct stat st;
	fill(bench);
	snprintf(path, sizeof(path), "%s/audit.log", bench->path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 1), 0);
	bench_reopen(bench);
	assert_int_equal(bench->told[VAULT_BAD_AUDIT], 1);
	/* it stays beside a new one */
	assert_true(vault_audit(bench->vault, &decision, BENCH_TIME, &bench->err));
	struct vault_report report = bench_verify(bench);
	assert_int_equal(report.findings, 0);
	assert_int_equal(report.audit_lines, 1);
}

static void lines_that_nobody_signed_are_cut_off(void **state)
{
	struct vault_bench *bench = *state;
	char path[128];
	struct stat before, after;
	fill(bench);
	snprintf(path, sizeof(path), "%s/audit.log", bench->path);
	assert_int_equal(stat(path, &before), 0);
	FILE *file = fopen(path, "a");
	assert_non_null(file);
	fputs("{\"n\": 3, \"what\": \"cut by a kill", file);
	fclose(file);
	assert_int_equal(bench_verify(bench).findings, 1);
	bench_reopen(bench);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	assert_int_equal(bench_verify(bench).findings, 0);
}

static void the_audit_says_who_what_and_why(void **state)
{
	struct vault_bench *bench = *state;
	char path[128], line[1024], second[1024];
	fill(bench);
	snprintf(path, sizeof(path), "%s/audit.log", bench->path);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	assert_non_null(fgets(second, sizeof(second), file));
	fclose(file);
	assert_string_equal(
	    line, "{\"n\":1,\"last\":"
		  "\"0000000000000000000000000000000000000000000000000000000000000000\","
		  "\"time\":\"2025-11-26T04:00:00.000Z\",\"who\":\"operator\",\"what\":\"approve\","
		  "\"site\":\"shop\",\"url\":\"/\",\"version\":1,\"why\":\"a \\\"test\\\"\"}\n");
	assert_int_equal(strncmp(second, "{\"n\":2,\"last\":\"", 15), 0);
}

/* ---- full disks ---- */

static char large[1 << 20];

static unsigned told_of_writing(const struct vault_bench *bench)
{
	return bench->told[VAULT_DISK_FULL] + bench->told[VAULT_WRITE_FAILED];
}

/* Nothing can be written; what is there stays as it is. */
static void fail_to_change(struct vault_bench *bench, int64_t page)
{
	struct vault_page other = {.site = site_id(BENCH_SITE), .policy = BASELINE_EXACT};
	struct vault_decision decision = {.who = "operator", .what = "approve"};
	uint8_t content[DIGEST_SIZE];
	struct strbuf file;
	strbuf_init(&file, 1 << 20);
	bench_forget(bench);
	snprintf(other.key, sizeof(other.key), "/other");
	assert_false(vault_content_put(bench->vault, large, sizeof(large), content, &bench->err));
	assert_int_equal(bench->told[VAULT_DISK_FULL], 1);
	assert_false(vault_page_put(bench->vault, &other, &bench->err));
	assert_int_equal(told_of_writing(bench), 2);
	assert_false(vault_baseline_make(bench->vault, "x", BENCH_TIME, &file, &bench->err));
	assert_int_equal(told_of_writing(bench), 3);
	assert_false(vault_audit(bench->vault, &decision, BENCH_TIME, &bench->err));
	assert_int_equal(told_of_writing(bench), 4);
	bench_expect(bench, page, "one");
	strbuf_release(&file);
}

static void go_on(struct vault_bench *bench)
{
	struct vault_decision decision = {.who = "operator", .what = "approve"};
	bench_page(bench, "/other");
	assert_true(vault_audit(bench->vault, &decision, BENCH_TIME, &bench->err));
	bench_baseline(bench, BENCH_TIME);
	assert_int_equal(bench_verify(bench).findings, 0);
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit = {bytes, RLIM_INFINITY};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void files_that_may_not_grow_change_nothing(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_page page = bench_page(bench, "/");
	bench_add(bench, page.id, "one", VAULT_GOOD, BENCH_TIME);
	bench_baseline(bench, BENCH_TIME);
	bench_reopen(bench);
	signal(SIGXFSZ, SIG_IGN);
	limit_files(16);
	fail_to_change(bench, page.id);
	limit_files(RLIM_INFINITY);
	go_on(bench);
}

/* So full that not a page more fits. */
static void fill_disk(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	for (size_t step = sizeof(large); step > 0; step /= 2)
		while (write(fd, large, step) == (ssize_t)step)
			continue;
	close(fd);
}

static void a_full_disk_changes_nothing(void **state)
{
	struct vault_bench *bench = *state;
	char ballast[128];
	bench_close(bench);
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", bench->directory, "tmpfs", 0, "size=4m") != 0) {
		print_message("no right to mount a small disk: not tried\n");
		skip();
	}
	bench_open(bench);
	bench_site(bench);
	struct vault_page page = bench_page(bench, "/");
	bench_add(bench, page.id, "one", VAULT_GOOD, BENCH_TIME);
	bench_baseline(bench, BENCH_TIME);
	/* the log is emptied: the next change needs room */
	bench_reopen(bench);
	snprintf(ballast, sizeof(ballast), "%s/ballast", bench->directory);
	fill_disk(ballast);
	fail_to_change(bench, page.id);
	assert_int_equal(unlink(ballast), 0);
	go_on(bench);
	bench_close(bench);
	assert_int_equal(umount(bench->directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BENCH_TEST(every_forged_column_is_found),
	    BENCH_TEST(what_was_forged_counts_as_absent),
	    BENCH_TEST(a_forged_site_leaves_the_others),
	    BENCH_TEST(a_missing_content_takes_its_version_out_of_the_baseline),
	    BENCH_TEST(a_page_without_any_content_is_known_by_its_digest),
	    BENCH_TEST(a_damaged_catalogue_is_set_aside),
	    BENCH_TEST(a_newer_format_is_left_alone),
	    BENCH_TEST(a_changed_audit_line_is_found),
	    BENCH_TEST(a_cut_audit_is_found_when_the_vault_opens),
	    BENCH_TEST(lines_that_nobody_signed_are_cut_off),
	    BENCH_TEST(the_audit_says_who_what_and_why),
	    BENCH_TEST(files_that_may_not_grow_change_nothing),
	    BENCH_TEST(a_full_disk_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The vault's key and rights, backups and ways back from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sqlite3.h>
#include "guard/vault_tools.h"

static char *file_of(struct vault_bench *bench, const char *name)
{
	static char path[4][256];
	static unsigned next;
	char *at = path[next++ % 4];
	snprintf(at, 256, "%s/%s", bench->path, name);
	return at;
}

static mode_t mode_of(struct vault_bench *bench, const char *name)
{
	struct stat st;
	assert_int_equal(stat(file_of(bench, name), &st), 0);
	return st.st_mode & 07777;
}

static struct vault_page good_page(struct vault_bench *bench)
{
	struct vault_page page = bench_page(bench, "/");
	bench_add(bench, page.id, "good", VAULT_GOOD, BENCH_TIME);
	bench_baseline(bench, BENCH_TIME);
	return page;
}

/* ---- rights ---- */

static void nobody_else_may_read_any_of_it(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_decision decision = {.who = "keeper", .what = "learn"};
	good_page(bench);
	assert_true(vault_audit(bench->vault, &decision, BENCH_TIME, &bench->err));
	assert_int_equal(bench->told[VAULT_KEY_MADE], 1);
	assert_int_equal(mode_of(bench, ""), 0700);
	assert_int_equal(mode_of(bench, "content"), 0700);
	static const char *const names[] = {"key", "key.pub", "catalogue.db", "catalogue.db-wal",
					    "catalogue.db-shm", "baseline", "audit.log", "lock"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(mode_of(bench, names[i]), 0600);
}

static void refuse(struct vault_bench *bench, const char *says)
{
	assert_int_equal(bench_open_as(bench, true, true), VAULT_REFUSED);
	if (!strstr(bench->err.text, says))
		fail_msg("\"%s\" instead of \"%s\"", bench->err.text, says);
}

static void a_vault_that_others_may_use_is_refused(void **state)
{
	struct vault_bench *bench = *state;
	bench_close(bench);
	assert_int_equal(chmod(bench->path, 0750), 0);
	refuse(bench, "others may use");
	assert_int_equal(chmod(bench->path, 0700), 0);
	assert_int_equal(chmod(file_of(bench, "key"), 0640), 0);
	refuse(bench, "others may use key");
	assert_int_equal(chmod(file_of(bench, "key"), 0600), 0);
	bench_open(bench);
}

static void links_are_refused(void **state)
{
	struct vault_bench *bench = *state;
	bench_close(bench);
	assert_int_equal(rename(file_of(bench, "key"), file_of(bench, "real")), 0);
	assert_int_equal(symlink("real", file_of(bench, "key")), 0);
	refuse(bench, "key");
	assert_int_equal(unlink(file_of(bench, "key")), 0);
	assert_int_equal(rename(file_of(bench, "real"), file_of(bench, "key")), 0);
	assert_int_equal(rename(file_of(bench, "catalogue.db"), file_of(bench, "real")), 0);
	assert_int_equal(symlink("real", file_of(bench, "catalogue.db")), 0);
	refuse(bench, "cannot open");
}

static void what_is_no_key_is_never_written_over(void **state)
{
	static const char *const contents[] = {"", "x", "sallyport private key 1\n",
					       "sallyport private key 1\nabc\n"};
	struct vault_bench *bench = *state;
	bench_close(bench);
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		FILE *file = fopen(file_of(bench, "key"), "w");
		assert_non_null(file);
		fputs(contents[i], file);
		fclose(file);
		refuse(bench, "key is no key");
	}
}

static void one_writes_and_many_read(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_bench other = *bench;
	struct vault_page page = good_page(bench);
	struct vault_eviction eviction;
	struct vault_decision decision = {.who = "x", .what = "y"};
	bool is_new;
	struct vault_held held = {.site = 1};
	assert_int_equal(bench_open_as(&other, true, false), VAULT_BUSY);
	assert_int_equal(bench_open_as(&other, false, false), VAULT_OPENED);
	bench_expect(&other, page.id, "good");
	bench_add(bench, page.id, "better", VAULT_GOOD, BENCH_TIME);
	bench_expect(&other, page.id, "better");
	bench_baseline(bench, BENCH_TIME);
	assert_int_equal(bench_verify(&other).findings, 0);
	/* and may not change a thing */
	assert_false(vault_begin(other.vault, &other.err));
	assert_false(vault_page_put(other.vault, &page, &other.err));
	assert_false(vault_page_forget(other.vault, page.id, &other.err));
	assert_false(vault_held_clear(other.vault, page.site, NULL, NULL, &other.err));
	assert_false(vault_hold(other.vault, &held, &is_new, &other.err));
	assert_false(vault_evict(other.vault, 1, 1, &eviction, &other.err));
	assert_false(vault_audit(other.vault, &decision, 1, &other.err));
	assert_false(vault_rotate_key(other.vault, 1, &other.err));
	bench_close(&other);
	bench_close(bench);
	assert_int_equal(bench_open_as(&other, false, false), VAULT_OPENED);
	bench_expect(&other, page.id, "better");
	bench_close(&other);
}

static void what_is_not_there_is_missing(void **state)
{
	struct vault_bench *bench = *state;
	bench_close(bench);
	snprintf(bench->path, sizeof(bench->path), "%s/nothing", bench->directory);
	assert_int_equal(bench_open_as(bench, false, false), VAULT_MISSING);
	assert_int_equal(mkdir(bench->path, 0700), 0);
	assert_int_equal(bench_open_as(bench, false, false), VAULT_MISSING);
}

/* ---- rotation, loss ---- */

static void another_key_signs_all_anew(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_page page = good_page(bench);
	uint8_t before[SIGN_PUBLIC_SIZE], after[SIGN_PUBLIC_SIZE];
	vault_public_key(bench->vault, before);
	assert_true(vault_rotate_key(bench->vault, BENCH_TIME, &bench->err));
	vault_public_key(bench->vault, after);
	assert_memory_not_equal(before, after, sizeof(after));
	assert_int_equal(bench_verify(bench).findings, 0);
	bench_reopen(bench);
	vault_public_key(bench->vault, before);
	assert_memory_equal(before, after, sizeof(after));
	bench_expect(bench, page.id, "good");
	struct vault_report report = bench_verify(bench);
	assert_int_equal(report.findings, 0);
	assert_int_equal(report.baseline_number, 2);
	assert_int_equal(report.audit_lines, 1);
}

/* Killed before the new key took the old one's place; and before anything was signed with it. */
static void a_rotation_that_was_cut_short_is_ended(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_page page = good_page(bench);
	char command[600];
	snprintf(command, sizeof(command), "cp %s %s", file_of(bench, "key"), file_of(bench, "old"));
	assert_int_equal(system(command), 0);
	assert_true(vault_rotate_key(bench->vault, BENCH_TIME, &bench->err));
	bench_close(bench);
	assert_int_equal(rename(file_of(bench, "key"), file_of(bench, "key.next")), 0);
	assert_int_equal(rename(file_of(bench, "old"), file_of(bench, "key")), 0);
	bench_forget(bench);
	bench_open(bench);
	bench_expect(bench, page.id, "good");
	assert_int_not_equal(access(file_of(bench, "key.next"), F_OK), 0);
	assert_int_equal(bench_verify(bench).findings, 0);
	/* a key that signed nothing */
	snprintf(command, sizeof(command), "sed s/[0-9]/7/g %s >%s; chmod 600 %s",
		 file_of(bench, "key"), file_of(bench, "key.next"), file_of(bench, "key.next"));
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof(command), "sed -i '1s/.*/sallyport private key 1/' %s",
		 file_of(bench, "key.next"));
	assert_int_equal(system(command), 0);
	bench_reopen(bench);
	bench_expect(bench, page.id, "good");
	assert_int_not_equal(access(file_of(bench, "key.next"), F_OK), 0);
	assert_int_equal(bench_told(bench), 0);
}

static void lose_key(struct vault_bench *bench)
{
	bench_close(bench);
	assert_int_equal(unlink(file_of(bench, "key")), 0);
	bench_forget(bench);
	bench_open(bench);
	assert_int_equal(bench->told[VAULT_KEY_MADE], 1);
	assert_int_equal(bench->told[VAULT_KEY_LOST], 1);
}

static void without_the_key_nothing_is_known(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_page page = good_page(bench);
	struct vault_version version;
	struct strbuf file;
	lose_key(bench);
	strbuf_init(&file, 1 << 20);
	assert_false(vault_version_good(bench->vault, page.id, &version));
	assert_false(vault_page_get(bench->vault, page.site, "/", &page));
	assert_false(vault_baseline_load(bench->vault, &file, &bench->err));
	strbuf_release(&file);
	/* learning begins anew, in the same places */
	bench_site(bench);
	page = good_page(bench);
	bench_expect(bench, page.id, "good");
	/* it was told once */
	bench_forget(bench);
	bench_reopen(bench);
	assert_int_equal(bench->told[VAULT_KEY_LOST], 0);
}

static void what_a_lost_key_signed_can_be_adopted(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_page page = good_page(bench);
	uint64_t n;
	bench_add(bench, page.id, "held", VAULT_HELD, BENCH_TIME);
	lose_key(bench);
	assert_true(vault_adopt(bench->vault, BENCH_TIME, &n, &bench->err));
	assert_int_equal(n, 2);
	bench_expect(bench, page.id, "good");
	assert_int_equal(bench_verify(bench).findings, 0);
}

static void what_nobody_signed_cannot_be_adopted(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_page page = good_page(bench);
	struct vault_version held = bench_add(bench, page.id, "held", VAULT_HELD, BENCH_TIME);
	char path[128];
	uint64_t n;
	sqlite3 *db = NULL;
	bench_close(bench);
	snprintf(path, sizeof(path), "%s/catalogue.db", bench->path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE versions SET state = 2, rank = 9 WHERE number = 2",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	lose_key(bench);
	assert_true(vault_adopt(bench->vault, BENCH_TIME, &n, &bench->err));
	assert_int_equal(n, 1);
	bench_expect(bench, page.id, "good");
	assert_false(vault_version_get(bench->vault, held.id, &held));
}

/* ---- backups ---- */

static struct vault_options options_of(struct vault_bench *bench)
{
	return (struct vault_options){bench->path, true, true, bench_finding, bench};
}

static void backup(struct vault_bench *bench, char out[128])
{
	static unsigned n;
	snprintf(out, 128, "%s/backup-%u", bench->directory, ++n);
	if (!vault_backup(bench->vault, out, BENCH_TIME, &bench->err))
		fail_msg("%s", bench->err.text);
}

static void a_backup_comes_back(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_options options = options_of(bench);
	struct vault_page page = good_page(bench);
	struct vault_version version;
	char place[128];
	backup(bench, place);
	bench_add(bench, page.id, "poison", VAULT_GOOD, BENCH_TIME + 1);
	bench_baseline(bench, BENCH_TIME + 1);
	bench_baseline(bench, BENCH_TIME + 2);
	assert_false(vault_restore(&options, place, NULL, BENCH_TIME + 3, &bench->err));
	assert_non_null(strstr(bench->err.text, "in use"));
	bench_close(bench);
	if (!vault_restore(&options, place, NULL, BENCH_TIME + 3, &bench->err))
		fail_msg("%s", bench->err.text);
	bench_open(bench);
	bench_expect(bench, page.id, "good");
	assert_false(vault_version_numbered(bench->vault, page.id, 2, &version));
	struct vault_report report = bench_verify(bench);
	assert_int_equal(report.findings, 0);
	assert_int_equal(report.contents, 1);
	/* numbers go on */
	assert_int_equal(report.baseline_number, 4);
	assert_int_equal(report.audit_lines, 1);
	/* a second one over the first is refused */
	assert_false(vault_backup(bench->vault, place, BENCH_TIME, &bench->err));
	assert_non_null(strstr(bench->err.text, "not empty"));
}

static void a_reader_makes_backups_too(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_bench reader = *bench;
	struct vault_page page = good_page(bench);
	struct vault_options options = options_of(bench);
	char place[128];
	assert_int_equal(bench_open_as(&reader, false, false), VAULT_OPENED);
	backup(&reader, place);
	bench_close(&reader);
	bench_close(bench);
	assert_true(vault_restore(&options, place, NULL, BENCH_TIME, &bench->err));
	bench_open(bench);
	bench_expect(bench, page.id, "good");
}

static void another_machine_needs_to_trust_the_key(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_options options = options_of(bench);
	struct vault_decision decision = {.who = "operator", .what = "approve"};
	uint8_t key[SIGN_PUBLIC_SIZE];
	char place[128];
	int64_t page = good_page(bench).id;
	assert_true(vault_audit(bench->vault, &decision, BENCH_TIME, &bench->err));
	vault_public_key(bench->vault, key);
	backup(bench, place);
	bench_close(bench);
	snprintf(bench->path, sizeof(bench->path), "%s/other", bench->directory);
	assert_false(vault_restore(&options, place, NULL, BENCH_TIME, &bench->err));
	assert_non_null(strstr(bench->err.text, "--trust-key"));
	if (!vault_restore(&options, place, key, BENCH_TIME, &bench->err))
		fail_msg("%s", bench->err.text);
	bench_open(bench);
	bench_expect(bench, page, "good");
	struct vault_report report = bench_verify(bench);
	assert_int_equal(report.findings, 0);
	assert_int_equal(report.audit_lines, 2); /* the backup's, and that it was restored */
}

static void a_backup_from_before_another_key_comes_back(void **state)
{
	struct vault_bench *bench = *state;
	struct vault_options options = options_of(bench);
	struct vault_page page = good_page(bench);
	char place[128];
	backup(bench, place);
	assert_true(vault_rotate_key(bench->vault, BENCH_TIME, &bench->err));
	bench_close(bench);
	if (!vault_restore(&options, place, NULL, BENCH_TIME, &bench->err))
		fail_msg("%s", bench->err.text);
	bench_open(bench);
	bench_expect(bench, page.id, "good");
	assert_int_equal(bench_verify(bench).findings, 0);
}

static void a_damaged_backup_changes_nothing(void **state)
{
	static const struct {
		const char *name;
		long at;
		const char *says;
	} rows[] = {
	    {"catalogue.db", 5000, "not those that its list names"},
	    {"baseline", 10, "not those that its list names"},
	    {"backup", 3, "damaged"},
	    {"backup", 35, "was not signed"},
	    {"backup", -3, "was not signed"},
	};
	struct vault_bench *bench = *state;
	struct vault_options options = options_of(bench);
	struct vault_page page = good_page(bench);
	char place[128], name[128];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		backup(bench, place);
		snprintf(name, sizeof(name), "../%s/%s", strrchr(place, '/') + 1, rows[i].name);
		bench_damage(bench, name, rows[i].at, "7");
		bench_close(bench);
		assert_false(vault_restore(&options, place, NULL, BENCH_TIME, &bench->err));
		if (!strstr(bench->err.text, rows[i].says))
			fail_msg("%s: \"%s\"", rows[i].name, bench->err.text);
		bench_open(bench);
		bench_expect(bench, page.id, "good");
		assert_int_equal(bench_verify(bench).findings, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BENCH_TEST(nobody_else_may_read_any_of_it),
	    BENCH_TEST(a_vault_that_others_may_use_is_refused),
	    BENCH_TEST(links_are_refused),
	    BENCH_TEST(what_is_no_key_is_never_written_over),
	    BENCH_TEST(one_writes_and_many_read),
	    BENCH_TEST(what_is_not_there_is_missing),
	    BENCH_TEST(another_key_signs_all_anew),
	    BENCH_TEST(a_rotation_that_was_cut_short_is_ended),
	    BENCH_TEST(without_the_key_nothing_is_known),
	    BENCH_TEST(what_a_lost_key_signed_can_be_adopted),
	    BENCH_TEST(what_nobody_signed_cannot_be_adopted),
	    BENCH_TEST(a_backup_comes_back),
	    BENCH_TEST(a_reader_makes_backups_too),
	    BENCH_TEST(another_machine_needs_to_trust_the_key),
	    BENCH_TEST(a_backup_from_before_another_key_comes_back),
	    BENCH_TEST(a_damaged_backup_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

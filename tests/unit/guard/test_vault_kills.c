/* A writer that is killed at any moment leaves the vault as before or as after each of its changes.
 * A child makes changes and says so after each; it is killed after a random time; what it said
 * is there, nothing is damaged, and the next one goes on from it.
 *
 * SALLYPORT_KILLS: how many times, 200 where it is not set; a quarter of that with sanitizers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include "guard/vault_tools.h"

enum { PAGES = 5, LONGEST_US = 20000 };

/* Sanitizers make each start slow. */
#ifdef SALLYPORT_SANITIZED
enum { KILLS_DIVISOR = 4 };
#else
enum { KILLS_DIVISOR = 1 };
#endif

/* What the child says over its pipe, once it is done. */
struct done {
	uint64_t step;
	uint64_t baseline; /* the number of the last one */
};

/* Everything that a keeper does, in turns; all of one step in one transaction. */
static bool change(struct vault *vault, uint64_t step, uint64_t *baseline, struct err *err)
{
	struct vault_page page = {.site = site_id(BENCH_SITE), .policy = BASELINE_EXACT};
	struct vault_version version = {.state = VAULT_GOOD}, good;
	struct vault_decision decision = {.who = "keeper", .what = "learn", .site = BENCH_SITE};
	struct baseline opened;
	struct strbuf file;
	char content[64];
	int len = snprintf(content, sizeof(content), "step %llu", (unsigned long long)step);
	snprintf(page.key, sizeof(page.key), "/%llu", (unsigned long long)step % PAGES);
	version.head.status = 200;
	version.content_bytes = (uint64_t)len;
	strbuf_init(&file, 1 << 20);
	bool ok = vault_page_put(vault, &page, err) &&
		  vault_content_put(vault, content, (size_t)len, version.content, err);
	version.page = page.id;
	page_digest(&version.head, version.content, version.digest);
	if (ok && vault_version_good(vault, page.id, &good))
		ok = vault_mark(vault, good.id, VAULT_RETIRED, "older", step, err);
	ok = ok && vault_version_add(vault, &version, step, err) &&
	     vault_audit(vault, &decision, step, err) &&
	     vault_baseline_make(vault, "step", step, &file, err) &&
	     baseline_open(file.data, file.len, NULL, &opened, err);
	if (ok)
		*baseline = opened.number;
	strbuf_release(&file);
	return ok;
}

static void tell(int fd, uint64_t step, uint64_t baseline)
{
	struct done done = {step, baseline};
	if (write(fd, &done, sizeof(done)) != (ssize_t)sizeof(done))
		_exit(3);
}

static void fail_child(int fd, const struct err *err)
{
	(void)fd;
	fprintf(stderr, "the writer: %s\n", err->text);
	_exit(2);
}

/* Besides changes: what it undoes, what it throws away, another key. */
static void also(struct vault *vault, uint64_t step, int fd, struct err *err)
{
	struct vault_eviction eviction;
	uint64_t ignored;
	if (step % 7 == 0 && !vault_evict(vault, 1 << 20, 3, &eviction, err))
		fail_child(fd, err);
	if (step % 23 == 0 && !vault_rotate_key(vault, step, err))
		fail_child(fd, err);
	if (step % 5 == 0) {
		if (!vault_begin(vault, err) || !change(vault, step + 1000000, &ignored, err))
			fail_child(fd, err);
		vault_abort(vault);
	}
}

static void write_for_ever(struct vault_bench *bench, uint64_t step, int fd)
{
	struct err err = {""};
	struct vault_options options = {bench->path, true, false, NULL, NULL};
	struct vault *vault;
	uint64_t baseline = 0;
	if (vault_open(&options, &vault, &err) != VAULT_OPENED)
		fail_child(fd, &err);
	for (;; step++) {
		if (!vault_begin(vault, &err) || !change(vault, step, &baseline, &err) ||
		    !vault_commit(vault, &err))
			fail_child(fd, &err);
		tell(fd, step, baseline);
		also(vault, step, fd, &err);
	}
}

static void wait_us(uint64_t us)
{
	struct timespec left = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		continue;
}

static struct done read_last(int fd)
{
	struct done done = {0}, next;
	while (read(fd, &next, sizeof(next)) == (ssize_t)sizeof(next))
		done = next;
	return done;
}

static struct done run_and_kill(struct vault_bench *bench, uint64_t step, uint64_t us)
{
	int pipes[2], status;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(pipes[0]);
		write_for_ever(bench, step, pipes[1]);
	}
	close(pipes[1]);
	wait_us(us);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFSIGNALED(status))
		fail_msg("the writer ended by itself with status %d", WEXITSTATUS(status));
	struct done done = read_last(pipes[0]);
	close(pipes[0]);
	return done;
}

/* The step that the vault is at: that of its newest content, which must be the baseline's too. */
static uint64_t step_of(struct vault_bench *bench, uint64_t baseline)
{
	unsigned long long newest = 0, step;
	struct vault_page page;
	struct strbuf file;
	struct baseline opened;
	struct baseline_page found;
	struct vault_version good;
	strbuf_init(&file, 1 << 20);
	if (!vault_baseline_load(bench->vault, &file, &bench->err) ||
	    !baseline_open(file.data, file.len, NULL, &opened, &bench->err))
		fail_msg("%s", bench->err.text);
	assert_true(opened.number >= baseline);
	for (unsigned i = 0; i < PAGES; i++) {
		char key[8], served[256];
		int len = snprintf(key, sizeof(key), "/%u", i);
		if (!vault_page_get(bench->vault, site_id(BENCH_SITE), key, &page))
			continue;
		bench_served(bench, page.id, served);
		assert_int_equal(sscanf(served, "step %llu", &step), 1);
		newest = step > newest ? step : newest;
		assert_true(vault_version_good(bench->vault, page.id, &good));
		assert_true(baseline_find(&opened, page.site, span_of(key, (size_t)len), &found));
		assert_int_equal(baseline_match(&opened, &found, good.digest), 0);
		assert_int_equal(found.versions, 1);
	}
	strbuf_release(&file);
	return newest;
}

static void check(struct vault_bench *bench, const struct done *done, uint64_t *step)
{
	bench_forget(bench);
	bench_open(bench);
	if (bench_told(bench) > 0)
		fail_msg("when it was opened: %s", bench->last);
	struct vault_report report = bench_verify(bench);
	if (report.findings > 0)
		fail_msg("%s", bench->last);
	if (done->step > 0 || report.baseline_number > 0) {
		uint64_t at = step_of(bench, done->baseline);
		/* what was said is there, and at most one step that was about to be said */
		if (at < done->step || (done->step > 0 && at > done->step + 1))
			fail_msg("the vault is at step %llu, and %llu was told", (unsigned long long)at,
				 (unsigned long long)done->step);
		*step = at + 1;
	}
	bench_close(bench);
}

static void a_kill_at_any_moment_damages_nothing(void **state)
{
	struct vault_bench *bench = *state;
	const char *wanted = getenv("SALLYPORT_KILLS");
	unsigned kills = (wanted ? (unsigned)strtoul(wanted, NULL, 10) : 200) / KILLS_DIVISOR;
	uint64_t step = 1, steps = 0;
	unsigned random = 12345;
	bench_close(bench);
	for (unsigned i = 0; i < kills; i++) {
		random = random * 1103515245 + 12345;
		struct done done = run_and_kill(bench, step, (random >> 8) % LONGEST_US);
		steps += done.step >= step ? done.step - step + 1 : 0;
		check(bench, &done, &step);
	}
	print_message("%u kills, %llu changes that counted, at step %llu\n", kills,
		      (unsigned long long)steps, (unsigned long long)step);
	assert_true(kills < 100 || steps > 10);
	bench_open(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BENCH_TEST(a_kill_at_any_moment_damages_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

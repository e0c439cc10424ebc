/* Diagnostics: whole lines, one each, and never a wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sallyport/log.h"

static int kept_stderr;

static int redirect(int *read_end)
{
	int pipes[2];
	assert_int_equal(pipe(pipes), 0);
	kept_stderr = dup(STDERR_FILENO);
	dup2(pipes[1], STDERR_FILENO);
	*read_end = pipes[0];
	return pipes[1];
}

static void restore(int write_end)
{
	dup2(kept_stderr, STDERR_FILENO);
	close(kept_stderr);
	close(write_end);
}

static void assert_matches(const char *text, const char *pattern)
{
	regex_t regex;
	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&regex, text, 0, NULL, 0) != 0)
		fail_msg("'%s' is not %s", text, pattern);
	regfree(&regex);
}

static void log_writes_one_line_each(void **state)
{
	(void)state;
	int from, to = redirect(&from);
	log_init("worker", LOG_LEVEL_INFO);
	log_warn("disk %s\nforged", "full\x1b[0m");
	log_debug("not at this level");
	log_error("%d", 5);
	restore(to);
	char text[4096];
	ssize_t len = read(from, text, sizeof(text) - 1);
	assert_true(len > 0);
	text[len] = '\0';
	assert_matches(text, "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z worker\\[[0-9]+\\] "
			     "warning: disk full\\?\\[0m\\?forged\n"
			     "[-0-9T:.]+Z worker\\[[0-9]+\\] error: 5\n$");
	close(from);
}

static void log_cuts_a_long_line_and_keeps_its_end(void **state)
{
	(void)state;
	int from, to = redirect(&from);
	char longer[9000], text[9000];
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	log_info("%s", longer);
	restore(to);
	ssize_t len = read(from, text, sizeof(text));
	assert_true(len > 1000 && len < 4096);
	assert_int_equal(text[len - 1], '\n');
	assert_null(memchr(text, '\0', (size_t)len));
	close(from);
}

static void log_does_not_wait_for_a_full_pipe(void **state)
{
	(void)state;
	int from, to = redirect(&from);
	for (unsigned i = 0; i < 5000; i++) /* far more than a pipe holds; a wait would hang here */
		log_info("line %u of many that nobody reads, long enough to fill what there is", i);
	restore(to);
	close(from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(log_writes_one_line_each),
	    cmocka_unit_test(log_cuts_a_long_line_and_keeps_its_end),
	    cmocka_unit_test(log_does_not_wait_for_a_full_pipe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

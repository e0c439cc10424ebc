/* `sallyport check` as a command: its exit status and what it prints. */

#include "sallyport/cli.h"
#include "sallyport/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

enum { ARGS_MAX = 8 };

static char output[1 << 18];

/* Runs it with standard output and standard error in a file, which is read into output. */
static int check(const char *const *args)
{
	char *argv[ARGS_MAX + 2] = {(char *)"check"};
	const int saved_out = dup(STDOUT_FILENO);
	const int saved_err = dup(STDERR_FILENO);
	FILE *file = tmpfile();
	int argc = 1;
	int status;
	size_t len;

	assert_non_null(file);
	for (; *args && argc <= ARGS_MAX; args++)
		argv[argc++] = (char *)*args;
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	dup2(fileno(file), STDERR_FILENO);
	status = cli_check(argc, argv);
	fflush(stdout);
	dup2(saved_out, STDOUT_FILENO);
	dup2(saved_err, STDERR_FILENO);
	close(saved_out);
	close(saved_err);

	rewind(file);
	len = fread(output, 1, sizeof(output) - 1, file);
	output[len] = '\0';
	fclose(file);
	return status;
}

#define CHECK(...) check((const char *const[]){__VA_ARGS__, NULL})

static void a_sound_policy_gives_0(void **state)
{
	(void)state;
	assert_int_equal(CHECK("-c", "conf/sallyport.cfg"), CLI_DONE);
	assert_int_equal(strncmp(output, "conf/sallyport.cfg: ok: 1 site, ", 32), 0);
}

static void a_broken_policy_gives_1_and_its_errors(void **state)
{
	(void)state;
	assert_int_equal(CHECK("--config", "conf/bad/unknown-setting.cfg"), CLI_NO);
	assert_string_equal(output,
			    "conf/bad/unknown-setting.cfg:8: error: sites[0].shield: unknown "
			    "setting 'limit', did you mean 'limits'?\n");
}

static void the_command_line_is_checked_without_a_file(void **state)
{
	(void)state;
	assert_int_equal(CHECK("--listen", ":8080", "--origin", "http://10.0.0.5"), CLI_DONE);
	assert_int_equal(CHECK("--listen", ":8080", "--origin", "10.0.0.5"), CLI_NO);
}

static void wrong_use_gives_2(void **state)
{
	(void)state;
	assert_int_equal(check((const char *const[]){NULL}), CLI_WRONG_USE);
	assert_int_equal(CHECK("-c"), CLI_WRONG_USE);
	assert_int_equal(CHECK("--bogus"), CLI_WRONG_USE);
	assert_int_equal(CHECK("-c", "conf/sallyport.cfg", "more"), CLI_WRONG_USE);
}

static void json_names_each_problem(void **state)
{
	struct err err;
	struct json_value *document;
	const struct json_value *problem;

	(void)state;
	assert_int_equal(CHECK("-c", "conf/bad/unknown-setting.cfg", "--json"), CLI_NO);
	document = json_read(span_from_str(output), &err);
	assert_non_null(document);
	assert_false(json_bool(document, "ok"));
	assert_int_equal(json_number(document, "errors"), 1);
	problem = json_element(json_member(document, "problems"), 0);
	assert_true(span_eq(json_text(problem, "kind", ""), SPAN("error")));
	assert_true(span_eq(json_text(problem, "file", ""), SPAN("conf/bad/unknown-setting.cfg")));
	assert_int_equal(json_number(problem, "line"), 8);
	json_free(document);
}

static void the_references_are_printed(void **state)
{
	(void)state;
	assert_int_equal(CHECK("--settings"), CLI_DONE);
	assert_non_null(strstr(output, "| `listen[].address` |"));
	assert_int_equal(CHECK("--reasons"), CLI_DONE);
	assert_non_null(strstr(output, "| `bare-lf` | 400 |"));
	assert_int_equal(CHECK("--findings"), CLI_DONE);
	assert_non_null(strstr(output, "| `escape-nul` | 5 |"));
}

static int set_up(void **state)
{
	(void)state;
	unsetenv("SALLYPORT_LISTEN");
	unsetenv("SALLYPORT_ORIGIN");
	unsetenv("SALLYPORT_CONSOLE");
	unsetenv("SALLYPORT_LOG");
	return setenv("SALLYPORT_DATADIR", ".", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_sound_policy_gives_0),
	    cmocka_unit_test(a_broken_policy_gives_1_and_its_errors),
	    cmocka_unit_test(the_command_line_is_checked_without_a_file),
	    cmocka_unit_test(wrong_use_gives_2),
	    cmocka_unit_test(json_names_each_problem),
	    cmocka_unit_test(the_references_are_printed),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}

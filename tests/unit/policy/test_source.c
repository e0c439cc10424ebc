/* The text that libconfig gets: where its lines came from, and what it never sees. */

#include "policy/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct policy_context context;
	char dir[64];
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture)
		return -1;
	snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/sallyport-source-XXXXXX");
	fixture->context.arena = arena_new(1 << 20);
	fixture->context.errors = policy_errors_new();
	fixture->context.dir = mkdtemp(fixture->dir);
	*state = fixture;
	return fixture->context.dir ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	const int status = rmdir(fixture->dir);

	arena_free(fixture->context.arena);
	policy_errors_free(fixture->context.errors);
	free(fixture);
	return status;
}

static void write_file(const struct fixture *fixture, const char *name, const char *text,
		       char path[128])
{
	FILE *file;

	snprintf(path, 128, "%s/%s", fixture->dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void lines_are_traced_to_their_files(void **state)
{
	struct fixture *fixture = *state;
	char main_path[128], part_path[128];
	struct source *source;
	static const struct {
		const char *text;
		bool in_part;
		unsigned line;
	} cases[] = {
	    {"a = 1;", false, 1}, {"b = 2;", true, 1},  {"c = 3;", true, 2},
	    {"d = 4;", false, 2}, {"e = 5;", false, 3}, {"b = 2;", true, 1},
	};
	size_t found = 0;

	write_file(fixture, "part.cfg", "b = 2;\nc = 3;", part_path);
	write_file(
	    fixture, "main.cfg",
	    "a = 1;\n \t@include \t\"part.cfg\" d = 4;\ne = 5;\nx = {\n@include \"part.cfg\"\n};\n",
	    main_path);
	source = source_read(main_path, NULL, NULL, &fixture->context);
	assert_non_null(source);
	assert_null(strchr(source_text(source), '@'));
	for (unsigned line = 1; line < 20 && found < sizeof(cases) / sizeof(cases[0]); line++) {
		struct policy_where where = source_where(source, line);

		if (!span_eq(source_line(source, line), span_from_str(cases[found].text)))
			continue;
		assert_string_equal(where.file, cases[found].in_part ? part_path : main_path);
		assert_int_equal(where.line, cases[found].line);
		found++;
	}
	assert_int_equal(found, sizeof(cases) / sizeof(cases[0]));
	source_free(source);
	unlink(main_path);
	unlink(part_path);
}

static void include_is_only_a_directive_where_libconfig_takes_it_for_one(void **state)
{
	static const char *const harmless[] = {"# @include \"x\"\n",
					       "/*\n@include \"x\"\n*/",
					       "a = \"\n@include \\\"x\\\"\n\";",
					       "a = 1; @include \"x\"\n",
					       "@include\"x\"\n",
					       "@included \"x\"\n",
					       "@include x\n"};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		struct source *source = source_read(NULL, harmless[i], "text", &fixture->context);

		assert_non_null(source);
		assert_int_equal(strncmp(source_text(source), harmless[i], strlen(harmless[i])), 0);
		source_free(source);
	}
}

static void what_libconfig_would_misread_is_refused(void **state)
{
	static const char *const cases[] = {
	    "a = 1; a = 2;",
	    "a : 1, b : 2, a : 3",
	    "x = { a = { b = 1; b = 2; }; };",
	    "a = \"x\\x00y\";",
	    "a = \"x\\X00\";",
	    "a = 12345678901234567890;",
	    "a = 0x12345678901234567;",
	    "a = \"open",
	    "a = \"open\\",
	    "a = \"open\\\"",
	    "/* open",
	    "/*/",
	    "@include \"x",
	    "@include \"no-such-file\"",
	    "a = ((((((((((((((((((((((((()))))",
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const size_t errors = policy_errors_count(fixture->context.errors);

		if (source_read(NULL, cases[i], "text", &fixture->context))
			fail_msg("accepted: %s", cases[i]);
		assert_true(policy_errors_count(fixture->context.errors) > errors);
	}
}

static void equal_names_in_different_groups_are_no_repetition(void **state)
{
	static const char text[] =
	    "x = { a = 1; }; y = { a = 1; z = { a = 2; }; };\n"
	    "l = ( { a = 1; }, { a = 2; } ); a = \"a = 1; a = 2\"; # a = 3\n";
	struct fixture *fixture = *state;
	struct source *source = source_read(NULL, text, "text", &fixture->context);

	assert_non_null(source);
	source_free(source);
}

static void every_repeated_setting_is_named(void **state)
{
	struct fixture *fixture = *state;

	assert_null(source_read(NULL, "a = 1;\na = 2;\nb = { c = 1;\nc = 2; };\n", "text",
				&fixture->context));
	assert_int_equal(policy_errors_count(fixture->context.errors), 2);
}

static void numbers_past_an_int_are_marked_as_long(void **state)
{
	struct fixture *fixture = *state;
	struct source *source = source_read(NULL, "a = 99999999999; b = 5; c = 99999999999L;",
					    "text", &fixture->context);

	assert_non_null(source);
	assert_string_equal(source_text(source), "a = 99999999999L; b = 5; c = 99999999999L;\n");
	source_free(source);
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    WITH_FIXTURE(lines_are_traced_to_their_files),
	    WITH_FIXTURE(include_is_only_a_directive_where_libconfig_takes_it_for_one),
	    WITH_FIXTURE(what_libconfig_would_misread_is_refused),
	    WITH_FIXTURE(equal_names_in_different_groups_are_no_repetition),
	    WITH_FIXTURE(every_repeated_setting_is_named),
	    WITH_FIXTURE(numbers_past_an_int_are_marked_as_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The engine, with a schema of its own: every type, defaults, places, the command
 * line's settings, and that all errors are found at once. */

#include "sallyport/policy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct inner {
	uint64_t size;
	struct policy_where where;
};

struct outer {
	bool flag;
	uint64_t count, bytes, time, byte_rate;
	struct policy_rate rate;
	const char *string;
	int word;
	struct policy_strings strings;
	struct inner group;
	struct policy_list list;
	unsigned finished;
};

static const struct policy_choice words[] = {{"one", 1}, {"two", 2}, {NULL, 0}};

static const struct setting inner_rows[] = {
    {"size", SETTING_BYTES, offsetof(struct inner, size), .standard = "1 KiB", .min = 1,
     .max = 4096, .doc = "A size."},
    {0},
};
static const struct schema inner_schema = {.name = "inner",
					   .size = sizeof(struct inner),
					   .settings = inner_rows,
					   .where_offset = offsetof(struct inner, where)};

#define OUTER(member) offsetof(struct outer, member)
static const struct setting outer_rows[] = {
    {"flag", SETTING_BOOL, OUTER(flag), .standard = "true", .doc = "A flag."},
    {"count", SETTING_COUNT, OUTER(count), .standard = "7", .max = 10, .doc = "A|count."},
    {"bytes", SETTING_BYTES, OUTER(bytes), .doc = "Bytes."},
    {"time", SETTING_TIME, OUTER(time), .standard = "1 min", .doc = "A time."},
    {"byte_rate", SETTING_BYTE_RATE, OUTER(byte_rate), .standard = "1 KiB/s", .doc = "A rate."},
    {"rate", SETTING_RATE, OUTER(rate), .standard = "50/s", .doc = "Another rate."},
    {"string", SETTING_STRING, OUTER(string), .doc = "A string."},
    {"word", SETTING_ENUM, OUTER(word), .standard = "two", .choices = words, .doc = "A word."},
    {"strings", SETTING_STRINGS, OUTER(strings), .standard = "a, b", .max = 3, .doc = "Strings."},
    {"group", SETTING_GROUP, OUTER(group), .sub = &inner_schema, .doc = "A group."},
    {"list", SETTING_LIST, OUTER(list), .sub = &inner_schema, .doc = "A list."},
    {0},
};

static void finish_outer(void *structure, struct policy_where where, struct policy_context *context)
{
	struct outer *outer = structure;

	outer->finished++;
	if (outer->count == 9)
		policy_error_in(context, where, "count", "nine");
}

static const struct schema outer_schema = {.name = "outer",
					   .size = sizeof(struct outer),
					   .settings = outer_rows,
					   .where_offset = SIZE_MAX,
					   .finish = finish_outer};

struct fixture {
	struct policy_context context;
	struct outer outer;
	struct strbuf printed;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture)
		return -1;
	fixture->context.arena = arena_new(1 << 20);
	fixture->context.errors = policy_errors_new();
	strbuf_init(&fixture->printed, 1 << 16);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	arena_free(fixture->context.arena);
	policy_errors_free(fixture->context.errors);
	strbuf_release(&fixture->printed);
	free(fixture);
	return 0;
}

static bool load(struct fixture *fixture, const char *text, const char *overlay)
{
	const struct policy_source source = {.text = text, .overlay = overlay};
	const bool ok = policy_read(&source, &outer_schema, &fixture->outer, &fixture->context);

	policy_errors_print(fixture->context.errors, &fixture->printed);
	return ok;
}

static void what_is_left_out_has_its_default(void **state)
{
	struct fixture *fixture = *state;
	const struct outer *outer = &fixture->outer;

	assert_true(load(fixture, NULL, NULL));
	assert_true(outer->flag);
	assert_int_equal(outer->count, 7);
	assert_int_equal(outer->bytes, 0);
	assert_int_equal(outer->time, 60000);
	assert_int_equal(outer->byte_rate, 1024);
	assert_int_equal(outer->rate.count, 50);
	assert_null(outer->string);
	assert_int_equal(outer->word, 2);
	assert_int_equal(outer->strings.n, 2);
	assert_string_equal(outer->strings.items[1], "b");
	assert_null(outer->strings.items[2]);
	assert_int_equal(outer->group.size, 1024);
	assert_int_equal(outer->group.where.line, 0);
	assert_int_equal(outer->list.n, 0);
	assert_int_equal(outer->list.where.line, 0);
	assert_int_equal(outer->finished, 1);
}

static void every_type_is_read(void **state)
{
	struct fixture *fixture = *state;
	const struct outer *outer = &fixture->outer;
	const struct inner *items;

	assert_true(load(fixture,
			 "flag = false; count = 3; bytes = 2147483648; time = \"2 s\";\n"
			 "byte_rate = \"5 B/s\"; rate = \"6/min\"; string = \"x\" \"y\";\n"
			 "word = \"one\"; strings = [ \"p\" ];\n"
			 "group = { size = 5; };\n"
			 "list = (\n{ },\n{ size = \"2 KiB\"; } );\n",
			 NULL));
	assert_false(outer->flag);
	assert_int_equal(outer->count, 3);
	assert_int_equal(outer->bytes, UINT64_C(2147483648));
	assert_int_equal(outer->time, 2000);
	assert_int_equal(outer->byte_rate, 5);
	assert_int_equal(outer->rate.per_ms, 60000);
	assert_string_equal(outer->string, "xy");
	assert_int_equal(outer->word, 1);
	assert_int_equal(outer->strings.n, 1);
	assert_int_equal(outer->strings.where.line, 3);
	assert_int_equal(outer->group.size, 5);
	assert_int_equal(outer->group.where.line, 4);
	assert_int_equal(outer->list.n, 2);
	items = outer->list.items;
	assert_int_equal(items[0].size, 1024);
	assert_int_equal(items[1].size, 2048);
	assert_int_equal(items[1].where.line, 7);
}

static void every_error_is_found_at_once_and_in_order(void **state)
{
	struct fixture *fixture = *state;

	assert_false(load(fixture,
			  "list = ( { }, { size = 5000; } );\n"
			  "string = 4;\n"
			  "word = \"tow\";\n"
			  "cuont = 4;\n"
			  "count = 9;\n"
			  "group = { sise = 1; };\n",
			  NULL));
	assert_string_equal(
	    fixture->printed.data,
	    "policy:1: error: list[1].size: 5000 B is out of range, allowed is 1 B to 4 KiB\n"
	    "policy:2: error: string: a number stands where a string is wanted, such as \n"
	    "policy:3: error: word: \"tow\" is none of one, two, did you mean \"two\"?\n"
	    "policy:4: error: unknown setting 'cuont', did you mean 'count'?\n"
	    "policy:5: error: count: nine\n"
	    "policy:6: error: group: unknown setting 'sise', did you mean 'size'?\n");
	assert_int_equal(fixture->outer.finished, 1);
}

static void a_wrong_list_is_replaced_by_its_default(void **state)
{
	struct fixture *fixture = *state;

	assert_false(load(fixture, "strings = ( \"x\", \"y\", 1 );", NULL));
	assert_int_equal(fixture->outer.strings.n, 2);
	assert_string_equal(fixture->outer.strings.items[0], "a");
	assert_null(fixture->outer.strings.items[2]);
}

static void the_overlay_wins_and_keeps_the_rest_of_a_group(void **state)
{
	struct fixture *fixture = *state;

	assert_true(load(fixture, "count = 3; word = \"one\"; list = ( { }, { } );",
			 "count = 4; list = ( { size = 9; } ); string = \"s\";"));
	assert_int_equal(fixture->outer.count, 4);
	assert_int_equal(fixture->outer.word, 1);
	assert_int_equal(fixture->outer.list.n, 1);
	assert_string_equal(fixture->outer.string, "s");
}

static void errors_of_the_overlay_name_no_file(void **state)
{
	struct fixture *fixture = *state;

	assert_false(load(fixture, "count = 3;", "count = 11;"));
	assert_string_equal(fixture->printed.data,
			    "command line or environment: error: count: 11 is out of range, "
			    "allowed is 0 to 10\n");
}

static void a_syntax_error_shows_its_line(void **state)
{
	struct fixture *fixture = *state;

	assert_false(load(fixture, "count = 3;\nword = = \"one\";\n", NULL));
	assert_string_equal(fixture->printed.data,
			    "policy:2: error: syntax error at or before: word = = \"one\";\n");
}

static void more_errors_than_are_kept_are_counted(void **state)
{
	struct fixture *fixture = *state;
	struct policy_problem problem;

	for (unsigned i = 0; i < 250; i++)
		policy_error(&fixture->context, (struct policy_where){"x", 250 - i}, "%u\n", i);
	assert_int_equal(policy_errors_count(fixture->context.errors), 250);
	policy_errors_print(fixture->context.errors, &fixture->printed);
	assert_non_null(strstr(fixture->printed.data, "and 50 more\n"));
	assert_true(policy_errors_get(fixture->context.errors, 0, &problem));
	assert_string_equal(problem.text, "199?");
	assert_int_equal(problem.line, 51);
	assert_false(policy_errors_get(fixture->context.errors, 200, &problem));
}

static void a_document_escapes_what_would_end_a_cell(void **state)
{
	struct fixture *fixture = *state;

	policy_document(&outer_schema, &fixture->printed);
	assert_non_null(
	    strstr(fixture->printed.data, "| `count` | a number | 0 to 10 | `7` | A\\|count. |\n"));
	assert_non_null(strstr(fixture->printed.data,
			       "| `list[].size` | a size | 1 B to 4 KiB | `\"1 KiB\"` |"));
	assert_non_null(strstr(fixture->printed.data, "`( \"a\", \"b\" )`"));
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    WITH_FIXTURE(what_is_left_out_has_its_default),
	    WITH_FIXTURE(every_type_is_read),
	    WITH_FIXTURE(every_error_is_found_at_once_and_in_order),
	    WITH_FIXTURE(a_wrong_list_is_replaced_by_its_default),
	    WITH_FIXTURE(the_overlay_wins_and_keeps_the_rest_of_a_group),
	    WITH_FIXTURE(errors_of_the_overlay_name_no_file),
	    WITH_FIXTURE(a_syntax_error_shows_its_line),
	    WITH_FIXTURE(more_errors_than_are_kept_are_counted),
	    WITH_FIXTURE(a_document_escapes_what_would_end_a_cell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

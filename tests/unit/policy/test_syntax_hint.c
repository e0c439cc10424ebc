/* What a syntax error is taken for. */
#include "sallyport/policy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* libconfig forgets the last string it read where it gives up on a syntax error. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

static const struct schema schema = {
    .name = "nothing", .size = 1, .settings = (const struct setting[]){{.name = NULL}}, .where_offset = SIZE_MAX};

/* The first error of the text. */
static void load(const char *text, struct strbuf *out)
{
	char structure[1] = "";
	struct policy_source source = {.text = text};
	struct policy_context context = {.errors = policy_errors_new()};

	assert_non_null(context.errors);
	context.arena = arena_new(1 << 20);
	assert_non_null(context.arena);
	assert_false(policy_read(&source, &schema, structure, &context));
	strbuf_init(out, 4096);
	policy_errors_print(context.errors, out);
	policy_errors_free(context.errors);
	arena_free(context.arena);
}

static const struct hint {
	const char *text, *said;
} hints[] = {
    {"a = 'x';", "policy:1: error: syntax error: a string stands in double quotes at or before: a = 'x';\n"},
    {"a = word;", "policy:1: error: syntax error: a string stands in double quotes: \"word\" at or before: a = word;\n"},
    {"a = 10s;", "policy:1: error: syntax error: a string stands in double quotes: \"10s\" at or before: a = 10s;\n"},
    {"a = 10.0.0.5;", "policy:1: error: syntax error: a string stands in double quotes: \"10.0.0.5\" at or before: a = 10.0.0.5;\n"},
    {"a = on", "policy:1: error: syntax error: a string stands in double quotes: \"on\" at or before: a = on\n"},
    {"a = ( b.example, \"c\" );", "policy:1: error: syntax error: a string stands in double quotes: \"b.example\" at or before: a = ( b.example, \"c\" );\n"},
    {"a = ( \"b\", );", "policy:1: error: syntax error: a ',' stands between items, none before ')' at or before: a = ( \"b\", );\n"},
    {"a auto;", "policy:1: error: syntax error: 'a' lacks its '=': a setting is written name = value; at or before: a auto;\n"},
    {"a { b = 1; }", "policy:1: error: syntax error: 'a' lacks its '=': a setting is written name = value; at or before: a { b = 1; }\n"},
    {"a = ( @include \"b\" );", "policy:1: error: syntax error: @include \"file\" stands on a line of its own at or before: a = ( @include \"b\" );\n"},
    {"\xef\xbb\xbf" "a = 1;", "policy:1: error: syntax error: a byte order mark stands before it: save the file without one at or before: \xef\xbb\xbf" "a = 1;\n"},
    {"a = {\n b = 1;\n c = (\n};\n", "policy:4: error: syntax error: the '(' of line 3 is not closed before this '}' at or before: };\n"},
    {"a = {\n b = 1;\n", "policy:2: error: syntax error: the '{' of line 1 is not closed at or before: b = 1;\n"},
    {"a = 1;\nb\n\n", "policy:2: error: syntax error at or before: b\n"},
    {"a = 1; );", "policy:1: error: syntax error: this ')' closes nothing at or before: a = 1; );\n"},
    {"# (\na = \"{\"; /* [ */ b = ;", "policy:2: error: syntax error: no value stands between '=' and ';' at or before: a = \"{\"; /* [ */ b = ;\n"},
    {"log.access = 1;", "policy:1: error: syntax error: a name has no dots, a setting stands in its group: log = { access = …; }; at or before: log.access = 1;\n"},
    {"a = 1; b.c.d { }", "policy:1: error: syntax error: a name has no dots, a setting stands in its group: b = { c = { d = …; }; }; at or before: a = 1; b.c.d { }\n"},
    {"a = [ { b = 1; } ];", "policy:1: error: syntax error: groups and lists stand in a list, between '(' and ')', not between '[' and ']' at or before: a = [ { b = 1; } ];\n"},
    {"a = [\n# one\n{ b = 1; } ];", "policy:3: error: syntax error: groups and lists stand in a list, between '(' and ')', not between '[' and ']' at or before: { b = 1; } ];\n"},
    {"a = ( { b = 1; }\n{ b = \"2\"; } );", "policy:2: error: syntax error: a ',' is missing between '}' and '{' at or before: { b = \"2\"; } );\n"},
    {"a = ( \"b\",\n);", "policy:2: error: syntax error: a ',' stands between items, none before ')' at or before: );\n"},
    {"a = ( b = 1 );", "policy:1: error: syntax error: 'b' is taken for a setting, which stands between '{' and '}' at or before: a = ( b = 1 );\n"},
    {"a = (\n b = 1 );", "policy:2: error: syntax error: 'b' is taken for a setting, which stands between '{' and '}' at or before: b = 1 );\n"},
    {"a = true; b = 0x1f; c = -1.5; d = = 1;", "policy:1: error: syntax error at or before: a = true; b = 0x1f; c = -1.5; d = = 1;\n"},
};

static void a_syntax_error_says_what_it_may_be(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		struct strbuf got;

		load(hints[i].text, &got);
		if (!got.data || strcmp(got.data, hints[i].said) != 0) {
			print_error("%s\nexpected %sgot      %s\n", hints[i].text, hints[i].said, got.data ? got.data : "");
			wrong++;
		}
		strbuf_release(&got);
	}
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_syntax_error_says_what_it_may_be)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

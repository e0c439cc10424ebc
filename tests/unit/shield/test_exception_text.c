/* Exceptions as text: what is suggested is read back as what it was made from, whatever bytes a client
 * sent, and what a policy says wrongly is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "shield/exceptions.h"

static const char asks[] = "1: warning: exceptions[0]: it does not say yet who answers for it, and why\n";

static void suggestion_is_one_line_to_paste(void **state)
{
	(void)state;
	const struct exception_place place = {
	    .rule = "sql.union", .path = SPAN("/search"), .method = SPAN("GET"), .target = TARGET_ARG,
	    .name = SPAN("q"),	 .now_us = UINT64_C(1790000000000000)};
	struct strbuf out;
	strbuf_init(&out, 4096);
	exception_suggest(&place, &out);
	assert_string_equal(out.data,
			    "{ rule = \"sql.union\"; path = \"/search\"; exact = true; method = \"GET\"; argument = \"q\"; "
			    "owner = \"NAME WHO ANSWERS FOR IT\"; reason = \"SAY WHY\"; expires = \"2026-12-20\"; }");
	strbuf_release(&out);
}

/* Suggests, reads it back, and compares all that a place has. */
static void assert_survives(const struct exception_place *place, bool keeps_path)
{
	struct exception_reading reading;
	struct strbuf out;
	strbuf_init(&out, 1 << 16);
	exception_suggest(place, &out);
	assert_false(out.truncated);
	for (size_t i = 0; i < out.len; i++)
		assert_in_range(out.data[i], 0x20, 0x7e);
	exceptions_read(&reading, out.data);
	if (!reading.complaints.data || !strstr(reading.complaints.data, asks) ||
	    strstr(reading.complaints.data, "error"))
		fail_msg("%s: %s", out.data, reading.complaints.data ? reading.complaints.data : "");
	const struct exception *read = reading.file.exceptions.items;
	assert_int_equal(reading.file.exceptions.n, 1);
	if (place->rule)
		assert_string_equal(read->rule, place->rule);
	assert_int_equal(read->target, place->target);
	if (place->target && !span_eq(read->name, place->name))
		fail_msg("%s: the name is '%.*s'", out.data, SPAN_ARG(read->name));
	if (keeps_path) {
		assert_true(span_eq(span_from_str(read->path), place->path));
		assert_true(read->exact);
	}
	exceptions_release(&reading);
	strbuf_release(&out);
}

static void suggestion_is_read_back_for_every_target(void **state)
{
	(void)state;
	for (int target = TARGET_UNSET; target < TARGET_COUNT; target++) {
		const bool named = target != TARGET_UNSET && target != TARGET_METHOD && target != TARGET_URL &&
				   target != TARGET_PATH && target != TARGET_QUERY && target != TARGET_CLIENT &&
				   target != TARGET_CONTENT;
		struct exception_place place = {
		    .rule = "a.b-c_d", .path = SPAN("/"), .target = (enum rule_target)target};
		assert_survives(&place, true);
		place.name = named ? SPAN("order.items[].sku") : (struct span){0};
		assert_survives(&place, true);
	}
}

static void suggestion_is_read_back_for_any_name(void **state)
{
	(void)state;
	char name[256 + 2];
	struct exception_place place = {.rule = "r", .path = SPAN("/a/b%20c;d"), .target = TARGET_COOKIE};
	for (unsigned byte = 0; byte < 256; byte++) {
		name[0] = (char)byte;
		place.name = span_of(name, 1);
		assert_survives(&place, true);
		memcpy(name + 1, "\\\"%", 3);
		place.name = span_of(name, 4);
		assert_survives(&place, true);
	}
	uint32_t seed = 4711;
	for (int round = 0; round < 2000; round++) {
		for (size_t i = 0; i < sizeof(name); i++)
			name[i] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
		place.name = span_of(name, 1 + (seed >> 8) % sizeof(name));
		assert_survives(&place, true);
	}
}

static void suggestion_names_a_path_above_where_it_cannot_name_one(void **state)
{
	(void)state;
	static char long_path[3000];
	static const struct {
		const char *path, *named; /* NULL: no path */
	} rows[] = {
	    {"/shop/%FFx", "/shop"},	  /* not canonical UTF-8, but one reading */
	    {"/%FFx", "/"},
	    {"/a/b%2Fc", NULL},		  /* under none */
	    {"/a%5C..%5Cb", NULL},
	    {"*", NULL},
	    {long_path, "/a"},
	};
	memset(long_path, 'x', sizeof(long_path) - 1);
	memcpy(long_path, "/a/", 3);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct exception_place place = {
		    .rule = "r", .path = span_from_str(rows[i].path), .target = TARGET_QUERY};
		struct exception_reading reading;
		struct strbuf out;
		assert_survives(&place, false);
		strbuf_init(&out, 1 << 16);
		exception_suggest(&place, &out);
		exceptions_read(&reading, out.data);
		const struct exception *read = reading.file.exceptions.items;
		assert_string_equal(read->path ? read->path : "-", rows[i].named ? rows[i].named : "-");
		assert_false(read->exact);
		exceptions_release(&reading);
		strbuf_release(&out);
	}
}

#define WORDS " owner = \"a\"; reason = \"b\"; "

static void wrong_exception_is_told(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} rows[] = {
	    {"{" WORDS "expires = \"never\"; }", "one of rule, tag and finding is needed"},
	    {"{ rule = \"a\"; tag = \"b\";" WORDS "expires = \"never\"; }", "one of rule, tag and finding is needed"},
	    {"{ rule = \"a\"; owner = \"a\"; expires = \"never\"; }", "setting 'reason' is missing"},
	    {"{ rule = \"a\"; reason = \"a\"; expires = \"never\"; }", "setting 'owner' is missing"},
	    {"{ rule = \"a\";" WORDS "}", "setting 'expires' is missing"},
	    {"{ rule = \"a\";" WORDS "expires = \"2027-02-30\"; }", "no day"},
	    {"{ rule = \"a\";" WORDS "expires = \"tomorrow\"; }", "no day"},
	    {"{ rule = \"*.a\";" WORDS "expires = \"never\"; }", "at the end alone"},
	    {"{ rule = \"a\"; path = \"/a/../b\";" WORDS "expires = \"never\"; }", "never met"},
	    {"{ rule = \"a\"; path = \"a\";" WORDS "expires = \"never\"; }", "is not a path"},
	    {"{ rule = \"a\"; exact = true;" WORDS "expires = \"never\"; }", "no path"},
	    {"{ rule = \"a\"; method = \"G T\";" WORDS "expires = \"never\"; }", "no method"},
	    {"{ rule = \"a\"; argument = \"a\"; cookie = \"b\";" WORDS "expires = \"never\"; }", "several values"},
	    {"{ rule = \"a\"; argument = \"a\"; where = \"path\";" WORDS "expires = \"never\"; }", "several values"},
	    {"{ rule = \"a\"; argument = \"100%\";" WORDS "expires = \"never\"; }", "%25"},
	    {"{ rule = \"a\"; argument = \"100%2\";" WORDS "expires = \"never\"; }", "%25"},
	    {"{ rule = \"a\"; where = \"nowhere\";" WORDS "expires = \"never\"; }", "nothing that rules look at"},
	    {"{ finding = \"escape-invalit\"; argument = \"a\";" WORDS "expires = \"never\"; }",
	     "did you mean \"escape-invalid\"?"},
	    {"{ finding = \"escape-invalid\";" WORDS "expires = \"never\"; }", "an argument, a cookie or a field"},
	    {"{ finding = \"escape-invalid\"; json = \"a\";" WORDS "expires = \"never\"; }",
	     "an argument, a cookie or a field"},
	    {"{ rule = \"a\"; owner = \"" EXCEPTION_OWNER_UNSAID "\"; reason = \"b\"; expires = \"never\"; }",
	     "does not say yet who"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct exception_reading reading;
		exceptions_read(&reading, rows[i].text);
		if (!reading.complaints.data || !strstr(reading.complaints.data, rows[i].says))
			fail_msg("%s: %s", rows[i].text, reading.complaints.data ? reading.complaints.data : "");
		exceptions_release(&reading);
	}
}

static void exception_ends_with_its_day(void **state)
{
	(void)state;
	struct exception_reading reading;
	exceptions_read(&reading, "{ rule = \"a\";" WORDS "expires = \"1970-01-02\"; },"
				  "{ tag = \"a\";" WORDS "expires = \"never\"; }");
	const struct exception *read = reading.file.exceptions.items;
	assert_int_equal(read[0].ends_s, 2 * 86400);
	assert_true(read[1].ends_s == UINT64_MAX);
	exceptions_release(&reading);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(suggestion_is_one_line_to_paste),
	    cmocka_unit_test(suggestion_is_read_back_for_every_target),
	    cmocka_unit_test(suggestion_is_read_back_for_any_name),
	    cmocka_unit_test(suggestion_names_a_path_above_where_it_cannot_name_one),
	    cmocka_unit_test(wrong_exception_is_told),
	    cmocka_unit_test(exception_ends_with_its_day),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

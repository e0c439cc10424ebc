/* "Did you mean …?": near names are offered, other words are not. */

#include "sallyport/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const char *nearest(const char *wanted)
{
	static const char *const known[] = {"listen", "limits",         "sites", "timeouts",
					    "head",   "min_rate",       "log",   "default_site",
					    "url",    "max_connections"};
	struct suggestion suggestion;

	suggest_init(&suggestion, wanted);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		suggest_offer(&suggestion, known[i]);
	return suggestion.nearest ? suggestion.nearest : "nothing";
}

static void a_slip_finds_the_name_that_was_meant(void **state)
{
	static const char *const cases[][2] = {
	    {"limit", "limits"},
	    {"lsiten", "listen"},
	    {"listn", "listen"},
	    {"site", "sites"},
	    {"timeout", "timeouts"},
	    {"min-rate", "min_rate"},
	    {"Log", "log"},
	    {"uri", "url"},
	    {"defaultsite", "default_site"},
	    {"max_conections", "max_connections"},
	    {"hed", "head"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(nearest(cases[i][0]), cases[i][1]);
}

static void another_word_finds_nothing(void **state)
{
	static const char *const cases[] = {
	    "",      "x",
	    "zz",    "certificate",
	    "bogus", "a_name_that_is_far_longer_than_any_setting_that_there_is"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(nearest(cases[i]), "nothing");
}

static void it_ends_a_sentence_or_adds_nothing(void **state)
{
	char text[SUGGEST_TEXT_SIZE], longest[33];
	struct suggestion suggestion;
	(void)state;
	suggest_init(&suggestion, "lisen");
	assert_string_equal(suggest_text(&suggestion, text), "");
	suggest_offer(&suggestion, "listen");
	assert_string_equal(suggest_text(&suggestion, text), ", did you mean \"listen\"?");
	memset(longest, 'x', 32);
	longest[32] = '\0';
	suggest_init(&suggestion, longest + 1);
	suggest_offer(&suggestion, longest);
	assert_int_equal(strlen(suggest_text(&suggestion, text)), 32 + strlen(", did you mean \"\"?"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_ends_a_sentence_or_adds_nothing),
	    cmocka_unit_test(a_slip_finds_the_name_that_was_meant),
	    cmocka_unit_test(another_word_finds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

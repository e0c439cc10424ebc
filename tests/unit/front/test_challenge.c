/* What is an ACME challenge's path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "guard_page.h"
#include "sallyport/challenge.h"

#define LONGEST                                                                                    \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"                         \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void a_token_is_a_plain_name_below_the_folder(void **state)
{
	(void)state;
	static const struct {
		const char *path, *token; /* NULL: none */
	} rows[] = {
	    {"/.well-known/acme-challenge/x", "x"},
	    {"/.well-known/acme-challenge/AZaz09-_", "AZaz09-_"},
	    {"/.well-known/acme-challenge/" LONGEST, LONGEST},
	    {"/.well-known/acme-challenge/" LONGEST "a", NULL},
	    {"/.well-known/acme-challenge/", NULL},
	    {"/.well-known/acme-challenge", NULL},
	    {"/.well-known/acme-challenge/.", NULL},
	    {"/.well-known/acme-challenge/..", NULL},
	    {"/.well-known/acme-challenge/a/b", NULL},
	    {"/.well-known/acme-challenge/a/", NULL},
	    {"/.well-known/acme-challenge//a", NULL},
	    {"/.well-known/acme-challenge/a.b", NULL},
	    {"/.well-known/acme-challenge/a=", NULL},
	    {"/.well-known/acme-challenge/a+b", NULL},
	    {"/.well-known/acme-challenge/a%2Fb", NULL},
	    {"/.well-known/acme-challenge/\xc3\xa9", NULL},
	    {"/.Well-Known/acme-challenge/a", NULL},
	    {"/x/.well-known/acme-challenge/a", NULL},
	    {".well-known/acme-challenge/a", NULL},
	    {"/", NULL},
	    {"", NULL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].path);
		char *path = guarded_copy(rows[i].path, len);
		struct span token = {0};
		bool is_one = challenge_token(span_of(path, len), &token);
		if (is_one != (rows[i].token != NULL) ||
		    (is_one && !span_eq(token, span_from_str(rows[i].token))))
			fail_msg("%s", rows[i].path);
		guarded_free(path, len);
	}
}

static void a_nul_ends_no_token(void **state)
{
	(void)state;
	struct span token;
	assert_false(challenge_token(SPAN("/.well-known/acme-challenge/a\0b"), &token));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_token_is_a_plain_name_below_the_folder),
	    cmocka_unit_test(a_nul_ends_no_token),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Limits: each is met by a request that is just as large as it allows, and hit by the same
 * request once it allows one less. Profiles have limits of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sallyport/shield.h"

/* A request, and how much of each limit it takes. */
static const struct {
	const char *name;
	size_t offset;
	enum reason reason;
	uint64_t takes;
	const char *target, *fields;
} rows[LIMIT_COUNT] = {
#define ROW(member, reason, takes, target, fields)                                                 \
	[LIMIT_##member] = {#member,         offsetof(struct shield_limits, member),               \
			    REASON_##reason, takes,                                                \
			    target,          fields}
    ROW(url, URL_TOO_LONG, 9, "/abc?defg", ""),
    ROW(path, PATH_TOO_LONG, 6, "/abcde?f", ""),
    ROW(segments, TOO_MANY_SEGMENTS, 3, "/a/b/c", ""),
    ROW(segment, SEGMENT_TOO_LONG, 5, "/a/bcdef/g", ""),
    ROW(query, QUERY_TOO_LONG, 4, "/?abcd", ""),
    ROW(args, TOO_MANY_ARGUMENTS, 3, "/?a&&b=1&c", ""),
    ROW(arg_name, ARGUMENT_NAME_TOO_LONG, 4, "/?a=1&bcde=2", ""),
    ROW(arg_value, ARGUMENT_TOO_LONG, 5, "/?a=1&b=2%3D3", ""),
    ROW(arg_repeats, ARGUMENT_REPEATED, 3, "/?a=1&b=2&%61=3&a", ""),
    ROW(fields, SITE_TOO_MANY_FIELDS, 3, "/", "A: b\r\nC: d\r\n"),
    ROW(field_repeats, FIELD_REPEATED, 2, "/",
	"A: b\r\nC: d\r\na: c\r\nCookie: a=1\r\nCookie: b=2\r\nCookie: c=3\r\n"),
    ROW(field, SITE_FIELD_TOO_LARGE, 20, "/",
	"A: 0123456789012345678\r\nCookie: a=0123456789012345678\r\n"),
    ROW(fields_bytes, FIELDS_TOO_LARGE, 19, "/", "A: b\r\nC: def\r\n"),
    ROW(cookies, TOO_MANY_COOKIES, 3, "/", "Cookie: a=1; b=2\r\nCookie: c=3;\r\n"),
    ROW(cookie_repeats, COOKIE_REPEATED, 2, "/", "Cookie: a=1; A=2; b=3; a=4;c\r\n"),
    ROW(cookie, COOKIE_TOO_LARGE, 6, "/", "Cookie: a=1;  b=2345 ; c=6\r\n"),
    ROW(cookies_bytes, COOKIES_TOO_LARGE, 11, "/", "Cookie: a=1; b=2\r\nCookie: c=3\r\n"),
    ROW(body, CONTENT_TOO_LARGE, 77, "/", "Content-Length: 77\r\n"),
    ROW(score, SCORE, 2, "/.../a", ""),
#undef ROW
};

static struct verdict judge_text(const struct shield_settings *settings, const char *target,
				 const char *fields)
{
	static const struct http_limits wide = {HTTP_HEAD_MAX, HTTP_HEAD_MAX, HTTP_FIELDS_MAX,
						HTTP_HEAD_MAX};
	static char text[4096], room[URL_CANON_ROOM(4096)], buf[4096];
	static struct http_head head;
	struct verdict verdict;
	struct url_target split;
	struct url_canon canon;
	struct span evidence;
	enum reason reason;
	struct err err;
	int len = snprintf(text, sizeof(text), "POST %s HTTP/1.1\r\nHost: a.example\r\n%s\r\n",
			   target, fields);
	assert_int_equal(http_parse_request(text, (size_t)len, 0, &wide, &head, &reason, &evidence),
			 HTTP_PARSE_DONE);
	assert_true(url_split(http_target(&head), &split, &reason));
	struct shield *shield = shield_new(settings, &err);
	assert_non_null(shield);
	const struct shield *const shields[] = {shield};
	struct shield_scratch *scratch = shield_scratch_new(shields, 1, &err);
	url_canon_path_as(split.path, shield_canon_options(shield), room, &canon);
	struct shield_request request = {
	    .head = &head, .target = &split, .canon = &canon, .buf = buf};
	shield_judge(shield, scratch, &request, &verdict);
	shield_scratch_free(scratch);
	shield_free(shield);
	return verdict;
}

static void every_limit_is_met_and_hit(void **state)
{
	(void)state;
	for (int i = 0; i < LIMIT_COUNT; i++) {
		struct shield_settings settings = {0};
		uint64_t *limit = (uint64_t *)((char *)&settings.limits + rows[i].offset);
		char setting[64];
		uint64_t takes = rows[i].takes;
		*limit = takes;
		struct verdict verdict = judge_text(&settings, rows[i].target, rows[i].fields);
		if (verdict.action != VERDICT_ALLOW)
			fail_msg("%s of %d: %s, %d", rows[i].name, (int)*limit,
				 reason_name(verdict.reason), (int)verdict.value);
		*limit = takes - 1;
		verdict = judge_text(&settings, rows[i].target, rows[i].fields);
		if (verdict.action != VERDICT_REJECT || verdict.reason != rows[i].reason)
			fail_msg("%s of %d: %s", rows[i].name, (int)*limit,
				 reason_name(verdict.reason));
		snprintf(setting, sizeof(setting), "sites[].shield.limits.%s", rows[i].name);
		assert_string_equal(verdict.setting, setting);
		assert_int_equal(verdict.limit, takes - 1);
		assert_int_equal(verdict.value, takes);
		assert_int_equal(verdict.status, reason_status(rows[i].reason));
		*limit = 0;
		verdict = judge_text(&settings, rows[i].target, rows[i].fields);
		assert_int_equal(verdict.action, VERDICT_ALLOW);
	}
}

static void strict_is_narrower_than_legacy(void **state)
{
	(void)state;
	struct shield_limits strict = {0}, legacy = {0}, standard = {0};
	shield_profile_limits(PROFILE_STRICT, &strict);
	shield_profile_limits(PROFILE_LEGACY, &legacy);
	shield_profile_limits(PROFILE_STANDARD, &standard);
	for (int i = 0; i < LIMIT_COUNT; i++) {
		uint64_t narrow = *(const uint64_t *)((const char *)&strict + rows[i].offset);
		uint64_t wide = *(const uint64_t *)((const char *)&legacy + rows[i].offset);
		assert_true(narrow > 0 && narrow < wide);
	}
	assert_int_equal(standard.url, 0); /* the defaults of the settings are standard's */
}

static void arguments_are_split_as_the_origin_does(void **state)
{
	(void)state;
	static const struct {
		int kind;
		const char *target;
		bool repeated;
	} cases[] = {
	    {ORIGIN_UNIX, "/?a=1;a=2", true},      {ORIGIN_TOMCAT, "/?a=1;a=2", false},
	    {ORIGIN_UNIX, "/?a=1&A=2", false},     {ORIGIN_IIS, "/?a=1&A=2", true},
	    {ORIGIN_UNIX, "/?a.b=1&a_b=2", false}, {ORIGIN_PHP, "/?a.b=1&a_b=2", true},
	    {ORIGIN_PHP, "/?a%20b=1&a_b=2", true}, {ORIGIN_PHP, "/?+a=1&a=2", true},
	    {ORIGIN_PHP, "/?a[=1&a_=2", true},     {ORIGIN_PHP, "/?a[x.y]=1&a[x_y]=2", false},
	    {ORIGIN_PHP, "/?a[]=1&a[]=2", true},   {ORIGIN_PHP, "/?a=1&a[]=2", false},
	    {ORIGIN_UNIX, "/?%61=1&a=2", true},    {ORIGIN_UNIX, "/?a+b=1&a%20b=2", true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct shield_settings settings = {.origin_kind = cases[i].kind,
						   .limits = {.arg_repeats = 1}};
		struct verdict verdict = judge_text(&settings, cases[i].target, "");
		if (verdict.reason != (cases[i].repeated ? REASON_ARGUMENT_REPEATED : REASON_UNSET))
			fail_msg("%s: %s", cases[i].target, reason_name(verdict.reason));
	}
}

static void extensions_are_what_the_origin_takes_for_one(void **state)
{
	(void)state;
	static const char *denied[] = {"asp", ".", NULL};
	static const struct {
		int kind;
		const char *target;
		bool denied;
	} cases[] = {
	    {ORIGIN_UNIX, "/a.asp", true},        {ORIGIN_UNIX, "/a.aspx", false},
	    {ORIGIN_UNIX, "/a.ASP/b.html", true}, {ORIGIN_UNIX, "/a", true},
	    {ORIGIN_UNIX, "/a/b.html", false},    {ORIGIN_UNIX, "/a.asp;.jpg", false},
	    {ORIGIN_IIS, "/a.asp;.jpg", true},    {ORIGIN_TOMCAT, "/a.html;v=1.asp", false},
	    {ORIGIN_UNIX, "/a.asp%20", true},     {ORIGIN_UNIX, "/%61%2easp", true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct shield_settings settings = {.origin_kind = cases[i].kind,
						   .lists = {.deny_extensions = denied}};
		struct verdict verdict = judge_text(&settings, cases[i].target, "");
		if (verdict.reason != (cases[i].denied ? REASON_EXTENSION_DENIED : REASON_UNSET))
			fail_msg("%s: %s", cases[i].target, reason_name(verdict.reason));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_limit_is_met_and_hit),
	    cmocka_unit_test(strict_is_narrower_than_legacy),
	    cmocka_unit_test(arguments_are_split_as_the_origin_does),
	    cmocka_unit_test(extensions_are_what_the_origin_takes_for_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

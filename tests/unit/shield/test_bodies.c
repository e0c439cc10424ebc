/* Whether content is looked into, and how far: by head, path and policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "requests.h"

static const char *skip_paths[] = {"/raw", NULL}, *skip_types[] = {"application/x-odd*", NULL};

enum { ALL_KINDS = 1 << BODY_FORM | 1 << BODY_MULTIPART | 1 << BODY_JSON | 1 << BODY_XML };

static struct shield_settings settings(void)
{
	return (struct shield_settings){
	    .mode = SHIELD_ENFORCE, .profile = PROFILE_STANDARD, .origin_kind = ORIGIN_UNIX, .limits = {.body = 5000},
	    .bodies = {.kinds = ALL_KINDS, .max = 1000, .skip_paths = skip_paths, .skip_types = skip_types}};
}

struct row {
	const char *target, *fields;
	enum http_framing framing;
	uint64_t length;
	const char *expected; /* a reason, or what is planned */
};

/* "held 1000": looked into, nothing goes on before that; "streams 5000": as much may go on as it comes. */
static const char *plan(const struct shield_settings *s, const struct row *row, struct verdict *verdict)
{
	static struct test_request made;
	static char text[64];
	struct body_plan plan;
	struct err err;
	struct shield *shield = shield_new(s, &err);
	assert_non_null(shield);
	request_make(shield, &made, SPAN("POST"), span_from_str(row->target));
	request_add_fields(&made, row->fields);
	made.head.framing = (uint8_t)row->framing;
	made.head.content_length = row->length;
	*verdict = (struct verdict){.action = VERDICT_ALLOW};
	if (!shield_plan_body(shield, &made.request, &plan, verdict))
		snprintf(text, sizeof(text), "%s", reason_name(verdict->reason));
	else if (!plan.inspect)
		snprintf(text, sizeof(text), "passes");
	else
		snprintf(text, sizeof(text), "%s %llu%s", plan.streams ? "streams" : "held",
			 (unsigned long long)plan.max, plan.codings.n ? " coded" : "");
	shield_free(shield);
	return text;
}

#define FORM  "Content-Type: application/x-www-form-urlencoded\r\n"
#define MULTI "Content-Type: multipart/form-data; boundary=B\r\n"
#define JSON  "Content-Type: application/json\r\n"
#define OTHER "Content-Type: application/octet-stream\r\n"

static void content_is_planned_for_by_its_head(void **state)
{
	static const struct row rows[] = {
	    {"/", FORM, HTTP_FRAMING_LENGTH, 10, "held 1000"},
	    {"/", FORM, HTTP_FRAMING_LENGTH, 1000, "held 1000"},
	    {"/", FORM, HTTP_FRAMING_LENGTH, 1001, "body-too-large"},
	    {"/", FORM, HTTP_FRAMING_CHUNKED, 0, "held 1000"},
	    {"/", FORM, HTTP_FRAMING_LENGTH, 0, "passes"},
	    {"/", FORM, HTTP_FRAMING_NONE, 0, "passes"},
	    {"/", MULTI, HTTP_FRAMING_LENGTH, 10, "streams 5000"},
	    {"/", MULTI, HTTP_FRAMING_LENGTH, 1001, "streams 5000"},
	    {"/", MULTI, HTTP_FRAMING_LENGTH, 5001, "body-too-large"},
	    {"/", OTHER, HTTP_FRAMING_LENGTH, 5000, "passes"},
	    {"/", "", HTTP_FRAMING_CHUNKED, 0, "passes"},
	    {"/", "Content-Type: text/plain; charset=utf-16\r\n", HTTP_FRAMING_LENGTH, 5, "passes"},
	    {"/", "Content-Type: application/json; charset=utf-16\r\n", HTTP_FRAMING_LENGTH, 5, "body-charset"},
	    {"/", "Content-Type: json\r\n", HTTP_FRAMING_LENGTH, 5, "body-type"},
	    {"/", OTHER JSON, HTTP_FRAMING_LENGTH, 5, "body-type"},
	    {"/", OTHER JSON, HTTP_FRAMING_NONE, 0, "passes"},
	    {"/", JSON "Content-Encoding: gzip\r\n", HTTP_FRAMING_LENGTH, 5, "held 1000 coded"},
	    {"/", JSON "Content-Encoding: identity\r\n", HTTP_FRAMING_LENGTH, 5, "held 1000"},
	    {"/", JSON "Content-Encoding: gzip\r\nContent-Encoding: br\r\n", HTTP_FRAMING_LENGTH, 5, "held 1000 coded"},
	    {"/", JSON "Content-Encoding: gzip, gzip, gzip\r\n", HTTP_FRAMING_LENGTH, 5, "body-coding"},
	    {"/", JSON "Content-Encoding: rot13\r\n", HTTP_FRAMING_LENGTH, 5, "body-coding"},
	    {"/", OTHER "Content-Encoding: rot13\r\n", HTTP_FRAMING_LENGTH, 5, "passes"},
	    {"/raw", JSON, HTTP_FRAMING_LENGTH, 5, "passes"},
	    {"/raw", "Content-Type: json\r\n", HTTP_FRAMING_LENGTH, 5, "passes"},
	    {"/raw/x", JSON, HTTP_FRAMING_LENGTH, 5, "passes"},
	    {"/rawer", JSON, HTTP_FRAMING_LENGTH, 5, "held 1000"},
	    {"/raw/..%2fx", JSON, HTTP_FRAMING_LENGTH, 5, "held 1000"},
	    {"/", "Content-Type: application/x-odd+json; a=1\r\n", HTTP_FRAMING_LENGTH, 5, "passes"},
	    {"/", "Content-Type: application/x-odd+json; charset=utf-16\r\n", HTTP_FRAMING_LENGTH, 5, "passes"},
	    {"/", "Content-Type: application/x-odd+json; charset\r\n", HTTP_FRAMING_LENGTH, 5, "body-type"},
	    {"/", "Content-Type: application/x-odd+json\r\n" JSON, HTTP_FRAMING_LENGTH, 5, "body-type"},
	};
	struct shield_settings s = settings();
	struct verdict verdict;
	unsigned wrong = 0;
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got = plan(&s, &rows[i], &verdict);
		if (strcmp(got, rows[i].expected) == 0)
			continue;
		print_message("%s %s: %s, not %s\n", rows[i].target, rows[i].fields, got, rows[i].expected);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void a_policy_says_how_much_is_too_much(void **state)
{
	const struct row upload = {"/", MULTI, HTTP_FRAMING_LENGTH, 1001, NULL}, coded = {"/", JSON "Content-Encoding: gzip\r\n", HTTP_FRAMING_LENGTH, 5, NULL};
	struct shield_settings s = settings();
	struct verdict verdict;
	(void)state;
	s.bodies.larger = BODY_LARGER_REFUSE;
	assert_string_equal(plan(&s, &upload, &verdict), "body-too-large");
	assert_string_equal(verdict.setting, "sites[].shield.bodies.max");
	assert_int_equal(verdict.limit, 1000);
	assert_int_equal(verdict.value, 1001);
	assert_true(verdict.enforced);
	s = settings();
	s.limits.body = 0;
	assert_string_equal(plan(&s, &upload, &verdict), "streams 9223372036854775807");
	s.limits.body = 500; /* above, so that it is hit first by who counts what is sent */
	assert_string_equal(plan(&s, &upload, &verdict), "body-too-large");
	s = settings();
	s.bodies.codings = BODY_CODINGS_REFUSE;
	assert_string_equal(plan(&s, &coded, &verdict), "body-coding");
	assert_string_equal(verdict.setting, "sites[].shield.bodies.codings");
}

static void who_watches_notes_and_who_is_off_does_not_look(void **state)
{
	const struct row row = {"/", "Content-Type: json\r\n", HTTP_FRAMING_LENGTH, 5, NULL};
	struct shield_settings s = settings();
	struct verdict verdict;
	(void)state;
	s.mode = SHIELD_MONITOR;
	assert_string_equal(plan(&s, &row, &verdict), "body-type");
	assert_false(verdict.enforced);
	s.mode = SHIELD_OFF;
	assert_string_equal(plan(&s, &row, &verdict), "passes");
	s = settings();
	s.bodies.kinds = 0;
	assert_string_equal(plan(&s, &row, &verdict), "passes");
	s.bodies.kinds = 1 << BODY_FORM;
	const struct row utf7 = {"/", "Content-Type: application/json; charset=utf-7\r\n", HTTP_FRAMING_LENGTH, 5, NULL};
	assert_string_equal(plan(&s, &utf7, &verdict), "passes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(content_is_planned_for_by_its_head),
	    cmocka_unit_test(a_policy_says_how_much_is_too_much),
	    cmocka_unit_test(who_watches_notes_and_who_is_off_does_not_look),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

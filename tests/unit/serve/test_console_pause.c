/* What the content of POST /api/pause may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "serve/console_pause.h"

#define NAME_71 "12345678901234567890123456789012345678901234567890123456789012345678901"

static void a_pause_is_read(void **state)
{
	(void)state;
	struct pause_request request;
	struct err err;
	assert_true(console_read_pause(
	    SPAN("{\"leg\":\"shield\",\"site\":\"shop\",\"duration_ms\":604800000}"), &request,
	    &err));
	assert_int_equal(request.leg, LEG_SHIELD);
	assert_string_equal(request.site, "shop");
	assert_int_equal(request.duration_ms, PAUSE_MAX_MS);
	assert_true(console_read_pause(
	    SPAN("{\"leg\":\"shield\",\"site\":\"" NAME_71 "\",\"duration_ms\":0}"), &request,
	    &err));
	assert_string_equal(request.site, NAME_71);
	assert_int_equal(request.duration_ms, 0);
	assert_true(console_read_pause(SPAN("{\"leg\":\"egress\",\"duration_ms\":1800000}"), &request, &err));
	assert_int_equal(request.leg, LEG_EGRESS);
	assert_string_equal(request.site, "");
	assert_int_equal(request.duration_ms, 1800000);
}

static void what_is_missing_or_wrong_is_named(void **state)
{
	(void)state;
	static const struct {
		const char *content, *named;
	} rows[] = {
	    {"", "JSON"},
	    {"{", "JSON"},
	    {"[]", "object"},
	    {"{\"site\":\"a\",\"duration_ms\":1}", "leg"},
	    {"{\"leg\":\"helm\",\"site\":\"a\",\"duration_ms\":1}", "leg"},
	    {"{\"leg\":\"shield\\u0000\",\"site\":\"a\",\"duration_ms\":1}", "leg"},
	    {"{\"leg\":1,\"site\":\"a\",\"duration_ms\":1}", "leg"},
	    {"{\"leg\":\"shield\",\"duration_ms\":1}", "site"},
	    {"{\"leg\":\"egress\",\"site\":\"a\",\"duration_ms\":1}", "site"},
	    {"{\"leg\":\"egress\"}", "duration_ms"},
	    {"{\"leg\":\"shield\",\"site\":\"\",\"duration_ms\":1}", "site"},
	    {"{\"leg\":\"shield\",\"site\":\"a\\u0000b\",\"duration_ms\":1}", "site"},
	    {"{\"leg\":\"shield\",\"site\":\"" NAME_71 "2\",\"duration_ms\":1}", "site"},
	    /* a wrong duration must never be taken for the 0 that ends a pause */
	    {"{\"leg\":\"shield\",\"site\":\"a\"}", "duration_ms"},
	    {"{\"leg\":\"shield\",\"site\":\"a\",\"duration_ms\":\"5\"}", "duration_ms"},
	    {"{\"leg\":\"shield\",\"site\":\"a\",\"duration_ms\":null}", "duration_ms"},
	    {"{\"leg\":\"shield\",\"site\":\"a\",\"duration_ms\":1.5}", "duration_ms"},
	    {"{\"leg\":\"shield\",\"site\":\"a\",\"duration_ms\":-1}", "duration_ms"},
	    {"{\"leg\":\"shield\",\"site\":\"a\",\"duration_ms\":604800001}", "duration_ms"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pause_request request;
		struct err err = {{0}};
		assert_false(
		    console_read_pause(span_from_str(rows[i].content), &request, &err));
		if (!strstr(err.text, rows[i].named))
			fail_msg("%s: %s", rows[i].content, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_pause_is_read),
	    cmocka_unit_test(what_is_missing_or_wrong_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

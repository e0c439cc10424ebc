/* Log lines: their fields, and that no byte from outside can forge or hide one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guard_page.h"
#include "sallyport/egress_tell.h"
#include "sallyport/http_head.h"
#include "sallyport/json.h"
#include "sallyport/scribe.h"
#include "sallyport/shield.h"

static char line[LOG_LINE_MAX];

struct sample {
	struct log_record record;
	struct span texts[LOG_TEXT_COUNT];
};

static struct addr addr_of(const char *text)
{
	struct addr addr;
	assert_true(addr_parse_ip(span_from_str(text), 4711, &addr));
	return addr;
}

static struct sample code_red(void)
{
	struct sample sample = {.record = {
				    .kind = LOG_RECORD_ACCESS,
				    .version = HTTP_1_1,
				    .action = VERDICT_REJECT,
				    .enforced = 1,
				    .status = 403,
				    .reason = REASON_RULE,
				    .wall_us = 1795468104123456,
				    .request_id = {0x0123456789abcdef, 0xfedcba9876543210},
				    .total_us = 120,
				    .head_us = 80,
				    .bytes_out = 512,
				    .client = addr_of("192.0.2.7"),
				    .peer = addr_of("192.0.2.7"),
				}};
	sample.texts[LOG_TEXT_METHOD] = SPAN("GET");
	sample.texts[LOG_TEXT_TARGET] = SPAN("/default.ida?NNNN%u9090");
	sample.texts[LOG_TEXT_HOST] = SPAN("www.shop.example");
	sample.texts[LOG_TEXT_SITE] = SPAN("shop");
	sample.texts[LOG_TEXT_RULE] = SPAN("worm.code-red");
	sample.texts[LOG_TEXT_EVIDENCE] = SPAN("default.ida?NNNN");
	return sample;
}

static const char *combined(const struct sample *sample)
{
	size_t len = log_format_combined(&sample->record, sample->texts, line, sizeof(line));
	assert_true(len > 0 && len < sizeof(line));
	assert_int_equal(line[len - 1], '\n');
	assert_null(memchr(line, '\0', len));
	line[len] = '\0';
	return line;
}

static struct json_value *json(const struct sample *sample)
{
	size_t len = log_format_json(&sample->record, sample->texts, line, sizeof(line));
	assert_true(len > 1);
	assert_int_equal(line[len - 1], '\n');
	assert_ptr_equal(memchr(line, '\n', len), line + len - 1);
	struct json_value *value = json_read(span_of(line, len), NULL);
	assert_non_null(value);
	return value;
}

static void assert_json_text(const struct json_value *value, const char *key, struct span want)
{
	struct span got = json_text(value, key, "(missing)");
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.ptr, want.ptr, want.len);
}

static void combined_line_has_the_usual_fields_and_ours(void **state)
{
	struct sample sample = code_red();
	(void)state;
	assert_string_equal(
	    combined(&sample),
	    "192.0.2.7 - - [23/Nov/2026:21:08:24 +0000] \"GET /default.ida?NNNN%u9090 HTTP/1.1\" "
	    "403 512 \"-\" \"-\" host=\"www.shop.example\" site=\"shop\" action=reject reason=rule "
	    "id=0123456789abcdeffedcba9876543210 total_us=120 head_us=80 connect_us=0 "
	    "first_byte_us=0 in=0 rule=\"worm.code-red\" evidence=\"default.ida?NNNN\"\n");
}

static void combined_line_shows_details_where_there_are_any(void **state)
{
	struct sample sample = code_red();
	(void)state;
	sample.record.enforced = 0;
	sample.record.limit = 8192;
	sample.record.peer = addr_of("2001:db8::1");
	sample.texts[LOG_TEXT_CANON] = SPAN("/default.ida");
	sample.texts[LOG_TEXT_ORIGIN] = SPAN("10.0.0.5:80");
	assert_non_null(strstr(
	    combined(&sample),
	    " enforced=no rule=\"worm.code-red\" canonical=\"/default.ida\" "
	    "evidence=\"default.ida?NNNN\" limit=8192 origin=\"10.0.0.5:80\" peer=2001:db8::1\n"));
}

static void a_request_never_understood_is_a_dash(void **state)
{
	struct sample sample = {.record = {.kind = LOG_RECORD_ACCESS,
					   .reason = REASON_HEAD_TIMEOUT,
					   .action = VERDICT_CLOSE,
					   .enforced = 1}};
	(void)state;
	sample.record.client = sample.record.peer = addr_of("192.0.2.7");
	assert_non_null(strstr(
	    combined(&sample),
	    "192.0.2.7 - - [01/Jan/1970:00:00:00 +0000] \"-\" 000 0 \"-\" \"-\" host=\"-\""));
}

static void every_byte_is_printable_and_comes_back_from_its_escape(void **state)
{
	char all[256];
	struct sample sample = code_red();
	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	for (int i = 0; i < LOG_TEXT_COUNT; i++)
		sample.texts[i] = span_of(all, sizeof(all));
	const char *text = combined(&sample);
	size_t len = strlen(text);
	for (size_t i = 0; i + 1 < len; i++)
		assert_in_range((unsigned char)text[i], 0x20, 0x7e);
	assert_non_null(strstr(text, "\\x00\\x01\\x02"));
	assert_non_null(strstr(text, "\\x1f !\\x22#"));
	assert_non_null(strstr(text, "[\\x5c]"));
	assert_non_null(strstr(text, "~\\x7f\\x80"));
	assert_non_null(strstr(text, "\\xfe\\xff\""));
}

static void no_text_can_forge_a_line_or_a_field(void **state)
{
	static const struct span attacks[] = {
	    SPAN("x\" 200 5 \"-\" \"-\" action=allow"),
	    SPAN("x\n192.0.2.8 - - [23/Nov/2026"),
	    SPAN("x\r\nforged"),
	    SPAN("\x1b[2K\x1b[1Aforged"),
	    SPAN("\xe2\x80\xa6"),
	    SPAN("\\x22"),
	};
	(void)state;
	for (size_t a = 0; a < sizeof(attacks) / sizeof(attacks[0]); a++) {
		for (int t = 0; t < LOG_TEXT_COUNT; t++) {
			struct sample sample = code_red();
			sample.texts[t] = attacks[a];
			const char *text = combined(&sample);
			assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
			assert_null(strstr(text, "\" 200 5"));
			assert_null(strchr(text, '\x1b'));
			assert_null(strstr(text, "\xe2"));
			assert_null(strstr(text, "=\"\\x22\""));
		}
	}
}

static void a_cut_text_is_marked_in_a_way_no_text_can_imitate(void **state)
{
	struct sample sample = code_red();
	(void)state;
	sample.record.truncated = 1 << LOG_TEXT_TARGET;
	assert_non_null(strstr(combined(&sample), "NNNN%u9090\xe2\x80\xa6 HTTP/1.1\""));
}

static void texts_are_read_only_to_their_end(void **state)
{
	(void)state;
	for (size_t len = 1; len < 40; len++) {
		struct sample sample = code_red();
		char *guarded = guarded_copy("0123456789012345678901234567890123456789", len);
		for (int t = 0; t < LOG_TEXT_COUNT; t++)
			sample.texts[t] = span_of(guarded, len);
		combined(&sample);
		json_free(json(&sample));
		guarded_free(guarded, len);
	}
}

static void a_line_that_does_not_fit_is_not_begun(void **state)
{
	struct sample sample = code_red();
	char small[64] = "untouched";
	(void)state;
	for (size_t room = 0; room < sizeof(small); room++) {
		assert_int_equal(log_format_combined(&sample.record, sample.texts, small, room), 0);
		assert_int_equal(log_format_json(&sample.record, sample.texts, small, room), 0);
	}
}

static void the_longest_record_fits_in_the_longest_line(void **state)
{
	static char worst[LOG_RECORD_MAX];
	struct sample sample = code_red();
	(void)state;
	memset(worst, 0xff, sizeof(worst));
	for (int t = 0; t < LOG_TEXT_COUNT; t++)
		sample.texts[t] = span_of(worst, LOG_RECORD_MAX / LOG_TEXT_COUNT);
	assert_int_not_equal(log_format_combined(&sample.record, sample.texts, line, sizeof(line)),
			     0);
	assert_int_not_equal(log_format_json(&sample.record, sample.texts, line, sizeof(line)), 0);
}

static void values_that_no_worker_writes_are_shown_as_a_dash(void **state)
{
	struct sample sample;
	(void)state;
	memset(&sample, 0xff, sizeof(sample));
	memset(sample.texts, 0, sizeof(sample.texts));
	sample.record.truncated = 0;
	assert_non_null(strstr(combined(&sample), "- - - [01/Jan/1970:00:00:00 +0000] \"-\" 000 "));
	assert_non_null(strstr(line, " action=- reason=- "));
	struct json_value *value = json(&sample);
	assert_json_text(value, "action", SPAN("-"));
	assert_json_text(value, "client", SPAN("-"));
	json_free(value);
}

static void days_are_counted_by_the_calendar(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} cases[] = {
	    {0, "[01/Jan/1970:00:00:00 +0000]"},
	    {951782399, "[28/Feb/2000:23:59:59 +0000]"},
	    {951782400, "[29/Feb/2000:00:00:00 +0000]"},
	    {951868800, "[01/Mar/2000:00:00:00 +0000]"},
	    {1798761599, "[31/Dec/2026:23:59:59 +0000]"},
	    {1798761600, "[01/Jan/2027:00:00:00 +0000]"},
	    {4107542400, "[01/Mar/2100:00:00:00 +0000]"},
	    {253402300799, "[31/Dec/9999:23:59:59 +0000]"},
	    {253402300800, "[01/Jan/1970:00:00:00 +0000]"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sample sample = code_red();
		sample.record.wall_us = cases[i].seconds * 1000000;
		assert_non_null(strstr(combined(&sample), cases[i].text));
	}
}

static void an_event_is_one_line(void **state)
{
	struct sample sample = {.record = {.kind = LOG_RECORD_EVENT,
					   .folded = 41,
					   .reason = REASON_ORIGIN_REFUSED,
					   .wall_us = 1795468104123456}};
	(void)state;
	sample.texts[LOG_TEXT_SITE] = SPAN("shop");
	sample.texts[LOG_TEXT_ORIGIN] = SPAN("10.0.0.5:80 refused\nthe connection");
	assert_string_equal(
	    combined(&sample),
	    "2026-11-23T21:08:24.123Z reason=origin-refused folded=41 site=\"shop\" "
	    "event=\"10.0.0.5:80 refused\\x0athe connection\"\n");
	struct json_value *value = json(&sample);
	assert_json_text(value, "kind", SPAN("event"));
	assert_json_text(value, "event", SPAN("10.0.0.5:80 refused\nthe connection"));
	assert_int_equal(json_number(value, "folded"), 41);
	json_free(value);
}

static void an_event_about_an_egress_origin_names_it(void **state)
{
	struct sample sample = {.record = {.kind = LOG_RECORD_EVENT,
					   .reason = REASON_EGRESS_QUARANTINED,
					   .news = EGRESS_NEWS_QUARANTINE,
					   .wall_us = 1795468104123456}};
	(void)state;
	sample.texts[LOG_TEXT_EGRESS] = SPAN("10.0.0.5");
	sample.texts[LOG_TEXT_RULE] = SPAN("scan");
	sample.texts[LOG_TEXT_ORIGIN] = SPAN("origin 10.0.0.5 is in quarantine");
	assert_string_equal(combined(&sample),
			    "2026-11-23T21:08:24.123Z reason=egress-quarantined folded=0 news=quarantine "
			    "egress=\"10.0.0.5\" rule=\"scan\" event=\"origin 10.0.0.5 is in quarantine\"\n");
	struct json_value *value = json(&sample);
	assert_json_text(value, "news", SPAN("quarantine"));
	assert_json_text(value, "egress", SPAN("10.0.0.5"));
	json_free(value);
	sample.record.news = 4711; /* nothing that anybody writes */
	assert_non_null(strstr(combined(&sample), " news=- "));
}

static void json_line_has_every_field(void **state)
{
	struct sample sample = code_red();
	(void)state;
	struct json_value *value = json(&sample);
	assert_json_text(value, "time", SPAN("2026-11-23T21:08:24.123Z"));
	assert_json_text(value, "id", SPAN("0123456789abcdeffedcba9876543210"));
	assert_json_text(value, "client", SPAN("192.0.2.7"));
	assert_json_text(value, "version", SPAN("HTTP/1.1"));
	assert_json_text(value, "action", SPAN("reject"));
	assert_json_text(value, "reason", SPAN("rule"));
	assert_json_text(value, "rule", SPAN("worm.code-red"));
	assert_json_text(value, "target", SPAN("/default.ida?NNNN%u9090"));
	assert_int_equal(json_number(value, "status"), 403);
	assert_int_equal(json_number(value, "bytes_out"), 512);
	assert_int_equal(json_number(value, "head_us"), 80);
	assert_true(json_bool(value, "enforced"));
	assert_null(json_member(value, "latin1"));
	assert_null(json_member(value, "cut"));
	json_free(value);
}

static void json_says_which_texts_are_bytes_and_loses_none(void **state)
{
	struct sample sample = code_red();
	(void)state;
	sample.texts[LOG_TEXT_TARGET] = SPAN("/caf\xe9\0\n");
	sample.texts[LOG_TEXT_USER_AGENT] = SPAN("caf\xc3\xa9");
	sample.record.truncated = 1 << LOG_TEXT_TARGET;
	struct json_value *value = json(&sample);
	assert_non_null(strstr(line, "\"target\":\"/caf\\u00E9\\u0000\\n\""));
	assert_non_null(strstr(line, "\"latin1\":[\"target\"]"));
	assert_non_null(strstr(line, "\"cut\":[\"target\"]"));
	assert_json_text(value, "target", SPAN("/caf\xc3\xa9\0\n"));
	assert_json_text(value, "user_agent", SPAN("caf\xc3\xa9"));
	json_free(value);
}

static void tls_is_told_where_it_was_spoken(void **state)
{
	(void)state;
	struct sample sample = code_red();
	assert_null(strstr(combined(&sample), " tls="));
	sample.record.tls = 13;
	sample.record.tls_resumed = 1;
	sample.texts[LOG_TEXT_SNI] = SPAN("shop.example");
	sample.texts[LOG_TEXT_CIPHER] = SPAN("TLS_AES_256_GCM_SHA384");
	assert_non_null(strstr(combined(&sample), " tls=1.3"));
	size_t len = log_format_json(&sample.record, sample.texts, line, sizeof(line) - 1);
	line[len] = '\0';
	assert_non_null(strstr(line, "\"tls\":\"1.3\",\"resumed\":true"));
	assert_non_null(strstr(line, "\"sni\":\"shop.example\",\"cipher\":\"TLS_AES_256_GCM_SHA384\""));
	sample.record.tls = 4711; /* nothing that a worker writes */
	assert_null(strstr(combined(&sample), " tls="));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(combined_line_has_the_usual_fields_and_ours),
	    cmocka_unit_test(combined_line_shows_details_where_there_are_any),
	    cmocka_unit_test(a_request_never_understood_is_a_dash),
	    cmocka_unit_test(every_byte_is_printable_and_comes_back_from_its_escape),
	    cmocka_unit_test(no_text_can_forge_a_line_or_a_field),
	    cmocka_unit_test(a_cut_text_is_marked_in_a_way_no_text_can_imitate),
	    cmocka_unit_test(texts_are_read_only_to_their_end),
	    cmocka_unit_test(a_line_that_does_not_fit_is_not_begun),
	    cmocka_unit_test(the_longest_record_fits_in_the_longest_line),
	    cmocka_unit_test(values_that_no_worker_writes_are_shown_as_a_dash),
	    cmocka_unit_test(days_are_counted_by_the_calendar),
	    cmocka_unit_test(an_event_is_one_line),
	    cmocka_unit_test(an_event_about_an_egress_origin_names_it),
	    cmocka_unit_test(json_line_has_every_field),
	    cmocka_unit_test(tls_is_told_where_it_was_spoken),
	    cmocka_unit_test(json_says_which_texts_are_bytes_and_loses_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

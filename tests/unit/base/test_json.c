/* JSON: what is written comes back, whatever bytes a text holds, and what is malformed is
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guard_page.h"
#include "sallyport/json.h"

static void a_document_is_written_in_order_on_one_line(void **state)
{
	struct json_writer writer;
	struct strbuf out;
	(void)state;
	strbuf_init(&out, 1000);
	json_begin(&writer);
	json_add_text(&writer, "text", SPAN("a\n\"\xe2\x82\xac"));
	json_open_list(&writer, "list");
	json_add_number(&writer, NULL, 0);
	json_add_number(&writer, NULL, UINT64_MAX);
	json_open_object(&writer, NULL);
	json_close(&writer);
	json_close(&writer);
	json_add_bool(&writer, "yes", true);
	assert_true(json_end(&writer, &out));
	assert_string_equal(out.data,
			    "{\"text\":\"a\\n\\\"\\u20AC\",\"list\":[0,9223372036854775807,{}],"
			    "\"yes\":true}");
	strbuf_release(&out);
}

static void every_byte_comes_back(void **state)
{
	char all[256], buf[4096];
	struct json_writer writer;
	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	json_begin(&writer);
	json_add_text(&writer, "all", span_of(all, sizeof(all)));
	size_t len = json_end_to(&writer, buf, sizeof(buf));
	assert_true(len > 0);
	struct json_value *value = json_read(span_of(buf, len), NULL);
	struct span text = json_text(value, "all", NULL);
	size_t at = 0;
	for (unsigned i = 0; i < 256; i++) {
		if (i < 0x80) {
			assert_int_equal((unsigned char)text.ptr[at++], i);
			continue;
		}
		assert_int_equal((unsigned char)text.ptr[at++], 0xc0 | (i >> 6));
		assert_int_equal((unsigned char)text.ptr[at++], 0x80 | (i & 0x3f));
	}
	assert_int_equal(at, text.len);
	json_free(value);
}

static void only_well_formed_utf8_is_text(void **state)
{
	static const struct {
		struct span bytes;
		bool is_text;
	} cases[] = {
	    {SPAN(""), true},
	    {SPAN("abc\0"), true},
	    {SPAN("\xc2\x80\xdf\xbf"), true},
	    {SPAN("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"), true},
	    {SPAN("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), true},
	    {SPAN("\x80"), false},
	    {SPAN("\xc0\xaf"), false},
	    {SPAN("\xc1\xbf"), false},
	    {SPAN("\xc2"), false},
	    {SPAN("\xc2"
		  "a"),
	     false},
	    {SPAN("\xe0\x9f\xbf"), false},
	    {SPAN("\xed\xa0\x80"), false},
	    {SPAN("\xe2\x82"), false},
	    {SPAN("\xf0\x8f\xbf\xbf"), false},
	    {SPAN("\xf4\x90\x80\x80"), false},
	    {SPAN("\xf5\x80\x80\x80"), false},
	    {SPAN("\xf0\x90\x80"), false},
	    {SPAN("\xff"), false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *copy = guarded_copy(cases[i].bytes.ptr, cases[i].bytes.len);
		struct span bytes = span_of(copy, cases[i].bytes.len);
		assert_int_equal(json_is_text(bytes), cases[i].is_text);
		guarded_free(copy, cases[i].bytes.len);
	}
}

static void a_misused_writer_fails_at_its_end(void **state)
{
	struct json_writer writer;
	struct strbuf out;
	char buf[8];
	(void)state;
	strbuf_init(&out, 1000);
	json_begin(&writer);
	json_close(&writer);
	json_add_bool(&writer, "late", true);
	assert_false(json_end(&writer, &out));
	json_begin(&writer);
	for (int i = 0; i < JSON_DEPTH; i++)
		json_open_object(&writer, "deep");
	assert_false(json_end(&writer, &out));
	json_begin(&writer);
	json_add_text(&writer, "long", SPAN("0123456789"));
	assert_int_equal(json_end_to(&writer, buf, sizeof(buf)), 0);
	json_begin(&writer);
	assert_true(json_end(&writer, &out));
	assert_string_equal(out.data, "{}");
	strbuf_release(&out);
}

static void malformed_documents_are_refused_with_their_place(void **state)
{
	static const struct span cases[] = {
	    SPAN(""),         SPAN("{"),        SPAN("{} x"),
	    SPAN("\"text\""), SPAN("{\"a\":}"), SPAN("{\"a\":\"\xff\"}"),
	    SPAN("[1,]"),     SPAN("nul"),
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = {""};
		assert_null(json_read(cases[i], &err));
		assert_non_null(strstr(err.text, "not JSON: line "));
	}
}

static void nesting_without_end_is_refused(void **state)
{
	enum { DEEP = 1 << 20 };
	char *deep = malloc(DEEP);
	(void)state;
	assert_non_null(deep);
	memset(deep, '[', DEEP);
	assert_null(json_read(span_of(deep, DEEP), NULL));
	free(deep);
}

static void missing_or_mistyped_members_give_the_fallback(void **state)
{
	struct json_value *value =
	    json_read(SPAN("{\"n\":-1,\"t\":\"x\",\"l\":[true,7],\"b\":1}"), NULL);
	(void)state;
	assert_true(json_is_map(value));
	assert_false(json_is_map(json_member(value, "l")));
	assert_false(json_is_map(NULL));
	assert_int_equal(json_number(value, "n"), 0);
	uint64_t number = 7;
	assert_false(json_get_number(value, "n", &number));
	assert_false(json_get_number(value, "t", &number));
	assert_false(json_get_number(NULL, "t", &number));
	assert_int_equal(number, 7);
	assert_int_equal(json_number(value, "t"), 0);
	assert_int_equal(json_number(NULL, "t"), 0);
	assert_string_equal(json_text(value, "n", "none").ptr, "none");
	assert_string_equal(json_text(value, "t", "none").ptr, "x");
	assert_false(json_bool(value, "b"));
	assert_int_equal(json_count(json_member(value, "l")), 2);
	assert_int_equal(json_count(json_member(value, "t")), 0);
	assert_null(json_element(json_member(value, "l"), 2));
	assert_null(json_member(value, "none"));
	json_free(value);
}

static void members_are_copied_without_replacing_any(void **state)
{
	struct json_value *value = json_read(SPAN("{\"a\":1,\"b\":[2]}"), NULL);
	struct json_writer writer;
	struct strbuf out;
	(void)state;
	strbuf_init(&out, 1000);
	json_begin(&writer);
	json_add_bool(&writer, "a", true);
	json_add_members(&writer, value);
	json_add_value(&writer, "c", json_member(value, "b"));
	json_free(value);
	assert_true(json_end(&writer, &out));
	assert_string_equal(out.data, "{\"a\":true,\"b\":[2],\"c\":[2]}");
	strbuf_release(&out);
}

static bool tell(void *context, struct span key, const struct json_value *value)
{
	char number[JSON_NUMBER_MAX];
	struct strbuf *out = context;
	strbuf_add_str(out, key.ptr ? "." : "[]");
	strbuf_add_span(out, key);
	if (json_kind_of(value) != JSON_KIND_SCALAR)
		return json_each(value, tell, context);
	strbuf_add_char(out, '=');
	strbuf_add_span(out, json_scalar(value, number));
	return out->len < 100;
}

static void strict_reading_takes_any_value_and_visits_it_in_order(void **state)
{
	static const char text[] = "{\"b\":[1,-2.5,\"x\",{\"a\":null}],\"a\":true,\"\":false}";
	bool twice;
	struct strbuf out;
	struct json_value *value = json_read_strict(SPAN(text), &twice, NULL);
	(void)state;
	assert_non_null(value);
	assert_int_equal(json_kind_of(value), JSON_KIND_MAP);
	strbuf_init(&out, 1000);
	assert_true(json_each(value, tell, &out));
	assert_string_equal(out.data, ".b[]=1[]=-2.5[]=x[].a=null.a=true.=false");
	json_free(value);
	value = json_read_strict(SPAN(" 7 "), &twice, NULL);
	assert_int_equal(json_kind_of(value), JSON_KIND_SCALAR);
	json_free(value);
	assert_int_equal(json_kind_of(NULL), JSON_KIND_UNSET);
	strbuf_release(&out);
}

static void strict_reading_takes_whole_numbers_beyond_64_bits(void **state)
{
	char number[JSON_NUMBER_MAX];
	bool twice;
	(void)state;
	struct json_value *value = json_read_strict(SPAN("99999999999999999999"), &twice, NULL);
	assert_non_null(value);
	assert_true(span_eq(json_scalar(value, number), SPAN("1e+20")));
	json_free(value);
}

static void strict_reading_refuses_what_readers_take_differently(void **state)
{
	static const char *const texts[] = {"", "{\"a\":1,}", "1e999", "-1e999", "\"\\ud800\"", "{} {}", "\xef\xbb\xbf{}"};
	bool twice;
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct err err = {0};
		assert_null(json_read_strict(span_from_str(texts[i]), &twice, &err));
		assert_false(twice);
		assert_true(err.text[0]);
	}
	assert_null(json_read_strict(SPAN("[{\"a\":1,\"\\u0061\":1}]"), &twice, NULL));
	assert_true(twice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_document_is_written_in_order_on_one_line),
	    cmocka_unit_test(every_byte_comes_back),
	    cmocka_unit_test(only_well_formed_utf8_is_text),
	    cmocka_unit_test(a_misused_writer_fails_at_its_end),
	    cmocka_unit_test(malformed_documents_are_refused_with_their_place),
	    cmocka_unit_test(nesting_without_end_is_refused),
	    cmocka_unit_test(missing_or_mistyped_members_give_the_fallback),
	    cmocka_unit_test(members_are_copied_without_replacing_any),
	    cmocka_unit_test(strict_reading_takes_any_value_and_visits_it_in_order),
	    cmocka_unit_test(strict_reading_takes_whole_numbers_beyond_64_bits),
	    cmocka_unit_test(strict_reading_refuses_what_readers_take_differently),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

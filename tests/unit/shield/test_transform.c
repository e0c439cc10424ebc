/* Transformations: what each makes of a text, that none makes it longer, and which bytes make it
 * worth trying. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "dice.h"
#include "guard_page.h"
#include "shield/transform.h"

struct row {
	enum rule_transform transform;
	struct span in, out;
};

#define ROW(transform, in, out) {TRANSFORM_##transform, SPAN(in), SPAN(out)}

static const struct row rows[] = {
    ROW(LOWERCASE, "SeLECT \xc3\x84", "select \xc3\x84"),
    ROW(URL, "%3cscript%3E+x", "<script> x"),
    ROW(URL, "a+b", "a+b"),
    ROW(URL, "%u003cx%uff1e", "<x>"),
    ROW(URL, "%u4f60", "\xe4\xbd\xa0"),
    ROW(URL, "100%", "100%"),
    ROW(URL, "%zz%4", "%zz%4"),
    ROW(URL, "%zz%41+%4", "%zzA %4"),
    ROW(URL, "%00", "\0"),
    ROW(HTML, "&lt;a&#62;&#x3C;b&#X3e", "<a><b>"),
    ROW(HTML, "&#0000060;&colon;&Tab;", "<:\t"),
    ROW(HTML, "a&b=c&d", "a&b=c&d"),
    ROW(HTML, "&#;&#x;&;&", "&#;&#x;&;&"),
    ROW(HTML, "&#99999999999999999999;", "?"),
    ROW(JS, "\\x3c\\u003e\\u{27}\\74\\n\\q\\", "<>'<\nq\\"),
    ROW(JS, "\\u{110000}x", "?x"),
    ROW(CSS, "e\\78 pression\\000028 x\\zy", "expression(xzy"),
    ROW(CSS, "\\", "\\"),
    ROW(NULLS, "a\0b\0", "ab"),
    ROW(CONTROLS, "java\tscr\nipt\x01:", "javascript:"),
    ROW(SPACES, "a \t\r\n b", "a b"),
    ROW(NO_SPACES, " a \n b ", "ab"),
    ROW(TRIM, " \ta b\n", "a b"),
    ROW(COMMENTS, "un/**/ion/* x */select", "un ion select"),
    ROW(COMMENTS, "1/*!50000union*/2", "1 union 2"),
    ROW(COMMENTS, "a/*open", "a "),
    ROW(COMMENTS, "a/*/b", "a "),
    ROW(COMMENTS, "/", "/"),
    ROW(COMMENTS, "1--x1\nunion#y_2\r\nselect", "1 union select"),
    ROW(COMMENTS, "1-- a or b\nunion--\tc\nselect", "1 union select"),
    ROW(COMMENTS, "1--\nor#\n2", "1 or 2"),
    ROW(COMMENTS, "1 # 2 or 1=1\n3", "1 # 2 or 1=1\n3"),
    ROW(COMMENTS, "a--b c\nd", "a--b c\nd"),
    ROW(COMMENTS, "a-b\n#c", "a-b\n#c"),
    ROW(COMMENTS, "a -- b", "a -- b"),
    ROW(COMMENTS, "#", "#"),
    ROW(COMMENTS, "\n--", "\n--"),
    ROW(COMMENTS, "-\n-", "-\n-"),
    ROW(COMMENTS, "1\x01" "or\x1f" "1=1", "1 or 1=1"),
    ROW(COMMENTS, "1\xa0" "or\xa0" "1=1", "1 or 1=1"),
    ROW(COMMENTS, "\xc3\xa0=\xe0\xa0\x80", "\xc3\xa0=\xe0\xa0\x80"),
    ROW(COMMAND, "wh$()oa``mi", "whoami"),
    ROW(COMMAND, "```sh", "```sh"),
    ROW(COMMAND, "$()", "$()"),
    ROW(COMMAND, "c'a't\\ \"/e^tc\"", "cat /etc"),
    ROW(COMMAND, "cat${IFS}x$IFS$9y$IFSz$@w", "cat x y zw"),
    ROW(COMMAND, "$5", "$5"),
    ROW(PATH, "/a//b/./c/../d", "/a/b/d"),
    ROW(PATH, "a\\..\\..\\b", "../b"),
    ROW(PATH, "/../../x", "/../../x"),
    ROW(PATH, "", ""),
    ROW(BASE64, "PHNjcmlwdD4=", "<script>"),
    ROW(BASE64, "PD8-*x", "<?>"),
    ROW(HEX, "3c3E2", "<>"),
    ROW(HEX, "xx", ""),
};

static void each_transformation_does_what_it_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[256];
		char *copy = guarded_copy(rows[i].in.ptr, rows[i].in.len);
		struct span in = span_of(copy, rows[i].in.len);
		struct span got = transform_apply(rows[i].transform, in, out);
		if (!span_eq(got, rows[i].out))
			fail_msg("row %zu, %s: '%.*s'", i, rule_transform_word(rows[i].transform), SPAN_ARG(got));
		guarded_free(copy, rows[i].in.len);
	}
}

static size_t make_text(uint64_t *seed, char text[64])
{
	static const char bytes[] = "%u0aFfX&#x;ltg\\/*!5 \t\n'\"^$@{}IFSifs9.+=-_\0\x80\xff";
	size_t len = dice_next(seed) % 64;
	for (size_t i = 0; i < len; i++)
		text[i] = bytes[dice_next(seed) % (sizeof(bytes) - 1)];
	return len;
}

/* The room is exactly that of the input, and what lies behind it is unreadable. */
static void none_makes_a_text_longer_or_changes_one_without_its_bytes(void **state)
{
	(void)state;
	uint64_t seed = 1;
	for (int round = 0; round < 60000; round++) {
		char text[64], out[64 + 1];
		size_t len = make_text(&seed, text);
		enum rule_transform transform =
		    (enum rule_transform)(1 + dice_next(&seed) % (TRANSFORM_COUNT - 1));
		struct span in = span_of(text, len);
		out[len] = 0x55;
		struct span got = transform_apply(transform, in, out);
		assert_true(got.len <= len);
		assert_int_equal(out[len], 0x55);
		bool may = transform_kinds(transform) == KIND_ANY || transform_kinds(transform) & kinds_of(in);
		if (!may)
			assert_true(span_eq(got, in));
	}
}

static void chain_is_applied_in_its_order(void **state)
{
	(void)state;
	static const uint8_t chain[RULE_CHAIN_MAX] = {TRANSFORM_URL, TRANSFORM_HTML, TRANSFORM_LOWERCASE};
	char a[64], b[64];
	struct span in = SPAN("%26lt;SCRIPT%26gt;");
	assert_true(span_eq(transform_chain(chain, in, kinds_of(in), a, b), SPAN("<script>")));
	in = SPAN("plain");
	assert_ptr_equal(transform_chain(chain, in, kinds_of(in), a, b).ptr, in.ptr);
}

/* Also where the last bytes are looked at twice, or there are too few for that. */
static void kinds_are_those_of_all_bytes(void **state)
{
	(void)state;
	static const char bytes[] = "abzAZ019 .,-_\xa0\xff%&\\\t*'@[`{/:^\0\x7f+";
	uint64_t seed = 7;
	for (int round = 0; round < 60000; round++) {
		unsigned kinds = 0;
		char text[64];
		size_t len = dice_next(&seed) % 64, some = round % 3 ? 15 : sizeof(bytes) - 1;
		for (size_t i = 0; i < len; i++) {
			text[i] = bytes[dice_next(&seed) % some];
			kinds |= byte_kinds[(unsigned char)text[i]];
		}
		assert_int_equal(kinds_of(span_of(text, len)), kinds);
	}
	for (unsigned byte = 0; byte < 256; byte++) {
		char text[17];
		memset(text, (int)byte, sizeof(text));
		assert_int_equal(kinds_of(span_of(text, sizeof(text))), byte_kinds[byte]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_transformation_does_what_it_says),
	    cmocka_unit_test(none_makes_a_text_longer_or_changes_one_without_its_bytes),
	    cmocka_unit_test(chain_is_applied_in_its_order),
	    cmocka_unit_test(kinds_are_those_of_all_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

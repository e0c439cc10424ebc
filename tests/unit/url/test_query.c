/* Queries: what is found in them by the table in tests/vectors/url.txt, and what any
 * bytes at all may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "guard_page.h"
#include "url/url_vectors.h"

static void check_query_row(const struct vector_file *row)
{
	struct span evidence;
	size_t len = row->columns[1].len;
	char *raw = guarded_copy(row->columns[1].ptr, len), *buf = guarded_copy(raw, len);
	struct span query = span_of(raw, len);
	unsigned findings = url_scan_query(query, URL_FINDINGS_SPELLING, &evidence);
	expect_findings(row, findings, row->columns[3]);
	expect_span(row, "decoded query", url_decode_query(query, buf),
		    or_else(row->columns[2], query));
	assert_int_equal(findings == 0, evidence.ptr == NULL);
	guarded_free(buf, len);
	guarded_free(raw, len);
}

static void query_follows_the_table(void **state)
{
	(void)state;
	static struct vector_file row;
	unsigned rows = 0;
	vectors_open(&row, "tests/vectors/url.txt");
	while (vectors_next(&row)) {
		if (!span_eq(row.columns[0], SPAN("query")))
			continue;
		assert_int_equal(row.n, 4);
		check_query_row(&row);
		rows++;
	}
	assert_int_equal(complaints, 0);
	assert_true(rows >= 40);
}

static void query_names_the_place(void **state)
{
	(void)state;
	static const struct {
		const char *query, *evidence;
	} rows[] = {
	    {"a=%0a&b=%00&c=%00", "%00"}, {"a=%e9&f=x%c0%afy", "%c0%af"},
	    {"q=%u003c%u003e", "%u003c"}, {"a=50%&b=%zz", "%"},
	    {"u=%253A%252F", "%25"},      {"a={1}", "{"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span evidence;
		assert_true(url_scan_query(span_from_str(rows[i].query), URL_FINDINGS_SPELLING, &evidence));
		if (!span_eq(evidence, span_from_str(rows[i].evidence)))
			fail_msg("%s: '%.*s'", rows[i].query, SPAN_ARG(evidence));
	}
}

static void query_of_nothing_is_nothing(void **state)
{
	(void)state;
	struct span evidence;
	assert_int_equal(url_scan_query(span_of("", 0), URL_FINDINGS_SPELLING, &evidence), 0);
	assert_int_equal(url_decode_query(span_of("", 0), NULL).len, 0);
}

static void query_without_escape_is_decoded_where_it_is(void **state)
{
	(void)state;
	struct span query = SPAN("a=1&b=2;c/d?e");
	assert_ptr_equal(url_decode_query(query, NULL).ptr, query.ptr);
}

/* The same text as without, in the buffer, and what there was. */
static void decoding_notes_what_it_comes_upon(void **state)
{
	(void)state;
	static const struct {
		struct span raw;
		unsigned notes;
	} rows[] = {
	    {SPAN(""), 0},
	    {SPAN("plain+text"), 0},
	    {SPAN("a%20b"), URL_DECODED_ESCAPE},
	    {SPAN("100%"), URL_DECODED_LONE},
	    {SPAN("%4"), URL_DECODED_LONE},
	    {SPAN("%zz%41"), URL_DECODED_LONE | URL_DECODED_ESCAPE},
	    {SPAN("%00"), URL_DECODED_ESCAPE | URL_DECODED_NUL},
	    {SPAN("%2541"), URL_DECODED_ESCAPE | URL_DECODED_PERCENT},
	    {SPAN("%2b+"), URL_DECODED_ESCAPE},
	    {SPAN("a\0b"), URL_DECODED_RAW_NUL},
	    {SPAN("%c3%a4"), URL_DECODED_ESCAPE | URL_DECODED_HIGH},
	    {SPAN("\xe4"), URL_DECODED_HIGH},
	    {SPAN("a;b"), URL_DECODED_SEMICOLON},
	    {SPAN("%3b"), URL_DECODED_ESCAPE},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char plain[16], noted[URL_DECODE_ROOM(16)];
		unsigned notes = 0;
		struct span text = url_decode_noting(rows[i].raw, noted, &notes);
		assert_true(span_eq(text, url_decode_query(rows[i].raw, plain)));
		assert_true(text.len == 0 || text.ptr == noted);
		assert_int_equal(notes, rows[i].notes);
	}
}

/* Of any text; and neither is more read than the text nor more written than there is room. */
static void decoding_is_the_same_with_notes(void **state)
{
	(void)state;
	static const char bytes[] = "%%%%0257aAeEf+;&x\0\x80\xc3zg ";
	uint64_t seed = 11;
	for (int round = 0; round < 40000; round++) {
		char text[48], plain[URL_DECODE_ROOM(48)] = {0};
		size_t len = (size_t)round % sizeof(text);
		for (size_t i = 0; i < len; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
			text[i] = bytes[(size_t)(seed >> 33) % (sizeof(bytes) - 1)];
		}
		char *raw = guarded_copy(text, len), *noted = guarded_copy(plain, URL_DECODE_ROOM(len));
		unsigned notes;
		struct span got = url_decode_noting(span_of(raw, len), noted, &notes);
		assert_true(span_eq(got, url_decode_query(span_of(text, len), plain)));
		assert_int_equal(!!(notes & URL_DECODED_RAW_NUL), memchr(text, '\0', len) != NULL);
		assert_int_equal(!!(notes & URL_DECODED_SEMICOLON), memchr(text, ';', len) != NULL);
		guarded_free(noted, URL_DECODE_ROOM(len));
		guarded_free(raw, len);
	}
}

static void query_cut_anywhere_reads_nothing_past_its_end(void **state)
{
	(void)state;
	static const char text[] =
	    "a=%u00e9%c0%af%25%32%66+%e0%80%af|%f8%80%80%80%80\xc0\xaf%zz%00%u12";
	for (size_t len = 0; len < sizeof(text); len++) {
		struct span evidence = {0};
		char *raw = guarded_copy(text, len), *buf = guarded_copy(text, len);
		unsigned findings = url_scan_query(span_of(raw, len), URL_FINDINGS_SPELLING, &evidence);
		if (findings)
			assert_true(evidence.ptr >= raw &&
				    evidence.ptr + evidence.len <= raw + len);
		assert_true(url_decode_query(span_of(raw, len), buf).len <= len);
		guarded_free(buf, len);
		guarded_free(raw, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(query_follows_the_table),
	    cmocka_unit_test(query_names_the_place),
	    cmocka_unit_test(query_of_nothing_is_nothing),
	    cmocka_unit_test(query_without_escape_is_decoded_where_it_is),
	    cmocka_unit_test(decoding_notes_what_it_comes_upon),
	    cmocka_unit_test(decoding_is_the_same_with_notes),
	    cmocka_unit_test(query_cut_anywhere_reads_nothing_past_its_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Cookies and values of fields: what is found in them by the table in tests/vectors/url.txt, and
 * what any bytes at all may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>
#include "guard_page.h"
#include "url/url_vectors.h"

static unsigned scan(struct span text)
{
	struct span evidence;
	unsigned findings = url_scan_text(text, URL_FINDINGS_ALL, 0, &evidence);
	assert_int_equal(findings == 0, evidence.ptr == NULL);
	if (findings) {
		assert_true(evidence.len > 0 && evidence.ptr >= text.ptr);
		assert_true(evidence.ptr + evidence.len <= text.ptr + text.len);
	}
	return findings;
}

static void text_follows_the_table(void **state)
{
	(void)state;
	static struct vector_file row;
	unsigned rows = 0;
	vectors_open(&row, "tests/vectors/url.txt");
	while (vectors_next(&row)) {
		if (!span_eq(row.columns[0], SPAN("text")))
			continue;
		assert_int_equal(row.n, 3);
		size_t len = row.columns[1].len;
		char *raw = guarded_copy(row.columns[1].ptr, len);
		expect_findings(&row, scan(span_of(raw, len)), row.columns[2]);
		guarded_free(raw, len);
		rows++;
	}
	assert_int_equal(complaints, 0);
	assert_true(rows >= 40);
}

static void text_names_the_place(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		unsigned heeded, weighty;
		const char *evidence;
	} rows[] = {
	    {"a=%0a; b=%00", URL_FINDINGS_ALL, 0, "%00"},
	    {"a=%0a; b=%00", URL_FINDINGS_ALL, URL_ESCAPE_CONTROL, "%0a"},
	    {"a=%0a; b=%00", URL_ESCAPE_CONTROL, 0, "%0a"},
	    {"x caf\xc3\xa9s", URL_HIGH_BIT, 0, "\xc3\xa9"},
	    {"1%0d%0aset-cookie : x", URL_HEAD_SPLIT, 0, "%0d%0aset-cookie :"},
	    {"1%0d%0a%0d%0a<p>", URL_HEAD_SPLIT, 0, "%0d%0a%0d%0a"},
	    {"1%0aHTTP%2f1.1 200", URL_HEAD_SPLIT, 0, "%0aHTTP%2f"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span evidence;
		assert_true(url_scan_text(span_from_str(rows[i].text), rows[i].heeded,
					  rows[i].weighty, &evidence));
		if (!span_eq(evidence, span_from_str(rows[i].evidence)))
			fail_msg("%s: '%.*s'", rows[i].text, SPAN_ARG(evidence));
	}
}

/* The glance and the look agree, wherever in a word the odd byte stands. */
static void the_glance_misses_no_byte(void **state)
{
	(void)state;
	for (size_t len = 0; len <= 100; len++) {
		char plain[100];
		memset(plain, '$', sizeof(plain)); /* '%' less one: what a borrow would forge */
		char *raw = guarded_copy(plain, len);
		assert_true(url_text_is_plain(span_of(raw, len)));
		assert_int_equal(scan(span_of(raw, len)), 0);
		for (size_t at = 0; at < len; at++) {
			raw[at] = at % 2 ? '%' : '\x80';
			assert_false(url_text_is_plain(span_of(raw, len)));
			assert_true(scan(span_of(raw, len)) & (at % 2 ? URL_ESCAPE_INVALID : URL_RAW_BYTE));
			raw[at] = '$';
		}
		guarded_free(raw, len);
	}
}

/* Whatever is found, one finding alone is found in the same text. */
static void each_finding_is_found_alone(void **state)
{
	(void)state;
	static const char bytes[] = "%%%%%%0000aadd25uU.:-\r\nxsetcookie \x80\xc0\xae\xe2\xc3";
	srandom(20260101);
	for (int round = 0; round < 20000; round++) {
		char text[48];
		size_t len = (size_t)random() % sizeof(text);
		for (size_t i = 0; i < len; i++)
			text[i] = bytes[(size_t)random() % (sizeof(bytes) - 1)];
		char *raw = guarded_copy(text, len);
		unsigned all = scan(span_of(raw, len)), sum = 0;
		for (int i = 0; i < URL_FINDING_KINDS; i++) {
			struct span evidence;
			sum |= url_scan_text(span_of(raw, len), 1u << i, 0, &evidence);
		}
		assert_int_equal(all, sum);
		guarded_free(raw, len);
	}
}

static double seconds_for(const char *piece, size_t times)
{
	size_t len = strlen(piece);
	char *text = malloc(len * times);
	struct timespec from, to;
	struct span evidence;
	assert_non_null(text);
	for (size_t i = 0; i < times; i++)
		memcpy(text + i * len, piece, len);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	(void)url_scan_text(span_of(text, len * times), URL_FINDINGS_ALL & ~(unsigned)URL_ESCAPE_NUL, 0,
			    &evidence);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	free(text);
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

/* Quadratic time would take hours for these. */
static void no_text_costs_more_than_linear_time(void **state)
{
	(void)state;
	static const char *const pieces[] = {
	    "%", "%0a", "%0d%0a", "%0d%0ax-", "%0a++++", "%0a-", "%25", "\xe2\x80", "%0aaaaaaaaaaaaaaaaa", "a",
	};
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		double seconds = seconds_for(pieces[i], (4 << 20) / strlen(pieces[i]));
		if (seconds > 10)
			fail_msg("%s: %.1f s for 4 MiB", pieces[i], seconds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_follows_the_table),
	    cmocka_unit_test(text_names_the_place),
	    cmocka_unit_test(the_glance_misses_no_byte),
	    cmocka_unit_test(each_finding_is_found_alone),
	    cmocka_unit_test(no_text_costs_more_than_linear_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

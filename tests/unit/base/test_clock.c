/* Dates written by hand must be what the C library would write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <time.h>
#include "sallyport/clock.h"

static void assert_formats_like_libc(uint64_t seconds)
{
	char iso[CLOCK_ISO_SIZE], http[CLOCK_HTTP_SIZE], expected[64];
	time_t now = (time_t)seconds;
	struct tm tm;
	assert_non_null(gmtime_r(&now, &tm));
	clock_format_http(seconds * 1000000 + 999999, http);
	strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	assert_string_equal(http, expected);
	clock_format_iso(seconds * 1000000 + 7999, iso);
	strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.007Z", &tm);
	assert_string_equal(iso, expected);
}

static void clock_formats_every_day_of_four_centuries(void **state)
{
	(void)state;
	for (uint64_t day = 0; day < 146097 + 366; day++)
		assert_formats_like_libc(day * 86400 + day * 7919 % 86400);
}

static void clock_formats_the_ends_of_time(void **state)
{
	(void)state;
	assert_formats_like_libc(0);
	assert_formats_like_libc(4107542399);   /* 2100-02-28, no leap year */
	assert_formats_like_libc(253402300799); /* the last second with four digits */
	char iso[CLOCK_ISO_SIZE], http[CLOCK_HTTP_SIZE];
	clock_format_iso(UINT64_MAX, iso);
	clock_format_http(UINT64_MAX, http);
	assert_memory_equal(iso, "9999-12-31T23:59:59", 19);
	assert_string_equal(http, "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void clock_runs_forward(void **state)
{
	(void)state;
	uint64_t us = clock_mono_us(), ms = clock_mono_ms();
	assert_true(ms >= us / 1000 && ms < us / 1000 + 60000);
	assert_true(clock_mono_us() >= us);
	uint64_t wall = clock_wall_us() / 1000000;
	assert_true(wall + 5 > (uint64_t)time(NULL) && wall < (uint64_t)time(NULL) + 5);
}

static void clock_reads_the_dates_that_it_writes(void **state)
{
	(void)state;
	char iso[CLOCK_ISO_SIZE];
	for (uint64_t day = 0; day < 146097 + 366; day++) {
		uint64_t first_s;
		clock_format_iso(day * UINT64_C(86400000000), iso);
		assert_true(clock_parse_date(span_of(iso, 10), &first_s));
		assert_int_equal(first_s, day * 86400);
	}
}

static void clock_reads_no_date_that_is_none(void **state)
{
	(void)state;
	static const char *const rows[] = {
	    "",		  "2027-02-29", "2100-02-29", "2027-04-31", "2027-13-01", "2027-00-01", "2027-01-00",
	    "1969-12-31", "27-01-01",   "2027-1-1",   "2027/01/01", "2027-01-01 ", "+027-01-01", "2027-01-0x",
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t first_s = 7;
		if (clock_parse_date(span_from_str(rows[i]), &first_s))
			fail_msg("'%s' is %llu", rows[i], (unsigned long long)first_s);
	}
}

static void assert_parses_back(uint64_t seconds)
{
	char iso[CLOCK_ISO_SIZE];
	uint64_t back = 0;
	clock_format_iso(seconds * 1000000, iso);
	memcpy(iso + 19, "Z", 2);
	assert_true(clock_parse_iso(span_from_str(iso), &back));
	assert_true(back == seconds);
}

static void clock_reads_what_it_writes(void **state)
{
	(void)state;
	for (uint64_t day = 0; day < 146097; day += 13)
		assert_parses_back(day * 86400 + day * 7919 % 86400);
	assert_parses_back(0);
	assert_parses_back(253402300799);
}

static void clock_reads_no_other_form_and_no_date_that_is_none(void **state)
{
	static const char *const wrong[] = {
	    "", "2026-11-23", "2026-11-23T21:08:24", "2026-11-23T21:08:24.123Z", "2026-11-23 21:08:24Z",
	    "2026-11-23T21:08:24z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
	    "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
	    "1969-12-31T23:59:59Z", "+026-01-01T00:00:00Z", " 026-01-01T00:00:00Z", "2026-11-23T21:08:24ZZ",
	};
	uint64_t seconds = 7;
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (clock_parse_iso(span_from_str(wrong[i]), &seconds))
			fail_msg("%s was read", wrong[i]);
	assert_true(seconds == 7);
	assert_true(clock_parse_iso(SPAN("2024-02-29T23:59:59Z"), &seconds));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(clock_formats_every_day_of_four_centuries),
	    cmocka_unit_test(clock_formats_the_ends_of_time),
	    cmocka_unit_test(clock_reads_the_dates_that_it_writes),
	    cmocka_unit_test(clock_reads_no_date_that_is_none),
	    cmocka_unit_test(clock_runs_forward),
	    cmocka_unit_test(clock_reads_what_it_writes),
	    cmocka_unit_test(clock_reads_no_other_form_and_no_date_that_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

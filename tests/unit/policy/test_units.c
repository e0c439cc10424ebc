/* Numbers with units: what is read, what is refused, and that what is printed is read back. */

#include "sallyport/units.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "guard_page.h"

enum { REFUSED = -1 };

struct unit_case {
	const char *text;
	int64_t value; /* REFUSED */
};

/* Parses a copy that ends at an unreadable page. */
static void check(const struct unit_case *cases, bool (*parse)(struct span text, uint64_t *value))
{
	for (; cases->text; cases++) {
		const size_t len = strlen(cases->text);
		char *copy = guarded_copy(cases->text, len);
		uint64_t value = 7;
		const bool ok = parse(span_of(copy, len), &value);

		if (ok != (cases->value != REFUSED) || value != (ok ? (uint64_t)cases->value : 7))
			fail_msg("\"%s\" gives %d, %llu", cases->text, ok,
				 (unsigned long long)value);
		guarded_free(copy, len);
	}
}

static void sizes_are_powers_of_1024(void **state)
{
	static const struct unit_case cases[] = {
	    {"0", 0},
	    {"512", 512},
	    {"512 B", 512},
	    {"64 KiB", 65536},
	    {"10MiB", 10 << 20},
	    {"2 GiB", INT64_C(2) << 30},
	    {"8589934591 GiB", INT64_C(8589934591) << 30},
	    {"8589934592 GiB", REFUSED},
	    {"9223372036854775808", REFUSED},
	    {"64 kB", REFUSED},
	    {"64 KB", REFUSED},
	    {"64 kib", REFUSED},
	    {"64 KiB/s", REFUSED},
	    {"1.5 MiB", REFUSED},
	    {"-1", REFUSED},
	    {"+1", REFUSED},
	    {" 1", REFUSED},
	    {"KiB", REFUSED},
	    {"", REFUSED},
	    {"1 Ki", REFUSED},
	    {NULL, 0},
	};

	(void)state;
	check(cases, units_parse_bytes);
}

static void times_need_their_unit(void **state)
{
	static const struct unit_case cases[] = {
	    {"0", 0},
	    {"500 ms", 500},
	    {"10 s", 10000},
	    {"5min", 300000},
	    {"1 h", 3600000},
	    {"2 d", 172800000},
	    {"10", REFUSED},
	    {"10 m", REFUSED},
	    {"10 sec", REFUSED},
	    {"10 S", REFUSED},
	    {"1 h 30 min", REFUSED},
	    {"s", REFUSED},
	    {"106751991168 d", REFUSED},
	    {NULL, 0},
	};

	(void)state;
	check(cases, units_parse_time);
}

static void byte_rates_are_per_second(void **state)
{
	static const struct unit_case cases[] = {
	    {"500 B/s", 500},   {"500/s", 500},         {"1 KiB/s", 1024}, {"0 B/s", 0},
	    {"500 B", REFUSED}, {"500 B/min", REFUSED}, {"/s", REFUSED},   {"", REFUSED},
	    {"500 B /s", 500},  {"500 B/ s", REFUSED},  {NULL, 0},
	};

	(void)state;
	check(cases, units_parse_byte_rate);
}

static void rates_are_a_count_per_time(void **state)
{
	static const struct {
		const char *text;
		uint64_t count, per_ms;
	} cases[] = {
	    {"50/s", 50, 1000}, {"100/min", 100, 60000}, {"1 /h", 1, 3600000}, {"50", 0, 0},
	    {"50/ms", 0, 0},    {"50/", 0, 0},           {"/s", 0, 0},         {"50/2s", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy_rate rate = {0};

		assert_int_equal(units_parse_rate(span_from_str(cases[i].text), &rate),
				 cases[i].per_ms > 0);
		assert_int_equal(rate.count, cases[i].count);
		assert_int_equal(rate.per_ms, cases[i].per_ms);
	}
}

static void what_is_printed_is_read_back(void **state)
{
	static const uint64_t values[] = {0,     1,     999,     1000,     1024,
					  65535, 65536, 3600000, 86400001, UINT64_C(5) << 30};
	char text[UNITS_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		uint64_t value = 7;

		units_format(SETTING_BYTES, values[i], text);
		assert_true(units_parse_bytes(span_from_str(text), &value));
		assert_int_equal(value, values[i]);
		units_format(SETTING_TIME, values[i], text);
		assert_true(units_parse_time(span_from_str(text), &value));
		assert_int_equal(value, values[i]);
		units_format(SETTING_BYTE_RATE, values[i], text);
		assert_true(units_parse_byte_rate(span_from_str(text), &value));
		assert_int_equal(value, values[i]);
	}
	units_format(SETTING_BYTES, 10 << 20, text);
	assert_string_equal(text, "10 MiB");
	units_format(SETTING_TIME, 90000, text);
	assert_string_equal(text, "90 s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sizes_are_powers_of_1024),
	    cmocka_unit_test(times_need_their_unit),
	    cmocka_unit_test(byte_rates_are_per_second),
	    cmocka_unit_test(rates_are_a_count_per_time),
	    cmocka_unit_test(what_is_printed_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

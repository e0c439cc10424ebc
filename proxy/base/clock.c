/* Time from the kernel, and as text. The formats are written by hand: they
 * are needed for each request, and strftime asks the locale. */
#include "sallyport/clock.h"

#include <string.h>
#include <time.h>

static uint64_t clock_us(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_mono_ms(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

uint64_t clock_mono_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

uint64_t clock_wall_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

struct civil {
	unsigned year, month, day; /* month and day from 1 */
	unsigned weekday;          /* 0: Sunday */
	unsigned hour, minute, second;
};

enum { DAYS_100_YEARS = 36524, DAYS_400_YEARS = 146097, DAYS_1970 = 719468 /* from 1 March of the year 0 */ };

/* The calendar repeats every 400 years. Counted from 1 March, so that a leap day is the
 * last day of its year, the months from March on have 31 30 31 30 31 days, over and over. */
static void civil_from_days(unsigned days, struct civil *out)
{
	days += DAYS_1970;
	out->weekday = (days + 3) % 7;
	unsigned era = days / DAYS_400_YEARS;
	unsigned day = days % DAYS_400_YEARS;
	unsigned year =
	    (day - day / 1460 + day / DAYS_100_YEARS - day / (DAYS_400_YEARS - 1)) / 365;
	day -= 365 * year + year / 4 - year / 100;
	unsigned month = (5 * day + 2) / 153;
	out->day = day - (153 * month + 2) / 5 + 1;
	out->month = month < 10 ? month + 3 : month - 9;
	out->year = era * 400 + year + (out->month <= 2);
}

static void civil_from_seconds(uint64_t seconds, struct civil *out)
{
	const uint64_t last = 253402300799; /* end of the year 9999: four digits */
	if (seconds > last)
		seconds = last;
	unsigned of_day = (unsigned)(seconds % 86400);
	civil_from_days((unsigned)(seconds / 86400), out);
	out->hour = of_day / 3600;
	out->minute = of_day / 60 % 60;
	out->second = of_day % 60;
}

/* From such a year on; the inverse of civil_from_days. */
static uint64_t days_from_civil(unsigned year, unsigned month, unsigned day)
{
	year -= month <= 2;
	unsigned of_era = year % 400, from_march = month > 2 ? month - 3 : month + 9;
	unsigned days = 365 * of_era + of_era / 4 - of_era / 100 + (153 * from_march + 2) / 5 + day - 1;
	return (uint64_t)(year / 400) * DAYS_400_YEARS + days - DAYS_1970;
}

bool clock_parse_date(struct span text, uint64_t *first_s)
{
	uint64_t year, month, day;
	struct civil back;
	if (text.len != strlen("YYYY-MM-DD") || text.ptr[4] != '-' || text.ptr[7] != '-' ||
	    !span_to_u64(span_of(text.ptr, 4), 9999, &year) || !span_to_u64(span_of(text.ptr + 5, 2), 12, &month) ||
	    !span_to_u64(span_of(text.ptr + 8, 2), 31, &day) || year < 1970 || month == 0 || day == 0)
		return false;
	uint64_t days = days_from_civil((unsigned)year, (unsigned)month, (unsigned)day);
	civil_from_days((unsigned)days, &back); /* no 31 April comes out as it went in */
	*first_s = days * 86400;
	return back.year == year && back.month == month && back.day == day;
}

static void put_digits(char *at, unsigned value, unsigned digits)
{
	while (digits-- > 0) {
		at[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

static void put_time_of_day(char *at, const struct civil *civil)
{
	put_digits(at, civil->hour, 2);
	put_digits(at + 3, civil->minute, 2);
	put_digits(at + 6, civil->second, 2);
}

void clock_format_iso(uint64_t wall_us, char out[CLOCK_ISO_SIZE])
{
	struct civil civil;
	civil_from_seconds(wall_us / 1000000, &civil);
	memcpy(out, "0000-00-00T00:00:00.000Z", CLOCK_ISO_SIZE);
	put_digits(out, civil.year, 4);
	put_digits(out + 5, civil.month, 2);
	put_digits(out + 8, civil.day, 2);
	put_time_of_day(out + 11, &civil);
	put_digits(out + 20, (unsigned)(wall_us / 1000 % 1000), 3);
}

void clock_format_http(uint64_t wall_us, char out[CLOCK_HTTP_SIZE])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct civil civil;
	civil_from_seconds(wall_us / 1000000, &civil);
	memcpy(out, "Sun, 00 Jan 0000 00:00:00 GMT", CLOCK_HTTP_SIZE);
	memcpy(out, days + (size_t)civil.weekday * 3, 3);
	put_digits(out + 5, civil.day, 2);
	memcpy(out + 8, months + (size_t)(civil.month - 1) * 3, 3);
	put_digits(out + 12, civil.year, 4);
	put_time_of_day(out + 17, &civil);
}

bool clock_parse_iso(struct span text, uint64_t *seconds)
{
	uint64_t first_s, hour, minute, second;
	if (text.len != strlen("YYYY-MM-DDThh:mm:ssZ") || text.ptr[10] != 'T' || text.ptr[13] != ':' ||
	    text.ptr[16] != ':' || text.ptr[19] != 'Z' || !clock_parse_date(span_of(text.ptr, 10), &first_s) ||
	    !span_to_u64(span_of(text.ptr + 11, 2), 23, &hour) || !span_to_u64(span_of(text.ptr + 14, 2), 59, &minute) ||
	    !span_to_u64(span_of(text.ptr + 17, 2), 59, &second))
		return false;
	*seconds = first_s + hour * 3600 + minute * 60 + second;
	return true;
}

/* Sizes, times and rates. Tables of units and two small parsers; nothing is
 * rounded, and what does not fit is refused. */

#include "sallyport/units.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit byte_units[] = {
    {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {NULL, 0}};
static const struct unit time_units[] = {{"d", 86400000}, {"h", 3600000}, {"min", 60000},
					 {"s", 1000},     {"ms", 1},      {NULL, 0}};

/* Takes the digits at the start of *text. */
static bool take_number(struct span *text, uint64_t *number)
{
	size_t n = 0;

	while (n < text->len && ascii_is_digit(text->ptr[n]))
		n++;
	if (!span_to_u64(span_of(text->ptr, n), INT64_MAX, number))
		return false;
	*text = span_trim_ows(span_from(*text, n));
	return true;
}

static bool find_unit(const struct unit *units, struct span name, uint64_t *factor)
{
	for (; units->name; units++) {
		if (span_eq(span_from_str(units->name), name)) {
			*factor = units->factor;
			return true;
		}
	}
	return false;
}

static bool multiply(uint64_t number, uint64_t factor, uint64_t *out)
{
	if (number > INT64_MAX / factor)
		return false;
	*out = number * factor;
	return true;
}

bool units_parse_bytes(struct span text, uint64_t *bytes)
{
	uint64_t number;
	uint64_t factor = 1;

	if (!take_number(&text, &number))
		return false;
	if (text.len > 0 && !find_unit(byte_units, text, &factor))
		return false;
	return multiply(number, factor, bytes);
}

bool units_parse_time(struct span text, uint64_t *ms)
{
	uint64_t number;
	uint64_t factor = 1;

	if (!take_number(&text, &number))
		return false;
	if (text.len == 0 ? number != 0 : !find_unit(time_units, text, &factor))
		return false;
	return multiply(number, factor, ms);
}

bool units_parse_byte_rate(struct span text, uint64_t *bytes_per_s)
{
	if (!span_ends(text, SPAN("/s")))
		return false;
	text.len -= 2;
	return units_parse_bytes(text, bytes_per_s);
}

bool units_parse_rate(struct span text, struct policy_rate *rate)
{
	struct policy_rate out;

	if (!take_number(&text, &out.count) || text.len < 2 || text.ptr[0] != '/')
		return false;
	if (!find_unit(time_units, span_from(text, 1), &out.per_ms) || out.per_ms < 1000)
		return false;
	*rate = out;
	return true;
}

void units_format(enum setting_type type, uint64_t value, char out[UNITS_TEXT_SIZE])
{
	const bool is_time = type == SETTING_TIME;
	const bool is_bytes = type == SETTING_BYTES || type == SETTING_BYTE_RATE;
	const struct unit *unit = is_time ? time_units : byte_units;

	if (value == 0 || (!is_time && !is_bytes)) {
		snprintf(out, UNITS_TEXT_SIZE, "%llu%s", (unsigned long long)value,
			 type == SETTING_BYTE_RATE ? " B/s" : "");
		return;
	}
	while (value % unit->factor != 0)
		unit++;
	snprintf(out, UNITS_TEXT_SIZE, "%llu %s%s", (unsigned long long)(value / unit->factor),
		 unit->name, type == SETTING_BYTE_RATE ? "/s" : "");
}

/* Tells patterns that no plain value can match, by reading them, and writes what is left of others where values are
 * plain. It understands sequences, alternatives, groups, classes and repeats; whatever else it meets is taken for
 * something that may match plain bytes, or nothing, so that an answer of true is always right. */
#include "shield/rules_needs.h"

enum { NESTING_MAX = 64 };

static bool byte_is_plain(unsigned char byte, enum byte_kind marks)
{
	return !(byte_kinds[byte] & marks);
}

struct reading {
	const char *at;
	enum byte_kind marks;
	unsigned depth;
	bool lost; /* something was not understood: no answer is certain */
	struct strbuf *out; /* what was read and may match plain bytes; NULL: nobody asks */
};

static void write_to(struct reading *reading, const char *from)
{
	if (reading->out)
		strbuf_add(reading->out, from, (size_t)(reading->at - from));
}

static size_t written(const struct reading *reading)
{
	return reading->out ? reading->out->len : 0;
}

static void take_back(struct reading *reading, size_t len)
{
	if (reading->out)
		strbuf_cut(reading->out, len);
}

static bool read_alternatives(struct reading *reading);

static unsigned char hex_byte(struct reading *reading)
{
	int high = ascii_hex(reading->at[0]), low = high < 0 ? -1 : ascii_hex(reading->at[1]);
	if (low < 0) {
		reading->lost = true;
		return 'x';
	}
	reading->at += 2;
	return (unsigned char)(high << 4 | low);
}

/* Behind a backslash. May it be a plain byte, or none at all? */
static bool escape_may_be_plain(struct reading *reading)
{
	char c = *reading->at;
	if (c == '\0') {
		reading->lost = true;
		return true;
	}
	reading->at++;
	if (c == 'x')
		return byte_is_plain(hex_byte(reading), reading->marks);
	if (strchr("tnrfae", c))
		return false;
	if (ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z')) {
		reading->lost |= strchr("wWdDsSbBAzZ", c) == NULL;
		return true;
	}
	return byte_is_plain((unsigned char)c, reading->marks);
}

/* Behind "[": may a byte of the class be plain? A range may where an end or what lies between may. */
static bool class_may_be_plain(struct reading *reading)
{
	bool negated = *reading->at == '^', may = false, first = true;
	reading->at += negated;
	for (; *reading->at && (first || *reading->at != ']'); first = false) {
		if (reading->at[0] == '[' && reading->at[1] == ':') {
			reading->lost = true;
			return true;
		}
		char c = *reading->at++;
		may |= c == '\\' ? escape_may_be_plain(reading) : byte_is_plain((unsigned char)c, reading->marks);
		if (reading->at[0] == '-' && reading->at[1] != ']')
			may = true; /* a range: not worth looking closer */
	}
	if (!*reading->at)
		reading->lost = true;
	else
		reading->at++;
	return may || negated;
}

/* Behind "(?": what kind of group it is. True: what stands in it is matched as usual. */
static bool enter_special_group(struct reading *reading)
{
	if (*reading->at == ':') {
		reading->at++;
		return true;
	}
	reading->lost = true; /* look-around, flags, names */
	return false;
}

/* Behind "(": is a mark needed by it? */
static bool read_group(struct reading *reading)
{
	const char *begin = reading->at - 1;
	bool needs = false;
	if (++reading->depth > NESTING_MAX) {
		reading->lost = true;
		return false;
	}
	if (*reading->at == '*')
		reading->lost = true; /* a verb */
	if (*reading->at == '?') {
		reading->at++;
		if (!enter_special_group(reading))
			return false;
	}
	write_to(reading, begin);
	needs = read_alternatives(reading);
	begin = reading->at;
	reading->depth--;
	if (*reading->at == ')')
		reading->at++;
	else
		reading->lost = true;
	write_to(reading, begin);
	return needs;
}

static bool read_single(struct reading *reading, char c)
{
	switch (c) {
	case '[': return !class_may_be_plain(reading);
	case '\\': return !escape_may_be_plain(reading);
	case '.':
	case '^':
	case '$': return false;
	default: return !byte_is_plain((unsigned char)c, reading->marks);
	}
}

/* One element without its repeat: is a mark needed by it? */
static bool read_element(struct reading *reading)
{
	const char *begin = reading->at;
	char c = *reading->at++;
	if (c == '(')
		return read_group(reading);
	bool needs = read_single(reading, c);
	write_to(reading, begin);
	return needs;
}

/* May what stands before be left out? */
static bool read_repeat(struct reading *reading)
{
	bool optional = false;
	if (*reading->at == '?' || *reading->at == '*') {
		optional = true;
		reading->at++;
	} else if (*reading->at == '+') {
		reading->at++;
	} else if (reading->at[0] == '{' && ascii_is_digit(reading->at[1])) {
		optional = reading->at[1] == '0' && !ascii_is_digit(reading->at[2]);
		reading->at += strcspn(reading->at, "}");
		reading->at += *reading->at == '}';
	} else {
		reading->lost |= reading->at[0] == '{' && reading->at[1] == ',';
		return false;
	}
	if (*reading->at == '?' || *reading->at == '+')
		reading->at++; /* lazy or possessive */
	return optional;
}

static bool read_sequence(struct reading *reading)
{
	bool needs = false;
	while (*reading->at && *reading->at != '|' && *reading->at != ')' && !reading->lost) {
		const size_t before = written(reading);
		bool element = read_element(reading);
		const char *repeat = reading->at;
		bool optional = read_repeat(reading);
		write_to(reading, repeat);
		if (element && optional)
			take_back(reading, before);
		needs |= element && !optional;
	}
	return needs;
}

/* Is a mark needed by it? Then it is not written. is_first: none before it was. */
static bool read_alternative(struct reading *reading, bool is_first)
{
	const size_t before = written(reading);
	if (reading->out && !is_first)
		strbuf_add_char(reading->out, '|');
	bool needs = read_sequence(reading);
	if (needs)
		take_back(reading, before);
	return needs;
}

static bool read_alternatives(struct reading *reading)
{
	bool needs = read_alternative(reading, true);
	while (*reading->at == '|' && !reading->lost) {
		reading->at++;
		bool other = read_alternative(reading, needs);
		needs = needs && other;
	}
	return needs;
}

bool text_has_mark(const char *text, enum byte_kind marks)
{
	while (*text && byte_is_plain((unsigned char)*text, marks))
		text++;
	return *text != '\0';
}

bool pattern_write_plain(const char *text, enum byte_kind marks, struct strbuf *out)
{
	struct reading reading = {.at = text, .marks = marks, .out = out};
	bool needs = read_alternatives(&reading);
	if (!reading.lost && *reading.at == '\0')
		return !needs;
	strbuf_cut(out, 0);
	strbuf_add_str(out, text);
	return true;
}

bool condition_needs_marks(const struct rule_condition *condition, enum byte_kind marks)
{
	if (condition->op == OPERATOR_PATTERN) {
		struct reading reading = {.at = condition->texts[0], .marks = marks};
		bool needs = read_alternatives(&reading);
		return needs && !reading.lost && *reading.at == '\0';
	}
	for (const char *const *text = condition->texts; *text; text++) {
		if (!text_has_mark(*text, marks))
			return false;
	}
	return true;
}

/* From what a condition looks for to regular expressions: one for many patterns at once, over values between NUL
 * bytes, and one for a single value.
 *
 * For many at once the ends of a value are these bytes: ^ and $ become \x00. (They could be ends of lines, but
 * vectorscan 5.4.9 misses /^\w*\s*or/m in lines where \s takes a line end.) So it may find more than
 * there is, since a class may take a NUL, and never less. */
#include "shield/rules_expression.h"

#include "shield/rules_needs.h"

enum { EXPRESSION_MAX = 64 << 10 };

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || c == '_';
}

static void write_text(struct strbuf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (is_word(text.ptr[i]))
			strbuf_add_char(out, text.ptr[i]);
		else
			strbuf_addf(out, "\\x%02x", (unsigned char)text.ptr[i]);
	}
}

static void write_word(struct strbuf *out, struct span text)
{
	if (is_word(text.ptr[0]))
		strbuf_add_str(out, "\\b");
	write_text(out, text);
	if (is_word(text.ptr[text.len - 1]))
		strbuf_add_str(out, "\\b");
}

/* Behind "[", up to the "]" that closes it: nothing in it is an end of a value. */
static const char *write_class(struct strbuf *out, const char *text)
{
	const char *at = text + (*text == '^');
	at += *at == ']';
	while (*at && *at != ']') {
		const char *end = at[0] == '[' && at[1] == ':' ? strstr(at + 2, ":]") : NULL;
		at = end ? end + 2 : at[0] == '\\' && at[1] ? at + 2 : at + 1;
	}
	strbuf_add(out, text, (size_t)(at - text));
	return at;
}

/* "(?m", also among other flags: there ^ and $ are ends of lines, too. */
static bool has_lines(const char *text)
{
	while ((text = strstr(text, "(?")) != NULL) {
		text += 2;
		if (memchr(text, 'm', strspn(text, "imsx-")))
			return true;
	}
	return false;
}

static void write_pattern(struct strbuf *out, const char *text)
{
	const char *end = has_lines(text) ? "[\\x00\\n]" : "\\x00";
	for (; *text; text++) {
		bool is_escape = text[0] == '\\' && text[1];
		if (*text == '^' || *text == '$') {
			strbuf_add_str(out, end);
		} else if (is_escape && strchr("AzZ", text[1])) {
			strbuf_add_str(out, "\\x00");
			text++;
		} else {
			strbuf_add_char(out, *text);
			if (is_escape)
				strbuf_add_char(out, *++text);
			else if (*text == '[')
				text = write_class(out, text + 1) - 1;
		}
	}
}

static void write_expression(struct strbuf *out, const struct rule_condition *condition,
			     const char *text, bool among_others)
{
	const char *begin = among_others ? "\\x00" : "\\A", *end = among_others ? "\\x00" : "\\z";
	struct span bytes = span_from_str(text);
	if (condition->op == OPERATOR_PATTERN && among_others)
		write_pattern(out, text);
	else if (condition->op == OPERATOR_PATTERN)
		strbuf_add_str(out, text);
	else if (condition->op == OPERATOR_WORD)
		write_word(out, bytes);
	else {
		if (condition->op == OPERATOR_PREFIX || condition->op == OPERATOR_EQUALS)
			strbuf_add_str(out, begin);
		write_text(out, bytes);
		if (condition->op == OPERATOR_SUFFIX || condition->op == OPERATOR_EQUALS)
			strbuf_add_str(out, end);
	}
}

static bool has_room(struct expressions *expressions)
{
	if (expressions->n < expressions->room)
		return true;
	size_t room = expressions->room ? 2 * expressions->room : 64;
	struct pattern_source *grown = realloc(expressions->sources, room * sizeof(*grown));
	if (!grown)
		return false;
	expressions->sources = grown;
	expressions->room = room;
	return true;
}

/* False: it is for values without these marks, and none of them matches it. */
static bool write_source(struct strbuf *out, const struct rule_condition *condition, const char *text,
			 enum byte_kind marks)
{
	struct strbuf plain;
	if (!marks || condition->op != OPERATOR_PATTERN) {
		write_expression(out, condition, text, true);
		return !marks || !text_has_mark(text, marks);
	}
	strbuf_init(&plain, EXPRESSION_MAX);
	bool may_match = pattern_write_plain(text, marks, &plain);
	write_expression(out, condition, plain.data && !plain.truncated ? plain.data : text, true);
	strbuf_release(&plain);
	return may_match;
}

static bool add_source(struct expressions *expressions, const struct pattern_source *source)
{
	if (!has_room(expressions))
		return false;
	expressions->sources[expressions->n++] = *source;
	return true;
}

void expressions_add(struct expressions *expressions, const struct rule_condition *condition, unsigned id,
		     enum pattern_kind kind, enum byte_kind marks)
{
	for (const char *const *text = condition->texts; *text && !expressions->failed; text++) {
		struct strbuf out;
		strbuf_init(&out, EXPRESSION_MAX);
		const bool is_wanted = write_source(&out, condition, *text, marks);
		const struct pattern_source source = {.text = out.data, .id = id, .cased = condition->cased, .kind = kind};
		expressions->failed = out.truncated || !out.data || (is_wanted && !add_source(expressions, &source));
		if (!is_wanted || expressions->failed)
			strbuf_release(&out);
	}
}

void expressions_release(struct expressions *expressions)
{
	for (size_t i = 0; i < expressions->n; i++)
		free((char *)(uintptr_t)expressions->sources[i].text);
	free(expressions->sources);
}

bool expression_is_sure(const struct rule_condition *condition)
{
	return condition->op == OPERATOR_CONTAINS || condition->op == OPERATOR_WORD;
}

struct confirm *expression_confirm(const struct rule_condition *condition, struct err *err)
{
	struct confirm *confirm = NULL;
	struct strbuf out;
	strbuf_init(&out, EXPRESSION_MAX);
	for (const char *const *text = condition->texts; *text; text++) {
		strbuf_add_str(&out, text == condition->texts ? "(?:" : "|(?:");
		write_expression(&out, condition, *text, false);
		strbuf_add_char(&out, ')');
	}
	if (out.truncated || !out.data)
		err_set(err, "its texts are more than %d KiB", EXPRESSION_MAX >> 10);
	else
		confirm = confirm_new(out.data, condition->cased, err);
	strbuf_release(&out);
	return confirm;
}

/* From what a condition looks for to regular expressions. Texts are escaped byte by byte; a pattern
 * is taken as it is, but that its absolute anchors become a line's where several values are looked
 * at as lines. */
#include "shield/rules_expression.h"

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

/* \A is ^, \z and \Z are $ where the value is a line. */
static void write_pattern(struct strbuf *out, const char *text, bool as_line)
{
	for (; *text; text++) {
		char next = text[0] == '\\' ? text[1] : '\0';
		if (as_line && next == 'A') {
			strbuf_add_char(out, '^');
			text++;
		} else if (as_line && (next == 'z' || next == 'Z')) {
			strbuf_add_char(out, '$');
			text++;
		} else {
			strbuf_add_char(out, *text);
			if (next)
				strbuf_add_char(out, *++text);
		}
	}
}

static void write_expression(struct strbuf *out, const struct rule_condition *condition,
			     const char *text, bool as_line)
{
	struct span bytes = span_from_str(text);
	switch (condition->op) {
	case OPERATOR_PATTERN: write_pattern(out, text, as_line); break;
	case OPERATOR_WORD: write_word(out, bytes); break;
	case OPERATOR_CONTAINS: write_text(out, bytes); break;
	default:
		if (condition->op != OPERATOR_SUFFIX)
			strbuf_add_char(out, '^');
		write_text(out, bytes);
		if (condition->op != OPERATOR_PREFIX)
			strbuf_add_str(out, as_line ? "$" : "\\z");
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

void expressions_add(struct expressions *expressions, const struct rule_condition *condition, unsigned id,
		     enum pattern_kind kind)
{
	for (const char *const *text = condition->texts; *text; text++) {
		struct strbuf out;
		strbuf_init(&out, EXPRESSION_MAX);
		write_expression(&out, condition, *text, true);
		if (out.truncated || !out.data || !has_room(expressions)) {
			strbuf_release(&out);
			expressions->failed = true;
			return;
		}
		expressions->sources[expressions->n++] = (struct pattern_source){
		    .text = out.data, .id = id, .cased = condition->cased, .kind = kind};
	}
}

void expressions_release(struct expressions *expressions)
{
	for (size_t i = 0; i < expressions->n; i++)
		free((char *)(uintptr_t)expressions->sources[i].text);
	free(expressions->sources);
}

bool expression_minds_lines(const struct rule_condition *condition)
{
	if (condition->op != OPERATOR_PATTERN)
		return condition->op >= OPERATOR_PREFIX && condition->op <= OPERATOR_EQUALS;
	for (const char *at = condition->texts[0]; *at; at++) {
		if (*at == '^' || *at == '$' || (at[0] == '\\' && at[1] && strchr("AzZ", at[1])))
			return true;
	}
	return false;
}

/* "(?-m)" and the like. */
bool expression_says_lines(const struct rule_condition *condition)
{
	if (condition->op != OPERATOR_PATTERN)
		return false;
	const char *at = condition->texts && condition->texts[0] ? condition->texts[0] : "";
	while ((at = strstr(at, "(?")) != NULL) {
		at += 2;
		at += strspn(at, "imsx");
		if (*at == '-')
			return true;
	}
	return false;
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

/* Guesses what a syntax error is: a bracket without its fellow, a string without quotes, a name without
 * its '='. Looks at brackets of the whole text and at tokens of the line; decides nothing, since only
 * what libconfig has refused already comes here. */
#include "policy/syntax_hint.h"

enum { TOKEN_MAX = 40 };

/* One that is open, and what closes it: '\0' where the text ends before. */
struct bracket {
	char wants; /* what should close it; '\0': nothing is open */
	char closed;
	unsigned line, closed_line;
};

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* How many bytes the string or comment at the start of the text has; 0: neither starts there. */
static size_t opaque_length(const char *p)
{
	size_t n = 1;
	const char *end;

	if (*p == '#' || (p[0] == '/' && p[1] == '/'))
		return strcspn(p, "\n");
	if (p[0] == '/' && p[1] == '*') {
		end = strstr(p + 2, "*/");
		return end ? (size_t)(end + 2 - p) : strlen(p);
	}
	if (*p != '"')
		return 0;
	while (p[n] && p[n] != '"')
		n += p[n] == '\\' && p[n + 1] ? 2 : 1;
	return p[n] ? n + 1 : n;
}

static unsigned count_lines(const char *p, size_t n)
{
	unsigned lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += p[i] == '\n';
	return lines;
}

/* The first bracket that is not closed by its like, or that closes nothing. */
static bool find_bracket(const char *p, struct bracket *found)
{
	struct bracket open[SOURCE_DEPTH_MAX + 1];
	size_t depth = 0, n;
	unsigned line = 1;

	for (; *p; p += n) {
		n = opaque_length(p);
		if (n == 0)
			n = 1;
		if (is_one_of(*p, "({[") && depth <= SOURCE_DEPTH_MAX) {
			open[depth++] = (struct bracket){.wants = *p == '(' ? ')' : (char)(*p + 2), .line = line};
		} else if (is_one_of(*p, ")}]")) {
			*found = depth > 0 ? open[--depth] : (struct bracket){0};
			found->closed = *p;
			found->closed_line = line;
			if (found->wants != *p)
				return true;
		}
		line += count_lines(p, n);
	}
	if (depth == 0)
		return false;
	*found = open[depth - 1];
	return true;
}

static char opener_of(char closer)
{
	return closer == ')' ? '(' : (char)(closer - 2);
}

static void write_bracket(const struct source *source, const struct bracket *bracket, struct strbuf *out)
{
	if (bracket->wants == '\0') {
		strbuf_addf(out, "this '%c' closes nothing", bracket->closed);
		return;
	}
	strbuf_addf(out, "the '%c' of line %u is not closed", opener_of(bracket->wants),
		    source_where(source, bracket->line).line);
	if (bracket->closed)
		strbuf_addf(out, " before this '%c'", bracket->closed);
}

/* ---- tokens of the line ---- */

static bool is_literal(struct span word)
{
	size_t dots = 0, i = span_starts(word, SPAN("-")) || span_starts(word, SPAN("+")) ? 1 : 0;

	if (span_ieq(word, SPAN("true")) || span_ieq(word, SPAN("false")))
		return true;
	if (span_starts(word, SPAN("0x")))
		return true;
	for (; i < word.len; i++) {
		dots += word.ptr[i] == '.';
		if (!ascii_is_digit(word.ptr[i]) && !is_one_of(word.ptr[i], ".eEL"))
			return false;
	}
	return dots < 2;
}

static struct span take_word(struct span text, const char *ends)
{
	size_t n = 0;

	while (n < text.len && !is_one_of(text.ptr[n], ends))
		n++;
	return span_of(text.ptr, n);
}

static struct span shorten(struct span word)
{
	return span_of(word.ptr, word.len < TOKEN_MAX ? word.len : TOKEN_MAX);
}

static bool is_assigned(struct span rest)
{
	rest = span_trim_ows(rest);
	return rest.len > 0 && is_one_of(rest.ptr[0], "=:");
}

/* A word where a value belongs, and what follows it. Writes what is amiss with it. */
static void judge_value(struct span word, struct span rest, struct strbuf *out)
{
	word = shorten(word);
	if (is_assigned(rest))
		strbuf_addf(out, "'%.*s' is taken for a setting, which stands between '{' and '}'", SPAN_ARG(word));
	else if (!is_literal(word))
		strbuf_addf(out, "a string stands in double quotes: \"%.*s\"", SPAN_ARG(word));
}

/* "log.access", as messages name it, is written log = { access = …; }; */
static void explain_dots(struct span word, struct strbuf *out)
{
	strbuf_add_str(out, "a name has no dots, a setting stands in its group: ");
	for (size_t i = 0; i < word.len; i++) {
		if (word.ptr[i] == '.')
			strbuf_add_str(out, " = { ");
		else
			strbuf_add_char(out, word.ptr[i]);
	}
	strbuf_add_str(out, " = …;");
	for (size_t i = 0; i < word.len; i++)
		if (word.ptr[i] == '.')
			strbuf_add_str(out, " };");
}

/* A word where a name belongs, and what follows it. */
static void judge_name(struct span word, struct span rest, struct strbuf *out)
{
	word = shorten(word);
	if (span_find(word, '.') < word.len)
		explain_dots(word, out);
	else if (span_trim_ows(rest).len > 0 && !is_assigned(rest))
		strbuf_addf(out, "'%.*s' lacks its '=': a setting is written name = value;", SPAN_ARG(word));
}

/* Two signs that cannot follow one another. */
static void judge_signs(char before, char c, struct strbuf *out)
{
	if (before == ',' && is_one_of(c, ")}]"))
		strbuf_addf(out, "a ',' stands between items, none before '%c'", c);
	else if (is_one_of(before, "=:") && is_one_of(c, ";,)}]"))
		strbuf_addf(out, "no value stands between '%c' and '%c'", before, c);
	else if (before == '[' && is_one_of(c, "({["))
		strbuf_add_str(out, "groups and lists stand in a list, between '(' and ')', not between '[' and ']'");
	else if (is_one_of(before, ")}]") && is_one_of(c, "({["))
		strbuf_addf(out, "a ',' is missing between '%c' and '%c'", before, c);
}

/* Takes one token off the text; before: the last byte of the one before it. */
static char take_token(struct span *text, char before, struct strbuf *out)
{
	const char c = text->ptr[0];
	const bool is_value = is_one_of(before, "=:(,[");
	struct span word = take_word(*text, is_value ? " \t\r;,(){}[]\"'" : " \t\r;,(){}[]\"'=:#");

	if (c == '\'')
		strbuf_add_str(out, "a string stands in double quotes");
	else if (c == '@')
		strbuf_add_str(out, "@include \"file\" stands on a line of its own");
	else
		judge_signs(before, c, out);
	if (is_one_of(c, "'@;,(){}[]=:") || word.len == 0) {
		*text = span_from(*text, 1);
		return c;
	}
	*text = span_from(*text, word.len);
	if (is_value)
		judge_value(word, *text, out);
	else
		judge_name(word, *text, out);
	return 'w';
}

/* The last sign before the line; 'w' for a word or a string. */
static char sign_before(const char *p, unsigned line)
{
	char before = '\0';
	unsigned at = 1;
	size_t n;

	for (; *p && at < line; p += n) {
		n = opaque_length(p);
		at += count_lines(p, n > 0 ? n : 1);
		if (n == 0 && !is_one_of(*p, " \t\r\n"))
			before = is_one_of(*p, ";,(){}[]=:") ? *p : 'w';
		else if (*p == '"')
			before = 'w';
		n = n > 0 ? n : 1;
	}
	return before;
}

/* before: the last sign of the lines before it. */
static void judge_line(struct span line, char before, struct strbuf *out)
{
	if (span_starts(line, SPAN("\xef\xbb\xbf"))) {
		strbuf_add_str(out, "a byte order mark stands before it: save the file without one");
		return;
	}
	for (line = span_trim_ows(line); line.len > 0 && out->len == 0; line = span_trim_ows(line)) {
		size_t skipped = opaque_length(line.ptr);

		if (skipped > 0) {
			before = line.ptr[0] == '"' ? 'w' : before;
			line = span_from(line, skipped < line.len ? skipped : line.len);
		} else {
			before = take_token(&line, before, out);
		}
	}
}

void syntax_hint(const struct source *source, unsigned line, struct strbuf *out)
{
	struct bracket bracket = {0};
	bool amiss = find_bracket(source_text(source), &bracket);

	if (amiss && bracket.closed && bracket.closed_line <= line)
		write_bracket(source, &bracket, out);
	if (out->len == 0)
		judge_line(source_line(source, line), sign_before(source_text(source), line), out);
	if (out->len == 0 && amiss && !bracket.closed)
		write_bracket(source, &bracket, out);
}

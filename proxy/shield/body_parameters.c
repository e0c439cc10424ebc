/* Parameters of Content-Type and Content-Disposition (RFC 9110 section 5.6.6), without what readers
 * take differently. A backslash before a character that needs quoting is a quoted-pair to some and
 * two characters to others, so it is refused; before any other it is taken as it is by all
 * that matter, and names of files have it. */
#include "sallyport/http_head.h"
#include "shield/body_parse.h"

static bool is_mark(char c)
{
	return c != '\0' && strchr("()<>@,;:\\\"/[]?=", c) != NULL;
}

static bool fail(const char **what, enum reason *reason, enum reason why, const char *sentence)
{
	*what = sentence;
	*reason = why;
	return false;
}

/* rest begins behind the first quote. */
static bool take_quoted(struct span *rest, struct span *value, const char **what, enum reason *reason)
{
	size_t end = 0;
	while (end < rest->len && rest->ptr[end] != '"') {
		if (rest->ptr[end] == '\\' && end + 1 < rest->len && is_mark(rest->ptr[end + 1]))
			return fail(what, reason, REASON_BODY_AMBIGUOUS, "a backslash before a mark in a quoted string");
		end++;
	}
	if (end == rest->len)
		return fail(what, reason, REASON_BODY_MALFORMED, "a quoted string without an end");
	*value = span_of(rest->ptr, end);
	*rest = span_from(*rest, end + 1);
	return true;
}

static struct span skip_ows(struct span s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = span_from(s, 1);
	return s;
}

static size_t value_end(struct span s)
{
	size_t end = 0;
	while (end < s.len && s.ptr[end] != ';' && s.ptr[end] != ' ' && s.ptr[end] != '\t')
		end++;
	return end;
}

static bool take_value(struct span *rest, struct body_parameter *parameter, const char **what, enum reason *reason)
{
	parameter->is_quoted = rest->len > 0 && rest->ptr[0] == '"';
	if (parameter->is_quoted) {
		*rest = span_from(*rest, 1);
		return take_quoted(rest, &parameter->value, what, reason);
	}
	parameter->value = span_of(rest->ptr, value_end(*rest));
	*rest = span_from(*rest, parameter->value.len);
	return http_is_token(parameter->value) ||
	       fail(what, reason, REASON_BODY_MALFORMED, "the value of a parameter is no token and has no quotes");
}

bool body_next_parameter(struct span *rest, struct body_parameter *parameter, const char **what,
			 enum reason *reason)
{
	*what = NULL;
	for (;;) {
		*rest = skip_ows(*rest);
		if (rest->len == 0)
			return false;
		if (rest->ptr[0] != ';')
			return fail(what, reason, REASON_BODY_MALFORMED, "something other than a parameter");
		*rest = skip_ows(span_from(*rest, 1));
		if (rest->len > 0 && rest->ptr[0] != ';')
			break;
	}
	parameter->name = span_of(rest->ptr, span_find(*rest, '='));
	*rest = span_from(*rest, parameter->name.len + 1);
	if (!http_is_token(parameter->name))
		return fail(what, reason, REASON_BODY_MALFORMED, "a parameter that is not name=value");
	return take_value(rest, parameter, what, reason);
}

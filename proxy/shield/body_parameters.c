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

static bool fail(struct body_parameters *parameters, enum reason reason, const char *what)
{
	parameters->what = what;
	parameters->reason = reason;
	return false;
}

/* rest begins behind the first quote. */
static bool take_quoted(struct body_parameters *parameters, struct span *value)
{
	struct span rest = parameters->rest;
	size_t end = 0;
	while (end < rest.len && rest.ptr[end] != '"') {
		if (rest.ptr[end] == '\\' && end + 1 < rest.len && is_mark(rest.ptr[end + 1]))
			return fail(parameters, REASON_BODY_AMBIGUOUS, "a backslash before a mark in a quoted string");
		end++;
	}
	if (end == rest.len)
		return fail(parameters, REASON_BODY_MALFORMED, "a quoted string without an end");
	*value = span_of(rest.ptr, end);
	parameters->rest = span_from(rest, end + 1);
	return true;
}

static struct span skip_ows(struct span s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = span_from(s, 1);
	return s;
}

size_t body_word_len(struct span s)
{
	size_t len = 0;
	while (len < s.len && s.ptr[len] != ';' && s.ptr[len] != ' ' && s.ptr[len] != '\t')
		len++;
	return len;
}

static bool take_value(struct body_parameters *parameters, struct span *value)
{
	struct span rest = parameters->rest;
	if (rest.len > 0 && rest.ptr[0] == '"') {
		parameters->rest = span_from(rest, 1);
		return take_quoted(parameters, value);
	}
	*value = span_of(rest.ptr, body_word_len(rest));
	parameters->rest = span_from(rest, value->len);
	return http_is_token(*value) ||
	       fail(parameters, REASON_BODY_MALFORMED, "the value of a parameter is no token and has no quotes");
}

static bool has_stood(const struct body_parameters *parameters, struct span name)
{
	for (size_t i = 0; i < parameters->n; i++) {
		if (span_ieq(parameters->names[i], name))
			return true;
	}
	return false;
}

_Static_assert(BODY_PARAMETERS_MAX == 16, "it is said below");

static bool take_name(struct body_parameters *parameters, struct span *name)
{
	*name = span_of(parameters->rest.ptr, span_find(parameters->rest, '='));
	parameters->rest = span_from(parameters->rest, name->len + 1);
	if (!http_is_token(*name))
		return fail(parameters, REASON_BODY_MALFORMED, "a parameter that is not name=value");
	if (has_stood(parameters, *name))
		return fail(parameters, REASON_BODY_AMBIGUOUS, "a parameter twice");
	if (parameters->n == BODY_PARAMETERS_MAX)
		return fail(parameters, REASON_BODY_AMBIGUOUS, "more than 16 parameters");
	parameters->names[parameters->n++] = *name;
	return true;
}

bool body_next_parameter(struct body_parameters *parameters, struct body_parameter *parameter)
{
	struct span *rest = &parameters->rest;
	for (;;) {
		*rest = skip_ows(*rest);
		if (rest->len == 0)
			return false;
		if (rest->ptr[0] != ';')
			return fail(parameters, REASON_BODY_MALFORMED, "something other than a parameter");
		*rest = skip_ows(span_from(*rest, 1));
		if (rest->len > 0 && rest->ptr[0] != ';')
			break;
	}
	return take_name(parameters, &parameter->name) && take_value(parameters, &parameter->value);
}

/* Content-Type and charset: what a body claims to be. Strict, because an origin that reads the type
 * otherwise reads another body: no parameter stands twice, no type is a list, and no charset has
 * ASCII in other bytes than ASCII has it. Trusts no byte. */
#include "shield/body_parse.h"

static bool fail(struct body_fault *fault, enum reason reason, struct span evidence)
{
	*fault = (struct body_fault){.reason = reason, .evidence = evidence};
	return false;
}

/* ---- charset ---- */

/* "iso-8859-15": a prefix, and at most two digits. */
static bool is_numbered(struct span name, struct span prefix)
{
	struct span number = span_from(name, prefix.len);
	uint64_t n;
	return span_istarts(name, prefix) && number.len <= 2 && span_to_u64(number, 99, &n);
}

bool body_charset_read(struct span name, enum body_charset *charset)
{
	static const struct {
		const char *name;
		enum body_charset charset;
	} rows[] = {
	    {"utf-8", BODY_UTF_8},          {"utf8", BODY_UTF_8},
	    {"us-ascii", BODY_US_ASCII},    {"ascii", BODY_US_ASCII},
	    {"iso-8859-1", BODY_LATIN_1},   {"iso8859-1", BODY_LATIN_1},
	    {"latin1", BODY_LATIN_1},       {"koi8-r", BODY_OTHER_CHARSET},
	    {"koi8-u", BODY_OTHER_CHARSET}, {"euc-jp", BODY_OTHER_CHARSET},
	    {"euc-kr", BODY_OTHER_CHARSET},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (span_ieq(name, span_from_str(rows[i].name))) {
			*charset = rows[i].charset;
			return true;
		}
	}
	*charset = BODY_OTHER_CHARSET;
	return is_numbered(name, SPAN("iso-8859-")) || is_numbered(name, SPAN("windows-125"));
}

/* ---- Content-Type ---- */

static bool is_one_of(struct span subtype, const char *const *names)
{
	while (*names && !span_ieq(subtype, span_from_str(*names)))
		names++;
	return *names != NULL;
}

/* Of text and application. The names with "x-", and "jsonrequest", stand in the tables of Rails (Mime::JSON) and
 * Symfony (Request::initializeFormats), which read these bodies as any other JSON or XML. */
static bool is_message(struct span type, struct span subtype, const char *const *names)
{
	return (span_ieq(type, SPAN("text")) || span_ieq(type, SPAN("application"))) && is_one_of(subtype, names);
}

static bool is_json(struct span type, struct span subtype)
{
	static const char *const names[] = {"json", "x-json", "jsonrequest", "json-rpc", "csp-report", NULL};
	return (span_iends(subtype, SPAN("+json")) && !span_ieq(type, SPAN("image"))) || is_message(type, subtype, names);
}

/* Images and pages are documents that somebody stores, with a document type of their own, and no message to
 * an application. */
static bool is_xml(struct span type, struct span subtype)
{
	static const char *const names[] = {"xml", "x-xml", NULL};
	return (span_iends(subtype, SPAN("+xml")) && !span_ieq(type, SPAN("image")) &&
		!span_ieq(subtype, SPAN("xhtml+xml"))) ||
	       is_message(type, subtype, names);
}

static enum body_kind kind_of(struct span type, struct span subtype)
{
	if (span_ieq(type, SPAN("application")) && span_ieq(subtype, SPAN("x-www-form-urlencoded")))
		return BODY_FORM;
	if (span_ieq(type, SPAN("multipart"))) /* see body_type.is_mixed */
		return BODY_MULTIPART;
	return is_json(type, subtype) ? BODY_JSON : is_xml(type, subtype) ? BODY_XML : BODY_RAW;
}

static bool is_boundary(struct span value)
{
	if (value.len == 0 || value.len > BODY_BOUNDARY_MAX || value.ptr[value.len - 1] == ' ')
		return false;
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i], lower = ascii_lower(c);
		if (!(lower >= 'a' && lower <= 'z') && !ascii_is_digit(c) &&
		    (c == '\0' || !strchr("'()+_,-./:=? ", c)))
			return false;
	}
	return true;
}

static bool heed(struct body_type *type, const struct body_parameter *parameter, struct body_fault *fault)
{
	if (span_ieq(parameter->name, SPAN("charset")))
		return body_charset_read(parameter->value, &type->charset) ||
		       fail(fault, REASON_BODY_CHARSET, parameter->value);
	if (type->kind != BODY_MULTIPART || !span_ieq(parameter->name, SPAN("boundary")))
		return true;
	if (!is_boundary(parameter->value))
		return fail(fault, REASON_BODY_TYPE, parameter->value);
	memcpy(type->boundary, parameter->value.ptr, parameter->value.len);
	type->boundary_len = (uint8_t)parameter->value.len;
	return true;
}

/* Two names where one would do ("boundary" and "boundary*") are read as one by some. */
static bool read_parameters(struct span value, struct span rest, struct body_type *type, struct body_fault *fault)
{
	struct body_parameters parameters = {.rest = rest};
	struct body_parameter parameter;
	while (body_next_parameter(&parameters, &parameter)) {
		if (span_find(parameter.name, '*') < parameter.name.len)
			return fail(fault, REASON_BODY_TYPE, value);
		if (!heed(type, &parameter, fault))
			return false;
	}
	if (parameters.what)
		return fail(fault, REASON_BODY_TYPE, value);
	if (type->kind == BODY_XML && type->charset == BODY_OTHER_CHARSET) /* expat knows no others */
		return fail(fault, REASON_BODY_CHARSET, value);
	return type->kind != BODY_MULTIPART || type->boundary_len > 0 || fail(fault, REASON_BODY_TYPE, value);
}

bool body_type_read(struct span value, struct body_type *type, struct body_fault *fault)
{
	*type = (struct body_type){.kind = BODY_RAW};
	if (value.len == 0)
		return true;
	struct span whole = span_of(value.ptr, body_word_len(value));
	struct span major = span_of(whole.ptr, span_find(whole, '/'));
	struct span minor = span_from(whole, major.len + 1);
	if (!http_is_token(major) || !http_is_token(minor))
		return fail(fault, REASON_BODY_TYPE, value);
	type->kind = kind_of(major, minor);
	type->is_mixed = type->kind == BODY_MULTIPART && !span_ieq(minor, SPAN("form-data"));
	return (type->kind == BODY_RAW && !span_ieq(major, SPAN("text"))) ||
	       read_parameters(value, span_from(value, whole.len), type, fault);
}

bool body_type_of(const struct http_head *head, struct body_type *type, struct body_fault *fault)
{
	struct span value = {0};
	for (size_t i = 0; i < head->field_count; i++) {
		if (head->fields[i].id != HTTP_FIELD_CONTENT_TYPE)
			continue;
		if (value.ptr)
			return fail(fault, REASON_BODY_TYPE, http_field_value(head, &head->fields[i]));
		value = http_field_value(head, &head->fields[i]);
	}
	return body_type_read(value, type, fault);
}

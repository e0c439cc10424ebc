/* The field lines of a part of multipart/form-data (RFC 7578 section 4): what it is called, whether it is
 * a file, what type it has. As browsers and programs write them, and none of what readers take
 * differently: folded lines, fields or parameters twice, codings, other parts inside.
 *
 * In multipart of any other kind a part need not have a name; where it has one, it is read as a form's, since there
 * are origins that do so. To Rack its Content-ID is its name then. */
#include "sallyport/http_head.h"
#include "sallyport/json.h"
#include "shield/body_parse.h"

struct part_reading {
	struct body *body;
	struct body_part *part;
	bool has_disposition;
	struct span id; /* Content-ID, where it may be a name */
};

static bool is_mixed(const struct part_reading *reading)
{
	return reading->body->type.is_mixed;
}

static bool malformed(struct part_reading *reading, const char *what)
{
	return body_refuse(reading->body, REASON_BODY_MALFORMED, what);
}

static bool ambiguous(struct part_reading *reading, const char *what)
{
	return body_refuse(reading->body, REASON_BODY_AMBIGUOUS, what);
}

/* ---- filename*: RFC 8187 ---- */

/* A token's, but these. */
static bool is_attr_char(char c)
{
	return http_is_token(span_of(&c, 1)) && !memchr("*'%", c, 3);
}

/* In place: what is decoded is not longer. False: malformed. */
static bool decode_extended(struct span coded, char *out, size_t *len)
{
	*len = 0;
	for (size_t i = 0; i < coded.len; i++) {
		char c = coded.ptr[i];
		if (c == '%') {
			int high = i + 2 < coded.len ? ascii_hex(coded.ptr[i + 1]) : -1;
			int low = high >= 0 ? ascii_hex(coded.ptr[i + 2]) : -1;
			if (low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
			if ((unsigned char)c < 0x20 || c == 0x7f)
				return false;
		} else if (!is_attr_char(c)) {
			return false;
		}
		out[(*len)++] = c;
	}
	return json_is_text(span_of(out, *len));
}

static bool take_extended(struct part_reading *reading, struct span value)
{
	struct body *body = reading->body;
	size_t charset = span_find(value, '\'');
	struct span rest = span_from(value, charset + 1);
	struct span coded = span_from(rest, span_find(rest, '\'') + 1);
	size_t len;
	if (charset >= value.len || span_find(rest, '\'') >= rest.len)
		return malformed(reading, "part: filename* is not charset'language'value");
	if (!span_ieq(span_of(value.ptr, charset), SPAN("utf-8")))
		return body_refuse_bytes(body, REASON_BODY_CHARSET, NULL, value);
	char *out = body->kept.data + body->kept.len; /* body_part_read made room */
	if (!decode_extended(coded, out, &len))
		return malformed(reading, "part: filename* is not encoded as RFC 8187 has it");
	body->kept.len += len;
	reading->part->other_name = span_of(out, len);
	return true;
}

/* ---- Content-Disposition ---- */

static bool heed_parameter(struct part_reading *reading, const struct body_parameter *parameter)
{
	struct body_part *part = reading->part;
	if (span_ieq(parameter->name, SPAN("name"))) {
		part->name = parameter->value;
		return true;
	}
	if (span_ieq(parameter->name, SPAN("filename"))) {
		part->file_name = parameter->value;
		part->is_file = true;
		return true;
	}
	if (span_ieq(parameter->name, SPAN("filename*"))) {
		part->is_file = true;
		return take_extended(reading, parameter->value);
	}
	/* name*, filename*0 and the like (RFC 2231): names to some, nothing to others */
	return span_find(parameter->name, '*') == parameter->name.len ||
	       ambiguous(reading, "part: a parameter in the extended form of RFC 2231");
}

/* What .NET writes beside filename* (RFC 2047), and no file is called. */
static bool is_encoded_word(struct span name)
{
	return span_starts(name, SPAN("=?")) && span_ends(name, SPAN("?="));
}

static bool check_names(struct part_reading *reading)
{
	const struct body_part *part = reading->part;
	struct body *body = reading->body;
	if (part->name.len == 0 && !is_mixed(reading))
		return malformed(reading, "part: it has no name");
	if (part->file_name.ptr && part->other_name.ptr && !span_eq(part->file_name, part->other_name) &&
	    !is_encoded_word(part->file_name))
		return ambiguous(reading, "part: filename and filename* say different names");
	return body_within(body, BODY_LIMIT_NAME, part->name.len) &&
	       body_within(body, BODY_LIMIT_FILE_NAME, part->file_name.len) &&
	       body_within(body, BODY_LIMIT_FILE_NAME, part->other_name.len) && body_check_text(body, part->name) &&
	       body_check_text(body, part->file_name);
}

static bool take_disposition(struct part_reading *reading, struct span value)
{
	struct span type = span_of(value.ptr, span_find(value, ';'));
	struct body_parameters parameters = {.rest = span_from(value, type.len)};
	struct body_parameter parameter;
	if (reading->has_disposition)
		return ambiguous(reading, "part: Content-Disposition twice");
	reading->has_disposition = true;
	if (!span_ieq(span_trim_ows(type), SPAN("form-data")) && !is_mixed(reading))
		return malformed(reading, "part: Content-Disposition is not form-data");
	while (body_next_parameter(&parameters, &parameter)) {
		if (!heed_parameter(reading, &parameter))
			return false;
	}
	return parameters.what ? body_refuse(reading->body, parameters.reason, parameters.what) : check_names(reading);
}

/* ---- the other fields ---- */

static bool take_type(struct part_reading *reading, struct span value)
{
	if (reading->part->type.ptr)
		return ambiguous(reading, "part: Content-Type twice");
	reading->part->type = value;
	return true;
}

static bool take_id(struct part_reading *reading, struct span value)
{
	if (!is_mixed(reading))
		return true;
	if (reading->id.ptr)
		return ambiguous(reading, "part: Content-ID twice");
	reading->id = value;
	return true;
}

/* Neither text nor what is read as a message. */
static bool is_document(struct span value)
{
	struct body_type type;
	struct body_fault fault;
	return value.ptr && !span_istarts(value, SPAN("text/")) &&
	       (!body_type_read(value, &type, &fault) || (type.kind != BODY_JSON && type.kind != BODY_XML));
}

/* A document among others is no argument: it has "<…>" (RFC 2045 section 7), or nothing, for a name. */
static bool name_by_id(struct part_reading *reading)
{
	struct body_part *part = reading->part;
	struct span id = reading->id;
	bool is_argument = id.len > 0 && !(span_starts(id, SPAN("<")) && span_ends(id, SPAN(">")));
	if (part->name.len > 0)
		return true;
	part->name = id;
	part->is_file |= !is_argument && is_document(part->type);
	return body_within(reading->body, BODY_LIMIT_NAME, id.len) && body_check_text(reading->body, id);
}

/* Once it is known whether it is a file's, which may have any type and charset: nobody decodes it. */
static bool check_type(struct part_reading *reading)
{
	struct body_part *part = reading->part;
	struct body_type type;
	struct body_fault fault;
	if (!part->type.ptr)
		return true;
	bool is_sound = body_type_read(part->type, &type, &fault);
	if (span_istarts(part->type, SPAN("multipart")) && (part->name.len > 0 || !is_mixed(reading)))
		return ambiguous(reading, "part: other parts inside of it");
	if (!is_sound && !part->is_file)
		return body_refuse_bytes(reading->body, fault.reason, NULL, fault.evidence);
	part->is_json = is_sound && type.kind == BODY_JSON;
	return true;
}

/* RFC 7578 section 4.7 has none; those that change nothing are still written. */
static bool take_coding(struct part_reading *reading, struct span value)
{
	return span_ieq(value, SPAN("binary")) || span_ieq(value, SPAN("8bit")) || span_ieq(value, SPAN("7bit")) ||
	       ambiguous(reading, "part: a Content-Transfer-Encoding that changes bytes");
}

static bool take_length(struct part_reading *reading, struct span value)
{
	if (reading->part->has_length)
		return ambiguous(reading, "part: Content-Length twice");
	reading->part->has_length = true;
	return span_to_u64(value, INT64_MAX, &reading->part->length) ||
	       malformed(reading, "part: Content-Length is no number");
}

static bool take_field(struct part_reading *reading, struct span line)
{
	static const struct {
		const char *name;
		bool (*take)(struct part_reading *reading, struct span value);
	} fields[] = {
	    {"content-disposition", take_disposition},
	    {"content-type", take_type},
	    {"content-transfer-encoding", take_coding},
	    {"content-length", take_length},
	    {"content-id", take_id},
	};
	struct span name = span_of(line.ptr, span_find(line, ':'));
	if (name.len == line.len || !http_is_token(name))
		return malformed(reading, "part: a line that is no field");
	struct span value = span_trim_ows(span_from(line, name.len + 1));
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (span_ieq(name, span_from_str(fields[i].name)))
			return fields[i].take(reading, value);
	}
	return true;
}

/* Lines end in CRLF, which is seen to as they come. Before any of them means something. */
static bool check_lines(struct part_reading *reading, struct span head)
{
	for (size_t i = 0; i < head.len; i++) {
		unsigned char c = (unsigned char)head.ptr[i];
		bool ends = c == '\r' && i + 1 < head.len && head.ptr[i + 1] == '\n';
		if (((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f) && !ends)
			return malformed(reading, "part: a control byte in its field lines");
		if ((c == ' ' || c == '\t') && (i == 0 || head.ptr[i - 1] == '\n'))
			return ambiguous(reading, "part: a folded line");
	}
	return true;
}

bool body_part_read(struct body *body, struct span head, struct body_part *part)
{
	struct part_reading reading = {.body = body, .part = part};
	*part = (struct body_part){0};
	body->kept.len = 0;
	if (!body_text_reserve(body, &body->kept, head.len) || !check_lines(&reading, head))
		return false;
	while (head.len > 0) {
		struct span line = span_of(head.ptr, span_find(head, '\n') - 1);
		if (!take_field(&reading, line))
			return false;
		head = span_from(head, line.len + 2);
	}
	if (!reading.has_disposition && !is_mixed(&reading))
		return malformed(&reading, "part: it has no Content-Disposition");
	return (!is_mixed(&reading) || name_by_id(&reading)) && check_type(&reading);
}

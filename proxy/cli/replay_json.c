/* Lines of access logs in JSON: our own, Caddy's, Traefik's, Logstash's, the Elastic Common Schema, and what people
 * make of nginx's and Apache's variables. Which member means what is the table below; the first
 * that has a text wins. "a.b" is a member named so, or b within a.
 *
 * A line that is not UTF-8, or has \xHH in it (nginx without escape=json, Apache), is no JSON: it is
 * written anew with one character for each such byte, and its texts are turned back into bytes. */
#include "cli/replay_line.h"

enum meaning { MEANS_LINE, MEANS_METHOD, MEANS_TARGET, MEANS_QUERY, MEANS_VERSION, MEANS_HOST, MEANS_CLIENT,
	       MEANS_REFERER, MEANS_AGENT, MEANS_STATUS, MEANS_SCHEME, MEANINGS };

enum { NAMES_MAX = 12 };

/* conf/README.md has this table. */
static const char *const names[MEANINGS][NAMES_MAX] = {
    [MEANS_LINE] = {"request", "request_line", "requestLine"},
    [MEANS_METHOD] = {"method", "request_method", "requestMethod", "request.method", "http.request.method",
		      "RequestMethod", "verb"},
    [MEANS_TARGET] = {"target", "request_uri", "requestUri", "request.uri", "url.original", "RequestPath", "uri", "url",
		      "requestPath", "path"},
    [MEANS_QUERY] = {"args", "query", "query_string", "queryString", "url.query"},
    [MEANS_VERSION] = {"version", "server_protocol", "protocol", "request.proto", "RequestProtocol", "proto"},
    /* "host" may be the machine that ships the log */
    [MEANS_HOST] = {"http_host", "request.host", "RequestHost", "url.domain", "vhost", "virtual_host", "host",
		    "server_name"},
    [MEANS_CLIENT] = {"client", "remote_addr", "remoteAddr", "client_ip", "clientip", "remote_ip", "remoteIP",
		      "request.client_ip", "request.remote_ip", "ClientHost", "source.address", "source.ip"},
    [MEANS_REFERER] = {"referer", "http_referer", "referrer", "httpReferer", "request_Referer", "http.request.referrer"},
    [MEANS_AGENT] = {"user_agent", "http_user_agent", "userAgent", "httpUserAgent", "agent", "request_User-Agent",
		     "user_agent.original"},
    [MEANS_STATUS] = {"status", "status_code", "statusCode", "response", "http.response.status_code",
		      "DownstreamStatus"},
    [MEANS_SCHEME] = {"scheme", "request_scheme", "url.scheme", "RequestScheme"},
};

/* ---- a line that is no JSON yet ---- */

static void add_character(struct strbuf *out, unsigned char byte)
{
	if (byte < 0x20 || byte == '"' || byte == '\\') {
		strbuf_addf(out, "\\u%04x", byte);
	} else if (byte < 0x80) {
		strbuf_add_char(out, (char)byte);
	} else {
		strbuf_add_char(out, (char)(0xc0 | byte >> 6));
		strbuf_add_char(out, (char)(0x80 | (byte & 0x3f)));
	}
}

/* What two bytes from a backslash on are, where JSON has no such escape: how many bytes were read. */
static size_t add_escape(struct strbuf *out, const char *s, size_t left)
{
	if (left >= 4 && s[1] == 'x' && ascii_hex(s[2]) >= 0 && ascii_hex(s[3]) >= 0) {
		add_character(out, (unsigned char)(ascii_hex(s[2]) << 4 | ascii_hex(s[3])));
		return 4;
	}
	if (left >= 2 && s[1] == 'v') {
		strbuf_add_str(out, "\\u000b");
		return 2;
	}
	strbuf_add(out, s, left < 2 ? left : 2);
	return left < 2 ? left : 2;
}

static void write_as_json(struct strbuf *out, struct span line)
{
	strbuf_reset(out);
	for (size_t i = 0; i < line.len;) {
		if (line.ptr[i] == '\\') {
			i += add_escape(out, line.ptr + i, line.len - i);
		} else if ((unsigned char)line.ptr[i] < 0x20) {
			add_character(out, (unsigned char)line.ptr[i++]);
		} else if (line.ptr[i] == '"') {
			strbuf_add_char(out, line.ptr[i++]);
		} else {
			add_character(out, (unsigned char)line.ptr[i++]);
		}
	}
}

/* ---- texts ---- */

struct object {
	struct line_reader *reader;
	const struct json_value *root;
	bool is_ours;  /* sallyport wrote it */
	bool is_bytes; /* each character up to U+00FF is a byte */
};

/* One character of UTF-8; what is above U+00FF stays as it is. */
static size_t take_byte(const unsigned char *at, size_t left, char *out)
{
	bool is_latin1 = left >= 2 && (at[0] == 0xc2 || at[0] == 0xc3);
	*out = is_latin1 ? (char)((at[0] & 3) << 6 | (at[1] & 0x3f)) : (char)at[0];
	return is_latin1 ? 2 : 1;
}

/* Into the reader's room. */
static struct span as_bytes(struct line_reader *reader, struct span text)
{
	char *start = reader->bytes + reader->used;
	size_t len = 0;
	if (reader->used + text.len > REPLAY_TEXTS_MAX)
		return (struct span){0};
	for (size_t i = 0; i < text.len; len++)
		i += take_byte((const unsigned char *)text.ptr + i, text.len - i, start + len);
	reader->used += len;
	return span_of(start, len);
}

static struct span keep(struct line_reader *reader, struct span text)
{
	if (reader->used + text.len > REPLAY_TEXTS_MAX)
		return (struct span){0};
	char *start = memcpy(reader->bytes + reader->used, text.ptr, text.len);
	reader->used += text.len;
	return span_of(start, text.len);
}

/* As others write that there is none; what we write is what there was. */
static bool is_none(const struct object *object, struct span text)
{
	return !object->is_ours && (span_eq(text, SPAN("-")) || span_eq(text, SPAN("null")));
}

/* A text, or a number as one. ptr NULL: there is none. */
static struct span text_of(struct object *object, const struct json_value *value)
{
	char number[JSON_NUMBER_MAX];
	if (json_kind_of(value) != JSON_KIND_SCALAR)
		return (struct span){0};
	struct span text = json_scalar(value, number);
	if (text.len == 0)
		return (struct span){0};
	if (text.ptr == number)
		return keep(object->reader, text);
	return object->is_bytes ? as_bytes(object->reader, text) : text;
}

/* "a.b.c" from the outside in, where no member has the whole name. */
static const struct json_value *find(const struct json_value *root, const char *name)
{
	char part[32];
	const struct json_value *value = json_member(root, name);
	while (!value && root) {
		size_t len = strcspn(name, ".");
		if (len >= sizeof(part))
			return NULL;
		memcpy(part, name, len);
		part[len] = '\0';
		root = json_member(root, part);
		if (name[len] == '\0')
			return root;
		name += len + 1;
	}
	return value;
}

static struct span meant(struct object *object, enum meaning meaning)
{
	for (size_t i = 0; i < NAMES_MAX && names[meaning][i]; i++) {
		struct span text = text_of(object, find(object->root, names[meaning][i]));
		if (text.ptr && !is_none(object, text))
			return text;
	}
	return (struct span){0};
}

/* ---- what there is ---- */

/* As a query stands behind a path, where the log has them apart. */
static struct span join(struct line_reader *reader, struct span path, struct span query)
{
	if (query.ptr && query.ptr[0] == '?')
		query = span_from(query, 1);
	if (path.len == 0 || query.len == 0 || span_find(path, '?') < path.len)
		return path;
	struct span start = keep(reader, path), mark = keep(reader, SPAN("?")), rest = keep(reader, query);
	if (!start.ptr || !mark.ptr || !rest.ptr)
		return path;
	return span_of(start.ptr, start.len + mark.len + rest.len);
}

static bool take_request(struct object *object, struct logged *out)
{
	struct span line = meant(object, MEANS_LINE), target = line;
	out->method = meant(object, MEANS_METHOD);
	if (line.ptr && (!out->method.ptr || span_find(line, ' ') < line.len)) {
		logged_split(out, line);
		return true;
	}
	if (!target.ptr) /* with Logstash's pattern "request" is the target alone */
		target = meant(object, MEANS_TARGET);
	out->target = join(object->reader, target, meant(object, MEANS_QUERY));
	out->version = meant(object, MEANS_VERSION);
	if (!span_istarts(out->version, SPAN("HTTP/")))
		out->version = SPAN("HTTP/1.1");
	return out->method.ptr != NULL && out->target.ptr != NULL;
}

struct fields {
	struct object *object;
	struct logged *out;
};

/* Caddy has all fields, and says REDACTED for what is secret. Host is told by itself. */
static bool take_field(void *context, struct span name, const struct json_value *values)
{
	struct fields *fields = context;
	if (span_ieq(name, SPAN("Host")))
		return true;
	for (size_t i = 0; i < json_count(values); i++) {
		struct span value = text_of(fields->object, json_element(values, i));
		if (value.ptr && !span_eq(value, SPAN("REDACTED")))
			logged_add_field(fields->out, name, value);
	}
	return true;
}

static void take_fields(struct object *object, struct logged *out)
{
	struct fields fields = {object, out};
	const struct json_value *all = find(object->root, "request.headers");
	if (json_is_map(all) && json_each(all, take_field, &fields))
		return;
	logged_add_field(out, SPAN("Referer"), meant(object, MEANS_REFERER));
	logged_add_field(out, SPAN("User-Agent"), meant(object, MEANS_AGENT));
}

static bool is_listed(const struct json_value *list, const char *name)
{
	char number[JSON_NUMBER_MAX];
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json_value *element = json_element(list, i);
		if (json_kind_of(element) == JSON_KIND_SCALAR &&
		    span_eq(json_scalar(element, number), span_from_str(name)))
			return true;
	}
	return false;
}

/* Our own: texts that were no UTF-8 are listed by name. */
static struct span our_text(struct object *object, const char *name)
{
	struct object ours = *object;
	ours.is_bytes = is_listed(json_member(object->root, "latin1"), name);
	return text_of(&ours, json_member(object->root, name));
}

static void take_ours(struct object *object, struct logged *out)
{
	out->method = our_text(object, "method");
	out->target = our_text(object, "target");
	out->host = our_text(object, "host");
	out->version = our_text(object, "version");
	out->field_count = 0;
	logged_add_field(out, SPAN("Referer"), our_text(object, "referer"));
	logged_add_field(out, SPAN("User-Agent"), our_text(object, "user_agent"));
	out->verdict.reason = our_text(object, "reason");
	out->verdict.rule = our_text(object, "rule");
	out->verdict.evidence = our_text(object, "evidence");
	out->verdict.canonical = our_text(object, "canonical");
	out->is_egress = json_member(object->root, "egress") != NULL;
	out->is_cut = is_listed(json_member(object->root, "cut"), "target");
	out->is_tls = json_member(object->root, "tls") != NULL;
	const struct json_value *enforced = json_member(object->root, "enforced");
	logged_set_action(out, json_text(object->root, "action", ""),
			  !enforced || json_bool(object->root, "enforced"));
}

static bool is_ours(const struct json_value *root)
{
	return json_text(root, "kind", NULL).ptr && json_text(root, "action", NULL).ptr && json_member(root, "peer");
}

static void take_rest(struct object *object, struct logged *out)
{
	uint64_t status = 0;
	out->host = meant(object, MEANS_HOST);
	out->client = meant(object, MEANS_CLIENT);
	out->is_tls = span_ieq(meant(object, MEANS_SCHEME), SPAN("https")) || find(object->root, "request.tls");
	if (span_to_u64(meant(object, MEANS_STATUS), 999, &status))
		out->status = (unsigned)status;
	take_fields(object, out);
}

enum line_kind line_read_json(struct line_reader *reader, struct span line, struct logged *out, struct err *err)
{
	json_free(reader->document);
	reader->used = 0;
	reader->document = json_read(line, err);
	struct object object = {.reader = reader};
	if (!reader->document) {
		write_as_json(&reader->text, line);
		reader->document = json_read(strbuf_span(&reader->text), err);
		object.is_bytes = true;
	}
	object.root = reader->document;
	if (!object.root)
		return LINE_BAD;
	if (!json_is_map(object.root) && !err_set(err, "no JSON object"))
		return LINE_BAD;
	object.is_ours = is_ours(object.root);
	if (reader->dialect == DIALECT_SALLYPORT && !object.is_ours && !json_text(object.root, "event", NULL).ptr &&
	    !err_set(err, "none of our own lines"))
		return LINE_BAD;
	if (!take_request(&object, out))
		return LINE_OTHER;
	take_rest(&object, out);
	if (object.is_ours)
		take_ours(&object, out);
	return LINE_REQUEST;
}

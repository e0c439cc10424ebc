/* An exception as text, for whoever was refused and should not have been. Names come from clients: no
 * byte of them gets into the text but as printable ASCII. Pure. */
#include "sallyport/clock.h"
#include "shield/body_schema.h"
#include "shield/compiled.h"
#include "shield/exception_words.h"

static void add_string(struct strbuf *out, const char *key, struct span text)
{
	strbuf_addf(out, "%s = \"", key);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '"' || c == '\\')
			strbuf_add_char(out, '\\');
		strbuf_add_char(out, c);
	}
	strbuf_add_str(out, "\"; ");
}

/* "argument_name" */
static void add_key(struct strbuf *out, enum rule_target target)
{
	for (const char *c = rule_target_word(target); *c; c++)
		strbuf_add_char(out, *c == '-' ? '_' : *c);
}

static void add_name(struct strbuf *out, enum rule_target target, struct span name)
{
	add_key(out, target);
	strbuf_add_str(out, " = \"");
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];
		if (c < 0x20 || c >= 0x7f || c == '%' || c == '"' || c == '\\')
			strbuf_addf(out, "%%%02X", c);
		else
			strbuf_add_char(out, (char)c);
	}
	strbuf_add_str(out, "\"; ");
}

static void add_value(struct strbuf *out, enum rule_target target, struct span name)
{
	if (target_has_names(target) && name.len > 0)
		add_name(out, target, name);
	else if (target != TARGET_UNSET)
		add_string(out, "where", span_from_str(rule_target_word(target)));
}

static void add_end(struct strbuf *out, uint64_t now_us)
{
	char date[CLOCK_ISO_SIZE];
	clock_format_iso(now_us + EXCEPTION_DAYS * UINT64_C(86400000000), date);
	add_string(out, "expires", now_us > 0 ? span_of(date, strlen("YYYY-MM-DD")) : SPAN("never"));
}

/* May it stand in a policy? */
static bool is_nameable(struct span path)
{
	char room[URL_CANON_ROOM(POLICY_PATH_MAX)];
	struct url_canon canon;
	if (path.len > POLICY_PATH_MAX)
		return false;
	url_canon_path(path, room, &canon);
	return canon.findings == URL_FINDING_NONE;
}

/* Is it one that exceptions with a path are never for? */
static bool is_in_doubt(struct span path)
{
	static const struct url_canon_options options = {
	    .heeded = URL_BACKSLASH | URL_ENCODED_SLASH | URL_ESCAPE_DOUBLE | URL_ESCAPE_CONTROL | URL_ESCAPE_NUL |
		      URL_PARAMETER_DOTS | URL_DOTS_AMBIGUOUS | URL_DOTS_DISGUISED};
	char room[URL_CANON_ROOM(POLICY_PATH_MAX)];
	struct url_canon canon;
	if (path.len > POLICY_PATH_MAX)
		return false;
	url_canon_path_as(path, &options, room, &canon);
	return !canon_is_clear(&canon);
}

static size_t last_slash(struct span path)
{
	const char *slash = memrchr(path.ptr, '/', path.len);
	return slash ? (size_t)(slash - path.ptr) : 0;
}

/* A path that no policy can name stands below one that it can. */
static void add_path(struct strbuf *out, struct span path)
{
	struct span named = path;
	if (path.len == 0 || path.ptr[0] != '/' || is_in_doubt(path))
		return;
	while (named.len > 0 && !is_nameable(named))
		named.len = last_slash(named);
	add_string(out, "path", named.len > 0 ? named : SPAN("/"));
	if (named.len == path.len)
		strbuf_add_str(out, "exact = true; ");
}

void exception_suggest(const struct exception_place *place, struct strbuf *out)
{
	strbuf_add_str(out, "{ ");
	add_string(out, place->rule ? "rule" : "finding",
		   span_from_str(place->rule ? place->rule : place->finding));
	if (place->path.ptr)
		add_path(out, place->path);
	if (place->method.ptr)
		add_string(out, "method", place->method);
	add_value(out, place->target, place->name);
	add_string(out, "owner", SPAN(EXCEPTION_OWNER_UNSAID));
	add_string(out, "reason", SPAN(EXCEPTION_REASON_UNSAID));
	add_end(out, place->now_us);
	strbuf_add_char(out, '}');
}

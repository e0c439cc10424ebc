/* An exception as a policy writes it, and the checks of one alone. Which rules there are is
 * not known here. */
#include "sallyport/clock.h"
#include "sallyport/http_head.h"
#include "sallyport/suggest.h"
#include "sallyport/url.h"
#include "shield/body_schema.h"
#include "shield/exception_words.h"

#define EXCEPTION(member) offsetof(struct exception, member)
#define NAMED(key, target, sample, text)                                                           \
	{key, SETTING_STRING, EXCEPTION(names[TARGET_##target]), .example = sample, .doc = text}

static const struct setting exception_rows[] = {
    {"rule", SETTING_STRING, EXCEPTION(rule), .example = "\"sql.union\"",
     .doc = "The rule that may match, by its id, or rules by the beginning of theirs: `sql.*`. One of "
	    "`rule`, `tag` and `finding` is needed."},
    {"tag", SETTING_STRING, EXCEPTION(tag), .example = "\"sql\"",
     .doc = "Every rule with this tag may match."},
    {"finding", SETTING_STRING, EXCEPTION(finding), .example = "\"escape-invalid\"",
     .doc = "This finding may be met, neither refused nor scored: in an `argument`, a `cookie` or a `field`."},
    {"path", SETTING_STRING, EXCEPTION(path), .example = "\"/search\"",
     .doc = "Only at this path and under it, compared in canonical form, segment by segment. A path that "
	    "others may read as another one (`/search/..%2fadmin`) is under none. Left out: everywhere."},
    {"exact", SETTING_BOOL, EXCEPTION(exact), .standard = "false",
     .doc = "Only at `path` itself, nowhere under it."},
    {"method", SETTING_STRING, EXCEPTION(method), .example = "\"POST\"",
     .doc = "Only in requests with this method, and not where a field such as X-HTTP-Method-Override names another. "
	    "Left out: any."},
    NAMED("argument", ARG, "\"q\"",
	  "Only in the value of the argument of this name in the query, the name as it is decoded. "
	  "Where `origin_kind` is `unix`, not in one with a raw `;`, at which some split."),
    NAMED("cookie", COOKIE, "\"basket\"", "Only in the value of this cookie."),
    NAMED("field", FIELD, "\"Referer\"", "Only in the value of this field; case is ignored."),
    NAMED("form", FORM, "\"comment\"", "Only in this value of a form. As of arguments, not one with a raw `;` where `origin_kind` is `unix`."),
    NAMED("json", JSON, "\"order.items[].note\"",
	  "Only in the JSON value of this name: all keys on the way to it."),
    NAMED("xml", XML, "\"order/note\"", "Only in this text or attribute in XML."),
    NAMED("file_name", FILE_NAME, "\"upload\"", "Only in the file name that this part of a form has."),
    NAMED("file_type", FILE_TYPE, "\"upload\"", "Only in the Content-Type that the file of this part of a form has."),
    NAMED("file", FILE, "\"upload\"", "Only in what the file of this part of a form holds."),
    NAMED("argument_name", ARG_NAME, "\"filter[name]\"",
	  "Only in the name of an argument that is called so, not in its value."),
    NAMED("cookie_name", COOKIE_NAME, "\"_ga[1]\"",
	  "Only in the name of a cookie that is called so, not in its value."),
    NAMED("form_name", FORM_NAME, "\"user[name]\"",
	  "Only in the name of a value in a form that is called so, not in its value."),
    NAMED("json_name", JSON_NAME, "\"query.$in\"",
	  "Only in the name of a value in JSON that is called so, not in its value."),
    NAMED("xml_name", XML_NAME, "\"order/script\"",
	  "Only in the name of an element or attribute in XML that is called so, not in its value."),
    NAMED("field_name", FIELD_NAME, "\"X-Select\"",
	  "Only in the name of a field that is called so, not in its value."),
    {"where", SETTING_STRING, EXCEPTION(where), .example = "\"path\"",
     .doc = "In what has no name: `method`, `url`, `path`, `query`, `client` or `content`; or, as "
	    "`argument`, `json` and so on, in those with an empty one. Of this and all names "
	    "above one may be given; without any, the exception is for every value."},
    {"owner", SETTING_STRING, EXCEPTION(owner), .required = true, .example = "\"shop team\"",
     .doc = "Who answers for it."},
    {"reason", SETTING_STRING, EXCEPTION(reason), .required = true,
     .example = "\"the search box takes SQL words\"", .doc = "Why it has to be."},
    {"expires", SETTING_STRING, EXCEPTION(expires), .required = true, .example = "\"2027-03-01\"",
     .doc = "The last day on which it counts (in UTC), or `never`. `check` tells of those that end within "
	    "14 days or have ended; these count no more, also without a reload."},
    {0},
};

static int count(const struct exception *exception)
{
	return !!exception->rule + !!exception->tag + !!exception->finding;
}

static void check_rule(const struct exception *exception, struct policy_where where,
		       struct policy_context *context)
{
	const char *star = exception->rule ? strchr(exception->rule, '*') : NULL;
	if (count(exception) != 1)
		policy_error(context, where, "one of rule, tag and finding is needed, and no more");
	if (star && star[1])
		policy_error_in(context, where, "rule", "\"%.64s\": a \"*\" may stand at the end alone",
				exception->rule);
}

static void take_finding(struct exception *exception, struct policy_where where,
			 struct policy_context *context)
{
	static const char *const names[] = {
#define FINDING(id, setting, name, ...) name,
#include "sallyport/findings.def"
	};
	struct suggestion suggestion;
	char nearest[SUGGEST_TEXT_SIZE];
	suggest_init(&suggestion, exception->finding);
	for (unsigned i = 0; i < URL_FINDING_KINDS; i++) {
		if (strcmp(names[i], exception->finding) == 0)
			exception->found = 1u << i;
		suggest_offer(&suggestion, names[i]);
	}
	if (!exception->found)
		policy_error_in(context, where, "finding", "\"%.64s\" is no finding%s", exception->finding,
				suggest_text(&suggestion, nearest));
	else if (exception->target != TARGET_ARG && exception->target != TARGET_COOKIE &&
		 exception->target != TARGET_FIELD)
		policy_error_in(context, where, "finding",
				"it takes an argument, a cookie or a field in which it may be met; in paths see shield.findings");
}

/* "a%00b"; false: a "%" stands for nothing. */
static bool decode_name(const char *text, char *out, size_t *len)
{
	*len = 0;
	for (const char *at = text; *at; at++) {
		int high = *at == '%' ? ascii_hex(at[1]) : 0, low = *at == '%' && high >= 0 ? ascii_hex(at[2]) : 0;
		if (high < 0 || low < 0)
			return false;
		if (*at != '%') {
			out[(*len)++] = *at;
			continue;
		}
		out[(*len)++] = (char)(high << 4 | low);
		at += 2;
	}
	return true;
}

static void take_name(struct exception *exception, enum rule_target target, struct policy_where where,
		      struct policy_context *context)
{
	const char *text = exception->names[target];
	char *name = arena_alloc(context->arena, strlen(text) + 1);
	size_t len;
	exception->target = target;
	if (!name)
		policy_error(context, where, "out of memory");
	else if (!decode_name(text, name, &len))
		policy_error(context, where, "\"%.64s\": \"%%\" is written \"%%25\" in a name", text);
	else
		exception->name = span_of(name, len);
}

static void take_value(struct exception *exception, struct policy_where where,
		       struct policy_context *context)
{
	unsigned n = exception->where ? 1 : 0;
	for (int target = TARGET_UNSET + 1; target < TARGET_COUNT; target++) {
		if (!exception->names[target])
			continue;
		take_name(exception, (enum rule_target)target, where, context);
		n++;
	}
	if (exception->where)
		exception->target = rule_target_of(span_from_str(exception->where));
	if (n > 1)
		policy_error(context, where, "it names several values: an exception is for one, or for all");
	else if (n == 1 && exception->target == TARGET_UNSET)
		policy_error_in(context, where, "where", "\"%.64s\" is nothing that rules look at",
				exception->where);
}

static void take_path(const struct exception *exception, struct policy_where where,
		      struct policy_context *context)
{
	if (exception->path)
		check_policy_path(exception->path, "path", where, context);
	else if (exception->exact)
		policy_error_in(context, where, "exact", "there is no path that it could be about");
	if (exception->method && !http_is_token(span_from_str(exception->method)))
		policy_error_in(context, where, "method", "\"%.64s\" is no method", exception->method);
	else if (exception->method)
		check_method_case(exception->method, "method", where, context);
}

static void take_end(struct exception *exception, struct policy_where where, struct policy_context *context)
{
	enum { DAY_S = 86400 };
	uint64_t first_s;
	exception->ends_s = UINT64_MAX;
	if (strcmp(exception->expires, "never") == 0)
		return;
	if (clock_parse_date(span_from_str(exception->expires), &first_s))
		exception->ends_s = first_s + DAY_S;
	else
		policy_error_in(context, where, "expires",
				"\"%.64s\" is no day, such as \"2027-03-01\", and not \"never\"", exception->expires);
}

static void ask_for_words(const struct exception *exception, struct policy_where where,
			  struct policy_context *context)
{
	if (strcmp(exception->owner, EXCEPTION_OWNER_UNSAID) == 0 ||
	    strcmp(exception->reason, EXCEPTION_REASON_UNSAID) == 0)
		policy_warning(context, where, "it does not say yet who answers for it, and why");
}

static void finish_exception(void *structure, struct policy_where where, struct policy_context *context)
{
	struct exception *exception = structure;
	check_rule(exception, where, context);
	take_path(exception, where, context);
	take_value(exception, where, context);
	if (exception->finding)
		take_finding(exception, where, context);
	if (exception->expires)
		take_end(exception, where, context);
	if (exception->owner && exception->reason)
		ask_for_words(exception, where, context);
}

const struct schema exception_schema = {
    .name = "exceptions",
    .size = sizeof(struct exception),
    .settings = exception_rows,
    .where_offset = EXCEPTION(place),
    .finish = finish_exception,
};

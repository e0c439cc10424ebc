/* What a policy may say about the shield: the rows, and the checks that no row
 * can make. Compiles nothing: shield_new does. */

#include "sallyport/shield_schema.h"
#include "shield/rules.h"

#define LIMITS(member) offsetof(struct shield_limits, member)
#define SHIELD(member) offsetof(struct shield_policy, member)
#define PATH(member)   offsetof(struct shield_path, member)
#define RULE(member)   offsetof(struct rule_settings, member)

static const struct setting limits_settings[] = {
    {"url", SETTING_BYTES, LIMITS(url), .standard = "8 KiB", .min = 64, .max = HTTP_HEAD_MAX,
     .doc = "The longest request-target, path and query together, in bytes as sent."},
    {"path", SETTING_BYTES, LIMITS(path), .standard = "4 KiB", .min = 16, .max = HTTP_HEAD_MAX,
     .doc = "The longest path."},
    {"query", SETTING_BYTES, LIMITS(query), .standard = "8 KiB", .max = HTTP_HEAD_MAX,
     .doc = "The longest query. 0: no limit."},
    {"body", SETTING_BYTES, LIMITS(body), .standard = "100 MiB", .max = UINT64_C(1) << 50,
     .doc = "The largest content of a request. 0: no limit."},
    {0},
};

static const struct schema limits_schema = {
    .name = "limits",
    .size = sizeof(struct shield_limits),
    .settings = limits_settings,
    .where_offset = SIZE_MAX,
};

static const struct policy_choice modes[] = {
    {"enforce", SHIELD_ENFORCE}, {"monitor", SHIELD_MONITOR}, {"off", SHIELD_OFF}, {NULL, 0}};

enum { PATHS_MAX = 64, PATH_BYTES_MAX = 1024 };

static const struct setting path_rows[] = {
    {"path", SETTING_STRING, PATH(path), .required = true, .example = "\"/legacy\"",
     .doc = "The path and everything under it, compared in canonical form, segment by segment. "
	    "The longest path that fits counts."},
    {"mode", SETTING_ENUM, PATH(mode), .required = true, .choices = modes,
     .doc = "As the site's `shield.mode`, for these paths. Where a path holds what others may read as "
	    "another path (`/legacy/..%2fadmin`), the stricter of both modes counts."},
    {0},
};

static void finish_path(void *structure, struct policy_where where, struct policy_context *context)
{
	struct shield_path *path = structure;
	char buf[URL_CANON_ROOM(PATH_BYTES_MAX)];
	struct url_canon canon;

	if (!path->path)
		return;
	path->path_len = strlen(path->path);
	if (path->path[0] != '/' || path->path_len > PATH_BYTES_MAX || strpbrk(path->path, "?#")) {
		policy_error_in(context, where, "path",
				"\"%.64s\" is not a path, such as \"/legacy\", of at most %d bytes",
				path->path, PATH_BYTES_MAX);
		return;
	}
	url_canon_path(span_of(path->path, path->path_len), buf, &canon);
	if (canon.findings != URL_FINDING_NONE)
		policy_error_in(context, where, "path",
				"\"%s\" is never met, paths are compared in canonical form: "
				"\"%.*s\"",
				path->path, SPAN_ARG(canon.path));
}

static const struct schema path_schema = {
    .name = "paths",
    .size = sizeof(struct shield_path),
    .settings = path_rows,
    .where_offset = PATH(where),
    .finish = finish_path,
};

static const struct setting shield_rows[] = {
    {"mode", SETTING_ENUM, SHIELD(mode), .standard = "enforce", .choices = modes,
     .doc = "`enforce` refuses; `monitor` only logs what it would have refused; `off` looks at "
	    "no URL, limit or rule of the site. Framing is strict in every mode."},
    {"paths", SETTING_LIST, SHIELD(paths), .sub = &path_schema, .max = PATHS_MAX,
     .doc = "Paths with a mode of their own."},
    {"limits", SETTING_GROUP, SHIELD(limits), .sub = &limits_schema,
     .doc = "How large a request of this site may be."},
    {"methods", SETTING_STRINGS, SHIELD(methods),
     .standard = "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH", .max = 64,
     .doc = "The methods that are passed on. CONNECT and TRACE never are."},
    {"allow_addresses", SETTING_STRINGS, SHIELD(addresses.allow), .max = 65536,
     .example = "( \"10.0.0.0/8\" )",
     .doc = "Networks that visitors have to come from; all others are refused. Without it: any."},
    {"deny_addresses", SETTING_STRINGS, SHIELD(addresses.deny), .max = 65536,
     .example = "( \"192.0.2.0/24\", \"2001:db8::/32\" )",
     .doc = "Networks whose visitors are refused, also where `allow_addresses` has them."},
    {"throttle", SETTING_GROUP, SHIELD(throttle), .sub = &throttle_schema,
     .doc = "How often one client may ask. Without it: as often as it likes."},
    {0},
};

static bool is_token(const char *text)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	if (!*text)
		return false;
	for (; *text; text++) {
		const char c = ascii_lower(*text);

		if (!(c >= 'a' && c <= 'z') && !ascii_is_digit(c) && !strchr(marks, c))
			return false;
	}
	return true;
}

static void check_method(const char *method, struct policy_where where,
			 struct policy_context *context)
{
	if (!is_token(method))
		policy_error_in(context, where, "methods", "\"%s\" is no method", method);
	else if (strcmp(method, "CONNECT") == 0 || strcmp(method, "TRACE") == 0)
		policy_error_in(context, where, "methods", "%s is never passed on", method);
}

static void check_repeated_paths(const struct shield_policy *policy, struct policy_context *context)
{
	const struct shield_path *paths = policy->paths.items;

	for (size_t i = 1; i < policy->paths.n; i++) {
		for (size_t j = 0; j < i; j++) {
			if (paths[i].path && paths[j].path &&
			    strcmp(paths[i].path, paths[j].path) == 0)
				policy_error(context, paths[i].where,
					     "paths[%zu].path: \"%s\" is paths[%zu] already", i,
					     paths[i].path, j);
		}
	}
}

static void finish_shield(void *structure, struct policy_where where,
			  struct policy_context *context)
{
	struct shield_policy *policy = structure;
	const struct shield_limits *limits = &policy->limits;

	for (size_t i = 0; i < policy->methods.n; i++)
		check_method(policy->methods.items[i], policy->methods.where, context);
	address_policy_compile(&policy->addresses, where, context);
	if (policy->methods.items && policy->methods.n == 0)
		policy_error_in(context, policy->methods.where, "methods",
				"none is left: every request would be refused");
	check_repeated_paths(policy, context);
	if (policy->where.line > 0 && limits->path > limits->url)
		policy_warning(context, where,
			       "limits.path is larger than limits.url, which "
			       "is hit first");
}

const struct schema shield_schema = {
    .name = "shield",
    .size = sizeof(struct shield_policy),
    .settings = shield_rows,
    .where_offset = SHIELD(where),
    .finish = finish_shield,
};

static const struct policy_choice places[] = {
    {"path", RULE_PATH}, {"query", RULE_QUERY}, {"url", RULE_URL}, {NULL, 0}};

static const struct setting rule_rows[] = {
    {"id", SETTING_STRING, RULE(spec.id), .required = true, .example = "\"worm.code-red\"",
     .doc = "The rule's name in logs: lower-case letters, digits, `.`, `-` and `_`."},
    {"where", SETTING_ENUM, RULE(place), .required = true, .choices = places,
     .doc = "What is searched: the canonical path, decoded; the query, decoded; or the whole "
	    "request-target as it was sent."},
    {"pattern", SETTING_STRING, RULE(spec.pattern), .required = true,
     .example = "\"/default\\\\.ida$\"",
     .doc = "A regular expression in the form of vectorscan, case ignored, found anywhere. "
	    "A backslash is written twice."},
    {"message", SETTING_STRING, RULE(spec.message), .required = true,
     .example = "\"Code Red: the .ida overflow\"", .doc = "What a match means, for the operator."},
    {"cve", SETTING_STRING, RULE(spec.cve), .example = "\"CVE-2001-0500\"",
     .doc = "The vulnerability that is tried."},
    {0},
};

static bool is_rule_id(const char *id)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_";

	return strspn(id, allowed) == strlen(id) && strlen(id) <= 64;
}

static void finish_rule(void *structure, struct policy_where where, struct policy_context *context)
{
	struct rule_settings *rule = structure;

	for (const struct policy_choice *place = places; place->name; place++) {
		if (place->value == rule->place)
			rule->spec.where = place->name;
	}
	if (rule->spec.id && !is_rule_id(rule->spec.id))
		policy_error_in(context, where, "id",
				"\"%s\" is not of at most 64 lower-case letters, digits, '.', "
				"'-' and '_'",
				rule->spec.id);
}

const struct schema rule_schema = {
    .name = "rules",
    .size = sizeof(struct rule_settings),
    .settings = rule_rows,
    .where_offset = RULE(where),
    .finish = finish_rule,
};

void shield_policy_settings(const struct shield_policy *policy, const struct rule_spec *rules,
			    size_t rule_count, struct shield_settings *out)
{
	*out = (struct shield_settings){
	    .mode = policy->mode,
	    .url_bytes = (uint32_t)policy->limits.url,
	    .path_bytes = (uint32_t)policy->limits.path,
	    .query_bytes = (uint32_t)policy->limits.query,
	    .body_bytes = policy->limits.body,
	    .methods = policy->methods.items,
	    .rules = rules,
	    .rule_count = rule_count,
	    .paths = policy->paths.items,
	    .path_count = policy->paths.n,
	};
}

static bool strings_eq(const struct policy_strings *a, const struct policy_strings *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	}
	return true;
}

static bool paths_eq(const struct policy_list *a, const struct policy_list *b)
{
	const struct shield_path *left = a->items, *right = b->items;

	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (left[i].mode != right[i].mode || strcmp(left[i].path, right[i].path) != 0)
			return false;
	}
	return true;
}

bool shield_policy_eq(const struct shield_policy *a, const struct shield_policy *b)
{
	return a->mode == b->mode && a->limits.url == b->limits.url &&
	       a->limits.path == b->limits.path && a->limits.query == b->limits.query &&
	       a->limits.body == b->limits.body && strings_eq(&a->methods, &b->methods) &&
	       paths_eq(&a->paths, &b->paths);
}

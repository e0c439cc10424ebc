/* What a policy may say about a site's shield: the rows, and the checks that no row
 * can make. Compiles nothing: shield_new does. */

#include "sallyport/shield_schema.h"
#include "shield/answers_schema.h"
#include "shield/body_schema.h"
#include "shield/rule_modes.h"

#define LIMITS(member) offsetof(struct shield_limits, member)
#define SHIELD(member) offsetof(struct shield_policy, member)
#define PATH(member)   offsetof(struct shield_path, member)

#define KIB(n)           (UINT64_C(1024) * (n))
#define FINDINGS(member) offsetof(struct shield_policy_findings, member)
#define DENY(member)     offsetof(struct shield_policy_deny, member)
#define ALLOW(member)    offsetof(struct shield_policy_allow, member)
#define FIELD(member)    offsetof(struct shield_policy_field, member)

static const struct setting limits_settings[] = {
#define LIMIT(member, unit, reason, strict, normal, legacy, most, text)                            \
	{#member,        SETTING_##unit,                                                           \
	 LIMITS(member), .standard = normal,                                                       \
	 .max = most,    .doc = text " 0: no limit."},
#include "sallyport/limits.def"
    {0},
};

/* Which limits stand in the policy; the profile decides about the others. */
static void finish_limits(void *structure, struct policy_where where,
			  struct policy_context *context)
{
	struct shield_policy_limits *limits = structure;
	const struct policy_where nowhere = {0};

	(void)where;
	for (unsigned i = 0; i < LIMIT_COUNT; i++) {
		struct policy_where place =
		    policy_where_of(context, limits_settings[i].name, nowhere);

		if (place.file || place.line > 0)
			limits->set |= UINT32_C(1) << i;
	}
}

static const struct schema limits_schema = {
    .name = "limits",
    .size = sizeof(struct shield_policy_limits),
    .settings = limits_settings,
    .where_offset = SIZE_MAX,
    .finish = finish_limits,
};

static const struct policy_choice actions[] = {{"accept", ACTION_ACCEPT},
					       {"rewrite", ACTION_REWRITE},
					       {"reject", ACTION_REJECT},
					       {"score", ACTION_SCORE},
					       {NULL, 0}};

static const struct setting findings_settings[] = {
#define FINDING(id, member, label, ...)                                                            \
	{#member, SETTING_ENUM, FINDINGS(member), .choices = actions,                              \
	 .doc =                                                                                    \
	     "What is done about `" label "`, where it is not what the table of findings says."},
#include "sallyport/findings.def"
    {0},
};

static const char *verb_of(int action)
{
	return action == ACTION_REWRITE ? "rewritten" : action == ACTION_ACCEPT ? "accepted" : "found";
}

static void take_actions(struct shield_policy_findings *findings, enum finding_place place,
			 struct policy_where where, struct policy_context *context)
{
	const int chosen[] = {
#define FINDING(id, member, ...) findings->member,
#include "sallyport/findings.def"
	};

	for (int i = 0; i < URL_FINDING_KINDS; i++) {
		findings->actions[i] = (uint8_t)chosen[i];
		if (chosen[i] && !shield_action_is_possible((enum url_finding_rank)i, place,
							    (enum finding_action)chosen[i]))
			policy_error_in(context, where, findings_settings[i].name,
					"it can't be %s in a %s: see the table of findings",
					verb_of(chosen[i]), finding_place_name(place));
	}
}

/* The group of one place. */
#define FINDINGS_SCHEMA(group, place)                                                              \
	static void finish_##group(void *structure, struct policy_where where,                     \
				   struct policy_context *context)                                 \
	{                                                                                          \
		take_actions(structure, place, where, context);                                    \
	}                                                                                          \
	static const struct schema group##_schema = {                                              \
	    .name = #group,                                                                        \
	    .size = sizeof(struct shield_policy_findings),                                         \
	    .settings = findings_settings,                                                         \
	    .where_offset = SIZE_MAX,                                                              \
	    .finish = finish_##group,                                                              \
	}

FINDINGS_SCHEMA(findings, PLACE_PATH);
FINDINGS_SCHEMA(query_findings, PLACE_QUERY);
FINDINGS_SCHEMA(cookie_findings, PLACE_COOKIE);
FINDINGS_SCHEMA(field_findings, PLACE_FIELD);

static const struct setting deny_settings[] = {
    {"hosts", SETTING_STRINGS, DENY(hosts), .example = "( \"old.shop.example\", \"*.test.shop.example\" )",
     .doc = "Hosts that this site does not serve, though its `hosts` or `default_site` have them. `*.` "
	    "stands for one or more labels."},
    {"methods", SETTING_STRINGS, DENY(methods), .max = 64, .example = "( \"PROPFIND\" )",
     .doc = "Methods that are refused, where `shield.methods` would pass them."},
    {"extensions", SETTING_STRINGS, DENY(extensions), .example = "( \"bak\", \"ini\" )",
     .doc = "Extensions that no segment of a path may have. `.` is a last segment without one."},
    {"content_types", SETTING_STRINGS, DENY(content_types), .example = "( \"text/xml\" )",
     .doc = "Content types that are refused. One that ends in `*` is a beginning."},
    {"fields", SETTING_STRINGS, DENY(fields), .example = "( \"Translate\", \"Lock-Token\" )",
     .doc = "Names of fields that no request may have."},
    {"url", SETTING_STRINGS, DENY(url), .example = "( \"/cgi-bin/\" )",
     .doc = "Sequences that no path may have, as sent or decoded; case is ignored."},
    {"query", SETTING_STRINGS, DENY(query), .example = "( \"<script\" )",
     .doc = "Sequences that no query may have, as sent or decoded; case is ignored."},
    {0},
};

static void finish_deny(void *structure, struct policy_where where, struct policy_context *context)
{
	const struct shield_policy_deny *deny = structure;

	for (size_t i = 0; i < deny->hosts.n; i++) {
		const char *text = deny->hosts.items[i];
		struct url_host host;
		enum reason reason;

		if (!url_parse_host(span_from_str(strncmp(text, "*.", 2) == 0 ? text + 2 : text),
				    &host, &reason) ||
		    host.port != 0)
			policy_error_in(context, where, "hosts", "\"%s\" is no host without port",
					text);
	}
}

static const struct schema deny_schema = {
    .name = "deny",
    .size = sizeof(struct shield_policy_deny),
    .settings = deny_settings,
    .where_offset = SIZE_MAX,
    .finish = finish_deny,
};

static const struct setting allow_settings[] = {
    {"extensions", SETTING_STRINGS, ALLOW(extensions), .example = "( \"html\", \".\" )",
     .doc = "The only extensions that the last segment of a path may have; `.` is none. Left "
	    "out: all."},
    {"content_types", SETTING_STRINGS, ALLOW(content_types), .example = "( \"application/json\" )",
     .doc = "The only content types that content may have. Left out: all."},
    {"urls", SETTING_STRINGS, ALLOW(urls), .example = "( \"/health\" )",
     .doc = "Canonical paths that are asked neither about `deny.url`, extensions nor rules."},
    {"queries", SETTING_STRINGS, ALLOW(queries), .example = "( \"v=1\" )",
     .doc = "Queries, as they are forwarded, that are not asked about `deny.query`."},
    {0},
};

static const struct schema allow_schema = {
    .name = "allow",
    .size = sizeof(struct shield_policy_allow),
    .settings = allow_settings,
    .where_offset = SIZE_MAX,
};

static const struct setting field_settings[] = {
    {"name", SETTING_STRING, FIELD(name), .required = true, .example = "\"User-Agent\"",
     .doc = "The field."},
    {"max", SETTING_BYTES, FIELD(max), .standard = "0", .max = HTTP_HEAD_MAX,
     .doc = "The largest value it may have. 0: no limit but `limits.field`."},
    {"deny", SETTING_STRINGS, FIELD(deny), .example = "( \"sqlmap\" )",
     .doc = "Sequences that it may not have; case is ignored."},
    {0},
};

static const struct policy_choice modes[] = {
    {"enforce", SHIELD_ENFORCE}, {"monitor", SHIELD_MONITOR}, {"off", SHIELD_OFF}, {NULL, 0}};
static const struct policy_choice profiles[] = {{"strict", PROFILE_STRICT},
						{"standard", PROFILE_STANDARD},
						{"legacy", PROFILE_LEGACY},
						{NULL, 0}};
static const struct policy_choice kinds[] = {{"unix", ORIGIN_UNIX},
					     {"iis", ORIGIN_IIS},
					     {"tomcat", ORIGIN_TOMCAT},
					     {"php", ORIGIN_PHP},
					     {NULL, 0}};
static const struct policy_choice cookie_syntaxes[] = {
    {"any", COOKIE_SYNTAX_ANY}, {"rfc6265", COOKIE_SYNTAX_RFC6265}, {NULL, 0}};

static void finish_field(void *structure, struct policy_where where, struct policy_context *context)
{
	const struct shield_policy_field *field = structure;

	if (field->name && !http_is_token(span_from_str(field->name)))
		policy_error_in(context, where, "name", "\"%s\" is no name of a field",
				field->name);
}

static const struct schema field_schema = {
    .name = "fields",
    .size = sizeof(struct shield_policy_field),
    .settings = field_settings,
    .where_offset = FIELD(where),
    .finish = finish_field,
};

enum { PATHS_MAX = 64 };

static const struct setting path_rows[] = {
    {"path", SETTING_STRING, PATH(path), .required = true, .example = "\"/legacy\"",
     .doc = "The path and everything under it, compared in canonical form, segment by segment. "
	    "The longest path that fits counts."},
    {"mode", SETTING_ENUM, PATH(mode), .required = true, .choices = modes,
     .doc = "As the site's `shield.mode`, for these paths. Where a path holds what others may read as "
	    "another path (`/legacy/..%2fadmin`), the stricter of both modes counts."},
    {0},
};

void check_policy_path(const char *path, const char *setting, struct policy_where where,
		       struct policy_context *context)
{
	char buf[URL_CANON_ROOM(POLICY_PATH_MAX)];
	struct url_canon canon;

	if (path[0] != '/' || strlen(path) > POLICY_PATH_MAX || strpbrk(path, "?#")) {
		policy_error_in(context, where, setting,
				"\"%.64s\" is not a path, such as \"/legacy\", of at most %d bytes",
				path, POLICY_PATH_MAX);
		return;
	}
	url_canon_path(span_from_str(path), buf, &canon);
	if (canon.findings != URL_FINDING_NONE)
		policy_error_in(context, where, setting,
				"\"%s\" is never met, paths are compared in canonical form: "
				"\"%.*s\"",
				path, SPAN_ARG(canon.path));
}

static void finish_path(void *structure, struct policy_where where, struct policy_context *context)
{
	struct shield_path *path = structure;

	if (!path->path)
		return;
	path->path_len = strlen(path->path);
	check_policy_path(path->path, "path", where, context);
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
    {"profile", SETTING_ENUM, SHIELD(profile), .standard = "standard", .choices = profiles,
     .doc = "How much is expected of clients: what findings lead to, and the limits that are not "
	    "set. `strict` is for sites whose URLs are known, `legacy` for applications that "
	    "break the rules themselves."},
    {"origin_kind", SETTING_ENUM, SHIELD(origin_kind), .standard = "unix", .choices = kinds,
     .doc = "What the origin makes of a URL: `unix` (nginx, Apache httpd, Node and most others), "
	    "`iis` (IIS and whatever runs on Windows), `tomcat` (servlet containers), `php`."},
    {"limits", SETTING_GROUP, SHIELD(limits), .sub = &limits_schema,
     .doc = "How large a request of this site may be. The defaults are those of the profile "
	    "`standard`."},
    {"bodies", SETTING_GROUP, SHIELD(bodies), .sub = &bodies_schema,
     .doc = "What is done with the content of requests: see Content."},
    {"findings", SETTING_GROUP, SHIELD(findings), .sub = &findings_schema,
     .doc = "What is done about findings in a path."},
    {"query_findings", SETTING_GROUP, SHIELD(query_findings), .sub = &query_findings_schema,
     .doc = "What is done about findings in a query."},
    {"cookie_findings", SETTING_GROUP, SHIELD(cookie_findings), .sub = &cookie_findings_schema,
     .doc = "What is done about findings in the name or value of a cookie."},
    {"field_findings", SETTING_GROUP, SHIELD(field_findings), .sub = &field_findings_schema,
     .doc = "What is done about findings in the value of a field, but Cookie."},
    {"methods", SETTING_STRINGS, SHIELD(methods),
     .standard = "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH", .max = 64,
     .doc = "The methods that are passed on. CONNECT and TRACE never are."},
    {"allow_addresses", SETTING_STRINGS, SHIELD(addresses.allow.texts), .max = 65536,
     .example = "( \"10.0.0.0/8\" )",
     .doc = "Networks, or sets of them (`set:NAME`), that visitors have to come from; all others are refused. Without "
	    "it: any."},
    {"deny_addresses", SETTING_STRINGS, SHIELD(addresses.deny.texts), .max = 65536,
     .example = "( \"192.0.2.0/24\", \"set:drop\" )",
     .doc = "Networks, or sets of them (`set:NAME`), whose visitors are refused, also where `allow_addresses` has "
	    "them."},
    {"throttle", SETTING_GROUP, SHIELD(throttle), .sub = &throttle_schema,
     .doc = "How often one client may ask. Without it: as often as it likes."},
    {"deny", SETTING_GROUP, SHIELD(deny), .sub = &deny_schema, .doc = "What is refused by name."},
    {"allow", SETTING_GROUP, SHIELD(allow), .sub = &allow_schema, .doc = "What is let through."},
    {"rules", SETTING_LIST, SHIELD(rule_modes), .sub = &rule_mode_schema, .max = 256,
     .doc = "Rules that have another mode at this site."},
    {"exceptions", SETTING_LIST, SHIELD(exceptions), .sub = &exception_schema, .max = EXCEPTIONS_MAX,
     .doc = "Values in which rules may match, or findings be met, at this site: see Exceptions."},
    {"fields", SETTING_LIST, SHIELD(fields), .sub = &field_schema, .max = 64,
     .doc = "What single fields may be."},
    {"answers", SETTING_LIST, SHIELD(answers), .sub = &answer_schema, .max = 256,
     .doc = "What clients that are refused get, by reason, where it is not what the table of "
	    "reasons says."},
    {"cookie_syntax", SETTING_ENUM, SHIELD(cookie_syntax), .choices = cookie_syntaxes,
     .doc = "`rfc6265` refuses cookies that are not written as RFC 6265 has it, which many "
	    "applications set; the default is `any`, in the profile `strict` `rfc6265`."},
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

static void check_extension(const struct policy_strings *extensions, const char *setting,
			    struct policy_context *context)
{
	for (size_t i = 0; i < extensions->n; i++) {
		const char *text = extensions->items[i];

		if (strpbrk(text, "/*") || (text[0] && strchr(text + 1, '.')))
			policy_error_in(context, extensions->where, setting,
					"\"%s\" is no extension, such as \"php\"", text);
	}
}

/* What the policy leaves to the profile. */
static void follow_profile(struct shield_policy *policy)
{
	struct shield_limits limits = policy->limits.limits;
	const uint64_t *profile = (const uint64_t *)&limits;
	uint64_t *chosen = (uint64_t *)&policy->limits.limits;

	shield_profile_limits((enum shield_profile)policy->profile, &limits);
	for (unsigned i = 0; i < LIMIT_COUNT; i++) {
		if (!(policy->limits.set >> i & 1))
			chosen[i] = profile[i];
	}
	if (policy->cookie_syntax == COOKIE_SYNTAX_UNSET)
		policy->cookie_syntax =
		    policy->profile == PROFILE_STRICT ? COOKIE_SYNTAX_RFC6265 : COOKIE_SYNTAX_ANY;
	if (policy->bodies.bodies.larger == BODY_LARGER_UNSET)
		policy->bodies.bodies.larger =
		    policy->profile == PROFILE_STRICT ? BODY_LARGER_REFUSE : BODY_LARGER_STREAM;
}

static void compile_fields(struct shield_policy *policy, struct policy_context *context)
{
	const struct shield_policy_field *fields = policy->fields.items;
	struct field_rule *rules;

	if (policy->fields.n == 0)
		return;
	rules = arena_alloc(context->arena, policy->fields.n * sizeof(*rules));
	if (!rules) {
		policy_error(context, policy->fields.where, "out of memory");
		policy->fields.n = 0;
		return;
	}
	for (size_t i = 0; i < policy->fields.n; i++)
		rules[i] = (struct field_rule){fields[i].name, fields[i].max, fields[i].deny.items};
	policy->field_rules = rules;
}

static void finish_shield(void *structure, struct policy_where where,
			  struct policy_context *context)
{
	struct shield_policy *policy = structure;
	const struct shield_limits *limits = &policy->limits.limits;

	for (size_t i = 0; i < policy->methods.n; i++)
		check_method(policy->methods.items[i], policy->methods.where, context);
	check_methods_case(&policy->methods, "methods", context);
	check_methods_case(&policy->deny.methods, "deny.methods", context);
	address_policy_compile(&policy->addresses, where, context);
	if (policy->methods.items && policy->methods.n == 0)
		policy_error_in(context, policy->methods.where, "methods",
				"none is left: every request would be refused");
	check_repeated_paths(policy, context);
	check_extension(&policy->deny.extensions, "deny.extensions", context);
	check_extension(&policy->allow.extensions, "allow.extensions", context);
	follow_profile(policy);
	compile_fields(policy, context);
	answers_policy_compile(policy, context);
	policy->throttle.reading = shield_reading(policy->origin_kind);
	logins_check_bodies(&policy->throttle.logins, &policy->bodies.bodies, policy->throttle.reading, context);
	if (policy->where.line > 0 && limits->path > limits->url && limits->url > 0)
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

static const char **list_of(const struct policy_strings *strings)
{
	return strings->n > 0 ? strings->items : NULL;
}

static struct shield_lists lists_of(const struct shield_policy *policy)
{
	return (struct shield_lists){
	    .deny_hosts = list_of(&policy->deny.hosts),
	    .deny_methods = list_of(&policy->deny.methods),
	    .deny_extensions = list_of(&policy->deny.extensions),
	    .deny_content_types = list_of(&policy->deny.content_types),
	    .deny_fields = list_of(&policy->deny.fields),
	    .deny_url = list_of(&policy->deny.url),
	    .deny_query = list_of(&policy->deny.query),
	    .allow_extensions = list_of(&policy->allow.extensions),
	    .allow_content_types = list_of(&policy->allow.content_types),
	    .always_urls = list_of(&policy->allow.urls),
	    .always_queries = list_of(&policy->allow.queries),
	};
}

static const uint8_t *actions_at(const struct shield_policy *policy, enum finding_place place)
{
	switch (place) {
	case PLACE_QUERY: return policy->query_findings.actions;
	case PLACE_COOKIE: return policy->cookie_findings.actions;
	case PLACE_FIELD: return policy->field_findings.actions;
	default: return policy->findings.actions;
	}
}

void shield_policy_settings(const struct shield_policy *policy, const struct rule_set *rules,
			    struct shield_settings *out)
{
	*out = (struct shield_settings){
	    .mode = policy->mode,
	    .profile = policy->profile,
	    .origin_kind = policy->origin_kind,
	    .limits = policy->limits.limits,
	    .bodies = policy->bodies.bodies,
	    .lists = lists_of(policy),
	    .field_rules = policy->field_rules,
	    .field_rule_count = policy->fields.n,
	    .cookie_syntax = policy->cookie_syntax,
	    .methods = policy->methods.items,
	    .rules = rules,
	    .paths = policy->paths.items,
	    .path_count = policy->paths.n,
	    .answers = policy->reason_answers,
	    .answer_count = policy->reason_answer_count,
	};
	for (int place = PLACE_PATH; place < PLACE_COUNT; place++)
		memcpy(out->findings.in[place], actions_at(policy, (enum finding_place)place),
		       sizeof(out->findings.in[place]));
}

bool strings_eq(const struct policy_strings *a, const struct policy_strings *b)
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

static bool lists_eq(const struct shield_policy *a, const struct shield_policy *b)
{
	return strings_eq(&a->methods, &b->methods) &&
	       strings_eq(&a->deny.hosts, &b->deny.hosts) &&
	       strings_eq(&a->deny.methods, &b->deny.methods) &&
	       strings_eq(&a->deny.extensions, &b->deny.extensions) &&
	       strings_eq(&a->deny.content_types, &b->deny.content_types) &&
	       strings_eq(&a->deny.fields, &b->deny.fields) &&
	       strings_eq(&a->deny.url, &b->deny.url) &&
	       strings_eq(&a->deny.query, &b->deny.query) &&
	       strings_eq(&a->allow.extensions, &b->allow.extensions) &&
	       strings_eq(&a->allow.content_types, &b->allow.content_types) &&
	       strings_eq(&a->allow.urls, &b->allow.urls) &&
	       strings_eq(&a->allow.queries, &b->allow.queries);
}

static bool fields_eq(const struct policy_list *a, const struct policy_list *b)
{
	const struct shield_policy_field *left = a->items, *right = b->items;

	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (strcmp(left[i].name, right[i].name) != 0 || left[i].max != right[i].max ||
		    !strings_eq(&left[i].deny, &right[i].deny))
			return false;
	}
	return true;
}

static bool findings_eq(const struct shield_policy *a, const struct shield_policy *b)
{
	for (int place = PLACE_PATH; place < PLACE_COUNT; place++) {
		if (memcmp(actions_at(a, (enum finding_place)place),
			   actions_at(b, (enum finding_place)place), URL_FINDING_KINDS) != 0)
			return false;
	}
	return true;
}

bool shield_policy_eq(const struct shield_policy *a, const struct shield_policy *b)
{
	return a->mode == b->mode && a->profile == b->profile && a->origin_kind == b->origin_kind &&
	       a->cookie_syntax == b->cookie_syntax &&
	       memcmp(&a->limits.limits, &b->limits.limits, sizeof(a->limits.limits)) == 0 &&
	       bodies_policy_eq(&a->bodies, &b->bodies) && findings_eq(a, b) && lists_eq(a, b) && paths_eq(&a->paths, &b->paths) &&
	       fields_eq(&a->fields, &b->fields) && answers_policy_eq(a, b) &&
	       rule_modes_eq(&a->rule_modes, &b->rule_modes) && exceptions_eq(&a->exceptions, &b->exceptions);
}

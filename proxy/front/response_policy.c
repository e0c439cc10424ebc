/* Response fields by policy: what a site hides, and what it adds. Fields that
 * frame a message or belong to a connection are nobody's to change. */
#include "sallyport/response_policy.h"

#include <stdio.h>
#include <string.h>

#define RESPONSE(member) offsetof(struct response_policy, member)

enum { FIELDS_MAX = 64, FIELD_BYTES_MAX = 4096 };

static const struct setting response_rows[] = {
    {"security", SETTING_BOOL, RESPONSE(security), .standard = "false",
     .doc = "Adds `X-Content-Type-Options: nosniff`, `X-Frame-Options: SAMEORIGIN` and "
	    "`Referrer-Policy: strict-origin-when-cross-origin` to responses that have none."},
    {"add", SETTING_STRINGS, RESPONSE(add), .max = FIELDS_MAX,
     .example = "( \"Permissions-Policy: camera=()\" )",
     .doc = "Fields for responses that have none of that name."},
    {"remove", SETTING_STRINGS, RESPONSE(remove), .max = FIELDS_MAX,
     .example = "( \"Server\", \"X-Powered-By\" )",
     .doc = "Names of fields that visitors do not get to see. With `add`, the way to replace one."},
    {0},
};

static const char *const security_fields[] = {
    "X-Content-Type-Options: nosniff",
    "X-Frame-Options: SAMEORIGIN",
    "Referrer-Policy: strict-origin-when-cross-origin",
};

enum { SECURITY_FIELDS = sizeof(security_fields) / sizeof(security_fields[0]) };

static bool is_ours(struct span name)
{
	switch (http_field_lookup(name)) {
	case HTTP_FIELD_CONTENT_LENGTH:
	case HTTP_FIELD_TRANSFER_ENCODING:
	case HTTP_FIELD_CONNECTION:
	case HTTP_FIELD_KEEP_ALIVE:
	case HTTP_FIELD_PROXY_CONNECTION:
	case HTTP_FIELD_TE:
	case HTTP_FIELD_TRAILER:
	case HTTP_FIELD_UPGRADE:
	case HTTP_FIELD_DATE: return true;
	default: return false;
	}
}

static bool is_value(struct span value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.ptr[i];
		if (c < 0x20 || c >= 0x7f)
			return false;
	}
	return value.len > 0 && value.len <= FIELD_BYTES_MAX;
}

static void add_field(struct response_policy *policy, struct span name, struct span value,
		      struct arena *arena)
{
	size_t room = name.len + value.len + sizeof(": \r\n");
	char *line = arena_alloc(arena, room);
	if (!line || !policy->added)
		return;
	snprintf(line, room, "%.*s: %.*s\r\n", SPAN_ARG(name), SPAN_ARG(value));
	policy->added[policy->added_count++] =
	    (struct http_added_field){span_of(line, name.len), span_of(line, room - 1)};
}

static bool split_field(const char *text, struct span *name, struct span *value)
{
	struct span line = span_from_str(text);
	size_t colon = span_find(line, ':');
	*name = span_of(text, colon);
	*value = span_trim_ows(span_from(line, colon + 1));
	return colon < line.len && http_is_token(*name) && is_value(*value);
}

static void compile_added(struct response_policy *policy, struct policy_context *context)
{
	struct span name, value;
	policy->added = arena_alloc(context->arena, (policy->add.n + SECURITY_FIELDS) * sizeof(*policy->added));
	for (size_t i = 0; i < policy->add.n; i++) {
		const char *text = policy->add.items[i];
		if (!split_field(text, &name, &value))
			policy_error_in(context, policy->add.where, "add", "\"%s\" is not a field: \"Name: value\"",
					text);
		else if (is_ours(name))
			policy_error_in(context, policy->add.where, "add",
					"\"%.*s\" is written by sallyport itself", SPAN_ARG(name));
		else
			add_field(policy, name, value, context->arena);
	}
	for (size_t i = 0; policy->security && i < SECURITY_FIELDS; i++) {
		if (split_field(security_fields[i], &name, &value))
			add_field(policy, name, value, context->arena);
	}
}

static void compile_removed(struct response_policy *policy, struct policy_context *context)
{
	policy->removed = arena_alloc(context->arena, (policy->remove.n + 1) * sizeof(*policy->removed));
	for (size_t i = 0; policy->removed && i < policy->remove.n; i++) {
		struct span name = span_from_str(policy->remove.items[i]);
		if (!http_is_token(name))
			policy_error_in(context, policy->remove.where, "remove", "\"%s\" is not a field's name",
					name.ptr);
		else if (is_ours(name))
			policy_error_in(context, policy->remove.where, "remove",
					"\"%s\" is written by sallyport itself", name.ptr);
		else
			policy->removed[policy->removed_count++] = name;
	}
}

static void finish_response(void *structure, struct policy_where where, struct policy_context *context)
{
	struct response_policy *policy = structure;
	compile_added(policy, context);
	compile_removed(policy, context);
	if (!policy->added || !policy->removed)
		policy_error(context, where, "out of memory");
}

const struct schema response_schema = {
    .name = "response",
    .size = sizeof(struct response_policy),
    .settings = response_rows,
    .where_offset = SIZE_MAX,
    .finish = finish_response,
};

void response_policy_remove(const struct response_policy *policy, struct http_head *head)
{
	if (policy->removed_count == 0)
		return;
	for (size_t i = 0; i < head->field_count; i++) {
		struct http_field *field = &head->fields[i];
		for (size_t j = 0; j < policy->removed_count; j++) {
			if (span_ieq(http_field_name(head, field), policy->removed[j]))
				field->dropped = true;
		}
	}
}

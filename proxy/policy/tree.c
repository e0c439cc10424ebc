/* From text to a tree of our own, by libconfig; no other file sees its types.
 *
 * The text comes from source.c, which has removed what libconfig could stumble
 * over: nesting is bounded, so the recursion here is. Everything is copied
 * into the policy's arena. */

#include "policy/tree.h"
#include "policy/source.h"
#include "policy/syntax_hint.h"

#include <libconfig.h>

enum { QUOTE_MAX = 60, HINT_MAX = 256 };

static struct node *convert(const config_setting_t *setting, const struct source *source,
			    struct arena *arena);

static bool convert_children(struct node *node, const config_setting_t *setting,
			     const struct source *source, struct arena *arena)
{
	const int n = config_setting_length(setting);
	struct node **tail = &node->children;

	for (int i = 0; i < n; i++) {
		*tail = convert(config_setting_get_elem(setting, (unsigned)i), source, arena);
		if (!*tail)
			return false;
		tail = &(*tail)->next;
		node->child_count++;
	}
	return true;
}

static bool convert_value(struct node *node, const config_setting_t *setting,
			  const struct source *source, struct arena *arena)
{
	const char *string;

	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_GROUP:
		node->type = NODE_GROUP;
		return convert_children(node, setting, source, arena);
	case CONFIG_TYPE_LIST:
	case CONFIG_TYPE_ARRAY:
		node->type = NODE_LIST;
		return convert_children(node, setting, source, arena);
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		node->type = NODE_NUMBER;
		node->number = config_setting_get_int64(setting);
		return true;
	case CONFIG_TYPE_BOOL:
		node->type = NODE_BOOL;
		node->number = config_setting_get_bool(setting) != 0;
		return true;
	case CONFIG_TYPE_FLOAT: node->type = NODE_FRACTION; return true;
	default:
		node->type = NODE_STRING;
		string = config_setting_get_string(setting);
		node->string = arena_strdup(arena, string ? string : "");
		return node->string;
	}
}

/* NULL: the arena is exhausted. */
static struct node *convert(const config_setting_t *setting, const struct source *source,
			    struct arena *arena)
{
	const char *name = config_setting_name(setting);
	struct node *node = arena_alloc(arena, sizeof(*node));

	if (!node)
		return NULL;
	node->where = source_where(source, config_setting_source_line(setting));
	if (name) {
		node->name = arena_strdup(arena, name);
		if (!node->name)
			return NULL;
	}
	return convert_value(node, setting, source, arena) ? node : NULL;
}

/* Where the text ends too early the line behind it is meant, which says nothing. */
static unsigned line_with_text(const struct source *source, unsigned line)
{
	while (line > 1 && span_trim_ows(source_line(source, line)).len == 0)
		line--;
	return line;
}

static void report_syntax(const config_t *config, const struct source *source,
			  struct policy_context *context)
{
	const unsigned line = line_with_text(source, (unsigned)config_error_line(config));
	const char *text = config_error_text(config);
	struct span near = source_line(source, line);
	struct strbuf hint;

	strbuf_init(&hint, HINT_MAX);
	syntax_hint(source, line, &hint);
	if (near.len > QUOTE_MAX)
		near.len = QUOTE_MAX;
	policy_error(context, source_where(source, line), "%s%s%s at or before: %.*s",
		     text ? text : "syntax error", hint.len > 0 ? ": " : "", hint.len > 0 ? hint.data : "",
		     SPAN_ARG(near));
	strbuf_release(&hint);
}

static struct node *parse(const struct source *source, struct policy_context *context)
{
	struct node *root = NULL;
	config_t config;

	config_init(&config);
	if (config_read_string(&config, source_text(source))) {
		root = convert(config_root_setting(&config), source, context->arena);
		if (!root)
			policy_error(context, source_where(source, 1),
				     "the policy needs more than %d MiB of memory",
				     POLICY_ARENA_MAX >> 20);
	} else {
		report_syntax(&config, source, context);
	}
	config_destroy(&config);
	return root;
}

struct node *tree_read(const char *path, const char *text, const char *name,
		       struct policy_context *context)
{
	struct source *source = source_read(path, text, name, context);
	struct node *root;

	if (!source)
		return NULL;
	root = parse(source, context);
	source_free(source);
	return root;
}

struct node *tree_find(const struct node *group, const char *name)
{
	if (group->type != NODE_GROUP)
		return NULL;
	for (struct node *child = group->children; child; child = child->next) {
		if (strcmp(child->name, name) == 0)
			return child;
	}
	return NULL;
}

static void append(struct node *group, struct node *child)
{
	struct node **tail = &group->children;

	while (*tail)
		tail = &(*tail)->next;
	child->next = NULL;
	*tail = child;
	group->child_count++;
}

void tree_overlay(struct node *group, struct node *winner)
{
	struct node *next;

	for (struct node *child = winner->children; child; child = next) {
		struct node *mine = tree_find(group, child->name);

		next = child->next;
		if (!mine) {
			append(group, child);
		} else if (mine->type == NODE_GROUP && child->type == NODE_GROUP) {
			tree_overlay(mine, child);
		} else {
			child->next = mine->next;
			*mine = *child;
		}
	}
}

void tree_fill(struct node *group, struct node *other)
{
	struct node *next;

	for (struct node *child = other->children; child; child = next) {
		next = child->next;
		if (!tree_find(group, child->name))
			append(group, child);
	}
}

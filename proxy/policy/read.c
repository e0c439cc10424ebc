/* The engine: walks a tree by the rows of the schemas and fills structures.
 *
 * It reports every error it meets and goes on, so that one run names them all;
 * the caller discards the whole then. It knows no setting by name. */

#include "policy/document.h"
#include "policy/elsewhere.h"
#include "sallyport/suggest.h"
#include "policy/tree.h"
#include "sallyport/units.h"

enum { PLACES_MAX = 3, /* more are no help to who looks for one */ PLACES_SIZE = 4096 };

struct reader {
	struct policy_context *context;
	const struct schema *root;
	struct strbuf path;
};

static void read_group(struct reader *reader, const struct node *node, struct policy_where parent,
		       const struct schema *schema, void *structure);

/* ---- the path that errors name ---- */

/* Enters "name", or "[index]" where name is NULL; gives what path_leave wants. */
static size_t path_enter(struct reader *reader, const char *name, size_t index)
{
	const size_t len = reader->path.len;

	if (!name)
		strbuf_addf(&reader->path, "[%zu]", index);
	else
		strbuf_addf(&reader->path, "%s%s", len > 0 ? "." : "", name);
	reader->context->path = reader->path.data;
	return len;
}

static void path_leave(struct reader *reader, size_t len)
{
	if (!reader->path.data)
		return;
	reader->path.len = len;
	reader->path.data[len] = '\0';
	reader->context->path = reader->path.data;
}

/* ---- errors ---- */

static const char *node_describe(const struct node *node)
{
	switch (node->type) {
	case NODE_GROUP: return "a group";
	case NODE_LIST: return "a list";
	case NODE_STRING: return "a string";
	case NODE_NUMBER: return "a number";
	case NODE_FRACTION: return "a fraction";
	case NODE_BOOL: return "true or false";
	case NODE_UNSET: break;
	}
	return "nothing";
}

static void report_type(struct reader *reader, const struct setting *setting,
			const struct node *node)
{
	struct strbuf example;

	strbuf_init(&example, 256);
	document_example(setting, &example);
	policy_error(reader->context, node->where, "%s stands where %s is wanted, such as %s",
		     node_describe(node), document_type(setting->type),
		     example.data ? example.data : "");
	strbuf_release(&example);
}

static void report_form(struct reader *reader, const struct setting *setting,
			const struct node *node)
{
	struct strbuf example;

	strbuf_init(&example, 256);
	document_example(setting, &example);
	policy_error(reader->context, node->where, "\"%.64s\" is not %s, such as %s%s", node->string,
		     document_type(setting->type), example.data ? example.data : "",
		     document_units(setting->type));
	strbuf_release(&example);
}

static void report_memory(struct reader *reader, const struct node *node)
{
	policy_error(reader->context, node->where, "the policy needs more than %d MiB of memory",
		     POLICY_ARENA_MAX >> 20);
}

/* The groups beneath that have it, where they are few. */
static bool report_beneath(struct reader *reader, const struct schema *schema, const struct node *node)
{
	struct strbuf places;
	size_t n;

	strbuf_init(&places, PLACES_SIZE);
	n = elsewhere_find(schema, node->name, false, &places);
	if (n > PLACES_MAX || !places.data)
		n = 0;
	if (n == 1)
		policy_error(reader->context, node->where, "unknown setting '%.64s', did you mean '%s'?",
			     node->name, places.data);
	else if (n > 1)
		policy_error(reader->context, node->where, "unknown setting '%.64s', did you mean one of %s?",
			     node->name, places.data);
	strbuf_release(&places);
	return n > 0;
}

static void report_known(struct reader *reader, const struct schema *schema, const struct node *node)
{
	struct strbuf known, places;

	strbuf_init(&known, 512);
	strbuf_init(&places, PLACES_SIZE);
	for (const struct setting *setting = schema->settings; setting->name; setting++)
		strbuf_addf(&known, "%s%s", known.len ? ", " : "", setting->name);
	if (elsewhere_find(reader->root, node->name, true, &places) > PLACES_MAX)
		strbuf_reset(&places);
	policy_error(reader->context, node->where, "unknown setting '%.64s', known here are: %s%s%s",
		     node->name, known.data ? known.data : "none", places.len > 0 ? "; elsewhere there is " : "",
		     places.len > 0 ? places.data : "");
	strbuf_release(&known);
	strbuf_release(&places);
}

static void report_unknown(struct reader *reader, const struct schema *schema,
			   const struct node *node)
{
	struct suggestion suggestion;

	if (report_beneath(reader, schema, node))
		return;
	suggest_init(&suggestion, node->name);
	for (const struct setting *setting = schema->settings; setting->name; setting++)
		suggest_offer(&suggestion, setting->name);
	if (suggestion.nearest)
		policy_error(reader->context, node->where,
			     "unknown setting '%.64s', did you mean '%s'?", node->name,
			     suggestion.nearest);
	else
		report_known(reader, schema, node);
}

static void report_missing(struct reader *reader, const struct setting *setting,
			   struct policy_where where)
{
	struct strbuf example;

	strbuf_init(&example, 256);
	document_example(setting, &example);
	policy_error(reader->context, where, "setting '%s' is missing, such as %s = %s;",
		     setting->name, setting->name, example.data ? example.data : "");
	strbuf_release(&example);
}

/* ---- values ---- */

static bool check_range(struct reader *reader, const struct setting *setting, uint64_t value,
			const struct node *node)
{
	char text[UNITS_TEXT_SIZE];
	char min[UNITS_TEXT_SIZE];
	char max[UNITS_TEXT_SIZE];

	if (setting->max == 0 || (value >= setting->min && value <= setting->max))
		return true;
	units_format(setting->type, value, text);
	units_format(setting->type, setting->min, min);
	units_format(setting->type, setting->max, max);
	policy_error(reader->context, node->where, "%s is out of range, allowed is %s to %s", text,
		     min, max);
	return false;
}

/* COUNT, BYTES, TIME and BYTE_RATE. */
static void read_number(struct reader *reader, const struct setting *setting,
			const struct node *node, uint64_t *at)
{
	const bool takes_number = setting->type == SETTING_COUNT || setting->type == SETTING_BYTES;
	const bool takes_string = setting->type != SETTING_COUNT;
	uint64_t value = 0;
	bool ok = false;

	if (node->type == NODE_NUMBER && takes_number) {
		if (node->number < 0) {
			policy_error(reader->context, node->where, "%lld is negative",
				     (long long)node->number);
			return;
		}
		value = (uint64_t)node->number;
		ok = true;
	} else if (node->type == NODE_STRING && takes_string) {
		const struct span text = span_from_str(node->string);

		if (setting->type == SETTING_BYTES)
			ok = units_parse_bytes(text, &value);
		else if (setting->type == SETTING_TIME)
			ok = units_parse_time(text, &value);
		else
			ok = units_parse_byte_rate(text, &value);
		if (!ok)
			report_form(reader, setting, node);
	} else {
		report_type(reader, setting, node);
	}
	if (ok && check_range(reader, setting, value, node))
		*at = value;
}

static void read_rate(struct reader *reader, const struct setting *setting, const struct node *node,
		      struct policy_rate *at)
{
	struct policy_rate rate;

	if (node->type != NODE_STRING)
		report_type(reader, setting, node);
	else if (!units_parse_rate(span_from_str(node->string), &rate))
		report_form(reader, setting, node);
	else if (check_range(reader, setting, rate.count, node))
		*at = rate;
}

static bool check_text(struct reader *reader, const struct node *node)
{
	for (const char *p = node->string; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			policy_error(reader->context, node->where, "\"%.64s\" holds a control byte",
				     node->string);
			return false;
		}
	}
	return true;
}

static void read_string(struct reader *reader, const struct setting *setting,
			const struct node *node, const char **at)
{
	if (node->type != NODE_STRING)
		report_type(reader, setting, node);
	else if (node->string[0] == '\0')
		policy_error(reader->context, node->where, "the string is empty");
	else if (check_text(reader, node))
		*at = node->string;
}

static void report_choice(struct reader *reader, const struct setting *setting,
			  const struct node *node)
{
	struct suggestion suggestion;
	struct strbuf known;
	const struct policy_choice *choice;
	char nearest[SUGGEST_TEXT_SIZE];

	suggest_init(&suggestion, node->string);
	strbuf_init(&known, 512);
	for (choice = setting->choices; choice->name; choice++) {
		suggest_offer(&suggestion, choice->name);
		strbuf_addf(&known, "%s%s", known.len ? ", " : "", choice->name);
	}
	policy_error(reader->context, node->where, "\"%.64s\" is none of %s%s", node->string,
		     known.data ? known.data : "", suggest_text(&suggestion, nearest));
	strbuf_release(&known);
}

static void read_enum(struct reader *reader, const struct setting *setting, const struct node *node,
		      int *at)
{
	if (node->type != NODE_STRING) {
		report_type(reader, setting, node);
		return;
	}
	for (const struct policy_choice *choice = setting->choices; choice->name; choice++) {
		if (strcmp(choice->name, node->string) == 0) {
			*at = choice->value;
			return;
		}
	}
	report_choice(reader, setting, node);
}

/* True where node is a list of a length that the row allows. */
static bool check_list(struct reader *reader, const struct setting *setting,
		       const struct node *node)
{
	const uint64_t max = setting->max ? setting->max : POLICY_ITEMS_MAX;

	if (node->type != NODE_LIST) {
		report_type(reader, setting, node);
		return false;
	}
	if (node->child_count > max) {
		policy_error(reader->context, node->where, "%zu items, at most %llu are allowed",
			     node->child_count, (unsigned long long)max);
		return false;
	}
	return true;
}

static void read_strings(struct reader *reader, const struct setting *setting,
			 const struct node *node, struct policy_strings *at)
{
	struct node copy = *node;
	struct node list = {.where = node->where, .type = NODE_LIST, .children = &copy, .child_count = 1};
	size_t index = 0;

	if (setting->or_one && node->type == NODE_STRING) {
		copy.next = NULL;
		node = &list;
	}
	at->n = 0;
	at->where = node->where;
	if (!check_list(reader, setting, node))
		return;
	at->items =
	    arena_alloc(reader->context->arena, (node->child_count + 1) * sizeof(at->items[0]));
	if (!at->items) {
		report_memory(reader, node);
		return;
	}
	for (const struct node *child = node->children; child; child = child->next) {
		const size_t len = path_enter(reader, NULL, index++);
		const struct setting item = {.type = SETTING_STRING, .example = "\"text\""};
		const char *string = NULL;

		read_string(reader, &item, child, &string);
		if (string)
			at->items[at->n++] = string;
		path_leave(reader, len);
	}
}

static void read_list(struct reader *reader, const struct setting *setting, const struct node *node,
		      struct policy_list *at)
{
	const struct setting item = {.type = SETTING_GROUP, .example = "{ … }"};

	at->n = 0;
	at->where = node->where;
	if (!check_list(reader, setting, node))
		return;
	at->items =
	    arena_alloc(reader->context->arena, (node->child_count + 1) * setting->sub->size);
	if (!at->items) {
		report_memory(reader, node);
		return;
	}
	for (const struct node *child = node->children; child; child = child->next) {
		void *structure = (char *)at->items + at->n * setting->sub->size;
		const size_t len = path_enter(reader, NULL, at->n++);

		if (child->type == NODE_GROUP)
			read_group(reader, child, node->where, setting->sub, structure);
		else
			report_type(reader, &item, child);
		path_leave(reader, len);
	}
}

static void read_value(struct reader *reader, const struct setting *setting,
		       const struct node *node, void *at)
{
	switch (setting->type) {
	case SETTING_BOOL:
		if (node->type == NODE_BOOL)
			*(bool *)at = node->number != 0;
		else
			report_type(reader, setting, node);
		break;
	case SETTING_COUNT:
	case SETTING_BYTES:
	case SETTING_TIME:
	case SETTING_BYTE_RATE: read_number(reader, setting, node, at); break;
	case SETTING_RATE: read_rate(reader, setting, node, at); break;
	case SETTING_STRING: read_string(reader, setting, node, at); break;
	case SETTING_ENUM: read_enum(reader, setting, node, at); break;
	case SETTING_STRINGS: read_strings(reader, setting, node, at); break;
	case SETTING_LIST: read_list(reader, setting, node, at); break;
	case SETTING_GROUP:
		if (node->type == NODE_GROUP)
			read_group(reader, node, node->where, setting->sub, at);
		else
			report_type(reader, setting, node);
		break;
	case SETTING_UNSET: break;
	}
}

/* ---- defaults ---- */

/* "GET, HEAD" as the list it would be in a file. */
static bool split_standard(struct reader *reader, struct span text, struct node *list)
{
	struct node **tail = &list->children;
	struct span item;

	list->type = NODE_LIST;
	while (span_next_element(&text, &item)) {
		struct span copy = arena_span(reader->context->arena, item);
		struct node *node = arena_alloc(reader->context->arena, sizeof(*node));

		if (!node || !copy.ptr)
			return false;
		*node = (struct node){.type = NODE_STRING, .string = copy.ptr};
		*tail = node;
		tail = &node->next;
		list->child_count++;
	}
	return true;
}

static void read_standard(struct reader *reader, const struct setting *setting,
			  struct policy_where where, void *at)
{
	const struct span text = span_from_str(setting->standard);
	struct node node = {.where = where, .type = NODE_STRING, .string = setting->standard};
	uint64_t number;

	if (setting->type == SETTING_BOOL) {
		node.type = NODE_BOOL;
		node.number = span_eq(text, SPAN("true"));
	} else if (setting->type == SETTING_COUNT && span_to_u64(text, INT64_MAX, &number)) {
		node.type = NODE_NUMBER;
		node.number = (int64_t)number;
	} else if (setting->type == SETTING_STRINGS && !split_standard(reader, text, &node)) {
		report_memory(reader, &node);
		return;
	}
	read_value(reader, setting, &node, at);
}

/* ---- groups ---- */

static void check_unknown(struct reader *reader, const struct node *node,
			  const struct schema *schema)
{
	for (const struct node *child = node->children; child; child = child->next) {
		const struct setting *setting = schema->settings;

		while (setting->name && strcmp(setting->name, child->name) != 0)
			setting++;
		if (!setting->name)
			report_unknown(reader, schema, child);
	}
}

static void read_setting(struct reader *reader, const struct node *group, struct policy_where where,
			 const struct setting *setting, void *at)
{
	const struct node *node = group ? tree_find(group, setting->name) : NULL;
	const size_t errors = policy_errors_count(reader->context->errors);
	size_t len;

	if (!node && setting->required) {
		report_missing(reader, setting, where);
		return;
	}
	len = path_enter(reader, setting->name, 0);
	if (node)
		read_value(reader, setting, node, at);
	/* A wrong value is replaced too, so that later checks don't stumble over a zero. */
	if (setting->standard && (!node || policy_errors_count(reader->context->errors) > errors))
		read_standard(reader, setting, where, at);
	else if (!node && setting->type == SETTING_GROUP)
		read_group(reader, NULL, where, setting->sub, at);
	path_leave(reader, len);
}

/* node NULL: the group was left out, everything in it has its default. */
static void read_group(struct reader *reader, const struct node *node, struct policy_where parent,
		       const struct schema *schema, void *structure)
{
	const struct policy_where where = node ? node->where : parent;

	if (node)
		check_unknown(reader, node, schema);
	for (const struct setting *setting = schema->settings; setting->name; setting++)
		read_setting(reader, node, where, setting, (char *)structure + setting->offset);
	if (schema->where_offset != SIZE_MAX && node) {
		struct policy_where *at = (void *)((char *)structure + schema->where_offset);

		*at = node->where;
	}
	if (schema->finish) {
		reader->context->group = node;
		schema->finish(structure, where, reader->context);
		reader->context->group = NULL;
	}
}

/* ---- the whole ---- */

static const char *directory_of(const char *path, struct arena *arena)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	struct span dir;

	if (!slash)
		return ".";
	dir = arena_span(arena, span_of(path, slash == path ? 1 : (size_t)(slash - path)));
	return dir.ptr ? dir.ptr : ".";
}

/* Adds to the tree what the source says besides its main text. */
static bool join_trees(const struct policy_source *source, struct node *root,
		       struct policy_context *context)
{
	struct node *node;

	if (source->overlay) {
		node = tree_read(NULL, source->overlay, NULL, context);
		if (!node)
			return false;
		tree_overlay(root, node);
	}
	if (source->fallback) {
		context->dir = directory_of(source->fallback, context->arena);
		node = tree_read(source->fallback, NULL, NULL, context);
		if (!node)
			return false;
		tree_fill(root, node);
	}
	return true;
}

bool policy_read(const struct policy_source *source, const struct schema *schema, void *structure,
		 struct policy_context *context)
{
	const size_t errors_before = policy_errors_count(context->errors);
	const char *const dir = directory_of(source->path, context->arena);
	struct reader reader = {.context = context, .root = schema};
	struct node *root;

	context->path = "";
	context->dir = dir;
	root = tree_read(source->path, source->text ? source->text : "",
			 source->text ? (source->name ? source->name : "policy") : NULL, context);
	if (!root || !join_trees(source, root, context))
		return false;

	context->dir = dir;
	strbuf_init(&reader.path, 512);
	read_group(&reader, root, root->where, schema, structure);
	strbuf_release(&reader.path);
	context->path = "";
	return policy_errors_count(context->errors) == errors_before;
}

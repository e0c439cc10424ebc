/* The rules of a policy: its own, those of the pack that is installed, and those of the files it names, or that come with
 * the program where it says nothing of rules at all. Of one id the first of these counts. One set for all sites, so that a hundred sites cost
 * one compilation. */
#include "proc/rule_cache.h"
#include "proc/settings_schema.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/clock.h"
#include "sallyport/data_path.h"

static const char built_in[] = "conf/policy.d";

/* A file of rules. */
struct rule_file {
	struct policy_list rules;
	const char *updated;
	uint64_t updated_s; /* 0: it does not say */
};

static const struct setting rule_file_rows[] = {
    {"rules", SETTING_LIST, offsetof(struct rule_file, rules), .sub = &rule_schema, .max = RULES_MAX,
     .required = true, .example = "( { … } )", .doc = "Rules."},
    {"updated", SETTING_STRING, offsetof(struct rule_file, updated), .example = "\"2026-11-26\"",
     .doc = "The day of its last change."},
    {0},
};

/* 0: it does not say, or it was told why that is no day. */
static uint64_t read_day(const char *day, struct policy_where where, struct policy_context *context)
{
	uint64_t first_s = 0;
	if (!day || clock_parse_date(span_from_str(day), &first_s))
		return first_s;
	policy_error_in(context, where, "updated", "\"%.32s\" is no day such as \"2026-11-26\"", day);
	return 0;
}

static void finish_file(void *structure, struct policy_where where, struct policy_context *context)
{
	struct rule_file *file = structure;
	file->updated_s = read_day(file->updated, where, context);
}

static const struct schema rule_file_schema = {
    .name = "rules",
    .size = sizeof(struct rule_file),
    .settings = rule_file_rows,
    .where_offset = SIZE_MAX,
    .finish = finish_file,
};

static const struct rule_spec *find_rule(const struct settings *settings, size_t first, const char *id)
{
	for (size_t i = first; i < settings->rule_count; i++) {
		if (strcmp(settings->rule_specs[i].id, id) == 0)
			return &settings->rule_specs[i];
	}
	return NULL;
}

static bool make_room(struct settings *settings, size_t n, struct policy_context *context)
{
	struct rule_spec *specs =
	    arena_alloc(context->arena, (settings->rule_count + n + 1) * sizeof(*specs));
	if (!specs) {
		policy_error(context, settings->rules.where, "out of memory");
		return false;
	}
	if (settings->rule_count > 0)
		memcpy(specs, settings->rule_specs, settings->rule_count * sizeof(*specs));
	settings->rule_specs = specs;
	return true;
}

/* What is wrong with others was reported. */
static bool is_whole(const struct rule_spec *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++) {
		if (rule->conditions[i].selector_count == 0 || rule->conditions[i].op == OPERATOR_UNSET)
			return false;
	}
	return rule->id && rule->condition_count > 0;
}

/* Those whose id one of the first `own` has are left out: it takes their place. */
static void add_rules(struct settings *settings, const struct policy_list *list, size_t own,
		      struct policy_context *context)
{
	const struct rule_settings *rules = list->items;
	const size_t first = settings->rule_count;
	if (!make_room(settings, list->n, context))
		return;
	for (size_t i = 0; i < list->n; i++) {
		const char *id = rules[i].spec.id;
		const struct rule_spec *other = id ? find_rule(settings, 0, id) : NULL;
		if (!id)
			continue; /* it was reported */
		if (other && other - settings->rule_specs < (ptrdiff_t)own)
			continue;
		if (other)
			policy_error(context, rules[i].where, "rules[%zu].id: \"%s\" is %s already", i, id,
				     (size_t)(other - settings->rule_specs) < first ? "another file's"
										    : "another's");
		else if (is_whole(&rules[i].spec))
			settings->rule_specs[settings->rule_count++] = rules[i].spec;
	}
}

/* Beside the policy, or where the program's own files are. */
static bool find_file(const char *name, const struct policy_context *context, char path[DATA_PATH_SIZE],
		      struct err *err)
{
	char shipped[DATA_PATH_SIZE];
	int len = name[0] == '/' ? snprintf(path, DATA_PATH_SIZE, "%s", name)
				 : snprintf(path, DATA_PATH_SIZE, "%s/%s", context->dir, name);
	if (len < 0 || len >= DATA_PATH_SIZE)
		return err_set(err, "%s: the name is too long", name);
	if (name[0] == '/' || access(path, F_OK) == 0)
		return true;
	snprintf(shipped, sizeof(shipped), "conf/%s", name);
	return data_path(shipped, path, err) || err_set(err, "%s: there is no such file", name);
}

static void note_day(struct settings *settings, uint64_t updated_s)
{
	if (updated_s > settings->rules_dates.updated_s)
		settings->rules_dates.updated_s = updated_s;
}

static void read_file(struct settings *settings, const char *path, size_t own,
		      struct policy_context *context)
{
	struct policy_context inner = *context;
	const struct policy_source source = {.path = path};
	struct rule_file file = {0};
	if (!policy_read(&source, &rule_file_schema, &file, &inner))
		return;
	add_rules(settings, &file.rules, own, context);
	note_day(settings, file.updated_s);
}

/* ---- the pack ---- */

struct pack_reading {
	struct settings *settings;
	struct policy_context *context;
	size_t own;
};

static void read_pack_file(void *context, const char *name, const char *text)
{
	const struct pack_reading *reading = context;
	struct policy_context inner = *reading->context;
	const struct policy_source source = {.text = text, .name = name};
	struct rule_file file = {0};
	inner.includes_nothing = true;
	if (policy_read(&source, &rule_file_schema, &file, &inner))
		add_rules(reading->settings, &file.rules, reading->own, reading->context);
}

static void read_pack(struct settings *settings, struct policy_context *context)
{
	struct pack_reading reading = {settings, context, settings->rule_count};
	settings_pack_read(settings, context, read_pack_file, &reading);
	settings->rules_dates.pack_rules = settings->rule_count - reading.own;
}

/* ---- files ---- */

static int is_rules(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && span_ends(span_from_str(entry->d_name), SPAN(".cfg"));
}

/* Every file of it whose name ends in ".cfg", by name. */
static void read_directory(struct settings *settings, const char *directory, size_t own,
			   struct policy_context *context)
{
	struct dirent **entries;
	int n = scandir(directory, &entries, is_rules, alphasort);
	if (n < 0)
		policy_error(context, settings->rule_files.where, "rule_files: %s: %s", directory,
			     strerror(errno));
	for (int i = 0; i < n; i++) {
		char path[DATA_PATH_SIZE + sizeof(entries[i]->d_name)];
		snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
		read_file(settings, path, own, context);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

static void read_path(struct settings *settings, const char *path, size_t own,
		      struct policy_context *context)
{
	struct stat file;
	if (stat(path, &file) == 0 && S_ISDIR(file.st_mode))
		read_directory(settings, path, own, context);
	else
		read_file(settings, path, own, context);
}

static void read_named(struct settings *settings, size_t own, struct policy_context *context)
{
	for (size_t i = 0; i < settings->rule_files.n; i++) {
		char path[DATA_PATH_SIZE];
		struct err err = {0};
		if (find_file(settings->rule_files.items[i], context, path, &err))
			read_path(settings, path, own, context);
		else
			policy_error(context, settings->rule_files.where, "rule_files: %s", err.text);
	}
}

static void read_built_in(struct settings *settings, size_t own, struct policy_context *context)
{
	const struct policy_where nowhere = {0};
	char path[DATA_PATH_SIZE];
	struct err err = {0};
	if (data_path(built_in, path, &err))
		read_path(settings, path, own, context);
	else
		policy_warning(context, nowhere, "rules: there are none: %s", err.text);
}

struct reporter {
	const struct settings *settings;
	struct policy_context *context;
};

static void report(void *context, size_t rule, const char *text)
{
	const struct reporter *reporter = context;
	const struct settings *settings = reporter->settings;
	policy_error(reporter->context,
		     rule < settings->rule_count ? settings->rule_specs[rule].where : settings->rules.where,
		     "rules: %s", text);
}

/* Who adds one rule would not think that it takes a hundred away. */
static void warn_of_no_built_in(const struct settings *settings, struct policy_context *context)
{
	bool says_no_files = settings->rule_files.where.line == 0 && !settings->rule_files.items;
	if (settings->has_built_in && settings->rules.n > 0 && says_no_files)
		policy_warning(context, settings->rules.where,
			       "rules: only these count, none that come with sallyport: rule_files = "
			       "( \"policy.d\" ) keeps those, rule_files = ( ) says that it is meant");
}

static void compile(struct settings *settings, struct policy_context *context)
{
	struct reporter reporter = {settings, context};
	const struct rule_cache cache = rule_cache_open();
	struct err err = {0};
	if (settings->rule_count > 0 && !rule_matching_is_sound(&err))
		policy_warning(context, settings->rules.where, "rules: %s", err.text);
	/* A policy that is refused anyway need not cost seconds. */
	if (policy_errors_count(context->errors) > 0) {
		rule_set_check(settings->rule_specs, settings->rule_count, report, &reporter);
		return;
	}
	settings->rule_set =
	    rule_set_new(settings->rule_specs, settings->rule_count, &cache, report, &reporter);
}

void settings_rules_compile(struct settings *settings, struct policy_context *context)
{
	bool says_nothing = !settings->rules.items && settings->rules.where.line == 0 &&
			    !settings->rule_files.items && settings->rule_files.where.line == 0;
	note_day(settings, read_day(settings->updated, settings->rules.where, context));
	add_rules(settings, &settings->rules, 0, context);
	read_pack(settings, context);
	if (settings->has_built_in && says_nothing)
		read_built_in(settings, settings->rule_count, context);
	else
		read_named(settings, settings->rule_count, context);
	warn_of_no_built_in(settings, context);
	if (settings->rules_wanted == RULES_COMPILED)
		compile(settings, context);
}

void settings_document_rules(struct strbuf *out)
{
	const struct settings_overrides overrides = {.listen = ":8080", .origin = "http://192.0.2.1"};
	struct policy_errors *errors = policy_errors_new();
	struct settings *settings = errors ? settings_load(NULL, &overrides, errors) : NULL;
	if (settings)
		rule_document(settings->rule_specs, settings->rule_count, out);
	else
		out->truncated = true;
	settings_free(settings);
	policy_errors_free(errors);
}

/* The errors and warnings of one policy: collected while it is read, printed in the
 * order of its lines.
 *
 * Texts may quote what the operator wrote, so control bytes are replaced and
 * lengths are capped. Running out of memory loses a text but never the count: a policy with an
 * error never passes for one without. */

#include "policy/tree.h"

enum { PROBLEMS_MAX = 200, TEXT_MAX = 1024 };

struct problem {
	bool is_warning;
	unsigned line;
	size_t file_rank; /* files in order of their first problem */
	size_t order;
	char *file;
	char *text;
};

struct policy_errors {
	struct problem problems[PROBLEMS_MAX];
	size_t n;
	size_t errors, warnings;
};

struct policy_errors *policy_errors_new(void)
{
	return calloc(1, sizeof(struct policy_errors));
}

void policy_errors_free(struct policy_errors *errors)
{
	if (!errors)
		return;
	for (size_t i = 0; i < errors->n; i++) {
		free(errors->problems[i].file);
		free(errors->problems[i].text);
	}
	free(errors);
}

size_t policy_errors_count(const struct policy_errors *errors)
{
	return errors->errors;
}

size_t policy_warnings_count(const struct policy_errors *errors)
{
	return errors->warnings;
}

static void replace_controls(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
	}
}

static bool same_file(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static size_t file_rank(const struct policy_errors *errors, const char *file)
{
	for (size_t i = 0; i < errors->n; i++) {
		if (same_file(errors->problems[i].file, file))
			return errors->problems[i].file_rank;
	}
	return errors->n;
}

static void add(struct policy_errors *errors, bool is_warning, struct policy_where where,
		const char *text)
{
	struct problem problem = {.is_warning = is_warning, .line = where.line, .order = errors->n};

	if (errors->n == PROBLEMS_MAX)
		return;
	problem.file_rank = file_rank(errors, where.file);
	problem.text = strdup(text);
	problem.file = where.file ? strdup(where.file) : NULL;
	if (!problem.text || (where.file && !problem.file)) {
		free(problem.text);
		free(problem.file);
		return;
	}
	errors->problems[errors->n++] = problem;
}

/* "sites[0].hosts: ", as far as there is something to say. */
static size_t write_path(char text[TEXT_MAX], const char *path, const char *setting)
{
	const bool has_path = path && path[0] != '\0';
	int n;

	if (!has_path && !setting)
		return 0;
	n = snprintf(text, TEXT_MAX, "%s%s%s: ", has_path ? path : "",
		     has_path && setting ? "." : "", setting ? setting : "");
	return n < 0 || n >= TEXT_MAX ? 0 : (size_t)n;
}

__attribute__((format(printf, 5, 0))) static void report(struct policy_context *context,
							 bool is_warning, struct policy_where where,
							 const char *setting, const char *fmt,
							 va_list ap)
{
	char text[TEXT_MAX];
	size_t used = write_path(text, context->path, setting);

	if (is_warning)
		context->errors->warnings++;
	else
		context->errors->errors++;
	vsnprintf(text + used, sizeof(text) - used, fmt, ap);
	replace_controls(text);
	add(context->errors, is_warning, where, text);
}

void policy_error(struct policy_context *context, struct policy_where where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(context, false, where, NULL, fmt, ap);
	va_end(ap);
}

struct policy_where policy_where_of(const struct policy_context *context, const char *setting,
				    struct policy_where otherwise)
{
	const struct node *node = context->group ? tree_find(context->group, setting) : NULL;

	return node ? node->where : otherwise;
}

void policy_error_in(struct policy_context *context, struct policy_where where, const char *setting,
		     const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(context, false, policy_where_of(context, setting, where), setting, fmt, ap);
	va_end(ap);
}

void policy_warning(struct policy_context *context, struct policy_where where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(context, true, where, NULL, fmt, ap);
	va_end(ap);
}

static int by_place(const void *left, const void *right)
{
	const struct problem *a = *(const struct problem *const *)left;
	const struct problem *b = *(const struct problem *const *)right;

	if (a->file_rank != b->file_rank)
		return a->file_rank < b->file_rank ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

static void sort(const struct policy_errors *errors, const struct problem *sorted[PROBLEMS_MAX])
{
	for (size_t i = 0; i < errors->n; i++)
		sorted[i] = &errors->problems[i];
	qsort(sorted, errors->n, sizeof(sorted[0]), by_place);
}

bool policy_errors_get(const struct policy_errors *errors, size_t index, struct policy_problem *out)
{
	const struct problem *sorted[PROBLEMS_MAX];

	if (index >= errors->n)
		return false;
	sort(errors, sorted);
	*out = (struct policy_problem){
	    .is_warning = sorted[index]->is_warning,
	    .file = sorted[index]->file,
	    .line = sorted[index]->line,
	    .text = sorted[index]->text,
	};
	return true;
}

static void print_one(const struct policy_problem *problem, struct strbuf *out)
{
	const char *kind = problem->is_warning ? "warning" : "error";
	const char *file = problem->file ? problem->file : "command line or environment";

	if (problem->file && problem->line > 0)
		strbuf_addf(out, "%s:%u: %s: %s\n", file, problem->line, kind, problem->text);
	else
		strbuf_addf(out, "%s: %s: %s\n", file, kind, problem->text);
}

void policy_errors_print(const struct policy_errors *errors, struct strbuf *out)
{
	struct policy_problem problem;

	for (size_t i = 0; policy_errors_get(errors, i, &problem); i++)
		print_one(&problem, out);
	if (errors->errors + errors->warnings > errors->n)
		strbuf_addf(out, "and %zu more\n", errors->errors + errors->warnings - errors->n);
}

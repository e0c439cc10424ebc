/* sallyport check: compiles a policy as `run` would and says what is wrong with
 * it. Needs no rights, opens no socket and changes nothing.
 *
 * What it finds is its answer, so it goes to standard output. */

#include "cli/rules_age.h"
#include "sallyport/cli.h"
#include "sallyport/clock.h"
#include "sallyport/rules_age.h"

#include <getopt.h>
#include <sys/prctl.h>

enum { OUTPUT_MAX = 1 << 20 };

struct check {
	const char *path;
	struct settings_overrides overrides;
	bool as_json;
	void (*document)(struct strbuf *out); /* instead of checking */
};

enum { OPTION_LISTEN = 256, OPTION_ORIGIN, OPTION_JSON, OPTION_SETTINGS, OPTION_REASONS, OPTION_FINDINGS,
       OPTION_RULES };

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"origin", required_argument, NULL, OPTION_ORIGIN},
    {"json", no_argument, NULL, OPTION_JSON},
    {"settings", no_argument, NULL, OPTION_SETTINGS},
    {"reasons", no_argument, NULL, OPTION_REASONS},
    {"findings", no_argument, NULL, OPTION_FINDINGS},
    {"rules", no_argument, NULL, OPTION_RULES},
    {NULL, 0, NULL, 0},
};

static int read_options(int argc, char **argv, struct check *check)
{
	int option;

	opterr = 0;
	optind = 1;
	settings_overrides_from_environment(&check->overrides);
	check->overrides.asks_machine = true;
	while ((option = getopt_long(argc, argv, ":c:", options, NULL)) != -1) {
		switch (option) {
		case 'c': check->path = optarg; break;
		case OPTION_LISTEN: check->overrides.listen = optarg; break;
		case OPTION_ORIGIN: check->overrides.origin = optarg; break;
		case OPTION_JSON: check->as_json = true; break;
		case OPTION_SETTINGS: check->document = settings_document; break;
		case OPTION_REASONS: check->document = settings_document_reasons; break;
		case OPTION_FINDINGS: check->document = shield_document_findings; break;
		case OPTION_RULES: check->document = settings_document_rules; break;
		default: return cli_refuse_option("check", option, argv[optind - 1], options);
		}
	}
	if (optind < argc)
		return cli_wrong_use("check", "'%s' is too much, a policy is named with -c",
				     argv[optind]);
	if (!check->document && !check->path && !check->overrides.origin)
		return cli_wrong_use("check", "which policy? Name it with -c FILE");
	return CLI_DONE;
}

static void describe_rules(const struct settings *settings, struct json_writer *json)
{
	const struct rules_age age = rules_age_of(settings);
	rules_age_describe(&age, clock_wall_us() / 1000000, json);
}

/* As `status` says it. */
static void print_rules(const struct settings *settings)
{
	struct json_writer json;
	struct strbuf text;

	strbuf_init(&text, OUTPUT_MAX);
	json_begin(&json);
	describe_rules(settings, &json);
	struct json_value *said = json_end(&json, &text) ? json_read(strbuf_span(&text), NULL) : NULL;
	rules_age_print(json_member(said, "rules"));
	json_free(said);
	strbuf_release(&text);
}

static void write_json(const struct policy_errors *errors, const struct settings *settings, struct strbuf *out)
{
	struct json_writer json;
	struct policy_problem problem;

	json_begin(&json);
	json_add_bool(&json, "ok", policy_errors_count(errors) == 0);
	json_add_number(&json, "errors", policy_errors_count(errors));
	json_add_number(&json, "warnings", policy_warnings_count(errors));
	if (settings)
		describe_rules(settings, &json);
	json_open_list(&json, "problems");
	for (size_t i = 0; policy_errors_get(errors, i, &problem); i++) {
		json_open_object(&json, NULL);
		json_add_text(&json, "kind",
			      span_from_str(problem.is_warning ? "warning" : "error"));
		if (problem.file)
			json_add_text(&json, "file", span_from_str(problem.file));
		json_add_number(&json, "line", problem.line);
		json_add_text(&json, "text", span_from_str(problem.text));
		json_close(&json);
	}
	json_close(&json);
	if (!json_end(&json, out))
		out->truncated = true;
	strbuf_add_char(out, '\n');
}

static void write_count(size_t n, const char *what, const char *end, struct strbuf *out)
{
	strbuf_addf(out, "%zu %s%s%s", n, what, n == 1 ? "" : "s", end);
}

static void write_text(const struct check *check, const struct policy_errors *errors,
		       const struct settings *settings, struct strbuf *out)
{
	policy_errors_print(errors, out);
	if (!settings)
		return;
	strbuf_addf(out, "%s: ok: ", check->path ? check->path : "command line or environment");
	write_count(settings->sites.n, "site", ", ", out);
	write_count(settings->origin_count - settings->internal_count, "origin", ", ", out);
	write_count(settings->listens.n, "listener", ", ", out);
	write_count(settings->rule_count, "rule", "\n", out);
}

static bool print(struct strbuf *out)
{
	const bool ok = !out->truncated && fwrite(out->data, 1, out->len, stdout) == out->len &&
			fflush(stdout) == 0;

	if (!ok)
		fprintf(stderr, "sallyport check: cannot write the answer\n");
	strbuf_release(out);
	return ok;
}

static int check_policy(const struct check *check)
{
	struct policy_errors *errors = policy_errors_new();
	struct settings *settings;
	struct strbuf out;
	bool ok;

	if (!errors) {
		fprintf(stderr, "sallyport check: out of memory\n");
		return CLI_NO;
	}
	/* It reads keys, which no core file shall have. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	settings = settings_load(check->path, &check->overrides, errors);
	ok = settings != NULL;
	strbuf_init(&out, OUTPUT_MAX);
	if (check->as_json)
		write_json(errors, settings, &out);
	else
		write_text(check, errors, settings, &out);
	ok = print(&out) && ok;
	if (settings && !check->as_json)
		print_rules(settings);
	settings_free(settings);
	policy_errors_free(errors);
	return ok ? CLI_DONE : CLI_NO;
}

static int print_document(void (*document)(struct strbuf *out))
{
	struct strbuf out;

	strbuf_init(&out, OUTPUT_MAX);
	document(&out);
	return print(&out) ? CLI_DONE : CLI_NO;
}

int cli_check(int argc, char **argv)
{
	struct check check = {0};
	const int status = read_options(argc, argv, &check);

	if (status != CLI_DONE)
		return status;
	return check.document ? print_document(check.document) : check_policy(&check);
}

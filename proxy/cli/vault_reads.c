/* What the verbs of `sallyport vault` that read the vault's files have in common: options, opening,
 * and printing what an origin may have chosen. */
#include "cli/vault_reads.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/control.h"
#include "cli/print.h"
#include "sallyport/cli.h"
#include "sallyport/clock.h"
#include "sallyport/url.h"

enum { OUTPUT_MAX = 1 << 28, MESSAGES_MAX = 1 << 20, STATUS_WAIT_S = 2 };
enum {
	OPTION_DIRECTORY = 256,
	OPTION_SOCKET,
	OPTION_SITE,
	OPTION_VERSION,
	OPTION_TRUST,
	OPTION_HELD,
	OPTION_CONTENT,
	OPTION_JSON
};

static const struct option options_known[] = {
    {"config", required_argument, NULL, 'c'},
    {"directory", required_argument, NULL, OPTION_DIRECTORY},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"site", required_argument, NULL, OPTION_SITE},
    {"version", required_argument, NULL, OPTION_VERSION},
    {"trust-key", required_argument, NULL, OPTION_TRUST},
    {"held", no_argument, NULL, OPTION_HELD},
    {"content", no_argument, NULL, OPTION_CONTENT},
    {"json", no_argument, NULL, OPTION_JSON},
    {NULL, 0, NULL, 0},
};

static const struct vault_verb_row verbs[] = {
    {"list", vault_cli_list, 0, 0, ""},
    {"show", vault_cli_show, 2, 2, "SITE URL"},
    {"diff", vault_cli_diff, 2, 4, "SITE URL [VERSION VERSION]"},
    {"verify", vault_cli_verify, 0, 0, ""},
    {"backup", vault_cli_backup, 1, 1, "DIRECTORY"},
    {"restore", vault_cli_restore, 1, 1, "DIRECTORY"},
    {"rotate-key", vault_cli_rotate_key, 0, 0, ""},
    {"adopt", vault_cli_adopt, 0, 0, ""},
};

void vault_read_offer(struct suggestion *suggestion)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		suggest_offer(suggestion, verbs[i].name);
}

const struct vault_verb_row *vault_read_lookup(const char *verb)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, verb) == 0)
			return &verbs[i];
	return NULL;
}

/* ---- options ---- */

static int read_options(int argc, char **argv, struct vault_options_given *given)
{
	int option;
	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":c:", options_known, NULL)) != -1) {
		switch (option) {
		case 'c': given->policy = optarg; break;
		case OPTION_DIRECTORY: given->directory = optarg; break;
		case OPTION_SOCKET: given->socket = optarg; break;
		case OPTION_SITE: given->site = optarg; break;
		case OPTION_VERSION: given->version = optarg; break;
		case OPTION_TRUST: given->trust_key = optarg; break;
		case OPTION_HELD: given->held = true; break;
		case OPTION_CONTENT: given->content = true; break;
		case OPTION_JSON: given->as_json = true; break;
		default: return cli_refuse_option("vault", option, argv[optind - 1], options_known);
		}
	}
	return CLI_DONE;
}

static int read_operands(const struct vault_verb_row *row, int argc, char **argv,
			 struct vault_options_given *given)
{
	given->n = argc - optind;
	if (given->n < row->least || given->n > row->most)
		return cli_wrong_use("vault", "%s takes %s", row->name,
				     row->operands[0] ? row->operands : "no operand");
	for (int i = 0; i < given->n; i++)
		given->operands[i] = argv[optind + i];
	return CLI_DONE;
}

/* ---- where it is ---- */

static bool find_of_policy(const char *policy, char out[VAULT_PATH_SIZE], struct err *err)
{
	struct settings_overrides overrides = {0};
	struct policy_errors *errors = policy_errors_new();
	settings_overrides_from_environment(&overrides);
	if (!errors)
		return err_set(err, "out of memory");
	struct settings *settings = settings_load(policy, &overrides, errors);
	bool ok = settings ? vault_path(settings, out, err)
			   : err_set(err, "the policy %s has errors, see: sallyport check -c %s", policy,
				     policy);
	settings_free(settings);
	policy_errors_free(errors);
	return ok;
}

/* Of the server that runs here, whatever policy it has. False: none runs, or it guards nothing. */
static bool find_of_server(const char *socket, char out[VAULT_PATH_SIZE])
{
	struct control_options options;
	struct control_answer answer = {0};
	struct err err;
	if (control_find_server("vault", socket, NULL, &options) != CLI_DONE)
		return false;
	bool answered = control_ask(&options, "GET", "/api/status", NULL, STATUS_WAIT_S, &answer, &err);
	struct json_value *status = answered ? json_read(strbuf_span(&answer.body), &err) : NULL;
	struct span path = json_text(status, "vault", "");
	bool found = path.len > 0 && path.len < VAULT_PATH_SIZE;
	if (found) {
		memcpy(out, path.ptr, path.len);
		out[path.len] = '\0';
	}
	json_free(status);
	control_answer_release(&answer);
	return found;
}

static bool find_vault(struct vault_use *use, struct err *err)
{
	const struct vault_options_given *given = &use->given;
	if (given->policy && !given->directory)
		return find_of_policy(given->policy, use->path, err);
	if (!given->directory && find_of_server(given->socket, use->path))
		return true;
	if (!given->directory && given->socket)
		return err_set(err, "no server that guards a site answers at %s", given->socket);
	if (!given->directory)
		return vault_path(NULL, use->path, err);
	if (strlen(given->directory) >= sizeof(use->path))
		return err_set(err, "--directory: it is too long");
	memcpy(use->path, given->directory, strlen(given->directory) + 1);
	return true;
}

int vault_read(const struct vault_verb_row *row, int argc, char **argv)
{
	struct vault_use *use = calloc(1, sizeof(*use));
	struct err err = {""};
	if (!use) {
		fputs("sallyport vault: out of memory\n", stderr);
		return CLI_NO;
	}
	use->verb = row->name;
	int status = read_options(argc, argv, &use->given);
	if (status == CLI_DONE)
		status = read_operands(row, argc, argv, &use->given);
	if (status == CLI_DONE)
		status = find_vault(use, &err) ? row->run(use) : vault_cli_fail(use, &err);
	vault_close(use->vault);
	free(use);
	return status;
}

/* ---- opening ---- */

int vault_cli_fail(const struct vault_use *use, const struct err *err)
{
	fprintf(stderr, "sallyport vault %s: ", use->verb);
	control_print(stderr, span_from_str(err->text));
	fputc('\n', stderr);
	return CLI_NO;
}

static void add_finding(struct json_writer *json, enum vault_finding finding, const char *text)
{
	json_open_object(json, NULL);
	json_add_text(json, "finding", span_from_str(vault_finding_name(finding)));
	json_add_text(json, "text", span_from_str(text));
	json_close(json);
}

static void on_finding(void *context, enum vault_finding finding, const char *text)
{
	struct vault_use *use = context;
	use->findings++;
	if (use->json) {
		add_finding(use->json, finding, text);
		return;
	}
	fprintf(stderr, "%s: ", vault_finding_name(finding));
	control_print(stderr, span_from_str(text));
	fputc('\n', stderr);
}

struct vault_options vault_cli_options(struct vault_use *use, bool writes)
{
	return (struct vault_options){.directory = use->path, .writes = writes,
				      .on_finding = on_finding, .context = use};
}

bool vault_cli_open(struct vault_use *use, bool writes)
{
	struct vault_options options = vault_cli_options(use, writes);
	struct err err = {""};
	enum vault_opened opened = vault_open(&options, &use->vault, &err);
	if (opened == VAULT_OPENED)
		return true;
	if (opened == VAULT_MISSING)
		err_prefix(&err, "there is no vault");
	vault_cli_fail(use, &err);
	return false;
}

/* ---- pages and versions ---- */

/* As pages are named: the canonical path, and the query as it is. */
static bool name_page(const char *text, char out[PAGE_KEY_MAX + 1])
{
	struct url_target target;
	struct url_canon canon;
	enum reason reason;
	struct span given = span_from_str(text);
	if (given.len > PAGE_KEY_MAX || !url_split(given, &target, &reason) ||
	    (target.form != URL_ORIGIN && target.form != URL_ABSOLUTE))
		return false;
	char *buf = malloc(URL_CANON_ROOM(target.path.len));
	if (!buf)
		return false;
	url_canon_path(target.path, buf, &canon);
	int len = snprintf(out, PAGE_KEY_MAX + 1, "%.*s%s%.*s", SPAN_ARG(canon.path),
			   target.query.ptr ? "?" : "", (int)target.query.len,
			   target.query.ptr ? target.query.ptr : "");
	free(buf);
	return len > 0 && len <= PAGE_KEY_MAX;
}

bool vault_cli_page(struct vault_use *use, struct vault_page *out)
{
	const char *site = use->given.operands[0], *url = use->given.operands[1];
	char key[PAGE_KEY_MAX + 1];
	struct vault_site there;
	struct err err = {""};
	if (!name_page(url, key))
		err_set(&err, "\"%.64s\" is no path, such as /news?page=2", url);
	else if (!vault_site_get(use->vault, site_id(site), &there))
		err_set(&err, "the vault has no site \"%.64s\"", site);
	else if (!vault_page_get(use->vault, there.id, key, out))
		err_set(&err, "the vault has no page %.200s of %s", key, site);
	else
		return true;
	vault_cli_fail(use, &err);
	return false;
}

bool vault_cli_version(struct vault_use *use, int64_t page, const char *text,
		       struct vault_version *out)
{
	uint64_t number;
	struct err err = {""};
	if (!span_to_u64(span_from_str(text), UINT32_MAX, &number))
		err_set(&err, "\"%.32s\" is no number of a version", text);
	else if (!vault_version_numbered(use->vault, page, (uint32_t)number, out))
		err_set(&err, "the page has no version %u", (unsigned)number);
	else
		return true;
	vault_cli_fail(use, &err);
	return false;
}

/* ---- printing ---- */

int vault_cli_print_json(const struct vault_use *use, struct json_writer *json)
{
	struct err err;
	return cli_print_json(json, OUTPUT_MAX, &err) ? CLI_DONE : vault_cli_fail(use, &err);
}

void vault_cli_print(const char *text)
{
	control_print(stdout, span_from_str(text));
}

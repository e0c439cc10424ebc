/* sallyport rules: the rules of a policy, and signed packs of them. The first operand says what is wanted. */
#include "cli/rules.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>

#include "cli/print.h"
#include "sallyport/cli.h"
#include "sallyport/clock.h"
#include "sallyport/secret_heap.h"
#include "sallyport/small_file.h"
#include "sallyport/units.h"

enum { OUTPUT_MAX = 1 << 26, STATUS_WAIT_S = 2 };
enum { OPTION_SOCKET = 256, OPTION_JSON, OPTION_VERSION, OPTION_NAME, OPTION_OLDER, OPTION_REPLACE };

static const struct option options_known[] = {
    {"config", required_argument, NULL, 'c'},
    {"key", required_argument, NULL, 'k'},
    {"output", required_argument, NULL, 'o'},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"version", required_argument, NULL, OPTION_VERSION},
    {"name", required_argument, NULL, OPTION_NAME},
    {"allow-older", no_argument, NULL, OPTION_OLDER},
    {"replace", no_argument, NULL, OPTION_REPLACE},
    {"json", no_argument, NULL, OPTION_JSON},
    {NULL, 0, NULL, 0},
};

static const struct verb {
	const char *name;
	rules_verb_run *run;
	int least, most; /* operands */
	const char *operands;
} verbs[] = {
    {"list", rules_cli_list, 0, 0, "no operand"},
    {"show", rules_cli_show, 1, 1, "the ID of a rule"},
    {"update", rules_cli_update, 0, 1, "the FILE of a pack, or none where the policy has rule_pack.url"},
    {"rollback", rules_cli_rollback, 0, 0, "no operand"},
    {"remove", rules_cli_remove, 0, 0, "no operand"},
    {"verify", rules_cli_verify, 1, 1, "the FILE of a pack"},
    {"sign", rules_cli_sign, 1, 1, "a DIRECTORY with files of rules"},
    {"key", rules_cli_key, 1, 1, "the FILE of a private key"},
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int read_options(int argc, char **argv, struct rules_use *use)
{
	int option;
	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":c:k:o:", options_known, NULL)) != -1) {
		switch (option) {
		case 'c': use->policy = optarg; break;
		case 'k': use->key = optarg; break;
		case 'o': use->output = optarg; break;
		case OPTION_SOCKET: use->socket = optarg; break;
		case OPTION_VERSION: use->version = optarg; break;
		case OPTION_NAME: use->name = optarg; break;
		case OPTION_OLDER: use->allow_older = true; break;
		case OPTION_REPLACE: use->replace = true; break;
		case OPTION_JSON: use->as_json = true; break;
		default: return cli_refuse_option("rules", option, argv[optind - 1], options_known);
		}
	}
	return CLI_DONE;
}

static int unknown_verb(const char *name)
{
	struct suggestion suggestion;
	suggest_init(&suggestion, name);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		suggest_offer(&suggestion, verbs[i].name);
	return cli_unknown("rules", &suggestion);
}

int cli_rules(int argc, char **argv)
{
	const struct verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;
	struct rules_use use = {0};
	if (argc < 2)
		return cli_wrong_use(argv[0], "it takes a verb, such as list or update");
	if (!verb)
		return unknown_verb(argv[1]);
	int status = read_options(argc - 1, argv + 1, &use);
	if (status != CLI_DONE)
		return status;
	int n = argc - 1 - optind;
	if (n < verb->least || n > verb->most)
		return cli_wrong_use(argv[0], "%s takes %s", verb->name, verb->operands);
	use.verb = verb->name;
	use.operand = n > 0 ? argv[1 + optind] : NULL;
	return verb->run(&use);
}

/* ---- shared by the verbs ---- */

int rules_cli_fail(const struct rules_use *use, const struct err *err)
{
	fprintf(stderr, "sallyport rules %s: ", use->verb);
	control_print(stderr, span_from_str(err->text));
	fputc('\n', stderr);
	return CLI_NO;
}

/* A relative path counts from where the server was started, which nobody here knows. */
static bool ask_for_policy(struct rules_use *use)
{
	struct control_options options;
	struct control_answer answer = {0};
	struct err err;
	if (control_find_server("rules", use->socket, NULL, &options) != CLI_DONE)
		return false;
	bool answered = control_ask(&options, "GET", "/api/status", NULL, STATUS_WAIT_S, &answer, &err);
	struct json_value *status = answered ? json_read(strbuf_span(&answer.body), &err) : NULL;
	struct span path = json_text(status, "policy", "");
	bool found = path.len > 0 && path.len < sizeof(use->found) && path.ptr[0] == '/';
	if (found) {
		memcpy(use->found, path.ptr, path.len);
		use->found[path.len] = '\0';
	}
	json_free(status);
	control_answer_release(&answer);
	return found;
}

static bool find_policy(struct rules_use *use, bool is_quiet)
{
	struct err err = {"which policy? Name it with -c FILE: no server answers, or it was started without a policy or with a relative path"};
	if (use->policy || use->found[0])
		return true;
	if (ask_for_policy(use)) {
		use->policy = use->found;
		return true;
	}
	if (!is_quiet)
		rules_cli_fail(use, &err);
	return false;
}

static void print_errors(const struct policy_errors *errors)
{
	struct strbuf text;
	strbuf_init(&text, OUTPUT_MAX);
	policy_errors_print(errors, &text);
	control_print(stderr, strbuf_span(&text));
	strbuf_release(&text);
}

struct settings *rules_cli_load(struct rules_use *use, enum rules_wanted wanted, const struct rule_pack_given *pack,
				bool is_quiet)
{
	struct settings_overrides overrides = {0};
	struct err err = {"out of memory"};
	if (!find_policy(use, is_quiet))
		return NULL;
	struct policy_errors *errors = policy_errors_new();
	settings_overrides_from_environment(&overrides);
	overrides.leaves_files = true;
	overrides.rules_wanted = (int)wanted;
	overrides.pack = pack;
	/* What is freed keeps nothing of the policy's secrets, which a child that fetches would take along. */
	secret_heap_begin();
	struct settings *settings = errors ? settings_load(use->policy, &overrides, errors) : NULL;
	secret_heap_end();
	if (!errors && !is_quiet)
		rules_cli_fail(use, &err);
	else if (!settings && !is_quiet)
		print_errors(errors);
	policy_errors_free(errors);
	return settings;
}

char *rules_cli_read(const struct rules_use *use, const char *path, uint64_t max, size_t *len)
{
	char size[UNITS_TEXT_SIZE];
	struct err err;
	char *bytes = small_file_read(path, (size_t)max, len);
	if (bytes)
		return bytes;
	units_format(SETTING_BYTES, max, size);
	err_set(&err, "%s cannot be read, is no file, is empty, or has more than %s (rule_pack.max_size)", path, size);
	rules_cli_fail(use, &err);
	return NULL;
}

int rules_cli_print_json(const struct rules_use *use, struct json_writer *json)
{
	struct err err;
	return cli_print_json(json, OUTPUT_MAX, &err) ? CLI_DONE : rules_cli_fail(use, &err);
}

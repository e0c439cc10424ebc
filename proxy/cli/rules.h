#ifndef CLI_RULES_H
#define CLI_RULES_H

#include "cli/control.h"
#include "sallyport/rule_pack.h"
#include "sallyport/settings.h"

/* The verbs of `sallyport rules`. */

struct rules_use {
	const char *verb;
	/* as on the command line, or NULL */
	const char *policy, *socket, *key, *output, *version, *name, *operand;
	bool as_json, allow_older, replace;
	char found[1024]; /* the policy of the server that runs */
};

/* Returns an enum cli_status. */
typedef int rules_verb_run(struct rules_use *use);
rules_verb_run rules_cli_list, rules_cli_show, rules_cli_verify, rules_cli_update, rules_cli_rollback, rules_cli_remove,
    rules_cli_sign, rules_cli_key;

/* ---- shared by them ---- */

/* "sallyport rules VERB: …" on standard error. Returns CLI_NO. */
int rules_cli_fail(const struct rules_use *use, const struct err *err);
/* Reads the policy that is meant, without its certificates: -c, else that of the server that runs. pack: in place of
 * the installed one, or NULL. NULL: it was said why, but where is_quiet. */
struct settings *rules_cli_load(struct rules_use *use, enum rules_wanted wanted, const struct rule_pack_given *pack,
				bool is_quiet);
/* The file as it is, to be freed. NULL: it was said why. */
char *rules_cli_read(const struct rules_use *use, const char *path, uint64_t max, size_t *len);
/* Prints a document and frees it. Returns CLI_DONE, or CLI_NO where it failed. */
int rules_cli_print_json(const struct rules_use *use, struct json_writer *json);

/* What is another in `after`: rules added, changed, removed. Either may be NULL: it has no rules. */
enum rules_change { RULES_CHANGE_UNSET = 0, RULES_ADDED, RULES_CHANGED, RULES_REMOVED };
typedef void rules_on_change(void *context, enum rules_change change, const struct rule_spec *rule);
MUST_CHECK bool rules_diff(const struct settings *before, const struct settings *after, rules_on_change *on_change,
			   void *context);

#endif

#ifndef CLI_VAULT_READS_H
#define CLI_VAULT_READS_H

#include "sallyport/json.h"
#include "sallyport/settings.h"
#include "sallyport/suggest.h"
#include "sallyport/vault.h"
#include "sallyport/vault_path.h"

/* The verbs of `sallyport vault` that look at the vault's files themselves, whether or not a server
 * runs, and those that need it to be idle: restore, rotate-key, adopt. */

struct vault_options_given {
	const char *policy, *directory; /* as on the command line, or NULL */
	const char *site, *version, *trust_key, *socket;
	bool held, content, as_json;
	const char *operands[4];
	int n; /* of operands */
};

struct vault_use {
	const char *verb;
	char path[VAULT_PATH_SIZE];
	struct vault *vault;
	struct vault_options_given given;
	bool quiet; /* findings are not printed as they come */
	uint64_t findings;
	struct json_writer *json; /* where findings go, or NULL */
};

/* NULL: there is no such verb here. */
typedef int vault_verb_run(struct vault_use *use);
struct vault_verb_row {
	const char *name;
	vault_verb_run *run;
	int least, most; /* operands */
	const char *operands;
};
const struct vault_verb_row *vault_read_lookup(const char *verb);
/* Offers the names of all. */
void vault_read_offer(struct suggestion *suggestion);
/* argv[0] is the verb. Returns an enum cli_status. */
int vault_read(const struct vault_verb_row *row, int argc, char **argv);

vault_verb_run vault_cli_list, vault_cli_show, vault_cli_diff, vault_cli_verify, vault_cli_backup,
    vault_cli_restore, vault_cli_rotate_key, vault_cli_adopt;

/* ---- shared by them ---- */

/* "sallyport vault VERB: …" on standard error. Returns CLI_NO. */
int vault_cli_fail(const struct vault_use *use, const struct err *err);
/* Opens what the command line names. False: it was said why. */
bool vault_cli_open(struct vault_use *use, bool writes);
struct vault_options vault_cli_options(struct vault_use *use, bool writes);
/* The page that the operands SITE and URL name. False: it was said why. */
bool vault_cli_page(struct vault_use *use, struct vault_page *out);
/* The version with that number, as text. False: it was said why. */
bool vault_cli_version(struct vault_use *use, int64_t page, const char *number,
		       struct vault_version *out);
/* Prints a document and frees it. Returns CLI_DONE, or CLI_NO where it failed. */
int vault_cli_print_json(const struct vault_use *use, struct json_writer *json);
/* Text from the vault: an origin may have chosen it. */
void vault_cli_print(const char *text);

#endif

/* sallyport vault: what is known to be good. The first operand says what is wanted: to look at the
 * vault's files, or to give an order to the server that runs. */
#include "sallyport/cli.h"

#include "cli/vault.h"
#include "cli/vault_reads.h"
#include "sallyport/vault_order.h"

static int unknown_verb(const char *name)
{
	struct suggestion suggestion;
	suggest_init(&suggestion, name);
	vault_read_offer(&suggestion);
	for (int verb = VERB_UNSET + 1; verb < VERB_COUNT; verb++)
		suggest_offer(&suggestion, vault_verb_name((uint32_t)verb));
	return cli_unknown("vault", &suggestion);
}

int cli_vault(int argc, char **argv)
{
	if (argc < 2)
		return cli_wrong_use(argv[0], "it takes a verb, such as list or approve");
	const struct vault_verb_row *row = vault_read_lookup(argv[1]);
	if (row)
		return vault_read(row, argc - 1, argv + 1);
	if (vault_verb_lookup(argv[1]) != VERB_UNSET)
		return vault_order(argc - 1, argv + 1);
	return unknown_verb(argv[1]);
}

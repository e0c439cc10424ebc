/* sallyport vault: what is known to be good. The first operand says what is wanted: to look at the
 * vault's files, or to give an order to the server that runs. */
#include "sallyport/cli.h"

#include "cli/vault.h"
#include "cli/vault_reads.h"
#include "sallyport/vault_order.h"

int cli_vault(int argc, char **argv)
{
	if (argc < 2)
		return cli_wrong_use(argv[0], "it takes a verb, such as list or approve");
	const struct vault_verb_row *row = vault_read_lookup(argv[1]);
	if (row)
		return vault_read(row, argc - 1, argv + 1);
	if (vault_verb_lookup(argv[1]) != VERB_UNSET)
		return vault_order(argc - 1, argv + 1);
	return cli_wrong_use(argv[0], "\"%.32s\" is nothing that it does", argv[1]);
}

/* sallyport vault: what is known to be good. The first operand says what is wanted. */
#include "sallyport/cli.h"

#include <string.h>

#include "cli/vault.h"
#include "sallyport/vault_order.h"

int cli_vault(int argc, char **argv)
{
	if (argc < 2)
		return cli_wrong_use(argv[0], "it takes a verb, such as approve");
	if (vault_verb_lookup(argv[1]) != VERB_UNSET)
		return vault_order(argc - 1, argv + 1);
	return cli_wrong_use(argv[0], "\"%.32s\" is nothing that it does", argv[1]);
}

#ifndef CLI_VAULT_H
#define CLI_VAULT_H

/* `sallyport vault VERB …`: each verb in a file of its own. Each gets the verb as argv[0]. */

/* Orders to the running server (vault_order.h): approve, reject, rollback, … */
int vault_order(int argc, char **argv);

#endif

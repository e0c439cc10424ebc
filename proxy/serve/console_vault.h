#ifndef SERVE_CONSOLE_VAULT_H
#define SERVE_CONSOLE_VAULT_H

#include "sallyport/err.h"
#include "sallyport/span.h"
#include "sallyport/vault_order.h"

/* The verb of "/api/vault/approve"; VERB_UNSET: the path is another. */
enum vault_verb console_vault_verb(const char *path);
/* Reads what a POST to it says. False: err says what is wrong with it. */
MUST_CHECK bool console_read_vault(enum vault_verb verb, struct span content, struct vault_order *out,
				   struct err *err);

#endif

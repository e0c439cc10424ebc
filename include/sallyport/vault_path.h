#ifndef SALLYPORT_VAULT_PATH_H
#define SALLYPORT_VAULT_PATH_H

#include "sallyport/err.h"
#include "sallyport/settings.h"

enum { VAULT_PATH_SIZE = 1024 };

/* Where the vault is: vault.directory where a policy sets it; else /var/lib/sallyport as root,
 * $XDG_STATE_HOME/sallyport, or ~/.local/state/sallyport. Touches no file. settings NULL: the standard
 * place. */
MUST_CHECK bool vault_path(const struct settings *settings, char out[VAULT_PATH_SIZE], struct err *err);
/* Makes the directory with its part for contents, and those above it, where they are missing: mode
 * 0700. As root they become user's (NULL or empty: nobody's). One that is there must be that
 * user's, no link, and writable by nobody else. */
MUST_CHECK bool vault_path_prepare(const char *path, const char *user, struct err *err);
/* The part for contents: files named by their SHA-256. The lifeboat may read these and nothing else. */
MUST_CHECK bool vault_path_contents(const char *path, char out[VAULT_PATH_SIZE], struct err *err);
/* The file with the evidence of refusals, in the same directory. */
MUST_CHECK bool evidence_path(const struct settings *settings, char out[VAULT_PATH_SIZE], struct err *err);
/* Makes the directory alone, as above. */
MUST_CHECK bool vault_path_prepare_directory(const char *path, const char *user, struct err *err);

#endif

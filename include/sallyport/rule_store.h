#ifndef SALLYPORT_RULE_STORE_H
#define SALLYPORT_RULE_STORE_H

#include "sallyport/files.h"
#include "sallyport/settings.h"

/* Where the pack of rules is installed: a directory with the one that counts and the one before it. What lies there is
 * trusted for its signature alone; the directory still has to be ours or root's, and nobody else's to write to. */

enum { RULE_STORE_PATH_SIZE = 1024 };
enum rule_store_pack { RULE_STORE_UNSET = 0, RULE_STORE_CURRENT, RULE_STORE_PREVIOUS };

/* rule_pack.directory where the policy sets it; else /var/lib/sallyport-rules as root, $XDG_STATE_HOME/sallyport/rules,
 * or ~/.local/state/sallyport/rules. Touches no file. */
MUST_CHECK bool rule_store_path(const struct rule_pack_settings *settings, char out[RULE_STORE_PATH_SIZE],
				struct err *err);
/* Appends a pack as it is, unverified. ABSENT: there is none, or no directory. */
MUST_CHECK enum file_read rule_store_read(const char *path, enum rule_store_pack which, struct strbuf *out,
					  struct err *err);

/* To change it: one at a time. Each change is whole or did not happen. */
struct rule_store {
	int directory;
};
/* Makes the directory, and those above it, where they are missing. */
MUST_CHECK bool rule_store_open(const char *path, struct rule_store *out, struct err *err);
void rule_store_close(struct rule_store *store);
/* keeps: the one that is installed becomes the previous one; else it is lost, and the previous one stays. To go back is to
 * install what rule_store_read gave of the previous one. */
MUST_CHECK bool rule_store_install(const struct rule_store *store, struct span pack, bool keeps, struct err *err);
/* Afterwards none is installed. */
MUST_CHECK bool rule_store_remove(const struct rule_store *store, bool keeps, struct err *err);

#endif

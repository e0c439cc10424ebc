#ifndef GUARD_VAULT_BACKUP_H
#define GUARD_VAULT_BACKUP_H

#include "guard/vault_inner.h"

/* What writing and reading a backup share. */

#define BACKUP_LIST "backup"
#define BACKUP_TITLE "sallyport vault backup 1\n"

enum { BACKUP_LIST_MAX = 4096, BACKUP_FILE_MAX = 1 << 30 };

/* Appends what the list of a backup says of the files that are there, without its signature. */
MUST_CHECK bool backup_list(int directory, const uint8_t key[SIGN_PUBLIC_SIZE], uint64_t now_s,
			    struct strbuf *out, struct err *err);
MUST_CHECK bool backup_copy_database(sqlite3 *to, sqlite3 *from, struct err *err);
/* From the contents of `from` into a directory. One that is damaged is told and left out. */
MUST_CHECK bool backup_copy_content(struct vault *from, int to, const uint8_t content[DIGEST_SIZE],
				    struct err *err);

#endif

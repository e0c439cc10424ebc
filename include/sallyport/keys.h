#ifndef SALLYPORT_KEYS_H
#define SALLYPORT_KEYS_H

#include "sallyport/crypto.h"
#include "sallyport/err.h"
#include "sallyport/hex.h"

/* Key files, the vault's and those that sign rules: one line of hexadecimal digits behind a line that says what it is. */

/* The vault's. */
#define KEY_FILE "key"
#define KEY_FILE_NEXT "key.next" /* while a key is being changed */
#define KEY_FILE_PUBLIC "key.pub"

enum keys_read { KEYS_UNSET = 0, KEYS_READ, KEYS_ABSENT, KEYS_REFUSED };

/* REFUSED: a link, others may read it, it is no key; err says which. */
MUST_CHECK enum keys_read keys_load(int directory, const char *name, struct sign_key **out,
				    struct err *err);
MUST_CHECK enum keys_read keys_load_public(int directory, uint8_t out[SIGN_PUBLIC_SIZE],
					   struct err *err);
/* Both replace what is there, whole or not at all. */
MUST_CHECK bool keys_save(int directory, const char *name, const struct sign_key *key,
			  struct err *err);
MUST_CHECK bool keys_save_public(int directory, const uint8_t public_part[SIGN_PUBLIC_SIZE],
				 struct err *err);

/* A key as text (hex.h). */
enum { KEY_HEX_SIZE = HEX_SIZE(SIGN_PUBLIC_SIZE) };

#endif

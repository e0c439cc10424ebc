#ifndef SALLYPORT_RULE_PACK_H
#define SALLYPORT_RULE_PACK_H

#include "sallyport/crypto.h"
#include "sallyport/err.h"
#include "sallyport/span.h"
#include "sallyport/strbuf.h"

/* A pack of rules: files of rules in one file that somebody signed, so that it counts wherever that key is
 * trusted, however it came there. Lines end in LF, and there is exactly one way to write a pack:
 *
 *   sallyport rule pack 1
 *   name shop                       as the policy's own names: lower-case letters, digits, '.', '-', '_'
 *   version 12                      only ever grows under one name
 *   created 2026-11-26T12:00:00Z
 *   key 64 hexadecimal digits       the public key that signed it
 *   files 2
 *   file sql.cfg 4711               and so many bytes, the last of them LF; ascending by name
 *   …
 *   signature 128 hexadecimal digits   Ed25519 over all that stands before this line
 *
 * A file's name is there for people and messages: nothing is ever opened or made by it. */

enum {
	RULE_PACK_BYTES_MAX = 4 << 20,
	RULE_PACK_FILES_MAX = 64,
	RULE_PACK_NAME_MAX = 64, /* bytes of its name, and of a file's */
};
#define RULE_PACK_VERSION_MAX UINT64_C(999999999999)

struct rule_pack_file {
	struct span name, text; /* borrowed; no NUL in either */
};

struct rule_pack {
	char name[RULE_PACK_NAME_MAX + 1];
	uint64_t version;   /* from 1 */
	uint64_t created_s; /* since 1970 */
	uint8_t key[SIGN_PUBLIC_SIZE];
	struct rule_pack_file files[RULE_PACK_FILES_MAX];
	size_t file_count;
};

/* Whose packs count. */
struct rule_pack_trust {
	const uint8_t (*keys)[SIGN_PUBLIC_SIZE];
	size_t n;
	bool anybody; /* only asks whether it is whole: signed by the key that it names */
};

/* Reads a pack, which borrows bytes. What its files say is looked at only once the signature was found to be that
 * of a key that counts. False: err says why; out holds nothing that may be used. */
MUST_CHECK bool rule_pack_open(struct span bytes, const struct rule_pack_trust *trust, struct rule_pack *out,
			       struct err *err);
/* Writes and signs: pack->key is the key's, whatever it says. False: what it holds cannot stand in a pack. */
MUST_CHECK bool rule_pack_write(const struct rule_pack *pack, const struct sign_key *key, struct strbuf *out,
				struct err *err);
/* "shop": what a pack may be called. */
bool rule_pack_is_name(struct span name);
/* "sql.cfg": what one of its files may be called. No separator, no leading dot. */
bool rule_pack_is_file_name(struct span name);

#endif

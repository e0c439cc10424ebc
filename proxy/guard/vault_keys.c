/* The vault's key: made, found, lost, changed. What is signed names no key; the catalogue says
 * which one it has, and a change of keys that was cut short is ended by whoever opens it next. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guard/vault_inner.h"
#include "sallyport/files.h"
#include "sallyport/keys.h"

/* ---- the key ---- */

static enum vault_opened make_key(struct vault *vault, struct err *err)
{
	vault->key = sign_key_new(err);
	if (!vault->key || !keys_save(vault->directory, KEY_FILE, vault->key, err))
		return VAULT_REFUSED;
	vault_tell(vault, VAULT_KEY_MADE, "a new key was made for the vault %s", vault->path);
	return VAULT_OPENED;
}

static enum vault_opened load_key(struct vault *vault, struct err *err)
{
	switch (keys_load(vault->directory, KEY_FILE, &vault->key, err)) {
	case KEYS_READ: return VAULT_OPENED;
	case KEYS_ABSENT: return make_key(vault, err);
	default: return VAULT_REFUSED;
	}
}

static bool save_public(struct vault *vault, struct err *err)
{
	uint8_t there[SIGN_PUBLIC_SIZE];
	sign_key_public(vault->key, vault->public_part);
	return (keys_load_public(vault->directory, there, NULL) == KEYS_READ &&
		memcmp(there, vault->public_part, sizeof(there)) == 0) ||
	       keys_save_public(vault->directory, vault->public_part, err);
}

enum vault_opened vault_key_open(struct vault *vault, struct err *err)
{
	if (vault->writes) {
		enum vault_opened opened = load_key(vault, err);
		if (opened != VAULT_OPENED)
			return opened;
		return save_public(vault, err) ? VAULT_OPENED : VAULT_REFUSED;
	}
	switch (keys_load_public(vault->directory, vault->public_part, err)) {
	case KEYS_READ: return VAULT_OPENED;
	case KEYS_ABSENT: err_set(err, "the vault %s has no key", vault->path); return VAULT_MISSING;
	default: return VAULT_REFUSED;
	}
}

/* ---- which key the catalogue has ---- */

static bool catalogue_key(struct vault *vault, uint8_t out[SIGN_PUBLIC_SIZE])
{
	sqlite3_stmt *stmt = sql(vault, SQL_META_GET);
	sql_text(stmt, 1, "key");
	bool ok = sql_row(vault, stmt) && col_blob(stmt, 0, out, SIGN_PUBLIC_SIZE);
	sql_end(stmt);
	return ok;
}

static bool take_next_key(struct vault *vault, struct sign_key *next, struct err *err)
{
	sign_key_free(vault->key);
	vault->key = next;
	return file_rename(vault->directory, KEY_FILE_NEXT, KEY_FILE, err) && save_public(vault, err);
}

/* A change of keys that was cut short is ended: forwards where the catalogue has the new one. */
static bool end_rotation(struct vault *vault, const uint8_t has[SIGN_PUBLIC_SIZE], struct err *err)
{
	struct sign_key *next = NULL;
	uint8_t next_public[SIGN_PUBLIC_SIZE];
	enum keys_read read = keys_load(vault->directory, KEY_FILE_NEXT, &next, err);
	if (read != KEYS_READ)
		return read == KEYS_ABSENT;
	sign_key_public(next, next_public);
	if (memcmp(next_public, has, SIGN_PUBLIC_SIZE) == 0)
		return take_next_key(vault, next, err);
	sign_key_free(next);
	return unlinkat(vault->directory, KEY_FILE_NEXT, 0) == 0 ||
	       err_set(err, "cannot remove %s/" KEY_FILE_NEXT ": %s", vault->path, strerror(errno));
}

bool meta_put_key(struct vault *vault, struct err *err)
{
	return meta_put(vault, "key", vault->public_part, SIGN_PUBLIC_SIZE, err);
}

/* A catalogue that was just made. */
static bool begin_records(struct vault *vault, struct err *err)
{
	if (!vault_begin(vault, err))
		return false;
	if (meta_put_key(vault, err) && vault_audit_begin(vault, err))
		return vault_commit(vault, err);
	vault_abort(vault);
	return false;
}

/* What the lost one signed can be adopted. */
static bool change_key(struct vault *vault, const uint8_t lost[SIGN_PUBLIC_SIZE], struct err *err)
{
	if (!vault_begin(vault, err))
		return false;
	if (old_key_add(vault, lost, (uint64_t)time(NULL), err) && meta_put_key(vault, err))
		return vault_commit(vault, err);
	vault_abort(vault);
	return false;
}

bool vault_key_settle(struct vault *vault, struct err *err)
{
	uint8_t has[SIGN_PUBLIC_SIZE];
	char hex[KEY_HEX_SIZE];
	if (!catalogue_key(vault, has))
		return !vault->writes || begin_records(vault, err);
	if (vault->writes && !end_rotation(vault, has, err))
		return false;
	if (memcmp(has, vault->public_part, SIGN_PUBLIC_SIZE) == 0)
		return true;
	hex_write(has, SIGN_PUBLIC_SIZE, hex);
	vault_tell(vault, VAULT_KEY_LOST,
		   "the records in the vault %s were signed with the key %s, which is not there any more: "
		   "they count as absent (see: sallyport help vault adopt)",
		   vault->path, hex);
	return !vault->writes || change_key(vault, has, err);
}

/* ---- old keys ---- */

static void record_old_key(struct vault *vault, const uint8_t key[SIGN_PUBLIC_SIZE], uint64_t until_s)
{
	record_begin(vault, "old key");
	record_bytes(vault, key, SIGN_PUBLIC_SIZE);
	record_int(vault, until_s);
}

bool old_key_add(struct vault *vault, const uint8_t key[SIGN_PUBLIC_SIZE], uint64_t now_s,
		 struct err *err)
{
	uint8_t signature[SIGNATURE_SIZE];
	record_old_key(vault, key, now_s);
	if (!record_sign(vault, signature, err))
		return false;
	sqlite3_stmt *stmt = sql(vault, SQL_OLD_KEY_PUT);
	sql_blob(stmt, 1, key, SIGN_PUBLIC_SIZE);
	sql_int(stmt, 2, now_s);
	sql_blob(stmt, 3, signature, SIGNATURE_SIZE);
	return sql_run(vault, stmt, err);
}

bool old_key_read(struct vault *vault, sqlite3_stmt *stmt)
{
	uint8_t key[SIGN_PUBLIC_SIZE] = {0};
	bool ok = col_blob(stmt, 0, key, SIGN_PUBLIC_SIZE);
	record_old_key(vault, key, col_int(stmt, 1));
	if (ok && record_is_signed(vault, stmt, 2))
		return true;
	vault_tell(vault, VAULT_BAD_SIGNATURE, "the record of an old key was not signed by us");
	return false;
}

void old_keys_accept(struct vault *vault)
{
	sqlite3_stmt *stmt = sql_own(vault, SQL_OLD_KEYS);
	uint8_t found[OLD_KEYS_MAX][SIGN_PUBLIC_SIZE];
	unsigned n = 0;
	while (vault->also_n + n < OLD_KEYS_MAX && sql_row(vault, stmt))
		if (old_key_read(vault, stmt) && col_blob(stmt, 0, found[n], SIGN_PUBLIC_SIZE))
			n++;
	sqlite3_finalize(stmt);
	/* at the end: an old key vouches for no other */
	memcpy(vault->also[vault->also_n], found, n * SIGN_PUBLIC_SIZE);
	vault->also_n += n;
}

/* ---- changing it ---- */

static bool rotate(struct vault *vault, const uint8_t old[SIGN_PUBLIC_SIZE], uint64_t now_s,
		   struct err *err)
{
	struct vault_decision decision = {.who = "operator", .what = "rotate-key"};
	struct strbuf baseline;
	uint64_t versions;
	if (!resign_all(vault, &versions, err))
		return false;
	sign_key_public(vault->key, vault->public_part);
	record_forget(vault);
	strbuf_init(&baseline, BASELINE_FILE_MAX);
	bool ok = meta_put_key(vault, err) && old_key_add(vault, old, now_s, err) &&
		  vault_audit(vault, &decision, now_s, err) &&
		  vault_baseline_make(vault, "another key", now_s, &baseline, err);
	strbuf_release(&baseline);
	return ok;
}

static bool rotate_as_one(struct vault *vault, const uint8_t old[SIGN_PUBLIC_SIZE], uint64_t now_s,
			  struct err *err)
{
	if (!vault_begin(vault, err))
		return false;
	if (rotate(vault, old, now_s, err))
		return vault_commit(vault, err);
	vault_abort(vault);
	return false;
}

/* The new key is whole on disk before anything is signed with it, and takes the old one's place
 * when everything is. */
bool vault_rotate_key(struct vault *vault, uint64_t now_s, struct err *err)
{
	uint8_t old[SIGN_PUBLIC_SIZE];
	struct sign_key *old_key = vault->key, *next;
	if (!vault->writes || vault->depth > 0)
		return err_set(err, "a key is changed in an open vault, outside of other changes");
	next = sign_key_new(err);
	if (!next || !keys_save(vault->directory, KEY_FILE_NEXT, next, err)) {
		sign_key_free(next);
		return false;
	}
	memcpy(old, vault->public_part, sizeof(old));
	vault->key = next;
	if (rotate_as_one(vault, old, now_s, err)) {
		sign_key_free(old_key);
		return file_rename(vault->directory, KEY_FILE_NEXT, KEY_FILE, err) &&
		       save_public(vault, err);
	}
	vault->key = old_key;
	memcpy(vault->public_part, old, sizeof(old));
	record_forget(vault);
	sign_key_free(next);
	unlinkat(vault->directory, KEY_FILE_NEXT, 0);
	return false;
}

static bool adopt(struct vault *vault, uint64_t now_s, uint64_t *n, struct err *err)
{
	struct vault_decision decision = {.who = "operator", .what = "adopt"};
	struct strbuf baseline;
	if (!vault_begin(vault, err))
		return false;
	strbuf_init(&baseline, BASELINE_FILE_MAX);
	bool ok = resign_all(vault, n, err) && vault_audit(vault, &decision, now_s, err) &&
		  vault_baseline_make(vault, "adopted", now_s, &baseline, err);
	strbuf_release(&baseline);
	if (ok)
		return vault_commit(vault, err);
	vault_abort(vault);
	return false;
}

bool vault_adopt(struct vault *vault, uint64_t now_s, uint64_t *n, struct err *err)
{
	old_keys_accept(vault);
	bool ok = adopt(vault, now_s, n, err);
	vault->also_n = 0;
	record_forget(vault);
	return ok;
}

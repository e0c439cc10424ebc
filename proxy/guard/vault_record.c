/* Signatures of records. What is signed is a title, the kind of the record and its values, each
 * behind its kind and length, so that no two records have the same bytes. A signature that was
 * found good once is remembered by the digest of record and signature: the check takes some
 * hundred times as long as the digest, and a baseline asks for every page's. */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "guard/vault_inner.h"

enum { VERIFIED_MAX = 1 << 18 };

struct verified {
	UT_hash_handle hh;
	uint8_t digest[DIGEST_SIZE];
};

void record_begin(struct vault *vault, const char *kind)
{
	strbuf_reset(&vault->record);
	strbuf_add_str(&vault->record, "sallyport vault 1\n");
	record_text(vault, kind);
}

void record_int(struct vault *vault, uint64_t value)
{
	uint8_t bytes[9] = {'i'};
	for (unsigned i = 0; i < 8; i++)
		bytes[1 + i] = (uint8_t)(value >> 8 * i);
	strbuf_add(&vault->record, bytes, sizeof(bytes));
}

void record_bytes(struct vault *vault, const void *bytes, size_t len)
{
	record_int(vault, len);
	strbuf_add(&vault->record, bytes, len);
}

void record_text(struct vault *vault, const char *text)
{
	record_bytes(vault, text, strlen(text));
}

void record_span(struct vault *vault, struct span bytes)
{
	record_int(vault, bytes.ptr != NULL);
	if (bytes.ptr)
		record_bytes(vault, bytes.ptr, bytes.len);
}

static void empty(struct verified **set)
{
	struct verified *entry, *next;
	HASH_ITER(hh, *set, entry, next)
	{
		HASH_DEL(*set, entry);
		free(entry);
	}
}

static void add(struct verified **set, const uint8_t seen[DIGEST_SIZE])
{
	if (HASH_COUNT(*set) >= VERIFIED_MAX)
		empty(set);
	struct verified *entry = calloc(1, sizeof(*entry));
	if (!entry)
		return; /* it is checked, or told, once more, that is all */
	memcpy(entry->digest, seen, DIGEST_SIZE);
	HASH_ADD(hh, *set, digest, DIGEST_SIZE, entry);
}

static bool has(struct verified *set, const uint8_t seen[DIGEST_SIZE])
{
	struct verified *entry = NULL;
	HASH_FIND(hh, set, seen, DIGEST_SIZE, entry);
	return entry != NULL;
}

bool record_tell_once(struct vault *vault, const char *text)
{
	uint8_t seen[DIGEST_SIZE];
	digest(text, strlen(text), seen);
	if (has(vault->told, seen))
		return false;
	add(&vault->told, seen);
	return true;
}

/* Appends the signature to the record. */
static void digest_signed(struct vault *vault, const uint8_t signature[SIGNATURE_SIZE],
			  uint8_t out[DIGEST_SIZE])
{
	strbuf_add(&vault->record, signature, SIGNATURE_SIZE);
	digest(vault->record.data, vault->record.len, out);
}

bool record_sign(struct vault *vault, uint8_t out[SIGNATURE_SIZE], struct err *err)
{
	uint8_t seen[DIGEST_SIZE];
	if (!vault->key)
		return err_set(err, "the vault is open for reading only");
	if (vault->record.truncated)
		return err_set(err, "a record of the vault is too long");
	if (!sign(vault->key, vault->record.data, vault->record.len, out, err))
		return false;
	digest_signed(vault, out, seen);
	if (!has(vault->verified, seen))
		add(&vault->verified, seen);
	return true;
}

static bool verify(const struct vault *vault, const uint8_t signature[SIGNATURE_SIZE])
{
	const struct strbuf *record = &vault->record;
	if (sign_verify(vault->public_part, record->data, record->len, signature))
		return true;
	for (unsigned i = 0; i < vault->also_n; i++)
		if (sign_verify(vault->also[i], record->data, record->len, signature))
			return true;
	return false;
}

/* The record is left as it was put together: it may be signed anew then. */
bool record_is_signed(struct vault *vault, sqlite3_stmt *stmt, int at)
{
	uint8_t signature[SIGNATURE_SIZE], seen[DIGEST_SIZE];
	size_t len = vault->record.len;
	if (vault->record.truncated || !col_blob(stmt, at, signature, SIGNATURE_SIZE))
		return false;
	digest_signed(vault, signature, seen);
	vault->record.len = len;
	if (has(vault->verified, seen))
		return true;
	if (!verify(vault, signature))
		return false;
	add(&vault->verified, seen);
	return true;
}

void record_forget(struct vault *vault)
{
	empty(&vault->verified);
}

void record_release(struct vault *vault)
{
	empty(&vault->verified);
	empty(&vault->told);
	strbuf_release(&vault->record);
}

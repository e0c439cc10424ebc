/* What the vault knows of itself: names with signed values. */
#include "guard/vault_inner.h"

static void record_meta(struct vault *vault, const char *name, const void *value, size_t len)
{
	record_begin(vault, "meta");
	record_text(vault, name);
	record_bytes(vault, value, len);
}

bool meta_get(struct vault *vault, const char *name, void *out, size_t len, bool *is_there)
{
	sqlite3_stmt *stmt = sql(vault, SQL_META_GET);
	sql_text(stmt, 1, name);
	*is_there = sql_row(vault, stmt);
	bool ok = *is_there && col_blob(stmt, 0, out, len);
	if (ok) {
		record_meta(vault, name, out, len);
		ok = record_is_signed(vault, stmt, 1);
	}
	if (*is_there && !ok)
		vault_tell(vault, VAULT_BAD_SIGNATURE, "the vault's record of its %s is not signed by us",
			   name);
	sql_end(stmt);
	return ok;
}

bool meta_read(struct vault *vault, sqlite3_stmt *stmt)
{
	char name[32] = "";
	struct span value = col_span(stmt, 1);
	bool ok = col_text(stmt, 0, name, sizeof(name)) && value.ptr;
	record_meta(vault, name, value.ptr ? value.ptr : "", value.len);
	if (ok && record_is_signed(vault, stmt, 2))
		return true;
	vault_tell(vault, VAULT_BAD_SIGNATURE, "the vault's record of its %s was not signed by us", name);
	return false;
}

bool meta_put(struct vault *vault, const char *name, const void *value, size_t len, struct err *err)
{
	uint8_t signature[SIGNATURE_SIZE];
	record_meta(vault, name, value, len);
	if (!record_sign(vault, signature, err))
		return false;
	sqlite3_stmt *stmt = sql(vault, SQL_META_PUT);
	sql_text(stmt, 1, name);
	sql_blob(stmt, 2, value, len);
	sql_blob(stmt, 3, signature, SIGNATURE_SIZE);
	return sql_run(vault, stmt, err);
}

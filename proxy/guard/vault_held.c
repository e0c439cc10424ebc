/* What was held and waits for an operator. It decides nothing, so it is not signed. */
#include <stdio.h>
#include <string.h>

#include "guard/vault_inner.h"

static bool find(struct vault *vault, uint64_t site, const char *key, const uint8_t *digest, int64_t *id,
		 uint64_t *first_s)
{
	sqlite3_stmt *stmt = sql(vault, SQL_HELD_FIND);
	sql_int(stmt, 1, site);
	sql_text(stmt, 2, key);
	sql_blob(stmt, 3, digest, DIGEST_SIZE);
	bool found = sql_row(vault, stmt);
	if (found) {
		*id = (int64_t)col_int(stmt, 0);
		*first_s = col_int(stmt, 1);
	}
	sql_end(stmt);
	return found;
}

uint64_t vault_held_since(struct vault *vault, uint64_t site, const char *key,
			  const uint8_t digest[DIGEST_SIZE])
{
	int64_t id;
	uint64_t first_s = 0;
	(void)find(vault, site, key, digest, &id, &first_s);
	return first_s;
}

static bool count_held(struct vault *vault, const struct vault_held *held, struct err *err)
{
	sqlite3_stmt *stmt = sql(vault, SQL_HELD_AGAIN);
	sql_int(stmt, 1, (uint64_t)held->id);
	sql_int(stmt, 2, held->severity);
	sql_text(stmt, 3, held->reason);
	sql_text(stmt, 4, held->host);
	sql_int(stmt, 5, held->last_s);
	sql_int(stmt, 6, held->times);
	sql_int(stmt, 7, (uint64_t)held->version);
	return sql_run(vault, stmt, err);
}

static bool trim_held(struct vault *vault, uint64_t site, struct err *err)
{
	sqlite3_stmt *stmt = sql(vault, SQL_HELD_TRIM);
	sql_int(stmt, 1, site);
	sql_int(stmt, 2, VAULT_HELD_MAX);
	return sql_run(vault, stmt, err);
}

static bool add_held(struct vault *vault, struct vault_held *held, struct err *err)
{
	sqlite3_stmt *stmt = sql(vault, SQL_HELD_ADD);
	sql_int(stmt, 1, held->site);
	sql_text(stmt, 2, held->key);
	sql_blob(stmt, 3, held->digest, DIGEST_SIZE);
	sql_int(stmt, 4, held->severity);
	sql_text(stmt, 5, held->reason);
	sql_text(stmt, 6, held->host);
	sql_int(stmt, 7, held->first_s);
	sql_int(stmt, 8, held->last_s);
	sql_int(stmt, 9, held->times);
	sql_int(stmt, 10, (uint64_t)held->version);
	return sql_returning(vault, stmt, &held->id, err) && trim_held(vault, held->site, err);
}

bool vault_hold(struct vault *vault, struct vault_held *held, bool *is_new, struct err *err)
{
	if (!vault_begin(vault, err))
		return false;
	*is_new = !find(vault, held->site, held->key, held->digest, &held->id, &held->first_s);
	if (*is_new ? add_held(vault, held, err) : count_held(vault, held, err))
		return vault_commit(vault, err);
	vault_abort(vault);
	return false;
}

static bool fill_held(sqlite3_stmt *stmt, struct vault_held *out)
{
	*out = (struct vault_held){.id = (int64_t)col_int(stmt, 0), .site = col_int(stmt, 1)};
	out->severity = (uint32_t)col_int(stmt, 4);
	out->first_s = col_int(stmt, 7);
	out->last_s = col_int(stmt, 8);
	out->times = col_int(stmt, 9);
	out->version = (int64_t)col_int(stmt, 10);
	return col_text(stmt, 2, out->key, sizeof(out->key)) &&
	       col_blob(stmt, 3, out->digest, DIGEST_SIZE) &&
	       col_text(stmt, 5, out->reason, sizeof(out->reason)) &&
	       col_text(stmt, 6, out->host, sizeof(out->host));
}

void vault_held_list(struct vault *vault, uint64_t site, vault_on_held *on_held, void *context)
{
	sqlite3_stmt *stmt = sql_own(vault, SQL_HELD);
	struct vault_held held;
	bool more = true;
	sql_int(stmt, 1, site);
	while (more && sql_row(vault, stmt)) {
		if (fill_held(stmt, &held))
			more = on_held(context, &held);
		else
			vault_tell(vault, VAULT_BAD_CATALOGUE, "a record of what was held is damaged");
	}
	sqlite3_finalize(stmt);
}

bool vault_held_clear(struct vault *vault, uint64_t site, const char *key, uint64_t *n,
		      struct err *err)
{
	if (!vault->writes)
		return err_set(err, "the vault is open for reading only");
	sqlite3_stmt *stmt = sql(vault, SQL_HELD_CLEAR);
	sql_int(stmt, 1, site);
	if (key)
		sql_text(stmt, 2, key);
	if (!sql_run(vault, stmt, err))
		return false;
	if (n)
		*n = (uint64_t)sqlite3_changes64(vault->db);
	return true;
}

/* Signing every record anew: one table after the other, each row only if it was signed with a
 * key that counts. Who calls it decides which keys these are, and in which transaction. */
#include <string.h>

#include "guard/vault_inner.h"

static bool read_site(struct vault *vault, sqlite3_stmt *stmt)
{
	struct vault_site site;
	return site_read(vault, stmt, &site);
}

static bool read_page(struct vault *vault, sqlite3_stmt *stmt)
{
	struct vault_page page;
	return page_read(vault, stmt, &page);
}

static bool read_version(struct vault *vault, sqlite3_stmt *stmt)
{
	struct vault_version version;
	return version_read(vault, stmt, &version);
}

static bool read_token(struct vault *vault, sqlite3_stmt *stmt)
{
	struct vault_token token;
	return token_read(vault, stmt, &token);
}

struct table {
	enum vault_sql rows, update;
	bool (*read)(struct vault *vault, sqlite3_stmt *stmt);
	int keys[2]; /* columns that tell a row from others; -1: none */
};

static const struct table tables[] = {
    {SQL_ALL_META, SQL_RESIGN_META, meta_read, {0, -1}},
    {SQL_OLD_KEYS, SQL_RESIGN_OLD_KEY, old_key_read, {0, -1}},
    {SQL_SITES, SQL_RESIGN_SITE, read_site, {0, -1}},
    {SQL_ALL_PAGES, SQL_RESIGN_PAGE, read_page, {0, -1}},
    {SQL_ALL_VERSIONS, SQL_RESIGN_VERSION, read_version, {0, -1}},
    {SQL_ALL_HOSTS, SQL_RESIGN_HOST, host_read, {0, 4}},
    {SQL_TOKENS, SQL_RESIGN_TOKEN, read_token, {0, -1}},
    {SQL_BASELINES, SQL_RESIGN_BASELINE, baseline_read, {0, -1}},
};

static bool update(struct vault *vault, const struct table *table, sqlite3_stmt *row,
		   struct err *err)
{
	uint8_t signature[SIGNATURE_SIZE];
	if (!record_sign(vault, signature, err))
		return false;
	sqlite3_stmt *stmt = sql(vault, table->update);
	sql_blob(stmt, 1, signature, SIGNATURE_SIZE);
	for (int i = 0; stmt && i < 2 && table->keys[i] >= 0; i++)
		sqlite3_bind_value(stmt, 2 + i, sqlite3_column_value(row, table->keys[i]));
	return sql_run(vault, stmt, err);
}

/* No column that a row is found by changes, so no row comes twice. */
static bool resign(struct vault *vault, const struct table *table, uint64_t *n, struct err *err)
{
	sqlite3_stmt *row = sql_own(vault, table->rows);
	bool ok = row != NULL || sql_fail(vault, err);
	*n = 0;
	while (ok && sql_row(vault, row))
		if (table->read(vault, row)) {
			ok = update(vault, table, row, err);
			++*n;
		}
	sqlite3_finalize(row);
	return ok;
}

bool resign_all(struct vault *vault, uint64_t *versions, struct err *err)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		uint64_t n;
		if (!resign(vault, &tables[i], &n, err))
			return false;
		if (tables[i].rows == SQL_ALL_VERSIONS)
			*versions = n;
	}
	return true;
}

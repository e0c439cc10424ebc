/* Statements: prepared once, values bound, every failure told. A read that fails reads as
 * nothing there, a write that fails as not done. */
#include <string.h>

#include "guard/vault_inner.h"

static const char *const texts[SQL_COUNT] = {
#define ROW(name, text) [SQL_##name] = text,
    VAULT_SQL(ROW)
#undef ROW
};

static enum vault_finding finding_of(int code)
{
	/* it says so of its log's index where there is no room for that */
	if (code == SQLITE_IOERR_SHMSIZE)
		return VAULT_DISK_FULL;
	switch (code & 0xff) {
	case SQLITE_FULL: return VAULT_DISK_FULL;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return VAULT_BAD_CATALOGUE;
	default: return VAULT_WRITE_FAILED;
	}
}

bool sql_fail(struct vault *vault, struct err *err)
{
	const char *why = sqlite3_errmsg(vault->db);
	vault_tell(vault, finding_of(sqlite3_extended_errcode(vault->db)), "the catalogue of the vault: %s", why);
	return err_set(err, "the catalogue of the vault: %s", why);
}

static sqlite3_stmt *prepare(struct vault *vault, enum vault_sql which)
{
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_prepare_v3(vault->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) ==
	    SQLITE_OK)
		return stmt;
	sql_fail(vault, NULL);
	return NULL;
}

sqlite3_stmt *sql(struct vault *vault, enum vault_sql which)
{
	sqlite3_stmt **stmt = &vault->statements[which];
	if (!*stmt)
		*stmt = prepare(vault, which);
	if (*stmt) {
		sqlite3_reset(*stmt);
		sqlite3_clear_bindings(*stmt);
	}
	return *stmt;
}

sqlite3_stmt *sql_own(struct vault *vault, enum vault_sql which)
{
	return prepare(vault, which);
}

/* A value that cannot be bound stays NULL, which no column takes. */
void sql_int(sqlite3_stmt *stmt, int at, uint64_t value)
{
	if (stmt)
		sqlite3_bind_int64(stmt, at, (sqlite3_int64)value);
}

void sql_text(sqlite3_stmt *stmt, int at, const char *text)
{
	if (stmt)
		sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

void sql_blob(sqlite3_stmt *stmt, int at, const void *bytes, size_t len)
{
	if (stmt)
		sqlite3_bind_blob64(stmt, at, bytes, len, SQLITE_STATIC);
}

void sql_span(sqlite3_stmt *stmt, int at, struct span bytes)
{
	if (bytes.ptr)
		sql_blob(stmt, at, bytes.ptr, bytes.len);
}

bool sql_run(struct vault *vault, sqlite3_stmt *stmt, struct err *err)
{
	if (!stmt)
		return err_set(err, "the catalogue of the vault: %s", sqlite3_errmsg(vault->db));
	int code = sqlite3_step(stmt);
	if (code != SQLITE_DONE)
		sql_fail(vault, err);
	sqlite3_reset(stmt);
	return code == SQLITE_DONE;
}

bool sql_returning(struct vault *vault, sqlite3_stmt *stmt, int64_t *out, struct err *err)
{
	if (!stmt || sqlite3_step(stmt) != SQLITE_ROW) {
		sql_fail(vault, err);
		sql_end(stmt);
		return false;
	}
	*out = sqlite3_column_int64(stmt, 0);
	return sql_run(vault, stmt, err);
}

bool sql_row(struct vault *vault, sqlite3_stmt *stmt)
{
	if (!stmt)
		return false;
	int code = sqlite3_step(stmt);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		sql_fail(vault, NULL);
	return code == SQLITE_ROW;
}

uint64_t col_int(sqlite3_stmt *stmt, int at)
{
	return (uint64_t)sqlite3_column_int64(stmt, at);
}

bool col_text(sqlite3_stmt *stmt, int at, char *out, size_t room)
{
	const unsigned char *text = sqlite3_column_text(stmt, at);
	size_t len = (size_t)sqlite3_column_bytes(stmt, at);
	if (!text || len >= room || memchr(text, '\0', len))
		return false;
	memcpy(out, text, len + 1);
	return true;
}

bool col_blob(sqlite3_stmt *stmt, int at, void *out, size_t len)
{
	const void *bytes = sqlite3_column_blob(stmt, at);
	if (!bytes || (size_t)sqlite3_column_bytes(stmt, at) != len)
		return false;
	memcpy(out, bytes, len);
	return true;
}

struct span col_span(sqlite3_stmt *stmt, int at)
{
	if (sqlite3_column_type(stmt, at) == SQLITE_NULL)
		return (struct span){NULL, 0};
	const void *bytes = sqlite3_column_blob(stmt, at);
	return span_of(bytes ? bytes : "", (size_t)sqlite3_column_bytes(stmt, at));
}

void sql_end(sqlite3_stmt *stmt)
{
	if (stmt)
		sqlite3_reset(stmt);
}

uint64_t sql_number(struct vault *vault, sqlite3_stmt *stmt)
{
	uint64_t number = sql_row(vault, stmt) ? col_int(stmt, 0) : 0;
	sql_end(stmt);
	return number;
}

bool sql_create(struct vault *vault, struct err *err)
{
	return sqlite3_exec(vault->db, VAULT_TABLES, NULL, NULL, NULL) == SQLITE_OK ||
	       sql_fail(vault, err);
}

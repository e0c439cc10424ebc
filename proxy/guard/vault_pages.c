/* Pages: what is known of a URL of a site beside its versions. */
#include <string.h>

#include "guard/vault_inner.h"

static void record_page(struct vault *vault, const struct vault_page *page)
{
	record_begin(vault, "page");
	record_int(vault, page->site);
	record_text(vault, page->key);
	record_int(vault, page->policy);
	record_int(vault, page->depth);
	record_int(vault, page->source);
	record_int(vault, page->first_seen_s);
}

bool vault_page_put(struct vault *vault, struct vault_page *page, struct err *err)
{
	uint8_t signature[SIGNATURE_SIZE];
	record_page(vault, page);
	if (!record_sign(vault, signature, err) || !vault_begin(vault, err))
		return false;
	sqlite3_stmt *stmt = sql(vault, SQL_PAGE_PUT);
	sql_int(stmt, 1, page->site);
	sql_text(stmt, 2, page->key);
	sql_int(stmt, 3, page->policy);
	sql_int(stmt, 4, page->depth);
	sql_int(stmt, 5, page->source);
	sql_int(stmt, 6, page->first_seen_s);
	sql_int(stmt, 7, page->last_seen_s);
	sql_int(stmt, 8, page->due_s);
	sql_blob(stmt, 9, signature, SIGNATURE_SIZE);
	if (sql_returning(vault, stmt, &page->id, err))
		return vault_commit(vault, err);
	vault_abort(vault);
	return false;
}

static bool fill_page(sqlite3_stmt *stmt, struct vault_page *out)
{
	*out = (struct vault_page){.id = (int64_t)col_int(stmt, 0), .site = col_int(stmt, 1)};
	uint64_t policy = col_int(stmt, 3);
	out->depth = (uint32_t)col_int(stmt, 4);
	out->source = (uint32_t)col_int(stmt, 5);
	out->first_seen_s = col_int(stmt, 6);
	out->last_seen_s = col_int(stmt, 7);
	out->due_s = col_int(stmt, 8);
	if (policy > BASELINE_VARYING || !col_text(stmt, 2, out->key, sizeof(out->key)))
		return false;
	out->policy = (enum baseline_policy)policy;
	return true;
}

bool page_read(struct vault *vault, sqlite3_stmt *stmt, struct vault_page *out)
{
	bool ok = fill_page(stmt, out);
	record_page(vault, out);
	if (ok && record_is_signed(vault, stmt, 9))
		return true;
	vault_tell(vault, VAULT_BAD_SIGNATURE, "the record of page %.200s was not signed by us", out->key);
	return false;
}

static bool read_one(struct vault *vault, sqlite3_stmt *stmt, struct vault_page *out)
{
	bool found = sql_row(vault, stmt) && page_read(vault, stmt, out);
	sql_end(stmt);
	return found;
}

bool vault_page_get(struct vault *vault, uint64_t site, const char *key, struct vault_page *out)
{
	sqlite3_stmt *stmt = sql(vault, SQL_PAGE_GET);
	sql_int(stmt, 1, site);
	sql_text(stmt, 2, key);
	return read_one(vault, stmt, out);
}

bool vault_page_of(struct vault *vault, int64_t id, struct vault_page *out)
{
	sqlite3_stmt *stmt = sql(vault, SQL_PAGE_OF);
	sql_int(stmt, 1, (uint64_t)id);
	return read_one(vault, stmt, out);
}

void vault_pages(struct vault *vault, uint64_t site, vault_on_page *on_page, void *context)
{
	sqlite3_stmt *stmt = sql_own(vault, SQL_PAGES);
	struct vault_page page;
	bool more = true;
	sql_int(stmt, 1, site);
	while (more && sql_row(vault, stmt))
		if (page_read(vault, stmt, &page))
			more = on_page(context, &page);
	sqlite3_finalize(stmt);
}

uint64_t vault_page_count(struct vault *vault, uint64_t site)
{
	sqlite3_stmt *stmt = sql(vault, SQL_PAGE_COUNT);
	sql_int(stmt, 1, site);
	return sql_number(vault, stmt);
}

bool vault_page_forget(struct vault *vault, int64_t page, struct err *err)
{
	if (!vault->writes)
		return err_set(err, "the vault is open for reading only");
	sqlite3_stmt *stmt = sql(vault, SQL_PAGE_FORGET);
	sql_int(stmt, 1, (uint64_t)page);
	return sql_run(vault, stmt, err);
}

/* Sites, and the hosts that their redirects lead to. */
#include <string.h>

#include "guard/vault_inner.h"

static void record_site(struct vault *vault, const struct vault_site *site)
{
	record_begin(vault, "site");
	record_int(vault, site->id);
	record_text(vault, site->name);
	record_int(vault, site->state);
	record_text(vault, site->reason);
	record_int(vault, site->since_s);
	record_int(vault, site->confirmed);
	record_int(vault, site->publish_until_s);
}

bool vault_site_put(struct vault *vault, const struct vault_site *site, struct err *err)
{
	uint8_t signature[SIGNATURE_SIZE];
	if (site_id(site->name) != site->id)
		return err_set(err, "site %s has another id", site->name);
	record_site(vault, site);
	if (!record_sign(vault, signature, err))
		return false;
	sqlite3_stmt *stmt = sql(vault, SQL_SITE_PUT);
	sql_int(stmt, 1, site->id);
	sql_text(stmt, 2, site->name);
	sql_int(stmt, 3, site->state);
	sql_text(stmt, 4, site->reason);
	sql_int(stmt, 5, site->since_s);
	sql_int(stmt, 6, site->confirmed);
	sql_int(stmt, 7, site->publish_until_s);
	sql_blob(stmt, 8, signature, SIGNATURE_SIZE);
	return sql_run(vault, stmt, err);
}

static bool fill_site(sqlite3_stmt *stmt, struct vault_site *out)
{
	*out = (struct vault_site){.id = col_int(stmt, 0)};
	out->state = (uint32_t)col_int(stmt, 2);
	out->since_s = col_int(stmt, 4);
	out->confirmed = col_int(stmt, 5) == 1;
	out->publish_until_s = col_int(stmt, 6);
	return col_text(stmt, 1, out->name, sizeof(out->name)) &&
	       col_text(stmt, 3, out->reason, sizeof(out->reason));
}

bool site_read(struct vault *vault, sqlite3_stmt *stmt, struct vault_site *out)
{
	bool ok = fill_site(stmt, out);
	record_site(vault, out);
	if (ok && record_is_signed(vault, stmt, 7))
		return true;
	vault_tell(vault, VAULT_BAD_SIGNATURE, "the record of site %s was not signed by us", out->name);
	return false;
}

bool vault_site_get(struct vault *vault, uint64_t id, struct vault_site *out)
{
	sqlite3_stmt *stmt = sql(vault, SQL_SITE_GET);
	sql_int(stmt, 1, id);
	bool found = sql_row(vault, stmt) && site_read(vault, stmt, out);
	sql_end(stmt);
	return found;
}

void vault_sites(struct vault *vault, vault_on_site *on_site, void *context)
{
	sqlite3_stmt *stmt = sql_own(vault, SQL_SITES);
	struct vault_site site;
	bool more = true;
	while (more && sql_row(vault, stmt))
		if (site_read(vault, stmt, &site))
			more = on_site(context, &site);
	sqlite3_finalize(stmt);
}

/* ---- hosts ---- */

static void record_host(struct vault *vault, uint64_t site, const char *host, const char *who,
			uint64_t since_s)
{
	record_begin(vault, "host");
	record_int(vault, site);
	record_text(vault, host);
	record_text(vault, who);
	record_int(vault, since_s);
}

bool vault_host_add(struct vault *vault, uint64_t site, const char *host, const char *who,
		    uint64_t now_s, struct err *err)
{
	uint8_t signature[SIGNATURE_SIZE];
	record_host(vault, site, host, who, now_s);
	if (!record_sign(vault, signature, err))
		return false;
	sqlite3_stmt *stmt = sql(vault, SQL_HOST_PUT);
	sql_int(stmt, 1, site);
	sql_text(stmt, 2, host);
	sql_text(stmt, 3, who);
	sql_int(stmt, 4, now_s);
	sql_blob(stmt, 5, signature, SIGNATURE_SIZE);
	return sql_run(vault, stmt, err);
}

struct host_row {
	char host[256], who[VAULT_REASON_SIZE];
	uint64_t since_s;
};

static bool read_host_of(struct vault *vault, uint64_t site, sqlite3_stmt *stmt, struct host_row *out)
{
	*out = (struct host_row){.since_s = col_int(stmt, 2)};
	bool ok = col_text(stmt, 0, out->host, sizeof(out->host)) &&
		  col_text(stmt, 1, out->who, sizeof(out->who));
	record_host(vault, site, out->host, out->who, out->since_s);
	if (ok && record_is_signed(vault, stmt, 3))
		return true;
	vault_tell(vault, VAULT_BAD_SIGNATURE, "the record of host %s was not signed by us", out->host);
	return false;
}

void vault_hosts(struct vault *vault, uint64_t site, vault_on_host *on_host, void *context)
{
	sqlite3_stmt *stmt = sql_own(vault, SQL_HOSTS);
	struct host_row row;
	bool more = true;
	sql_int(stmt, 1, site);
	while (more && sql_row(vault, stmt))
		if (read_host_of(vault, site, stmt, &row))
			more = on_host(context, row.host, row.who, row.since_s);
	sqlite3_finalize(stmt);
}

bool host_read(struct vault *vault, sqlite3_stmt *stmt)
{
	struct host_row row;
	return read_host_of(vault, col_int(stmt, 4), stmt, &row);
}

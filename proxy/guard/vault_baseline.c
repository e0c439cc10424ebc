/* Baselines: made of what is good, written down by number, and kept as one file. A site or a
 * page whose record is damaged is left out; so is a version whose content is gone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guard/vault_inner.h"
#include "sallyport/files.h"

enum {
	GOOD_MAX = 64, /* versions of a page that are accepted; the first ones count */
	BASELINES_KEPT = 4096, /* that can be gone back to */
};

struct row {
	struct vault_baseline about;
	uint8_t digest[DIGEST_SIZE];
};

/* ---- records ---- */

static void record_baseline(struct vault *vault, const struct row *row)
{
	record_begin(vault, "baseline");
	record_int(vault, row->about.number);
	record_int(vault, row->about.made_s);
	record_int(vault, row->about.bytes);
	record_bytes(vault, row->digest, DIGEST_SIZE);
	record_text(vault, row->about.reason);
}

static bool read_row(struct vault *vault, sqlite3_stmt *stmt, struct row *out)
{
	*out = (struct row){.about.number = col_int(stmt, 0)};
	out->about.made_s = col_int(stmt, 1);
	out->about.bytes = col_int(stmt, 2);
	bool ok = col_blob(stmt, 3, out->digest, DIGEST_SIZE) &&
		  col_text(stmt, 4, out->about.reason, sizeof(out->about.reason));
	record_baseline(vault, out);
	if (ok && record_is_signed(vault, stmt, 5))
		return true;
	vault_tell(vault, VAULT_BAD_SIGNATURE, "the record of baseline %llu was not signed by us",
		   (unsigned long long)out->about.number);
	return false;
}

bool baseline_read(struct vault *vault, sqlite3_stmt *stmt)
{
	struct row row;
	return read_row(vault, stmt, &row);
}

static bool save_row(struct vault *vault, const struct row *row, struct err *err)
{
	uint8_t signature[SIGNATURE_SIZE];
	record_baseline(vault, row);
	if (!record_sign(vault, signature, err))
		return false;
	sqlite3_stmt *stmt = sql(vault, SQL_BASELINE_ADD);
	sql_int(stmt, 1, row->about.number);
	sql_int(stmt, 2, row->about.made_s);
	sql_int(stmt, 3, row->about.bytes);
	sql_blob(stmt, 4, row->digest, DIGEST_SIZE);
	sql_text(stmt, 5, row->about.reason);
	sql_blob(stmt, 6, signature, SIGNATURE_SIZE);
	return sql_run(vault, stmt, err);
}

uint64_t baseline_next_number(struct vault *vault)
{
	return sql_number(vault, sql(vault, SQL_BASELINE_NEXT));
}

/* The newest, whether or not it is signed by us. */
static bool newest_row(struct vault *vault, struct row *out, bool *is_there)
{
	sqlite3_stmt *stmt = sql(vault, SQL_BASELINES);
	*is_there = sql_row(vault, stmt);
	bool ok = *is_there && read_row(vault, stmt, out);
	sql_end(stmt);
	return ok;
}

void vault_baselines(struct vault *vault, vault_on_baseline *on_baseline, void *context)
{
	sqlite3_stmt *stmt = sql_own(vault, SQL_BASELINES);
	struct row row;
	bool more = true;
	while (more && sql_row(vault, stmt))
		if (read_row(vault, stmt, &row))
			more = on_baseline(context, &row.about);
	sqlite3_finalize(stmt);
}

bool vault_baseline_at(struct vault *vault, uint64_t time_s, struct vault_baseline *out)
{
	sqlite3_stmt *stmt = sql(vault, SQL_BASELINE_AT);
	struct row row;
	bool found = false;
	sql_int(stmt, 1, time_s);
	while (!found && sql_row(vault, stmt))
		found = read_row(vault, stmt, &row);
	sql_end(stmt);
	if (found)
		*out = row.about;
	return found;
}

/* ---- making ---- */

struct making {
	struct vault *vault;
	struct baseline_builder *builder;
	struct vault_version *good; /* GOOD_MAX: their texts have to stay until they are added */
	struct baseline_version versions[GOOD_MAX];
	uint64_t site;
	bool failed;
};

static bool has_content(struct vault *vault, const struct vault_version *version)
{
	if (vault_content_exists(vault, version->content, version->content_bytes))
		return true;
	char path[VAULT_CONTENT_PATH_SIZE];
	vault_content_path(version->content, path);
	vault_tell(vault, VAULT_BAD_CONTENT, "content/%s is missing or cut: version %u counts as absent",
		   path, version->number);
	return false;
}

/* is_lost: those whose content is not there, too. */
static unsigned collect(struct making *making, int64_t page, bool is_lost)
{
	sqlite3_stmt *stmt = sql(making->vault, SQL_VERSIONS_GOOD);
	unsigned n = 0;
	sql_int(stmt, 1, (uint64_t)page);
	while (n < GOOD_MAX && sql_row(making->vault, stmt)) {
		struct vault_version *version = &making->good[n];
		if (!version_read(making->vault, stmt, version) ||
		    (!is_lost && !has_content(making->vault, version)))
			continue;
		struct baseline_version *out = &making->versions[n++];
		memcpy(out->page, version->digest, DIGEST_SIZE);
		memcpy(out->content, version->content, DIGEST_SIZE);
		out->head = version->head;
		out->content_bytes = version->content_bytes;
		out->since_s = version->since_s;
	}
	sql_end(stmt);
	return n;
}

/* A version without a content is no copy, so one that has its own stands in. Where none has, the page is known by its
 * digest still: it would pass defaced if it were not. */
static unsigned collect_good(struct making *making, int64_t page)
{
	unsigned n = collect(making, page, false);
	return n > 0 ? n : collect(making, page, true);
}

static bool add_page(void *context, const struct vault_page *page)
{
	struct making *making = context;
	unsigned n = collect_good(making, page->id);
	enum baseline_policy policy =
	    page->policy == BASELINE_EXACT && n == 0 ? BASELINE_LEARNING : page->policy;
	if (policy != BASELINE_UNSET &&
	    !baseline_add_page(making->builder, making->site, span_from_str(page->key), policy,
			       making->versions, n))
		making->failed = true;
	return !making->failed;
}

static bool add_host(void *context, const char *host, const char *who, uint64_t since_s)
{
	struct making *making = context;
	(void)who;
	(void)since_s;
	if (!baseline_add_host(making->builder, making->site, span_from_str(host)))
		making->failed = true;
	return !making->failed;
}

static bool add_site(void *context, const struct vault_site *site)
{
	struct making *making = context;
	making->site = site->id;
	if (!baseline_add_site(making->builder, site->id)) {
		making->failed = true;
		return false;
	}
	if (site->confirmed) {
		vault_hosts(making->vault, site->id, add_host, making);
		vault_pages(making->vault, site->id, add_page, making);
	}
	return !making->failed;
}

static bool build(struct vault *vault, uint64_t number, uint64_t now_s, struct strbuf *out,
		  struct err *err)
{
	struct making *making = calloc(1, sizeof(*making));
	bool ok = making != NULL;
	if (ok) {
		making->vault = vault;
		making->builder = baseline_builder_new(number, now_s);
		making->good = calloc(GOOD_MAX, sizeof(*making->good));
		ok = making->builder && making->good;
	}
	if (ok) {
		vault_sites(vault, add_site, making);
		ok = !making->failed;
	}
	if (!ok)
		err_set(err, "a record of the vault cannot stand in a baseline, or memory is short");
	ok = ok && baseline_finish(making->builder, vault->key, out, err);
	if (making) {
		baseline_builder_free(making->builder);
		free(making->good);
	}
	free(making);
	return ok;
}

static bool trim(struct vault *vault, uint64_t number, struct err *err)
{
	if (number <= BASELINES_KEPT)
		return true;
	sqlite3_stmt *stmt = sql(vault, SQL_BASELINES_TRIM);
	sql_int(stmt, 1, number - BASELINES_KEPT);
	if (!sql_run(vault, stmt, err))
		return false;
	stmt = sql(vault, SQL_HISTORY_TRIM);
	sql_int(stmt, 1, number - BASELINES_KEPT);
	return sql_run(vault, stmt, err);
}

static bool write_next(struct vault *vault, const struct strbuf *file, struct err *err)
{
	struct err why = {""};
	if (file_write(vault->directory, VAULT_BASELINE_NEXT, file->data, file->len, &why)) {
		vault->has_next_baseline = true;
		return true;
	}
	vault_tell_errno(vault, &why);
	return err_set(err, "%s", why.text);
}

static bool make(struct vault *vault, uint64_t number, const char *reason, uint64_t now_s,
		 struct strbuf *out, struct err *err)
{
	struct row row = {.about = {.number = number, .made_s = now_s}};
	snprintf(row.about.reason, sizeof(row.about.reason), "%s", reason);
	if (row.about.number == 0)
		return err_set(err, "the vault's baselines cannot be read");
	if (!build(vault, row.about.number, now_s, out, err))
		return false;
	row.about.bytes = out->len;
	digest(out->data, out->len, row.digest);
	return save_row(vault, &row, err) && trim(vault, row.about.number, err) &&
	       write_next(vault, out, err);
}

bool baseline_make_from(struct vault *vault, uint64_t number, const char *reason, uint64_t now_s,
			struct strbuf *out, struct err *err)
{
	uint64_t next = baseline_next_number(vault);
	if (!vault_begin(vault, err))
		return false;
	if (make(vault, next > number || next == 0 ? next : number, reason, now_s, out, err))
		return vault_commit(vault, err);
	vault_abort(vault);
	return false;
}

bool vault_baseline_make(struct vault *vault, const char *reason, uint64_t now_s, struct strbuf *out,
			 struct err *err)
{
	return baseline_make_from(vault, 0, reason, now_s, out, err);
}

/* ---- the file ---- */

static bool file_is(struct vault *vault, const char *name, const struct row *row, struct strbuf *out)
{
	uint8_t seen[DIGEST_SIZE];
	if (file_read(vault->directory, name, out, NULL) != FILE_READ || !out->data)
		return false;
	digest(out->data, out->len, seen);
	return memcmp(seen, row->digest, DIGEST_SIZE) == 0;
}

void baseline_settle(struct vault *vault)
{
	struct err err = {""};
	struct strbuf file;
	struct row row;
	bool is_there;
	strbuf_init(&file, BASELINE_FILE_MAX);
	if (newest_row(vault, &row, &is_there) && !file_is(vault, VAULT_BASELINE_FILE, &row, &file)) {
		strbuf_reset(&file);
		if (file_is(vault, VAULT_BASELINE_NEXT, &row, &file) &&
		    !file_rename(vault->directory, VAULT_BASELINE_NEXT, VAULT_BASELINE_FILE, &err))
			vault_tell_errno(vault, &err);
	}
	strbuf_release(&file);
	unlinkat(vault->directory, VAULT_BASELINE_NEXT, 0);
}

bool baseline_load(struct vault *vault, struct strbuf *out, struct err *err)
{
	struct row row;
	bool is_there;
	if (!newest_row(vault, &row, &is_there))
		return err_set(err, is_there ? "the newest baseline was not signed by us"
					     : "the vault has no baseline yet");
	return file_is(vault, VAULT_BASELINE_FILE, &row, out) ||
	       err_set(err, "the vault's file \"" VAULT_BASELINE_FILE "\" is not baseline %llu, the newest",
		       (unsigned long long)row.about.number);
}

bool vault_baseline_load(struct vault *vault, struct strbuf *out, struct err *err)
{
	struct err why = {""};
	if (baseline_load(vault, out, &why))
		return true;
	if (baseline_next_number(vault) > 1)
		vault_tell(vault, VAULT_BAD_BASELINE, "%s", why.text);
	return err_set(err, "%s", why.text);
}

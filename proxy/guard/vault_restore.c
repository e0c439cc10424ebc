/* Restoring: a backup is read into memory, every record is checked and signed with the present
 * key, contents are copied, and only then does the catalogue change, in one transaction. The
 * audit goes on where the vault has one: what was restored when belongs into it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guard/vault_backup.h"
#include "sallyport/files.h"
#include "sallyport/keys.h"

struct restoring {
	struct vault *vault;  /* that is restored */
	struct vault *from;   /* the backup: its catalogue in memory, its contents in its directory */
	int directory;        /* of the backup */
	uint64_t now_s;
};

/* ---- is it whole, and whose is it ---- */

static bool take_line(struct span *text, struct span name, struct span *value)
{
	struct span line = span_of(text->ptr, span_find(*text, '\n'));
	if (line.len == text->len || !span_starts(line, name))
		return false;
	*value = span_from(line, name.len);
	*text = span_from(*text, line.len + 1);
	return true;
}

struct list {
	struct span signed_part;
	uint64_t made_s;
	uint8_t key[SIGN_PUBLIC_SIZE], signature[SIGNATURE_SIZE];
};

static bool parse_list(struct span text, struct list *out)
{
	struct span rest = span_from(text, sizeof(BACKUP_TITLE) - 1), made, key, value;
	if (!span_starts(text, SPAN(BACKUP_TITLE)) || !take_line(&rest, SPAN("made "), &made) || !take_line(&rest, SPAN("key "), &key) ||
	    !take_line(&rest, SPAN(VAULT_CATALOGUE " "), &value) ||
	    !take_line(&rest, SPAN(AUDIT_FILE " "), &value) ||
	    !take_line(&rest, SPAN(VAULT_BASELINE_FILE " "), &value))
		return false;
	out->signed_part = span_of(text.ptr, (size_t)(rest.ptr - text.ptr));
	return take_line(&rest, SPAN("signature "), &value) && rest.len == 0 &&
	       hex_read(value, out->signature, SIGNATURE_SIZE) && hex_read(key, out->key, SIGN_PUBLIC_SIZE) &&
	       span_to_u64(made, UINT64_MAX, &out->made_s);
}

/* Whose signatures count: ours, those of our old keys, and one that the operator named. */
static bool is_ours(const struct vault *vault, const uint8_t key[SIGN_PUBLIC_SIZE])
{
	if (memcmp(vault->public_part, key, SIGN_PUBLIC_SIZE) == 0)
		return true;
	for (unsigned i = 0; i < vault->also_n; i++)
		if (memcmp(vault->also[i], key, SIGN_PUBLIC_SIZE) == 0)
			return true;
	return false;
}

static bool check_parsed(const struct restoring *r, const struct list *list, struct err *err)
{
	char hex[KEY_HEX_SIZE];
	struct strbuf now;
	hex_write(list->key, SIGN_PUBLIC_SIZE, hex);
	if (!is_ours(r->vault, list->key))
		return err_set(err, "the backup was signed with the key %s, which this vault never had; "
				    "where you trust it, give --trust-key %s", hex, hex);
	if (!sign_verify(list->key, list->signed_part.ptr, list->signed_part.len, list->signature))
		return err_set(err, "the backup's list was not signed with the key %s", hex);
	strbuf_init(&now, BACKUP_LIST_MAX);
	bool ok = backup_list(r->directory, list->key, list->made_s, &now, err);
	if (ok && !span_eq(strbuf_span(&now), list->signed_part))
		ok = err_set(err, "the backup's files are not those that its list names");
	strbuf_release(&now);
	return ok;
}

static bool check_list(const struct restoring *r, struct err *err)
{
	struct strbuf text;
	struct list list;
	strbuf_init(&text, BACKUP_LIST_MAX);
	enum file_read read = file_read(r->directory, BACKUP_LIST, &text, err);
	bool ok = read == FILE_READ;
	if (read == FILE_ABSENT)
		err_set(err, "there is no backup: its list, \"" BACKUP_LIST "\", is missing");
	if (ok && !parse_list(strbuf_span(&text), &list))
		ok = err_set(err, "the backup's list, \"" BACKUP_LIST "\", is damaged");
	ok = ok && check_parsed(r, &list, err);
	strbuf_release(&text);
	return ok;
}

/* ---- its catalogue, in memory ---- */

static bool load_catalogue(struct vault *from, const char *path, struct err *err)
{
	char file[PATH_MAX + 32];
	sqlite3 *there = NULL;
	snprintf(file, sizeof(file), "%s/" VAULT_CATALOGUE, path);
	bool ok = sqlite3_open_v2(file, &there, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW, NULL) ==
			  SQLITE_OK &&
		  sqlite3_open_v2(":memory:", &from->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
				  NULL) == SQLITE_OK;
	if (!ok)
		err_set(err, "cannot open %s", file);
	ok = ok && backup_copy_database(from->db, there, err) && catalogue_accept(from, err);
	sqlite3_close(there);
	return ok;
}

/* Shares key, directory and findings with the vault; writes into memory only. */
static void share(const struct restoring *r, const char *path, int content)
{
	struct vault *from = r->from;
	const struct vault *vault = r->vault;
	*from = (struct vault){.directory = vault->directory, .content = content, .writes = true,
			       .key = vault->key, .on_finding = vault->on_finding,
			       .context = vault->context, .tell_all = true};
	snprintf(from->path, sizeof(from->path), "%s", path);
	memcpy(from->public_part, vault->public_part, SIGN_PUBLIC_SIZE);
	memcpy(from->also, vault->also, sizeof(from->also));
	from->also_n = vault->also_n;
	strbuf_init(&from->record, RECORD_MAX);
}

static bool resign(struct vault *from, struct err *err)
{
	uint64_t versions;
	if (!vault_begin(from, err))
		return false;
	if (!resign_all(from, &versions, err) || !meta_put_key(from, err)) {
		vault_abort(from);
		return false;
	}
	if (!vault_commit(from, err))
		return false;
	from->also_n = 0;
	record_forget(from);
	return from->findings == 0 ||
	       err_set(err, "%llu records of the backup were not signed: it is not restored",
		       (unsigned long long)from->findings);
}

/* ---- into the vault ---- */

static bool copy_contents(const struct restoring *r, struct err *err)
{
	sqlite3_stmt *stmt = sql_own(r->from, SQL_CONTENTS);
	uint8_t content[DIGEST_SIZE];
	bool ok = true;
	while (ok && sql_row(r->from, stmt))
		if (col_blob(stmt, 0, content, DIGEST_SIZE) &&
		    !vault_content_exists(r->vault, content, col_int(stmt, 1)))
			ok = backup_copy_content(r->from, r->vault->content, content, err);
	sqlite3_finalize(stmt);
	return ok;
}

/* A vault that has no audit yet takes the backup's. */
static bool take_audit(const struct restoring *r, struct err *err)
{
	struct audit_head head;
	struct strbuf lines;
	if (r->vault->audit.head.lines > 0) {
		audit_init(&r->from->audit, &r->vault->audit.head);
		return true;
	}
	if (!audit_head_get(r->from, &head))
		return err_set(err, "the backup's audit has no end");
	audit_init(&r->from->audit, &head);
	strbuf_init(&lines, BACKUP_FILE_MAX);
	enum file_read read = file_read(r->directory, AUDIT_FILE, &lines, err);
	bool ok = read != FILE_FAILED;
	if (ok && lines.data)
		ok = file_replace(r->vault->directory, AUDIT_FILE, lines.data, lines.len, err);
	strbuf_release(&lines);
	return ok && audit_check_end(r->vault->directory, &head, err);
}

/* Numbers of baselines grow, whatever the backup's were: workers would not go back. */
static bool make_baseline(const struct restoring *r, struct err *err)
{
	struct strbuf file;
	struct vault_decision decision = {.who = "operator", .what = "restore"};
	if (!vault_begin(r->from, err))
		return false;
	strbuf_init(&file, BASELINE_FILE_MAX);
	bool ok = vault_audit(r->from, &decision, r->now_s, err) &&
		  baseline_make_from(r->from, baseline_next_number(r->vault), "restored", r->now_s,
				     &file, err);
	strbuf_release(&file);
	/* the catalogue's, not yet the vault's: the file is put in place after that */
	r->vault->has_next_baseline = r->from->has_next_baseline;
	r->from->has_next_baseline = false;
	if (ok)
		return vault_commit(r->from, err);
	vault_abort(r->from);
	return false;
}

static bool take_over(const struct restoring *r, struct err *err)
{
	catalogue_reset(r->vault);
	if (!backup_copy_database(r->vault->db, r->from->db, err))
		return false;
	if (r->vault->has_next_baseline &&
	    !file_rename(r->vault->directory, VAULT_BASELINE_NEXT, VAULT_BASELINE_FILE, err))
		return false;
	r->vault->has_next_baseline = false;
	content_sweep(r->vault);
	return true;
}

static bool restore_from(const struct restoring *r, const char *path, struct err *err)
{
	bool ok = check_list(r, err);
	int content = openat(r->directory, "content", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (ok && content < 0)
		ok = err_set(err, "cannot open %s/content: %s", path, strerror(errno));
	share(r, path, content);
	ok = ok && load_catalogue(r->from, path, err) && resign(r->from, err) &&
	     copy_contents(r, err);
	/* from here on it is the vault that contents are asked of */
	r->from->content = r->vault->content;
	ok = ok && take_audit(r, err) && make_baseline(r, err) && take_over(r, err);
	catalogue_close(r->from);
	audit_release(&r->from->audit);
	record_release(r->from);
	if (content >= 0)
		close(content);
	return ok;
}

static bool restore(struct vault *vault, const char *backup, uint64_t now_s, struct err *err)
{
	char path[PATH_MAX];
	struct restoring r = {.vault = vault, .from = calloc(1, sizeof(*r.from)), .now_s = now_s};
	r.directory = open(backup, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool ok = r.from != NULL || err_set(err, "no memory for the backup");
	if (ok && (r.directory < 0 || !realpath(backup, path)))
		ok = err_set(err, "cannot open %s: %s", backup, strerror(errno));
	ok = ok && restore_from(&r, path, err);
	if (r.directory >= 0)
		close(r.directory);
	free(r.from);
	return ok;
}

bool vault_restore(const struct vault_options *options, const char *backup,
		   const uint8_t trusted[SIGN_PUBLIC_SIZE], uint64_t now_s, struct err *err)
{
	struct vault_options writing = *options;
	struct vault *vault = NULL;
	writing.writes = true;
	if (vault_open(&writing, &vault, err) != VAULT_OPENED)
		return false;
	if (trusted)
		memcpy(vault->also[vault->also_n++], trusted, SIGN_PUBLIC_SIZE);
	old_keys_accept(vault);
	bool ok = restore(vault, backup, now_s, err);
	vault_close(vault);
	return ok;
}

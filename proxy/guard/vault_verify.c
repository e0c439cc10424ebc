/* Looks at everything: each record and its signature, each content and its digest, the baseline,
 * the audit chain, the rights of the files. Changes nothing; whatever is wrong is told. */
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guard/vault_inner.h"
#include "sallyport/files.h"
#include "sallyport/keys.h"

enum { BAD_MAX = 4096, BASELINE_TRIES = 8 };

struct checking {
	struct vault *vault;
	struct vault_report *out;
};

/* ---- the database itself ---- */

static void check_database(struct vault *vault)
{
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_prepare_v2(vault->db, "PRAGMA integrity_check(20)", -1, &stmt, NULL) != SQLITE_OK)
		sql_fail(vault, NULL);
	while (sql_row(vault, stmt)) {
		const char *says = (const char *)sqlite3_column_text(stmt, 0);
		if (says && strcmp(says, "ok") != 0)
			vault_tell(vault, VAULT_BAD_CATALOGUE, "the catalogue: %s", says);
	}
	sqlite3_finalize(stmt);
}

/* ---- records ---- */

static bool count_host(void *context, const char *host, const char *who, uint64_t since_s)
{
	(void)context;
	(void)host;
	(void)who;
	(void)since_s;
	return true;
}

static bool count_page(void *context, const struct vault_page *page)
{
	struct checking *checking = context;
	(void)page;
	checking->out->pages++;
	return true;
}

static bool count_site(void *context, const struct vault_site *site)
{
	struct checking *checking = context;
	checking->out->sites++;
	vault_hosts(checking->vault, site->id, count_host, NULL);
	vault_pages(checking->vault, site->id, count_page, checking);
	return true;
}

static bool count_baseline(void *context, const struct vault_baseline *baseline)
{
	struct checking *checking = context;
	if (checking->out->baseline_number == 0)
		checking->out->baseline_number = baseline->number;
	return true;
}

static void check_tokens(struct vault *vault)
{
	sqlite3_stmt *stmt = sql_own(vault, SQL_TOKENS);
	struct vault_token token;
	while (sql_row(vault, stmt))
		(void)token_read(vault, stmt, &token);
	sqlite3_finalize(stmt);
}

/* A version's page digest follows from its head and its content. */
static void check_digest(struct vault *vault, const struct vault_version *version)
{
	uint8_t seen[DIGEST_SIZE];
	page_digest(&version->head, version->content, seen);
	if (memcmp(seen, version->digest, DIGEST_SIZE) != 0)
		vault_tell(vault, VAULT_BAD_SIGNATURE,
			   "the digest of version %u of page number %lld is not that of its fields",
			   version->number, (long long)version->page);
}

static void check_versions(struct checking *checking)
{
	sqlite3_stmt *stmt = sql_own(checking->vault, SQL_ALL_VERSIONS);
	struct vault_version version;
	while (sql_row(checking->vault, stmt)) {
		checking->out->versions++;
		if (version_read(checking->vault, stmt, &version))
			check_digest(checking->vault, &version);
	}
	sqlite3_finalize(stmt);
}

/* ---- contents ---- */

/* Appends to bad what cannot be read: its name may be gone as well by then, where a keeper
 * that runs has made room. */
static void check_content(struct vault *vault, const uint8_t content[DIGEST_SIZE],
			  struct strbuf *bad)
{
	struct strbuf bytes;
	strbuf_init(&bytes, CONTENT_FILE_MAX);
	if (!content_read(vault, content, &bytes, NULL))
		strbuf_add(bad, content, DIGEST_SIZE);
	strbuf_release(&bytes);
}

static void tell_content(struct vault *vault, const uint8_t content[DIGEST_SIZE])
{
	struct strbuf bytes;
	struct err err;
	strbuf_init(&bytes, CONTENT_FILE_MAX);
	if (content_is_named(vault, content) && !content_read(vault, content, &bytes, &err))
		vault_tell(vault, VAULT_BAD_CONTENT, "%s", err.text);
	strbuf_release(&bytes);
}

static void check_contents(struct checking *checking)
{
	struct vault *vault = checking->vault;
	sqlite3_stmt *stmt = sql_own(vault, SQL_CONTENTS);
	uint8_t content[DIGEST_SIZE];
	struct strbuf bad;
	strbuf_init(&bad, BAD_MAX * DIGEST_SIZE);
	while (sql_row(vault, stmt)) {
		checking->out->contents++;
		checking->out->bytes += col_int(stmt, 1);
		if (col_blob(stmt, 0, content, DIGEST_SIZE))
			check_content(vault, content, &bad);
		else
			vault_tell(vault, VAULT_BAD_CATALOGUE, "a content's digest is damaged");
	}
	sqlite3_finalize(stmt);
	for (size_t at = 0; at + DIGEST_SIZE <= bad.len; at += DIGEST_SIZE)
		tell_content(vault, (const uint8_t *)bad.data + at);
	strbuf_release(&bad);
}

/* ---- the baseline against the catalogue ---- */

static bool has_versions(struct vault *vault, const struct baseline *baseline,
			 const struct baseline_page *page, int64_t id)
{
	struct baseline_version version;
	struct vault_version found;
	for (unsigned i = 0; i < page->versions; i++) {
		baseline_version_of(baseline, page, i, &version);
		if (!vault_version_find(vault, id, version.page, &found) ||
		    memcmp(found.content, version.content, DIGEST_SIZE) != 0)
			return false;
	}
	return true;
}

static bool stands_in_catalogue(struct vault *vault, const struct baseline *baseline, uint32_t index,
				struct span *key)
{
	struct baseline_page page;
	struct vault_page there;
	char text[PAGE_KEY_MAX + 1];
	uint64_t site;
	baseline_page_at(baseline, index, &site, key, &page);
	memcpy(text, key->ptr, key->len);
	text[key->len] = '\0';
	return vault_page_get(vault, site, text, &there) &&
	       has_versions(vault, baseline, &page, there.id);
}

/* The first page that is not as in the catalogue, or one behind the last. */
static uint32_t first_stray(struct vault *vault, const struct baseline *baseline, struct span *key)
{
	uint32_t i = 0;
	while (i < baseline->pages && stands_in_catalogue(vault, baseline, i, key))
		i++;
	return i;
}

static bool compare_baseline(struct vault *vault, struct strbuf *file, struct err *err)
{
	struct baseline baseline;
	struct span key;
	if (!baseline_load(vault, file, err) ||
	    !baseline_open(file->data, file->len, vault->public_part, &baseline, err))
		return false;
	return first_stray(vault, &baseline, &key) == baseline.pages ||
	       err_set(err, "page %.*s of the baseline does not stand in the catalogue so",
		       (int)(key.len < 200 ? key.len : 200), key.ptr);
}

/* A keeper that runs may change both in between: what is wrong stays wrong. */
static void check_baseline(struct checking *checking)
{
	struct vault *vault = checking->vault;
	struct strbuf file;
	struct err err = {""};
	bool ok = false;
	vault_baselines(vault, count_baseline, checking);
	if (checking->out->baseline_number == 0)
		return;
	strbuf_init(&file, BASELINE_FILE_MAX);
	for (unsigned i = 0; !ok && i < BASELINE_TRIES; i++) {
		struct timespec pause = {.tv_nsec = i * 20 * 1000 * 1000};
		if (i > 0 && !vault->writes)
			nanosleep(&pause, NULL);
		strbuf_reset(&file);
		ok = compare_baseline(vault, &file, &err);
	}
	if (!ok)
		vault_tell(vault, VAULT_BAD_BASELINE, "%s", err.text);
	strbuf_release(&file);
}

/* ---- audit, rights ---- */

static void check_audit(struct checking *checking)
{
	struct vault *vault = checking->vault;
	struct err err = {""};
	uint64_t beyond;
	checking->out->audit_lines = vault->audit.head.lines;
	if (!audit_check(vault->directory, &vault->audit.head, &beyond, &err))
		vault_tell(vault, VAULT_BAD_AUDIT, "%s", err.text);
	else if (beyond > 0 && vault->writes)
		vault_tell(vault, VAULT_BAD_AUDIT, AUDIT_FILE " has %llu bytes that nobody signed",
			   (unsigned long long)beyond);
}

static void check_rights(struct vault *vault)
{
	static const char *const names[] = {KEY_FILE, KEY_FILE_PUBLIC, VAULT_CATALOGUE, AUDIT_FILE,
					    VAULT_BASELINE_FILE, "content"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct err err = {""};
		int fd = openat(vault->directory, names[i], O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!file_is_private(fd, names[i], &err))
			vault_tell(vault, VAULT_BAD_RIGHTS, "%s", err.text);
		close(fd);
	}
}

bool vault_verify(struct vault *vault, struct vault_report *out, struct err *err)
{
	struct checking checking = {vault, out};
	uint64_t before = vault->findings;
	*out = (struct vault_report){0};
	if (vault->depth > 0)
		return err_set(err, "a vault is not checked in the middle of a change");
	vault->tell_all = true;
	record_forget(vault);
	check_database(vault);
	vault_sites(vault, count_site, &checking);
	check_tokens(vault);
	check_versions(&checking);
	check_contents(&checking);
	check_baseline(&checking);
	check_audit(&checking);
	check_rights(vault);
	vault->tell_all = false;
	out->findings = vault->findings - before;
	return true;
}

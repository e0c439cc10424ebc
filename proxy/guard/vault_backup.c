/* Backups: a copy of the catalogue as it is at one instant, the contents that it names, the audit up
 * to its head, the baseline, and a signed list. The private key is not in it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guard/vault_backup.h"
#include "sallyport/files.h"
#include "sallyport/keys.h"

/* ---- the list ---- */

static bool digest_file(int directory, const char *name, char out[HEX_SIZE(DIGEST_SIZE)], struct err *err)
{
	struct strbuf bytes;
	uint8_t seen[DIGEST_SIZE] = {0};
	strbuf_init(&bytes, BACKUP_FILE_MAX);
	enum file_read read = file_read(directory, name, &bytes, err);
	if (read == FILE_READ)
		digest(bytes.data ? bytes.data : "", bytes.len, seen);
	strbuf_release(&bytes);
	hex_write(seen, DIGEST_SIZE, out); /* zeros: it is not there */
	return read != FILE_FAILED;
}

bool backup_list(int directory, const uint8_t key[SIGN_PUBLIC_SIZE], uint64_t now_s,
		 struct strbuf *out, struct err *err)
{
	static const char *const names[] = {VAULT_CATALOGUE, AUDIT_FILE, VAULT_BASELINE_FILE};
	char hex[KEY_HEX_SIZE];
	_Static_assert(KEY_HEX_SIZE == HEX_SIZE(DIGEST_SIZE), "one buffer for both");
	hex_write(key, SIGN_PUBLIC_SIZE, hex);
	strbuf_addf(out, BACKUP_TITLE "made %llu\nkey %s\n", (unsigned long long)now_s, hex);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!digest_file(directory, names[i], hex, err))
			return false;
		strbuf_addf(out, "%s %s\n", names[i], hex);
	}
	return !out->truncated;
}

static bool write_list(struct vault *vault, int directory, const struct sign_key *key, uint64_t now_s,
		       struct err *err)
{
	uint8_t signature[SIGNATURE_SIZE];
	char hex[HEX_SIZE(SIGNATURE_SIZE)];
	struct strbuf list;
	strbuf_init(&list, BACKUP_LIST_MAX);
	bool ok = backup_list(directory, vault->public_part, now_s, &list, err) &&
		  sign(key, list.data, list.len, signature, err);
	if (ok) {
		strbuf_addf(&list, "signature %s\n", hex_write(signature, SIGNATURE_SIZE, hex));
		ok = file_replace(directory, BACKUP_LIST, list.data, list.len, err);
	}
	strbuf_release(&list);
	return ok;
}

/* ---- the catalogue ---- */

bool backup_copy_database(sqlite3 *to, sqlite3 *from, struct err *err)
{
	sqlite3_backup *copy = sqlite3_backup_init(to, "main", from, "main");
	int code = copy ? sqlite3_backup_step(copy, -1) : sqlite3_errcode(to);
	if (copy && sqlite3_backup_finish(copy) != SQLITE_OK && code == SQLITE_DONE)
		code = sqlite3_errcode(to);
	return code == SQLITE_DONE ||
	       err_set(err, "cannot copy the catalogue: %s", sqlite3_errstr(code));
}

static bool copy_catalogue(struct vault *vault, const char *directory, struct err *err)
{
	char path[PATH_MAX + 32];
	sqlite3 *to = NULL;
	mode_t mask = umask(077);
	snprintf(path, sizeof(path), "%s/" VAULT_CATALOGUE, directory);
	bool ok = sqlite3_open_v2(path, &to,
				  SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW,
				  NULL) == SQLITE_OK ||
		  err_set(err, "cannot make %s: %s", path, to ? sqlite3_errmsg(to) : "no memory");
	ok = ok && backup_copy_database(to, vault->db, err);
	/* one file, without a log beside it */
	if (ok && sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK)
		ok = err_set(err, "cannot write %s: %s", path, sqlite3_errmsg(to));
	sqlite3_close(to);
	umask(mask);
	return ok;
}

/* ---- contents and the rest ---- */

bool backup_copy_content(struct vault *from, int to, const uint8_t content[DIGEST_SIZE],
			 struct err *err)
{
	char path[VAULT_CONTENT_PATH_SIZE], name[3];
	struct strbuf bytes;
	struct err why = {""};
	vault_content_path(content, path);
	snprintf(name, sizeof(name), "%.2s", path);
	strbuf_init(&bytes, CONTENT_FILE_MAX);
	bool ok = true;
	if (!content_read(from, content, &bytes, &why))
		vault_tell(from, VAULT_BAD_CONTENT, "%s, and was not copied", why.text);
	else
		ok = file_make_directory(to, name, err) &&
		     file_replace(to, path, bytes.data ? bytes.data : "", bytes.len, err);
	strbuf_release(&bytes);
	return ok;
}

static bool copy_contents(struct vault *copied, int directory, struct err *err)
{
	uint8_t content[DIGEST_SIZE];
	bool ok = file_make_directory(directory, "content", err);
	int to = ok ? openat(directory, "content", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	if (to < 0)
		return ok && err_set(err, "cannot open content: %s", strerror(errno));
	sqlite3_stmt *stmt = sql_own(copied, SQL_CONTENTS);
	while (ok && sql_row(copied, stmt))
		if (col_blob(stmt, 0, content, DIGEST_SIZE))
			ok = backup_copy_content(copied, to, content, err);
	sqlite3_finalize(stmt);
	ok = ok && (fsync(to) == 0 || err_set(err, "cannot sync content: %s", strerror(errno)));
	close(to);
	return ok;
}

/* bytes: so many of its first ones. */
static bool copy_file(int from, int to, const char *name, uint64_t bytes, struct err *err)
{
	struct strbuf content;
	strbuf_init(&content, BACKUP_FILE_MAX);
	enum file_read read = file_read(from, name, &content, err);
	bool ok = read != FILE_FAILED;
	if (read == FILE_READ && content.data)
		ok = file_replace(to, name, content.data,
				  content.len < bytes ? content.len : (size_t)bytes, err);
	strbuf_release(&content);
	return ok;
}

/* The copied catalogue, read as if it were the vault's: contents come from the vault. */
static bool copy_what_it_names(struct vault *vault, const char *path, int directory, struct err *err)
{
	struct vault copied = *vault;
	struct audit_head head;
	char file[PATH_MAX + 32];
	memset(copied.statements, 0, sizeof(copied.statements));
	copied.db = NULL;
	copied.verified = copied.told = NULL;
	copied.writes = false;
	copied.depth = 0;
	strbuf_init(&copied.record, RECORD_MAX);
	snprintf(file, sizeof(file), "%s/" VAULT_CATALOGUE, path);
	bool ok = sqlite3_open_v2(file, &copied.db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW, NULL) ==
		      SQLITE_OK ||
		  err_set(err, "cannot open %s", file);
	ok = ok && copy_contents(&copied, directory, err) &&
	     (audit_head_get(&copied, &head) || err_set(err, "the end of the audit is not known")) &&
	     copy_file(vault->directory, directory, AUDIT_FILE, head.bytes, err);
	vault->findings = copied.findings;
	catalogue_close(&copied);
	record_release(&copied);
	return ok;
}

/* The file may be newer than the copied catalogue by now; then it is left out, and whoever
 * restores makes it anew. */
static bool copy_rest(struct vault *vault, int directory, struct err *err)
{
	return copy_file(vault->directory, directory, VAULT_BASELINE_FILE, UINT64_MAX, err) &&
	       copy_file(vault->directory, directory, KEY_FILE_PUBLIC, UINT64_MAX, err);
}

/* ---- where it goes ---- */

static bool is_empty(int directory)
{
	int fd = dup(directory);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	unsigned n = 0;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return n == 0;
}

static int make_place(const char *path, char real[PATH_MAX], struct err *err)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		err_set(err, "cannot make %s: %s", path, strerror(errno));
		return -1;
	}
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || !realpath(path, real))
		err_set(err, "cannot open %s: %s", path, strerror(errno));
	else if (!is_empty(fd))
		err_set(err, "%s is not empty", path);
	else if (file_is_private(fd, path, err))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool take_key(struct vault *vault, struct sign_key **own, struct err *err)
{
	uint8_t public_part[SIGN_PUBLIC_SIZE];
	if (keys_load(vault->directory, KEY_FILE, own, err) != KEYS_READ)
		return err_prefix(err, "a backup is signed with the vault's key");
	sign_key_public(*own, public_part);
	return memcmp(public_part, vault->public_part, SIGN_PUBLIC_SIZE) == 0 ||
	       err_set(err, "the vault's key is being changed: try again");
}

bool vault_backup(struct vault *vault, const char *directory, uint64_t now_s, struct err *err)
{
	struct sign_key *own = NULL;
	char path[PATH_MAX];
	if (vault->depth > 0)
		return err_set(err, "a backup is not made in the middle of a change");
	int to = make_place(directory, path, err);
	bool ok = to >= 0 && take_key(vault, &own, err) && copy_catalogue(vault, path, err) &&
		  copy_what_it_names(vault, path, to, err) && copy_rest(vault, to, err) &&
		  write_list(vault, to, own, now_s, err);
	sign_key_free(own);
	if (to >= 0)
		close(to);
	return ok;
}

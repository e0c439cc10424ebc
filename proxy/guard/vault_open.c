/* Opening a vault: the directory and its rights, the lock, the key, the catalogue. Trusts a
 * directory only if it is ours and nobody else may enter it; SQLite runs without whatever a
 * prepared database could make it do. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "guard/vault_inner.h"
#include "sallyport/files.h"

enum { APPLICATION_ID = 0x53505654 /* "SPVT" */, BUSY_MS = 5000, PATH_ROOM = PATH_MAX + 32 };

/* ---- findings ---- */

const char *vault_finding_name(enum vault_finding finding)
{
	static const char *const names[] = {
	    [VAULT_KEY_MADE] = "key-made",
	    [VAULT_KEY_LOST] = "key-lost",
	    [VAULT_SET_ASIDE] = "set-aside",
	    [VAULT_BAD_SIGNATURE] = "bad-signature",
	    [VAULT_BAD_CONTENT] = "bad-content",
	    [VAULT_BAD_CATALOGUE] = "bad-catalogue",
	    [VAULT_BAD_BASELINE] = "bad-baseline",
	    [VAULT_BAD_AUDIT] = "bad-audit",
	    [VAULT_BAD_RIGHTS] = "bad-rights",
	    [VAULT_DISK_FULL] = "disk-full",
	    [VAULT_WRITE_FAILED] = "write-failed",
	    [VAULT_OVER_SIZE] = "over-size",
	};
	return finding > VAULT_FINDING_UNSET && finding <= VAULT_OVER_SIZE ? names[finding] : "-";
}

/* A damaged record is met again with each look at it; a report wants all that it meets. */
static bool was_told(struct vault *vault, enum vault_finding finding, const char *text)
{
	bool is_single = finding == VAULT_BAD_SIGNATURE || finding == VAULT_BAD_CONTENT;
	return is_single && !vault->tell_all && !record_tell_once(vault, text);
}

void vault_tell(struct vault *vault, enum vault_finding finding, const char *fmt, ...)
{
	struct err text = {""};
	va_list ap;
	vault->findings++;
	va_start(ap, fmt);
	vsnprintf(text.text, sizeof(text.text), fmt, ap);
	va_end(ap);
	if (vault->on_finding && !was_told(vault, finding, text.text))
		vault->on_finding(vault->context, finding, text.text);
}

bool vault_tell_errno(struct vault *vault, const struct err *err)
{
	bool is_full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
	vault_tell(vault, is_full ? VAULT_DISK_FULL : VAULT_WRITE_FAILED, "%s", err->text);
	return false;
}

/* ---- the directory ---- */

static enum vault_opened open_directory(struct vault *vault, const char *path, struct err *err)
{
	if (vault->writes && mkdir(path, 0700) != 0 && errno != EEXIST) {
		err_set(err, "cannot make the vault %s: %s", path, strerror(errno));
		return VAULT_REFUSED;
	}
	vault->directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (vault->directory < 0) {
		enum vault_opened why = errno == ENOENT ? VAULT_MISSING : VAULT_REFUSED;
		err_set(err, "cannot open the vault %s: %s", path, strerror(errno));
		return why;
	}
	/* SQLite follows no link, and so would refuse a path that has one further up */
	if (!realpath(path, vault->path)) {
		err_set(err, "cannot open the vault %s: %s", path, strerror(errno));
		return VAULT_REFUSED;
	}
	return file_is_private(vault->directory, path, err) ? VAULT_OPENED : VAULT_REFUSED;
}

static enum vault_opened open_content(struct vault *vault, struct err *err)
{
	if (vault->writes && !file_make_directory(vault->directory, "content", err)) {
		err_prefix(err, "%s", vault->path);
		return VAULT_REFUSED;
	}
	vault->content =
	    openat(vault->directory, "content", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (vault->content >= 0)
		return VAULT_OPENED;
	enum vault_opened why = errno == ENOENT ? VAULT_MISSING : VAULT_REFUSED;
	err_set(err, "cannot open %s/content: %s", vault->path, strerror(errno));
	return why;
}

static enum vault_opened take_lock(struct vault *vault, struct err *err)
{
	if (!vault->writes)
		return VAULT_OPENED;
	vault->lock = openat(vault->directory, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (vault->lock < 0) {
		err_set(err, "cannot open %s/lock: %s", vault->path, strerror(errno));
		return VAULT_REFUSED;
	}
	if (flock(vault->lock, LOCK_EX | LOCK_NB) == 0)
		return file_give(vault->directory, vault->lock) ? VAULT_OPENED : VAULT_REFUSED;
	err_set(err, "the vault %s is in use by a running sallyport", vault->path);
	return VAULT_BUSY;
}

/* ---- the catalogue ---- */

/* What a database from elsewhere may not do, and how large things may get. */
static void harden(sqlite3 *db)
{
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1 << 20);
	sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, 1 << 14);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_limit(db, SQLITE_LIMIT_COLUMN, 64);
	sqlite3_limit(db, SQLITE_LIMIT_TRIGGER_DEPTH, 4);
	sqlite3_limit(db, SQLITE_LIMIT_WORKER_THREADS, 0);
	sqlite3_busy_timeout(db, BUSY_MS);
}

static bool run(struct vault *vault, const char *statements, struct err *err)
{
	return sqlite3_exec(vault->db, statements, NULL, NULL, NULL) == SQLITE_OK ||
	       err_set(err, "%s/" VAULT_CATALOGUE ": %s", vault->path, sqlite3_errmsg(vault->db));
}

static uint64_t pragma(struct vault *vault, const char *text)
{
	sqlite3_stmt *stmt = NULL;
	uint64_t number = UINT64_MAX;
	if (sqlite3_prepare_v2(vault->db, text, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		number = (uint64_t)sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return number;
}

static bool is_whole(struct vault *vault, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	bool ok = sqlite3_prepare_v2(vault->db, "PRAGMA quick_check(1)", -1, &stmt, NULL) == SQLITE_OK &&
		  sqlite3_step(stmt) == SQLITE_ROW;
	const char *says = ok ? (const char *)sqlite3_column_text(stmt, 0) : sqlite3_errmsg(vault->db);
	ok = ok && says && strcmp(says, "ok") == 0;
	if (!ok)
		err_set(err, "%s/" VAULT_CATALOGUE " is damaged: %s", vault->path, says ? says : "?");
	sqlite3_finalize(stmt);
	return ok;
}

static bool make_tables(struct vault *vault, struct err *err)
{
	return run(vault, "BEGIN IMMEDIATE; PRAGMA application_id = 1397773908; PRAGMA user_version = 1",
		   err) &&
	       sql_create(vault, err) && run(vault, "COMMIT", err);
}
_Static_assert(APPLICATION_ID == 1397773908 && VAULT_FORMAT == 1, "as in make_tables");

static enum vault_opened check_format(struct vault *vault, struct err *err)
{
	uint64_t id = pragma(vault, "PRAGMA application_id");
	uint64_t format = pragma(vault, "PRAGMA user_version");
	if (id == UINT64_MAX || format == UINT64_MAX) {
		err_set(err, "%s/" VAULT_CATALOGUE " is damaged: %s", vault->path,
			sqlite3_errmsg(vault->db));
		return VAULT_DAMAGED;
	}
	if (id == 0 && format == 0 && pragma(vault, "SELECT count(*) FROM sqlite_schema") == 0) {
		if (!vault->writes) {
			err_set(err, "the vault %s is empty", vault->path);
			return VAULT_MISSING;
		}
		return make_tables(vault, err) ? VAULT_OPENED : VAULT_REFUSED;
	}
	if (id == APPLICATION_ID && format == VAULT_FORMAT)
		return is_whole(vault, err) ? VAULT_OPENED : VAULT_DAMAGED;
	err_set(err, "%s/" VAULT_CATALOGUE " has format %llu, and this sallyport knows %d", vault->path,
		(unsigned long long)format, VAULT_FORMAT);
	return id == APPLICATION_ID ? VAULT_REFUSED : VAULT_DAMAGED;
}

/* SQLite gives what it makes later to whom the database belongs. */
static bool create_database(struct vault *vault)
{
	int fd = openat(vault->directory, VAULT_CATALOGUE,
			O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST;
	bool ok = file_give(vault->directory, fd);
	close(fd);
	return ok;
}

static enum vault_opened open_database(struct vault *vault, struct err *err)
{
	char path[PATH_ROOM];
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE |
		    (vault->writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
	snprintf(path, sizeof(path), "%s/" VAULT_CATALOGUE, vault->path);
	if (!vault->writes && faccessat(vault->directory, VAULT_CATALOGUE, F_OK, 0) != 0) {
		err_set(err, "the vault %s is empty", vault->path);
		return VAULT_MISSING;
	}
	if (vault->writes && !create_database(vault)) {
		err_set(err, "cannot make %s: %s", path, strerror(errno));
		return VAULT_REFUSED;
	}
	if (sqlite3_open_v2(path, &vault->db, flags, NULL) == SQLITE_OK)
		return VAULT_OPENED;
	err_set(err, "cannot open %s: %s", path, vault->db ? sqlite3_errmsg(vault->db) : "no memory");
	return VAULT_REFUSED;
}

/* Its log stays when it is closed, so that readers without the right to make one can open it. */
static enum vault_opened configure(struct vault *vault, struct err *err)
{
	static const char both[] = "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;"
				   "PRAGMA foreign_keys = ON;";
	int keep_log = 1;
	harden(vault->db);
	if (!run(vault, both, err))
		return VAULT_DAMAGED;
	if (!vault->writes)
		return run(vault, "PRAGMA query_only = ON", err) ? VAULT_OPENED : VAULT_DAMAGED;
	if (!run(vault,
		 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		 "PRAGMA journal_size_limit = 67108864;",
		 err))
		return VAULT_DAMAGED;
	sqlite3_file_control(vault->db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_log);
	return VAULT_OPENED;
}

static enum vault_opened open_catalogue(struct vault *vault, struct err *err)
{
	mode_t mask = umask(077); /* SQLite makes files as it likes */
	enum vault_opened opened = open_database(vault, err);
	if (opened == VAULT_OPENED)
		opened = configure(vault, err);
	if (opened == VAULT_OPENED)
		opened = check_format(vault, err);
	umask(mask);
	return opened;
}

void catalogue_reset(struct vault *vault)
{
	for (unsigned i = 0; i < SQL_COUNT; i++) {
		sqlite3_finalize(vault->statements[i]);
		vault->statements[i] = NULL;
	}
}

bool catalogue_accept(struct vault *vault, struct err *err)
{
	harden(vault->db);
	return check_format(vault, err) == VAULT_OPENED;
}

void catalogue_close(struct vault *vault)
{
	catalogue_reset(vault);
	sqlite3_close(vault->db);
	vault->db = NULL;
}

static bool set_aside(struct vault *vault, const char *name, long long now, struct err *err)
{
	char aside[64];
	snprintf(aside, sizeof(aside), "%s.damaged-%lld", name, now);
	return renameat(vault->directory, name, vault->directory, aside) == 0 || errno == ENOENT ||
	       err_set(err, "cannot rename %s/%s: %s", vault->path, name, strerror(errno));
}

/* The damaged one stays for whoever wants to look at it. */
static enum vault_opened begin_anew(struct vault *vault, struct err *err)
{
	struct err why = *err;
	long long now = (long long)time(NULL);
	catalogue_close(vault);
	if (!set_aside(vault, VAULT_CATALOGUE, now, err) ||
	    !set_aside(vault, VAULT_CATALOGUE "-wal", now, err) ||
	    !set_aside(vault, VAULT_CATALOGUE "-shm", now, err) ||
	    !set_aside(vault, VAULT_BASELINE_FILE, now, err) ||
	    !set_aside(vault, AUDIT_FILE, now, err))
		return VAULT_REFUSED;
	vault_tell(vault, VAULT_SET_ASIDE, "%s; it was renamed, and the vault begins anew", why.text);
	return open_catalogue(vault, err);
}

/* ---- all of it ---- */

static enum vault_opened open_parts(struct vault *vault, const struct vault_options *options,
				    struct err *err)
{
	enum vault_opened opened = open_directory(vault, options->directory, err);
	if (opened == VAULT_OPENED)
		opened = take_lock(vault, err);
	if (opened == VAULT_OPENED)
		opened = open_content(vault, err);
	if (opened == VAULT_OPENED)
		opened = vault_key_open(vault, err);
	if (opened == VAULT_OPENED)
		opened = open_catalogue(vault, err);
	if (opened == VAULT_DAMAGED && options->writes && options->anew)
		opened = begin_anew(vault, err);
	return opened;
}

static bool settle(struct vault *vault, struct err *err)
{
	if (!vault_key_settle(vault, err) || !vault_audit_open(vault, err))
		return false;
	if (vault->writes) {
		baseline_settle(vault);
		content_sweep(vault);
	}
	return true;
}

static struct vault *vault_new(const struct vault_options *options)
{
	struct vault *vault = calloc(1, sizeof(*vault));
	if (!vault)
		return NULL;
	vault->directory = vault->content = vault->lock = -1;
	vault->writes = options->writes;
	vault->on_finding = options->on_finding;
	vault->context = options->context;
	strbuf_init(&vault->record, RECORD_MAX);
	return vault;
}

enum vault_opened vault_open(const struct vault_options *options, struct vault **out, struct err *err)
{
	struct vault *vault = vault_new(options);
	*out = NULL;
	if (!vault) {
		err_set(err, "no memory for the vault");
		return VAULT_REFUSED;
	}
	enum vault_opened opened = open_parts(vault, options, err);
	if (opened == VAULT_OPENED && !settle(vault, err))
		opened = VAULT_REFUSED;
	if (opened == VAULT_OPENED)
		*out = vault;
	else
		vault_close(vault);
	return opened;
}

void vault_close(struct vault *vault)
{
	if (!vault)
		return;
	while (vault->depth > 0)
		vault_abort(vault);
	catalogue_close(vault);
	audit_release(&vault->audit);
	record_release(vault);
	sign_key_free(vault->key);
	if (vault->content >= 0)
		close(vault->content);
	if (vault->directory >= 0)
		close(vault->directory);
	if (vault->lock >= 0)
		close(vault->lock); /* last: nobody else may write before */
	free(vault);
}

void vault_public_key(const struct vault *vault, uint8_t out[SIGN_PUBLIC_SIZE])
{
	memcpy(out, vault->public_part, SIGN_PUBLIC_SIZE);
}

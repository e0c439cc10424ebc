/* Contents: files named by the SHA-256 of what they hold, in one of 256 directories. A file
 * appears under its name only when all of it is on disk, and is never written again, so whoever
 * reads one needs no lock, only the digest. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guard/vault_inner.h"
#include "sallyport/files.h"
#include "sallyport/hex.h"

#define UNFINISHED "unfinished" /* one writer, one name */

void vault_content_path(const uint8_t content[DIGEST_SIZE], char out[VAULT_CONTENT_PATH_SIZE])
{
	hex_write(content, DIGEST_SIZE, out + 3);
	out[0] = out[3];
	out[1] = out[4];
	out[2] = '/';
}

bool vault_content_exists(struct vault *vault, const uint8_t content[DIGEST_SIZE], uint64_t bytes)
{
	char path[VAULT_CONTENT_PATH_SIZE];
	struct stat st;
	vault_content_path(content, path);
	return fstatat(vault->content, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == bytes;
}

bool content_read(struct vault *vault, const uint8_t content[DIGEST_SIZE], struct strbuf *out,
		  struct err *err)
{
	char path[VAULT_CONTENT_PATH_SIZE];
	uint8_t seen[DIGEST_SIZE];
	vault_content_path(content, path);
	enum file_read read = file_read(vault->content, path, out, err);
	if (read == FILE_ABSENT)
		return err_set(err, "content/%s is missing", path);
	if (read != FILE_READ)
		return err_prefix(err, "content/");
	digest(out->data ? out->data : "", out->len, seen);
	return memcmp(seen, content, DIGEST_SIZE) == 0 ||
	       err_set(err, "content/%s is not what its name says", path);
}

bool vault_content_get(struct vault *vault, const uint8_t content[DIGEST_SIZE], struct strbuf *out,
		       struct err *err)
{
	struct err why = {""};
	if (content_read(vault, content, out, &why))
		return true;
	vault_tell(vault, VAULT_BAD_CONTENT, "%s", why.text);
	return err_set(err, "%s", why.text);
}

static bool make_directory(struct vault *vault, const char path[VAULT_CONTENT_PATH_SIZE],
			   struct err *err)
{
	const char name[] = {path[0], path[1], '\0'};
	return file_make_directory(vault->content, name, err) || err_prefix(err, "content");
}

/* What has the right size is read: a damaged file is mended by whoever has the content again. */
static bool is_stored(struct vault *vault, const uint8_t content[DIGEST_SIZE], size_t len)
{
	struct strbuf stored;
	if (!vault_content_exists(vault, content, len))
		return false;
	strbuf_init(&stored, len + 1);
	bool ok = content_read(vault, content, &stored, NULL);
	strbuf_release(&stored);
	return ok;
}

static bool store(struct vault *vault, const void *data, size_t len,
		  const uint8_t content[DIGEST_SIZE], struct err *err)
{
	char path[VAULT_CONTENT_PATH_SIZE];
	vault_content_path(content, path);
	errno = 0;
	return make_directory(vault, path, err) &&
	       file_write(vault->content, UNFINISHED, data, len, err) &&
	       file_rename(vault->content, UNFINISHED, path, err);
}

static bool add_row(struct vault *vault, const uint8_t content[DIGEST_SIZE], size_t len,
		    struct err *err)
{
	sqlite3_stmt *stmt = sql(vault, SQL_CONTENT_ADD);
	sql_blob(stmt, 1, content, DIGEST_SIZE);
	sql_int(stmt, 2, len);
	return sql_run(vault, stmt, err);
}

bool vault_content_put(struct vault *vault, const void *data, size_t len, uint8_t out[DIGEST_SIZE],
		       struct err *err)
{
	struct err why = {""};
	if (!vault->writes)
		return err_set(err, "the vault is open for reading only");
	if (len > CONTENT_FILE_MAX)
		return err_set(err, "a content of %zu bytes is too large for the vault", len);
	digest(data, len, out);
	if (!is_stored(vault, out, len) && !store(vault, data, len, out, &why)) {
		vault_tell_errno(vault, &why);
		return err_set(err, "%s", why.text);
	}
	return add_row(vault, out, len, err);
}

uint64_t vault_size(struct vault *vault)
{
	return sql_number(vault, sql(vault, SQL_CONTENT_TOTAL));
}

void content_remove(struct vault *vault, const uint8_t content[DIGEST_SIZE])
{
	char path[VAULT_CONTENT_PATH_SIZE];
	vault_content_path(content, path);
	if (unlinkat(vault->content, path, 0) != 0 && errno != ENOENT)
		vault_tell(vault, VAULT_WRITE_FAILED, "cannot remove content/%s: %s", path,
			   strerror(errno));
}

/* ---- sweeping: files that a killed writer left ---- */

bool content_is_named(struct vault *vault, const uint8_t content[DIGEST_SIZE])
{
	sqlite3_stmt *stmt = sql(vault, SQL_CONTENT_SIZE);
	sql_blob(stmt, 1, content, DIGEST_SIZE);
	bool named = sql_row(vault, stmt);
	sql_end(stmt);
	return named;
}

static bool is_stray(struct vault *vault, const char *name)
{
	uint8_t content[DIGEST_SIZE];
	return !hex_read(span_from_str(name), content, DIGEST_SIZE) || !content_is_named(vault, content);
}

static DIR *open_directory(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

static void sweep_directory(struct vault *vault, const char *name)
{
	DIR *dir = open_directory(vault->content, name);
	if (!dir)
		return;
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		if (entry->d_name[0] != '.' && is_stray(vault, entry->d_name))
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
}

void content_sweep(struct vault *vault)
{
	unlinkat(vault->content, UNFINISHED, 0);
	for (unsigned i = 0; i < 256; i++) {
		char name[3];
		snprintf(name, sizeof(name), "%02x", i);
		sweep_directory(vault, name);
	}
}

/* The cache of compiled rules. Trusts the folder's owner, who is us or root, and nobody else: what
 * lies there is taken for what the library wrote. A file that cannot be read or written costs a
 * compilation, nothing more. */
#include "proc/rule_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/files.h"
#include "sallyport/hex.h"
#include "sallyport/small_file.h"

enum { FILE_MAX = 256 << 20, FILES_MAX = 96, PATH_SIZE = 4096 };

#define SUFFIX ".db"
static char folder[PATH_SIZE];

static bool is_ours(const char *path)
{
	struct stat info;
	return lstat(path, &info) == 0 && S_ISDIR(info.st_mode) &&
	       (info.st_uid == geteuid() || info.st_uid == 0) && (info.st_mode & 022) == 0;
}

static bool name_of(const uint8_t key[RULE_KEY_SIZE], char path[PATH_SIZE])
{
	char name[HEX_SIZE(RULE_KEY_SIZE)];
	int len = snprintf(path, PATH_SIZE, "%s/%s" SUFFIX, folder, hex_write(key, RULE_KEY_SIZE, name));
	return len > 0 && len < PATH_SIZE;
}

static char *load(const uint8_t key[RULE_KEY_SIZE], size_t *len)
{
	char path[PATH_SIZE];
	*len = 0;
	return name_of(key, path) ? small_file_read(path, FILE_MAX, len) : NULL;
}

static int is_entry(const struct dirent *entry)
{
	return span_ends(span_from_str(entry->d_name), SPAN(SUFFIX));
}

/* Takes the oldest away where there are too many. */
static void make_room(void)
{
	struct dirent **entries;
	char oldest[PATH_SIZE] = "";
	time_t when = 0;
	int n = scandir(folder, &entries, is_entry, NULL);
	for (int i = 0; i < n; i++) {
		char path[PATH_SIZE];
		struct stat info;
		int len = snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		if (len > 0 && len < PATH_SIZE && stat(path, &info) == 0 &&
		    (!oldest[0] || info.st_mtime < when)) {
			when = info.st_mtime;
			memcpy(oldest, path, (size_t)len + 1);
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	if (n >= FILES_MAX && oldest[0])
		(void)unlink(oldest); /* another may have been faster */
}

/* Under its name only once it is whole. */
static void store(const uint8_t key[RULE_KEY_SIZE], const char *bytes, size_t len)
{
	char path[PATH_SIZE], temporary[PATH_SIZE];
	if (!name_of(key, path) ||
	    snprintf(temporary, sizeof(temporary), "%s/.%ld", folder, (long)getpid()) >= PATH_SIZE)
		return;
	make_room();
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	bool whole = file_write_all(fd, bytes, len);
	whole &= close(fd) == 0;
	if (!whole || rename(temporary, path) != 0)
		(void)unlink(temporary);
}

struct rule_cache rule_cache_open(void)
{
	const char *chosen = getenv("SALLYPORT_CACHE");
	int len = snprintf(folder, sizeof(folder), "%s",
			   chosen && chosen[0] ? chosen : "/var/cache/sallyport");
	if (len <= 0 || len >= PATH_SIZE || !is_ours(folder))
		return (struct rule_cache){0};
	return (struct rule_cache){.load = load, .store = store};
}

/* Runs a fuzz target over inputs that are kept: each file named, and each file
 * of each directory named. The corpus is a test like any other this way, with every
 * compiler, and a crash is looked at without a fuzzer. Each input lies right
 * before an unreadable page. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "../unit/guard_page.h"

int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak)); /* few targets have one */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	exit(1);
}

static unsigned replay_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	char *bytes = malloc(size + 1);
	if (!file || !bytes || fread(bytes, 1, size, file) != size)
		fail(path);
	fclose(file);
	char *copy = guarded_copy(bytes, size);
	free(bytes);
	/* where it crashes, the last line says on what */
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput((const uint8_t *)copy, size);
	guarded_free(copy, size);
	return 1;
}

static unsigned replay_path(const char *path);

static unsigned replay_directory(const char *path)
{
	unsigned count = 0;
	DIR *dir = opendir(path);
	if (!dir)
		fail(path);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		char inner[PATH_MAX];
		if (entry->d_name[0] == '.')
			continue;
		int len = snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		if (len > 0 && (size_t)len < sizeof(inner))
			count += replay_path(inner);
	}
	closedir(dir);
	return count;
}

static unsigned replay_path(const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		fail(path);
	return S_ISDIR(st.st_mode) ? replay_directory(path) : replay_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	unsigned count = 0;
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		count += replay_path(argv[i]);
	printf("%s: %u inputs replayed\n", slash ? slash + 1 : argv[0], count);
	return count > 0 ? 0 : 1;
}

/* Small files, read at once. What a path leads to may be anything: a pipe is not waited for, a device
 * not read. */
#include "sallyport/small_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char *read_open(int fd, size_t len)
{
	char *text = malloc(len);
	if (text && read(fd, text, len) == (ssize_t)len)
		return text;
	free(text);
	return NULL;
}

char *small_file_read(const char *path, size_t max, size_t *len)
{
	struct stat st;
	char *text = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	*len = 0;
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && (size_t)st.st_size <= max)
		text = read_open(fd, (size_t)st.st_size);
	close(fd);
	*len = text ? (size_t)st.st_size : 0;
	return text;
}

#ifndef SALLYPORT_SMALL_FILE_H
#define SALLYPORT_SMALL_FILE_H

#include <stddef.h>

/* A regular file as it is now, whole, to be freed. NULL, and *len 0, where it cannot be read, is no
 * file, is empty, or has more than max bytes. */
char *small_file_read(const char *path, size_t max, size_t *len);

#endif

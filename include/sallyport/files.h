#ifndef SALLYPORT_FILES_H
#define SALLYPORT_FILES_H

#include "sallyport/err.h"
#include "sallyport/strbuf.h"

/* Files of ours, as those of the vault: in a directory that we hold, never through a link, and either as before
 * or as wanted whatever happens meanwhile. Names are ours; they may have slashes. */

/* Writes name.new, syncs it, renames it, syncs the directory. Mode 0600. */
MUST_CHECK bool file_replace(int directory, const char *name, const void *data, size_t len,
			     struct err *err);
/* The first half alone: name is the one that is written, anew. */
MUST_CHECK bool file_write(int directory, const char *name, const void *data, size_t len,
			   struct err *err);
/* The second. */
MUST_CHECK bool file_rename(int directory, const char *from, const char *to, struct err *err);

enum file_read { FILE_READ_UNSET = 0, FILE_READ, FILE_ABSENT, FILE_FAILED };
/* Appends the whole of a regular file to out; its cap bounds it. err says why it FAILED. */
MUST_CHECK enum file_read file_read(int directory, const char *name, struct strbuf *out,
				    struct err *err);
/* The same where file_is_private() says so of what is read; FAILED where not. */
MUST_CHECK enum file_read file_read_private(int directory, const char *name, struct strbuf *out,
					    struct err *err);
/* Whether only its owner, who has to be us or, for root, anybody, can read and write it. */
MUST_CHECK bool file_is_private(int fd, const char *name, struct err *err);

/* As root, what we make belongs to whom the directory belongs: a keeper of another user has to be
 * able to use it. fd: of what was just made. */
MUST_CHECK bool file_give(int directory, int fd);
/* Makes a directory of mode 0700, or finds it there. */
MUST_CHECK bool file_make_directory(int directory, const char *name, struct err *err);

/* All bytes, whatever the size of a write. False: errno says why. */
MUST_CHECK bool file_write_all(int fd, const void *data, size_t len);

#endif

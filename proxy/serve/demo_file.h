#ifndef SERVE_DEMO_FILE_H
#define SERVE_DEMO_FILE_H

#include <stdint.h>

#include "sallyport/span.h"

/* A regular file below a folder, open. */
struct demo_file {
	int fd; /* the caller closes it */
	uint64_t size;
	uint64_t changed_us; /* CLOCK_REALTIME */
	char etag[48];       /* strong, with its quotes (RFC 9110 section 8.8.3) */
	const char *content_type;
};

enum demo_lookup {
	DEMO_LOOKUP_UNSET = 0,
	DEMO_FOUND,
	DEMO_MISSING,
	DEMO_IS_FOLDER, /* the path lacks the slash at its end */
	DEMO_FAILED,    /* no descriptor, no permission */
};

/* path: raw, from a request-target. It is canonicalised here; one that climbs,
 * hides a byte or names a link or a dot file is MISSING. A path that ends in "/" names
 * its index.html. */
enum demo_lookup demo_file_open(int folder_fd, struct span path, struct demo_file *file);
const char *demo_content_type(struct span name);

#endif

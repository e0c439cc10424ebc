#ifndef CLI_REPLAY_SOURCE_H
#define CLI_REPLAY_SOURCE_H

/* The lines of a log: of a file, gzip or not, or of standard input. */

#include "sallyport/err.h"
#include "sallyport/span.h"

enum source_line {
	SOURCE_UNSET = 0,
	SOURCE_LINE,
	SOURCE_TOO_LONG, /* and was skipped */
	SOURCE_END,
	SOURCE_FAILED,   /* *err says why */
};

struct log_source;

/* "-": standard input. NULL: *err says why. */
struct log_source *log_source_open(const char *path, struct err *err);
void log_source_close(struct log_source *source);
/* Without its LF, in the source's memory until the next call; may be written to. */
enum source_line log_source_next(struct log_source *source, char **line, size_t *len, struct err *err);
/* The number of the line that was read last, from 1. */
uint64_t log_source_number(const struct log_source *source);

#endif

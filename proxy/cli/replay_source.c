/* Reads logs by zlib, which takes plain files as they are and any number of gzip members one behind the
 * other. Holds one buffer, whatever the log is. */
#include "cli/replay_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <zlib.h>

#include "cli/replay_line.h"

enum { SOURCE_ROOM = 2 * REPLAY_LINE_MAX };

struct log_source {
	gzFile file;
	uint64_t number;
	size_t start, end;
	bool at_end, skips; /* skips: the rest of a line that is too long */
	char bytes[SOURCE_ROOM];
};

struct log_source *log_source_open(const char *path, struct err *err)
{
	struct log_source *source = malloc(sizeof(*source));
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	if (!source || fd < 0) {
		err_set(err, "%s", source ? strerror(errno) : "out of memory");
		goto failed;
	}
	source->file = gzdopen(fd, "rb");
	if (!source->file) {
		err_set(err, "out of memory");
		goto failed;
	}
	gzbuffer(source->file, 128 << 10);
	source->number = 0;
	source->start = source->end = 0;
	source->at_end = source->skips = false;
	return source;
failed:
	if (fd >= 0)
		close(fd);
	free(source);
	return NULL;
}

void log_source_close(struct log_source *source)
{
	if (!source)
		return;
	gzclose(source->file);
	free(source);
}

/* gzread is content with a member that ends too early; its error is told at the end. */
static bool fill(struct log_source *source, struct err *err)
{
	memmove(source->bytes, source->bytes + source->start, source->end - source->start);
	source->end -= source->start;
	source->start = 0;
	int n = gzread(source->file, source->bytes + source->end, (unsigned)(SOURCE_ROOM - source->end));
	int code = Z_OK;
	const char *text = gzerror(source->file, &code);
	if (n < 0 || code != Z_OK)
		return err_set(err, "%s", code == Z_ERRNO ? strerror(errno) : code == Z_BUF_ERROR ? "the gzip file is cut short" : text);
	source->end += (size_t)n;
	source->at_end = n == 0;
	return true;
}

/* What is there has no LF: more is needed, or it is the last line, or it is too long. */
static enum source_line without_end(struct log_source *source, char **line, size_t *len)
{
	size_t left = source->end - source->start;
	if (left > REPLAY_LINE_MAX) {
		enum source_line answer = source->skips ? SOURCE_UNSET : SOURCE_TOO_LONG;
		source->number += !source->skips;
		source->skips = true;
		source->start = source->end;
		return answer;
	}
	if (!source->at_end)
		return SOURCE_UNSET;
	if (left == 0 || source->skips)
		return SOURCE_END;
	*line = source->bytes + source->start;
	*len = left;
	source->start = source->end;
	source->number++;
	return SOURCE_LINE;
}

static enum source_line take_line(struct log_source *source, char *end, char **line, size_t *len)
{
	*line = source->bytes + source->start;
	*len = (size_t)(end - *line);
	source->start += *len + 1;
	if (source->skips) {
		source->skips = false;
		return SOURCE_UNSET;
	}
	source->number++;
	return *len > REPLAY_LINE_MAX ? SOURCE_TOO_LONG : SOURCE_LINE;
}

enum source_line log_source_next(struct log_source *source, char **line, size_t *len, struct err *err)
{
	for (;;) {
		char *start = source->bytes + source->start;
		char *end = memchr(start, '\n', source->end - source->start);
		enum source_line answer = end ? take_line(source, end, line, len) : without_end(source, line, len);
		if (answer != SOURCE_UNSET)
			return answer;
		if (!end && !fill(source, err))
			return SOURCE_FAILED;
	}
}

uint64_t log_source_number(const struct log_source *source)
{
	return source->number;
}

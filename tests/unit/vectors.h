#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sallyport/span.h"

/* Tables under tests/vectors: rows of columns parted by white space, "#" starts a
 * comment line, \xHH is a byte. Tests run from the top of the tree. */

enum { VECTOR_COLUMNS = 8, VECTOR_LINE = 8192 };

struct vector_file {
	FILE *file;
	const char *path;
	unsigned line;
	char text[VECTOR_LINE];
	struct span columns[VECTOR_COLUMNS];
	size_t n;
};

static inline void vectors_open(struct vector_file *vectors, const char *path)
{
	memset(vectors, 0, sizeof(*vectors));
	vectors->path = path;
	vectors->file = fopen(path, "r");
	if (!vectors->file) {
		perror(path);
		abort();
	}
}

/* Puts bytes for \xHH, in place; gives the new length. */
static inline size_t vector_unescape(char *text, size_t len)
{
	size_t out = 0;
	for (size_t i = 0; i < len; i++) {
		if (len - i >= 4 && text[i] == '\\' && text[i + 1] == 'x') {
			text[out++] = (char)(ascii_hex(text[i + 2]) << 4 | ascii_hex(text[i + 3]));
			i += 3;
		} else {
			text[out++] = text[i];
		}
	}
	return out;
}

/* The next row; false at the end. */
static inline bool vectors_next(struct vector_file *vectors)
{
	while (fgets(vectors->text, sizeof(vectors->text), vectors->file)) {
		char *at = vectors->text;
		vectors->line++;
		vectors->n = 0;
		if (*at == '#')
			continue;
		while (*(at += strspn(at, " \t\n")) && vectors->n < VECTOR_COLUMNS) {
			size_t len = strcspn(at, " \t\n");
			vectors->columns[vectors->n++] = span_of(at, vector_unescape(at, len));
			at += len;
		}
		if (vectors->n > 0)
			return true;
	}
	fclose(vectors->file);
	return false;
}

#endif
